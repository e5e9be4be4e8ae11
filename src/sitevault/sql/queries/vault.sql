-- Staging to vault, set by set. Every statement takes %(batch_ids)s, %(load_id)s and %(load_date)s, which name
-- the staged rows of one load, and is idempotent. Rows are inserted in one order, the same in every worker:
-- unordered, four workers met 32 deadlocks and took 3.5 times as long. That order begins with the hash key, not
-- with the tenant: a sort compares the first eight bytes of its first column, which for the tenant are the same.
-- Columns are named, not s.*: what is sorted is copied.

-- name: begin_load
-- A fresh load_id and its load_date: one instant for every row of the load.
SELECT nextval('ops.load_id_seq'), clock_timestamp();

-- name: insert_visitors
-- Hub of visitors, and what each uses by its latest event of the load: a row only where the hash_diff changed.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (s.visitor_hk, s.tenant_hk)
        s.tenant_hk, s.visitor_hk, s.visitor_id, s.processed_timestamp, s.device_class, s.browser,
        s.browser_version, s.os, s.os_version, s.language, s.screen, s.load_id, s.record_source
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND s.validation_status <> 'INVALID'
    ORDER BY s.visitor_hk, s.tenant_hk, s.occurred_at DESC, s.event_id DESC
),

hub AS (
    INSERT INTO business.site_visitor_h (tenant_hk, visitor_hk, visitor_bk, load_date, load_id, record_source)
    SELECT tenant_hk, visitor_hk, visitor_id, processed_timestamp, load_id, record_source
    FROM newest
    ON CONFLICT DO NOTHING
),

hashed AS MATERIALIZED (
    SELECT
        newest.*,
        sha256(
            '\x01'::bytea || business.encode_part(device_class) || business.encode_part(browser)
            || business.encode_part(browser_version) || business.encode_part(os)
            || business.encode_part(os_version) || business.encode_part(language)
            || business.encode_part(screen)
        ) AS hash_diff
    FROM newest
    WHERE visitor_id IS NOT NULL
)

INSERT INTO business.site_visitor_details_s (
    tenant_hk, visitor_hk, load_date, device_class, browser, browser_version, os, os_version, language, screen,
    hash_diff, load_id, record_source
)
SELECT
    hashed.tenant_hk, hashed.visitor_hk, hashed.processed_timestamp, hashed.device_class, hashed.browser,
    hashed.browser_version, hashed.os, hashed.os_version, hashed.language, hashed.screen, hashed.hash_diff,
    hashed.load_id, hashed.record_source
FROM hashed
LEFT JOIN LATERAL (
    SELECT known.hash_diff
    FROM business.site_visitor_details_s AS known
    WHERE known.tenant_hk = hashed.tenant_hk AND known.visitor_hk = hashed.visitor_hk
    ORDER BY known.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.hash_diff IS DISTINCT FROM hashed.hash_diff
ORDER BY hashed.visitor_hk, hashed.tenant_hk
ON CONFLICT DO NOTHING;

-- name: insert_sessions
-- Hub of sessions, and how each began, once per session: only sessions that have no details yet.
WITH entry AS MATERIALIZED (
    SELECT DISTINCT ON (s.session_hk, s.tenant_hk)
        s.tenant_hk, s.session_hk, s.session_id, s.processed_timestamp, s.page_url, s.referrer_url, s.source,
        s.channel, s.utm_term, s.utm_content, s.click_id_kind, s.load_id, s.record_source
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND s.validation_status <> 'INVALID'
    ORDER BY s.session_hk, s.tenant_hk, s.occurred_at, s.event_id
),

hub AS (
    INSERT INTO business.site_session_h (tenant_hk, session_hk, session_bk, load_date, load_id, record_source)
    SELECT tenant_hk, session_hk, session_id, processed_timestamp, load_id, record_source
    FROM entry
    ON CONFLICT DO NOTHING
)

INSERT INTO business.site_session_details_s (
    tenant_hk, session_hk, load_date, entry_page_url, referrer_url, source, channel, utm_term, utm_content,
    click_id_kind, hash_diff, load_id, record_source
)
SELECT
    entry.tenant_hk, entry.session_hk, entry.processed_timestamp, entry.page_url, entry.referrer_url,
    entry.source, entry.channel, entry.utm_term, entry.utm_content, entry.click_id_kind,
    sha256(
        '\x01'::bytea || business.encode_part(entry.page_url) || business.encode_part(entry.referrer_url)
        || business.encode_part(entry.source) || business.encode_part(entry.channel)
        || business.encode_part(entry.utm_term) || business.encode_part(entry.utm_content)
        || business.encode_part(entry.click_id_kind)
    ),
    entry.load_id, entry.record_source
FROM entry
LEFT JOIN LATERAL (
    SELECT known.load_date
    FROM business.site_session_details_s AS known
    WHERE known.tenant_hk = entry.tenant_hk AND known.session_hk = entry.session_hk
    LIMIT 1
) AS known ON true
WHERE known.load_date IS NULL AND entry.session_id IS NOT NULL
ORDER BY entry.session_hk, entry.tenant_hk
ON CONFLICT DO NOTHING;

-- name: insert_pages
-- Hub of pages, and what each calls itself by its latest event with a title: a row only where the hash_diff changed.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (s.page_hk, s.tenant_hk)
        s.tenant_hk, s.page_hk, s.page_url, s.page_title, s.processed_timestamp, s.load_id, s.record_source
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND s.validation_status <> 'INVALID'
    ORDER BY s.page_hk, s.tenant_hk, s.page_title IS NULL, s.occurred_at DESC, s.event_id DESC
),

