-- Marts, refreshed by what is new: each event of pg_temp.loaded is added once, so late events land in their day
-- and move a session's beginning or end. Same parameters as vault.sql. A key of 32 zero bytes is the ghost:
-- the event named no session, or no page.

-- name: hold_rolling_off
-- From here to the end of the load no day is rolled up; before the sessions, so that all take these locks in one order.
LOCK TABLE mart.rolled_day IN ROW EXCLUSIVE MODE;

-- name: refresh_sessions
-- Sessions: sums add up; the beginning is the earliest event's, the end the latest's (ties by event_id). A day of which
-- a session was changed is not rolled up any more; a session that this load began anew was on another day before.
WITH sessions AS (
    SELECT DISTINCT ON (session_hk, tenant_hk)
        tenant_hk, session_hk, occurred_at, event_id, visitor_hk, user_hk, page_hk, campaign_hk, source, channel,
        device_class, browser, os, country,
        last_value(occurred_at) OVER whole_session AS last_at,
        last_value(event_id) OVER whole_session AS last_event_id,
        last_value(page_hk) OVER whole_session AS exit_page_hk,
        bool_or(is_bot) OVER whole_session AS is_bot,
        count(*) OVER whole_session AS events,
        count(*) FILTER (WHERE event_type = 'page_view') OVER whole_session AS page_views
    FROM pg_temp.loaded
    WHERE load_id = %(load_id)s AND session_hk <> decode(repeat('00', 32), 'hex')
    WINDOW whole_session AS (
        PARTITION BY session_hk, tenant_hk ORDER BY occurred_at, event_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
    ORDER BY session_hk, tenant_hk, occurred_at, event_id
),

refreshed AS (
    INSERT INTO mart.session_f AS f (
        tenant_hk, session_hk, session_day, first_at, first_event_id, last_at, last_event_id, visitor_hk, user_hk,
        entry_page_hk, exit_page_hk, campaign_hk, source, channel, device_class, browser, os, country, is_bot, events,
        page_views
    )
    SELECT
        tenant_hk, session_hk, (occurred_at AT TIME ZONE 'UTC')::date, occurred_at, event_id, last_at, last_event_id,
        visitor_hk, user_hk, page_hk, exit_page_hk, campaign_hk, source, channel, device_class, browser, os, country,
        is_bot, events, page_views
    FROM sessions
    ORDER BY session_hk, tenant_hk
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
                AND (r.tenant_hk, r.first_event_id) IN (SELECT s.tenant_hk, s.event_id FROM sessions AS s)
                THEN r.last_day
            ELSE r.session_day
        END AS last_day
    FROM refreshed AS r
),

locked AS (
    SELECT d.tenant_hk, d.day
    FROM mart.rolled_day AS d
    WHERE EXISTS (
        SELECT FROM touched AS t
        WHERE t.tenant_hk = d.tenant_hk AND d.day BETWEEN t.first_day AND t.last_day
    )
    ORDER BY d.tenant_hk, d.day
    FOR UPDATE
)

DELETE FROM mart.rolled_day AS d
USING locked AS k
WHERE d.tenant_hk = k.tenant_hk AND d.day = k.day;

-- name: refresh_pages
-- Pages by the day the event occurred.
INSERT INTO mart.page_day_f AS f (tenant_hk, day, page_hk, events, page_views, bot_page_views)
SELECT
    tenant_hk,
    (occurred_at AT TIME ZONE 'UTC')::date,
    page_hk,
    count(*),
    count(*) FILTER (WHERE event_type = 'page_view' AND NOT is_bot),
    count(*) FILTER (WHERE event_type = 'page_view' AND is_bot)
FROM pg_temp.loaded
WHERE load_id = %(load_id)s AND page_hk <> decode(repeat('00', 32), 'hex')
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT (tenant_hk, day, page_hk) DO UPDATE SET
    events = f.events + excluded.events,
    page_views = f.page_views + excluded.page_views,
    bot_page_views = f.bot_page_views + excluded.bot_page_views;

-- name: refresh_events
-- Event types by the day the event occurred.
INSERT INTO mart.event_day_f AS f (
    tenant_hk, day, event_type, events, bot_events, suspicious_events, quality_sum
)
SELECT
    tenant_hk,
    (occurred_at AT TIME ZONE 'UTC')::date,
    event_type,
    count(*),
    count(*) FILTER (WHERE is_bot),
    count(*) FILTER (WHERE validation_status = 'SUSPICIOUS'),
    sum(quality_score)
FROM pg_temp.loaded
WHERE load_id = %(load_id)s
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
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
