-- Replay: what is selected, where each event is, and what became of it. The places are found by looking where the
-- event is, never by a status column alone. The day of an event is a function of its id (UUIDv7): milliseconds.

-- name: open_replay
-- A replay begins.
INSERT INTO ops.replay (replay_id, kind, state, actor, reason, selection, patch, started_at, changed_at)
VALUES (
    nextval('ops.replay_id_seq'), %(kind)s, 'RUNNING', %(actor)s, %(reason)s, %(selection)s, %(patch)s,
    clock_timestamp(), clock_timestamp()
)
RETURNING replay_id;

-- name: hold_replay
-- One process at a time carries a replay: held until its connection ends.
SELECT pg_try_advisory_lock(hashtext('sitevault.replay'), %(replay_id)s::integer);

-- name: held_replays
-- The replays a living process carries.
SELECT l.objid::bigint AS replay_id
FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND l.classid::bigint = (hashtext('sitevault.replay')::bigint & 4294967295);

-- name: one_at_a_time
-- Two replays that met the same event would account for it twice: each transaction waits for the one before it.
SELECT pg_advisory_xact_lock(hashtext('sitevault.replay.carry'));

-- name: selected
-- The events a selection means, and where each is. A parameter that is NULL leaves nothing out.
SELECT e.tenant_hk, e.raw_event_id, e.batch_id, place.was
FROM raw.landed_event AS e
LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id
LEFT JOIN business.site_event_duplicate AS u ON e.tenant_hk = u.tenant_hk AND e.raw_event_id = u.raw_event_id
LEFT JOIN business.site_event_nl AS n
    ON e.tenant_hk = n.tenant_hk AND e.event_id = n.event_id AND e.raw_event_id = n.raw_event_id
    AND n.event_day = date '1970-01-01'
    + (('x' || substr(replace(e.event_id::text, '-', ''), 1, 12))::bit(48)::bigint / 86400000)::integer
LEFT JOIN staging.site_tracking_events_s AS s
    ON e.tenant_hk = s.tenant_hk AND e.batch_id = s.batch_id AND e.raw_event_id = s.raw_event_id
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN n.raw_event_id IS NOT NULL THEN 'vaulted'
            WHEN u.is_conflict THEN 'conflict'
            WHEN u.raw_event_id IS NOT NULL THEN 'duplicate'
            WHEN d.status = 'ERROR' THEN 'error'
            WHEN d.status = 'PENDING' THEN 'pending'
            WHEN s.validation_status = 'INVALID' THEN 'invalid'
            WHEN b.state = 'PROCESSED' THEN 'lost'
            ELSE 'pending'
        END AS was
) AS place
WHERE (%(tenant_hk)s::bytea IS NULL OR e.tenant_hk = %(tenant_hk)s::bytea)
    AND (%(batch_ids)s::bigint [] IS NULL OR e.batch_id = ANY(%(batch_ids)s::bigint []))
    AND (%(raw_event_ids)s::bigint [] IS NULL OR e.raw_event_id = ANY(%(raw_event_ids)s::bigint []))
    AND (%(event_ids)s::uuid [] IS NULL OR e.event_id = ANY(%(event_ids)s::uuid []))
    AND (%(received_from)s::timestamptz IS NULL OR e.received_timestamp >= %(received_from)s::timestamptz)
    AND (%(received_to)s::timestamptz IS NULL OR e.received_timestamp < %(received_to)s::timestamptz)
    AND (
        %(occurred_from)s::timestamptz IS NULL
        OR coalesce(n.occurred_at, s.occurred_at, e.received_timestamp) >= %(occurred_from)s::timestamptz
    )
    AND (
        %(occurred_to)s::timestamptz IS NULL
        OR coalesce(n.occurred_at, s.occurred_at, e.received_timestamp) < %(occurred_to)s::timestamptz
    )
    AND (%(places)s::text [] IS NULL OR place.was = ANY(%(places)s::text []))
    AND (
        %(reason_codes)s::text [] IS NULL
        OR (d.status = 'ERROR' AND d.reason_code = ANY(%(reason_codes)s::text []))
        OR jsonb_path_query_array(s.validation_errors, '$[*].code') ?| %(reason_codes)s::text []
    )
    AND (
        %(sqlstates)s::text [] IS NULL
        OR (d.status = 'ERROR' AND d.sqlstate = ANY(%(sqlstates)s::text []))
    )
    AND (
        %(load_ids)s::bigint [] IS NULL OR s.load_id = ANY(%(load_ids)s::bigint [])
        OR b.load_id = ANY(%(load_ids)s::bigint [])
    );

