-- The preflight of a release: what the server and the queue look like right before.

-- name: load
-- Connections, those reserved, sessions at work, sessions that wait for a lock, and sessions we are not shown.
SELECT
    count(*)::integer AS used,
    current_setting('max_connections')::integer AS allowed,
    current_setting('superuser_reserved_connections')::integer AS reserved,
    count(*) FILTER (WHERE a.state = 'active' AND a.pid <> pg_backend_pid())::integer AS active,
    count(*) FILTER (WHERE a.wait_event_type = 'Lock')::integer AS waiting,
    count(*) FILTER (WHERE a.state IS NULL AND a.query = '<insufficient privilege>')::integer AS hidden
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type = 'client backend' OR a.backend_type IS NULL;

-- name: columns_of_events
-- The columns of these relations.
SELECT format('%%I.%%I', n.nspname, c.relname) AS relation, a.attname::text
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c ON a.attrelid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE format('%%I.%%I', n.nspname, c.relname) = ANY(%(relations)s) AND a.attnum > 0 AND NOT a.attisdropped;

-- name: waiting_of_the_guide
-- Pending events, failed events, and how long the oldest pending one has waited.
SELECT
    count(*) FILTER (WHERE r.processing_status = 'PENDING')::integer AS pending,
    count(*) FILTER (WHERE r.processing_status = 'ERROR')::integer AS failed,
    coalesce(extract(
        EPOCH FROM clock_timestamp() - min(r.received_timestamp) FILTER (WHERE r.processing_status = 'PENDING')
    ), 0)::double precision AS seconds
FROM raw.site_tracking_events_r AS r
WHERE r.processing_status IN ('PENDING', 'ERROR');

-- name: waiting_of_the_house
-- The same, from manifests and dead letters.
SELECT
    (coalesce(sum(b.events), 0) + (SELECT count(*) FROM raw.dead_letter AS d WHERE d.status = 'PENDING'))::integer
    AS pending,
    (SELECT count(*)::integer FROM raw.dead_letter AS d WHERE d.status = 'ERROR') AS failed,
    coalesce(extract(EPOCH FROM clock_timestamp() - min(b.received_timestamp)), 0)::double precision AS seconds
FROM raw.batch AS b
WHERE b.state = 'PENDING';

-- name: archived
-- Whether the server archives its log, and when it did last.
SELECT current_setting('archive_mode'), a.last_archived_time FROM pg_catalog.pg_stat_archiver AS a;

-- name: worker_versions
-- The version each connected worker says; NULL for one that says none.
SELECT substring(a.application_name FROM '^sitevault-worker-bell (.+)$')
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.application_name LIKE 'sitevault-worker-bell%';

-- name: size
-- How much the database holds, and whether we reached the server without a network, or by the loopback.
SELECT
    pg_database_size(current_database()) AS bytes,
    inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS local;

-- name: data_directory
-- Where the server's data is; refused to those who may not know.
SELECT current_setting('data_directory');
