-- The roles of the product and what they may do with this database as a whole. Run by an administrator, again
-- and again without harm; what a role may do with a table stands beside the table, in objects/.

-- Creating in two sessions at once would fail in one of them.
SELECT pg_advisory_xact_lock(hashtext('sitevault roles'));

DO $roles$
DECLARE
    wanted  record;
    present record;
BEGIN
    FOR wanted IN
        -- COPY is refused to roles under row-level security and one flush carries many tenants, so collector
        -- and worker bypass it; the collector can read nothing but keys, the worker joins on tenant_hk.
        SELECT * FROM (VALUES
            ('sitevault_owner',     false, false),
            ('sitevault_migrator',  true,  false),
            ('sitevault_collector', true,  true),
            ('sitevault_worker',    true,  true),
            ('sitevault_reader',    true,  false),
            ('sitevault_judge',     true,  false),
            ('sitevault_auditor',   true,  false),
            ('sitevault_eraser',    true,  false)
        ) AS role (name, can_login, bypasses_rls)
    LOOP
        SELECT * INTO present FROM pg_roles WHERE rolname = wanted.name;
        IF NOT FOUND THEN
            EXECUTE format(
                'CREATE ROLE %I %s %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT',
                wanted.name,
                CASE WHEN wanted.can_login THEN 'LOGIN' ELSE 'NOLOGIN' END,
                CASE WHEN wanted.bypasses_rls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END
            );
        ELSIF (present.rolcanlogin, present.rolbypassrls, present.rolsuper, present.rolcreatedb,
               present.rolcreaterole, present.rolreplication, present.rolinherit)
            IS DISTINCT FROM (wanted.can_login, wanted.bypasses_rls, false, false, false, false, false)
        THEN
            EXECUTE format(
                'ALTER ROLE %I %s %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT',
                wanted.name,
                CASE WHEN wanted.can_login THEN 'LOGIN' ELSE 'NOLOGIN' END,
                CASE WHEN wanted.bypasses_rls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END
            );
        END IF;

        -- Names are written out everywhere; should one not be, nothing a user could make is found for it.
        EXECUTE format('ALTER ROLE %I SET search_path = pg_catalog, pg_temp', wanted.name);
        -- A date never depends on where a program runs.
        EXECUTE format('ALTER ROLE %I SET timezone = %L', wanted.name, 'UTC');
    END LOOP;
END
$roles$;

-- SET ROLE is the only thing the migrator's memberships are for: it inherits nothing (NOINHERIT above). As the owner
-- it migrates; as the worker it tries a release, before it is committed, with the worker's rights and no others.
DO $membership$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['sitevault_owner', 'sitevault_worker'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_auth_members
            WHERE roleid = role::regrole AND member = 'sitevault_migrator'::regrole
        ) THEN
            EXECUTE format('GRANT %I TO sitevault_migrator', role);
        END IF;
    END LOOP;
END
$membership$;

ALTER ROLE sitevault_collector SET statement_timeout = '30s';
ALTER ROLE sitevault_collector SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE sitevault_worker SET idle_in_transaction_session_timeout = '10min';

ALTER ROLE sitevault_reader SET default_transaction_read_only = on;
ALTER ROLE sitevault_reader SET statement_timeout = '30s';
ALTER ROLE sitevault_reader SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE sitevault_judge SET default_transaction_read_only = on;
ALTER ROLE sitevault_judge SET statement_timeout = '5min';
ALTER ROLE sitevault_auditor SET default_transaction_read_only = on;
ALTER ROLE sitevault_auditor SET statement_timeout = '5min';

-- What PostgreSQL lets everybody do, and tenants' readers must not be able to. Only a superuser may say so; on a
-- managed server they stay as they are, and `sitevault audit isolation` tells.
DO $closed_doors$
BEGIN
    -- All of a tenant's readers share one role, and a role sees the text of its own sessions' statements.
    ALTER ROLE sitevault_reader SET track_activities = off;
    -- A large object has no row-level security: what one reader puts there, every other can read.
    REVOKE EXECUTE ON FUNCTION
    pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea)
    FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$closed_doors$;

-- The database is Sitevault's alone: whoever is not named here cannot even connect.
DO $database$
DECLARE
    database text := quote_ident(current_database());
BEGIN
    EXECUTE 'REVOKE ALL ON DATABASE ' || database || ' FROM PUBLIC';
    EXECUTE 'GRANT CREATE, CONNECT ON DATABASE ' || database || ' TO sitevault_owner';
    EXECUTE 'GRANT CONNECT ON DATABASE ' || database || ' TO sitevault_migrator, sitevault_collector, '
        'sitevault_worker, sitevault_reader, sitevault_judge, sitevault_auditor, sitevault_eraser';
    EXECUTE 'GRANT TEMPORARY ON DATABASE ' || database || ' TO sitevault_worker';
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public') THEN
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;
END
$database$;
