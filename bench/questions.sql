-- What a tenant's console asks. Each is asked as sitevault_reader, under row-level security, within the tenant.

-- name: days_30
-- The last 30 days at a glance: sessions, visitors, views.
SELECT day, sessions, visitors, page_views, seconds_per_session
FROM mart.visitor_day_v
WHERE day > %(today)s::date - 30
ORDER BY day;

-- name: one_day
-- One day at a glance.
SELECT sessions, visitors, page_views, seconds_per_session FROM mart.visitor_day_v WHERE day = %(today)s::date - 1;

-- name: event_types_30
-- Events by type, 30 days.
SELECT event_type, sum(events) AS events, sum(bot_events) AS bots, sum(quality_sum) / sum(events) AS quality
FROM mart.event_day_f
WHERE day > %(today)s::date - 30
GROUP BY event_type
ORDER BY events DESC;

-- name: pages_30
-- The pages most viewed, 30 days.
SELECT h.page_bk, sum(f.page_views) AS views
FROM mart.page_day_f AS f
INNER JOIN business.site_page_h AS h ON f.tenant_hk = h.tenant_hk AND f.page_hk = h.page_hk
WHERE f.day > %(today)s::date - 30
GROUP BY h.page_bk
ORDER BY views DESC
LIMIT 10;

-- name: sources_30
-- Where sessions came from, 30 days.
SELECT channel, source, sum(sessions) AS sessions, sum(bounces) AS bounces
FROM mart.source_day_v
WHERE day > %(today)s::date - 30
GROUP BY channel, source
ORDER BY sessions DESC
LIMIT 10;

-- name: sources_day
-- Where sessions came from, one day.
SELECT channel, source, sessions, visitors, bounces
FROM mart.source_day_v
WHERE day = %(today)s::date - 1
ORDER BY sessions DESC;

-- name: devices_30
-- Devices and browsers, 30 days.
SELECT device_class, browser, sum(sessions) AS sessions
FROM mart.device_day_v
WHERE day > %(today)s::date - 30
GROUP BY device_class, browser
ORDER BY sessions DESC
LIMIT 20;

-- name: latest_sessions
-- The sessions of one day that ended last.
SELECT session_hk, first_at, last_at, channel, source, events
FROM mart.session_f
WHERE session_day = %(today)s::date - 1
ORDER BY last_at DESC
LIMIT 50;

-- name: funnel_day
-- A funnel over one day.
SELECT step, event_type, sessions
FROM mart.funnel(auth.current_tenant_hk(), %(today)s::date - 1, %(today)s::date - 1, VARIADIC %(steps)s::text []);

-- name: funnel_7
-- A funnel over seven days.
SELECT step, event_type, sessions
FROM mart.funnel(auth.current_tenant_hk(), %(today)s::date - 7, %(today)s::date - 1, VARIADIC %(steps)s::text []);

-- name: funnel_30
-- A funnel over 30 days.
SELECT step, event_type, sessions
FROM mart.funnel(auth.current_tenant_hk(), %(today)s::date - 30, %(today)s::date - 1, VARIADIC %(steps)s::text []);
