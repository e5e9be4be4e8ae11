-- The classical names over the non-historised link, and satellites with the end of each row's validity.
DROP VIEW IF EXISTS business.site_event_h;
CREATE VIEW business.site_event_h WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    business.hash_key('event', tenant_hk, event_id::text) AS event_hk,
    event_id AS event_bk,
    event_day,
    load_date,
    record_source
FROM business.site_event_nl;

DROP VIEW IF EXISTS business.site_event_session_l;
CREATE VIEW business.site_event_session_l WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    business.hash_key('event', tenant_hk, event_id::text) AS event_hk,
    session_hk,
    event_day,
    load_date,
    record_source
FROM business.site_event_nl;

DROP VIEW IF EXISTS business.site_event_visitor_l;
CREATE VIEW business.site_event_visitor_l WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    business.hash_key('event', tenant_hk, event_id::text) AS event_hk,
    visitor_hk,
    event_day,
    load_date,
    record_source
FROM business.site_event_nl;

DROP VIEW IF EXISTS business.site_event_page_l;
CREATE VIEW business.site_event_page_l WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    business.hash_key('event', tenant_hk, event_id::text) AS event_hk,
    page_hk,
    event_day,
    load_date,
    record_source
FROM business.site_event_nl;

DROP VIEW IF EXISTS business.site_event_details_s;
CREATE VIEW business.site_event_details_s WITH (security_invoker = true, security_barrier = true) AS
SELECT
    tenant_hk,
    business.hash_key('event', tenant_hk, event_id::text) AS event_hk,
    event_day,
    event_type,
    occurred_at,
    received_timestamp,
    properties::jsonb AS properties,
    quality_score,
    load_date,
    record_source
FROM business.site_event_nl;

DROP VIEW IF EXISTS business.site_session_details_v;
CREATE VIEW business.site_session_details_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    *,
    lead(load_date) OVER (PARTITION BY tenant_hk, session_hk ORDER BY load_date) AS load_end_date
FROM business.site_session_details_s;

DROP VIEW IF EXISTS business.site_visitor_details_v;
CREATE VIEW business.site_visitor_details_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    *,
    lead(load_date) OVER (PARTITION BY tenant_hk, visitor_hk ORDER BY load_date) AS load_end_date
FROM business.site_visitor_details_s;

DROP VIEW IF EXISTS business.site_page_details_v;
CREATE VIEW business.site_page_details_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    *,
    lead(load_date) OVER (PARTITION BY tenant_hk, page_hk ORDER BY load_date) AS load_end_date
FROM business.site_page_details_s;

DROP VIEW IF EXISTS business.site_visitor_user_v;
CREATE VIEW business.site_visitor_user_v WITH (security_invoker = true, security_barrier = true) AS
SELECT
    *,
    lead(load_date) OVER (PARTITION BY tenant_hk, visitor_hk ORDER BY load_date) AS load_end_date
FROM business.site_visitor_user_es;

COMMENT ON VIEW business.site_event_h IS
'Events under their classical name: the hub of events, over the link.';
COMMENT ON VIEW business.site_event_session_l IS
'Which session an event belongs to, over the link.';
COMMENT ON VIEW business.site_event_visitor_l IS
'Which visitor an event belongs to, over the link.';
COMMENT ON VIEW business.site_event_page_l IS
'Which page an event happened on, over the link.';
COMMENT ON VIEW business.site_event_details_s IS
'What an event carried, over the link.';
COMMENT ON VIEW business.site_session_details_v IS
'Session details, each row with the end of its validity.';
COMMENT ON VIEW business.site_visitor_details_v IS
'Visitor details, each row with the end of its validity.';
COMMENT ON VIEW business.site_page_details_v IS
'Page details, each row with the end of its validity.';
COMMENT ON VIEW business.site_visitor_user_v IS
'Which user a visitor counts as, each row with the end of its validity.';
