-- What is derived from the session mart, and the funnel.
-- Days that are over are rolled up (decision 0025): of these the views read what was kept, and of the others the
-- sessions. The others are found by the events' days, so that sessions of rolled-up days are never read.
DROP VIEW IF EXISTS mart.source_day_v;
DROP VIEW IF EXISTS mart.visitor_day_v;
DROP VIEW IF EXISTS mart.device_day_v;
DROP VIEW IF EXISTS mart.open_day_v;
CREATE VIEW mart.open_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT DISTINCT e.tenant_hk, e.day
FROM mart.event_day_f AS e
WHERE NOT EXISTS (SELECT FROM mart.rolled_day AS r WHERE r.tenant_hk = e.tenant_hk AND r.day = e.day);

CREATE VIEW mart.source_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT f.tenant_hk, f.day, f.channel, f.source, f.sessions, f.visitors, f.page_views, f.bounces
FROM mart.source_day_f AS f
WHERE EXISTS (SELECT FROM mart.rolled_day AS r WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day)
UNION ALL
SELECT o.tenant_hk, o.day, live.channel, live.source, live.sessions, live.visitors, live.page_views, live.bounces
FROM mart.open_day_v AS o
CROSS JOIN LATERAL (
    SELECT
        s.channel,
        s.source,
        count(*) AS sessions,
        count(DISTINCT s.visitor_hk) AS visitors,
        sum(s.page_views) AS page_views,
        count(*) FILTER (WHERE s.page_views <= 1) AS bounces
    FROM mart.session_f AS s
    WHERE s.tenant_hk = o.tenant_hk AND s.session_day = o.day AND NOT s.is_bot
    GROUP BY s.channel, s.source
) AS live;

CREATE VIEW mart.visitor_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT f.tenant_hk, f.day, f.sessions, f.visitors, f.page_views, f.seconds_per_session
FROM mart.visitor_day_f AS f
WHERE EXISTS (SELECT FROM mart.rolled_day AS r WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day)
UNION ALL
SELECT o.tenant_hk, o.day, live.sessions, live.visitors, live.page_views, live.seconds_per_session
FROM mart.open_day_v AS o
CROSS JOIN LATERAL (
    SELECT
        count(*) AS sessions,
        count(DISTINCT s.visitor_hk) AS visitors,
        sum(s.page_views) AS page_views,
        avg(extract(EPOCH FROM s.last_at - s.first_at)) AS seconds_per_session
    FROM mart.session_f AS s
    WHERE s.tenant_hk = o.tenant_hk AND s.session_day = o.day AND NOT s.is_bot
    HAVING count(*) > 0
) AS live;

CREATE VIEW mart.device_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT f.tenant_hk, f.day, f.device_class, f.browser, f.sessions, f.visitors, f.page_views, f.bounces
FROM mart.device_day_f AS f
WHERE EXISTS (SELECT FROM mart.rolled_day AS r WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day)
UNION ALL
SELECT o.tenant_hk, o.day, live.device_class, live.browser, live.sessions, live.visitors, live.page_views, live.bounces
FROM mart.open_day_v AS o
CROSS JOIN LATERAL (
    SELECT
        s.device_class,
        s.browser,
        count(*) AS sessions,
        count(DISTINCT s.visitor_hk) AS visitors,
        sum(s.page_views) AS page_views,
        count(*) FILTER (WHERE s.page_views <= 1) AS bounces
    FROM mart.session_f AS s
    WHERE s.tenant_hk = o.tenant_hk AND s.session_day = o.day AND NOT s.is_bot
    GROUP BY s.device_class, s.browser
) AS live;

-- How many sessions of a tenant did these event types in this order, each after the one before. The events are
-- read once: a look-up per session has no index to go by, and none would be worth its upkeep.
CREATE OR REPLACE FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text [])
RETURNS TABLE (step integer, event_type text, sessions bigint)
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE did AS MATERIALIZED (
        SELECT e.session_hk, e.event_type, e.occurred_at
        FROM business.site_event_nl AS e
        WHERE e.tenant_hk = of_tenant
            AND e.event_day BETWEEN from_day AND to_day
            AND e.event_type = ANY(steps)
            AND e.session_hk <> decode(repeat('00', 32), 'hex')
            AND NOT e.is_bot
    ),

    began AS (
        SELECT session_hk, min(occurred_at) AS at FROM did WHERE event_type = steps[1] GROUP BY session_hk
    ),

    went_on AS (
        SELECT
            session_hk,
            array_agg(occurred_at ORDER BY occurred_at) AS times,
            array_agg(event_type ORDER BY occurred_at) AS types
        FROM did
        WHERE event_type = ANY(steps[2:])
        GROUP BY session_hk
    ),

    reached (step, at, times, types) AS (
        SELECT 1, b.at, w.times, w.types FROM began AS b INNER JOIN went_on AS w ON b.session_hk = w.session_hk
        UNION ALL
        SELECT r.step + 1, next_event.at, r.times, r.types
        FROM reached AS r
        CROSS JOIN LATERAL (
            SELECT min(later.at) AS at
            FROM ROWS FROM (unnest(r.times), unnest(r.types)) AS later (at, event_type)
            WHERE later.event_type = steps[r.step + 1] AND later.at > r.at
        ) AS next_event
        WHERE r.step < cardinality(steps) AND next_event.at IS NOT NULL
    ),

    counted AS (
        SELECT 1 AS step, count(*) AS sessions FROM began
        UNION ALL
        SELECT step, count(*) FROM reached WHERE step > 1 GROUP BY step
    )

    SELECT listed.place::integer, listed.event_type, coalesce(c.sessions, 0)
    FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    LEFT JOIN counted AS c ON c.step = listed.place
    ORDER BY listed.place
$$;

COMMENT ON VIEW mart.open_day_v IS
'Days (UTC) with events that are not rolled up: today, and what a late event touched since.';
COMMENT ON VIEW mart.device_day_v IS
'Sessions, visitors and bounces by day (UTC), device and browser; people only.';
COMMENT ON VIEW mart.source_day_v IS
'Sessions, visitors and bounces by day (UTC), channel and source; people only.';
COMMENT ON VIEW mart.visitor_day_v IS
'Sessions and visitors by day (UTC); people only.';
COMMENT ON FUNCTION mart.funnel(bytea, date, date, text []) IS
'How many sessions did these event types in this order, each after the one before.';
