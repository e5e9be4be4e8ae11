-- Day partitions (UTC) of everything that grows with events, each secured the moment it exists. The table is
-- built apart and attached, so writers to the other days are not held up; lock_timeout bounds the rest.

-- Attaching a day to the vault locks the hubs it refers to, in an order of PostgreSQL's own, and then waits for loads
-- that hold some of them and want the others, or the default partition: a deadlock. So the hubs are locked first, in
-- the order of a load (hold_hubs), while nothing is held that a load could want.
CREATE OR REPLACE FUNCTION ops.wait_for_loads(parent regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF parent IN ('business.site_event_nl'::regclass, 'business.site_event_pii_ns'::regclass) THEN
        LOCK TABLE business.site_visitor_h, business.site_session_h, business.site_page_h, business.site_user_h,
            business.site_campaign_h IN SHARE ROW EXCLUSIVE MODE;
    END IF;
END
$$;

-- The table that will hold one day, secured and not yet attached.
CREATE OR REPLACE FUNCTION ops.make_day(parent regclass, day date) RETURNS regclass
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made text;
BEGIN
    SELECT format('%I.%I', n.nspname, format('%s_p%s', c.relname, to_char(day, 'YYYYMMDD'))) INTO STRICT made
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = parent AND c.relkind = 'p' AND n.nspname IN ('raw', 'staging', 'business');
    IF to_regclass(made) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', made, parent);
    RETURN made::regclass;
END
$$;

-- Where a day begins, as the parent's partition key has it.
CREATE OR REPLACE FUNCTION ops.day_bound(parent regclass, day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT CASE WHEN n.nspname = 'business' THEN day::text ELSE day::timestamptz::text END
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = parent
$$;

-- Secure a day's table and make it a partition.
CREATE OR REPLACE FUNCTION ops.attach_day(parent regclass, made regclass, day date) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM ops.secure_table(made);
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
        parent, made, ops.day_bound(parent, day), ops.day_bound(parent, day + 1)
    );
END
$$;

-- Rows that found no partition of their day are moved into one, which is made for them. The default partition is
-- locked for as long as that takes: its day is landing nowhere else. Its row-level security is not forced on the
-- owner meanwhile, who could not read it otherwise; nobody else ever sees it so, because the lock that takes is
-- held until the change back is committed with it.
CREATE OR REPLACE FUNCTION ops.empty_default(parent regclass) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
SET timezone = 'UTC'
AS $$
DECLARE
    default_partition regclass;
    key name;
    stray date;
    made regclass;
    rows_of_day bigint;
    moved bigint := 0;
    days date [] := '{}';
    tables regclass [] := '{}';
BEGIN
    SELECT p.partdefid::regclass, a.attname INTO STRICT default_partition, key
    FROM pg_partitioned_table AS p
    INNER JOIN pg_class AS c ON c.oid = p.partrelid
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    INNER JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent AND n.nspname IN ('raw', 'staging', 'business');
    IF default_partition = 0 OR pg_relation_size(default_partition) = 0 THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sitevault.partitions'), hashtext(parent::text));
    PERFORM ops.wait_for_loads(parent);
    EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', default_partition);
    FOR stray IN EXECUTE format('SELECT DISTINCT %I::date FROM %s', key, default_partition)
    LOOP
        made := ops.make_day(parent, stray);
        IF made IS NULL THEN
            RAISE EXCEPTION '% of % is there and no partition', stray, parent USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Somebody detached it: attach it again, or drop it.';
        END IF;
        EXECUTE format(
            'INSERT INTO %s SELECT * FROM %s WHERE %I >= %L AND %I < %L', made, default_partition,
            key, ops.day_bound(parent, stray), key, ops.day_bound(parent, stray + 1)
        );
        GET DIAGNOSTICS rows_of_day = ROW_COUNT;
        moved := moved + rows_of_day;
        days := days || stray;
        tables := tables || made;
    END LOOP;
    EXECUTE format('TRUNCATE %s', default_partition);
    FOR place IN 1 .. cardinality(days)
    LOOP
        PERFORM ops.attach_day(parent, tables[place], days[place]);
    END LOOP;
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', default_partition);
    RETURN moved;
END
$$;

CREATE OR REPLACE FUNCTION ops.ensure_partition(parent regclass, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
SET timezone = 'UTC'
AS $$
DECLARE
    made regclass;
BEGIN
    IF to_regclass(format('%s_p%s', parent, to_char(day, 'YYYYMMDD'))) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sitevault.partitions'), hashtext(parent::text));
    PERFORM ops.wait_for_loads(parent);
    BEGIN
        made := ops.make_day(parent, day);
        IF made IS NULL THEN
            RETURN false;
        END IF;
        PERFORM ops.attach_day(parent, made, day);
    EXCEPTION WHEN check_violation THEN
        -- rows of that day are in the default partition
        PERFORM ops.empty_default(parent);
    END;
    RETURN true;
END
$$;

-- Vault, landing and staging ahead of the clock; returns how many partitions were made. The vault first: loads are
-- waited for before anything of staging is locked.
CREATE OR REPLACE FUNCTION ops.ensure_partitions_ahead(days_ahead integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT count(*) FILTER (WHERE ops.ensure_partition(parent, (current_date + ahead)))::integer
    FROM generate_series(0, least(greatest(days_ahead, 0), 60)) AS ahead
    CROSS JOIN unnest(ARRAY[
        'business.site_event_nl', 'business.site_event_pii_ns',
        'raw.landed_event', 'staging.site_tracking_events_s'
    ]::regclass []) AS parent
$$;

COMMENT ON FUNCTION ops.wait_for_loads(regclass) IS
'Lock the hubs as a load does, before a day of the vault is attached.';
COMMENT ON FUNCTION ops.make_day(regclass, date) IS
'Make the table of one day (UTC), not yet a partition; NULL where it is there.';
COMMENT ON FUNCTION ops.day_bound(regclass, date) IS
'The beginning of a day (UTC) in the type of the table''s partition key.';
COMMENT ON FUNCTION ops.attach_day(regclass, regclass, date) IS
'Secure the table of one day and attach it.';
COMMENT ON FUNCTION ops.empty_default(regclass) IS
'Move what is in the default partition into partitions of its days; returns how many rows.';
COMMENT ON FUNCTION ops.ensure_partition(regclass, date) IS
'Make and secure the partition of one day (UTC); false where it is there.';
COMMENT ON FUNCTION ops.ensure_partitions_ahead(integer) IS
'Make the partitions from today to so many days ahead; returns how many were made.';
