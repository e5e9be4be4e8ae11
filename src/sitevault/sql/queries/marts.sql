-- Marts, refreshed by what is new: each new event is added once, so late events land in their day and move a
-- session's beginning or end. What adds up within a load comes added up, as arrays in the order of the key.

-- name: hold_rolling_off
-- From here to the end of the load no day is rolled up; before the sessions, so that all take these locks in one order.
LOCK TABLE mart.rolled_day IN ROW EXCLUSIVE MODE;

-- name: refresh_sessions
-- Sessions: sums add up; the beginning is the earliest event's, the end the latest's (ties by event_id). A day of which
-- a session was changed is not rolled up any more; a session that this load began anew was on another day before.
WITH sessions AS (
    SELECT a.*
    FROM ROWS FROM (
        unnest(%(tenant_hk)s::bytea []), unnest(%(session_hk)s::bytea []), unnest(%(first_at)s::timestamptz []),
        unnest(%(first_event_id)s::uuid []), unnest(%(last_at)s::timestamptz []),
        unnest(%(last_event_id)s::uuid []), unnest(%(visitor_hk)s::bytea []), unnest(%(user_hk)s::bytea []),
        unnest(%(entry_page_hk)s::bytea []), unnest(%(exit_page_hk)s::bytea []), unnest(%(campaign_hk)s::bytea []),
        unnest(%(source)s::text []), unnest(%(channel)s::text []), unnest(%(device_class)s::text []),
        unnest(%(browser)s::text []), unnest(%(os)s::text []), unnest(%(country)s::text []),
        unnest(%(is_bot)s::boolean []), unnest(%(events)s::bigint []), unnest(%(page_views)s::bigint [])
    ) AS a (
        tenant_hk, session_hk, first_at, first_event_id, last_at, last_event_id, visitor_hk, user_hk,
        entry_page_hk, exit_page_hk, campaign_hk, source, channel, device_class, browser, os, country, is_bot,
        events, page_views
    )
),

refreshed AS (
    INSERT INTO mart.session_f AS f (
        tenant_hk, session_hk, session_day, first_at, first_event_id, last_at, last_event_id, visitor_hk, user_hk,
        entry_page_hk, exit_page_hk, campaign_hk, source, channel, device_class, browser, os, country, is_bot, events,
        page_views
    )
    SELECT
        s.tenant_hk, s.session_hk, (s.first_at AT TIME ZONE 'UTC')::date, s.first_at, s.first_event_id, s.last_at,
        s.last_event_id, s.visitor_hk, s.user_hk, s.entry_page_hk, s.exit_page_hk, s.campaign_hk, s.source, s.channel,
        s.device_class, s.browser, s.os, s.country, s.is_bot, s.events::integer, s.page_views::integer
    FROM sessions AS s
    ON CONFLICT (tenant_hk, session_hk) DO UPDATE SET
        events = f.events + excluded.events,
        page_views = f.page_views + excluded.page_views,
        is_bot = f.is_bot OR excluded.is_bot,
        (last_at, last_event_id, exit_page_hk) = (
            SELECT latest.last_at, latest.last_event_id, latest.exit_page_hk
            FROM (
                VALUES (f.last_at, f.last_event_id, f.exit_page_hk),
                (excluded.last_at, excluded.last_event_id, excluded.exit_page_hk)
            ) AS latest (last_at, last_event_id, exit_page_hk)
            ORDER BY latest.last_at DESC, latest.last_event_id DESC
            LIMIT 1
        ),
        (
            session_day, first_at, first_event_id, visitor_hk, user_hk, entry_page_hk, campaign_hk, source, channel,
            device_class, browser, os, country
        ) = (
            SELECT
                earliest.session_day, earliest.first_at, earliest.first_event_id, earliest.visitor_hk,
                earliest.user_hk, earliest.entry_page_hk, earliest.campaign_hk, earliest.source, earliest.channel,
                earliest.device_class, earliest.browser, earliest.os, earliest.country
            FROM (
                VALUES (
                    f.session_day, f.first_at, f.first_event_id, f.visitor_hk, f.user_hk, f.entry_page_hk,
                    f.campaign_hk, f.source, f.channel, f.device_class, f.browser, f.os, f.country
                ),
                (
                    excluded.session_day, excluded.first_at, excluded.first_event_id, excluded.visitor_hk,
                    excluded.user_hk, excluded.entry_page_hk, excluded.campaign_hk, excluded.source,
                    excluded.channel, excluded.device_class, excluded.browser, excluded.os, excluded.country
                )
            ) AS earliest (
                session_day, first_at, first_event_id, visitor_hk, user_hk, entry_page_hk, campaign_hk, source,
                channel, device_class, browser, os, country
            )
            ORDER BY earliest.first_at, earliest.first_event_id
            LIMIT 1
        )
    RETURNING f.tenant_hk, f.session_day, f.first_event_id, (f.last_at AT TIME ZONE 'UTC')::date AS last_day
),

