-- Releases: which database this is, and the record of what was released into it. {environment}, {release}, {object},
-- {journal}, {attestation}, {observation}, {file} and {pause} are the tables of the record: of the house in schema
-- ops, in a foreign database in a schema of their own.

-- name: act_as_owner
-- The owner's rights for the whole session; within row-level security, as always.
SET ROLE sitevault_owner;

-- name: read_only
-- Whoever judges changes nothing.
SET default_transaction_read_only = on;

-- name: has_record
-- Whether a foreign database was enrolled.
SELECT to_regclass('sitevault_release.environment') IS NOT NULL;

-- name: make_record
-- The record in a foreign database: a schema of its own, made when it is enrolled.
CREATE SCHEMA sitevault_release;
CREATE TABLE sitevault_release.environment (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    environment text NOT NULL,
    environment_id text NOT NULL,
    system_identifier text NOT NULL,
    database text NOT NULL,
    oid bigint NOT NULL,
    location text NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    enrolled_by text NOT NULL
);
CREATE TABLE sitevault_release.release (
    release_id text PRIMARY KEY,
    place bigint GENERATED ALWAYS AS IDENTITY,
    bundle_digest text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    author text NOT NULL,
    bundle text NOT NULL,
    plan text NOT NULL,
    state text NOT NULL CHECK (state IN ('DEPLOYED', 'PASSED', 'HELD', 'UNDONE')),
    started_at timestamptz NOT NULL,
    deployed_at timestamptz NOT NULL,
    deployed_by text NOT NULL,
    ended_at timestamptz,
    ended_by text,
    note text,
    baseline text,
    standing text NOT NULL
);
CREATE TABLE sitevault_release.release_object (
    release_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text,
    PRIMARY KEY (release_id, kind, identity)
);
CREATE TABLE sitevault_release.release_journal (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    step text NOT NULL,
    message text NOT NULL,
    details text
);
CREATE TABLE sitevault_release.release_attestation (
    attestation_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('APPROVED', 'PASSED', 'FAILED')),
    environment text NOT NULL,
    bundle_digest text NOT NULL,
    plan_digest text,
    signer text NOT NULL,
    envelope text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sitevault_release.release_observation (
    release_id text NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict text NOT NULL CHECK (verdict IN ('PASS', 'FAIL', 'INCONCLUSIVE', 'NO_DATA')),
    results text NOT NULL,
    PRIMARY KEY (release_id, observed_at)
);
CREATE TABLE sitevault_release.release_file (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    release_id text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sitevault_release.pause (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    paused boolean NOT NULL,
    release_id text,
    message text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL
);

-- name: enrolled
-- What this database was enrolled as; no row: nothing.
SELECT environment, environment_id, system_identifier, database, oid, location FROM {environment};

-- name: enroll
-- This database is this environment from now on.
INSERT INTO {environment} (
    environment, environment_id, system_identifier, database, oid, location, enrolled_by
) VALUES (
    %(environment)s, %(environment_id)s, %(system_identifier)s, %(database)s, %(oid)s, %(location)s, %(actor)s
)
ON CONFLICT (only_one) DO UPDATE SET
environment = excluded.environment, environment_id = excluded.environment_id,
system_identifier = excluded.system_identifier, database = excluded.database, oid = excluded.oid,
location = excluded.location, enrolled_at = now(), enrolled_by = excluded.enrolled_by;

-- name: record_release
-- A release, in the transaction that carries it out.
INSERT INTO {release} (
    release_id, bundle_digest, name, version, author, bundle, plan, state, started_at, deployed_at, deployed_by,
    baseline, standing
) VALUES (
    %(release_id)s, %(bundle_digest)s, %(name)s, %(version)s, %(author)s, %(bundle)s, %(plan)s, 'DEPLOYED',
    %(started_at)s, clock_timestamp(), %(actor)s, %(baseline)s, %(standing)s
);

-- name: take_effect
-- From when on it is in force for everybody: after its commit.
UPDATE {release} SET deployed_at = clock_timestamp() WHERE release_id = %(release_id)s;

-- name: end_release
-- What became of a release.
UPDATE {release}
SET state = %(state)s, ended_at = clock_timestamp(), ended_by = %(actor)s, note = %(note)s
WHERE release_id = %(release_id)s;

-- name: releases
-- Every release of this database, the newest first.
SELECT
    release_id, bundle_digest, name, version, author, bundle, plan, state, started_at, deployed_at, deployed_by, ended_at,
    ended_by, note, baseline, standing
FROM {release}
ORDER BY place DESC;

-- name: record_object
-- One object of the live backup.
INSERT INTO {object} (release_id, kind, identity, before, after)
VALUES (%(release_id)s, %(kind)s, %(identity)s, %(before)s, %(after)s);

-- name: recorded_objects
-- Every object a release changed, before and after.
SELECT kind, identity, before, after FROM {object} WHERE release_id = %(release_id)s ORDER BY kind, identity;

-- name: note_step
-- A step of a release that was taken.
INSERT INTO {journal} (release_id, recorded_by, step, message, details)
VALUES (%(release_id)s, %(actor)s, %(step)s, %(message)s, %(details)s);

-- name: journal
-- What was done about a release (about any, without an id), the oldest first.
SELECT release_id, recorded_at, recorded_by, step, message, details
FROM {journal}
WHERE %(release_id)s::text IS NULL OR release_id = %(release_id)s
ORDER BY entry;

-- name: record_attestation
-- A signed statement; one that is here already stays as it is.
INSERT INTO {attestation} (attestation_id, kind, environment, bundle_digest, plan_digest, signer, envelope)
VALUES (
    %(attestation_id)s, %(kind)s, %(environment)s, %(bundle_digest)s, %(plan_digest)s, %(signer)s, %(envelope)s
)
ON CONFLICT (attestation_id) DO NOTHING;

-- name: attestations
-- The signed statements about a bundle (about any, without a digest), the oldest first.
SELECT attestation_id, kind, environment, bundle_digest, plan_digest, signer, envelope, recorded_at
FROM {attestation}
WHERE %(bundle_digest)s::text IS NULL OR bundle_digest = %(bundle_digest)s
ORDER BY recorded_at, attestation_id;

-- name: record_observation
-- A judgement of a release.
INSERT INTO {observation} (release_id, verdict, results) VALUES (%(release_id)s, %(verdict)s, %(results)s);

-- name: observations
-- Every judgement of a release, the oldest first.
SELECT observed_at, verdict, results FROM {observation} WHERE release_id = %(release_id)s ORDER BY observed_at;

-- name: record_file
-- A migration of a bundle ran.
INSERT INTO {file} (name, sha256, release_id) VALUES (%(name)s, %(sha256)s, %(release_id)s);

-- name: forget_files
-- The migrations of a release did not run: it was taken back.
DELETE FROM {file} WHERE release_id = %(release_id)s;

-- name: files
-- The migrations of bundles that ran here.
SELECT name, sha256, release_id FROM {file} ORDER BY applied_at, name;

-- name: pause
-- The workers pause, or go on.
INSERT INTO {pause} (paused, release_id, message, by) VALUES (%(paused)s, %(release_id)s, %(message)s, %(actor)s)
ON CONFLICT (only_one) DO UPDATE SET
paused = excluded.paused, release_id = excluded.release_id, message = excluded.message, since = now(),
by = excluded.by;

-- name: paused
-- Whether the workers pause; no row: they work.
SELECT paused, release_id, message, since, by FROM {pause};
