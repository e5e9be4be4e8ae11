-- What must hold when everything has been drained. Each query `check_*` returns one row per violation, named
-- `what`; never a value of a payload. They read the tables themselves and what the clients know (pg_temp.sent),
-- and believe no status, no counter and no view of the product.

-- name: make_sent
-- What the clients know, for this session.
CREATE TEMPORARY TABLE sent (
    number bigint PRIMARY KEY,
    tenant_hk bytea NOT NULL,
    digest bytea NOT NULL,
    fate text NOT NULL,
    repeatable boolean NOT NULL,
    refused boolean NOT NULL,
    event_id uuid
);

-- name: copy_sent
-- One row per event the clients sent, answered or not.
COPY pg_temp.sent (number, tenant_hk, digest, fate, repeatable, refused, event_id) FROM STDIN;

-- name: index_sent
-- The digest of its bytes is how a landed event is recognised.
CREATE INDEX sent_digest_ix ON pg_temp.sent (digest);

-- name: make_copy
-- Every landed event beside the one that was sent, recognised by tenant and exact bytes.
CREATE TEMPORARY TABLE copy AS
WITH landed AS (
    SELECT
        tenant_hk, api_key_hk, raw_event_id, batch_id, event_id, received_timestamp,
        sha256(convert_to(payload::text, 'UTF8')) AS digest
    FROM raw.landed_event
)

SELECT landed.*, s.number, s.fate, s.repeatable, s.event_id AS answered
FROM landed
LEFT JOIN pg_temp.sent AS s ON landed.tenant_hk = s.tenant_hk AND landed.digest = s.digest;

-- name: make_place
-- Every place an event can end in, with the landed event it names.
CREATE TEMPORARY TABLE place AS
SELECT tenant_hk, raw_event_id, event_id, 'vaulted' AS place FROM business.site_event_nl
UNION ALL
SELECT tenant_hk, raw_event_id, event_id, 'duplicate' FROM business.site_event_duplicate
UNION ALL
SELECT tenant_hk, raw_event_id, event_id, 'invalid'
FROM staging.site_tracking_events_s
WHERE validation_status = 'INVALID'
UNION ALL
SELECT tenant_hk, raw_event_id, event_id, CASE status WHEN 'PENDING' THEN 'pending' ELSE 'error' END
FROM raw.dead_letter
WHERE status <> 'RESOLVED';

-- name: analyze
-- The planner knows nothing of temporary tables otherwise.
ANALYZE pg_temp.sent, pg_temp.copy, pg_temp.place;

-- name: check_acknowledged_is_landed
-- Every event answered 200 is in landing, exactly as sent, under its tenant and the id of the answer.
SELECT 'event ' || s.number AS what
FROM pg_temp.sent AS s
WHERE s.event_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM pg_temp.copy AS c
        WHERE c.number = s.number AND c.event_id = s.event_id
    );

-- name: check_landed_was_sent
-- Everything in landing was sent, byte for byte, by that tenant's key.
SELECT 'landed ' || c.raw_event_id AS what
FROM pg_temp.copy AS c
LEFT JOIN auth.api_key_h AS k ON c.tenant_hk = k.tenant_hk AND c.api_key_hk = k.api_key_hk
WHERE c.number IS NULL OR k.api_key_hk IS NULL;

-- name: check_no_other_tenant
-- No event is under a tenant that did not send it.
SELECT 'landed ' || c.raw_event_id AS what
FROM pg_temp.copy AS c
INNER JOIN pg_temp.sent AS s ON c.digest = s.digest
WHERE c.number IS NULL AND c.tenant_hk <> s.tenant_hk;

-- name: check_refused_is_nowhere
-- What was refused at the door is not stored.
SELECT 'landed ' || raw_event_id AS what
FROM pg_temp.copy
WHERE fate = 'refused';

-- name: check_one_number_once
-- No landed event's number is there twice.
SELECT 'landed ' || raw_event_id AS what
FROM pg_temp.copy
GROUP BY raw_event_id
HAVING count(*) > 1;

-- name: check_one_id
-- Every copy of an event that was sent again got the same id.
SELECT 'event ' || number AS what
FROM pg_temp.copy
WHERE repeatable
GROUP BY number
HAVING count(DISTINCT event_id) > 1;

