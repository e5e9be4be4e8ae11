--
-- Name: audit; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA audit;

ALTER SCHEMA audit OWNER TO sitevault_owner;

--
-- Name: SCHEMA audit; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA audit IS 'Append-only record of what people and programs did.';

--
-- Name: auth; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA auth;

ALTER SCHEMA auth OWNER TO sitevault_owner;

--
-- Name: SCHEMA auth; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA auth IS 'Tenants and their API keys.';

--
-- Name: business; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA business;

ALTER SCHEMA business OWNER TO sitevault_owner;

--
-- Name: SCHEMA business; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA business IS 'The Data Vault.';

--
-- Name: mart; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA mart;

ALTER SCHEMA mart OWNER TO sitevault_owner;

--
-- Name: SCHEMA mart; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA mart IS 'Answers: sessions, pages, sources, events by day.';

--
-- Name: ops; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA ops;

ALTER SCHEMA ops OWNER TO sitevault_owner;

--
-- Name: SCHEMA ops; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA ops IS 'The ledger, loads, partitions and migrations.';

--
-- Name: raw; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA raw;

ALTER SCHEMA raw OWNER TO sitevault_owner;

--
-- Name: SCHEMA raw; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA raw IS 'Landing: events exactly as received, insert-only.';

--
-- Name: staging; Type: SCHEMA; Schema: -; Owner: sitevault_owner
--

CREATE SCHEMA staging;

ALTER SCHEMA staging OWNER TO sitevault_owner;

--
-- Name: SCHEMA staging; Type: COMMENT; Schema: -; Owner: sitevault_owner
--

COMMENT ON SCHEMA staging IS 'Events mapped, validated, scored and enriched.';

--
-- Name: current_tenant_hk(); Type: FUNCTION; Schema: auth; Owner: sitevault_owner
--

CREATE FUNCTION auth.current_tenant_hk() RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (current_setting('sitevault.tenant_hk'::text, true) ~ '^[0-9a-f]{64}$'::text) THEN decode(current_setting('sitevault.tenant_hk'::text, true), 'hex'::text) ELSE NULL::bytea END;

ALTER FUNCTION auth.current_tenant_hk() OWNER TO sitevault_owner;

--
-- Name: FUNCTION current_tenant_hk(); Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON FUNCTION auth.current_tenant_hk() IS 'The tenant whose rows this transaction may see; NULL, and so no rows, where there is none.';

--
-- Name: ring_the_keyrings(); Type: FUNCTION; Schema: auth; Owner: sitevault_owner
--

CREATE FUNCTION auth.ring_the_keyrings() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_notify('sitevault_keys', '');
    RETURN NULL;
END
$$;

ALTER FUNCTION auth.ring_the_keyrings() OWNER TO sitevault_owner;

--
-- Name: FUNCTION ring_the_keyrings(); Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON FUNCTION auth.ring_the_keyrings() IS 'Tells every process within a moment that tenants, keys or schemas changed.';

--
-- Name: tenant_is_active(); Type: FUNCTION; Schema: auth; Owner: sitevault_owner
--

CREATE FUNCTION auth.tenant_is_active() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce((
        SELECT p.status = 'active'
        FROM auth.tenant_profile_s AS p
        WHERE p.tenant_hk = auth.current_tenant_hk()
        ORDER BY p.load_date DESC
        LIMIT 1
    ), false)
$$;

ALTER FUNCTION auth.tenant_is_active() OWNER TO sitevault_owner;

--
-- Name: FUNCTION tenant_is_active(); Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON FUNCTION auth.tenant_is_active() IS 'Whether the tenant of this transaction is known and not suspended.';

--
-- Name: encode_part(text); Type: FUNCTION; Schema: business; Owner: sitevault_owner
--

CREATE FUNCTION business.encode_part(part text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (part IS NULL) THEN '\x00'::bytea ELSE (('\x01'::bytea || int4send(octet_length("normalize"(part, 'NFC'::text)))) || convert_to("normalize"(part, 'NFC'::text), 'UTF8'::name)) END;

ALTER FUNCTION business.encode_part(part text) OWNER TO sitevault_owner;

--
-- Name: FUNCTION encode_part(part text); Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON FUNCTION business.encode_part(part text) IS 'One part of a business key as bytes no other part can imitate.';

--
-- Name: tenant_key(text); Type: FUNCTION; Schema: auth; Owner: sitevault_owner
--

CREATE FUNCTION auth.tenant_key(tenant_bk text) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN sha256((('\x01'::bytea || business.encode_part('tenant'::text)) || business.encode_part(tenant_bk)));

ALTER FUNCTION auth.tenant_key(tenant_bk text) OWNER TO sitevault_owner;

--
-- Name: FUNCTION tenant_key(tenant_bk text); Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON FUNCTION auth.tenant_key(tenant_bk text) IS 'The tenant_hk of a tenant id.';

--
-- Name: hash_key(text, bytea, text[]); Type: FUNCTION; Schema: business; Owner: sitevault_owner
--

CREATE FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN sha256(((('\x01'::bytea || business.encode_part(domain)) || tenant_hk) || (SELECT string_agg(business.encode_part(listed.part), '\x'::bytea ORDER BY listed.place) AS string_agg FROM unnest(hash_key.parts) WITH ORDINALITY listed(part, place))));

ALTER FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) OWNER TO sitevault_owner;

--
-- Name: FUNCTION hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]); Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) IS 'The hash key of a business key within a tenant, as hashkeys.hash_key computes it.';

--
-- Name: forget_days(bytea, date[]); Type: FUNCTION; Schema: mart; Owner: sitevault_owner
--

CREATE FUNCTION mart.forget_days(of_tenant bytea, of_days date[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    context text := coalesce(current_setting('sitevault.tenant_hk', true), '');
    open_days date [];
BEGIN
    PERFORM set_config('sitevault.tenant_hk', encode(of_tenant, 'hex'), true);
    open_days := ARRAY(
        SELECT asked.day FROM unnest(of_days) AS asked (day)
        WHERE NOT EXISTS (
            SELECT FROM mart.rolled_day AS r
            WHERE r.tenant_hk = of_tenant AND r.day = asked.day AND r.rolled_at IS NOT NULL
        )
    );
    DELETE FROM mart.visitor_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.source_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.device_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.path_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.path_session_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    PERFORM set_config('sitevault.tenant_hk', context, true);
END
$$;

ALTER FUNCTION mart.forget_days(of_tenant bytea, of_days date[]) OWNER TO sitevault_owner;

--
-- Name: FUNCTION forget_days(of_tenant bytea, of_days date[]); Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON FUNCTION mart.forget_days(of_tenant bytea, of_days date[]) IS 'Delete what was rolled up of a tenant''s days that are not rolled up any more.';

--
-- Name: funnel(bytea, date, date, text[]); Type: FUNCTION; Schema: mart; Owner: sitevault_owner
--

CREATE FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) RETURNS TABLE(step integer, event_type text, sessions bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH RECURSIVE rolled AS MATERIALIZED (
        SELECT r.day
        FROM mart.rolled_day AS r
        WHERE r.tenant_hk = of_tenant AND r.day BETWEEN from_day AND to_day AND r.rolled_at IS NOT NULL
    ),

    open_days (first_day, last_day) AS (
        SELECT gap.after_day + 1, gap.before_day - 1
        FROM (
            SELECT lag(edge.day) OVER (ORDER BY edge.day) AS after_day, edge.day AS before_day
            FROM (SELECT from_day - 1 UNION ALL SELECT r.day FROM rolled AS r UNION ALL SELECT to_day + 1) AS edge (day)
        ) AS gap
        WHERE gap.after_day + 1 <= gap.before_day - 1
    ),

    did AS MATERIALIZED (
        SELECT e.session_hk, e.event_type, e.occurred_at
        FROM open_days AS o
        CROSS JOIN LATERAL (
            SELECT n.session_hk, n.event_type, n.occurred_at
            FROM business.site_event_nl AS n
            WHERE n.tenant_hk = of_tenant
                AND n.event_day BETWEEN o.first_day AND o.last_day
                AND n.event_type = ANY(steps)
                AND n.session_hk <> decode(repeat('00', 32), 'hex')
                AND NOT n.is_bot
            OFFSET 0
        ) AS e
        UNION ALL
        SELECT p.session_hk, one.event_type, one.at
        FROM mart.path_session_f AS p
        INNER JOIN rolled AS r ON p.day = r.day
        CROSS JOIN LATERAL ROWS FROM (unnest(p.event_types), unnest(p.times)) AS one (event_type, at)
        WHERE p.tenant_hk = of_tenant AND one.event_type = ANY(steps)
    ),

    began AS (
        SELECT session_hk, min(occurred_at) AS at FROM did WHERE event_type = steps[1] GROUP BY session_hk
    ),

    went_on AS (
        SELECT
            session_hk,
            array_agg(occurred_at ORDER BY occurred_at) AS times,
            array_agg(event_type ORDER BY occurred_at) AS types
        FROM did
        WHERE event_type = ANY(steps[2:])
        GROUP BY session_hk
    ),

    reached (step, at, times, types) AS (
        SELECT 1, b.at, w.times, w.types FROM began AS b INNER JOIN went_on AS w ON b.session_hk = w.session_hk
        UNION ALL
        SELECT r.step + 1, next_event.at, r.times, r.types
        FROM reached AS r
        CROSS JOIN LATERAL (
            SELECT min(later.at) AS at
            FROM ROWS FROM (unnest(r.times), unnest(r.types)) AS later (at, event_type)
            WHERE later.event_type = steps[r.step + 1] AND later.at > r.at
        ) AS next_event
        WHERE r.step < cardinality(steps) AND next_event.at IS NOT NULL
    ),

    paths AS MATERIALIZED (
        SELECT p.path, sum(p.sessions)::bigint AS sessions
        FROM mart.path_day_f AS p
        INNER JOIN rolled AS r ON p.day = r.day
        WHERE p.tenant_hk = of_tenant
        GROUP BY p.path
    ),

    -- In a path a line is a moment, and each type stands between commas; no type holds either (nor \x01).
    patterns AS (
        SELECT
            listed.place::integer AS step,
            string_agg(
                '%,' || regexp_replace(
                    translate(coalesce(listed.event_type, E'\x01'), E',\n', E'\x01\x01'), '([\\%_])', '\\\1', 'g'
                ) || ',%',
                E'\n'
            ) OVER (ORDER BY listed.place) AS pattern
        FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    ),

    counted AS (
        SELECT 1 AS step, count(*) AS sessions FROM began
        UNION ALL
        SELECT step, count(*) FROM reached WHERE step > 1 GROUP BY step
        UNION ALL
        SELECT k.step, sum(p.sessions)::bigint
        FROM patterns AS k INNER JOIN paths AS p ON p.path LIKE k.pattern
        GROUP BY k.step
    )

    SELECT listed.place::integer, listed.event_type, coalesce(sum(c.sessions), 0)::bigint
    FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    LEFT JOIN counted AS c ON c.step = listed.place
    GROUP BY listed.place, listed.event_type
    ORDER BY listed.place
$$;

ALTER FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) OWNER TO sitevault_owner;

--
-- Name: FUNCTION funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]); Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) IS 'How many sessions did these event types in this order, each after the one before.';

--
-- Name: attach_day(regclass, regclass, date); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.attach_day(parent regclass, made regclass, day date) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM ops.secure_table(made);
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
        parent, made, ops.day_bound(parent, day), ops.day_bound(parent, day + 1)
    );
END
$$;

ALTER FUNCTION ops.attach_day(parent regclass, made regclass, day date) OWNER TO sitevault_owner;

--
-- Name: FUNCTION attach_day(parent regclass, made regclass, day date); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.attach_day(parent regclass, made regclass, day date) IS 'Secure the table of one day and attach it.';

--
-- Name: begin_work(boolean); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.begin_work(while_paused boolean DEFAULT false) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(hashtext('sitevault.pause')) THEN
        RETURN false; -- somebody is pausing at this moment
    END IF;
    RETURN while_paused OR NOT EXISTS (SELECT FROM ops.pause AS p WHERE p.paused);
END
$$;

ALTER FUNCTION ops.begin_work(while_paused boolean) OWNER TO sitevault_owner;

--
-- Name: FUNCTION begin_work(while_paused boolean); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.begin_work(while_paused boolean) IS 'Whether events may be carried in this transaction; asked before each claim, and what a pause waits for.';

--
-- Name: day_bound(regclass, date); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.day_bound(parent regclass, day date) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
    SELECT CASE WHEN n.nspname = 'business' THEN day::text ELSE day::timestamptz::text END
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = parent
$$;

ALTER FUNCTION ops.day_bound(parent regclass, day date) OWNER TO sitevault_owner;

--
-- Name: FUNCTION day_bound(parent regclass, day date); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.day_bound(parent regclass, day date) IS 'The beginning of a day (UTC) in the type of the table''s partition key.';

--
-- Name: empty_default(regclass); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.empty_default(parent regclass) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '3s'
    SET "TimeZone" TO 'UTC'
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

ALTER FUNCTION ops.empty_default(parent regclass) OWNER TO sitevault_owner;

--
-- Name: FUNCTION empty_default(parent regclass); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.empty_default(parent regclass) IS 'Move what is in the default partition into partitions of its days; returns how many rows.';

--
-- Name: ensure_partition(regclass, date); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.ensure_partition(parent regclass, day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '3s'
    SET "TimeZone" TO 'UTC'
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

ALTER FUNCTION ops.ensure_partition(parent regclass, day date) OWNER TO sitevault_owner;

--
-- Name: FUNCTION ensure_partition(parent regclass, day date); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.ensure_partition(parent regclass, day date) IS 'Make and secure the partition of one day (UTC); false where it is there.';

--
-- Name: ensure_partitions_ahead(integer); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.ensure_partitions_ahead(days_ahead integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
    SELECT count(*) FILTER (WHERE ops.ensure_partition(parent, (current_date + ahead)))::integer
    FROM generate_series(0, least(greatest(days_ahead, 0), 60)) AS ahead
    CROSS JOIN unnest(ARRAY[
        'business.site_event_nl', 'business.site_event_pii_ns',
        'raw.landed_event', 'staging.site_tracking_events_s'
    ]::regclass []) AS parent
$$;

ALTER FUNCTION ops.ensure_partitions_ahead(days_ahead integer) OWNER TO sitevault_owner;

--
-- Name: FUNCTION ensure_partitions_ahead(days_ahead integer); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.ensure_partitions_ahead(days_ahead integer) IS 'Make the partitions from today to so many days ahead; returns how many were made.';

--
-- Name: make_day(regclass, date); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.make_day(parent regclass, day date) RETURNS regclass
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION ops.make_day(parent regclass, day date) OWNER TO sitevault_owner;

--
-- Name: FUNCTION make_day(parent regclass, day date); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.make_day(parent regclass, day date) IS 'Make the table of one day (UTC), not yet a partition; NULL where it is there.';

--
-- Name: policy_dialect(); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.policy_dialect() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(
        nullif(current_setting('sitevault.policy_dialect', true), ''),
        CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN 'citus' ELSE 'plain' END
    )
$$;

ALTER FUNCTION ops.policy_dialect() OWNER TO sitevault_owner;

--
-- Name: FUNCTION policy_dialect(); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.policy_dialect() IS 'The dialect policies are made in: plain PostgreSQL, or Citus, which allows no sub-select in them.';

--
-- Name: secure_table(regclass); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.secure_table(secured regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
DECLARE
    tenant_test text := ops.tenant_test(secured);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', secured);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', secured);
    EXECUTE format('DROP POLICY IF EXISTS tenant_boundary ON %s', secured);
    EXECUTE format(
        'CREATE POLICY tenant_boundary ON %s AS RESTRICTIVE FOR ALL'
        ' TO sitevault_owner, sitevault_reader, sitevault_eraser USING (%s) WITH CHECK (%s)',
        secured, tenant_test, tenant_test
    );
    EXECUTE format('DROP POLICY IF EXISTS tenant_access ON %s', secured);
    EXECUTE format(
        'CREATE POLICY tenant_access ON %s FOR ALL'
        ' TO sitevault_owner, sitevault_reader, sitevault_eraser USING (%s) WITH CHECK (%s)',
        secured, tenant_test, tenant_test
    );
    EXECUTE format('DROP POLICY IF EXISTS tenant_active ON %s', secured);
    IF ops.policy_dialect() <> 'citus' THEN
        EXECUTE format(
            'CREATE POLICY tenant_active ON %s AS RESTRICTIVE FOR ALL TO sitevault_reader'
            ' USING ((SELECT auth.tenant_is_active())) WITH CHECK ((SELECT auth.tenant_is_active()))',
            secured
        );
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS oversight ON %s', secured);
    EXECUTE format(
        'CREATE POLICY oversight ON %s FOR SELECT TO sitevault_judge, sitevault_auditor USING (true)', secured
    );
END
$$;

ALTER FUNCTION ops.secure_table(secured regclass) OWNER TO sitevault_owner;

--
-- Name: FUNCTION secure_table(secured regclass); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.secure_table(secured regclass) IS 'Force row-level security on a table or partition and make its policies.';

--
-- Name: tenant_test(regclass); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.tenant_test(secured regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format(
        CASE WHEN secured = 'raw.batch'::regclass THEN '%s = ANY (tenant_hks)' ELSE 'tenant_hk = %s' END,
        CASE ops.policy_dialect()
            WHEN 'citus' THEN 'auth.current_tenant_hk()' ELSE '(SELECT auth.current_tenant_hk())'
        END
    )
$$;

ALTER FUNCTION ops.tenant_test(secured regclass) OWNER TO sitevault_owner;

--
-- Name: FUNCTION tenant_test(secured regclass); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.tenant_test(secured regclass) IS 'The condition a table''s tenant policies test.';

--
-- Name: wait_for_loads(regclass); Type: FUNCTION; Schema: ops; Owner: sitevault_owner
--

CREATE FUNCTION ops.wait_for_loads(parent regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF parent IN ('business.site_event_nl'::regclass, 'business.site_event_pii_ns'::regclass) THEN
        LOCK TABLE business.site_visitor_h, business.site_session_h, business.site_page_h, business.site_user_h,
            business.site_campaign_h IN SHARE ROW EXCLUSIVE MODE;
    END IF;
END
$$;

ALTER FUNCTION ops.wait_for_loads(parent regclass) OWNER TO sitevault_owner;

--
-- Name: FUNCTION wait_for_loads(parent regclass); Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON FUNCTION ops.wait_for_loads(parent regclass) IS 'Lock the hubs as a load does, before a day of the vault is attached.';

--
-- Name: requeue_instead_of_update(); Type: FUNCTION; Schema: raw; Owner: sitevault_owner
--

CREATE FUNCTION raw.requeue_instead_of_update() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF to_jsonb(NEW) - 'processing_status' - 'error_message'
        IS DISTINCT FROM to_jsonb(OLD) - 'processing_status' - 'error_message'
    THEN
        RAISE EXCEPTION 'landed events are immutable' USING
            ERRCODE = 'feature_not_supported',
            HINT = 'Only processing_status may change, from ERROR to PENDING, with error_message NULL.';
    END IF;
    IF OLD.processing_status = NEW.processing_status
        AND OLD.error_message IS NOT DISTINCT FROM NEW.error_message
    THEN
        RETURN NEW;
    END IF;
    IF OLD.processing_status <> 'ERROR' OR NEW.processing_status <> 'PENDING' OR NEW.error_message IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change processing_status from % to %', OLD.processing_status, NEW.processing_status
            USING
                ERRCODE = 'feature_not_supported',
                HINT = 'A failed event is requeued with SET processing_status = ''PENDING'', error_message = NULL.';
    END IF;
    UPDATE raw.dead_letter
    SET status = 'PENDING', requeued_at = now()
    WHERE tenant_hk = OLD.tenant_hk AND raw_event_id = OLD.raw_event_id AND status = 'ERROR';
    IF NOT FOUND THEN
        RETURN NULL; -- somebody else requeued it first
    END IF;
    PERFORM pg_notify('sitevault_landed', '');
    RETURN NEW;
END
$$;

ALTER FUNCTION raw.requeue_instead_of_update() OWNER TO sitevault_owner;

--
-- Name: FUNCTION requeue_instead_of_update(); Type: COMMENT; Schema: raw; Owner: sitevault_owner
--

COMMENT ON FUNCTION raw.requeue_instead_of_update() IS 'Turns the guide''s UPDATE of the view into a requeue of exactly those events.';

--
-- Name: supersede(bytea, bigint[], bigint[]); Type: FUNCTION; Schema: staging; Owner: sitevault_owner
--

CREATE FUNCTION staging.supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    taken_back bigint;
    context text := coalesce(current_setting('sitevault.tenant_hk', true), '');
BEGIN
    PERFORM set_config('sitevault.tenant_hk', encode(of_tenant, 'hex'), true);
    DELETE FROM staging.site_tracking_events_s AS s
    WHERE s.tenant_hk = of_tenant AND s.batch_id = ANY(in_batches) AND s.raw_event_id = ANY(of_events)
        AND s.validation_status = 'INVALID';
    GET DIAGNOSTICS taken_back = ROW_COUNT;
    PERFORM set_config('sitevault.tenant_hk', context, true);
    RETURN taken_back;
END
$$;

ALTER FUNCTION staging.supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]) OWNER TO sitevault_owner;

--
-- Name: FUNCTION supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]); Type: COMMENT; Schema: staging; Owner: sitevault_owner
--

