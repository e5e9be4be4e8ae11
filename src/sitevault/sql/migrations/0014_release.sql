-- Releases: which environment this database is, what was released into it, by which plan, with what it was before,
-- what was said of it and by whom; and whether the workers pause.
CREATE TABLE ops.environment (
    only_one boolean NOT NULL DEFAULT true,
    environment text NOT NULL,
    environment_id text NOT NULL,
    system_identifier text NOT NULL,
    database text NOT NULL,
    oid bigint NOT NULL,
    location text NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    enrolled_by text NOT NULL,
    CONSTRAINT environment_pk PRIMARY KEY (only_one),
    CONSTRAINT environment_only_one CHECK (only_one)
);
COMMENT ON TABLE ops.environment IS
'Which environment this database was enrolled as; a copy of it has another system_identifier or oid than stands here.';

CREATE TABLE ops.release (
    release_id text NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY,
    bundle_digest text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    author text NOT NULL,
    bundle text NOT NULL,
    plan text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    deployed_at timestamptz NOT NULL,
    deployed_by text NOT NULL,
    ended_at timestamptz,
    ended_by text,
    note text,
    baseline text,
    standing text NOT NULL,
    CONSTRAINT release_pk PRIMARY KEY (release_id),
    -- DEPLOYED -> PASSED, HELD or UNDONE; PASSED, HELD -> UNDONE; HELD -> PASSED
    CONSTRAINT release_state CHECK (state IN ('DEPLOYED', 'PASSED', 'HELD', 'UNDONE'))
);
COMMENT ON TABLE ops.release IS
'One row per plan that was deployed; release_id is the plan''s digest, standing what was pending or failed before it.';

CREATE TABLE ops.release_object (
    release_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text,
    CONSTRAINT release_object_pk PRIMARY KEY (release_id, kind, identity)
);
COMMENT ON TABLE ops.release_object IS
'The live backup: every object a release changed, as the catalog described it before and after; NULL: not there.';

CREATE TABLE ops.release_journal (
    entry bigint GENERATED ALWAYS AS IDENTITY,
    release_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    step text NOT NULL,
    message text NOT NULL,
    details text,
    CONSTRAINT release_journal_pk PRIMARY KEY (entry)
);
COMMENT ON TABLE ops.release_journal IS 'What was done about a release, step by step; rows are only added.';

CREATE TABLE ops.release_attestation (
    attestation_id text NOT NULL,
    kind text NOT NULL,
    environment text NOT NULL,
    bundle_digest text NOT NULL,
    plan_digest text,
    signer text NOT NULL,
    envelope text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT release_attestation_pk PRIMARY KEY (attestation_id),
    CONSTRAINT release_attestation_kind CHECK (kind IN ('APPROVED', 'PASSED', 'FAILED'))
);
COMMENT ON TABLE ops.release_attestation IS
'Signed statements (in-toto in DSSE): who approved a plan, what a release was judged as, here or in the environment before.';

CREATE TABLE ops.release_observation (
    release_id text NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict text NOT NULL,
    results text NOT NULL,
    CONSTRAINT release_observation_pk PRIMARY KEY (release_id, observed_at),
    CONSTRAINT release_observation_verdict CHECK (verdict IN ('PASS', 'FAIL', 'INCONCLUSIVE', 'NO_DATA'))
);
COMMENT ON TABLE ops.release_observation IS 'Each time a release was judged: the verdict, and every gate with its figures.';

CREATE TABLE ops.release_file (
    name text NOT NULL,
    sha256 text NOT NULL,
    release_id text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT release_file_pk PRIMARY KEY (name)
);
COMMENT ON TABLE ops.release_file IS 'The migrations of bundles that ran here; one that ran is never run again, nor edited.';

CREATE TABLE ops.pause (
    only_one boolean NOT NULL DEFAULT true,
    paused boolean NOT NULL,
    release_id text,
    message text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL,
    CONSTRAINT pause_pk PRIMARY KEY (only_one),
    CONSTRAINT pause_only_one CHECK (only_one)
);
COMMENT ON TABLE ops.pause IS
'Whether the workers pause, why, since when and by whom; no row: they work. Collectors go on landing meanwhile.';