touched AS (
    SELECT DISTINCT
        r.tenant_hk,
        r.session_day AS first_day,
        CASE
            WHEN r.last_day > r.session_day
                AND (r.tenant_hk, r.first_event_id) IN (SELECT s.tenant_hk, s.first_event_id FROM sessions AS s)
                THEN r.last_day
            ELSE r.session_day
        END AS last_day
    FROM refreshed AS r
),

-- The day of an event in the vault is that of its id, which need not be the day it occurred: a clock may be wrong.
touched_days AS (
    SELECT t.tenant_hk, t.first_day + ahead AS day
    FROM touched AS t
    CROSS JOIN LATERAL generate_series(0, t.last_day - t.first_day) AS ahead
    UNION
    SELECT e.tenant_hk, e.day
    FROM ROWS FROM (
        unnest(%(event_tenant_hk)s::bytea []), unnest(%(event_day)s::date [])
    ) AS e (tenant_hk, day)
    ORDER BY 1, 2
),

-- By key, one after the other: whatever else there is of rolled_day is not read.
rolled AS (
    SELECT held.place
    FROM touched_days AS t
    CROSS JOIN LATERAL (
        SELECT d.ctid AS place
        FROM mart.rolled_day AS d
        WHERE d.tenant_hk = t.tenant_hk AND d.day = t.day AND d.rolled_at IS NOT NULL
        LIMIT 1
        FOR NO KEY UPDATE
    ) AS held
)

UPDATE mart.rolled_day AS d
SET rolled_at = NULL, opened_at = clock_timestamp()
WHERE d.ctid = ANY(ARRAY(SELECT r.place FROM rolled AS r));

-- name: refresh_pages
-- Pages by the day the event occurred.
INSERT INTO mart.page_day_f AS f (tenant_hk, day, page_hk, events, page_views, bot_page_views)
SELECT a.tenant_hk, a.day, a.page_hk, a.events, a.page_views, a.bot_page_views
FROM ROWS FROM (
    unnest(%(tenant_hk)s::bytea []), unnest(%(day)s::date []), unnest(%(page_hk)s::bytea []),
    unnest(%(events)s::bigint []), unnest(%(page_views)s::bigint []), unnest(%(bot_page_views)s::bigint [])
) AS a (tenant_hk, day, page_hk, events, page_views, bot_page_views)
ON CONFLICT (tenant_hk, day, page_hk) DO UPDATE SET
    events = f.events + excluded.events,
    page_views = f.page_views + excluded.page_views,
    bot_page_views = f.bot_page_views + excluded.bot_page_views;

-- name: refresh_events
-- Event types by the day the event occurred.
INSERT INTO mart.event_day_f AS f (
    tenant_hk, day, event_type, events, bot_events, suspicious_events, quality_sum
)
SELECT a.tenant_hk, a.day, a.event_type, a.events, a.bot_events, a.suspicious_events,
    a.quality_hundredths * 0.01