-- name: count_selected
-- How many events a selection means, by where they are.
SELECT chosen.was, count(*) AS events
FROM ({selected}) AS chosen
GROUP BY chosen.was
ORDER BY chosen.was;

-- name: remember_selected
-- The selection as it is now: what comes later is not part of this replay.
INSERT INTO ops.replay_event (tenant_hk, replay_id, raw_event_id, batch_id, was)
SELECT chosen.tenant_hk, %(replay_id)s, chosen.raw_event_id, chosen.batch_id, chosen.was
FROM ({selected}) AS chosen
ON CONFLICT DO NOTHING;

-- name: first_selected
-- The first of a selection in the order they landed.
SELECT chosen.tenant_hk, chosen.raw_event_id, chosen.batch_id, chosen.was
FROM ({selected}) AS chosen
ORDER BY chosen.raw_event_id
LIMIT %(most)s;

-- name: count_remembered
-- A replay knows how many events it has.
UPDATE ops.replay AS r
SET selected = (SELECT count(*) FROM ops.replay_event AS e WHERE e.replay_id = %(replay_id)s)
WHERE r.replay_id = %(replay_id)s
RETURNING r.selected;

-- name: tenants_of_replay
-- How many events of each tenant a replay has.
SELECT e.tenant_hk, count(*) AS events
FROM ops.replay_event AS e
WHERE e.replay_id = %(replay_id)s
GROUP BY e.tenant_hk
ORDER BY e.tenant_hk;

-- name: next_events
-- The next of a replay's events that were not reached yet.
SELECT e.tenant_hk, e.raw_event_id, e.batch_id, e.was
FROM ops.replay_event AS e
WHERE e.replay_id = %(replay_id)s AND e.became IS NULL
ORDER BY e.raw_event_id
LIMIT %(most)s;

-- name: lock_letters
-- The dead letters of events that are about to be carried; a worker that carries one is waited for.
SELECT d.raw_event_id
FROM raw.dead_letter AS d
WHERE d.tenant_hk = ANY(%(tenant_hks)s) AND d.raw_event_id = ANY(%(raw_event_ids)s) AND d.status <> 'RESOLVED'
ORDER BY d.raw_event_id
FOR UPDATE;

-- name: places
-- Where each event is now. Scalar sub-selects: a join would be planned over the whole vault.
WITH staged AS MATERIALIZED (
    SELECT s.tenant_hk, s.raw_event_id, s.validation_status
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.raw_event_id = ANY(%(raw_event_ids)s)
),

looked AS MATERIALIZED (
    SELECT
        e.tenant_hk, e.raw_event_id, e.batch_id, b.state,
        (
            SELECT n.raw_event_id = e.raw_event_id
            FROM business.site_event_nl AS n
            WHERE n.tenant_hk = e.tenant_hk AND n.event_id = e.event_id
                AND n.event_day = date '1970-01-01'
                + (('x' || substr(replace(e.event_id::text, '-', ''), 1, 12))::bit(48)::bigint / 86400000)::integer
            LIMIT 1
        ) AS is_vaulted,
        (
            SELECT u.is_conflict
            FROM business.site_event_duplicate AS u
            WHERE u.tenant_hk = e.tenant_hk AND u.raw_event_id = e.raw_event_id
            LIMIT 1
        ) AS is_conflict,
        (
            SELECT d.status
            FROM raw.dead_letter AS d
            WHERE d.tenant_hk = e.tenant_hk AND d.raw_event_id = e.raw_event_id
            LIMIT 1
        ) AS letter
    FROM raw.landed_event AS e
    LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
    WHERE e.batch_id = ANY(%(batch_ids)s) AND e.raw_event_id = ANY(%(raw_event_ids)s)
)

SELECT DISTINCT ON (looked.raw_event_id)
    looked.tenant_hk,
    looked.raw_event_id,
    looked.batch_id,
    CASE
        WHEN looked.is_vaulted THEN 'vaulted'
        WHEN looked.is_conflict THEN 'conflict'
        WHEN looked.is_conflict IS NOT NULL THEN 'duplicate'
        WHEN looked.letter = 'ERROR' THEN 'error'
        WHEN looked.letter = 'PENDING' THEN 'pending'
        WHEN staged.validation_status = 'INVALID' THEN 'invalid'
        WHEN looked.state IS DISTINCT FROM 'PENDING' THEN 'lost'
        ELSE 'pending'
    END AS place,
    looked.state IS DISTINCT FROM 'PENDING' AS accounted
