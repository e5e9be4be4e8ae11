-- name: set_tenant_context
-- Whose rows the rest of this transaction may see and write; ends with the transaction.
SELECT set_config('sitevault.tenant_hk', encode(%(tenant_hk)s, 'hex'), true);

-- name: become_owner
-- Administrative writes belong to the owner of the tables, for the rest of this transaction.
SET LOCAL ROLE sitevault_owner;

-- name: insert_tenant
-- The hub row of a new tenant; nothing where the id is taken.
INSERT INTO auth.tenant_h (tenant_hk, tenant_bk, load_date, record_source)
VALUES (%(tenant_hk)s, %(tenant_bk)s, clock_timestamp(), 'sitevault.tenancy')
ON CONFLICT (tenant_hk) DO NOTHING;

-- name: insert_profile
-- A tenant's new state; later than its last one even where the server's clock was set back.
INSERT INTO auth.tenant_profile_s
(tenant_hk, load_date, name, status, ip_policy, mapping, hash_diff, record_source)
VALUES (
    %(tenant_hk)s,
    greatest(clock_timestamp(), (
        SELECT max(p.load_date) + interval '1 microsecond'
        FROM auth.tenant_profile_s AS p
        WHERE p.tenant_hk = %(tenant_hk)s
    )),
    %(name)s, %(status)s, %(ip_policy)s, %(mapping)s::jsonb, %(hash_diff)s, 'sitevault.tenancy'
);

-- name: insert_secret
-- The HMAC secret by which the tenant's user ids become pseudonyms.
INSERT INTO auth.tenant_secret (tenant_hk, secret, load_date)
VALUES (%(tenant_hk)s, %(secret)s, clock_timestamp());

-- name: insert_ghosts
-- The unknown member of every hub, so that an event's reference is never NULL.
WITH visitor AS (
    INSERT INTO business.site_visitor_h (tenant_hk, visitor_hk, load_date, load_id, record_source)
    VALUES (%(tenant_hk)s, %(ghost)s, clock_timestamp(), 0, 'sitevault.ghost')
),

session AS (
    INSERT INTO business.site_session_h (tenant_hk, session_hk, load_date, load_id, record_source)
    VALUES (%(tenant_hk)s, %(ghost)s, clock_timestamp(), 0, 'sitevault.ghost')
),

page AS (
    INSERT INTO business.site_page_h (tenant_hk, page_hk, load_date, load_id, record_source)
    VALUES (%(tenant_hk)s, %(ghost)s, clock_timestamp(), 0, 'sitevault.ghost')
),

site_user AS (
    INSERT INTO business.site_user_h (tenant_hk, user_hk, load_date, load_id, record_source)
    VALUES (%(tenant_hk)s, %(ghost)s, clock_timestamp(), 0, 'sitevault.ghost')
)

INSERT INTO business.site_campaign_h (tenant_hk, campaign_hk, load_date, load_id, record_source)
VALUES (%(tenant_hk)s, %(ghost)s, clock_timestamp(), 0, 'sitevault.ghost');

-- name: lock_tenant
-- One change of a tenant at a time: held until the transaction ends.
SELECT tenant_hk FROM auth.tenant_h WHERE tenant_hk = %(tenant_hk)s FOR NO KEY UPDATE;

-- name: tenant
-- One tenant as it is now.
SELECT tenant_bk, tenant_hk, name, status, ip_policy, mapping, created_at
FROM auth.tenant_v
WHERE tenant_hk = %(tenant_hk)s;

-- name: tenants
-- Every tenant as it is now (a role that sees all).
SELECT tenant_bk, tenant_hk, name, status, ip_policy, mapping, created_at
FROM auth.tenant_v
ORDER BY tenant_bk;

-- name: tenant_ids_named
-- The ids of the tenants that have a name, whatever its case: several may.
SELECT tenant_bk FROM auth.tenant_v WHERE lower(name) = lower(%(name)s) ORDER BY tenant_bk;

-- name: insert_key
-- The hub row of a new API key: its digest, never the key.
INSERT INTO auth.api_key_h (tenant_hk, api_key_hk, load_date, record_source)
VALUES (%(tenant_hk)s, %(api_key_hk)s, clock_timestamp(), 'sitevault.tenancy');

-- name: insert_key_state
-- A key's new state; later than its last one even where the server's clock was set back.
INSERT INTO auth.api_key_s
(tenant_hk, api_key_hk, load_date, kind, label, allowed_origins, rate_limit, status, hash_diff, record_source)
VALUES (
    %(tenant_hk)s,
    %(api_key_hk)s,
    greatest(clock_timestamp(), (
        SELECT max(k.load_date) + interval '1 microsecond'
        FROM auth.api_key_s AS k
        WHERE k.tenant_hk = %(tenant_hk)s AND k.api_key_hk = %(api_key_hk)s
    )),
    %(kind)s, %(label)s, %(allowed_origins)s, %(rate_limit)s, %(status)s, %(hash_diff)s, 'sitevault.tenancy'
);

