-- What people and programs did, append-only: each entry carries the hash of the one before it in its chain, so
-- that one changed, taken out or put in between breaks it. One chain per tenant, and one (zero key) for the rest.
CREATE TABLE audit.entry (
    tenant_hk bytea NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    record text NOT NULL,
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL,
    CONSTRAINT entry_pk PRIMARY KEY (tenant_hk, seq),
    CONSTRAINT entry_tenant_hk_is_sha256 CHECK (octet_length(tenant_hk) = 32),
    CONSTRAINT entry_seq_is_positive CHECK (seq > 0),
    CONSTRAINT entry_hash_is_sha256 CHECK (octet_length(entry_hash) = 32),
    CONSTRAINT entry_previous_hash_is_sha256 CHECK (octet_length(previous_hash) = 32)
);
COMMENT ON TABLE audit.entry IS
'One row per action, hash-chained: entry_hash = SHA-256(previous_hash, tenant_hk, seq, record); record is canonical JSON and holds the other columns too.';
