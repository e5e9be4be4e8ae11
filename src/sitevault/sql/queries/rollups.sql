-- Days that are over, rolled up one tenant at a time: %(tenant_hk)s and %(days)s. Whoever loads holds rolled_day in a
-- mode that rolling up waits for, before it touches a session; so nothing is rolled up under a load's hands.

-- name: days_over
-- Days before today (UTC) that are not rolled up, the newest first, with what was loaded of each.
SELECT o.tenant_hk, o.day, sum(e.events)::bigint AS events
FROM mart.open_day_v AS o
INNER JOIN mart.event_day_f AS e ON o.tenant_hk = e.tenant_hk AND o.day = e.day
WHERE o.day < (clock_timestamp() AT TIME ZONE 'UTC')::date
GROUP BY o.tenant_hk, o.day
ORDER BY o.tenant_hk, o.day DESC;

-- name: wait_at_most
-- How long loads are waited for; those that come meanwhile wait as well.
SELECT set_config('lock_timeout', %(milliseconds)s, true);

-- name: hold_loads_off
-- Loads under way are waited for, others wait until this transaction ends.
LOCK TABLE mart.rolled_day IN SHARE ROW EXCLUSIVE MODE;

-- name: forget_days
-- What was kept of these days; from here on the views say of them what the sessions say.
WITH visitors AS (
    DELETE FROM mart.visitor_day_f WHERE tenant_hk = %(tenant_hk)s AND day = ANY(%(days)s::date [])
),

sources AS (
    DELETE FROM mart.source_day_f WHERE tenant_hk = %(tenant_hk)s AND day = ANY(%(days)s::date [])
),

devices AS (
    DELETE FROM mart.device_day_f WHERE tenant_hk = %(tenant_hk)s AND day = ANY(%(days)s::date [])
)

DELETE FROM mart.rolled_day WHERE tenant_hk = %(tenant_hk)s AND day = ANY(%(days)s::date []);

-- name: roll_visitors
-- What mart.visitor_day_v says is kept as it is.
INSERT INTO mart.visitor_day_f (tenant_hk, day, sessions, visitors, page_views, seconds_per_session)
SELECT v.tenant_hk, v.day, v.sessions, v.visitors, v.page_views, v.seconds_per_session
FROM mart.visitor_day_v AS v
WHERE v.tenant_hk = %(tenant_hk)s AND v.day = ANY(%(days)s::date []);

-- name: roll_sources
-- Likewise of mart.source_day_v.
INSERT INTO mart.source_day_f (tenant_hk, day, channel, source, sessions, visitors, page_views, bounces)
SELECT v.tenant_hk, v.day, v.channel, v.source, v.sessions, v.visitors, v.page_views, v.bounces
FROM mart.source_day_v AS v
WHERE v.tenant_hk = %(tenant_hk)s AND v.day = ANY(%(days)s::date []);

-- name: roll_devices
-- Likewise of mart.device_day_v.
INSERT INTO mart.device_day_f (tenant_hk, day, device_class, browser, sessions, visitors, page_views, bounces)
SELECT v.tenant_hk, v.day, v.device_class, v.browser, v.sessions, v.visitors, v.page_views, v.bounces
FROM mart.device_day_v AS v
WHERE v.tenant_hk = %(tenant_hk)s AND v.day = ANY(%(days)s::date []);

-- name: mark_days
-- From here on the views read what was kept.
INSERT INTO mart.rolled_day (tenant_hk, day, rolled_at)
SELECT %(tenant_hk)s, o.day, clock_timestamp() FROM unnest(%(days)s::date []) AS o (day);

-- name: recompute_visitors
-- What visitor_day_v must say, from the sessions alone.
SELECT
    tenant_hk, session_day AS day, count(*) AS sessions, count(DISTINCT visitor_hk) AS visitors,
    sum(page_views) AS page_views, avg(extract(EPOCH FROM last_at - first_at)) AS seconds_per_session
FROM mart.session_f
WHERE NOT is_bot
GROUP BY tenant_hk, session_day
ORDER BY tenant_hk, session_day;

-- name: recompute_sources
-- What source_day_v must say, from the sessions alone.
SELECT
    tenant_hk, session_day AS day, channel, source, count(*) AS sessions, count(DISTINCT visitor_hk) AS visitors,
    sum(page_views) AS page_views, count(*) FILTER (WHERE page_views <= 1) AS bounces
FROM mart.session_f
WHERE NOT is_bot
GROUP BY tenant_hk, session_day, channel, source
ORDER BY tenant_hk, session_day, channel, source;

-- name: recompute_devices
-- What device_day_v must say, from the sessions alone.
SELECT
    tenant_hk, session_day AS day, device_class, browser, count(*) AS sessions,
    count(DISTINCT visitor_hk) AS visitors, sum(page_views) AS page_views,
    count(*) FILTER (WHERE page_views <= 1) AS bounces
FROM mart.session_f
WHERE NOT is_bot
GROUP BY tenant_hk, session_day, device_class, browser
ORDER BY tenant_hk, session_day, device_class, browser;
