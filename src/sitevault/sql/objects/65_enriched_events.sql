-- Events as they are known today: what was enriched anew where there is such a row, else what the load found. The
-- satellite is empty until somebody runs `replay --enrich`, and joining nothing costs nothing.
DROP VIEW IF EXISTS business.site_event_v;
CREATE VIEW business.site_event_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    e.tenant_hk,
    e.event_id,
    e.event_day,
    e.raw_event_id,
    e.session_hk,
    e.visitor_hk,
    e.page_hk,
    e.user_hk,
    e.campaign_hk,
    e.event_type,
    e.occurred_at,
    e.received_timestamp,
    CASE WHEN s.event_id IS NULL THEN e.referrer_host ELSE s.referrer_host END AS referrer_host,
    CASE WHEN s.event_id IS NULL THEN e.source ELSE s.source END AS source,
    CASE WHEN s.event_id IS NULL THEN e.channel ELSE s.channel END AS channel,
    CASE WHEN s.event_id IS NULL THEN e.device_class ELSE s.device_class END AS device_class,
    CASE WHEN s.event_id IS NULL THEN e.browser ELSE s.browser END AS browser,
    CASE WHEN s.event_id IS NULL THEN e.os ELSE s.os END AS os,
    CASE WHEN s.event_id IS NULL THEN e.country ELSE s.country END AS country,
    CASE WHEN s.event_id IS NULL THEN e.is_bot ELSE s.is_bot END AS is_bot,
    e.validation_status,
    e.quality_score,
    e.load_date,
    s.load_date AS enriched_at
FROM business.site_event_nl AS e
LEFT JOIN (
    SELECT DISTINCT ON (tenant_hk, event_id, event_day) *
    FROM business.site_event_enrichment_s
    ORDER BY tenant_hk, event_id, event_day, load_date DESC
) AS s ON e.tenant_hk = s.tenant_hk AND e.event_id = s.event_id AND e.event_day = s.event_day;

COMMENT ON VIEW business.site_event_v IS
'Events with what is known of them today: the newest enrichment, or what the load found.';
