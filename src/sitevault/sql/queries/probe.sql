-- The probe's statements: everything between begin and the rollback leaves no trace; see sitevault.doctor.probe.

-- name: stuck
-- Of each kind of event that is not done, by tenant and type, the oldest and the newest, and how many are alike.
WITH waiting AS (
    SELECT {id} AS id, {tenant} AS tenant_hk, {payload} ->> 'event_type' AS event_type, {received} AS received
    FROM {table}
    WHERE {status} IN ('PENDING', 'PROCESSING', 'ERROR')
),
placed AS (
    SELECT
        w.*,
        count(*) OVER (PARTITION BY w.tenant_hk, w.event_type) AS alike,
        row_number() OVER (PARTITION BY w.tenant_hk, w.event_type ORDER BY w.received, w.id) AS from_oldest,
        row_number() OVER (PARTITION BY w.tenant_hk, w.event_type ORDER BY w.received DESC, w.id DESC) AS from_newest
    FROM waiting AS w
)
SELECT p.id, p.tenant_hk, p.event_type, p.alike
FROM placed AS p
WHERE p.from_oldest = 1 OR p.from_newest = 1
ORDER BY p.from_newest, p.alike DESC, p.id
LIMIT %(most)s;

-- name: limits
-- The probe waits for nobody, and nobody long for it.
SELECT
    set_config('lock_timeout', '1s', true),
    set_config('statement_timeout', '5s', true),
    set_config('idle_in_transaction_session_timeout', '30s', true),
    set_config('check_function_bodies', 'off', true);

-- name: make_pending
-- The event as it was before anybody tried it.
UPDATE {table} SET {status} = 'PENDING' WHERE {id} = %(id)s;

-- name: status_of
-- Where the event is after the try.
SELECT {status} FROM {table} WHERE {id} = %(id)s;

-- name: fire_deferred
-- Constraints and triggers that would only speak at the commit.
SET CONSTRAINTS ALL IMMEDIATE;