-- name: check_once_if_not_sent_again
-- What was sent once is in landing once at most.
SELECT 'event ' || number AS what
FROM pg_temp.copy
WHERE NOT repeatable
GROUP BY number
HAVING count(*) > 1;

-- name: check_vault_holds_each_once
-- Every good event that landed is in the vault exactly once, however often it was sent.
SELECT 'event ' || c.number AS what
FROM pg_temp.copy AS c
LEFT JOIN pg_temp.place AS p
    ON c.tenant_hk = p.tenant_hk AND c.raw_event_id = p.raw_event_id AND p.place = 'vaulted'
WHERE c.fate = 'good'
GROUP BY c.number
HAVING count(p.place) <> 1;

-- name: check_bad_is_where_it_belongs
-- Every copy of a bad event is where such events go, and no good one is there.
SELECT 'landed ' || c.raw_event_id || ' (' || c.fate || ') ' || coalesce(p.place, 'nowhere') AS what
FROM pg_temp.copy AS c
LEFT JOIN pg_temp.place AS p ON c.tenant_hk = p.tenant_hk AND c.raw_event_id = p.raw_event_id
WHERE (c.fate = 'invalid') <> (p.place IS NOT DISTINCT FROM 'invalid')
    OR (c.fate = 'poison') <> (p.place IS NOT DISTINCT FROM 'error');

-- name: check_one_place
-- Every landed event is in exactly one place.
SELECT 'landed ' || c.raw_event_id || ' in ' || count(p.place) AS what
FROM pg_temp.copy AS c
LEFT JOIN pg_temp.place AS p ON c.tenant_hk = p.tenant_hk AND c.raw_event_id = p.raw_event_id
GROUP BY c.tenant_hk, c.raw_event_id
HAVING count(p.place) <> 1;

-- name: check_places_are_of_landed
-- Whatever is in a place names a landed event of the same tenant and with the same id.
SELECT p.place || ' ' || p.raw_event_id AS what
FROM pg_temp.place AS p
LEFT JOIN pg_temp.copy AS c
    ON p.tenant_hk = c.tenant_hk AND p.raw_event_id = c.raw_event_id AND p.event_id = c.event_id
WHERE c.raw_event_id IS NULL;

-- name: check_duplicates_have_their_original
-- A duplicate is of an event that the vault holds for that tenant.
SELECT 'duplicate ' || d.raw_event_id AS what
FROM business.site_event_duplicate AS d
WHERE NOT EXISTS (
    SELECT FROM business.site_event_nl AS e
    WHERE e.tenant_hk = d.tenant_hk AND e.event_id = d.event_id
);

-- name: check_no_conflict
-- No copy is said to differ from its original: every copy was sent with the same bytes.
SELECT 'duplicate ' || raw_event_id AS what
FROM business.site_event_duplicate
WHERE is_conflict;

-- name: check_staged_once
-- Every landed event is staged exactly once; one that failed is not.
SELECT 'landed ' || c.raw_event_id || ' staged ' || count(s.raw_event_id) || ' times' AS what
FROM pg_temp.copy AS c
LEFT JOIN staging.site_tracking_events_s AS s ON c.tenant_hk = s.tenant_hk AND c.raw_event_id = s.raw_event_id
LEFT JOIN raw.dead_letter AS d ON c.tenant_hk = d.tenant_hk AND c.raw_event_id = d.raw_event_id
GROUP BY c.tenant_hk, c.raw_event_id, d.raw_event_id
HAVING count(s.raw_event_id) <> CASE WHEN d.raw_event_id IS NULL THEN 1 ELSE 0 END;

-- name: check_staged_is_landed
-- Nothing is staged that is not landed.
SELECT 'staged ' || s.raw_event_id AS what
FROM staging.site_tracking_events_s AS s
LEFT JOIN pg_temp.copy AS c
    ON s.tenant_hk = c.tenant_hk AND s.raw_event_id = c.raw_event_id AND s.event_id = c.event_id
WHERE c.raw_event_id IS NULL;