COMMENT ON FUNCTION staging.supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]) IS 'Delete the INVALID staging rows of a tenant''s events that are about to be staged again.';

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: entry; Type: TABLE; Schema: audit; Owner: sitevault_owner
--

CREATE TABLE audit.entry (
    tenant_hk bytea NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    record text NOT NULL,
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL,
    CONSTRAINT entry_hash_is_sha256 CHECK ((octet_length(entry_hash) = 32)),
    CONSTRAINT entry_previous_hash_is_sha256 CHECK ((octet_length(previous_hash) = 32)),
    CONSTRAINT entry_seq_is_positive CHECK ((seq > 0)),
    CONSTRAINT entry_tenant_hk_is_sha256 CHECK ((octet_length(tenant_hk) = 32))
);

ALTER TABLE ONLY audit.entry FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.entry OWNER TO sitevault_owner;

--
-- Name: TABLE entry; Type: COMMENT; Schema: audit; Owner: sitevault_owner
--

COMMENT ON TABLE audit.entry IS 'One row per action, hash-chained: entry_hash = SHA-256(previous_hash, tenant_hk, seq, record); record is canonical JSON and holds the other columns too.';

--
-- Name: api_key_h; Type: TABLE; Schema: auth; Owner: sitevault_owner
--

CREATE TABLE auth.api_key_h (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT api_key_h_hk_is_sha256 CHECK ((octet_length(api_key_hk) = 32))
);

ALTER TABLE ONLY auth.api_key_h FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.api_key_h OWNER TO sitevault_owner;

--
-- Name: TABLE api_key_h; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON TABLE auth.api_key_h IS 'Hub of API keys: the SHA-256 of the key, never the key.';

--
-- Name: api_key_s; Type: TABLE; Schema: auth; Owner: sitevault_owner
--

CREATE TABLE auth.api_key_s (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    allowed_origins text[] NOT NULL,
    rate_limit integer,
    status text NOT NULL,
    hash_diff bytea NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT api_key_s_hash_diff_is_sha256 CHECK ((octet_length(hash_diff) = 32)),
    CONSTRAINT api_key_s_kind CHECK ((kind = ANY (ARRAY['public'::text, 'secret'::text]))),
    CONSTRAINT api_key_s_rate_limit_is_positive CHECK ((rate_limit > 0)),
    CONSTRAINT api_key_s_status CHECK ((status = ANY (ARRAY['active'::text, 'revoked'::text])))
);

ALTER TABLE ONLY auth.api_key_s FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.api_key_s OWNER TO sitevault_owner;

--
-- Name: TABLE api_key_s; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON TABLE auth.api_key_s IS 'What is known of a key, one row per change; the newest counts.';

--
-- Name: api_key_v; Type: VIEW; Schema: auth; Owner: sitevault_owner
--

CREATE VIEW auth.api_key_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT h.tenant_hk,
    h.api_key_hk,
    s.kind,
    s.label,
    s.allowed_origins,
    s.rate_limit,
    s.status,
    h.load_date AS created_at,
    s.load_date AS changed_at
   FROM (auth.api_key_h h
     CROSS JOIN LATERAL ( SELECT k.kind,
            k.label,
            k.allowed_origins,
            k.rate_limit,
            k.status,
            k.load_date
           FROM auth.api_key_s k
          WHERE ((k.tenant_hk = h.tenant_hk) AND (k.api_key_hk = h.api_key_hk))
          ORDER BY k.load_date DESC
         LIMIT 1) s);

ALTER VIEW auth.api_key_v OWNER TO sitevault_owner;

--
-- Name: VIEW api_key_v; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON VIEW auth.api_key_v IS 'API keys as they are now.';

--
-- Name: tenant_h; Type: TABLE; Schema: auth; Owner: sitevault_owner
--

CREATE TABLE auth.tenant_h (
    tenant_hk bytea NOT NULL,
    tenant_bk text NOT NULL,
    load_date timestamp with time zone NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT tenant_h_bk_is_a_short_name CHECK ((tenant_bk ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT tenant_h_hk_is_sha256 CHECK ((octet_length(tenant_hk) = 32))
);

ALTER TABLE ONLY auth.tenant_h FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.tenant_h OWNER TO sitevault_owner;

--
-- Name: TABLE tenant_h; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON TABLE auth.tenant_h IS 'Hub of tenants. tenant_bk is an id, not a name: two tenants may share a name.';

--
-- Name: tenant_profile_s; Type: TABLE; Schema: auth; Owner: sitevault_owner
--

CREATE TABLE auth.tenant_profile_s (
    tenant_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    ip_policy text NOT NULL,
    mapping jsonb NOT NULL,
    hash_diff bytea NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT tenant_profile_s_hash_diff_is_sha256 CHECK ((octet_length(hash_diff) = 32)),
    CONSTRAINT tenant_profile_s_ip_policy CHECK ((ip_policy = ANY (ARRAY['truncate'::text, 'full'::text, 'none'::text]))),
    CONSTRAINT tenant_profile_s_status CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text])))
);

ALTER TABLE ONLY auth.tenant_profile_s FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.tenant_profile_s OWNER TO sitevault_owner;

--
-- Name: TABLE tenant_profile_s; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON TABLE auth.tenant_profile_s IS 'What is known of a tenant, one row per change; the newest counts.';

--
-- Name: tenant_secret; Type: TABLE; Schema: auth; Owner: sitevault_owner
--

CREATE TABLE auth.tenant_secret (
    tenant_hk bytea NOT NULL,
    secret bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    CONSTRAINT tenant_secret_is_256_bits CHECK ((octet_length(secret) = 32))
);

ALTER TABLE ONLY auth.tenant_secret FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.tenant_secret OWNER TO sitevault_owner;

--
-- Name: TABLE tenant_secret; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON TABLE auth.tenant_secret IS 'The HMAC secret by which a tenant''s user ids become pseudonyms.';

--
-- Name: tenant_v; Type: VIEW; Schema: auth; Owner: sitevault_owner
--

CREATE VIEW auth.tenant_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT h.tenant_hk,
    h.tenant_bk,
    s.name,
    s.status,
    s.ip_policy,
    s.mapping,
    h.load_date AS created_at,
    s.load_date AS changed_at
   FROM (auth.tenant_h h
     CROSS JOIN LATERAL ( SELECT p.name,
            p.status,
            p.ip_policy,
            p.mapping,
            p.load_date
           FROM auth.tenant_profile_s p
          WHERE (p.tenant_hk = h.tenant_hk)
          ORDER BY p.load_date DESC
         LIMIT 1) s);

ALTER VIEW auth.tenant_v OWNER TO sitevault_owner;

--
-- Name: VIEW tenant_v; Type: COMMENT; Schema: auth; Owner: sitevault_owner
--

COMMENT ON VIEW auth.tenant_v IS 'Tenants as they are now.';

