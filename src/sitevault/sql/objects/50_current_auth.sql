-- The newest row of every satellite of auth, and the bell that wakes the keyrings.
DROP VIEW IF EXISTS auth.tenant_v;
CREATE VIEW auth.tenant_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    h.tenant_hk,
    h.tenant_bk,
    s.name,
    s.status,
    s.ip_policy,
    s.mapping,
    h.load_date AS created_at,
    s.load_date AS changed_at
FROM auth.tenant_h AS h
CROSS JOIN LATERAL (
    SELECT p.name, p.status, p.ip_policy, p.mapping, p.load_date
    FROM auth.tenant_profile_s AS p
    WHERE p.tenant_hk = h.tenant_hk
    ORDER BY p.load_date DESC
    LIMIT 1
) AS s;

DROP VIEW IF EXISTS auth.api_key_v;
CREATE VIEW auth.api_key_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    h.tenant_hk,
    h.api_key_hk,
    s.kind,
    s.label,
    s.allowed_origins,
    s.rate_limit,
    s.status,
    h.load_date AS created_at,
    s.load_date AS changed_at
FROM auth.api_key_h AS h
CROSS JOIN LATERAL (
    SELECT k.kind, k.label, k.allowed_origins, k.rate_limit, k.status, k.load_date
    FROM auth.api_key_s AS k
    WHERE k.tenant_hk = h.tenant_hk AND k.api_key_hk = h.api_key_hk
    ORDER BY k.load_date DESC
    LIMIT 1
) AS s;

CREATE OR REPLACE FUNCTION auth.ring_the_keyrings() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('sitevault_keys', '');
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER ring_the_keyrings AFTER INSERT OR UPDATE OR DELETE ON auth.tenant_profile_s
FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();
CREATE OR REPLACE TRIGGER ring_the_keyrings AFTER INSERT OR UPDATE OR DELETE ON auth.api_key_s
FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();
CREATE OR REPLACE TRIGGER ring_the_keyrings AFTER INSERT OR UPDATE OR DELETE ON staging.event_schema_s
FOR EACH STATEMENT EXECUTE FUNCTION auth.ring_the_keyrings();

COMMENT ON VIEW auth.tenant_v IS
'Tenants as they are now.';
COMMENT ON VIEW auth.api_key_v IS
'API keys as they are now.';
COMMENT ON FUNCTION auth.ring_the_keyrings() IS
'Tells every process within a moment that tenants, keys or schemas changed.';