-- name: check_vaulted_as_staged
-- What the vault says of an event is what staging made of it; its keys are of hubs of the same names.
SELECT 'vaulted ' || e.raw_event_id AS what
FROM business.site_event_nl AS e
INNER JOIN business.site_session_h AS hs ON e.tenant_hk = hs.tenant_hk AND e.session_hk = hs.session_hk
INNER JOIN business.site_visitor_h AS hv ON e.tenant_hk = hv.tenant_hk AND e.visitor_hk = hv.visitor_hk
INNER JOIN business.site_page_h AS hp ON e.tenant_hk = hp.tenant_hk AND e.page_hk = hp.page_hk
INNER JOIN business.site_user_h AS hu ON e.tenant_hk = hu.tenant_hk AND e.user_hk = hu.user_hk
INNER JOIN business.site_campaign_h AS hc ON e.tenant_hk = hc.tenant_hk AND e.campaign_hk = hc.campaign_hk
LEFT JOIN staging.site_tracking_events_s AS s
    ON e.tenant_hk = s.tenant_hk AND e.raw_event_id = s.raw_event_id
        AND (
            s.event_id, s.event_day, s.event_type, s.occurred_at, s.received_timestamp, s.referrer_host, s.source,
            s.channel, s.device_class, s.browser, s.os, s.country, s.is_bot, s.validation_status, s.quality_score
        ) IS NOT DISTINCT FROM (
            e.event_id, e.event_day, e.event_type, e.occurred_at, e.received_timestamp, e.referrer_host, e.source,
            e.channel, e.device_class, e.browser, e.os, e.country, e.is_bot, e.validation_status, e.quality_score
        )
        AND (
            s.session_id, s.visitor_id, substr(s.page_url, strpos(s.page_url, '://') + 3), s.user_bk, s.utm_source,
            s.utm_medium, s.utm_campaign
        ) IS NOT DISTINCT FROM (
            hs.session_bk, hv.visitor_bk, hp.page_bk, hu.user_bk, hc.utm_source, hc.utm_medium, hc.utm_campaign
        )
WHERE s.raw_event_id IS NULL;

-- name: check_manifests
-- Every manifest promises what landing holds of it, per tenant, and everything landed was promised.
WITH promised AS (
    SELECT b.batch_id, per_tenant.tenant_hk, per_tenant.events
    FROM raw.batch AS b
    CROSS JOIN LATERAL unnest(b.tenant_hks, b.tenant_events) AS per_tenant (tenant_hk, events)
),

held AS (
    SELECT batch_id, tenant_hk, count(*) AS events
    FROM pg_temp.copy
    GROUP BY batch_id, tenant_hk
)

SELECT 'batch ' || coalesce(promised.batch_id, held.batch_id) AS what
FROM promised
FULL JOIN held ON promised.batch_id = held.batch_id AND promised.tenant_hk = held.tenant_hk
WHERE promised.events IS DISTINCT FROM held.events
UNION ALL
SELECT 'batch ' || b.batch_id
FROM raw.batch AS b
WHERE b.events <> (SELECT sum(per_tenant.events) FROM unnest(b.tenant_events) AS per_tenant (events));

-- name: check_nothing_pending
-- Nothing waits.
SELECT 'batch ' || batch_id AS what FROM raw.batch WHERE state <> 'PROCESSED'
UNION ALL
SELECT 'dead letter ' || raw_event_id FROM raw.dead_letter WHERE status = 'PENDING';

-- name: check_ledger
-- The ledger says of every tenant what is found by counting: landed, vaulted, duplicate, invalid.
WITH counted AS (
    SELECT
        c.tenant_hk,
        count(*) AS landed,
        count(*) FILTER (WHERE p.place = 'vaulted') AS vaulted,
        count(*) FILTER (WHERE p.place = 'duplicate') AS duplicate,
        count(*) FILTER (WHERE p.place = 'invalid') AS invalid,
        count(*) FILTER (WHERE p.place = 'error') AS error
    FROM pg_temp.copy AS c
    LEFT JOIN pg_temp.place AS p ON c.tenant_hk = p.tenant_hk AND c.raw_event_id = p.raw_event_id
    GROUP BY c.tenant_hk
),

kept AS (
    SELECT
        tenant_hk, sum(landed) AS landed, sum(vaulted) AS vaulted, sum(duplicate) AS duplicate, sum(invalid) AS invalid
    FROM ops.ledger_d
    GROUP BY tenant_hk
)

