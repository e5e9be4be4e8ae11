-- What retention took out, counted as it went, so that the ledger can still be recounted: what is there and what
-- was removed are together what landed.
CREATE TABLE ops.removed_d (
    tenant_hk bytea NOT NULL,
    table_name text NOT NULL,
    day date NOT NULL,
    events bigint NOT NULL,
    announced bigint NOT NULL,
    invalid bigint NOT NULL,
    error bigint NOT NULL,
    removed_at timestamptz NOT NULL,
    CONSTRAINT removed_d_pk PRIMARY KEY (tenant_hk, table_name, day),
    CONSTRAINT removed_d_counts CHECK (least(events, announced, invalid, error) >= 0)
);
COMMENT ON TABLE ops.removed_d IS
'What retention removed, per tenant, table and day of its partition: rows; events their manifests announced; INVALID ones; failed ones given up.';
