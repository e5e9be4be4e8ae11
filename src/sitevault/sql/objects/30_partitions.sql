-- Day partitions (UTC) of everything that grows with events, each secured the moment it exists. The table is
-- built apart and attached, so writers to the other days are not held up; lock_timeout bounds the rest.
CREATE OR REPLACE FUNCTION ops.ensure_partition(parent regclass, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
SET timezone = 'UTC'
AS $$
DECLARE
    parent_schema name;
    parent_name name;
    partition_name name;
BEGIN
    SELECT n.nspname, c.relname INTO STRICT parent_schema, parent_name
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = parent AND c.relkind = 'p' AND n.nspname IN ('raw', 'staging', 'business');
    partition_name := format('%s_p%s', parent_name, to_char(day, 'YYYYMMDD'));
    IF to_regclass(format('%I.%I', parent_schema, partition_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sitevault.partitions'), hashtext(parent::text));
    IF to_regclass(format('%I.%I', parent_schema, partition_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I.%I (LIKE %s INCLUDING ALL)', parent_schema, partition_name, parent
    );
    PERFORM ops.secure_table(format('%I.%I', parent_schema, partition_name)::regclass);
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
        parent, parent_schema, partition_name,
        CASE WHEN parent_schema = 'business' THEN day::text ELSE day::timestamptz::text END,
        CASE WHEN parent_schema = 'business' THEN (day + 1)::text ELSE (day + 1)::timestamptz::text END
    );
    RETURN true;
END
$$;

-- Landing and staging ahead of the clock; returns how many partitions were made.
CREATE OR REPLACE FUNCTION ops.ensure_partitions_ahead(days_ahead integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT count(*) FILTER (WHERE ops.ensure_partition(parent, (current_date + ahead)))::integer
    FROM generate_series(0, least(greatest(days_ahead, 0), 60)) AS ahead
    CROSS JOIN unnest(ARRAY[
        'raw.landed_event', 'staging.site_tracking_events_s',
        'business.site_event_nl', 'business.site_event_pii_ns'
    ]::regclass []) AS parent
$$;

COMMENT ON FUNCTION ops.ensure_partition(regclass, date) IS
'Make and secure the partition of one day (UTC); false where it is there.';
COMMENT ON FUNCTION ops.ensure_partitions_ahead(integer) IS
'Make the partitions from today to so many days ahead; returns how many were made.';
