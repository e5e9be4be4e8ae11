-- Tenants and keys. A key is stored as its SHA-256 only; what changes over time sits in insert-only satellites.
CREATE TABLE auth.tenant_h (
    tenant_hk bytea NOT NULL,
    tenant_bk text NOT NULL,
    load_date timestamptz NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT tenant_h_pk PRIMARY KEY (tenant_hk),
    CONSTRAINT tenant_h_hk_is_sha256 CHECK (octet_length(tenant_hk) = 32),
    CONSTRAINT tenant_h_bk_is_a_short_name CHECK (tenant_bk ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);
COMMENT ON TABLE auth.tenant_h IS 'Hub of tenants. tenant_bk is an id, not a name: two tenants may share a name.';

CREATE TABLE auth.tenant_profile_s (
    tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    ip_policy text NOT NULL,
    mapping jsonb NOT NULL,
    hash_diff bytea NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT tenant_profile_s_pk PRIMARY KEY (tenant_hk, load_date),
    CONSTRAINT tenant_profile_s_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h (tenant_hk),
    -- active -> suspended -> active: a suspended tenant's keys are refused with 403
    CONSTRAINT tenant_profile_s_status CHECK (status IN ('active', 'suspended')),
    CONSTRAINT tenant_profile_s_ip_policy CHECK (ip_policy IN ('truncate', 'full', 'none')),
    CONSTRAINT tenant_profile_s_hash_diff_is_sha256 CHECK (octet_length(hash_diff) = 32)
);
COMMENT ON TABLE auth.tenant_profile_s IS 'What is known of a tenant, one row per change; the newest counts.';

CREATE TABLE auth.tenant_secret (
    tenant_hk bytea NOT NULL,
    secret bytea NOT NULL,
    load_date timestamptz NOT NULL,
    CONSTRAINT tenant_secret_pk PRIMARY KEY (tenant_hk),
    CONSTRAINT tenant_secret_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h (tenant_hk),
    CONSTRAINT tenant_secret_is_256_bits CHECK (octet_length(secret) = 32)
);
COMMENT ON TABLE auth.tenant_secret IS 'The HMAC secret by which a tenant''s user ids become pseudonyms.';

CREATE TABLE auth.api_key_h (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT api_key_h_pk PRIMARY KEY (tenant_hk, api_key_hk),
    CONSTRAINT api_key_h_tenant_fk FOREIGN KEY (tenant_hk) REFERENCES auth.tenant_h (tenant_hk),
    CONSTRAINT api_key_h_hk_is_sha256 CHECK (octet_length(api_key_hk) = 32)
);
COMMENT ON TABLE auth.api_key_h IS 'Hub of API keys: the SHA-256 of the key, never the key.';

CREATE TABLE auth.api_key_s (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    allowed_origins text[] NOT NULL,
    rate_limit integer,
    status text NOT NULL,
    hash_diff bytea NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT api_key_s_pk PRIMARY KEY (tenant_hk, api_key_hk, load_date),
    CONSTRAINT api_key_s_key_fk FOREIGN KEY (tenant_hk, api_key_hk) REFERENCES auth.api_key_h (tenant_hk, api_key_hk),
    -- public: writes, from allowed origins; secret: writes and reads status and receipts
    CONSTRAINT api_key_s_kind CHECK (kind IN ('public', 'secret')),
    -- active -> revoked, and never back
    CONSTRAINT api_key_s_status CHECK (status IN ('active', 'revoked')),
    CONSTRAINT api_key_s_rate_limit_is_positive CHECK (rate_limit > 0),
    CONSTRAINT api_key_s_hash_diff_is_sha256 CHECK (octet_length(hash_diff) = 32)
);
COMMENT ON TABLE auth.api_key_s IS 'What is known of a key, one row per change; the newest counts.';
