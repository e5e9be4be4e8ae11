-- What the workers did, and the ledger that must balance.
CREATE SEQUENCE ops.load_id_seq AS bigint;

CREATE TABLE ops.load (
    load_id bigint NOT NULL,
    worker text NOT NULL,
    load_date timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    batches integer NOT NULL,
    events integer NOT NULL,
    vaulted integer NOT NULL,
    duplicate integer NOT NULL,
    invalid integer NOT NULL,
    error integer NOT NULL,
    step_seconds jsonb NOT NULL,
    CONSTRAINT load_pk PRIMARY KEY (load_id),
    CONSTRAINT load_balances CHECK (events = vaulted + duplicate + invalid + error)
);
COMMENT ON TABLE ops.load IS 'One row per claim that a worker carried through, with the seconds each step took.';

CREATE TABLE ops.ledger_d (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    landed bigint NOT NULL,
    vaulted bigint NOT NULL,
    duplicate bigint NOT NULL,
    invalid bigint NOT NULL,
    CONSTRAINT ledger_d_pk PRIMARY KEY (tenant_hk, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.ledger_d IS
'Accounted events by the day they were received: landed as the manifests say, the rest as the loads found. Failed ones are in raw.dead_letter.';
