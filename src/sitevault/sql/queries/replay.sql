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

-- name: hold_replays_off
-- Replays wait for a rebuild, until its connection ends: before its snapshot is taken, not in it.
SELECT pg_advisory_lock(hashtext('sitevault.replay.carry'));

-- name: begin_work
-- Whether this transaction may carry events; whoever pauses the workers waits for its end.
SELECT ops.begin_work(%(while_paused)s);

-- name: who_paused
-- Who paused the workers, since when and why.
SELECT p.by, p.since, p.message FROM ops.pause AS p WHERE p.paused;

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

-- name: read_repeatably
-- Everything a rebuild compares is of one instant.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: make_side_table
-- A table like the live one, for this session only.
CREATE TEMPORARY TABLE {side} (LIKE {live} INCLUDING ALL);

-- name: make_side_heap
-- A table with the live one's columns only.
CREATE TEMPORARY TABLE {side} (LIKE {live});

-- name: drop_side_table
-- It goes with its rebuild.
DROP TABLE IF EXISTS {side};

-- name: begin_side_load
-- The load that first carried these events, with a number of its own among the side tables.
SELECT %(load_id)s::bigint, %(load_date)s::timestamptz;

-- name: columns
-- The columns of a table, in their order.
SELECT a.attname
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = %(name)s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum;

-- name: scratch_tables
-- What else this session keeps in temporary tables, and would grow in one long transaction.
SELECT c.relname
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind = 'r' AND NOT (c.relname = ANY(%(sides)s));

-- name: empty_scratch
-- A load's own notes, done with.
DELETE FROM {side};

-- name: accounted_events
-- The landed events of a tenant that were carried through, in the order of their loads.
SELECT
    coalesce(s.load_id, b.load_id, 0) AS load_id,
    coalesce(s.processed_timestamp, b.processed_timestamp, e.received_timestamp) AS load_date,
    e.tenant_hk, e.api_key_hk, e.batch_id, e.raw_event_id, e.event_id, e.received_timestamp,
    host(e.client_ip) AS client_ip, e.user_agent, e.origin, e.geo_hint, e.protocol, e.payload
FROM raw.landed_event AS e
INNER JOIN raw.batch AS b ON e.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id
LEFT JOIN (
    SELECT t.tenant_hk, t.batch_id, t.raw_event_id, max(t.load_id) AS load_id,
        max(t.processed_timestamp) AS processed_timestamp
    FROM staging.site_tracking_events_s AS t
    WHERE t.tenant_hk = %(tenant_hk)s
    GROUP BY t.tenant_hk, t.batch_id, t.raw_event_id
) AS s ON e.tenant_hk = s.tenant_hk AND e.batch_id = s.batch_id AND e.raw_event_id = s.raw_event_id
WHERE e.tenant_hk = %(tenant_hk)s AND b.state = 'PROCESSED' AND coalesce(d.status, 'RESOLVED') = 'RESOLVED'
ORDER BY load_id, e.raw_event_id;

-- name: compare_table
-- The keys of which the live table and its side table say something else, and the digests of both.
SELECT live.digest IS NOT NULL AS is_live, side.digest IS NOT NULL AS is_side, {keys}
FROM (
    SELECT {keys}, md5(ROW({compared})::text) AS digest FROM {live} WHERE tenant_hk = %(tenant_hk)s
) AS live
FULL JOIN (
    SELECT {keys}, md5(ROW({compared})::text) AS digest FROM {side} WHERE tenant_hk = %(tenant_hk)s
) AS side USING ({keys})
WHERE live.digest IS DISTINCT FROM side.digest;

-- name: compare_satellite
-- Satellite rows whose attributes are not those their hash_diff was made of.
SELECT {keys}
FROM {live}
WHERE tenant_hk = %(tenant_hk)s AND hash_diff <> sha256('\x01'::bytea || {hashed});

-- name: side_statuses
-- What the rebuilt staging says of events.
SELECT t.raw_event_id, t.validation_status
FROM {side} AS t
WHERE t.tenant_hk = %(tenant_hk)s AND t.raw_event_id = ANY(%(raw_event_ids)s);

-- name: live_statuses
-- What the live staging says of events.
SELECT t.raw_event_id, t.validation_status
FROM staging.site_tracking_events_s AS t
WHERE t.tenant_hk = %(tenant_hk)s AND t.raw_event_id = ANY(%(raw_event_ids)s);

-- name: numbers_of_events
-- The landing numbers behind vault rows, live and rebuilt.
SELECT n.event_id, n.raw_event_id, r.raw_event_id AS side_raw_event_id
FROM (SELECT unnest(%(event_ids)s::uuid []) AS event_id) AS wanted
LEFT JOIN business.site_event_nl AS n ON n.tenant_hk = %(tenant_hk)s AND n.event_id = wanted.event_id
LEFT JOIN {side} AS r ON r.tenant_hk = %(tenant_hk)s AND r.event_id = wanted.event_id
WHERE n.event_id IS NOT NULL;