SELECT 'tenant ' || encode(coalesce(counted.tenant_hk, kept.tenant_hk), 'hex') AS what
FROM counted
FULL JOIN kept ON counted.tenant_hk = kept.tenant_hk
WHERE (counted.landed, counted.vaulted, counted.duplicate, counted.invalid)
    IS DISTINCT FROM (kept.landed, kept.vaulted, kept.duplicate, kept.invalid)
    OR counted.landed <> counted.vaulted + counted.duplicate + counted.invalid + counted.error;

-- name: check_loads
-- The loads together account for every landed event once.
WITH told AS (
    SELECT
        coalesce(sum(events), 0) AS landed, coalesce(sum(vaulted), 0) AS vaulted,
        coalesce(sum(duplicate), 0) AS duplicate, coalesce(sum(invalid), 0) AS invalid, coalesce(sum(error), 0) AS error
    FROM ops.load
),

counted AS (
    SELECT
        (SELECT count(*) FROM pg_temp.copy) AS landed,
        count(*) FILTER (WHERE place = 'vaulted') AS vaulted,
        count(*) FILTER (WHERE place = 'duplicate') AS duplicate,
        count(*) FILTER (WHERE place = 'invalid') AS invalid,
        count(*) FILTER (WHERE place = 'error') AS error
    FROM pg_temp.place
)

SELECT 'all loads' AS what
FROM told
CROSS JOIN counted
WHERE (told.landed, told.vaulted, told.duplicate, told.invalid, told.error)
    IS DISTINCT FROM (counted.landed, counted.vaulted, counted.duplicate, counted.invalid, counted.error);

-- name: check_event_hubs
-- Every hash key of every event has its hub.
SELECT 'session of ' || e.raw_event_id AS what
FROM business.site_event_nl AS e
LEFT JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
WHERE h.session_hk IS NULL
UNION ALL
SELECT 'visitor of ' || e.raw_event_id
FROM business.site_event_nl AS e
LEFT JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
WHERE h.visitor_hk IS NULL
UNION ALL
SELECT 'page of ' || e.raw_event_id
FROM business.site_event_nl AS e
LEFT JOIN business.site_page_h AS h ON e.tenant_hk = h.tenant_hk AND e.page_hk = h.page_hk
WHERE h.page_hk IS NULL
UNION ALL
SELECT 'user of ' || e.raw_event_id
FROM business.site_event_nl AS e
LEFT JOIN business.site_user_h AS h ON e.tenant_hk = h.tenant_hk AND e.user_hk = h.user_hk
WHERE h.user_hk IS NULL
UNION ALL
SELECT 'campaign of ' || e.raw_event_id
FROM business.site_event_nl AS e
LEFT JOIN business.site_campaign_h AS h ON e.tenant_hk = h.tenant_hk AND e.campaign_hk = h.campaign_hk
WHERE h.campaign_hk IS NULL;

-- name: check_links_have_both_ends
-- Every link has a hub at both ends, and every row of effectivity its link.
SELECT 'session and visitor, load ' || l.load_id AS what
FROM business.site_session_visitor_l AS l
LEFT JOIN business.site_session_h AS s ON l.tenant_hk = s.tenant_hk AND l.session_hk = s.session_hk
LEFT JOIN business.site_visitor_h AS v ON l.tenant_hk = v.tenant_hk AND l.visitor_hk = v.visitor_hk
WHERE s.session_hk IS NULL OR v.visitor_hk IS NULL
UNION ALL
SELECT 'visitor and user, load ' || l.load_id
FROM business.site_visitor_user_l AS l
LEFT JOIN business.site_visitor_h AS v ON l.tenant_hk = v.tenant_hk AND l.visitor_hk = v.visitor_hk
LEFT JOIN business.site_user_h AS u ON l.tenant_hk = u.tenant_hk AND l.user_hk = u.user_hk
WHERE v.visitor_hk IS NULL OR u.user_hk IS NULL
UNION ALL
SELECT 'effectivity, load ' || es.load_id
FROM business.site_visitor_user_es AS es
LEFT JOIN business.site_visitor_user_l AS l
    ON es.tenant_hk = l.tenant_hk AND es.visitor_hk = l.visitor_hk AND es.user_hk = l.user_hk
WHERE l.user_hk IS NULL;

