-- Row-level security on every table of tenant data, made by the one function that makes it.
DO $$
DECLARE
    secured regclass;
BEGIN
    FOR secured IN
        SELECT c.oid
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')
            AND c.relkind IN ('r', 'p')
            AND (
                c.oid = 'raw.batch'::regclass
                OR EXISTS (
                    SELECT 1 FROM pg_catalog.pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attname = 'tenant_hk' AND NOT a.attisdropped
                )
            )
        ORDER BY c.oid
    LOOP
        PERFORM ops.secure_table(secured);
    END LOOP;
END
$$;