FROM ROWS FROM (
    unnest(%(tenant_hk)s::bytea []), unnest(%(day)s::date []), unnest(%(event_type)s::text []),
    unnest(%(events)s::bigint []), unnest(%(bot_events)s::bigint []), unnest(%(suspicious_events)s::bigint []),
    unnest(%(quality_hundredths)s::bigint [])
) AS a (tenant_hk, day, event_type, events, bot_events, suspicious_events, quality_hundredths)
ON CONFLICT (tenant_hk, day, event_type) DO UPDATE SET
    events = f.events + excluded.events,
    bot_events = f.bot_events + excluded.bot_events,
    suspicious_events = f.suspicious_events + excluded.suspicious_events,
    quality_sum = f.quality_sum + excluded.quality_sum;

-- name: recompute_sessions
-- The session mart as the vault alone would make it: what the refreshed one must equal.
SELECT
    e.tenant_hk,
    e.session_hk,
    (min(e.occurred_at) AT TIME ZONE 'UTC')::date AS session_day,
    min(e.occurred_at) AS first_at,
    (array_agg(e.event_id ORDER BY e.occurred_at, e.event_id))[1] AS first_event_id,
    max(e.occurred_at) AS last_at,
    (array_agg(e.event_id ORDER BY e.occurred_at DESC, e.event_id DESC))[1] AS last_event_id,
    (array_agg(e.visitor_hk ORDER BY e.occurred_at, e.event_id))[1] AS visitor_hk,
    (array_agg(e.user_hk ORDER BY e.occurred_at, e.event_id))[1] AS user_hk,
    (array_agg(e.page_hk ORDER BY e.occurred_at, e.event_id))[1] AS entry_page_hk,
    (array_agg(e.page_hk ORDER BY e.occurred_at DESC, e.event_id DESC))[1] AS exit_page_hk,
    (array_agg(e.campaign_hk ORDER BY e.occurred_at, e.event_id))[1] AS campaign_hk,
    (array_agg(e.source ORDER BY e.occurred_at, e.event_id))[1] AS source,
    (array_agg(e.channel ORDER BY e.occurred_at, e.event_id))[1] AS channel,
    (array_agg(e.device_class ORDER BY e.occurred_at, e.event_id))[1] AS device_class,
    (array_agg(e.browser ORDER BY e.occurred_at, e.event_id))[1] AS browser,
    (array_agg(e.os ORDER BY e.occurred_at, e.event_id))[1] AS os,
    (array_agg(e.country ORDER BY e.occurred_at, e.event_id))[1] AS country,
    bool_or(e.is_bot) AS is_bot,
    count(*)::integer AS events,
    (count(*) FILTER (WHERE e.event_type = 'page_view'))::integer AS page_views
FROM business.site_event_v AS e
INNER JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
WHERE h.session_bk IS NOT NULL
GROUP BY e.tenant_hk, e.session_hk
ORDER BY e.tenant_hk, e.session_hk;

-- name: recompute_pages
-- The page mart as the vault alone would make it.
SELECT
    e.tenant_hk,
    (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
    e.page_hk,
    count(*) AS events,
    count(*) FILTER (WHERE e.event_type = 'page_view' AND NOT e.is_bot) AS page_views,
    count(*) FILTER (WHERE e.event_type = 'page_view' AND e.is_bot) AS bot_page_views
FROM business.site_event_v AS e
INNER JOIN business.site_page_h AS h ON e.tenant_hk = h.tenant_hk AND e.page_hk = h.page_hk
WHERE h.page_bk IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: recompute_events
-- The event mart as the vault alone would make it.
SELECT
    e.tenant_hk,
    (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
    e.event_type,
    count(*) AS events,
    count(*) FILTER (WHERE e.is_bot) AS bot_events,
    count(*) FILTER (WHERE e.validation_status = 'SUSPICIOUS') AS suspicious_events,
    sum(e.quality_score) AS quality_sum
FROM business.site_event_v AS e
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;
