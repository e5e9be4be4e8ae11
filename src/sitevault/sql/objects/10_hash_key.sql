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
