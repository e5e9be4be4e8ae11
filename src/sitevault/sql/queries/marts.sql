-- Marts, refreshed by what is new: each new event is added once, so late events land in their day and move a
-- session's beginning or end. What adds up within a load comes added up, as arrays in the order of the key.

-- name: refresh_sessions
-- Sessions: sums add up; the beginning is the earliest event's, the end the latest's (ties by event_id).
INSERT INTO mart.session_f AS f (
    tenant_hk, session_hk, session_day, first_at, first_event_id, last_at, last_event_id, visitor_hk, user_hk,
    entry_page_hk, exit_page_hk, campaign_hk, source, channel, device_class, browser, os, country, is_bot, events,
    page_views
)
SELECT
    a.tenant_hk, a.session_hk, (a.first_at AT TIME ZONE 'UTC')::date, a.first_at, a.first_event_id, a.last_at,
    a.last_event_id, a.visitor_hk, a.user_hk, a.entry_page_hk, a.exit_page_hk, a.campaign_hk, a.source, a.channel,
    a.device_class, a.browser, a.os, a.country, a.is_bot, a.events::integer, a.page_views::integer
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
    );

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