-- name: key
-- One key as it is now.
SELECT
    t.tenant_bk, k.tenant_hk, k.api_key_hk, k.kind, k.label, k.allowed_origins, k.rate_limit, k.status, k.created_at
FROM auth.api_key_v AS k
INNER JOIN auth.tenant_h AS t ON t.tenant_hk = k.tenant_hk
WHERE k.tenant_hk = %(tenant_hk)s AND k.api_key_hk = %(api_key_hk)s;

-- name: keys_of_tenant
-- A tenant's keys as they are now, oldest first.
SELECT
    t.tenant_bk, k.tenant_hk, k.api_key_hk, k.kind, k.label, k.allowed_origins, k.rate_limit, k.status, k.created_at
FROM auth.api_key_v AS k
INNER JOIN auth.tenant_h AS t ON t.tenant_hk = k.tenant_hk
WHERE k.tenant_hk = %(tenant_hk)s
ORDER BY k.created_at, k.api_key_hk;

-- name: keys_by_prefix
-- The keys whose digest begins with these hex digits (a role that sees all).
SELECT
    t.tenant_bk, k.tenant_hk, k.api_key_hk, k.kind, k.label, k.allowed_origins, k.rate_limit, k.status, k.created_at
FROM auth.api_key_v AS k
INNER JOIN auth.tenant_h AS t ON t.tenant_hk = k.tenant_hk
WHERE starts_with(encode(k.api_key_hk, 'hex'), %(prefix)s)
ORDER BY t.tenant_bk, k.api_key_hk;

-- name: keyring
-- All a collector knows: every key with its state and its tenant's.
SELECT
    k.api_key_hk, k.tenant_hk, k.kind, k.allowed_origins, k.rate_limit, k.status AS key_status,
    t.status AS tenant_status
FROM auth.api_key_v AS k
INNER JOIN auth.tenant_v AS t ON t.tenant_hk = k.tenant_hk;

-- name: listen_for_keys
-- The bell that rings whenever a tenant, a key or an event schema changes.
LISTEN sitevault_keys;

-- name: tenant_rules
-- What staging must know of each tenant, suspended ones too: their landed events still travel.
SELECT
    t.tenant_hk,
    s.secret,
    t.ip_policy,
    t.mapping,
    coalesce((
        SELECT jsonb_object_agg(e.event_type, e.schema_json)
        FROM staging.event_schema_s AS e
        WHERE
            e.tenant_hk = t.tenant_hk
            AND e.status = 'active'
            AND NOT EXISTS (
                SELECT 1 FROM staging.event_schema_s AS newer
                WHERE newer.tenant_hk = e.tenant_hk
                    AND newer.event_type = e.event_type
                    AND newer.load_date > e.load_date
            )
    ), '{}'::jsonb) AS schemas
FROM auth.tenant_v AS t
INNER JOIN auth.tenant_secret AS s ON s.tenant_hk = t.tenant_hk
ORDER BY t.tenant_hk;

-- name: insert_event_schema
-- The newest word on a tenant's schema for an event type; later than the last even where the clock was set back.
INSERT INTO staging.event_schema_s (tenant_hk, event_type, load_date, schema_json, status, record_source)
VALUES (
    %(tenant_hk)s,
    %(event_type)s,
    greatest(clock_timestamp(), (
        SELECT max(e.load_date) + interval '1 microsecond'
        FROM staging.event_schema_s AS e
        WHERE e.tenant_hk = %(tenant_hk)s AND e.event_type = %(event_type)s
    )),
    %(schema_json)s::jsonb, %(status)s, 'sitevault.tenancy'
);

-- name: event_schemas
-- A tenant's event schemas as they are now, retired ones too.
SELECT DISTINCT ON (event_type) event_type, schema_json, status, load_date
FROM staging.event_schema_s
WHERE tenant_hk = %(tenant_hk)s
ORDER BY event_type, load_date DESC;

-- name: mappings_so_far
-- Every mapping a tenant has had, the newest first.
SELECT mapping FROM auth.tenant_profile_s WHERE tenant_hk = %(tenant_hk)s ORDER BY load_date DESC;

-- name: schemas_so_far
-- Everything that was demanded of a tenant's events of a type, the newest first.
SELECT schema_json, status
FROM staging.event_schema_s
WHERE tenant_hk = %(tenant_hk)s AND event_type = %(event_type)s
ORDER BY load_date DESC;
