-- What is derived from the session mart, and the funnel.
DROP VIEW IF EXISTS mart.source_day_v;
CREATE VIEW mart.source_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    session_day AS day,
    channel,
    source,
    count(*) AS sessions,
    count(DISTINCT visitor_hk) AS visitors,
    sum(page_views) AS page_views,
    count(*) FILTER (WHERE page_views <= 1) AS bounces
FROM mart.session_f
WHERE NOT is_bot
GROUP BY tenant_hk, session_day, channel, source;

DROP VIEW IF EXISTS mart.visitor_day_v;
CREATE VIEW mart.visitor_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    session_day AS day,
    count(*) AS sessions,
    count(DISTINCT visitor_hk) AS visitors,
    sum(page_views) AS page_views,
    avg(extract(EPOCH FROM last_at - first_at)) AS seconds_per_session
FROM mart.session_f
WHERE NOT is_bot
GROUP BY tenant_hk, session_day;

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

COMMENT ON VIEW mart.source_day_v IS
'Sessions, visitors and bounces by day (UTC), channel and source; people only.';
COMMENT ON VIEW mart.visitor_day_v IS
'Sessions and visitors by day (UTC); people only.';
COMMENT ON FUNCTION mart.funnel(bytea, date, date, text []) IS
'How many sessions did these event types in this order, each after the one before.';
