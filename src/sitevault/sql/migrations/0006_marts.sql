-- squawk-ignore-file require-concurrent-index-creation
-- Marts hold what adds up; whatever can be derived from them is a view.
CREATE TABLE mart.session_f (
    tenant_hk bytea NOT NULL,
    session_hk bytea NOT NULL,
    session_day date NOT NULL,
    first_at timestamptz NOT NULL,
    first_event_id uuid NOT NULL,
    last_at timestamptz NOT NULL,
    last_event_id uuid NOT NULL,
    visitor_hk bytea NOT NULL,
    user_hk bytea NOT NULL,
    entry_page_hk bytea NOT NULL,
    exit_page_hk bytea NOT NULL,
    campaign_hk bytea NOT NULL,
    source text,
    channel text,
    device_class text,
    browser text,
    os text,
    country text,
    is_bot boolean NOT NULL,
    events integer NOT NULL,
    page_views integer NOT NULL,
    CONSTRAINT session_f_pk PRIMARY KEY (tenant_hk, session_hk)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.session_f IS 'One row per session: how it began is its earliest event''s, how it ended its latest''s.';
CREATE INDEX session_f_day_ix ON mart.session_f (tenant_hk, session_day);

CREATE TABLE mart.page_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    page_hk bytea NOT NULL,
    events bigint NOT NULL,
    page_views bigint NOT NULL,
    bot_page_views bigint NOT NULL,
    CONSTRAINT page_day_f_pk PRIMARY KEY (tenant_hk, day, page_hk)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.page_day_f IS 'Events and views of a page on a day (UTC).';

CREATE TABLE mart.event_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    event_type text NOT NULL,
    events bigint NOT NULL,
    bot_events bigint NOT NULL,
    suspicious_events bigint NOT NULL,
    quality_sum numeric NOT NULL,
    CONSTRAINT event_day_f_pk PRIMARY KEY (tenant_hk, day, event_type)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.event_day_f IS 'Events of a type on a day (UTC), with the sum of their quality scores.';
