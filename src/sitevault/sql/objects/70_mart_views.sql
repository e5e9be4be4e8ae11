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
WHERE NOT EXISTS (
    SELECT FROM mart.rolled_day AS r
    WHERE r.tenant_hk = e.tenant_hk AND r.day = e.day AND r.rolled_at IS NOT NULL
);

CREATE VIEW mart.source_day_v WITH (security_invoker = true, security_barrier = true) AS
SELECT f.tenant_hk, f.day, f.channel, f.source, f.sessions, f.visitors, f.page_views, f.bounces
FROM mart.source_day_f AS f
WHERE EXISTS (
    SELECT FROM mart.rolled_day AS r
    WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day AND r.rolled_at IS NOT NULL
)
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
WHERE EXISTS (
    SELECT FROM mart.rolled_day AS r
    WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day AND r.rolled_at IS NOT NULL
)
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
WHERE EXISTS (
    SELECT FROM mart.rolled_day AS r
    WHERE r.tenant_hk = f.tenant_hk AND r.day = f.day AND r.rolled_at IS NOT NULL
)
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

-- How many sessions of a tenant did these event types in this order, each after the one before. Of rolled-up days it
-- reads the paths: a session did the steps where its path is LIKE them with anything in between. Of other days, and of
-- sessions that lie in several days, it reads the events, once: a look-up per session has no index to go by.
CREATE OR REPLACE FUNCTION mart.funnel(of_tenant bytea, from_day date, to_day date, VARIADIC steps text [])
RETURNS TABLE (step integer, event_type text, sessions bigint)
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE rolled AS MATERIALIZED (
        SELECT r.day
        FROM mart.rolled_day AS r
        WHERE r.tenant_hk = of_tenant AND r.day BETWEEN from_day AND to_day AND r.rolled_at IS NOT NULL
    ),

    open_days (first_day, last_day) AS (
        SELECT gap.after_day + 1, gap.before_day - 1
        FROM (
            SELECT lag(edge.day) OVER (ORDER BY edge.day) AS after_day, edge.day AS before_day
            FROM (SELECT from_day - 1 UNION ALL SELECT r.day FROM rolled AS r UNION ALL SELECT to_day + 1) AS edge (day)
        ) AS gap
        WHERE gap.after_day + 1 <= gap.before_day - 1
    ),

    did AS MATERIALIZED (
        SELECT e.session_hk, e.event_type, e.occurred_at
        FROM open_days AS o
        CROSS JOIN LATERAL (
            SELECT n.session_hk, n.event_type, n.occurred_at
            FROM business.site_event_nl AS n
            WHERE n.tenant_hk = of_tenant
                AND n.event_day BETWEEN o.first_day AND o.last_day
                AND n.event_type = ANY(steps)
                AND n.session_hk <> decode(repeat('00', 32), 'hex')
                AND NOT n.is_bot
            OFFSET 0
        ) AS e
        UNION ALL
        SELECT p.session_hk, one.event_type, one.at
        FROM mart.path_session_f AS p
        INNER JOIN rolled AS r ON p.day = r.day
        CROSS JOIN LATERAL ROWS FROM (unnest(p.event_types), unnest(p.times)) AS one (event_type, at)
        WHERE p.tenant_hk = of_tenant AND one.event_type = ANY(steps)
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

    paths AS MATERIALIZED (
        SELECT p.path, sum(p.sessions)::bigint AS sessions
        FROM mart.path_day_f AS p
        INNER JOIN rolled AS r ON p.day = r.day
        WHERE p.tenant_hk = of_tenant
        GROUP BY p.path
    ),

    -- In a path a line is a moment, and each type stands between commas; no type holds either (nor \x01).
    patterns AS (
        SELECT
            listed.place::integer AS step,
            string_agg(
                '%,' || regexp_replace(
                    translate(coalesce(listed.event_type, E'\x01'), E',\n', E'\x01\x01'), '([\\%_])', '\\\1', 'g'
                ) || ',%',
                E'\n'
            ) OVER (ORDER BY listed.place) AS pattern
        FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    ),

    counted AS (
        SELECT 1 AS step, count(*) AS sessions FROM began
        UNION ALL
        SELECT step, count(*) FROM reached WHERE step > 1 GROUP BY step
        UNION ALL
        SELECT k.step, sum(p.sessions)::bigint
        FROM patterns AS k INNER JOIN paths AS p ON p.path LIKE k.pattern
        GROUP BY k.step
    )

    SELECT listed.place::integer, listed.event_type, coalesce(sum(c.sessions), 0)::bigint
    FROM unnest(steps) WITH ORDINALITY AS listed (event_type, place)
    LEFT JOIN counted AS c ON c.step = listed.place
    GROUP BY listed.place, listed.event_type
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

-- What was kept of days that are not exact any more makes room for what is kept of them next. It runs as the owner,
-- because the worker deletes nothing; the owner is bound to the tenant it is called for, and what is kept of a day
-- that the views read is never touched.
CREATE OR REPLACE FUNCTION mart.forget_days(of_tenant bytea, of_days date [])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    context text := coalesce(current_setting('sitevault.tenant_hk', true), '');
    open_days date [];
BEGIN
    PERFORM set_config('sitevault.tenant_hk', encode(of_tenant, 'hex'), true);
    open_days := ARRAY(
        SELECT asked.day FROM unnest(of_days) AS asked (day)
        WHERE NOT EXISTS (
            SELECT FROM mart.rolled_day AS r
            WHERE r.tenant_hk = of_tenant AND r.day = asked.day AND r.rolled_at IS NOT NULL
        )
    );
    DELETE FROM mart.visitor_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.source_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.device_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.path_day_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    DELETE FROM mart.path_session_f AS f WHERE f.tenant_hk = of_tenant AND f.day = ANY(open_days);
    PERFORM set_config('sitevault.tenant_hk', context, true);
END
$$;

COMMENT ON FUNCTION mart.forget_days(bytea, date []) IS
'Delete what was rolled up of a tenant''s days that are not rolled up any more.';
