-- The Data Vault. Keys begin with the tenant, so a row cannot refer to another tenant's.
CREATE TABLE business.site_visitor_h (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    visitor_bk text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_visitor_h_pk PRIMARY KEY (tenant_hk, visitor_hk)
);
CREATE TABLE business.site_session_h (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    session_bk text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_session_h_pk PRIMARY KEY (tenant_hk, session_hk)
);
CREATE TABLE business.site_page_h (
    tenant_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    page_bk text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_page_h_pk PRIMARY KEY (tenant_hk, page_hk)
);
CREATE TABLE business.site_user_h (
    tenant_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    user_bk text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_user_h_pk PRIMARY KEY (tenant_hk, user_hk)
);
CREATE TABLE business.site_campaign_h (
    tenant_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_campaign_h_pk PRIMARY KEY (tenant_hk, campaign_hk)
);
COMMENT ON TABLE business.site_visitor_h IS 'Hub of visitors (a browser or device), by the id the client gave.';
COMMENT ON TABLE business.site_session_h IS 'Hub of sessions, by the id the client gave.';
COMMENT ON TABLE business.site_page_h IS 'Hub of pages: canonical host and path; the query is not part of the key.';
COMMENT ON TABLE business.site_user_h IS 'Hub of identified users; user_bk is a pseudonym only the tenant''s secret makes.';
COMMENT ON TABLE business.site_campaign_h IS 'Hub of campaigns: utm source, medium and campaign.';

CREATE TABLE business.site_session_visitor_l (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_session_visitor_l_pk PRIMARY KEY (tenant_hk, session_hk, visitor_hk)
);
CREATE TABLE business.site_visitor_user_l (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_visitor_user_l_pk PRIMARY KEY (tenant_hk, visitor_hk, user_hk)
);
CREATE TABLE business.site_visitor_user_es (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    effective_from timestamptz NOT NULL,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_visitor_user_es_pk PRIMARY KEY (tenant_hk, visitor_hk, load_date)
);
COMMENT ON TABLE business.site_session_visitor_l IS 'Link: this session was this visitor''s.';
COMMENT ON TABLE business.site_visitor_user_l IS 'Link: this visitor was seen as this user.';
COMMENT ON TABLE business.site_visitor_user_es IS
'Effectivity satellite: from when a visitor (driving key) counts as which user.';

CREATE TABLE business.site_session_details_s (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    entry_page_url text,
    referrer_url text,
    source text,
    channel text,
    utm_term text,
    utm_content text,
    click_id_kind text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_session_details_s_pk PRIMARY KEY (tenant_hk, session_hk, load_date)
);
CREATE TABLE business.site_visitor_details_s (
    tenant_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    device_class text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    language text,
    screen text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_visitor_details_s_pk PRIMARY KEY (tenant_hk, visitor_hk, load_date)
);
CREATE TABLE business.site_page_details_s (
    tenant_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    load_date timestamptz NOT NULL,
    page_title text,
    hash_diff bytea NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_page_details_s_pk PRIMARY KEY (tenant_hk, page_hk, load_date)
);
COMMENT ON TABLE business.site_session_details_s IS 'How a session began, as first seen; totals are computed in marts.';
COMMENT ON TABLE business.site_visitor_details_s IS 'What a visitor uses, one row per change.';
COMMENT ON TABLE business.site_page_details_s IS 'What a page calls itself, one row per change.';

-- An event never changes: a non-historised link (2.4 times the load rate of hub, links and satellites).
CREATE TABLE business.site_event_nl (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    raw_event_id bigint NOT NULL,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_timestamp timestamptz NOT NULL,
    referrer_host text,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    validation_status text NOT NULL,
    quality_score numeric(3, 2) NOT NULL,
    properties jsonb,
    payload_digest bigint NOT NULL,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_event_nl_pk PRIMARY KEY (tenant_hk, event_id, event_day)
) PARTITION BY RANGE (event_day);
COMMENT ON TABLE business.site_event_nl IS
'Non-historised link: one row per event, from its hubs. event_day is a function of event_id.';
CREATE TABLE business.site_event_nl_default PARTITION OF business.site_event_nl DEFAULT;

CREATE TABLE business.site_event_pii_ns (
    tenant_hk bytea NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    client_ip inet,
    user_agent text,
    page_query text,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_event_pii_ns_pk PRIMARY KEY (tenant_hk, event_id, event_day)
) PARTITION BY RANGE (event_day);
COMMENT ON TABLE business.site_event_pii_ns IS
'Non-historised satellite: what of an event is personal data, apart so that it can be erased alone.';
CREATE TABLE business.site_event_pii_ns_default PARTITION OF business.site_event_pii_ns DEFAULT;

CREATE TABLE business.site_event_duplicate (
    tenant_hk bytea NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    is_conflict boolean NOT NULL,
    load_date timestamptz NOT NULL,
    load_id bigint NOT NULL,
    CONSTRAINT site_event_duplicate_pk PRIMARY KEY (tenant_hk, raw_event_id)
);
COMMENT ON TABLE business.site_event_duplicate IS
'Landed events the vault already had; a conflict carried the same id with another body.';