FROM looked
LEFT JOIN staged ON looked.tenant_hk = staged.tenant_hk AND looked.raw_event_id = staged.raw_event_id
ORDER BY looked.raw_event_id, staged.validation_status = 'INVALID' DESC NULLS LAST;

-- name: send_back
-- ERROR -> PENDING, as requeueing by the view does.
UPDATE raw.dead_letter
SET status = 'PENDING', requeued_at = clock_timestamp()
WHERE tenant_hk = ANY(%(tenant_hks)s) AND raw_event_id = ANY(%(raw_event_ids)s) AND status = 'ERROR';

-- name: supersede
-- What staging said of INVALID events is taken back before they are staged again.
SELECT staging.supersede(%(tenant_hk)s, %(batch_ids)s, %(raw_event_ids)s);

-- name: take_back_invalid
-- The ledger forgets INVALID events that are about to be accounted for again, on the day it counted them.
INSERT INTO ops.ledger_d AS d (tenant_hk, day, landed, vaulted, duplicate, invalid)
SELECT %(tenant_hk)s, (b.received_timestamp AT TIME ZONE 'UTC')::date, 0, 0, 0, -count(*)
FROM unnest(%(event_batch_ids)s::bigint []) AS again (batch_id)
INNER JOIN raw.batch AS b ON again.batch_id = b.batch_id
GROUP BY 2
ORDER BY 2
ON CONFLICT (tenant_hk, day) DO UPDATE SET invalid = d.invalid + excluded.invalid;

-- name: record_patch
-- A patch stands beside its event, with who, when and why.
INSERT INTO staging.event_patch (
    tenant_hk, raw_event_id, replay_id, batch_id, steps, actor, reason, recorded_at
)
VALUES (
    %(tenant_hk)s, %(raw_event_id)s, %(replay_id)s, %(batch_id)s, %(steps)s, %(actor)s, %(reason)s,
    clock_timestamp()
)
ON CONFLICT DO NOTHING;

-- name: note_events
-- Where events of a replay ended.
UPDATE ops.replay_event AS e
SET became = ended.place, done_at = clock_timestamp()
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(raw_event_ids)s::bigint []), unnest(%(places)s::text [])
) AS ended (tenant_hk, raw_event_id, place)
WHERE e.replay_id = %(replay_id)s AND e.tenant_hk = ended.tenant_hk AND e.raw_event_id = ended.raw_event_id;

-- name: note_progress
-- The replay's own account moves with its events.
UPDATE ops.replay
SET
    vaulted = vaulted + %(vaulted)s,
    duplicate = duplicate + %(duplicate)s,
    invalid = invalid + %(invalid)s,
    error = error + %(error)s,
    unchanged = unchanged + %(unchanged)s,
    changed_at = clock_timestamp()
WHERE replay_id = %(replay_id)s;

-- name: set_state
-- RUNNING, STOPPED or DONE; with what stopped it.
UPDATE ops.replay
SET
    state = %(state)s,
    last_error = %(error)s,
    changed_at = clock_timestamp(),
    finished_at = CASE WHEN %(state)s = 'DONE' THEN clock_timestamp() END
WHERE replay_id = %(replay_id)s;

-- name: list_replays
-- The newest replays.
SELECT * FROM ops.replay ORDER BY replay_id DESC LIMIT %(most)s;

-- name: one_replay
-- One replay.
SELECT * FROM ops.replay WHERE replay_id = %(replay_id)s;

-- name: moves_of_replay
-- From where to where a replay's events went.
SELECT e.was, e.became, count(*) AS events
FROM ops.replay_event AS e
WHERE e.replay_id = %(replay_id)s
GROUP BY e.was, e.became
ORDER BY e.was, e.became;

-- name: stored_staging
-- What staging says of events now.
SELECT s.*
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.raw_event_id = ANY(%(raw_event_ids)s)
ORDER BY s.raw_event_id, s.load_id;

-- name: letters
-- Why events failed.
SELECT d.raw_event_id, d.reason_code, d.sqlstate, d.constraint_name, d.message
FROM raw.dead_letter AS d
WHERE d.tenant_hk = ANY(%(tenant_hks)s) AND d.raw_event_id = ANY(%(raw_event_ids)s) AND d.status = 'ERROR';

-- name: names_of_tenants
-- Every tenant's id.
SELECT tenant_hk, tenant_bk FROM auth.tenant_h;

-- name: event_ids
-- The ids of landed events by their number.
SELECT e.raw_event_id, e.event_id
FROM raw.landed_event AS e
WHERE e.batch_id = ANY(%(batch_ids)s) AND e.raw_event_id = ANY(%(raw_event_ids)s);
