-- The vault's sets. What a load brings comes as arrays, each thing once and in the order of its key: four workers
-- that inserted in any order met 32 deadlocks and took 3.5 times as long. Every statement is idempotent.
-- A hub or link row that is there is found by its key first, because most are. ON CONFLICT is for what another
-- worker commits in between.
-- A satellite's key holds the instant of its load: only a load carried in parts could conflict, and it looks.

-- name: begin_load
-- A fresh load_id and its load_date: one instant for every row of the load.
SELECT nextval('ops.load_id_seq'), clock_timestamp();

-- name: hold_hubs
-- Before a load looks at an event: making a day's partition locks the hubs, then what find_known has touched.
LOCK TABLE business.site_visitor_h, business.site_session_h, business.site_page_h, business.site_user_h,
business.site_campaign_h IN ROW EXCLUSIVE MODE;

-- name: find_known
-- Which of these events the vault has: their places in the list, and their payload digests.
SELECT a.place, known.payload_digest
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(event_ids)s::uuid []), unnest(%(event_days)s::date [])
) WITH ORDINALITY AS a (tenant_hk, event_id, event_day, place)
CROSS JOIN LATERAL (
    SELECT e.payload_digest
    FROM business.site_event_nl AS e
    WHERE e.tenant_hk = a.tenant_hk AND e.event_id = a.event_id AND e.event_day = a.event_day
    LIMIT 1
) AS known;

