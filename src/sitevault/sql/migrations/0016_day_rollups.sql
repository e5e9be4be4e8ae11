-- squawk-ignore-file require-concurrent-index-creation
-- Days that are over, rolled up: what the views of the marts said of them, kept until a load touches the day again.
CREATE TABLE mart.rolled_day (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    -- NULL: a load changed the day after it was rolled up; the roller sets it again
    rolled_at timestamptz,
    opened_at timestamptz,
    CONSTRAINT rolled_day_pk PRIMARY KEY (tenant_hk, day)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.rolled_day IS
'A tenant''s days (UTC): where rolled_at is set, and nowhere else, visitor_day_f, source_day_f and device_day_f are exact.';

CREATE TABLE mart.visitor_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    seconds_per_session numeric NOT NULL,
    CONSTRAINT visitor_day_f_pk PRIMARY KEY (tenant_hk, day)
);
COMMENT ON TABLE mart.visitor_day_f IS
'Sessions and visitors of rolled-up days; read mart.visitor_day_v, which has every day.';

CREATE TABLE mart.source_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    channel text,
    source text,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    bounces bigint NOT NULL,
    CONSTRAINT source_day_f_uq UNIQUE NULLS NOT DISTINCT (tenant_hk, day, channel, source)
);
COMMENT ON TABLE mart.source_day_f IS
'Sessions, visitors and bounces of rolled-up days by source; read mart.source_day_v, which has every day.';

CREATE TABLE mart.device_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    device_class text,
    browser text,
    sessions bigint NOT NULL,
    visitors bigint NOT NULL,
    page_views bigint NOT NULL,
    bounces bigint NOT NULL,
    CONSTRAINT device_day_f_uq UNIQUE NULLS NOT DISTINCT (tenant_hk, day, device_class, browser)
);
COMMENT ON TABLE mart.device_day_f IS
'Sessions, visitors and bounces of rolled-up days by device and browser; read mart.device_day_v, which has every day.';
