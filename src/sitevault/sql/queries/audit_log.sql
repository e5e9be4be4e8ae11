-- name: lock_chain
-- One entry at a time in a tenant's chain: held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('sitevault chain ' || encode(%(tenant_hk)s, 'hex'), 0));

-- name: head
-- The last entry of a chain, and the time the next one is recorded at.
SELECT
    date_trunc('milliseconds', clock_timestamp()) AS now,
    (SELECT e.seq FROM audit.entry AS e WHERE e.tenant_hk = %(tenant_hk)s ORDER BY e.seq DESC LIMIT 1) AS seq,
    (SELECT e.entry_hash FROM audit.entry AS e WHERE e.tenant_hk = %(tenant_hk)s ORDER BY e.seq DESC LIMIT 1)
        AS entry_hash;

-- name: append
-- The next entry of a chain.
INSERT INTO audit.entry (tenant_hk, seq, recorded_at, action, actor, record, previous_hash, entry_hash)
VALUES (
    %(tenant_hk)s, %(seq)s, %(recorded_at)s, %(action)s, %(actor)s, %(record)s, %(previous_hash)s, %(entry_hash)s
);

-- name: chains
-- Every entry of every chain in order, for who verifies them.
SELECT e.tenant_hk, t.tenant_bk, e.seq, e.recorded_at, e.action, e.actor, e.record, e.previous_hash, e.entry_hash
FROM audit.entry AS e
LEFT JOIN auth.tenant_h AS t ON t.tenant_hk = e.tenant_hk
ORDER BY e.tenant_hk, e.seq;

-- name: tenants_without_chain
-- Tenants that were made while actions were recorded, and of whom no record is left.
SELECT t.tenant_hk, t.tenant_bk
FROM auth.tenant_h AS t
WHERE NOT EXISTS (SELECT 1 FROM audit.entry AS e WHERE e.tenant_hk = t.tenant_hk)
    AND t.load_date >= (
        SELECT m.applied_at FROM ops.migration AS m WHERE m.name = 'audit_log'
    )
    AND t.record_source <> 'sitevault.audit'
ORDER BY t.tenant_bk;