--
-- Name: site_campaign_h; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_campaign_h (
    tenant_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_campaign_h FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_campaign_h OWNER TO sitevault_owner;

--
-- Name: TABLE site_campaign_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_campaign_h IS 'Hub of campaigns: utm source, medium and campaign.';

--
-- Name: site_event_nl; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_nl (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    raw_event_id bigint NOT NULL,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_timestamp timestamp with time zone NOT NULL,
    referrer_host text,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    validation_status text NOT NULL,
    quality_score numeric(3,2) NOT NULL,
    properties json,
    payload_digest bigint NOT NULL,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
)
PARTITION BY RANGE (event_day);

ALTER TABLE ONLY business.site_event_nl FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_nl OWNER TO sitevault_owner;

--
-- Name: TABLE site_event_nl; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_event_nl IS 'Non-historised link: one row per event, from its hubs. event_day is a function of event_id.';

--
-- Name: site_event_details_s; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_details_s WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    business.hash_key('event'::text, tenant_hk, VARIADIC ARRAY[(event_id)::text]) AS event_hk,
    event_day,
    event_type,
    occurred_at,
    received_timestamp,
    (properties)::jsonb AS properties,
    quality_score,
    load_date,
    record_source
   FROM business.site_event_nl;

ALTER VIEW business.site_event_details_s OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_details_s; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_details_s IS 'What an event carried, over the link.';

--
-- Name: site_event_duplicate; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_duplicate (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    is_conflict boolean NOT NULL,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL
);

ALTER TABLE ONLY business.site_event_duplicate FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_duplicate OWNER TO sitevault_owner;

--
-- Name: TABLE site_event_duplicate; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_event_duplicate IS 'Landed events the vault already had; a conflict carried the same id with another body.';

--
-- Name: site_event_enrichment_s; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_enrichment_s (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    load_date timestamp with time zone NOT NULL,
    referrer_host text,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    enrichment text NOT NULL,
    hash_diff bytea NOT NULL,
    replay_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_event_enrichment_s FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_enrichment_s OWNER TO sitevault_owner;

--
-- Name: TABLE site_event_enrichment_s; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_event_enrichment_s IS 'Satellite of an event: what newer enrichment data says of it, one row per change; empty until `replay --enrich`.';

--
-- Name: site_event_h; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_h WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    business.hash_key('event'::text, tenant_hk, VARIADIC ARRAY[(event_id)::text]) AS event_hk,
    event_id AS event_bk,
    event_day,
    load_date,
    record_source
   FROM business.site_event_nl;

ALTER VIEW business.site_event_h OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_h IS 'Events under their classical name: the hub of events, over the link.';

--
-- Name: site_event_nl_default; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_nl_default (
    tenant_hk bytea CONSTRAINT site_event_nl_tenant_hk_not_null NOT NULL,
    event_id uuid CONSTRAINT site_event_nl_event_id_not_null NOT NULL,
    event_day date CONSTRAINT site_event_nl_event_day_not_null NOT NULL,
    raw_event_id bigint CONSTRAINT site_event_nl_raw_event_id_not_null NOT NULL,
    session_hk bytea CONSTRAINT site_event_nl_session_hk_not_null NOT NULL,
    visitor_hk bytea CONSTRAINT site_event_nl_visitor_hk_not_null NOT NULL,
    page_hk bytea CONSTRAINT site_event_nl_page_hk_not_null NOT NULL,
    user_hk bytea CONSTRAINT site_event_nl_user_hk_not_null NOT NULL,
    campaign_hk bytea CONSTRAINT site_event_nl_campaign_hk_not_null NOT NULL,
    event_type text CONSTRAINT site_event_nl_event_type_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT site_event_nl_occurred_at_not_null NOT NULL,
    received_timestamp timestamp with time zone CONSTRAINT site_event_nl_received_timestamp_not_null NOT NULL,
    referrer_host text,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean CONSTRAINT site_event_nl_is_bot_not_null NOT NULL,
    validation_status text CONSTRAINT site_event_nl_validation_status_not_null NOT NULL,
    quality_score numeric(3,2) CONSTRAINT site_event_nl_quality_score_not_null NOT NULL,
    properties json,
    payload_digest bigint CONSTRAINT site_event_nl_payload_digest_not_null NOT NULL,
    load_date timestamp with time zone CONSTRAINT site_event_nl_load_date_not_null NOT NULL,
    load_id bigint CONSTRAINT site_event_nl_load_id_not_null NOT NULL,
    record_source text CONSTRAINT site_event_nl_record_source_not_null NOT NULL
);

ALTER TABLE ONLY business.site_event_nl_default FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_nl_default OWNER TO sitevault_owner;

--
-- Name: site_event_page_l; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_page_l WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    business.hash_key('event'::text, tenant_hk, VARIADIC ARRAY[(event_id)::text]) AS event_hk,
    page_hk,
    event_day,
    load_date,
    record_source
   FROM business.site_event_nl;

ALTER VIEW business.site_event_page_l OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_page_l; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_page_l IS 'Which page an event happened on, over the link.';

--
-- Name: site_event_pii_ns; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_pii_ns (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    client_ip inet,
    user_agent text,
    page_query text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
)
PARTITION BY RANGE (event_day);

ALTER TABLE ONLY business.site_event_pii_ns FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_pii_ns OWNER TO sitevault_owner;

--
-- Name: TABLE site_event_pii_ns; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_event_pii_ns IS 'Non-historised satellite: what of an event is personal data, apart so that it can be erased alone.';

--
-- Name: site_event_pii_ns_default; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_event_pii_ns_default (
    tenant_hk bytea CONSTRAINT site_event_pii_ns_tenant_hk_not_null NOT NULL,
    event_id uuid CONSTRAINT site_event_pii_ns_event_id_not_null NOT NULL,
    event_day date CONSTRAINT site_event_pii_ns_event_day_not_null NOT NULL,
    client_ip inet,
    user_agent text,
    page_query text,
    load_date timestamp with time zone CONSTRAINT site_event_pii_ns_load_date_not_null NOT NULL,
    load_id bigint CONSTRAINT site_event_pii_ns_load_id_not_null NOT NULL,
    record_source text CONSTRAINT site_event_pii_ns_record_source_not_null NOT NULL
);

ALTER TABLE ONLY business.site_event_pii_ns_default FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_event_pii_ns_default OWNER TO sitevault_owner;

--
-- Name: site_event_session_l; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_session_l WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    business.hash_key('event'::text, tenant_hk, VARIADIC ARRAY[(event_id)::text]) AS event_hk,
    session_hk,
    event_day,
    load_date,
    record_source
   FROM business.site_event_nl;

ALTER VIEW business.site_event_session_l OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_session_l; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_session_l IS 'Which session an event belongs to, over the link.';

--
-- Name: site_event_v; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT e.tenant_hk,
    e.event_id,
    e.event_day,
    e.raw_event_id,
    e.session_hk,
    e.visitor_hk,
    e.page_hk,
    e.user_hk,
    e.campaign_hk,
    e.event_type,
    e.occurred_at,
    e.received_timestamp,
        CASE
            WHEN (s.event_id IS NULL) THEN e.referrer_host
            ELSE s.referrer_host
        END AS referrer_host,
        CASE
            WHEN (s.event_id IS NULL) THEN e.source
            ELSE s.source
        END AS source,
        CASE
            WHEN (s.event_id IS NULL) THEN e.channel
            ELSE s.channel
        END AS channel,
        CASE
            WHEN (s.event_id IS NULL) THEN e.device_class
            ELSE s.device_class
        END AS device_class,
        CASE
            WHEN (s.event_id IS NULL) THEN e.browser
            ELSE s.browser
        END AS browser,
        CASE
            WHEN (s.event_id IS NULL) THEN e.os
            ELSE s.os
        END AS os,
        CASE
            WHEN (s.event_id IS NULL) THEN e.country
            ELSE s.country
        END AS country,
        CASE
            WHEN (s.event_id IS NULL) THEN e.is_bot
            ELSE s.is_bot
        END AS is_bot,
    e.validation_status,
    e.quality_score,
    e.load_date,
    s.load_date AS enriched_at
   FROM (business.site_event_nl e
     LEFT JOIN ( SELECT DISTINCT ON (site_event_enrichment_s.tenant_hk, site_event_enrichment_s.event_id, site_event_enrichment_s.event_day) site_event_enrichment_s.tenant_hk,
            site_event_enrichment_s.event_id,
            site_event_enrichment_s.event_day,
            site_event_enrichment_s.load_date,
            site_event_enrichment_s.referrer_host,
            site_event_enrichment_s.source,
            site_event_enrichment_s.channel,
            site_event_enrichment_s.device_class,
            site_event_enrichment_s.browser,
            site_event_enrichment_s.os,
            site_event_enrichment_s.country,
            site_event_enrichment_s.is_bot,
            site_event_enrichment_s.enrichment,
            site_event_enrichment_s.hash_diff,
            site_event_enrichment_s.replay_id,
            site_event_enrichment_s.record_source
           FROM business.site_event_enrichment_s
          ORDER BY site_event_enrichment_s.tenant_hk, site_event_enrichment_s.event_id, site_event_enrichment_s.event_day, site_event_enrichment_s.load_date DESC) s ON (((e.tenant_hk = s.tenant_hk) AND (e.event_id = s.event_id) AND (e.event_day = s.event_day))));

ALTER VIEW business.site_event_v OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_v; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_v IS 'Events with what is known of them today: the newest enrichment, or what the load found.';

--
-- Name: site_event_visitor_l; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_event_visitor_l WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    business.hash_key('event'::text, tenant_hk, VARIADIC ARRAY[(event_id)::text]) AS event_hk,
    visitor_hk,
    event_day,
    load_date,
    record_source
   FROM business.site_event_nl;

ALTER VIEW business.site_event_visitor_l OWNER TO sitevault_owner;

--
-- Name: VIEW site_event_visitor_l; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_event_visitor_l IS 'Which visitor an event belongs to, over the link.';

--
-- Name: site_page_details_s; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_page_details_s (
    tenant_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    page_title text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_page_details_s FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_page_details_s OWNER TO sitevault_owner;

--
-- Name: TABLE site_page_details_s; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_page_details_s IS 'What a page calls itself, one row per change.';

--
-- Name: site_page_details_v; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_page_details_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    page_hk,
    load_date,
    page_title,
    hash_diff,
    load_id,
    record_source,
    lead(load_date) OVER (PARTITION BY tenant_hk, page_hk ORDER BY load_date) AS load_end_date
   FROM business.site_page_details_s;

ALTER VIEW business.site_page_details_v OWNER TO sitevault_owner;

--
-- Name: VIEW site_page_details_v; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_page_details_v IS 'Page details, each row with the end of its validity.';

--
-- Name: site_page_h; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_page_h (
    tenant_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    page_bk text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_page_h FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_page_h OWNER TO sitevault_owner;

--
-- Name: TABLE site_page_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_page_h IS 'Hub of pages: canonical host and path; the query is not part of the key.';

--
-- Name: site_session_details_s; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_session_details_s (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    entry_page_url text,
    referrer_url text,
    source text,
    channel text,
    utm_term text,
    utm_content text,
    click_id_kind text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_session_details_s FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_session_details_s OWNER TO sitevault_owner;

--
-- Name: TABLE site_session_details_s; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_session_details_s IS 'How a session began, as first seen; totals are computed in marts.';

--
-- Name: site_session_details_v; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_session_details_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    session_hk,
    load_date,
    entry_page_url,
    referrer_url,
    source,
    channel,
    utm_term,
    utm_content,
    click_id_kind,
    hash_diff,
    load_id,
    record_source,
    lead(load_date) OVER (PARTITION BY tenant_hk, session_hk ORDER BY load_date) AS load_end_date
   FROM business.site_session_details_s;

ALTER VIEW business.site_session_details_v OWNER TO sitevault_owner;

--
-- Name: VIEW site_session_details_v; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_session_details_v IS 'Session details, each row with the end of its validity.';

--
-- Name: site_session_h; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_session_h (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    session_bk text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_session_h FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_session_h OWNER TO sitevault_owner;

--
-- Name: TABLE site_session_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_session_h IS 'Hub of sessions, by the id the client gave.';

--
-- Name: site_session_visitor_l; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_session_visitor_l (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_session_visitor_l FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_session_visitor_l OWNER TO sitevault_owner;

--
-- Name: TABLE site_session_visitor_l; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_session_visitor_l IS 'Link: this session was this visitor''s.';

--
-- Name: site_user_h; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_user_h (
    tenant_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    user_bk text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_user_h FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_user_h OWNER TO sitevault_owner;

--
-- Name: TABLE site_user_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_user_h IS 'Hub of identified users; user_bk is a pseudonym only the tenant''s secret makes.';

--
-- Name: site_visitor_details_s; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_visitor_details_s (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    device_class text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    language text,
    screen text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_visitor_details_s FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_visitor_details_s OWNER TO sitevault_owner;

--
-- Name: TABLE site_visitor_details_s; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_visitor_details_s IS 'What a visitor uses, one row per change.';

--
-- Name: site_visitor_details_v; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_visitor_details_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    visitor_hk,
    load_date,
    device_class,
    browser,
    browser_version,
    os,
    os_version,
    language,
    screen,
    hash_diff,
    load_id,
    record_source,
    lead(load_date) OVER (PARTITION BY tenant_hk, visitor_hk ORDER BY load_date) AS load_end_date
   FROM business.site_visitor_details_s;

ALTER VIEW business.site_visitor_details_v OWNER TO sitevault_owner;

--
-- Name: VIEW site_visitor_details_v; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_visitor_details_v IS 'Visitor details, each row with the end of its validity.';

--
-- Name: site_visitor_h; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_visitor_h (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    visitor_bk text,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_visitor_h FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_visitor_h OWNER TO sitevault_owner;

--
-- Name: TABLE site_visitor_h; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_visitor_h IS 'Hub of visitors (a browser or device), by the id the client gave.';

--
-- Name: site_visitor_user_es; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_visitor_user_es (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    effective_from timestamp with time zone NOT NULL,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_visitor_user_es FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_visitor_user_es OWNER TO sitevault_owner;

--
-- Name: TABLE site_visitor_user_es; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_visitor_user_es IS 'Effectivity satellite: from when a visitor (driving key) counts as which user.';

--
-- Name: site_visitor_user_l; Type: TABLE; Schema: business; Owner: sitevault_owner
--

CREATE TABLE business.site_visitor_user_l (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    load_date timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL
);

ALTER TABLE ONLY business.site_visitor_user_l FORCE ROW LEVEL SECURITY;

ALTER TABLE business.site_visitor_user_l OWNER TO sitevault_owner;

--
-- Name: TABLE site_visitor_user_l; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON TABLE business.site_visitor_user_l IS 'Link: this visitor was seen as this user.';

--
-- Name: site_visitor_user_v; Type: VIEW; Schema: business; Owner: sitevault_owner
--

CREATE VIEW business.site_visitor_user_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT tenant_hk,
    visitor_hk,
    user_hk,
    effective_from,
    load_date,
    load_id,
    record_source,
    lead(load_date) OVER (PARTITION BY tenant_hk, visitor_hk ORDER BY load_date) AS load_end_date
   FROM business.site_visitor_user_es;

ALTER VIEW business.site_visitor_user_v OWNER TO sitevault_owner;

--
-- Name: VIEW site_visitor_user_v; Type: COMMENT; Schema: business; Owner: sitevault_owner
--

COMMENT ON VIEW business.site_visitor_user_v IS 'Which user a visitor counts as, each row with the end of its validity.';

--
-- Name: device_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.device_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    device_class text,
    browser text,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    bounces bigint NOT NULL
);

ALTER TABLE ONLY mart.device_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.device_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE device_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.device_day_f IS 'Sessions, visitors and bounces of rolled-up days by device and browser; read mart.device_day_v, which has every day.';

--
-- Name: event_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.event_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    event_type text NOT NULL,
    events bigint NOT NULL,
    bot_events bigint NOT NULL,
    suspicious_events bigint NOT NULL,
    quality_sum numeric NOT NULL
)
WITH (fillfactor='70');

ALTER TABLE ONLY mart.event_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.event_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE event_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.event_day_f IS 'Events of a type on a day (UTC), with the sum of their quality scores.';

--
-- Name: rolled_day; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.rolled_day (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    rolled_at timestamp with time zone,
    opened_at timestamp with time zone
)
WITH (fillfactor='70');

ALTER TABLE ONLY mart.rolled_day FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.rolled_day OWNER TO sitevault_owner;

--
-- Name: TABLE rolled_day; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.rolled_day IS 'A tenant''s days (UTC): where rolled_at is set, and nowhere else, visitor_day_f, source_day_f and device_day_f are exact.';

--
-- Name: open_day_v; Type: VIEW; Schema: mart; Owner: sitevault_owner
--

CREATE VIEW mart.open_day_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT DISTINCT tenant_hk,
    day
   FROM mart.event_day_f e
  WHERE (NOT (EXISTS ( SELECT
           FROM mart.rolled_day r
          WHERE ((r.tenant_hk = e.tenant_hk) AND (r.day = e.day) AND (r.rolled_at IS NOT NULL)))));

ALTER VIEW mart.open_day_v OWNER TO sitevault_owner;

--
-- Name: VIEW open_day_v; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON VIEW mart.open_day_v IS 'Days (UTC) with events that are not rolled up: today, and what a late event touched since.';

--
-- Name: session_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.session_f (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    session_day date NOT NULL,
    first_at timestamp with time zone NOT NULL,
    first_event_id uuid NOT NULL,
    last_at timestamp with time zone NOT NULL,
    last_event_id uuid NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    entry_page_hk bytea NOT NULL,
    exit_page_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    events integer NOT NULL,
    page_views integer NOT NULL
)
WITH (fillfactor='70');

ALTER TABLE ONLY mart.session_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.session_f OWNER TO sitevault_owner;

--
-- Name: TABLE session_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.session_f IS 'One row per session: how it began is its earliest event''s, how it ended its latest''s.';

--
-- Name: device_day_v; Type: VIEW; Schema: mart; Owner: sitevault_owner
--

CREATE VIEW mart.device_day_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT f.tenant_hk,
    f.day,
    f.device_class,
    f.browser,
    f.sessions,
    f.visitors,
    f.page_views,
    f.bounces
   FROM mart.device_day_f f
  WHERE (EXISTS ( SELECT
           FROM mart.rolled_day r
          WHERE ((r.tenant_hk = f.tenant_hk) AND (r.day = f.day) AND (r.rolled_at IS NOT NULL))))
UNION ALL
 SELECT o.tenant_hk,
    o.day,
    live.device_class,
    live.browser,
    live.sessions,
    live.visitors,
    live.page_views,
    live.bounces
   FROM (mart.open_day_v o
     CROSS JOIN LATERAL ( SELECT s.device_class,
            s.browser,
            count(*) AS sessions,
            count(DISTINCT s.visitor_hk) AS visitors,
            sum(s.page_views) AS page_views,
            count(*) FILTER (WHERE (s.page_views <= 1)) AS bounces
           FROM mart.session_f s
          WHERE ((s.tenant_hk = o.tenant_hk) AND (s.session_day = o.day) AND (NOT s.is_bot))
          GROUP BY s.device_class, s.browser) live);

ALTER VIEW mart.device_day_v OWNER TO sitevault_owner;

--
-- Name: VIEW device_day_v; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON VIEW mart.device_day_v IS 'Sessions, visitors and bounces by day (UTC), device and browser; people only.';

--
-- Name: page_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.page_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    page_hk bytea NOT NULL,
    events bigint NOT NULL,
    page_views bigint NOT NULL,
    bot_page_views bigint NOT NULL
)
WITH (fillfactor='70');

ALTER TABLE ONLY mart.page_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.page_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE page_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.page_day_f IS 'Events and views of a page on a day (UTC).';

--
-- Name: path_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.path_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    path_hk bytea NOT NULL,
    path text NOT NULL,
    sessions bigint NOT NULL
);

ALTER TABLE ONLY mart.path_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.path_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE path_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.path_day_f IS 'The event types of sessions that lie within one rolled-up day, in order, and how many sessions did just that; read mart.funnel.';

--
-- Name: path_session_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.path_session_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    session_hk bytea NOT NULL,
    event_types text[] NOT NULL,
    times timestamp with time zone[] NOT NULL
);

ALTER TABLE ONLY mart.path_session_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.path_session_f OWNER TO sitevault_owner;

--
-- Name: TABLE path_session_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.path_session_f IS 'What sessions that lie in several days did on a rolled-up day, each by itself; read mart.funnel.';

--
-- Name: source_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.source_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    channel text,
    source text,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    bounces bigint NOT NULL
);

ALTER TABLE ONLY mart.source_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.source_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE source_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.source_day_f IS 'Sessions, visitors and bounces of rolled-up days by source; read mart.source_day_v, which has every day.';

--
-- Name: source_day_v; Type: VIEW; Schema: mart; Owner: sitevault_owner
--

CREATE VIEW mart.source_day_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT f.tenant_hk,
    f.day,
    f.channel,
    f.source,
    f.sessions,
    f.visitors,
    f.page_views,
    f.bounces
   FROM mart.source_day_f f
  WHERE (EXISTS ( SELECT
           FROM mart.rolled_day r
          WHERE ((r.tenant_hk = f.tenant_hk) AND (r.day = f.day) AND (r.rolled_at IS NOT NULL))))
UNION ALL
 SELECT o.tenant_hk,
    o.day,
    live.channel,
    live.source,
    live.sessions,
    live.visitors,
    live.page_views,
    live.bounces
   FROM (mart.open_day_v o
     CROSS JOIN LATERAL ( SELECT s.channel,
            s.source,
            count(*) AS sessions,
            count(DISTINCT s.visitor_hk) AS visitors,
            sum(s.page_views) AS page_views,
            count(*) FILTER (WHERE (s.page_views <= 1)) AS bounces
           FROM mart.session_f s
          WHERE ((s.tenant_hk = o.tenant_hk) AND (s.session_day = o.day) AND (NOT s.is_bot))
          GROUP BY s.channel, s.source) live);

ALTER VIEW mart.source_day_v OWNER TO sitevault_owner;

--
-- Name: VIEW source_day_v; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON VIEW mart.source_day_v IS 'Sessions, visitors and bounces by day (UTC), channel and source; people only.';

--
-- Name: visitor_day_f; Type: TABLE; Schema: mart; Owner: sitevault_owner
--

CREATE TABLE mart.visitor_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    seconds_per_session numeric NOT NULL
);

ALTER TABLE ONLY mart.visitor_day_f FORCE ROW LEVEL SECURITY;

ALTER TABLE mart.visitor_day_f OWNER TO sitevault_owner;

--
-- Name: TABLE visitor_day_f; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON TABLE mart.visitor_day_f IS 'Sessions and visitors of rolled-up days; read mart.visitor_day_v, which has every day.';

--
-- Name: visitor_day_v; Type: VIEW; Schema: mart; Owner: sitevault_owner
--

CREATE VIEW mart.visitor_day_v WITH (security_invoker='true', security_barrier='true') AS
 SELECT f.tenant_hk,
    f.day,
    f.sessions,
    f.visitors,
    f.page_views,
    f.seconds_per_session
   FROM mart.visitor_day_f f
  WHERE (EXISTS ( SELECT
           FROM mart.rolled_day r
          WHERE ((r.tenant_hk = f.tenant_hk) AND (r.day = f.day) AND (r.rolled_at IS NOT NULL))))
UNION ALL
 SELECT o.tenant_hk,
    o.day,
    live.sessions,
    live.visitors,
    live.page_views,
    live.seconds_per_session
   FROM (mart.open_day_v o
     CROSS JOIN LATERAL ( SELECT count(*) AS sessions,
            count(DISTINCT s.visitor_hk) AS visitors,
            sum(s.page_views) AS page_views,
            avg(EXTRACT(epoch FROM (s.last_at - s.first_at))) AS seconds_per_session
           FROM mart.session_f s
          WHERE ((s.tenant_hk = o.tenant_hk) AND (s.session_day = o.day) AND (NOT s.is_bot))
         HAVING (count(*) > 0)) live);

ALTER VIEW mart.visitor_day_v OWNER TO sitevault_owner;

--
-- Name: VIEW visitor_day_v; Type: COMMENT; Schema: mart; Owner: sitevault_owner
--

COMMENT ON VIEW mart.visitor_day_v IS 'Sessions and visitors by day (UTC); people only.';

--
-- Name: environment; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.environment (
    only_one boolean DEFAULT true NOT NULL,
    environment text NOT NULL,
    environment_id text NOT NULL,
    system_identifier text NOT NULL,
    database text NOT NULL,
    oid bigint NOT NULL,
    location text NOT NULL,
    enrolled_at timestamp with time zone DEFAULT now() NOT NULL,
    enrolled_by text NOT NULL,
    CONSTRAINT environment_only_one CHECK (only_one)
);

ALTER TABLE ops.environment OWNER TO sitevault_owner;

--
-- Name: TABLE environment; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.environment IS 'Which environment this database was enrolled as; a copy of it has another system_identifier or oid than stands here.';

--
-- Name: ledger_d; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.ledger_d (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    landed bigint NOT NULL,
    vaulted bigint NOT NULL,
    duplicate bigint NOT NULL,
    invalid bigint NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY ops.ledger_d FORCE ROW LEVEL SECURITY;

ALTER TABLE ops.ledger_d OWNER TO sitevault_owner;

--
-- Name: TABLE ledger_d; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.ledger_d IS 'Accounted events by the day they were received: landed as the manifests say, the rest as the loads found. Failed ones are in raw.dead_letter.';

--
-- Name: load; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.load (
    load_id bigint NOT NULL,
    worker text NOT NULL,
    load_date timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    batches integer NOT NULL,
    events integer NOT NULL,
    vaulted integer NOT NULL,
    duplicate integer NOT NULL,
    invalid integer NOT NULL,
    error integer NOT NULL,
    step_seconds jsonb NOT NULL,
    CONSTRAINT load_balances CHECK ((events = (((vaulted + duplicate) + invalid) + error)))
);

ALTER TABLE ops.load OWNER TO sitevault_owner;

--
-- Name: TABLE load; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.load IS 'One row per claim that a worker carried through, with the seconds each step took.';

--
-- Name: load_id_seq; Type: SEQUENCE; Schema: ops; Owner: sitevault_owner
--

CREATE SEQUENCE ops.load_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE ops.load_id_seq OWNER TO sitevault_owner;

--
-- Name: migration; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.migration (
    version integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    applied_by text NOT NULL,
    duration_ms integer NOT NULL
);

ALTER TABLE ops.migration OWNER TO sitevault_owner;

--
-- Name: TABLE migration; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.migration IS 'Every migration applied to this database: what exactly, when, by whom.';

--
-- Name: object_set; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.object_set (
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sha256 text NOT NULL,
    applied_by text NOT NULL,
    duration_ms integer NOT NULL
);

ALTER TABLE ops.object_set OWNER TO sitevault_owner;

--
-- Name: TABLE object_set; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.object_set IS 'Every time the declarative objects were applied; the latest row is in force.';

--
-- Name: pause; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.pause (
    only_one boolean DEFAULT true NOT NULL,
    paused boolean NOT NULL,
    release_id text,
    message text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    by text NOT NULL,
    CONSTRAINT pause_only_one CHECK (only_one)
);

ALTER TABLE ops.pause OWNER TO sitevault_owner;

--
-- Name: TABLE pause; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.pause IS 'Whether the workers pause, why, since when and by whom; no row: they work. Collectors go on landing meanwhile.';

--
-- Name: release; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release (
    release_id text NOT NULL,
    place bigint NOT NULL,
    bundle_digest text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    author text NOT NULL,
    bundle text NOT NULL,
    plan text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    deployed_at timestamp with time zone NOT NULL,
    deployed_by text NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    note text,
    baseline text,
    standing text NOT NULL,
    CONSTRAINT release_state CHECK ((state = ANY (ARRAY['DEPLOYED'::text, 'PASSED'::text, 'HELD'::text, 'UNDONE'::text])))
);

ALTER TABLE ops.release OWNER TO sitevault_owner;

--
-- Name: TABLE release; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release IS 'One row per plan that was deployed; release_id is the plan''s digest, standing what was pending or failed before it.';

--
-- Name: release_attestation; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release_attestation (
    attestation_id text NOT NULL,
    kind text NOT NULL,
    environment text NOT NULL,
    bundle_digest text NOT NULL,
    plan_digest text,
    signer text NOT NULL,
    envelope text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT release_attestation_kind CHECK ((kind = ANY (ARRAY['APPROVED'::text, 'PASSED'::text, 'FAILED'::text])))
);

ALTER TABLE ops.release_attestation OWNER TO sitevault_owner;

--
-- Name: TABLE release_attestation; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release_attestation IS 'Signed statements (in-toto in DSSE): who approved a plan, what a release was judged as, here or in the environment before.';

--
-- Name: release_file; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release_file (
    name text NOT NULL,
    sha256 text NOT NULL,
    release_id text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ops.release_file OWNER TO sitevault_owner;

--
-- Name: TABLE release_file; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release_file IS 'The migrations of bundles that ran here; one that ran is never run again, nor edited.';

--
-- Name: release_journal; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release_journal (
    entry bigint NOT NULL,
    release_id text NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    recorded_by text NOT NULL,
    step text NOT NULL,
    message text NOT NULL,
    details text
);

ALTER TABLE ops.release_journal OWNER TO sitevault_owner;

--
-- Name: TABLE release_journal; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release_journal IS 'What was done about a release, step by step; rows are only added.';

--
-- Name: release_journal_entry_seq; Type: SEQUENCE; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.release_journal ALTER COLUMN entry ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.release_journal_entry_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: release_object; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release_object (
    release_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text
);

ALTER TABLE ops.release_object OWNER TO sitevault_owner;

--
-- Name: TABLE release_object; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release_object IS 'The live backup: every object a release changed, as the catalog described it before and after; NULL: not there.';

--
-- Name: release_observation; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.release_observation (
    release_id text NOT NULL,
    observed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    verdict text NOT NULL,
    results text NOT NULL,
    CONSTRAINT release_observation_verdict CHECK ((verdict = ANY (ARRAY['PASS'::text, 'FAIL'::text, 'INCONCLUSIVE'::text, 'NO_DATA'::text])))
);

ALTER TABLE ops.release_observation OWNER TO sitevault_owner;

--
-- Name: TABLE release_observation; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.release_observation IS 'Each time a release was judged: the verdict, and every gate with its figures.';

--
-- Name: release_place_seq; Type: SEQUENCE; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.release ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.release_place_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: removed_d; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.removed_d (
    tenant_hk bytea NOT NULL,
    table_name text NOT NULL,
    day date NOT NULL,
    events bigint NOT NULL,
    announced bigint NOT NULL,
    invalid bigint NOT NULL,
    error bigint NOT NULL,
    removed_at timestamp with time zone NOT NULL,
    CONSTRAINT removed_d_counts CHECK ((LEAST(events, announced, invalid, error) >= 0))
);

ALTER TABLE ONLY ops.removed_d FORCE ROW LEVEL SECURITY;

ALTER TABLE ops.removed_d OWNER TO sitevault_owner;

--
-- Name: TABLE removed_d; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.removed_d IS 'What retention removed, per tenant, table and day of its partition: rows; events their manifests announced; INVALID ones; failed ones given up.';

--
-- Name: repair; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.repair (
    repair_id text NOT NULL,
    state text NOT NULL,
    plan jsonb NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    applied_by text NOT NULL,
    undone_at timestamp with time zone,
    undone_by text,
    CONSTRAINT repair_state CHECK ((state = ANY (ARRAY['APPLIED'::text, 'UNDONE'::text])))
);

ALTER TABLE ops.repair OWNER TO sitevault_owner;

--
-- Name: TABLE repair; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.repair IS 'One row per plan that was carried out; repair_id is the digest of the plan.';

--
-- Name: repair_object; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.repair_object (
    repair_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text
);

ALTER TABLE ops.repair_object OWNER TO sitevault_owner;

--
-- Name: TABLE repair_object; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.repair_object IS 'Every object a repair changed, as the catalog described it before and after; NULL where it was not there.';

--
-- Name: repair_row; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.repair_row (
    tenant_hk bytea NOT NULL,
    repair_id text NOT NULL,
    place integer NOT NULL,
    relation text NOT NULL,
    before jsonb,
    after jsonb
);

ALTER TABLE ONLY ops.repair_row FORCE ROW LEVEL SECURITY;

ALTER TABLE ops.repair_row OWNER TO sitevault_owner;

--
-- Name: TABLE repair_row; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.repair_row IS 'Every row a repair changed, each column as text, before and after; of a row that changed tenant, one half with each.';

--
-- Name: replay; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.replay (
    replay_id bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    actor text NOT NULL,
    reason text,
    selection jsonb NOT NULL,
    patch jsonb DEFAULT '[]'::jsonb NOT NULL,
    result jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_error text,
    started_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    selected bigint DEFAULT 0 NOT NULL,
    vaulted bigint DEFAULT 0 NOT NULL,
    duplicate bigint DEFAULT 0 NOT NULL,
    invalid bigint DEFAULT 0 NOT NULL,
    error bigint DEFAULT 0 NOT NULL,
    unchanged bigint DEFAULT 0 NOT NULL,
    CONSTRAINT replay_balances CHECK (((state <> 'DONE'::text) OR (kind <> 'events'::text) OR (selected = ((((vaulted + duplicate) + invalid) + error) + unchanged)))),
    CONSTRAINT replay_kind CHECK ((kind = ANY (ARRAY['events'::text, 'rebuild'::text, 'enrich'::text]))),
    CONSTRAINT replay_state CHECK ((state = ANY (ARRAY['RUNNING'::text, 'STOPPED'::text, 'DONE'::text])))
);

ALTER TABLE ops.replay OWNER TO sitevault_owner;

--
-- Name: TABLE replay; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.replay IS 'One row per replay: what it was asked to do, how far it got, and where its events ended.';

--
-- Name: replay_event; Type: TABLE; Schema: ops; Owner: sitevault_owner
--

CREATE TABLE ops.replay_event (
    tenant_hk bytea NOT NULL,
    replay_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    was text NOT NULL,
    became text,
    done_at timestamp with time zone
);

ALTER TABLE ONLY ops.replay_event FORCE ROW LEVEL SECURITY;

ALTER TABLE ops.replay_event OWNER TO sitevault_owner;

--
-- Name: TABLE replay_event; Type: COMMENT; Schema: ops; Owner: sitevault_owner
--

COMMENT ON TABLE ops.replay_event IS 'The events of one replay: where each was when it was selected, and where it ended (NULL: not reached yet).';

--
-- Name: replay_id_seq; Type: SEQUENCE; Schema: ops; Owner: sitevault_owner
--

CREATE SEQUENCE ops.replay_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE ops.replay_id_seq OWNER TO sitevault_owner;

--
-- Name: batch; Type: TABLE; Schema: raw; Owner: sitevault_owner
--

CREATE TABLE raw.batch (
    batch_id bigint NOT NULL,
    received_timestamp timestamp with time zone NOT NULL,
    events integer NOT NULL,
    tenant_hks bytea[] NOT NULL,
    tenant_events integer[] NOT NULL,
    state text DEFAULT 'PENDING'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    not_before timestamp with time zone,
    last_error text,
    load_id bigint,
    processed_timestamp timestamp with time zone,
    CONSTRAINT batch_counts_every_tenant CHECK ((cardinality(tenant_hks) = cardinality(tenant_events))),
    CONSTRAINT batch_events CHECK (((events >= 1) AND (events <= 65536))),
    CONSTRAINT batch_state CHECK ((state = ANY (ARRAY['PENDING'::text, 'PROCESSED'::text])))
);

ALTER TABLE ONLY raw.batch FORCE ROW LEVEL SECURITY;

ALTER TABLE raw.batch OWNER TO sitevault_owner;

--
-- Name: TABLE batch; Type: COMMENT; Schema: raw; Owner: sitevault_owner
--

COMMENT ON TABLE raw.batch IS 'The manifest of one flush and the queue of the workers: committed with its rows.';

--
-- Name: batch_id_seq; Type: SEQUENCE; Schema: raw; Owner: sitevault_owner
--

CREATE SEQUENCE raw.batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE raw.batch_id_seq OWNER TO sitevault_owner;

--
-- Name: dead_letter; Type: TABLE; Schema: raw; Owner: sitevault_owner
--

CREATE TABLE raw.dead_letter (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    event_id uuid NOT NULL,
    received_timestamp timestamp with time zone NOT NULL,
    status text NOT NULL,
    reason_code text NOT NULL,
    sqlstate text,
    constraint_name text,
    message text NOT NULL,
    attempts integer NOT NULL,
    first_failed_at timestamp with time zone NOT NULL,
    last_failed_at timestamp with time zone NOT NULL,
    requeued_at timestamp with time zone,
    resolved_at timestamp with time zone,
    CONSTRAINT dead_letter_status CHECK ((status = ANY (ARRAY['ERROR'::text, 'PENDING'::text, 'RESOLVED'::text])))
);

ALTER TABLE ONLY raw.dead_letter FORCE ROW LEVEL SECURITY;

ALTER TABLE raw.dead_letter OWNER TO sitevault_owner;

--
-- Name: TABLE dead_letter; Type: COMMENT; Schema: raw; Owner: sitevault_owner
--

COMMENT ON TABLE raw.dead_letter IS 'One row per event that ever failed, with why and what became of it.';

--
-- Name: landed_event; Type: TABLE; Schema: raw; Owner: sitevault_owner
--

CREATE TABLE raw.landed_event (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    batch_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    received_timestamp timestamp with time zone NOT NULL,
    client_ip inet,
    user_agent text,
    origin text,
    geo_hint text,
    protocol text NOT NULL,
    payload json NOT NULL
)
PARTITION BY RANGE (received_timestamp);

ALTER TABLE ONLY raw.landed_event FORCE ROW LEVEL SECURITY;

ALTER TABLE raw.landed_event OWNER TO sitevault_owner;

--
-- Name: TABLE landed_event; Type: COMMENT; Schema: raw; Owner: sitevault_owner
--

COMMENT ON TABLE raw.landed_event IS 'One row per accepted event, the payload byte for byte. raw_event_id = batch_id * 65536 + place in the batch.';

--
-- Name: landed_event_default; Type: TABLE; Schema: raw; Owner: sitevault_owner
--

CREATE TABLE raw.landed_event_default (
    tenant_hk bytea CONSTRAINT landed_event_tenant_hk_not_null NOT NULL,
    api_key_hk bytea CONSTRAINT landed_event_api_key_hk_not_null NOT NULL,
    batch_id bigint CONSTRAINT landed_event_batch_id_not_null NOT NULL,
    raw_event_id bigint CONSTRAINT landed_event_raw_event_id_not_null NOT NULL,
    event_id uuid CONSTRAINT landed_event_event_id_not_null NOT NULL,
    received_timestamp timestamp with time zone CONSTRAINT landed_event_received_timestamp_not_null NOT NULL,
    client_ip inet,
    user_agent text,
    origin text,
    geo_hint text,
    protocol text CONSTRAINT landed_event_protocol_not_null NOT NULL,
    payload json CONSTRAINT landed_event_payload_not_null NOT NULL
);

ALTER TABLE ONLY raw.landed_event_default FORCE ROW LEVEL SECURITY;

ALTER TABLE raw.landed_event_default OWNER TO sitevault_owner;

--
-- Name: site_tracking_events_r; Type: VIEW; Schema: raw; Owner: sitevault_owner
--

CREATE VIEW raw.site_tracking_events_r WITH (security_invoker='true', security_barrier='true') AS
 SELECT e.raw_event_id,
    e.tenant_hk,
    e.api_key_hk,
    e.batch_id,
    e.event_id,
    e.received_timestamp,
    e.client_ip,
    e.user_agent,
    e.origin,
    e.protocol AS record_source,
    (e.payload)::jsonb AS raw_payload,
        CASE
            WHEN (d.status = ANY (ARRAY['ERROR'::text, 'PENDING'::text])) THEN d.status
            WHEN (b.state = 'PROCESSED'::text) THEN 'PROCESSED'::text
            ELSE 'PENDING'::text
        END AS processing_status,
        CASE
            WHEN (d.status = 'ERROR'::text) THEN ((d.reason_code || ': '::text) || d.message)
            ELSE NULL::text
        END AS error_message
   FROM ((raw.landed_event e
     LEFT JOIN raw.batch b ON ((e.batch_id = b.batch_id)))
     LEFT JOIN raw.dead_letter d ON (((e.tenant_hk = d.tenant_hk) AND (e.raw_event_id = d.raw_event_id))));

ALTER VIEW raw.site_tracking_events_r OWNER TO sitevault_owner;

--
-- Name: VIEW site_tracking_events_r; Type: COMMENT; Schema: raw; Owner: sitevault_owner
--

COMMENT ON VIEW raw.site_tracking_events_r IS 'Landed events with their status. Accepts one change: ERROR to PENDING, which requeues exactly those events.';

--
-- Name: event_patch; Type: TABLE; Schema: staging; Owner: sitevault_owner
--

CREATE TABLE staging.event_patch (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    replay_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    steps jsonb NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY staging.event_patch FORCE ROW LEVEL SECURITY;

ALTER TABLE staging.event_patch OWNER TO sitevault_owner;

--
-- Name: TABLE event_patch; Type: COMMENT; Schema: staging; Owner: sitevault_owner
--

COMMENT ON TABLE staging.event_patch IS 'Changes to an event''s fields, applied whenever it is staged; the payload in raw stays as it was received.';

--
-- Name: event_schema_s; Type: TABLE; Schema: staging; Owner: sitevault_owner
--

CREATE TABLE staging.event_schema_s (
    tenant_hk bytea NOT NULL,
    event_type text NOT NULL,
    load_date timestamp with time zone NOT NULL,
    schema_json jsonb NOT NULL,
    status text NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT event_schema_s_status CHECK ((status = ANY (ARRAY['active'::text, 'retired'::text])))
);

ALTER TABLE ONLY staging.event_schema_s FORCE ROW LEVEL SECURITY;

ALTER TABLE staging.event_schema_s OWNER TO sitevault_owner;

--
-- Name: TABLE event_schema_s; Type: COMMENT; Schema: staging; Owner: sitevault_owner
--

COMMENT ON TABLE staging.event_schema_s IS 'JSON Schemas a tenant demands of its events; the newest per type counts.';

--
-- Name: mapping_path_set; Type: TABLE; Schema: staging; Owner: sitevault_owner
--

CREATE TABLE staging.mapping_path_set (
    tenant_hk bytea NOT NULL,
    mapping_hk bytea NOT NULL,
    paths jsonb NOT NULL,
    load_date timestamp with time zone NOT NULL,
    CONSTRAINT mapping_path_set_hk_is_128_bits CHECK ((octet_length(mapping_hk) = 16))
);

ALTER TABLE ONLY staging.mapping_path_set FORCE ROW LEVEL SECURITY;

ALTER TABLE staging.mapping_path_set OWNER TO sitevault_owner;

--
-- Name: TABLE mapping_path_set; Type: COMMENT; Schema: staging; Owner: sitevault_owner
--

COMMENT ON TABLE staging.mapping_path_set IS 'Which payload path supplied which field: events of one shape share one row.';

--
-- Name: site_tracking_events_s; Type: TABLE; Schema: staging; Owner: sitevault_owner
--

CREATE TABLE staging.site_tracking_events_s (
    tenant_hk bytea NOT NULL,
    batch_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    received_timestamp timestamp with time zone NOT NULL,
    processed_timestamp timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    validation_status text NOT NULL,
    enrichment_status text NOT NULL,
    quality_score numeric(3,2) NOT NULL,
    validation_errors jsonb NOT NULL,
    mapping_hk bytea NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    event_type text,
    session_id text,
    visitor_id text,
    user_bk text,
    page_url text,
    page_title text,
    referrer_url text,
    referrer_host text,
    source text,
    channel text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    click_id_kind text,
    device_class text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    language text,
    screen text,
    is_bot boolean NOT NULL,
    bot_evidence text,
    country text,
    region text,
    city text,
    record_source text NOT NULL,
    CONSTRAINT site_tracking_events_s_enrichment_status CHECK ((enrichment_status = ANY (ARRAY['ENRICHED'::text, 'PARTIAL'::text]))),
    CONSTRAINT site_tracking_events_s_quality_score CHECK (((quality_score >= (0)::numeric) AND (quality_score <= (1)::numeric))),
    CONSTRAINT site_tracking_events_s_validation_status CHECK ((validation_status = ANY (ARRAY['VALID'::text, 'INVALID'::text, 'SUSPICIOUS'::text])))
)
PARTITION BY RANGE (processed_timestamp);

ALTER TABLE ONLY staging.site_tracking_events_s FORCE ROW LEVEL SECURITY;

ALTER TABLE staging.site_tracking_events_s OWNER TO sitevault_owner;

--
-- Name: TABLE site_tracking_events_s; Type: COMMENT; Schema: staging; Owner: sitevault_owner
--

COMMENT ON TABLE staging.site_tracking_events_s IS 'Events mapped, validated, scored and enriched.';

--
-- Name: site_tracking_events_s_default; Type: TABLE; Schema: staging; Owner: sitevault_owner
--

CREATE TABLE staging.site_tracking_events_s_default (
    tenant_hk bytea CONSTRAINT site_tracking_events_s_tenant_hk_not_null NOT NULL,
    batch_id bigint CONSTRAINT site_tracking_events_s_batch_id_not_null NOT NULL,
    raw_event_id bigint CONSTRAINT site_tracking_events_s_raw_event_id_not_null NOT NULL,
    event_id uuid CONSTRAINT site_tracking_events_s_event_id_not_null NOT NULL,
    event_day date CONSTRAINT site_tracking_events_s_event_day_not_null NOT NULL,
    received_timestamp timestamp with time zone CONSTRAINT site_tracking_events_s_received_timestamp_not_null NOT NULL,
    processed_timestamp timestamp with time zone CONSTRAINT site_tracking_events_s_processed_timestamp_not_null NOT NULL,
    load_id bigint CONSTRAINT site_tracking_events_s_load_id_not_null NOT NULL,
    validation_status text CONSTRAINT site_tracking_events_s_validation_status_not_null NOT NULL,
    enrichment_status text CONSTRAINT site_tracking_events_s_enrichment_status_not_null NOT NULL,
    quality_score numeric(3,2) CONSTRAINT site_tracking_events_s_quality_score_not_null NOT NULL,
    validation_errors jsonb CONSTRAINT site_tracking_events_s_validation_errors_not_null NOT NULL,
    mapping_hk bytea CONSTRAINT site_tracking_events_s_mapping_hk_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT site_tracking_events_s_occurred_at_not_null NOT NULL,
    event_type text,
    session_id text,
    visitor_id text,
    user_bk text,
    page_url text,
    page_title text,
    referrer_url text,
    referrer_host text,
    source text,
    channel text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    click_id_kind text,
    device_class text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    language text,
    screen text,
    is_bot boolean CONSTRAINT site_tracking_events_s_is_bot_not_null NOT NULL,
    bot_evidence text,
    country text,
    region text,
    city text,
    record_source text CONSTRAINT site_tracking_events_s_record_source_not_null NOT NULL,
    CONSTRAINT site_tracking_events_s_enrichment_status CHECK ((enrichment_status = ANY (ARRAY['ENRICHED'::text, 'PARTIAL'::text]))),
    CONSTRAINT site_tracking_events_s_quality_score CHECK (((quality_score >= (0)::numeric) AND (quality_score <= (1)::numeric))),
    CONSTRAINT site_tracking_events_s_validation_status CHECK ((validation_status = ANY (ARRAY['VALID'::text, 'INVALID'::text, 'SUSPICIOUS'::text])))
);

ALTER TABLE ONLY staging.site_tracking_events_s_default FORCE ROW LEVEL SECURITY;

ALTER TABLE staging.site_tracking_events_s_default OWNER TO sitevault_owner;

--
-- Name: site_event_nl_default; Type: TABLE ATTACH; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_nl ATTACH PARTITION business.site_event_nl_default DEFAULT;

--
-- Name: site_event_pii_ns_default; Type: TABLE ATTACH; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_pii_ns ATTACH PARTITION business.site_event_pii_ns_default DEFAULT;

--
-- Name: landed_event_default; Type: TABLE ATTACH; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE ONLY raw.landed_event ATTACH PARTITION raw.landed_event_default DEFAULT;

--
-- Name: site_tracking_events_s_default; Type: TABLE ATTACH; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE ONLY staging.site_tracking_events_s ATTACH PARTITION staging.site_tracking_events_s_default DEFAULT;

--
-- Name: entry entry_pk; Type: CONSTRAINT; Schema: audit; Owner: sitevault_owner
--

ALTER TABLE ONLY audit.entry
    ADD CONSTRAINT entry_pk PRIMARY KEY (tenant_hk, seq);

--
-- Name: api_key_h api_key_h_pk; Type: CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.api_key_h
    ADD CONSTRAINT api_key_h_pk PRIMARY KEY (tenant_hk, api_key_hk);

--
-- Name: api_key_s api_key_s_pk; Type: CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.api_key_s
    ADD CONSTRAINT api_key_s_pk PRIMARY KEY (tenant_hk, api_key_hk, load_date);

--
-- Name: tenant_h tenant_h_pk; Type: CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.tenant_h
    ADD CONSTRAINT tenant_h_pk PRIMARY KEY (tenant_hk);

--
-- Name: tenant_profile_s tenant_profile_s_pk; Type: CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.tenant_profile_s
    ADD CONSTRAINT tenant_profile_s_pk PRIMARY KEY (tenant_hk, load_date);

--
-- Name: tenant_secret tenant_secret_pk; Type: CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.tenant_secret
    ADD CONSTRAINT tenant_secret_pk PRIMARY KEY (tenant_hk);

--
-- Name: site_campaign_h site_campaign_h_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_campaign_h
    ADD CONSTRAINT site_campaign_h_pk PRIMARY KEY (tenant_hk, campaign_hk);

--
-- Name: site_event_duplicate site_event_duplicate_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_duplicate
    ADD CONSTRAINT site_event_duplicate_pk PRIMARY KEY (tenant_hk, raw_event_id);

--
-- Name: site_event_enrichment_s site_event_enrichment_s_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_enrichment_s
    ADD CONSTRAINT site_event_enrichment_s_pk PRIMARY KEY (tenant_hk, event_id, event_day, load_date);

--
-- Name: site_event_nl site_event_nl_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_nl
    ADD CONSTRAINT site_event_nl_pk PRIMARY KEY (tenant_hk, event_id, event_day);

--
-- Name: site_event_nl_default site_event_nl_default_pkey; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_event_nl_default
    ADD CONSTRAINT site_event_nl_default_pkey PRIMARY KEY (tenant_hk, event_id, event_day);

--
-- Name: site_page_details_s site_page_details_s_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_page_details_s
    ADD CONSTRAINT site_page_details_s_pk PRIMARY KEY (tenant_hk, page_hk, load_date);

--
-- Name: site_page_h site_page_h_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_page_h
    ADD CONSTRAINT site_page_h_pk PRIMARY KEY (tenant_hk, page_hk);

--
-- Name: site_session_details_s site_session_details_s_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_session_details_s
    ADD CONSTRAINT site_session_details_s_pk PRIMARY KEY (tenant_hk, session_hk, load_date);

--
-- Name: site_session_h site_session_h_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_session_h
    ADD CONSTRAINT site_session_h_pk PRIMARY KEY (tenant_hk, session_hk);

--
-- Name: site_session_visitor_l site_session_visitor_l_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_session_visitor_l
    ADD CONSTRAINT site_session_visitor_l_pk PRIMARY KEY (tenant_hk, session_hk, visitor_hk);

--
-- Name: site_user_h site_user_h_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_user_h
    ADD CONSTRAINT site_user_h_pk PRIMARY KEY (tenant_hk, user_hk);

--
-- Name: site_visitor_details_s site_visitor_details_s_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_details_s
    ADD CONSTRAINT site_visitor_details_s_pk PRIMARY KEY (tenant_hk, visitor_hk, load_date);

--
-- Name: site_visitor_h site_visitor_h_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_h
    ADD CONSTRAINT site_visitor_h_pk PRIMARY KEY (tenant_hk, visitor_hk);

--
-- Name: site_visitor_user_es site_visitor_user_es_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_user_es
    ADD CONSTRAINT site_visitor_user_es_pk PRIMARY KEY (tenant_hk, visitor_hk, load_date);

--
-- Name: site_visitor_user_l site_visitor_user_l_pk; Type: CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_user_l
    ADD CONSTRAINT site_visitor_user_l_pk PRIMARY KEY (tenant_hk, visitor_hk, user_hk);

--
-- Name: device_day_f device_day_f_uq; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.device_day_f
    ADD CONSTRAINT device_day_f_uq UNIQUE NULLS NOT DISTINCT (tenant_hk, day, device_class, browser);

--
-- Name: event_day_f event_day_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.event_day_f
    ADD CONSTRAINT event_day_f_pk PRIMARY KEY (tenant_hk, day, event_type);

--
-- Name: page_day_f page_day_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.page_day_f
    ADD CONSTRAINT page_day_f_pk PRIMARY KEY (tenant_hk, day, page_hk);

--
-- Name: path_day_f path_day_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.path_day_f
    ADD CONSTRAINT path_day_f_pk PRIMARY KEY (tenant_hk, day, path_hk);

--
-- Name: path_session_f path_session_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.path_session_f
    ADD CONSTRAINT path_session_f_pk PRIMARY KEY (tenant_hk, day, session_hk);

--
-- Name: rolled_day rolled_day_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.rolled_day
    ADD CONSTRAINT rolled_day_pk PRIMARY KEY (tenant_hk, day);

--
-- Name: session_f session_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.session_f
    ADD CONSTRAINT session_f_pk PRIMARY KEY (tenant_hk, session_hk);

--
-- Name: source_day_f source_day_f_uq; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.source_day_f
    ADD CONSTRAINT source_day_f_uq UNIQUE NULLS NOT DISTINCT (tenant_hk, day, channel, source);

--
-- Name: visitor_day_f visitor_day_f_pk; Type: CONSTRAINT; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE ONLY mart.visitor_day_f
    ADD CONSTRAINT visitor_day_f_pk PRIMARY KEY (tenant_hk, day);

--
-- Name: environment environment_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.environment
    ADD CONSTRAINT environment_pk PRIMARY KEY (only_one);

--
-- Name: ledger_d ledger_d_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.ledger_d
    ADD CONSTRAINT ledger_d_pk PRIMARY KEY (tenant_hk, day);

--
-- Name: load load_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.load
    ADD CONSTRAINT load_pk PRIMARY KEY (load_id);

--
-- Name: migration migration_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.migration
    ADD CONSTRAINT migration_pk PRIMARY KEY (version);

--
-- Name: object_set object_set_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.object_set
    ADD CONSTRAINT object_set_pk PRIMARY KEY (applied_at);

--
-- Name: pause pause_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.pause
    ADD CONSTRAINT pause_pk PRIMARY KEY (only_one);

--
-- Name: release_attestation release_attestation_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release_attestation
    ADD CONSTRAINT release_attestation_pk PRIMARY KEY (attestation_id);

--
-- Name: release_file release_file_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release_file
    ADD CONSTRAINT release_file_pk PRIMARY KEY (name);

--
-- Name: release_journal release_journal_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release_journal
    ADD CONSTRAINT release_journal_pk PRIMARY KEY (entry);

--
-- Name: release_object release_object_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release_object
    ADD CONSTRAINT release_object_pk PRIMARY KEY (release_id, kind, identity);

--
-- Name: release_observation release_observation_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release_observation
    ADD CONSTRAINT release_observation_pk PRIMARY KEY (release_id, observed_at);

--
-- Name: release release_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.release
    ADD CONSTRAINT release_pk PRIMARY KEY (release_id);

--
-- Name: removed_d removed_d_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.removed_d
    ADD CONSTRAINT removed_d_pk PRIMARY KEY (tenant_hk, table_name, day);

--
-- Name: repair_object repair_object_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.repair_object
    ADD CONSTRAINT repair_object_pk PRIMARY KEY (repair_id, kind, identity);

--
-- Name: repair repair_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.repair
    ADD CONSTRAINT repair_pk PRIMARY KEY (repair_id);

--
-- Name: repair_row repair_row_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.repair_row
    ADD CONSTRAINT repair_row_pk PRIMARY KEY (tenant_hk, repair_id, place);

--
-- Name: replay_event replay_event_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.replay_event
    ADD CONSTRAINT replay_event_pk PRIMARY KEY (tenant_hk, replay_id, raw_event_id);

--
-- Name: replay replay_pk; Type: CONSTRAINT; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ONLY ops.replay
    ADD CONSTRAINT replay_pk PRIMARY KEY (replay_id);

--
-- Name: batch batch_pk; Type: CONSTRAINT; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE ONLY raw.batch
    ADD CONSTRAINT batch_pk PRIMARY KEY (batch_id);

--
-- Name: dead_letter dead_letter_pk; Type: CONSTRAINT; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE ONLY raw.dead_letter
    ADD CONSTRAINT dead_letter_pk PRIMARY KEY (tenant_hk, raw_event_id);

--
-- Name: event_patch event_patch_pk; Type: CONSTRAINT; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE ONLY staging.event_patch
    ADD CONSTRAINT event_patch_pk PRIMARY KEY (tenant_hk, raw_event_id, replay_id);

--
-- Name: event_schema_s event_schema_s_pk; Type: CONSTRAINT; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE ONLY staging.event_schema_s
    ADD CONSTRAINT event_schema_s_pk PRIMARY KEY (tenant_hk, event_type, load_date);

--
-- Name: mapping_path_set mapping_path_set_pk; Type: CONSTRAINT; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE ONLY staging.mapping_path_set
    ADD CONSTRAINT mapping_path_set_pk PRIMARY KEY (tenant_hk, mapping_hk);

--
-- Name: site_event_pii_ns_event_ix; Type: INDEX; Schema: business; Owner: sitevault_owner
--

CREATE INDEX site_event_pii_ns_event_ix ON ONLY business.site_event_pii_ns USING brin (event_id) WITH (pages_per_range='32', autosummarize='on');

--
-- Name: site_event_pii_ns_default_event_id_idx; Type: INDEX; Schema: business; Owner: sitevault_owner
--

CREATE INDEX site_event_pii_ns_default_event_id_idx ON business.site_event_pii_ns_default USING brin (event_id) WITH (pages_per_range='32', autosummarize='on');

--
-- Name: session_f_day_ix; Type: INDEX; Schema: mart; Owner: sitevault_owner
--

CREATE INDEX session_f_day_ix ON mart.session_f USING btree (tenant_hk, session_day);

--
-- Name: replay_event_event_ix; Type: INDEX; Schema: ops; Owner: sitevault_owner
--

CREATE INDEX replay_event_event_ix ON ops.replay_event USING btree (tenant_hk, raw_event_id);

--
-- Name: replay_event_todo_ix; Type: INDEX; Schema: ops; Owner: sitevault_owner
--

CREATE INDEX replay_event_todo_ix ON ops.replay_event USING btree (replay_id, raw_event_id) WHERE (became IS NULL);

--
-- Name: batch_pending_ix; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX batch_pending_ix ON raw.batch USING btree (batch_id) WHERE (state = 'PENDING'::text);

--
-- Name: dead_letter_requeued_ix; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX dead_letter_requeued_ix ON raw.dead_letter USING btree (requeued_at) WHERE (status = 'PENDING'::text);

--
-- Name: landed_event_batch_ix; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX landed_event_batch_ix ON ONLY raw.landed_event USING btree (batch_id);

--
-- Name: landed_event_default_batch_id_idx; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX landed_event_default_batch_id_idx ON raw.landed_event_default USING btree (batch_id);

--
-- Name: landed_event_event_ix; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX landed_event_event_ix ON ONLY raw.landed_event USING btree (event_id);

--
-- Name: landed_event_default_event_id_idx; Type: INDEX; Schema: raw; Owner: sitevault_owner
--

CREATE INDEX landed_event_default_event_id_idx ON raw.landed_event_default USING btree (event_id);

--
-- Name: event_patch_batch_ix; Type: INDEX; Schema: staging; Owner: sitevault_owner
--

CREATE INDEX event_patch_batch_ix ON staging.event_patch USING btree (batch_id);

--
-- Name: site_tracking_events_s_batch_ix; Type: INDEX; Schema: staging; Owner: sitevault_owner
--

CREATE INDEX site_tracking_events_s_batch_ix ON ONLY staging.site_tracking_events_s USING btree (batch_id);

--
-- Name: site_tracking_events_s_default_batch_id_idx; Type: INDEX; Schema: staging; Owner: sitevault_owner
--

CREATE INDEX site_tracking_events_s_default_batch_id_idx ON staging.site_tracking_events_s_default USING btree (batch_id);

--
-- Name: site_event_nl_default_pkey; Type: INDEX ATTACH; Schema: business; Owner: sitevault_owner
--

ALTER INDEX business.site_event_nl_pk ATTACH PARTITION business.site_event_nl_default_pkey;

--
-- Name: site_event_pii_ns_default_event_id_idx; Type: INDEX ATTACH; Schema: business; Owner: sitevault_owner
--

ALTER INDEX business.site_event_pii_ns_event_ix ATTACH PARTITION business.site_event_pii_ns_default_event_id_idx;

--
-- Name: landed_event_default_batch_id_idx; Type: INDEX ATTACH; Schema: raw; Owner: sitevault_owner
--

ALTER INDEX raw.landed_event_batch_ix ATTACH PARTITION raw.landed_event_default_batch_id_idx;

--
-- Name: landed_event_default_event_id_idx; Type: INDEX ATTACH; Schema: raw; Owner: sitevault_owner
--

ALTER INDEX raw.landed_event_event_ix ATTACH PARTITION raw.landed_event_default_event_id_idx;

--
-- Name: site_tracking_events_s_default_batch_id_idx; Type: INDEX ATTACH; Schema: staging; Owner: sitevault_owner
--

ALTER INDEX staging.site_tracking_events_s_batch_ix ATTACH PARTITION staging.site_tracking_events_s_default_batch_id_idx;

--
-- Name: api_key_s ring_the_keyrings; Type: TRIGGER; Schema: auth; Owner: sitevault_owner
--

CREATE TRIGGER ring_the_keyrings AFTER INSERT OR DELETE OR UPDATE ON auth.api_key_s FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();

--
-- Name: tenant_profile_s ring_the_keyrings; Type: TRIGGER; Schema: auth; Owner: sitevault_owner
--

CREATE TRIGGER ring_the_keyrings AFTER INSERT OR DELETE OR UPDATE ON auth.tenant_profile_s FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();

--
-- Name: site_tracking_events_r requeue; Type: TRIGGER; Schema: raw; Owner: sitevault_owner
--

CREATE TRIGGER requeue INSTEAD OF UPDATE ON raw.site_tracking_events_r FOR EACH ROW EXECUTE FUNCTION raw.requeue_instead_of_update();

--
-- Name: event_schema_s ring_the_keyrings; Type: TRIGGER; Schema: staging; Owner: sitevault_owner
--

CREATE TRIGGER ring_the_keyrings AFTER INSERT OR DELETE OR UPDATE ON staging.event_schema_s FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();

--
-- Name: api_key_h api_key_h_tenant_fk; Type: FK CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.api_key_h
    ADD CONSTRAINT api_key_h_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h(tenant_hk);

--
-- Name: api_key_s api_key_s_key_fk; Type: FK CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.api_key_s
    ADD CONSTRAINT api_key_s_key_fk FOREIGN KEY (tenant_hk, api_key_hk) REFERENCES auth.api_key_h(tenant_hk, api_key_hk);

--
-- Name: tenant_profile_s tenant_profile_s_tenant_fk; Type: FK CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.tenant_profile_s
    ADD CONSTRAINT tenant_profile_s_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h(tenant_hk);

--
-- Name: tenant_secret tenant_secret_tenant_fk; Type: FK CONSTRAINT; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE ONLY auth.tenant_secret
    ADD CONSTRAINT tenant_secret_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h(tenant_hk);

--
-- Name: site_event_nl site_event_nl_campaign_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl
    ADD CONSTRAINT site_event_nl_campaign_fk FOREIGN KEY (tenant_hk, campaign_hk) REFERENCES business.site_campaign_h(tenant_hk, campaign_hk) NOT ENFORCED;

--
-- Name: site_event_nl site_event_nl_page_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl
    ADD CONSTRAINT site_event_nl_page_fk FOREIGN KEY (tenant_hk, page_hk) REFERENCES business.site_page_h(tenant_hk, page_hk) NOT ENFORCED;

--
-- Name: site_event_nl site_event_nl_session_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl
    ADD CONSTRAINT site_event_nl_session_fk FOREIGN KEY (tenant_hk, session_hk) REFERENCES business.site_session_h(tenant_hk, session_hk) NOT ENFORCED;

--
-- Name: site_event_nl site_event_nl_user_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl
    ADD CONSTRAINT site_event_nl_user_fk FOREIGN KEY (tenant_hk, user_hk) REFERENCES business.site_user_h(tenant_hk, user_hk) NOT ENFORCED;

--
-- Name: site_event_nl site_event_nl_visitor_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl
    ADD CONSTRAINT site_event_nl_visitor_fk FOREIGN KEY (tenant_hk, visitor_hk) REFERENCES business.site_visitor_h(tenant_hk, visitor_hk) NOT ENFORCED;

--
-- Name: site_session_visitor_l site_session_visitor_l_session_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_session_visitor_l
    ADD CONSTRAINT site_session_visitor_l_session_fk FOREIGN KEY (tenant_hk, session_hk) REFERENCES business.site_session_h(tenant_hk, session_hk) NOT ENFORCED;

--
-- Name: site_session_visitor_l site_session_visitor_l_visitor_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_session_visitor_l
    ADD CONSTRAINT site_session_visitor_l_visitor_fk FOREIGN KEY (tenant_hk, visitor_hk) REFERENCES business.site_visitor_h(tenant_hk, visitor_hk) NOT ENFORCED;

--
-- Name: site_visitor_user_l site_visitor_user_l_user_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_user_l
    ADD CONSTRAINT site_visitor_user_l_user_fk FOREIGN KEY (tenant_hk, user_hk) REFERENCES business.site_user_h(tenant_hk, user_hk) NOT ENFORCED;

--
-- Name: site_visitor_user_l site_visitor_user_l_visitor_fk; Type: FK CONSTRAINT; Schema: business; Owner: sitevault_owner
--

ALTER TABLE ONLY business.site_visitor_user_l
    ADD CONSTRAINT site_visitor_user_l_visitor_fk FOREIGN KEY (tenant_hk, visitor_hk) REFERENCES business.site_visitor_h(tenant_hk, visitor_hk) NOT ENFORCED;

--
-- Name: landed_event landed_event_key_fk; Type: FK CONSTRAINT; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE raw.landed_event
    ADD CONSTRAINT landed_event_key_fk FOREIGN KEY (tenant_hk, api_key_hk) REFERENCES auth.api_key_h(tenant_hk, api_key_hk) NOT ENFORCED;

--
-- Name: entry; Type: ROW SECURITY; Schema: audit; Owner: sitevault_owner
--

ALTER TABLE audit.entry ENABLE ROW LEVEL SECURITY;

--
-- Name: entry oversight; Type: POLICY; Schema: audit; Owner: sitevault_owner
--

CREATE POLICY oversight ON audit.entry FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: entry tenant_access; Type: POLICY; Schema: audit; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON audit.entry TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: entry tenant_active; Type: POLICY; Schema: audit; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON audit.entry AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: entry tenant_boundary; Type: POLICY; Schema: audit; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON audit.entry AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: api_key_h; Type: ROW SECURITY; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE auth.api_key_h ENABLE ROW LEVEL SECURITY;

--
-- Name: api_key_s; Type: ROW SECURITY; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE auth.api_key_s ENABLE ROW LEVEL SECURITY;

--
-- Name: api_key_h oversight; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY oversight ON auth.api_key_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: api_key_s oversight; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY oversight ON auth.api_key_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: tenant_h oversight; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY oversight ON auth.tenant_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: tenant_profile_s oversight; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY oversight ON auth.tenant_profile_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: tenant_secret oversight; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY oversight ON auth.tenant_secret FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: api_key_h tenant_access; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON auth.api_key_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: api_key_s tenant_access; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON auth.api_key_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_h tenant_access; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON auth.tenant_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_profile_s tenant_access; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON auth.tenant_profile_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_secret tenant_access; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON auth.tenant_secret TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: api_key_h tenant_active; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON auth.api_key_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: api_key_s tenant_active; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON auth.api_key_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: tenant_h tenant_active; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON auth.tenant_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: tenant_profile_s tenant_active; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON auth.tenant_profile_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: tenant_secret tenant_active; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON auth.tenant_secret AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: api_key_h tenant_boundary; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON auth.api_key_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: api_key_s tenant_boundary; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON auth.api_key_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_h tenant_boundary; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON auth.tenant_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_profile_s tenant_boundary; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON auth.tenant_profile_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_secret tenant_boundary; Type: POLICY; Schema: auth; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON auth.tenant_secret AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: tenant_h; Type: ROW SECURITY; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE auth.tenant_h ENABLE ROW LEVEL SECURITY;

--
-- Name: tenant_profile_s; Type: ROW SECURITY; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE auth.tenant_profile_s ENABLE ROW LEVEL SECURITY;

--
-- Name: tenant_secret; Type: ROW SECURITY; Schema: auth; Owner: sitevault_owner
--

ALTER TABLE auth.tenant_secret ENABLE ROW LEVEL SECURITY;

--
-- Name: site_campaign_h oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_campaign_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_duplicate oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_duplicate FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_enrichment_s oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_enrichment_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_nl oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_nl FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_nl_default oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_nl_default FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_pii_ns oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_pii_ns FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_event_pii_ns_default oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_event_pii_ns_default FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_page_details_s oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_page_details_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_page_h oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_page_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_session_details_s oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_session_details_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_session_h oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_session_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_session_visitor_l oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_session_visitor_l FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_user_h oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_user_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_visitor_details_s oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_visitor_details_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_visitor_h oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_visitor_h FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_visitor_user_es oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_visitor_user_es FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_visitor_user_l oversight; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY oversight ON business.site_visitor_user_l FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_campaign_h; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_campaign_h ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_duplicate; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_duplicate ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_enrichment_s; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_enrichment_s ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_nl; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_nl_default; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_nl_default ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_pii_ns; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_pii_ns ENABLE ROW LEVEL SECURITY;

--
-- Name: site_event_pii_ns_default; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_event_pii_ns_default ENABLE ROW LEVEL SECURITY;

--
-- Name: site_page_details_s; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_page_details_s ENABLE ROW LEVEL SECURITY;

--
-- Name: site_page_h; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_page_h ENABLE ROW LEVEL SECURITY;

--
-- Name: site_session_details_s; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_session_details_s ENABLE ROW LEVEL SECURITY;

--
-- Name: site_session_h; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_session_h ENABLE ROW LEVEL SECURITY;

--
-- Name: site_session_visitor_l; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_session_visitor_l ENABLE ROW LEVEL SECURITY;

--
-- Name: site_user_h; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_user_h ENABLE ROW LEVEL SECURITY;

--
-- Name: site_visitor_details_s; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_visitor_details_s ENABLE ROW LEVEL SECURITY;

--
-- Name: site_visitor_h; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_visitor_h ENABLE ROW LEVEL SECURITY;

--
-- Name: site_visitor_user_es; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_visitor_user_es ENABLE ROW LEVEL SECURITY;

--
-- Name: site_visitor_user_l; Type: ROW SECURITY; Schema: business; Owner: sitevault_owner
--

ALTER TABLE business.site_visitor_user_l ENABLE ROW LEVEL SECURITY;

--
-- Name: site_campaign_h tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_campaign_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_duplicate tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_duplicate TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_enrichment_s tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_enrichment_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_nl tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_nl TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_nl_default tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_nl_default TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_pii_ns tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_pii_ns TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_pii_ns_default tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_event_pii_ns_default TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_page_details_s tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_page_details_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_page_h tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_page_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_details_s tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_session_details_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_h tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_session_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_visitor_l tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_session_visitor_l TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_user_h tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_user_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_details_s tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_visitor_details_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_h tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_visitor_h TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_user_es tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_visitor_user_es TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_user_l tenant_access; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON business.site_visitor_user_l TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_campaign_h tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_campaign_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_duplicate tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_duplicate AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_enrichment_s tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_enrichment_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_nl tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_nl AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_nl_default tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_nl_default AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_pii_ns tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_pii_ns AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_event_pii_ns_default tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_event_pii_ns_default AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_page_details_s tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_page_details_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_page_h tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_page_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_session_details_s tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_session_details_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_session_h tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_session_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_session_visitor_l tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_session_visitor_l AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_user_h tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_user_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_visitor_details_s tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_visitor_details_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_visitor_h tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_visitor_h AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_visitor_user_es tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_visitor_user_es AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_visitor_user_l tenant_active; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON business.site_visitor_user_l AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_campaign_h tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_campaign_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_duplicate tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_duplicate AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_enrichment_s tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_enrichment_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_nl tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_nl AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_nl_default tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_nl_default AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_pii_ns tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_pii_ns AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_event_pii_ns_default tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_event_pii_ns_default AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_page_details_s tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_page_details_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_page_h tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_page_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_details_s tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_session_details_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_h tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_session_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_session_visitor_l tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_session_visitor_l AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_user_h tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_user_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_details_s tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_visitor_details_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_h tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_visitor_h AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_user_es tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_visitor_user_es AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_visitor_user_l tenant_boundary; Type: POLICY; Schema: business; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON business.site_visitor_user_l AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: device_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.device_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: event_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.event_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: device_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.device_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: event_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.event_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: page_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.page_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: path_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.path_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: path_session_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.path_session_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: rolled_day oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.rolled_day FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: session_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.session_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: source_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.source_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: visitor_day_f oversight; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY oversight ON mart.visitor_day_f FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: page_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.page_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: path_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.path_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: path_session_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.path_session_f ENABLE ROW LEVEL SECURITY;

--
-- Name: rolled_day; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.rolled_day ENABLE ROW LEVEL SECURITY;

--
-- Name: session_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.session_f ENABLE ROW LEVEL SECURITY;

--
-- Name: source_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.source_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: device_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.device_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.event_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: page_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.page_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: path_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.path_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: path_session_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.path_session_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: rolled_day tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.rolled_day TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: session_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.session_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: source_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.source_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: visitor_day_f tenant_access; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON mart.visitor_day_f TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: device_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.device_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: event_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.event_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: page_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.page_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: path_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.path_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: path_session_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.path_session_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: rolled_day tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.rolled_day AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: session_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.session_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: source_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.source_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: visitor_day_f tenant_active; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON mart.visitor_day_f AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: device_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.device_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.event_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: page_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.page_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: path_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.path_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: path_session_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.path_session_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: rolled_day tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.rolled_day AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: session_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.session_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: source_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.source_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: visitor_day_f tenant_boundary; Type: POLICY; Schema: mart; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON mart.visitor_day_f AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: visitor_day_f; Type: ROW SECURITY; Schema: mart; Owner: sitevault_owner
--

ALTER TABLE mart.visitor_day_f ENABLE ROW LEVEL SECURITY;

--
-- Name: ledger_d; Type: ROW SECURITY; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.ledger_d ENABLE ROW LEVEL SECURITY;

--
-- Name: ledger_d oversight; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY oversight ON ops.ledger_d FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: removed_d oversight; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY oversight ON ops.removed_d FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: repair_row oversight; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY oversight ON ops.repair_row FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: replay_event oversight; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY oversight ON ops.replay_event FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: removed_d; Type: ROW SECURITY; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.removed_d ENABLE ROW LEVEL SECURITY;

--
-- Name: repair_row; Type: ROW SECURITY; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.repair_row ENABLE ROW LEVEL SECURITY;

--
-- Name: replay_event; Type: ROW SECURITY; Schema: ops; Owner: sitevault_owner
--

ALTER TABLE ops.replay_event ENABLE ROW LEVEL SECURITY;

--
-- Name: ledger_d tenant_access; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON ops.ledger_d TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: removed_d tenant_access; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON ops.removed_d TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: repair_row tenant_access; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON ops.repair_row TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: replay_event tenant_access; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON ops.replay_event TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: ledger_d tenant_active; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON ops.ledger_d AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: removed_d tenant_active; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON ops.removed_d AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: repair_row tenant_active; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON ops.repair_row AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: replay_event tenant_active; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON ops.replay_event AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: ledger_d tenant_boundary; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON ops.ledger_d AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: removed_d tenant_boundary; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON ops.removed_d AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: repair_row tenant_boundary; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON ops.repair_row AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: replay_event tenant_boundary; Type: POLICY; Schema: ops; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON ops.replay_event AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: batch; Type: ROW SECURITY; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE raw.batch ENABLE ROW LEVEL SECURITY;

--
-- Name: dead_letter; Type: ROW SECURITY; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE raw.dead_letter ENABLE ROW LEVEL SECURITY;

--
-- Name: landed_event; Type: ROW SECURITY; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE raw.landed_event ENABLE ROW LEVEL SECURITY;

--
-- Name: landed_event_default; Type: ROW SECURITY; Schema: raw; Owner: sitevault_owner
--

ALTER TABLE raw.landed_event_default ENABLE ROW LEVEL SECURITY;

--
-- Name: batch oversight; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY oversight ON raw.batch FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: dead_letter oversight; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY oversight ON raw.dead_letter FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: landed_event oversight; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY oversight ON raw.landed_event FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: landed_event_default oversight; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY oversight ON raw.landed_event_default FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: batch tenant_access; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON raw.batch TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((( SELECT auth.current_tenant_hk() AS current_tenant_hk) = ANY (tenant_hks))) WITH CHECK ((( SELECT auth.current_tenant_hk() AS current_tenant_hk) = ANY (tenant_hks)));

--
-- Name: dead_letter tenant_access; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON raw.dead_letter TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: landed_event tenant_access; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON raw.landed_event TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: landed_event_default tenant_access; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON raw.landed_event_default TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: batch tenant_active; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON raw.batch AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: dead_letter tenant_active; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON raw.dead_letter AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: landed_event tenant_active; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON raw.landed_event AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: landed_event_default tenant_active; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON raw.landed_event_default AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: batch tenant_boundary; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON raw.batch AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((( SELECT auth.current_tenant_hk() AS current_tenant_hk) = ANY (tenant_hks))) WITH CHECK ((( SELECT auth.current_tenant_hk() AS current_tenant_hk) = ANY (tenant_hks)));

--
-- Name: dead_letter tenant_boundary; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON raw.dead_letter AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: landed_event tenant_boundary; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON raw.landed_event AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: landed_event_default tenant_boundary; Type: POLICY; Schema: raw; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON raw.landed_event_default AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_patch; Type: ROW SECURITY; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE staging.event_patch ENABLE ROW LEVEL SECURITY;

--
-- Name: event_schema_s; Type: ROW SECURITY; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE staging.event_schema_s ENABLE ROW LEVEL SECURITY;

--
-- Name: mapping_path_set; Type: ROW SECURITY; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE staging.mapping_path_set ENABLE ROW LEVEL SECURITY;

--
-- Name: event_patch oversight; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY oversight ON staging.event_patch FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: event_schema_s oversight; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY oversight ON staging.event_schema_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: mapping_path_set oversight; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY oversight ON staging.mapping_path_set FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_tracking_events_s oversight; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY oversight ON staging.site_tracking_events_s FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_tracking_events_s_default oversight; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY oversight ON staging.site_tracking_events_s_default FOR SELECT TO sitevault_auditor, sitevault_judge USING (true);

--
-- Name: site_tracking_events_s; Type: ROW SECURITY; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE staging.site_tracking_events_s ENABLE ROW LEVEL SECURITY;

--
-- Name: site_tracking_events_s_default; Type: ROW SECURITY; Schema: staging; Owner: sitevault_owner
--

ALTER TABLE staging.site_tracking_events_s_default ENABLE ROW LEVEL SECURITY;

--
-- Name: event_patch tenant_access; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON staging.event_patch TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_schema_s tenant_access; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON staging.event_schema_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: mapping_path_set tenant_access; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON staging.mapping_path_set TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_tracking_events_s tenant_access; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON staging.site_tracking_events_s TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_tracking_events_s_default tenant_access; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_access ON staging.site_tracking_events_s_default TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_patch tenant_active; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON staging.event_patch AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: event_schema_s tenant_active; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON staging.event_schema_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: mapping_path_set tenant_active; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON staging.mapping_path_set AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_tracking_events_s tenant_active; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON staging.site_tracking_events_s AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: site_tracking_events_s_default tenant_active; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_active ON staging.site_tracking_events_s_default AS RESTRICTIVE TO sitevault_reader USING (( SELECT auth.tenant_is_active() AS tenant_is_active)) WITH CHECK (( SELECT auth.tenant_is_active() AS tenant_is_active));

--
-- Name: event_patch tenant_boundary; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON staging.event_patch AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: event_schema_s tenant_boundary; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON staging.event_schema_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: mapping_path_set tenant_boundary; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON staging.mapping_path_set AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_tracking_events_s tenant_boundary; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON staging.site_tracking_events_s AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: site_tracking_events_s_default tenant_boundary; Type: POLICY; Schema: staging; Owner: sitevault_owner
--

CREATE POLICY tenant_boundary ON staging.site_tracking_events_s_default AS RESTRICTIVE TO sitevault_eraser, sitevault_owner, sitevault_reader USING ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk))) WITH CHECK ((tenant_hk = ( SELECT auth.current_tenant_hk() AS current_tenant_hk)));

--
-- Name: SCHEMA audit; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA audit TO sitevault_judge;
GRANT USAGE ON SCHEMA audit TO sitevault_auditor;

--
-- Name: SCHEMA auth; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA auth TO sitevault_collector;
GRANT USAGE ON SCHEMA auth TO sitevault_worker;
GRANT USAGE ON SCHEMA auth TO sitevault_reader;
GRANT USAGE ON SCHEMA auth TO sitevault_judge;
GRANT USAGE ON SCHEMA auth TO sitevault_auditor;
GRANT USAGE ON SCHEMA auth TO sitevault_eraser;

--
-- Name: SCHEMA business; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA business TO sitevault_worker;
GRANT USAGE ON SCHEMA business TO sitevault_reader;
GRANT USAGE ON SCHEMA business TO sitevault_judge;
GRANT USAGE ON SCHEMA business TO sitevault_auditor;
GRANT USAGE ON SCHEMA business TO sitevault_eraser;

--
-- Name: SCHEMA mart; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA mart TO sitevault_worker;
GRANT USAGE ON SCHEMA mart TO sitevault_reader;
GRANT USAGE ON SCHEMA mart TO sitevault_judge;
GRANT USAGE ON SCHEMA mart TO sitevault_auditor;

--
-- Name: SCHEMA ops; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA ops TO sitevault_migrator;
GRANT USAGE ON SCHEMA ops TO sitevault_worker;
GRANT USAGE ON SCHEMA ops TO sitevault_judge;
GRANT USAGE ON SCHEMA ops TO sitevault_auditor;
GRANT USAGE ON SCHEMA ops TO sitevault_reader;

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: pg_database_owner
--

REVOKE USAGE ON SCHEMA public FROM PUBLIC;

--
-- Name: SCHEMA raw; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA raw TO sitevault_collector;
GRANT USAGE ON SCHEMA raw TO sitevault_worker;
GRANT USAGE ON SCHEMA raw TO sitevault_reader;
GRANT USAGE ON SCHEMA raw TO sitevault_judge;
GRANT USAGE ON SCHEMA raw TO sitevault_auditor;

--
-- Name: SCHEMA staging; Type: ACL; Schema: -; Owner: sitevault_owner
--

GRANT USAGE ON SCHEMA staging TO sitevault_worker;
GRANT USAGE ON SCHEMA staging TO sitevault_reader;
GRANT USAGE ON SCHEMA staging TO sitevault_judge;
GRANT USAGE ON SCHEMA staging TO sitevault_auditor;

--
-- Name: FUNCTION current_tenant_hk(); Type: ACL; Schema: auth; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION auth.current_tenant_hk() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.current_tenant_hk() TO sitevault_reader;
GRANT ALL ON FUNCTION auth.current_tenant_hk() TO sitevault_eraser;
GRANT ALL ON FUNCTION auth.current_tenant_hk() TO sitevault_judge;
GRANT ALL ON FUNCTION auth.current_tenant_hk() TO sitevault_auditor;

--
-- Name: FUNCTION ring_the_keyrings(); Type: ACL; Schema: auth; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION auth.ring_the_keyrings() FROM PUBLIC;

--
-- Name: FUNCTION tenant_is_active(); Type: ACL; Schema: auth; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION auth.tenant_is_active() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.tenant_is_active() TO sitevault_reader;

--
-- Name: FUNCTION encode_part(part text); Type: ACL; Schema: business; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION business.encode_part(part text) FROM PUBLIC;
GRANT ALL ON FUNCTION business.encode_part(part text) TO sitevault_worker;
GRANT ALL ON FUNCTION business.encode_part(part text) TO sitevault_reader;
GRANT ALL ON FUNCTION business.encode_part(part text) TO sitevault_eraser;
GRANT ALL ON FUNCTION business.encode_part(part text) TO sitevault_judge;
GRANT ALL ON FUNCTION business.encode_part(part text) TO sitevault_auditor;

--
-- Name: FUNCTION tenant_key(tenant_bk text); Type: ACL; Schema: auth; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION auth.tenant_key(tenant_bk text) FROM PUBLIC;
GRANT ALL ON FUNCTION auth.tenant_key(tenant_bk text) TO sitevault_worker;
GRANT ALL ON FUNCTION auth.tenant_key(tenant_bk text) TO sitevault_judge;
GRANT ALL ON FUNCTION auth.tenant_key(tenant_bk text) TO sitevault_auditor;

--
-- Name: FUNCTION hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]); Type: ACL; Schema: business; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) TO sitevault_worker;
GRANT ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) TO sitevault_reader;
GRANT ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) TO sitevault_eraser;
GRANT ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) TO sitevault_judge;
GRANT ALL ON FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text[]) TO sitevault_auditor;