-- name: check_satellites_have_their_hub
-- Every satellite row has its hub, and personal data its event.
SELECT 'session details, load ' || s.load_id AS what
FROM business.site_session_details_s AS s
LEFT JOIN business.site_session_h AS h ON s.tenant_hk = h.tenant_hk AND s.session_hk = h.session_hk
WHERE h.session_hk IS NULL
UNION ALL
SELECT 'visitor details, load ' || s.load_id
FROM business.site_visitor_details_s AS s
LEFT JOIN business.site_visitor_h AS h ON s.tenant_hk = h.tenant_hk AND s.visitor_hk = h.visitor_hk
WHERE h.visitor_hk IS NULL
UNION ALL
SELECT 'page details, load ' || s.load_id
FROM business.site_page_details_s AS s
LEFT JOIN business.site_page_h AS h ON s.tenant_hk = h.tenant_hk AND s.page_hk = h.page_hk
WHERE h.page_hk IS NULL
UNION ALL
SELECT 'personal data, load ' || p.load_id
FROM business.site_event_pii_ns AS p
LEFT JOIN business.site_event_nl AS e
    ON p.tenant_hk = e.tenant_hk AND p.event_id = e.event_id AND p.event_day = e.event_day
WHERE e.event_id IS NULL;

-- name: check_nothing_of_an_event_is_missing
-- Every event left its links, its satellites and its personal data.
WITH vaulted AS (
    SELECT
        s.tenant_hk, s.raw_event_id, e.session_hk, e.visitor_hk, e.user_hk, e.page_hk, e.event_id, e.event_day,
        s.session_id, s.visitor_id, s.user_bk, s.page_url, s.page_title,
        num_nonnulls(r.client_ip, r.user_agent) AS personal
    FROM business.site_event_nl AS e
    INNER JOIN staging.site_tracking_events_s AS s
        ON e.tenant_hk = s.tenant_hk AND e.raw_event_id = s.raw_event_id
    LEFT JOIN raw.landed_event AS r ON e.tenant_hk = r.tenant_hk AND e.raw_event_id = r.raw_event_id
)

SELECT 'session and visitor of ' || v.raw_event_id AS what
FROM vaulted AS v
LEFT JOIN business.site_session_visitor_l AS l
    ON v.tenant_hk = l.tenant_hk AND v.session_hk = l.session_hk AND v.visitor_hk = l.visitor_hk
WHERE v.session_id IS NOT NULL AND v.visitor_id IS NOT NULL AND l.session_hk IS NULL
UNION ALL
SELECT 'visitor and user of ' || v.raw_event_id
FROM vaulted AS v
LEFT JOIN business.site_visitor_user_l AS l
    ON v.tenant_hk = l.tenant_hk AND v.visitor_hk = l.visitor_hk AND v.user_hk = l.user_hk
WHERE v.visitor_id IS NOT NULL AND v.user_bk IS NOT NULL AND l.user_hk IS NULL
UNION ALL
SELECT 'effectivity of ' || v.raw_event_id
FROM vaulted AS v
WHERE v.visitor_id IS NOT NULL AND v.user_bk IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM business.site_visitor_user_es AS es
        WHERE es.tenant_hk = v.tenant_hk AND es.visitor_hk = v.visitor_hk
    )
UNION ALL
SELECT 'session details of ' || v.raw_event_id
FROM vaulted AS v
WHERE v.session_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM business.site_session_details_s AS d
        WHERE d.tenant_hk = v.tenant_hk AND d.session_hk = v.session_hk
    )
UNION ALL
SELECT 'visitor details of ' || v.raw_event_id
FROM vaulted AS v
WHERE v.visitor_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM business.site_visitor_details_s AS d
        WHERE d.tenant_hk = v.tenant_hk AND d.visitor_hk = v.visitor_hk
    )
UNION ALL
SELECT 'page details of ' || v.raw_event_id
FROM vaulted AS v
WHERE v.page_url IS NOT NULL AND v.page_title IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM business.site_page_details_s AS d
        WHERE d.tenant_hk = v.tenant_hk AND d.page_hk = v.page_hk
    )
UNION ALL
SELECT 'personal data of ' || v.raw_event_id
FROM vaulted AS v
LEFT JOIN business.site_event_pii_ns AS p
    ON v.tenant_hk = p.tenant_hk AND v.event_id = p.event_id AND v.event_day = p.event_day
WHERE v.personal > 0 AND p.event_id IS NULL;

