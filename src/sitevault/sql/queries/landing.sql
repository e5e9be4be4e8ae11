-- name: insist_on_durability
-- Where the server's default is to answer before the commit is on disk, this session waits all the same.
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';

-- name: land
-- A small flush in one statement, which is its own transaction; workers are woken when it commits.
WITH flush AS MATERIALIZED (
    SELECT nextval('raw.batch_id_seq') AS batch_id, pg_notify('sitevault_landed', '') AS woken
),

manifest AS (
    INSERT INTO raw.batch (batch_id, received_timestamp, events, tenant_hks, tenant_events)
    SELECT f.batch_id, %(received)s, %(events)s, %(tenant_hks)s, %(tenant_events)s
    FROM flush AS f
),

landed AS (
    INSERT INTO raw.landed_event (
        batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp,
        client_ip, user_agent, origin, geo_hint, protocol, payload
    )
    SELECT
        f.batch_id, f.batch_id * 65536 + a.place - 1, a.tenant_hk, a.api_key_hk, a.event_id, a.received_timestamp,
        a.client_ip, a.user_agent, a.origin, a.geo_hint, a.protocol, a.payload
    FROM flush AS f
    CROSS JOIN ROWS FROM (
        unnest(%(tenants)s::bytea []), unnest(%(api_keys)s::bytea []), unnest(%(event_ids)s::uuid []),
        unnest(%(received_timestamps)s::timestamptz []), unnest(%(client_ips)s::inet []),
        unnest(%(user_agents)s::text []), unnest(%(origins)s::text []), unnest(%(geo_hints)s::text []),
        unnest(%(protocols)s::text []), unnest(%(payloads)s::json [])
    ) WITH ORDINALITY AS a (
        tenant_hk, api_key_hk, event_id, received_timestamp, client_ip, user_agent, origin, geo_hint, protocol,
        payload, place
    )
)

SELECT f.batch_id FROM flush AS f;

-- name: open_flush
-- The id of the large flush about to be written; workers are woken when it commits.
SELECT nextval('raw.batch_id_seq'), pg_notify('sitevault_landed', '');

-- name: copy_events
-- Every event of the flush, in binary form.
COPY raw.landed_event (
    batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp,
    client_ip, user_agent, origin, geo_hint, protocol, payload
) FROM STDIN (FORMAT BINARY);

-- name: insert_manifest
-- The one row by which workers find the flush, committed with its events.
INSERT INTO raw.batch (batch_id, received_timestamp, events, tenant_hks, tenant_events)
VALUES (%(batch_id)s, %(received)s, %(events)s, %(tenant_hks)s, %(tenant_events)s);