--
-- Name: FUNCTION forget_days(of_tenant bytea, of_days date[]); Type: ACL; Schema: mart; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION mart.forget_days(of_tenant bytea, of_days date[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mart.forget_days(of_tenant bytea, of_days date[]) TO sitevault_worker;

--
-- Name: FUNCTION funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]); Type: ACL; Schema: mart; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) TO sitevault_worker;
GRANT ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) TO sitevault_reader;
GRANT ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) TO sitevault_eraser;
GRANT ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) TO sitevault_judge;
GRANT ALL ON FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text[]) TO sitevault_auditor;

--
-- Name: FUNCTION attach_day(parent regclass, made regclass, day date); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.attach_day(parent regclass, made regclass, day date) FROM PUBLIC;

--
-- Name: FUNCTION begin_work(while_paused boolean); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.begin_work(while_paused boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.begin_work(while_paused boolean) TO sitevault_worker;

--
-- Name: FUNCTION day_bound(parent regclass, day date); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.day_bound(parent regclass, day date) FROM PUBLIC;

--
-- Name: FUNCTION empty_default(parent regclass); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.empty_default(parent regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.empty_default(parent regclass) TO sitevault_worker;

--
-- Name: FUNCTION ensure_partition(parent regclass, day date); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.ensure_partition(parent regclass, day date) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.ensure_partition(parent regclass, day date) TO sitevault_worker;

--
-- Name: FUNCTION ensure_partitions_ahead(days_ahead integer); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.ensure_partitions_ahead(days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.ensure_partitions_ahead(days_ahead integer) TO sitevault_worker;

--
-- Name: FUNCTION make_day(parent regclass, day date); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.make_day(parent regclass, day date) FROM PUBLIC;

--
-- Name: FUNCTION policy_dialect(); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.policy_dialect() FROM PUBLIC;

--
-- Name: FUNCTION secure_table(secured regclass); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.secure_table(secured regclass) FROM PUBLIC;

--
-- Name: FUNCTION tenant_test(secured regclass); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.tenant_test(secured regclass) FROM PUBLIC;

--
-- Name: FUNCTION wait_for_loads(parent regclass); Type: ACL; Schema: ops; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION ops.wait_for_loads(parent regclass) FROM PUBLIC;

--
-- Name: FUNCTION lo_creat(integer); Type: ACL; Schema: pg_catalog; Owner: postgres
--

REVOKE ALL ON FUNCTION pg_catalog.lo_creat(integer) FROM PUBLIC;

--
-- Name: FUNCTION lo_create(oid); Type: ACL; Schema: pg_catalog; Owner: postgres
--

REVOKE ALL ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;

--
-- Name: FUNCTION lo_from_bytea(oid, bytea); Type: ACL; Schema: pg_catalog; Owner: postgres
--

REVOKE ALL ON FUNCTION pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;

--
-- Name: FUNCTION requeue_instead_of_update(); Type: ACL; Schema: raw; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION raw.requeue_instead_of_update() FROM PUBLIC;
GRANT ALL ON FUNCTION raw.requeue_instead_of_update() TO sitevault_worker;

--
-- Name: FUNCTION supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]); Type: ACL; Schema: staging; Owner: sitevault_owner
--

REVOKE ALL ON FUNCTION staging.supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION staging.supersede(of_tenant bytea, in_batches bigint[], of_events bigint[]) TO sitevault_worker;

--
-- Name: TABLE entry; Type: ACL; Schema: audit; Owner: sitevault_owner
--

GRANT SELECT ON TABLE audit.entry TO sitevault_auditor;

--
-- Name: TABLE api_key_h; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.api_key_h TO sitevault_collector;
GRANT SELECT ON TABLE auth.api_key_h TO sitevault_worker;
GRANT SELECT ON TABLE auth.api_key_h TO sitevault_judge;
GRANT SELECT ON TABLE auth.api_key_h TO sitevault_auditor;

--
-- Name: TABLE api_key_s; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.api_key_s TO sitevault_collector;
GRANT SELECT ON TABLE auth.api_key_s TO sitevault_worker;
GRANT SELECT ON TABLE auth.api_key_s TO sitevault_judge;
GRANT SELECT ON TABLE auth.api_key_s TO sitevault_auditor;

--
-- Name: TABLE api_key_v; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.api_key_v TO sitevault_collector;
GRANT SELECT ON TABLE auth.api_key_v TO sitevault_worker;
GRANT SELECT ON TABLE auth.api_key_v TO sitevault_judge;
GRANT SELECT ON TABLE auth.api_key_v TO sitevault_auditor;

--
-- Name: TABLE tenant_h; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.tenant_h TO sitevault_collector;
GRANT SELECT ON TABLE auth.tenant_h TO sitevault_worker;
GRANT SELECT ON TABLE auth.tenant_h TO sitevault_reader;
GRANT SELECT ON TABLE auth.tenant_h TO sitevault_judge;
GRANT SELECT ON TABLE auth.tenant_h TO sitevault_auditor;

--
-- Name: TABLE tenant_profile_s; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.tenant_profile_s TO sitevault_collector;
GRANT SELECT ON TABLE auth.tenant_profile_s TO sitevault_worker;
GRANT SELECT ON TABLE auth.tenant_profile_s TO sitevault_reader;
GRANT SELECT ON TABLE auth.tenant_profile_s TO sitevault_judge;
GRANT SELECT ON TABLE auth.tenant_profile_s TO sitevault_auditor;

--
-- Name: TABLE tenant_secret; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.tenant_secret TO sitevault_worker;

--
-- Name: TABLE tenant_v; Type: ACL; Schema: auth; Owner: sitevault_owner
--

GRANT SELECT ON TABLE auth.tenant_v TO sitevault_collector;
GRANT SELECT ON TABLE auth.tenant_v TO sitevault_worker;
GRANT SELECT ON TABLE auth.tenant_v TO sitevault_reader;
GRANT SELECT ON TABLE auth.tenant_v TO sitevault_judge;
GRANT SELECT ON TABLE auth.tenant_v TO sitevault_auditor;

--
-- Name: TABLE site_campaign_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_campaign_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_campaign_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_campaign_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_campaign_h TO sitevault_auditor;

--
-- Name: TABLE site_event_nl; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_event_nl TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_nl TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_nl TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_nl TO sitevault_auditor;

--
-- Name: TABLE site_event_details_s; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_details_s TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_details_s TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_details_s TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_details_s TO sitevault_auditor;

--
-- Name: TABLE site_event_duplicate; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_event_duplicate TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_duplicate TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_duplicate TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_duplicate TO sitevault_auditor;

--
-- Name: TABLE site_event_enrichment_s; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_event_enrichment_s TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_enrichment_s TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_enrichment_s TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_enrichment_s TO sitevault_auditor;

--
-- Name: TABLE site_event_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_h TO sitevault_auditor;

--
-- Name: TABLE site_event_page_l; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_page_l TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_page_l TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_page_l TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_page_l TO sitevault_auditor;

--
-- Name: TABLE site_event_pii_ns; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_event_pii_ns TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_pii_ns TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_pii_ns TO sitevault_auditor;
GRANT SELECT,DELETE ON TABLE business.site_event_pii_ns TO sitevault_eraser;

--
-- Name: TABLE site_event_session_l; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_session_l TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_session_l TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_session_l TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_session_l TO sitevault_auditor;

--
-- Name: TABLE site_event_v; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_v TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_v TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_v TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_v TO sitevault_auditor;

--
-- Name: TABLE site_event_visitor_l; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_event_visitor_l TO sitevault_worker;
GRANT SELECT ON TABLE business.site_event_visitor_l TO sitevault_reader;
GRANT SELECT ON TABLE business.site_event_visitor_l TO sitevault_judge;
GRANT SELECT ON TABLE business.site_event_visitor_l TO sitevault_auditor;

--
-- Name: TABLE site_page_details_s; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_page_details_s TO sitevault_worker;
GRANT SELECT ON TABLE business.site_page_details_s TO sitevault_reader;
GRANT SELECT ON TABLE business.site_page_details_s TO sitevault_judge;
GRANT SELECT ON TABLE business.site_page_details_s TO sitevault_auditor;

--
-- Name: TABLE site_page_details_v; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_page_details_v TO sitevault_worker;
GRANT SELECT ON TABLE business.site_page_details_v TO sitevault_reader;
GRANT SELECT ON TABLE business.site_page_details_v TO sitevault_judge;
GRANT SELECT ON TABLE business.site_page_details_v TO sitevault_auditor;

--
-- Name: TABLE site_page_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_page_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_page_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_page_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_page_h TO sitevault_auditor;

--
-- Name: TABLE site_session_details_s; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_session_details_s TO sitevault_worker;
GRANT SELECT ON TABLE business.site_session_details_s TO sitevault_reader;
GRANT SELECT ON TABLE business.site_session_details_s TO sitevault_judge;
GRANT SELECT ON TABLE business.site_session_details_s TO sitevault_auditor;

--
-- Name: TABLE site_session_details_v; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_session_details_v TO sitevault_worker;
GRANT SELECT ON TABLE business.site_session_details_v TO sitevault_reader;
GRANT SELECT ON TABLE business.site_session_details_v TO sitevault_judge;
GRANT SELECT ON TABLE business.site_session_details_v TO sitevault_auditor;

--
-- Name: TABLE site_session_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_session_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_session_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_session_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_session_h TO sitevault_auditor;

--
-- Name: TABLE site_session_visitor_l; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_session_visitor_l TO sitevault_worker;
GRANT SELECT ON TABLE business.site_session_visitor_l TO sitevault_reader;
GRANT SELECT ON TABLE business.site_session_visitor_l TO sitevault_judge;
GRANT SELECT ON TABLE business.site_session_visitor_l TO sitevault_auditor;

--
-- Name: TABLE site_user_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_user_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_user_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_user_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_user_h TO sitevault_auditor;

--
-- Name: TABLE site_visitor_details_s; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_visitor_details_s TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_details_s TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_details_s TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_details_s TO sitevault_auditor;

--
-- Name: TABLE site_visitor_details_v; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_visitor_details_v TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_details_v TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_details_v TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_details_v TO sitevault_auditor;

--
-- Name: TABLE site_visitor_h; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_visitor_h TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_h TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_h TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_h TO sitevault_auditor;

--
-- Name: TABLE site_visitor_user_es; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_visitor_user_es TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_user_es TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_user_es TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_user_es TO sitevault_auditor;

--
-- Name: TABLE site_visitor_user_l; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE business.site_visitor_user_l TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_user_l TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_user_l TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_user_l TO sitevault_auditor;

--
-- Name: TABLE site_visitor_user_v; Type: ACL; Schema: business; Owner: sitevault_owner
--

GRANT SELECT ON TABLE business.site_visitor_user_v TO sitevault_worker;
GRANT SELECT ON TABLE business.site_visitor_user_v TO sitevault_reader;
GRANT SELECT ON TABLE business.site_visitor_user_v TO sitevault_judge;
GRANT SELECT ON TABLE business.site_visitor_user_v TO sitevault_auditor;

--
-- Name: TABLE device_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE mart.device_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.device_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.device_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.device_day_f TO sitevault_auditor;

--
-- Name: TABLE event_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE mart.event_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.event_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.event_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.event_day_f TO sitevault_auditor;

--
-- Name: TABLE rolled_day; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE mart.rolled_day TO sitevault_worker;
GRANT SELECT ON TABLE mart.rolled_day TO sitevault_reader;
GRANT SELECT ON TABLE mart.rolled_day TO sitevault_judge;
GRANT SELECT ON TABLE mart.rolled_day TO sitevault_auditor;

--
-- Name: TABLE open_day_v; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT ON TABLE mart.open_day_v TO sitevault_worker;
GRANT SELECT ON TABLE mart.open_day_v TO sitevault_reader;
GRANT SELECT ON TABLE mart.open_day_v TO sitevault_judge;
GRANT SELECT ON TABLE mart.open_day_v TO sitevault_auditor;

--
-- Name: TABLE session_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE mart.session_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.session_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.session_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.session_f TO sitevault_auditor;

--
-- Name: TABLE device_day_v; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT ON TABLE mart.device_day_v TO sitevault_worker;
GRANT SELECT ON TABLE mart.device_day_v TO sitevault_reader;
GRANT SELECT ON TABLE mart.device_day_v TO sitevault_judge;
GRANT SELECT ON TABLE mart.device_day_v TO sitevault_auditor;

--
-- Name: TABLE page_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE mart.page_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.page_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.page_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.page_day_f TO sitevault_auditor;

--
-- Name: TABLE path_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE mart.path_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.path_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.path_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.path_day_f TO sitevault_auditor;

--
-- Name: TABLE path_session_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE mart.path_session_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.path_session_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.path_session_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.path_session_f TO sitevault_auditor;

--
-- Name: TABLE source_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE mart.source_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.source_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.source_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.source_day_f TO sitevault_auditor;

--
-- Name: TABLE source_day_v; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT ON TABLE mart.source_day_v TO sitevault_worker;
GRANT SELECT ON TABLE mart.source_day_v TO sitevault_reader;
GRANT SELECT ON TABLE mart.source_day_v TO sitevault_judge;
GRANT SELECT ON TABLE mart.source_day_v TO sitevault_auditor;

--
-- Name: TABLE visitor_day_f; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE mart.visitor_day_f TO sitevault_worker;
GRANT SELECT ON TABLE mart.visitor_day_f TO sitevault_reader;
GRANT SELECT ON TABLE mart.visitor_day_f TO sitevault_judge;
GRANT SELECT ON TABLE mart.visitor_day_f TO sitevault_auditor;

--
-- Name: TABLE visitor_day_v; Type: ACL; Schema: mart; Owner: sitevault_owner
--

GRANT SELECT ON TABLE mart.visitor_day_v TO sitevault_worker;
GRANT SELECT ON TABLE mart.visitor_day_v TO sitevault_reader;
GRANT SELECT ON TABLE mart.visitor_day_v TO sitevault_judge;
GRANT SELECT ON TABLE mart.visitor_day_v TO sitevault_auditor;

--
-- Name: TABLE environment; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.environment TO sitevault_judge;
GRANT SELECT ON TABLE ops.environment TO sitevault_auditor;

--
-- Name: TABLE ledger_d; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE ops.ledger_d TO sitevault_worker;
GRANT SELECT ON TABLE ops.ledger_d TO sitevault_reader;
GRANT SELECT ON TABLE ops.ledger_d TO sitevault_judge;
GRANT SELECT ON TABLE ops.ledger_d TO sitevault_auditor;

--
-- Name: TABLE load; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE ops.load TO sitevault_worker;
GRANT SELECT ON TABLE ops.load TO sitevault_judge;
GRANT SELECT ON TABLE ops.load TO sitevault_auditor;

--
-- Name: SEQUENCE load_id_seq; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT USAGE ON SEQUENCE ops.load_id_seq TO sitevault_worker;
GRANT SELECT ON SEQUENCE ops.load_id_seq TO sitevault_auditor;

--
-- Name: TABLE migration; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.migration TO sitevault_judge;
GRANT SELECT ON TABLE ops.migration TO sitevault_auditor;
GRANT SELECT ON TABLE ops.migration TO sitevault_migrator;
GRANT SELECT ON TABLE ops.migration TO sitevault_worker;

--
-- Name: TABLE object_set; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.object_set TO sitevault_judge;
GRANT SELECT ON TABLE ops.object_set TO sitevault_auditor;
GRANT SELECT ON TABLE ops.object_set TO sitevault_migrator;
GRANT SELECT ON TABLE ops.object_set TO sitevault_worker;

--
-- Name: TABLE pause; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.pause TO sitevault_worker;
GRANT SELECT ON TABLE ops.pause TO sitevault_judge;
GRANT SELECT ON TABLE ops.pause TO sitevault_auditor;

--
-- Name: TABLE release; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release TO sitevault_judge;
GRANT SELECT ON TABLE ops.release TO sitevault_auditor;

--
-- Name: TABLE release_attestation; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release_attestation TO sitevault_judge;
GRANT SELECT ON TABLE ops.release_attestation TO sitevault_auditor;

--
-- Name: TABLE release_file; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release_file TO sitevault_judge;
GRANT SELECT ON TABLE ops.release_file TO sitevault_auditor;

--
-- Name: TABLE release_journal; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release_journal TO sitevault_judge;
GRANT SELECT ON TABLE ops.release_journal TO sitevault_auditor;

--
-- Name: SEQUENCE release_journal_entry_seq; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON SEQUENCE ops.release_journal_entry_seq TO sitevault_auditor;

--
-- Name: TABLE release_object; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release_object TO sitevault_judge;
GRANT SELECT ON TABLE ops.release_object TO sitevault_auditor;

--
-- Name: TABLE release_observation; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.release_observation TO sitevault_judge;
GRANT SELECT ON TABLE ops.release_observation TO sitevault_auditor;

--
-- Name: SEQUENCE release_place_seq; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON SEQUENCE ops.release_place_seq TO sitevault_auditor;

--
-- Name: TABLE removed_d; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.removed_d TO sitevault_reader;
GRANT SELECT ON TABLE ops.removed_d TO sitevault_judge;
GRANT SELECT ON TABLE ops.removed_d TO sitevault_auditor;

--
-- Name: TABLE repair; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.repair TO sitevault_judge;
GRANT SELECT ON TABLE ops.repair TO sitevault_auditor;

--
-- Name: TABLE repair_object; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.repair_object TO sitevault_judge;
GRANT SELECT ON TABLE ops.repair_object TO sitevault_auditor;

--
-- Name: TABLE repair_row; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT ON TABLE ops.repair_row TO sitevault_judge;
GRANT SELECT ON TABLE ops.repair_row TO sitevault_auditor;

--
-- Name: TABLE replay; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE ops.replay TO sitevault_worker;
GRANT SELECT ON TABLE ops.replay TO sitevault_judge;
GRANT SELECT ON TABLE ops.replay TO sitevault_auditor;

--
-- Name: TABLE replay_event; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE ops.replay_event TO sitevault_worker;
GRANT SELECT ON TABLE ops.replay_event TO sitevault_judge;
GRANT SELECT ON TABLE ops.replay_event TO sitevault_auditor;

--
-- Name: SEQUENCE replay_id_seq; Type: ACL; Schema: ops; Owner: sitevault_owner
--

GRANT USAGE ON SEQUENCE ops.replay_id_seq TO sitevault_worker;
GRANT SELECT ON SEQUENCE ops.replay_id_seq TO sitevault_auditor;

--
-- Name: TABLE batch; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT INSERT ON TABLE raw.batch TO sitevault_collector;
GRANT SELECT ON TABLE raw.batch TO sitevault_worker;
GRANT SELECT ON TABLE raw.batch TO sitevault_judge;
GRANT SELECT ON TABLE raw.batch TO sitevault_auditor;

--
-- Name: COLUMN batch.batch_id; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT SELECT(batch_id) ON TABLE raw.batch TO sitevault_reader;

--
-- Name: COLUMN batch.received_timestamp; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT SELECT(received_timestamp) ON TABLE raw.batch TO sitevault_reader;

--
-- Name: COLUMN batch.state; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(state) ON TABLE raw.batch TO sitevault_worker;
GRANT SELECT(state) ON TABLE raw.batch TO sitevault_reader;

--
-- Name: COLUMN batch.attempts; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(attempts) ON TABLE raw.batch TO sitevault_worker;

--
-- Name: COLUMN batch.not_before; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(not_before) ON TABLE raw.batch TO sitevault_worker;

--
-- Name: COLUMN batch.last_error; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(last_error) ON TABLE raw.batch TO sitevault_worker;

--
-- Name: COLUMN batch.load_id; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(load_id) ON TABLE raw.batch TO sitevault_worker;
GRANT SELECT(load_id) ON TABLE raw.batch TO sitevault_reader;

--
-- Name: COLUMN batch.processed_timestamp; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT UPDATE(processed_timestamp) ON TABLE raw.batch TO sitevault_worker;
GRANT SELECT(processed_timestamp) ON TABLE raw.batch TO sitevault_reader;

--
-- Name: SEQUENCE batch_id_seq; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT USAGE ON SEQUENCE raw.batch_id_seq TO sitevault_collector;
GRANT SELECT ON SEQUENCE raw.batch_id_seq TO sitevault_auditor;

--
-- Name: TABLE dead_letter; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE raw.dead_letter TO sitevault_worker;
GRANT SELECT ON TABLE raw.dead_letter TO sitevault_reader;
GRANT SELECT ON TABLE raw.dead_letter TO sitevault_judge;
GRANT SELECT ON TABLE raw.dead_letter TO sitevault_auditor;

--
-- Name: TABLE landed_event; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT INSERT ON TABLE raw.landed_event TO sitevault_collector;
GRANT SELECT ON TABLE raw.landed_event TO sitevault_worker;
GRANT SELECT ON TABLE raw.landed_event TO sitevault_reader;
GRANT SELECT ON TABLE raw.landed_event TO sitevault_judge;
GRANT SELECT ON TABLE raw.landed_event TO sitevault_auditor;

--
-- Name: TABLE site_tracking_events_r; Type: ACL; Schema: raw; Owner: sitevault_owner
--

GRANT SELECT,UPDATE ON TABLE raw.site_tracking_events_r TO sitevault_worker;
GRANT SELECT ON TABLE raw.site_tracking_events_r TO sitevault_reader;
GRANT SELECT ON TABLE raw.site_tracking_events_r TO sitevault_judge;
GRANT SELECT ON TABLE raw.site_tracking_events_r TO sitevault_auditor;

--
-- Name: TABLE event_patch; Type: ACL; Schema: staging; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE staging.event_patch TO sitevault_worker;
GRANT SELECT ON TABLE staging.event_patch TO sitevault_judge;
GRANT SELECT ON TABLE staging.event_patch TO sitevault_auditor;

--
-- Name: TABLE event_schema_s; Type: ACL; Schema: staging; Owner: sitevault_owner
--

GRANT SELECT ON TABLE staging.event_schema_s TO sitevault_worker;
GRANT SELECT ON TABLE staging.event_schema_s TO sitevault_judge;
GRANT SELECT ON TABLE staging.event_schema_s TO sitevault_auditor;

--
-- Name: TABLE mapping_path_set; Type: ACL; Schema: staging; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE staging.mapping_path_set TO sitevault_worker;
GRANT SELECT ON TABLE staging.mapping_path_set TO sitevault_reader;
GRANT SELECT ON TABLE staging.mapping_path_set TO sitevault_judge;
GRANT SELECT ON TABLE staging.mapping_path_set TO sitevault_auditor;

--
-- Name: TABLE site_tracking_events_s; Type: ACL; Schema: staging; Owner: sitevault_owner
--

GRANT SELECT,INSERT ON TABLE staging.site_tracking_events_s TO sitevault_worker;
GRANT SELECT ON TABLE staging.site_tracking_events_s TO sitevault_reader;
GRANT SELECT ON TABLE staging.site_tracking_events_s TO sitevault_judge;
GRANT SELECT ON TABLE staging.site_tracking_events_s TO sitevault_auditor;

--
-- Name: DEFAULT PRIVILEGES FOR TYPES; Type: DEFAULT ACL; Schema: -; Owner: sitevault_owner
--

ALTER DEFAULT PRIVILEGES FOR ROLE sitevault_owner REVOKE ALL ON TYPES FROM PUBLIC;

--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: sitevault_owner
--

ALTER DEFAULT PRIVILEGES FOR ROLE sitevault_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;
