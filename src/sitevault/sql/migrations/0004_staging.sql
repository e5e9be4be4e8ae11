-- squawk-ignore-file require-concurrent-index-creation
-- Staging. One row per landed event that was staged, valid or not.
CREATE TABLE staging.mapping_path_set (
    tenant_hk bytea NOT NULL,
    mapping_hk bytea NOT NULL,
    paths jsonb NOT NULL,
    load_date timestamptz NOT NULL,
    CONSTRAINT mapping_path_set_pk PRIMARY KEY (tenant_hk, mapping_hk),
    CONSTRAINT mapping_path_set_hk_is_128_bits CHECK (octet_length(mapping_hk) = 16)
);
COMMENT ON TABLE staging.mapping_path_set IS
'Which payload path supplied which field: events of one shape share one row.';

CREATE TABLE staging.event_schema_s (
    tenant_hk bytea NOT NULL,
    event_type text NOT NULL,
    load_date timestamptz NOT NULL,
    schema_json jsonb NOT NULL,
    status text NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT event_schema_s_pk PRIMARY KEY (tenant_hk, event_type, load_date),
    CONSTRAINT event_schema_s_status CHECK (status IN ('active', 'retired'))
);
COMMENT ON TABLE staging.event_schema_s IS 'JSON Schemas a tenant demands of its events; the newest per type counts.';

CREATE TABLE staging.site_tracking_events_s (
    tenant_hk bytea NOT NULL,
    batch_id bigint NOT NULL,
    raw_event_id bigint NOT NULL,
    event_id uuid NOT NULL,
    event_day date NOT NULL,
    received_timestamp timestamptz NOT NULL,
    processed_timestamp timestamptz NOT NULL,
    load_id bigint NOT NULL,
    validation_status text NOT NULL,
    enrichment_status text NOT NULL,
    quality_score numeric(3, 2) NOT NULL,
    validation_errors jsonb NOT NULL,
    mapping_hk bytea NOT NULL,
    payload_digest bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_type text,
    session_id text,
    visitor_id text,
    user_bk text,
    page_url text,
    page_query text,
    page_title text,
    referrer_url text,
    referrer_host text,
    source text,
    channel text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    click_id_kind text,
    device_class text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    language text,
    screen text,
    is_bot boolean NOT NULL,
    bot_evidence text,
    country text,
    region text,
    city text,
    client_ip inet,
    user_agent text,
    properties jsonb,
    session_hk bytea NOT NULL,
    visitor_hk bytea NOT NULL,
    page_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    record_source text NOT NULL,
    CONSTRAINT site_tracking_events_s_validation_status
    CHECK (validation_status IN ('VALID', 'INVALID', 'SUSPICIOUS')),
    -- ENRICHED: every step ran; PARTIAL: at least one step failed and left its fields empty
    CONSTRAINT site_tracking_events_s_enrichment_status CHECK (enrichment_status IN ('ENRICHED', 'PARTIAL')),
    CONSTRAINT site_tracking_events_s_quality_score CHECK (quality_score BETWEEN 0 AND 1)
) PARTITION BY RANGE (processed_timestamp);
COMMENT ON TABLE staging.site_tracking_events_s IS 'Events mapped, validated, scored and enriched.';
CREATE INDEX site_tracking_events_s_batch_ix ON staging.site_tracking_events_s (batch_id);
CREATE TABLE staging.site_tracking_events_s_default PARTITION OF staging.site_tracking_events_s DEFAULT;
