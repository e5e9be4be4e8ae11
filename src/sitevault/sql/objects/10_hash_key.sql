-- The SQL twin of hashkeys.py, for audits: loads bring their keys ready-made from Python.
-- STABLE because convert_to() is: PostgreSQL inlines no SQL function that claims to be more than its body, and a
-- call that is not inlined costs 12 us.
CREATE OR REPLACE FUNCTION business.encode_part(part text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN part IS NULL THEN '\x00'::bytea
    ELSE '\x01'::bytea
        || pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.normalize(part, 'NFC')))
        || pg_catalog.convert_to(pg_catalog.normalize(part, 'NFC'), 'UTF8')
END;

CREATE OR REPLACE FUNCTION business.hash_key(domain text, tenant_hk bytea, VARIADIC parts text []) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.sha256(
    '\x01'::bytea || business.encode_part(domain) || tenant_hk
    || (
        SELECT pg_catalog.string_agg(business.encode_part(listed.part), ''::bytea ORDER BY listed.place)
        FROM ROWS FROM (pg_catalog.unnest(parts)) WITH ORDINALITY AS listed (part, place)
    )
);

CREATE OR REPLACE FUNCTION auth.tenant_key(tenant_bk text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.sha256('\x01'::bytea || business.encode_part('tenant') || business.encode_part(tenant_bk));

COMMENT ON FUNCTION business.encode_part(text) IS
'One part of a business key as bytes no other part can imitate.';
COMMENT ON FUNCTION business.hash_key(text, bytea, text []) IS
'The hash key of a business key within a tenant, as hashkeys.hash_key computes it.';
COMMENT ON FUNCTION auth.tenant_key(text) IS
'The tenant_hk of a tenant id.';
