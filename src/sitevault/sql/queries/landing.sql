-- name: insist_on_durability
-- Where the server's default is to answer before the commit is on disk, this session waits all the same.
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';

-- name: open_flush
-- The id of the flush about to be written; workers are woken when it commits.
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
