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

-- How many sessions of a tenant did these event types in this order, each after the one before.
CREATE OR REPLACE FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text [])
RETURNS TABLE (step integer, event_type text, sessions bigint)
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE reached (step, session_hk, at) AS (
        SELECT 1, e.session_hk, min(e.occurred_at)
        FROM business.site_event_nl AS e
        WHERE e.tenant_hk = of_tenant
            AND e.event_day BETWEEN from_day AND to_day
            AND e.event_type = steps[1]
            AND e.session_hk <> decode(repeat('00', 32), 'hex')
            AND NOT e.is_bot
        GROUP BY e.session_hk
        UNION ALL
        SELECT r.step + 1, r.session_hk, next_event.at
        FROM reached AS r
        CROSS JOIN LATERAL (
            SELECT min(e.occurred_at) AS at
            FROM business.site_event_nl AS e
            WHERE e.tenant_hk = of_tenant
                AND e.session_hk = r.session_hk
                AND e.event_day BETWEEN from_day AND to_day
                AND e.event_type = steps[r.step + 1]
                AND e.occurred_at > r.at
        ) AS next_event
        WHERE r.step < cardinality(steps) AND next_event.at IS NOT NULL
    )
    SELECT listed.place::integer, listed.event_type, count(r.session_hk)
    FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    LEFT JOIN reached AS r ON r.step = listed.place
    GROUP BY listed.place, listed.event_type
    ORDER BY listed.place
$$;

COMMENT ON VIEW mart.source_day_v IS
'Sessions, visitors and bounces by day (UTC), channel and source; people only.';
COMMENT ON VIEW mart.visitor_day_v IS
'Sessions and visitors by day (UTC); people only.';
COMMENT ON FUNCTION mart.funnel(bytea, date, date, text []) IS
'How many sessions did these event types in this order, each after the one before.';
