-- What repairs did: the plan, every object's definition before and after, every row's image before and after, so
-- that each can be undone exactly.
CREATE TABLE ops.repair (
    repair_id text NOT NULL,
    state text NOT NULL,
    plan jsonb NOT NULL,
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL,
    undone_at timestamptz,
    undone_by text,
    CONSTRAINT repair_pk PRIMARY KEY (repair_id),
    -- APPLIED -> UNDONE -> APPLIED
    CONSTRAINT repair_state CHECK (state IN ('APPLIED', 'UNDONE'))
);
COMMENT ON TABLE ops.repair IS 'One row per plan that was carried out; repair_id is the digest of the plan.';

CREATE TABLE ops.repair_object (
    repair_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text,
    CONSTRAINT repair_object_pk PRIMARY KEY (repair_id, kind, identity)
);
COMMENT ON TABLE ops.repair_object IS
'Every object a repair changed, as the catalog described it before and after; NULL where it was not there.';

CREATE TABLE ops.repair_row (
    tenant_hk bytea NOT NULL,
    repair_id text NOT NULL,
    place integer NOT NULL,
    relation text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT repair_row_pk PRIMARY KEY (tenant_hk, repair_id, place)
);
COMMENT ON TABLE ops.repair_row IS
'Every row a repair changed, each column as text, before and after; of a row that changed tenant, one half with each.';