-- name: whole_batches
-- The batches of which landing still holds every event the manifest promises: no event of them is unseen.
SELECT b.batch_id
FROM raw.batch AS b
WHERE b.batch_id = ANY(%(batch_ids)s)
    AND b.events = (SELECT count(*) FROM raw.landed_event AS e WHERE e.batch_id = b.batch_id);

-- name: insert_row
-- A row that was missing.
INSERT INTO {live} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;

-- name: update_row
-- A row that was another; when it was loaded stays.
UPDATE {live} SET {changes} WHERE {matches};

-- name: delete_row
-- A row of which no event is left that could have made it.
DELETE FROM {live} WHERE {matches};

-- name: set_result
-- What a rebuild found, or an enrichment changed.
UPDATE ops.replay SET result = %(result)s, selected = %(selected)s, changed_at = clock_timestamp()
WHERE replay_id = %(replay_id)s;

-- name: tenants
-- Every tenant, or the one named.
SELECT h.tenant_hk, h.tenant_bk
FROM auth.tenant_h AS h
WHERE %(tenant_hk)s::bytea IS NULL OR h.tenant_hk = %(tenant_hk)s::bytea
ORDER BY h.tenant_bk;

-- name: limit_lock
-- A change that has to wait too long is given up and tried again.
SELECT set_config('lock_timeout', '3s', true);

-- name: lock_marts
-- Loads that already wrote to the marts are waited for; the others wait until this ends.
LOCK TABLE mart.rolled_day, mart.session_f, mart.page_day_f, mart.event_day_f IN SHARE ROW EXCLUSIVE MODE;

-- name: open_days
-- None of the tenant's days is rolled up any more: its sessions are changed.
UPDATE mart.rolled_day SET rolled_at = NULL, opened_at = clock_timestamp()
WHERE tenant_hk = %(tenant_hk)s AND rolled_at IS NOT NULL;

-- name: fill_mart
-- A mart as the vault alone would make it, into its side table.
INSERT INTO {side} ({columns})
SELECT {columns} FROM ({recomputed}) AS recomputed WHERE tenant_hk = %(tenant_hk)s;

-- name: side_numbers
-- The landing numbers behind rebuilt vault rows.
SELECT r.event_id, r.raw_event_id
FROM {side} AS r
WHERE r.tenant_hk = %(tenant_hk)s AND r.event_id = ANY(%(event_ids)s);

-- name: winners
-- Those of these landing numbers that are the vault's row, live or rebuilt.
SELECT n.raw_event_id
FROM business.site_event_nl AS n
WHERE n.tenant_hk = %(tenant_hk)s AND n.raw_event_id = ANY(%(raw_event_ids)s)
UNION
SELECT r.raw_event_id
FROM {side} AS r
WHERE r.tenant_hk = %(tenant_hk)s AND r.raw_event_id = ANY(%(raw_event_ids)s);

-- name: side_row
-- A rebuilt row.
SELECT {columns} FROM {side} WHERE {matches} LIMIT 1;

-- name: side_row_of_hash
-- The rebuilt row that has what a live satellite row's hash_diff was made of.
SELECT {columns}
FROM {side} AS rebuilt
WHERE {parents}
    AND rebuilt.hash_diff = (SELECT known.hash_diff FROM {live} AS known WHERE {matches} LIMIT 1)
LIMIT 1;

-- name: remake_mart_row
-- One row of a mart, from the vault.
INSERT INTO {live} ({columns})
SELECT {columns} FROM ({recomputed}) AS recomputed WHERE {matches};

-- name: vaulted_events
-- A tenant's events in the vault with what is known of them today, each beside the landed event it came from.
SELECT
    v.event_id, v.event_day, v.referrer_host, v.source, v.channel, v.device_class, v.browser, v.os, v.country,
    v.is_bot,
    e.tenant_hk, e.api_key_hk, e.batch_id, e.raw_event_id, e.event_id, e.received_timestamp,
    host(e.client_ip) AS client_ip, e.user_agent, e.origin, e.geo_hint, e.protocol, e.payload
FROM business.site_event_v AS v
INNER JOIN raw.landed_event AS e
    ON v.tenant_hk = e.tenant_hk AND v.raw_event_id / 65536 = e.batch_id AND v.raw_event_id = e.raw_event_id
WHERE v.tenant_hk = %(tenant_hk)s;

-- name: insert_enrichment
-- What newer data says of an event, beside what was known.
INSERT INTO business.site_event_enrichment_s (
    tenant_hk, event_id, event_day, load_date, referrer_host, source, channel, device_class, browser, os, country,
    is_bot, enrichment, hash_diff, replay_id, record_source
)
VALUES (
    %(tenant_hk)s, %(event_id)s, %(event_day)s, %(load_date)s, %(referrer_host)s, %(source)s, %(channel)s,
    %(device_class)s, %(browser)s, %(os)s, %(country)s, %(is_bot)s, %(enrichment)s, %(hash_diff)s, %(replay_id)s,
    'sitevault.replay'
)
ON CONFLICT DO NOTHING;
