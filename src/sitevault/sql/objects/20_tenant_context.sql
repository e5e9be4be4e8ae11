-- Whose rows a session under row-level security may see: set with SET LOCAL, so it ends with its transaction.
CREATE OR REPLACE FUNCTION auth.current_tenant_hk() RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.current_setting('sitevault.tenant_hk', true) ~ '^[0-9a-f]{64}$'
        THEN pg_catalog.decode(pg_catalog.current_setting('sitevault.tenant_hk', true), 'hex')
END;

-- Whether that tenant is known and not suspended. A reader may ask only this of its own context: the function
-- runs as the owner, whom row-level security holds to the same context. A suspended tenant's data can still be
-- administered and erased, so the owner's and the eraser's policies do not ask.
CREATE OR REPLACE FUNCTION auth.tenant_is_active() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((
        SELECT p.status = 'active'
        FROM auth.tenant_profile_s AS p
        WHERE p.tenant_hk = auth.current_tenant_hk()
        ORDER BY p.load_date DESC
        LIMIT 1
    ), false)
$$;

-- How policies must be written here. `plain`: in a sub-select, which is evaluated once per statement (bare, it is
-- evaluated for every row: twice the time of a scan). `citus`: bare, because policies of distributed tables may
-- hold no sub-select; and a policy on a shard cannot ask another table, so there the suspended are kept out by
-- the collector alone. `sitevault.policy_dialect` says which where the extension does not.
CREATE OR REPLACE FUNCTION ops.policy_dialect() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        nullif(current_setting('sitevault.policy_dialect', true), ''),
        CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN 'citus' ELSE 'plain' END
    )
$$;

-- The test by which every policy of a table knows its tenant's rows.
CREATE OR REPLACE FUNCTION ops.tenant_test(secured regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(
        CASE WHEN secured = 'raw.batch'::regclass THEN '%s = ANY (tenant_hks)' ELSE 'tenant_hk = %s' END,
        CASE ops.policy_dialect()
            WHEN 'citus' THEN 'auth.current_tenant_hk()' ELSE '(SELECT auth.current_tenant_hk())'
        END
    )
$$;

-- The one place that makes policies: for every table and every partition alike.
CREATE OR REPLACE FUNCTION ops.secure_table(secured regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = 'warning'
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

COMMENT ON FUNCTION auth.current_tenant_hk() IS
'The tenant whose rows this transaction may see; NULL, and so no rows, where there is none.';
COMMENT ON FUNCTION auth.tenant_is_active() IS
'Whether the tenant of this transaction is known and not suspended.';
COMMENT ON FUNCTION ops.policy_dialect() IS
'The dialect policies are made in: plain PostgreSQL, or Citus, which allows no sub-select in them.';
COMMENT ON FUNCTION ops.tenant_test(regclass) IS
'The condition a table''s tenant policies test.';
COMMENT ON FUNCTION ops.secure_table(regclass) IS
'Force row-level security on a table or partition and make its policies.';
