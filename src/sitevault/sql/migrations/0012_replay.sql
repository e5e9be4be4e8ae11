-- squawk-ignore-file require-concurrent-index-creation
-- What replay needs: what was asked for, what became of each event, and the patches kept beside raw.
CREATE SEQUENCE ops.replay_id_seq AS bigint;

CREATE TABLE ops.replay (
    replay_id bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    actor text NOT NULL,
    reason text,
    selection jsonb NOT NULL,
    patch jsonb NOT NULL DEFAULT '[]',
    result jsonb NOT NULL DEFAULT '{}',
    last_error text,
    started_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    finished_at timestamptz,
    selected bigint NOT NULL DEFAULT 0,
    vaulted bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    invalid bigint NOT NULL DEFAULT 0,
    error bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    CONSTRAINT replay_pk PRIMARY KEY (replay_id),
    CONSTRAINT replay_kind CHECK (kind IN ('events', 'rebuild', 'enrich')),
    -- RUNNING -> STOPPED -> RUNNING -> DONE; a RUNNING one whose process is gone can be resumed like a STOPPED one
    CONSTRAINT replay_state CHECK (state IN ('RUNNING', 'STOPPED', 'DONE')),
    CONSTRAINT replay_balances
    CHECK (state <> 'DONE' OR kind <> 'events' OR selected = vaulted + duplicate + invalid + error + unchanged)
);
COMMENT ON TABLE ops.replay IS
'One row per replay: what it was asked to do, how far it got, and where its events ended.';

CREATE TABLE ops.replay_event (
    tenant_hk bytea NOT NULL,
    replay_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    was text NOT NULL,
    became text,
    done_at timestamptz,
    CONSTRAINT replay_event_pk PRIMARY KEY (tenant_hk, replay_id, raw_event_id)
);
COMMENT ON TABLE ops.replay_event IS
'The events of one replay: where each was when it was selected, and where it ended (NULL: not reached yet).';
CREATE INDEX replay_event_todo_ix ON ops.replay_event (replay_id, raw_event_id) WHERE became IS NULL;
CREATE INDEX replay_event_event_ix ON ops.replay_event (tenant_hk, raw_event_id);

CREATE TABLE staging.event_patch (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    replay_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    steps jsonb NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT event_patch_pk PRIMARY KEY (tenant_hk, raw_event_id, replay_id)
);
COMMENT ON TABLE staging.event_patch IS
'Changes to an event''s fields, applied whenever it is staged; the payload in raw stays as it was received.';
CREATE INDEX event_patch_batch_ix ON staging.event_patch (batch_id);

-- An event that was enriched anew: the newest row counts, and the event's own row stays as it was.
CREATE TABLE business.site_event_enrichment_s (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    load_date timestamptz NOT NULL,
    referrer_host text,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    enrichment text NOT NULL,
    hash_diff bytea NOT NULL,
    replay_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_event_enrichment_s_pk PRIMARY KEY (tenant_hk, event_id, event_day, load_date)
);
COMMENT ON TABLE business.site_event_enrichment_s IS
'Satellite of an event: what newer enrichment data says of it, one row per change; empty until `replay --enrich`.';