hub AS (
    INSERT INTO business.site_page_h (tenant_hk, page_hk, page_bk, load_date, load_id, record_source)
    SELECT
        tenant_hk, page_hk, substr(page_url, strpos(page_url, '://') + 3), processed_timestamp, load_id, record_source
    FROM newest
    ON CONFLICT DO NOTHING
),

hashed AS MATERIALIZED (
    SELECT newest.*, sha256('\x01'::bytea || business.encode_part(page_title)) AS hash_diff
    FROM newest
    WHERE page_url IS NOT NULL AND page_title IS NOT NULL
)

INSERT INTO business.site_page_details_s (
    tenant_hk, page_hk, load_date, page_title, hash_diff, load_id, record_source
)
SELECT
    hashed.tenant_hk, hashed.page_hk, hashed.processed_timestamp, hashed.page_title, hashed.hash_diff,
    hashed.load_id, hashed.record_source
FROM hashed
LEFT JOIN LATERAL (
    SELECT known.hash_diff
    FROM business.site_page_details_s AS known
    WHERE known.tenant_hk = hashed.tenant_hk AND known.page_hk = hashed.page_hk
    ORDER BY known.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.hash_diff IS DISTINCT FROM hashed.hash_diff
ORDER BY hashed.page_hk, hashed.tenant_hk
ON CONFLICT DO NOTHING;

-- name: insert_users
-- Hub of users, by pseudonym.
INSERT INTO business.site_user_h (tenant_hk, user_hk, user_bk, load_date, load_id, record_source)
SELECT DISTINCT ON (s.user_hk, s.tenant_hk)
    s.tenant_hk, s.user_hk, s.user_bk, s.processed_timestamp, s.load_id, s.record_source
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND s.validation_status <> 'INVALID' AND s.user_bk IS NOT NULL
ORDER BY s.user_hk, s.tenant_hk, s.raw_event_id
ON CONFLICT DO NOTHING;

-- name: insert_campaigns
-- Hub of campaigns.
INSERT INTO business.site_campaign_h (
    tenant_hk, campaign_hk, utm_source, utm_medium, utm_campaign, load_date, load_id, record_source
)
SELECT DISTINCT ON (s.campaign_hk, s.tenant_hk)
    s.tenant_hk, s.campaign_hk, s.utm_source, s.utm_medium, s.utm_campaign, s.processed_timestamp, s.load_id,
    s.record_source
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND s.validation_status <> 'INVALID'
    AND num_nonnulls(s.utm_source, s.utm_medium, s.utm_campaign) > 0
ORDER BY s.campaign_hk, s.tenant_hk, s.raw_event_id
ON CONFLICT DO NOTHING;

-- name: insert_session_visitors
-- Link between a session and the visitor it was seen with.
INSERT INTO business.site_session_visitor_l (
    tenant_hk, session_hk, visitor_hk, load_date, load_id, record_source
)
SELECT DISTINCT ON (s.session_hk, s.tenant_hk, s.visitor_hk)
    s.tenant_hk, s.session_hk, s.visitor_hk, s.processed_timestamp, s.load_id, s.record_source
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND s.validation_status <> 'INVALID' AND s.session_id IS NOT NULL AND s.visitor_id IS NOT NULL
ORDER BY s.session_hk, s.tenant_hk, s.visitor_hk, s.raw_event_id
ON CONFLICT DO NOTHING;

-- name: insert_visitor_users
-- Link between a visitor and the user it was seen as.
INSERT INTO business.site_visitor_user_l (
    tenant_hk, visitor_hk, user_hk, load_date, load_id, record_source
)
SELECT DISTINCT ON (s.visitor_hk, s.tenant_hk, s.user_hk)
    s.tenant_hk, s.visitor_hk, s.user_hk, s.processed_timestamp, s.load_id, s.record_source
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND s.validation_status <> 'INVALID' AND s.visitor_id IS NOT NULL AND s.user_bk IS NOT NULL
ORDER BY s.visitor_hk, s.tenant_hk, s.user_hk, s.raw_event_id
ON CONFLICT DO NOTHING;

-- name: insert_visitor_user_effectivity
-- From when a visitor counts as which user: a row only where the user changed.
INSERT INTO business.site_visitor_user_es (
    tenant_hk, visitor_hk, user_hk, effective_from, load_date, load_id, record_source
)
SELECT
    newest.tenant_hk, newest.visitor_hk, newest.user_hk, newest.occurred_at, newest.processed_timestamp,
    newest.load_id, newest.record_source
FROM (
    SELECT DISTINCT ON (s.visitor_hk, s.tenant_hk)
        s.tenant_hk, s.visitor_hk, s.user_hk, s.occurred_at, s.processed_timestamp, s.load_id, s.record_source
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND s.validation_status <> 'INVALID' AND s.visitor_id IS NOT NULL AND s.user_bk IS NOT NULL
    ORDER BY s.visitor_hk, s.tenant_hk, s.occurred_at DESC, s.event_id DESC
) AS newest
LEFT JOIN LATERAL (
    SELECT known.user_hk, known.effective_from
    FROM business.site_visitor_user_es AS known
    WHERE known.tenant_hk = newest.tenant_hk AND known.visitor_hk = newest.visitor_hk
    ORDER BY known.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.user_hk IS NULL
    OR (known.user_hk <> newest.user_hk AND known.effective_from < newest.occurred_at)
ORDER BY newest.visitor_hk, newest.tenant_hk
ON CONFLICT DO NOTHING;

-- name: insert_events
-- The non-historised link; what was really new is remembered in pg_temp.loaded for the steps after this one.
WITH first_of_each_id AS (
    SELECT DISTINCT ON (s.event_id, s.tenant_hk)
        s.tenant_hk, s.event_id, s.event_day, s.raw_event_id, s.session_hk, s.visitor_hk, s.page_hk, s.user_hk,
        s.campaign_hk, s.event_type, s.occurred_at, s.received_timestamp, s.referrer_host, s.source, s.channel,
        s.device_class, s.browser, s.os, s.country, s.is_bot, s.validation_status, s.quality_score, s.properties,
        s.payload_digest, s.processed_timestamp, s.load_id, s.record_source
    FROM staging.site_tracking_events_s AS s
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND s.validation_status <> 'INVALID'
    ORDER BY s.event_id, s.tenant_hk, s.raw_event_id
),

inserted AS (
    INSERT INTO business.site_event_nl (
        tenant_hk, event_id, event_day, raw_event_id, session_hk, visitor_hk, page_hk, user_hk, campaign_hk,
        event_type, occurred_at, received_timestamp, referrer_host, source, channel, device_class, browser, os,
        country, is_bot, validation_status, quality_score, properties, payload_digest, load_date, load_id,
        record_source
    )
    SELECT * FROM first_of_each_id
    ORDER BY event_id, tenant_hk
    ON CONFLICT DO NOTHING
    RETURNING
        load_id, raw_event_id, tenant_hk, event_id, occurred_at, event_type, session_hk, visitor_hk, page_hk,
        user_hk, campaign_hk, source, channel, device_class, browser, os, country, is_bot, validation_status,
        quality_score
)

INSERT INTO pg_temp.loaded (
    load_id, raw_event_id, tenant_hk, event_id, occurred_at, event_type, session_hk, visitor_hk, page_hk, user_hk,
    campaign_hk, source, channel, device_class, browser, os, country, is_bot, validation_status, quality_score
)
SELECT * FROM inserted;

-- name: insert_event_pii
-- Personal data of the new events, apart.
INSERT INTO business.site_event_pii_ns (
    tenant_hk, event_id, event_day, client_ip, user_agent, page_query, load_date, load_id, record_source
)
SELECT
    s.tenant_hk, s.event_id, s.event_day, s.client_ip, s.user_agent, s.page_query, s.processed_timestamp,
    s.load_id, s.record_source
FROM staging.site_tracking_events_s AS s
INNER JOIN pg_temp.loaded AS l ON s.load_id = l.load_id AND s.raw_event_id = l.raw_event_id
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND num_nonnulls(s.client_ip, s.user_agent, s.page_query) > 0
ORDER BY s.event_id, s.tenant_hk
ON CONFLICT DO NOTHING;

-- name: insert_duplicates
-- Staged events the vault already had, and whether they said something else.
INSERT INTO business.site_event_duplicate (tenant_hk, raw_event_id, event_id, is_conflict, load_date, load_id)
SELECT
    s.tenant_hk, s.raw_event_id, s.event_id, known.payload_digest <> s.payload_digest, s.processed_timestamp,
    s.load_id
FROM staging.site_tracking_events_s AS s
LEFT JOIN pg_temp.loaded AS l ON s.load_id = l.load_id AND s.raw_event_id = l.raw_event_id
CROSS JOIN LATERAL (
    SELECT e.payload_digest
    FROM business.site_event_nl AS e
    WHERE e.tenant_hk = s.tenant_hk AND e.event_id = s.event_id AND e.event_day = s.event_day
    LIMIT 1
) AS known
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
    AND s.validation_status <> 'INVALID' AND l.raw_event_id IS NULL
ORDER BY s.tenant_hk, s.raw_event_id;

-- name: make_loaded_table
-- What of the current load is new, with what the marts need of it; one per connection, emptied at every commit.
CREATE TEMPORARY TABLE IF NOT EXISTS loaded (
    load_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_type text NOT NULL,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    validation_status text NOT NULL,
    quality_score numeric(3, 2) NOT NULL
) ON COMMIT DELETE ROWS;

-- name: plan_for_any_size
-- For connections that load. No statistics know a load_id that was just made, so every step is planned for one
-- row, and a nested loop over ten thousand takes minutes (300 events/s, against 10,000). Compiling such
-- statements costs more than it gives.
SELECT
    set_config('enable_nestloop', 'off', false),
    set_config('jit', 'off', false),
    set_config('work_mem', '32MB', false);

-- name: count_orphans
-- References without their hub row, per reference: the audit that stands in for enforced foreign keys.
SELECT 'site_event_nl.session_hk' AS reference, count(*) AS orphans
FROM business.site_event_nl AS e
LEFT JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
WHERE h.session_hk IS NULL
UNION ALL
SELECT 'site_event_nl.visitor_hk', count(*)
FROM business.site_event_nl AS e
LEFT JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
WHERE h.visitor_hk IS NULL
UNION ALL
SELECT 'site_event_nl.page_hk', count(*)
FROM business.site_event_nl AS e
LEFT JOIN business.site_page_h AS h ON e.tenant_hk = h.tenant_hk AND e.page_hk = h.page_hk
WHERE h.page_hk IS NULL
UNION ALL
SELECT 'site_event_nl.user_hk', count(*)
FROM business.site_event_nl AS e
LEFT JOIN business.site_user_h AS h ON e.tenant_hk = h.tenant_hk AND e.user_hk = h.user_hk
WHERE h.user_hk IS NULL
UNION ALL
SELECT 'site_event_nl.campaign_hk', count(*)
FROM business.site_event_nl AS e
LEFT JOIN business.site_campaign_h AS h ON e.tenant_hk = h.tenant_hk AND e.campaign_hk = h.campaign_hk
WHERE h.campaign_hk IS NULL
UNION ALL
SELECT 'site_session_visitor_l.session_hk', count(*)
FROM business.site_session_visitor_l AS e
LEFT JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
WHERE h.session_hk IS NULL
UNION ALL
SELECT 'site_session_visitor_l.visitor_hk', count(*)
FROM business.site_session_visitor_l AS e
LEFT JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
WHERE h.visitor_hk IS NULL
UNION ALL
SELECT 'site_visitor_user_l.visitor_hk', count(*)
FROM business.site_visitor_user_l AS e
LEFT JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
WHERE h.visitor_hk IS NULL
UNION ALL
SELECT 'site_visitor_user_l.user_hk', count(*)
FROM business.site_visitor_user_l AS e
LEFT JOIN business.site_user_h AS h ON e.tenant_hk = h.tenant_hk AND e.user_hk = h.user_hk
WHERE h.user_hk IS NULL;
