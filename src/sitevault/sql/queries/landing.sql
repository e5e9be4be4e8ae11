-- name: insist_on_durability
-- Where the server's default is to answer before the commit is on disk, this session waits all the same.
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';

-- name: land
-- A flush in one statement, which is its own transaction; workers are woken when it commits.
WITH flush AS MATERIALIZED (
    SELECT nextval('raw.batch_id_seq') AS batch_id, pg_notify('sitevault_landed', '') AS woken
),

manifest AS (
    INSERT INTO raw.batch (batch_id, received_timestamp, events, tenant_hks, tenant_events)
    SELECT f.batch_id, %(received)s, %(events)s, %(tenant_hks)s, %(tenant_events)s
    FROM flush AS f
),

-- The arrays are equally long and are taken apart in step, row by row: nothing of them is kept in between.
landed AS (
    INSERT INTO raw.landed_event (
        batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp,
        client_ip, user_agent, origin, geo_hint, protocol, payload
    )
    SELECT
        f.batch_id, f.batch_id * 65536 - 1 + generate_subscripts(%(event_ids)s::uuid [], 1),
        unnest(%(tenants)s::bytea []), unnest(%(api_keys)s::bytea []), unnest(%(event_ids)s::uuid []),
        unnest(%(received_timestamps)s::timestamptz []), unnest(%(client_ips)s::inet []),
        unnest(%(user_agents)s::text []), unnest(%(origins)s::text []), unnest(%(geo_hints)s::text []),
        unnest(%(protocols)s::text []), unnest(%(payloads)s::json [])
    FROM flush AS f
)

SELECT f.batch_id FROM flush AS f;