-- name: insert_visitors
-- Hub of visitors.
INSERT INTO business.site_visitor_h (tenant_hk, visitor_hk, visitor_bk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.visitor_hk, a.visitor_bk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(visitor_hks)s::bytea []),
    unnest(%(visitor_bks)s::text [])
) AS a (tenant_hk, record_source, visitor_hk, visitor_bk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_visitor_h AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.visitor_hk = a.visitor_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_sessions
-- Hub of sessions.
INSERT INTO business.site_session_h (tenant_hk, session_hk, session_bk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.session_hk, a.session_bk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(session_hks)s::bytea []),
    unnest(%(session_bks)s::text [])
) AS a (tenant_hk, record_source, session_hk, session_bk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_session_h AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.session_hk = a.session_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_pages
-- Hub of pages.
INSERT INTO business.site_page_h (tenant_hk, page_hk, page_bk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.page_hk, a.page_bk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(page_hks)s::bytea []),
    unnest(%(page_bks)s::text [])
) AS a (tenant_hk, record_source, page_hk, page_bk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_page_h AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.page_hk = a.page_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_users
-- Hub of users, by pseudonym.
INSERT INTO business.site_user_h (tenant_hk, user_hk, user_bk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.user_hk, a.user_bk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(user_hks)s::bytea []),
    unnest(%(user_bks)s::text [])
) AS a (tenant_hk, record_source, user_hk, user_bk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_user_h AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.user_hk = a.user_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_campaigns
-- Hub of campaigns.
INSERT INTO business.site_campaign_h (tenant_hk, campaign_hk, utm_source, utm_medium, utm_campaign, load_date, load_id, record_source)
SELECT a.tenant_hk, a.campaign_hk, a.utm_source, a.utm_medium, a.utm_campaign, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(campaign_hks)s::bytea []),
    unnest(%(utm_sources)s::text []),
    unnest(%(utm_mediums)s::text []),
    unnest(%(utm_campaigns)s::text [])
) AS a (tenant_hk, record_source, campaign_hk, utm_source, utm_medium, utm_campaign)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_campaign_h AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.campaign_hk = a.campaign_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_session_visitors
-- Link between a session and the visitor it was seen with.
INSERT INTO business.site_session_visitor_l (tenant_hk, session_hk, visitor_hk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.session_hk, a.visitor_hk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(session_hks)s::bytea []),
    unnest(%(visitor_hks)s::bytea [])
) AS a (tenant_hk, record_source, session_hk, visitor_hk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_session_visitor_l AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.session_hk = a.session_hk AND h.visitor_hk = a.visitor_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_visitor_users
-- Link between a visitor and the user it was seen as.
INSERT INTO business.site_visitor_user_l (tenant_hk, visitor_hk, user_hk, load_date, load_id, record_source)
SELECT a.tenant_hk, a.visitor_hk, a.user_hk, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(visitor_hks)s::bytea []),
    unnest(%(user_hks)s::bytea [])
) AS a (tenant_hk, record_source, visitor_hk, user_hk)
LEFT JOIN LATERAL (
    SELECT h.load_id
    FROM business.site_visitor_user_l AS h
    WHERE h.tenant_hk = a.tenant_hk AND h.visitor_hk = a.visitor_hk AND h.user_hk = a.user_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL
ON CONFLICT DO NOTHING;

-- name: insert_visitor_user_effectivity
-- From when a visitor counts as which user: a row only where the user changed.
INSERT INTO business.site_visitor_user_es (
    tenant_hk, visitor_hk, user_hk, effective_from, load_date, load_id, record_source
)
SELECT a.tenant_hk, a.visitor_hk, a.user_hk, a.occurred_at, %(load_date)s, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []), unnest(%(visitor_hks)s::bytea []),
    unnest(%(user_hks)s::bytea []), unnest(%(occurred_ats)s::timestamptz [])
) AS a (tenant_hk, record_source, visitor_hk, user_hk, occurred_at)
LEFT JOIN LATERAL (
    SELECT s.user_hk, s.effective_from, s.load_date
    FROM business.site_visitor_user_es AS s
    WHERE s.tenant_hk = a.tenant_hk AND s.visitor_hk = a.visitor_hk
    ORDER BY s.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.user_hk IS NULL
    OR (
        known.user_hk <> a.user_hk AND known.effective_from < a.occurred_at
        AND known.load_date IS DISTINCT FROM %(load_date)s
    );

-- name: insert_visitor_details
-- What each visitor uses by its latest event of the load: a row only where the hash_diff changed.
INSERT INTO business.site_visitor_details_s (
    tenant_hk, visitor_hk, load_date, device_class, browser, browser_version, os, os_version, language, screen,
    hash_diff, load_id, record_source
)
SELECT
    a.tenant_hk, a.visitor_hk, %(load_date)s, a.device_class, a.browser, a.browser_version, a.os, a.os_version,
    a.language, a.screen, a.hash_diff, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(visitor_hks)s::bytea []), unnest(%(device_classes)s::text []), unnest(%(browsers)s::text []),
    unnest(%(browser_versions)s::text []), unnest(%(oses)s::text []), unnest(%(os_versions)s::text []),
    unnest(%(languages)s::text []), unnest(%(screens)s::text []), unnest(%(hash_diffs)s::bytea [])
) AS a (
    tenant_hk, record_source, visitor_hk, device_class, browser, browser_version, os, os_version, language,
    screen, hash_diff
)
LEFT JOIN LATERAL (
    SELECT s.hash_diff, s.load_date
    FROM business.site_visitor_details_s AS s
    WHERE s.tenant_hk = a.tenant_hk AND s.visitor_hk = a.visitor_hk
    ORDER BY s.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.hash_diff IS DISTINCT FROM a.hash_diff AND known.load_date IS DISTINCT FROM %(load_date)s;

-- name: insert_session_details
-- How each session began, once per session: only sessions that have no details yet.
INSERT INTO business.site_session_details_s (
    tenant_hk, session_hk, load_date, entry_page_url, referrer_url, source, channel, utm_term, utm_content,
    click_id_kind, hash_diff, load_id, record_source
)
SELECT
    a.tenant_hk, a.session_hk, %(load_date)s, a.entry_page_url, a.referrer_url, a.source, a.channel,
    a.utm_term, a.utm_content, a.click_id_kind, a.hash_diff, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(session_hks)s::bytea []), unnest(%(entry_page_urls)s::text []),
    unnest(%(referrer_urls)s::text []), unnest(%(sources)s::text []), unnest(%(channels)s::text []),
    unnest(%(utm_terms)s::text []), unnest(%(utm_contents)s::text []), unnest(%(click_id_kinds)s::text []),
    unnest(%(hash_diffs)s::bytea [])
) AS a (
    tenant_hk, record_source, session_hk, entry_page_url, referrer_url, source, channel, utm_term, utm_content,
    click_id_kind, hash_diff
)
LEFT JOIN LATERAL (
    SELECT s.load_id
    FROM business.site_session_details_s AS s
    WHERE s.tenant_hk = a.tenant_hk AND s.session_hk = a.session_hk
    LIMIT 1
) AS known ON true
WHERE known.load_id IS NULL;

-- name: insert_page_details
-- What each page calls itself by its latest event with a title: a row only where the hash_diff changed.
INSERT INTO business.site_page_details_s (
    tenant_hk, page_hk, load_date, page_title, hash_diff, load_id, record_source
)
SELECT
    a.tenant_hk, a.page_hk, %(load_date)s, a.page_title, a.hash_diff, %(load_id)s, a.record_source
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(record_sources)s::text []),
    unnest(%(page_hks)s::bytea []), unnest(%(page_titles)s::text []), unnest(%(hash_diffs)s::bytea [])
) AS a (
    tenant_hk, record_source, page_hk, page_title, hash_diff
)
LEFT JOIN LATERAL (
    SELECT s.hash_diff, s.load_date
    FROM business.site_page_details_s AS s
    WHERE s.tenant_hk = a.tenant_hk AND s.page_hk = a.page_hk
    ORDER BY s.load_date DESC
    LIMIT 1
) AS known ON true
WHERE known.hash_diff IS DISTINCT FROM a.hash_diff AND known.load_date IS DISTINCT FROM %(load_date)s;

-- name: plan_for_any_size
-- For connections that load: keys are looked up by index, whatever the statistics say. A plan is kept for as long as
-- a lane lives; one made while a hub has twenty rows would read it from end to end when it has a million.
SELECT
    set_config('enable_seqscan', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
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
