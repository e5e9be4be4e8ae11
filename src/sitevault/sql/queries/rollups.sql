-- Days that are over, rolled up one tenant at a time: %(tenant_hk)s and %(days)s. Whoever loads holds rolled_day in a
-- mode that rolling up waits for, before it touches a session; so nothing is rolled up under a load's hands.

-- name: days_over
-- Days before today (UTC) that are not rolled up, the newest first, with what was loaded of each. A day that loads
-- changed just now they will change again: it waits until it was open for so many seconds.
SELECT o.tenant_hk, o.day, sum(e.events)::bigint AS events
FROM mart.open_day_v AS o
INNER JOIN mart.event_day_f AS e ON o.tenant_hk = e.tenant_hk AND o.day = e.day
WHERE o.day < (clock_timestamp() AT TIME ZONE 'UTC')::date
    AND NOT EXISTS (
        SELECT FROM mart.rolled_day AS r
        WHERE r.tenant_hk = o.tenant_hk AND r.day = o.day
            AND r.opened_at > clock_timestamp() - %(seconds)s * interval '1 second'
    )
GROUP BY o.tenant_hk, o.day
ORDER BY o.tenant_hk, o.day DESC;

-- name: wait_at_most
-- How long loads are waited for; those that come meanwhile wait as well.
SELECT set_config('lock_timeout', %(milliseconds)s, true);

-- name: hold_loads_off
-- Loads under way are waited for, others wait until this transaction ends.
LOCK TABLE mart.rolled_day IN SHARE ROW EXCLUSIVE MODE;

-- name: forget_days
-- What was kept of these days before a load changed them.
SELECT mart.forget_days(%(tenant_hk)s, %(days)s);

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

-- name: roll_paths
-- What sessions of these days did, people only, for mart.funnel: a line for each moment, each type between commas. A
-- session all of whose events lie in the day adds up with those that did the same; any other is kept by itself.
WITH moments AS (
    SELECT e.*, lag(e.occurred_at) OVER moment AS before
    FROM unnest(%(days)s::date []) AS asked (day)
    CROSS JOIN LATERAL (
        SELECT n.event_day AS day, n.session_hk, n.event_type, n.occurred_at, n.is_bot
        FROM business.site_event_nl AS n
        WHERE n.tenant_hk = %(tenant_hk)s AND n.event_day = asked.day
            AND n.session_hk <> decode(repeat('00', 32), 'hex')
        OFFSET 0
    ) AS e
    WINDOW moment AS (PARTITION BY e.day, e.session_hk, e.is_bot ORDER BY e.occurred_at, e.event_type)
),

did AS (
    SELECT
        day, session_hk, count(*) AS events,
        string_agg(
            CASE WHEN before = occurred_at THEN ',' ELSE E'\n,' END || event_type || ',', ''
            ORDER BY occurred_at, event_type
        ) FILTER (WHERE NOT is_bot) AS path,
        array_agg(event_type ORDER BY occurred_at, event_type) FILTER (WHERE NOT is_bot) AS event_types,
        array_agg(occurred_at ORDER BY occurred_at, event_type) FILTER (WHERE NOT is_bot) AS times
    FROM moments
    GROUP BY day, session_hk
),

of_days AS (
    SELECT
        d.*,
        coalesce(
            f.events = d.events AND f.session_day = d.day AND (f.last_at AT TIME ZONE 'UTC')::date = d.day, false
        ) AS is_whole
    FROM did AS d
    LEFT JOIN mart.session_f AS f ON f.tenant_hk = %(tenant_hk)s AND d.session_hk = f.session_hk
    WHERE d.path IS NOT NULL
),

apart AS (
    INSERT INTO mart.path_session_f (tenant_hk, day, session_hk, event_types, times)
    SELECT %(tenant_hk)s, day, session_hk, event_types, times FROM of_days WHERE NOT is_whole
)

INSERT INTO mart.path_day_f (tenant_hk, day, path_hk, path, sessions)
SELECT %(tenant_hk)s, day, sha256(convert_to(path, 'UTF8')), path, count(*)
FROM of_days
WHERE is_whole
GROUP BY day, path;

-- name: mark_days
-- From here on the views read what was kept.
INSERT INTO mart.rolled_day (tenant_hk, day, rolled_at)
SELECT %(tenant_hk)s, o.day, clock_timestamp() FROM unnest(%(days)s::date []) AS o (day)
ON CONFLICT (tenant_hk, day) DO UPDATE SET rolled_at = excluded.rolled_at;

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
