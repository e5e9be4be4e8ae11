-- squawk-ignore-file require-concurrent-index-creation
-- Landing. Payload rows are insert-only: their status is derived from the manifest (one row per flush)
-- and from the dead letters (one row per failed event), because flipping a status on the payload row
-- costs 2 KB of WAL per event and doubles the table.
CREATE SEQUENCE raw.batch_id_seq AS bigint;

CREATE TABLE raw.landed_event (
    tenant_hk bytea NOT NULL,
    api_key_hk bytea NOT NULL,
    batch_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    received_timestamp timestamptz NOT NULL,
    client_ip inet,
    user_agent text,
    origin text,
    geo_hint text,
    protocol text NOT NULL,
    payload json NOT NULL
) PARTITION BY RANGE (received_timestamp);
COMMENT ON TABLE raw.landed_event IS
'One row per accepted event, the payload byte for byte. raw_event_id = batch_id * 65536 + place in the batch.';
-- Many rows share a batch_id, so the B-tree keeps one entry for them all: it costs almost nothing.
CREATE INDEX landed_event_batch_ix ON raw.landed_event (batch_id);
-- event_id is time-ordered, so this index grows at its right edge; it is not unique: a re-sent event lands again.
CREATE INDEX landed_event_event_ix ON raw.landed_event (event_id);
CREATE TABLE raw.landed_event_default PARTITION OF raw.landed_event DEFAULT;

CREATE TABLE raw.batch (
    batch_id bigint NOT NULL,
    received_timestamp timestamptz NOT NULL,
    events integer NOT NULL,
    tenant_hks bytea[] NOT NULL,
    tenant_events integer[] NOT NULL,
    state text NOT NULL DEFAULT 'PENDING',
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    last_error text,
    load_id bigint,
    processed_timestamp timestamptz,
    CONSTRAINT batch_pk PRIMARY KEY (batch_id),
    -- PENDING -> PROCESSED, once every event of the batch is accounted for
    CONSTRAINT batch_state CHECK (state IN ('PENDING', 'PROCESSED')),
    CONSTRAINT batch_events CHECK (events BETWEEN 1 AND 65536),
    CONSTRAINT batch_counts_every_tenant CHECK (cardinality(tenant_hks) = cardinality(tenant_events))
);
COMMENT ON TABLE raw.batch IS 'The manifest of one flush and the queue of the workers: committed with its rows.';
CREATE INDEX batch_pending_ix ON raw.batch (batch_id) WHERE state = 'PENDING';

CREATE TABLE raw.dead_letter (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    event_id uuid NOT NULL,
    received_timestamp timestamptz NOT NULL,
    status text NOT NULL,
    reason_code text NOT NULL,
    sqlstate text,
    constraint_name text,
    message text NOT NULL,
    attempts integer NOT NULL,
    first_failed_at timestamptz NOT NULL,
    last_failed_at timestamptz NOT NULL,
    requeued_at timestamptz,
    resolved_at timestamptz,
    CONSTRAINT dead_letter_pk PRIMARY KEY (tenant_hk, raw_event_id),
    -- ERROR -> PENDING (requeued) -> RESOLVED, or back to ERROR
    CONSTRAINT dead_letter_status CHECK (status IN ('ERROR', 'PENDING', 'RESOLVED'))
);
COMMENT ON TABLE raw.dead_letter IS 'One row per event that ever failed, with why and what became of it.';
CREATE INDEX dead_letter_requeued_ix ON raw.dead_letter (requeued_at) WHERE status = 'PENDING';
