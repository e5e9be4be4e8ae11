-- Whose rows a session under row-level security may see: set with SET LOCAL, so it ends with its transaction.
CREATE OR REPLACE FUNCTION auth.current_tenant_hk() RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.current_setting('sitevault.tenant_hk', true) ~ '^[0-9a-f]{64}$'
        THEN pg_catalog.decode(pg_catalog.current_setting('sitevault.tenant_hk', true), 'hex')
END;

-- The one place that makes policies: for every table and every partition alike.
CREATE OR REPLACE FUNCTION ops.secure_table(secured regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = 'warning'
AS $$
DECLARE
    tenant_test text;
BEGIN
    tenant_test := CASE
        WHEN secured = 'raw.batch'::regclass
        THEN '(SELECT auth.current_tenant_hk()) = ANY (tenant_hks)'
        ELSE 'tenant_hk = (SELECT auth.current_tenant_hk())'
    END;
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
    EXECUTE format('DROP POLICY IF EXISTS oversight ON %s', secured);
    EXECUTE format(
        'CREATE POLICY oversight ON %s FOR SELECT TO sitevault_judge, sitevault_auditor USING (true)', secured
    );
END
$$;