-- name: check_nothing_in_the_vault_is_of_nobody
-- No hub and no link is there that no staged event names: a load that was rolled back left nothing.
SELECT 'session, load ' || h.load_id AS what
FROM business.site_session_h AS h
WHERE h.session_bk IS NOT NULL AND NOT EXISTS (
    SELECT FROM staging.site_tracking_events_s AS s
    WHERE s.tenant_hk = h.tenant_hk AND business.hash_key('session', s.tenant_hk, s.session_id) = h.session_hk
        AND s.validation_status <> 'INVALID'
)
UNION ALL
SELECT 'visitor, load ' || h.load_id
FROM business.site_visitor_h AS h
WHERE h.visitor_bk IS NOT NULL AND NOT EXISTS (
    SELECT FROM staging.site_tracking_events_s AS s
    WHERE s.tenant_hk = h.tenant_hk AND business.hash_key('visitor', s.tenant_hk, s.visitor_id) = h.visitor_hk
        AND s.validation_status <> 'INVALID'
)
UNION ALL
SELECT 'page, load ' || h.load_id
FROM business.site_page_h AS h
WHERE h.page_bk IS NOT NULL AND NOT EXISTS (
    SELECT FROM staging.site_tracking_events_s AS s
    WHERE s.tenant_hk = h.tenant_hk AND business.hash_key('page', s.tenant_hk, substr(s.page_url, strpos(s.page_url, '://') + 3)) = h.page_hk
        AND s.validation_status <> 'INVALID'
)
UNION ALL
SELECT 'session and visitor, load ' || l.load_id
FROM business.site_session_visitor_l AS l
WHERE NOT EXISTS (
    SELECT FROM staging.site_tracking_events_s AS s
    INNER JOIN business.site_session_h AS hs ON s.tenant_hk = hs.tenant_hk AND s.session_id = hs.session_bk
    INNER JOIN business.site_visitor_h AS hv ON s.tenant_hk = hv.tenant_hk AND s.visitor_id = hv.visitor_bk
    WHERE hs.tenant_hk = l.tenant_hk AND hs.session_hk = l.session_hk AND hv.visitor_hk = l.visitor_hk
)
UNION ALL
SELECT 'visitor and user, load ' || l.load_id
FROM business.site_visitor_user_l AS l
WHERE NOT EXISTS (
    SELECT FROM staging.site_tracking_events_s AS s
    INNER JOIN business.site_visitor_h AS hv ON s.tenant_hk = hv.tenant_hk AND s.visitor_id = hv.visitor_bk
    INNER JOIN business.site_user_h AS hu ON s.tenant_hk = hu.tenant_hk AND s.user_bk = hu.user_bk
    WHERE hv.tenant_hk = l.tenant_hk AND hv.visitor_hk = l.visitor_hk AND hu.user_hk = l.user_hk
);

-- name: check_session_mart
-- The session mart is what the vault makes of it (the product's own recomputation).
SELECT 'session of ' || (first_event_id::text) AS what
FROM (
    (({recomputed}) EXCEPT TABLE mart.session_f)
    UNION ALL
    (TABLE mart.session_f EXCEPT ({recomputed}))
) AS differing;

-- name: check_page_mart
-- The page mart, likewise.
SELECT 'page on ' || day AS what
FROM (
    (({recomputed}) EXCEPT TABLE mart.page_day_f)
    UNION ALL
    (TABLE mart.page_day_f EXCEPT ({recomputed}))
) AS differing;

-- name: check_event_mart
-- The event mart, likewise.
SELECT 'type on ' || day AS what
FROM (
    (({recomputed}) EXCEPT TABLE mart.event_day_f)
    UNION ALL
    (TABLE mart.event_day_f EXCEPT ({recomputed}))
) AS differing;

-- name: count_found
-- How many events are where, for the results.
SELECT
    (SELECT count(*) FROM pg_temp.copy) AS landed,
    (SELECT count(DISTINCT number) FROM pg_temp.copy) AS events,
    (SELECT count(*) FROM pg_temp.place WHERE place = 'vaulted') AS vaulted,
    (SELECT count(*) FROM pg_temp.place WHERE place = 'duplicate') AS duplicate,
    (SELECT count(*) FROM pg_temp.place WHERE place = 'invalid') AS invalid,
    (SELECT count(*) FROM pg_temp.place WHERE place = 'error') AS error;
