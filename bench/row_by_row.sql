-- The reference: a row-by-row pipeline in the shape of the guide. One loop over pending events; for each, functions that
-- stage it, get or create its hubs, link them and add what is new to satellites; the event's own row is flipped to
-- PROCESSED or ERROR. It does what Sitevault's stages do to an event, except what is named at the end of this file.
--
-- Written with care, so that what is compared is the shape and not a mistake: an index for every look-up, patterns that
-- fail early, functions of one expression that PostgreSQL inlines, one transaction for all events or one for each, and
-- marts that are refreshed once for all of them, as Sitevault's are once for a claim.
CREATE SCHEMA bench;

CREATE TABLE bench.site_tracking_events_r (
    raw_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_hk bytea NOT NULL,
    received_timestamp timestamptz NOT NULL,
    client_ip inet,
    user_agent text,
    raw_payload jsonb NOT NULL,
    processing_status text NOT NULL DEFAULT 'PENDING',
    error_message text
);
CREATE INDEX site_tracking_events_r_pending_ix ON bench.site_tracking_events_r (raw_event_id)
WHERE processing_status = 'PENDING';

CREATE TABLE bench.site_tracking_events_s (
    raw_event_id bigint PRIMARY KEY, tenant_hk bytea NOT NULL, event_bk text NOT NULL, event_type text,
    occurred_at timestamptz NOT NULL, session_id text, visitor_id text, user_bk text, page_url text, page_query text,
    page_title text, referrer_url text, referrer_host text, source text, channel text, utm_source text,
    utm_medium text, utm_campaign text, utm_term text, utm_content text, device_class text, browser text, os text,
    language text, screen text, is_bot boolean NOT NULL, client_ip inet, user_agent text, properties jsonb,
    validation_status text NOT NULL, enrichment_status text NOT NULL, quality_score numeric(3, 2) NOT NULL,
    validation_errors text [] NOT NULL, processed_timestamp timestamptz NOT NULL
);

-- Who sends visitors, by host: as many rows as the bench's traffic has referrers to tell apart.
CREATE TABLE bench.referrer (host text PRIMARY KEY, source text NOT NULL, channel text NOT NULL);
INSERT INTO bench.referrer VALUES
('google.com', 'google', 'organic_search'), ('google.de', 'google', 'organic_search'),
('bing.com', 'bing', 'organic_search'), ('duckduckgo.com', 'duckduckgo', 'organic_search'),
('facebook.com', 'facebook', 'social'), ('instagram.com', 'instagram', 'social'), ('t.co', 'x', 'social'),
('linkedin.com', 'linkedin', 'social'), ('youtube.com', 'youtube', 'video'),
('chatgpt.com', 'chatgpt', 'ai_assistant'), ('mail.google.com', 'gmail', 'email');

-- -- the vault --------------------------------------------------------------------------------------------------
CREATE TABLE bench.site_event_h (
    event_hk bytea PRIMARY KEY, event_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_session_h (
    session_hk bytea PRIMARY KEY, session_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_visitor_h (
    visitor_hk bytea PRIMARY KEY, visitor_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_page_h (
    page_hk bytea PRIMARY KEY, page_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_user_h (
    user_hk bytea PRIMARY KEY, user_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_campaign_h (
    campaign_hk bytea PRIMARY KEY, campaign_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
-- Every link is of two hubs; the name says which.
CREATE TABLE bench.site_event_session_l (
    link_hk bytea PRIMARY KEY, event_hk bytea NOT NULL, session_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_visitor_l (
    link_hk bytea PRIMARY KEY, event_hk bytea NOT NULL, visitor_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_page_l (
    link_hk bytea PRIMARY KEY, event_hk bytea NOT NULL, page_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_campaign_l (
    link_hk bytea PRIMARY KEY, event_hk bytea NOT NULL, campaign_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_session_visitor_l (
    link_hk bytea PRIMARY KEY, session_hk bytea NOT NULL, visitor_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_visitor_user_l (
    link_hk bytea PRIMARY KEY, visitor_hk bytea NOT NULL, user_hk bytea NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_details_s (
    event_hk bytea, load_date timestamptz, hash_diff bytea NOT NULL, event_type text NOT NULL,
    occurred_at timestamptz NOT NULL, received_timestamp timestamptz NOT NULL, referrer_host text, source text,
    channel text, device_class text, browser text, os text, is_bot boolean NOT NULL, validation_status text NOT NULL,
    quality_score numeric(3, 2) NOT NULL, properties jsonb, tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (event_hk, load_date)
);
CREATE TABLE bench.site_event_pii_s (
    event_hk bytea, load_date timestamptz, client_ip inet, user_agent text, page_query text,
    tenant_hk bytea NOT NULL, record_source text NOT NULL, PRIMARY KEY (event_hk, load_date)
);
CREATE TABLE bench.site_session_details_s (
    session_hk bytea, load_date timestamptz, hash_diff bytea NOT NULL, entry_page_url text, referrer_url text,
    source text, channel text, utm_term text, utm_content text, tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (session_hk, load_date)
);
CREATE TABLE bench.site_visitor_details_s (
    visitor_hk bytea, load_date timestamptz, hash_diff bytea NOT NULL, device_class text, browser text, os text,
    language text, screen text, tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (visitor_hk, load_date)
);
CREATE TABLE bench.site_page_details_s (
    page_hk bytea, load_date timestamptz, hash_diff bytea NOT NULL, page_title text, tenant_hk bytea NOT NULL,
    record_source text NOT NULL, PRIMARY KEY (page_hk, load_date)
);
CREATE TABLE bench.site_visitor_user_es (
    visitor_hk bytea, load_date timestamptz, user_hk bytea NOT NULL, effective_from timestamptz NOT NULL,
    tenant_hk bytea NOT NULL, record_source text NOT NULL, PRIMARY KEY (visitor_hk, load_date)
);
CREATE TABLE bench.site_event_duplicate (raw_event_id bigint PRIMARY KEY, event_hk bytea NOT NULL, is_conflict boolean);

-- -- marts and the account --------------------------------------------------------------------------------------
CREATE TABLE bench.session_f (
    tenant_hk bytea, session_id text, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, visitor_id text,
    user_bk text, entry_page_url text, exit_page_url text, source text, channel text, device_class text,
    browser text, os text, is_bot boolean NOT NULL, events integer NOT NULL, page_views integer NOT NULL,
    PRIMARY KEY (tenant_hk, session_id)
) WITH (fillfactor = 70);
CREATE TABLE bench.page_day_f (
    tenant_hk bytea, day date, page_url text, events bigint NOT NULL, page_views bigint NOT NULL,
    PRIMARY KEY (tenant_hk, day, page_url)
) WITH (fillfactor = 70);
CREATE TABLE bench.event_day_f (
    tenant_hk bytea, day date, event_type text, events bigint NOT NULL, bot_events bigint NOT NULL,
    quality_sum numeric NOT NULL, PRIMARY KEY (tenant_hk, day, event_type)
) WITH (fillfactor = 70);
CREATE TABLE bench.ledger_d (
    tenant_hk bytea, day date, vaulted bigint NOT NULL, duplicate bigint NOT NULL, invalid bigint NOT NULL,
    PRIMARY KEY (tenant_hk, day)
);

-- -- staging, function by function ------------------------------------------------------------------------------
CREATE FUNCTION bench.hk(domain text, tenant_hk bytea, bk text) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(convert_to(domain, 'UTF8') || tenant_hk || convert_to(bk, 'UTF8')) $$;

CREATE FUNCTION bench.diff(VARIADIC attributes text []) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(convert_to(array_to_string(attributes, E'\x1f', '~'), 'UTF8')) $$;

CREATE FUNCTION bench.browser_of(agent text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN agent LIKE '%Edg/%' THEN 'Edge' WHEN agent LIKE '%OPR/%' THEN 'Opera'
        WHEN agent LIKE '%SamsungBrowser/%' THEN 'Samsung Internet' WHEN agent LIKE '%Firefox/%' THEN 'Firefox'
        WHEN agent LIKE '%Chrome/%' THEN 'Chrome' WHEN agent LIKE '%Safari/%' THEN 'Safari'
    END;
END
$$;

CREATE FUNCTION bench.os_of(agent text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN agent LIKE '%Windows NT%' THEN 'Windows' WHEN agent LIKE '%Android%' THEN 'Android'
        WHEN agent LIKE '%iPhone%' OR agent LIKE '%iPad%' THEN 'iOS' WHEN agent LIKE '%Mac OS X%' THEN 'Mac OS X'
        WHEN agent LIKE '%Linux%' THEN 'Linux'
    END;
END
$$;

CREATE FUNCTION bench.device_of(agent text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN agent IS NULL THEN NULL
        WHEN agent ~* 'bot|spider|crawl' THEN 'bot' WHEN agent ~* 'smart-?tv|apple ?tv|hbbtv|roku' THEN 'tv'
        WHEN agent ~* 'ipad|tablet|kindle' THEN 'tablet' WHEN agent ~* 'iphone|mobile|android' THEN 'mobile'
        WHEN agent ~* 'windows nt|macintosh|x11|linux' THEN 'desktop' ELSE 'other'
    END;
END
$$;

CREATE FUNCTION bench.tag_of(query text, tag text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT substring('&' || query FROM '&' || tag || '=([^&]+)') $$;

CREATE FUNCTION bench.stage_site_event(event bench.site_tracking_events_r, now_at timestamptz)
RETURNS bench.site_tracking_events_s
LANGUAGE plpgsql AS $$
DECLARE
    p jsonb := event.raw_payload;
    d jsonb := coalesce(p -> 'event_data', p -> 'properties', '{}'::jsonb);
    c jsonb := coalesce(p -> 'context', '{}'::jsonb);
    s bench.site_tracking_events_s;
    v_url text;
    v_user text;
    v_from bench.referrer;
    v_page_host text;
BEGIN
    s.raw_event_id := event.raw_event_id;
    s.tenant_hk := event.tenant_hk;
    s.event_bk := coalesce(
        p ->> 'event_id', p ->> 'eventId', p ->> 'id', p ->> 'messageId', d ->> 'event_id', event.raw_event_id::text
    );
    s.event_type := coalesce(
        p ->> 'event_type', p ->> 'evt_type', p ->> 'eventType', p ->> 'event_name', p ->> 'event', p ->> 'type',
        p ->> 'name', d ->> 'event_type'
    );
    s.session_id := coalesce(
        p ->> 'session_id', p ->> 'sessionId', d ->> 'session_id', d ->> 'sessionId', c ->> 'session_id',
        c ->> 'sessionId'
    );
    s.visitor_id := coalesce(
        p ->> 'visitor_id', p ->> 'visitorId', p ->> 'anonymous_id', p ->> 'anonymousId', d ->> 'visitor_id',
        d ->> 'visitorId', d ->> 'anonymous_id', d ->> 'anonymousId', p ->> 'client_id', p ->> 'distinct_id'
    );
    v_user := coalesce(
        p ->> 'user_id', p ->> 'userId', d ->> 'user_id', d ->> 'userId', p ->> 'customer_id', p ->> 'email',
        d ->> 'email'
    );
    v_url := coalesce(
        p ->> 'page_url', p ->> 'pageUrl', p ->> 'url', d ->> 'page_url', d ->> 'url', c #>> '{page,url}',
        p ->> 'page_location'
    );
    s.page_title := coalesce(
        p ->> 'page_title', p ->> 'pageTitle', p ->> 'title', d ->> 'page_title', d ->> 'title', c #>> '{page,title}'
    );
    s.referrer_url := split_part(coalesce(
        p ->> 'referrer_url', p ->> 'referrer', p ->> 'referer', d ->> 'referrer', d ->> 'referrer_url',
        c #>> '{page,referrer}', p ->> 'ref'
    ), '?', 1);
    s.occurred_at := coalesce(
        (p ->> 'timestamp')::timestamptz, (p ->> 'occurred_at')::timestamptz,
        to_timestamp((p ->> 'ts')::bigint / 1000.0), event.received_timestamp
    );
    s.user_agent := coalesce(
        p ->> 'user_agent', p ->> 'userAgent', d ->> 'user_agent', c ->> 'userAgent', event.user_agent
    );
    s.client_ip := coalesce(
        p ->> 'client_ip', p ->> 'ip', p ->> 'ip_address', d ->> 'ip_address', c ->> 'ip', host(event.client_ip)
    )::inet;
    s.client_ip := network(set_masklen(s.client_ip, CASE family(s.client_ip) WHEN 4 THEN 24 ELSE 48 END));
    s.language := coalesce(p ->> 'language', p ->> 'locale', d ->> 'language', c ->> 'locale');
    s.screen := coalesce(p ->> 'screen', p ->> 'screen_resolution', d ->> 'screen', d ->> 'screen_resolution');
    s.user_bk := encode(bench.hk('secret of the tenant', s.tenant_hk, v_user), 'hex');

    s.page_url := split_part(split_part(v_url, '#', 1), '?', 1);
    s.page_query := nullif(split_part(split_part(v_url, '#', 1), '?', 2), '');
    v_page_host := substring(s.page_url FROM '^https?://([^/]+)');
    IF s.page_query IS NOT NULL THEN
        s.utm_source := bench.tag_of(s.page_query, 'utm_source');
        s.utm_medium := bench.tag_of(s.page_query, 'utm_medium');
        s.utm_campaign := bench.tag_of(s.page_query, 'utm_campaign');
        s.utm_term := bench.tag_of(s.page_query, 'utm_term');
        s.utm_content := bench.tag_of(s.page_query, 'utm_content');
    END IF;
    s.referrer_host := regexp_replace(substring(s.referrer_url FROM '^https?://([^/]+)'), '^www\.', '');
    IF s.utm_source IS NOT NULL THEN
        s.source := lower(s.utm_source);
        s.channel := CASE
            WHEN s.utm_medium IN ('cpc', 'ppc', 'paid') THEN 'paid_search'
            WHEN s.utm_medium IN ('email', 'newsletter') THEN 'email'
            WHEN s.utm_medium = 'social' THEN 'social' ELSE 'campaign'
        END;
    ELSIF s.referrer_host IS NULL THEN
        s.source := 'direct';
        s.channel := 'direct';
    ELSIF s.referrer_host = regexp_replace(v_page_host, '^www\.', '') THEN
        s.source := v_page_host;
        s.channel := 'internal';
    ELSE
        SELECT * INTO v_from FROM bench.referrer AS r WHERE r.host = s.referrer_host;
        s.source := coalesce(v_from.source, s.referrer_host);
        s.channel := coalesce(v_from.channel, 'referral');
    END IF;

    s.browser := bench.browser_of(s.user_agent);
    s.os := bench.os_of(s.user_agent);
    s.device_class := bench.device_of(s.user_agent);
    s.is_bot := s.user_agent IS NULL OR s.device_class = 'bot' OR s.user_agent ~* 'headless|python|curl|wget';
    s.properties := d - ARRAY[
        'event_id', 'session_id', 'visitor_id', 'user_id', 'page_title', 'referrer', 'user_agent', 'ip_address', 'language',
        'screen', 'email'
    ];

    s.validation_errors := array_remove(ARRAY[
        CASE WHEN s.event_type IS NULL THEN 'event_type_missing' END,
        CASE WHEN s.session_id IS NULL THEN 'session_missing' END,
        CASE WHEN s.visitor_id IS NULL THEN 'visitor_missing' END,
        CASE WHEN v_page_host IS NULL THEN 'page_missing' END,
        CASE WHEN s.occurred_at > event.received_timestamp + interval '5 minutes' THEN 'in_future' END,
        CASE WHEN s.page_title ~* '<script|union select|\.\./' THEN 'attack' END
    ], NULL);
    s.quality_score := greatest(0, 1 - 0.2 * cardinality(s.validation_errors));
    s.validation_status := CASE
        WHEN s.event_type IS NULL THEN 'INVALID' WHEN s.validation_errors @> '{attack}' THEN 'SUSPICIOUS' ELSE 'VALID'
    END;
    s.enrichment_status := 'ENRICHED';
    s.processed_timestamp := now_at;
    INSERT INTO bench.site_tracking_events_s SELECT s.*;
    RETURN s;
END
$$;

-- -- the vault, event by event ----------------------------------------------------------------------------------
CREATE FUNCTION bench.load_site_event(
    s bench.site_tracking_events_s, received_at timestamptz, payload jsonb, now_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    e bytea := bench.hk('event', s.tenant_hk, s.event_bk);
    v_session bytea := bench.hk('session', s.tenant_hk, s.session_id);
    v_visitor bytea := bench.hk('visitor', s.tenant_hk, s.visitor_id);
    v_page bytea := bench.hk('page', s.tenant_hk, s.page_url);
    v_user bytea := bench.hk('user', s.tenant_hk, s.user_bk);
    v_campaign_bk text := nullif(concat_ws('|', s.utm_source, s.utm_medium, s.utm_campaign), '');
    v_campaign bytea := bench.hk('campaign', s.tenant_hk, v_campaign_bk);
    v_diff bytea := sha256(convert_to(payload::text, 'UTF8'));
    v_known bytea;
    v_rs text := 'site_tracker';
BEGIN
    -- Hubs: get or create.
    INSERT INTO bench.site_event_h VALUES (e, s.event_bk, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT d.hash_diff INTO v_known FROM bench.site_event_details_s AS d WHERE d.event_hk = e LIMIT 1;
        INSERT INTO bench.site_event_duplicate VALUES (s.raw_event_id, e, v_known IS DISTINCT FROM v_diff);
        RETURN;
    END IF;
    IF s.session_id IS NOT NULL AND NOT EXISTS (SELECT FROM bench.site_session_h AS h WHERE h.session_hk = v_session) THEN
        INSERT INTO bench.site_session_h VALUES (v_session, s.session_id, s.tenant_hk, now_at, v_rs)
        ON CONFLICT DO NOTHING;
    END IF;
    IF s.visitor_id IS NOT NULL AND NOT EXISTS (SELECT FROM bench.site_visitor_h AS h WHERE h.visitor_hk = v_visitor) THEN
        INSERT INTO bench.site_visitor_h VALUES (v_visitor, s.visitor_id, s.tenant_hk, now_at, v_rs)
        ON CONFLICT DO NOTHING;
    END IF;
    IF s.page_url IS NOT NULL AND NOT EXISTS (SELECT FROM bench.site_page_h AS h WHERE h.page_hk = v_page) THEN
        INSERT INTO bench.site_page_h VALUES (v_page, s.page_url, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF s.user_bk IS NOT NULL AND NOT EXISTS (SELECT FROM bench.site_user_h AS h WHERE h.user_hk = v_user) THEN
        INSERT INTO bench.site_user_h VALUES (v_user, s.user_bk, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF v_campaign_bk IS NOT NULL
        AND NOT EXISTS (SELECT FROM bench.site_campaign_h AS h WHERE h.campaign_hk = v_campaign) THEN
        INSERT INTO bench.site_campaign_h VALUES (v_campaign, v_campaign_bk, s.tenant_hk, now_at, v_rs)
        ON CONFLICT DO NOTHING;
    END IF;

    -- Links.
    IF s.session_id IS NOT NULL THEN
        INSERT INTO bench.site_event_session_l
        VALUES (sha256(e || v_session), e, v_session, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF s.visitor_id IS NOT NULL THEN
        INSERT INTO bench.site_event_visitor_l
        VALUES (sha256(e || v_visitor), e, v_visitor, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF s.page_url IS NOT NULL THEN
        INSERT INTO bench.site_event_page_l
        VALUES (sha256(e || v_page), e, v_page, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF v_campaign_bk IS NOT NULL THEN
        INSERT INTO bench.site_event_campaign_l
        VALUES (sha256(e || v_campaign), e, v_campaign, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
    END IF;
    IF NOT EXISTS (SELECT FROM bench.site_session_visitor_l AS l WHERE l.link_hk = sha256(v_session || v_visitor)) THEN
        INSERT INTO bench.site_session_visitor_l
        SELECT sha256(v_session || v_visitor), v_session, v_visitor, s.tenant_hk, now_at, v_rs
        WHERE v_session IS NOT NULL AND v_visitor IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    IF s.user_bk IS NOT NULL AND s.visitor_id IS NOT NULL THEN
        INSERT INTO bench.site_visitor_user_l
        VALUES (sha256(v_visitor || v_user), v_visitor, v_user, s.tenant_hk, now_at, v_rs) ON CONFLICT DO NOTHING;
        SELECT es.user_hk INTO v_known FROM bench.site_visitor_user_es AS es
        WHERE es.visitor_hk = v_visitor ORDER BY es.load_date DESC LIMIT 1;
        IF v_known IS DISTINCT FROM v_user THEN
            INSERT INTO bench.site_visitor_user_es VALUES (v_visitor, now_at, v_user, s.occurred_at, s.tenant_hk, v_rs);
        END IF;
    END IF;

    -- Satellites: a row where the hash_diff is another than the newest one's.
    INSERT INTO bench.site_event_details_s VALUES (
        e, now_at, v_diff, s.event_type, s.occurred_at, received_at, s.referrer_host, s.source, s.channel,
        s.device_class, s.browser, s.os, s.is_bot, s.validation_status, s.quality_score, s.properties, s.tenant_hk, v_rs
    );
    IF num_nonnulls(s.client_ip, s.user_agent, s.page_query) > 0 THEN
        INSERT INTO bench.site_event_pii_s
        VALUES (e, now_at, s.client_ip, s.user_agent, s.page_query, s.tenant_hk, v_rs);
    END IF;
    IF s.session_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM bench.site_session_details_s AS d WHERE d.session_hk = v_session) THEN
        INSERT INTO bench.site_session_details_s VALUES (
            v_session, now_at,
            bench.diff(s.page_url, s.referrer_url, s.source, s.channel, s.utm_term, s.utm_content),
            s.page_url, s.referrer_url, s.source, s.channel, s.utm_term, s.utm_content, s.tenant_hk, v_rs
        );
    END IF;
    IF s.visitor_id IS NOT NULL THEN
        v_diff := bench.diff(s.device_class, s.browser, s.os, s.language, s.screen);
        SELECT d.hash_diff INTO v_known FROM bench.site_visitor_details_s AS d
        WHERE d.visitor_hk = v_visitor ORDER BY d.load_date DESC LIMIT 1;
        IF v_known IS DISTINCT FROM v_diff THEN
            INSERT INTO bench.site_visitor_details_s VALUES (
                v_visitor, now_at, v_diff, s.device_class, s.browser, s.os, s.language, s.screen, s.tenant_hk, v_rs
            );
        END IF;
    END IF;
    IF s.page_url IS NOT NULL AND s.page_title IS NOT NULL THEN
        v_diff := bench.diff(s.page_title);
        SELECT d.hash_diff INTO v_known FROM bench.site_page_details_s AS d
        WHERE d.page_hk = v_page ORDER BY d.load_date DESC LIMIT 1;
        IF v_known IS DISTINCT FROM v_diff THEN
            INSERT INTO bench.site_page_details_s VALUES (v_page, now_at, v_diff, s.page_title, s.tenant_hk, v_rs);
        END IF;
    END IF;
END
$$;

-- -- marts and the account, once for all events of a call --------------------------------------------------------
CREATE PROCEDURE bench.refresh(first_id bigint, last_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.session_f AS f
    SELECT
        s.tenant_hk, s.session_id, min(s.occurred_at), max(s.occurred_at),
        (array_agg(s.visitor_id ORDER BY s.occurred_at))[1], (array_agg(s.user_bk ORDER BY s.occurred_at))[1],
        (array_agg(s.page_url ORDER BY s.occurred_at))[1], (array_agg(s.page_url ORDER BY s.occurred_at DESC))[1],
        (array_agg(s.source ORDER BY s.occurred_at))[1], (array_agg(s.channel ORDER BY s.occurred_at))[1],
        (array_agg(s.device_class ORDER BY s.occurred_at))[1], (array_agg(s.browser ORDER BY s.occurred_at))[1],
        (array_agg(s.os ORDER BY s.occurred_at))[1], bool_or(s.is_bot), count(*),
        count(*) FILTER (WHERE s.event_type = 'page_view')
    FROM bench.site_tracking_events_s AS s
    LEFT JOIN bench.site_event_duplicate AS twice ON s.raw_event_id = twice.raw_event_id
    WHERE s.raw_event_id BETWEEN first_id AND last_id AND s.validation_status <> 'INVALID'
        AND twice.raw_event_id IS NULL AND s.session_id IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (tenant_hk, session_id) DO UPDATE SET
        events = f.events + excluded.events, page_views = f.page_views + excluded.page_views,
        is_bot = f.is_bot OR excluded.is_bot, last_at = greatest(f.last_at, excluded.last_at),
        exit_page_url = CASE WHEN excluded.last_at > f.last_at THEN excluded.exit_page_url ELSE f.exit_page_url END;
    INSERT INTO bench.page_day_f AS f
    SELECT
        s.tenant_hk, (s.occurred_at AT TIME ZONE 'UTC')::date, s.page_url, count(*),
        count(*) FILTER (WHERE s.event_type = 'page_view' AND NOT s.is_bot)
    FROM bench.site_tracking_events_s AS s
    LEFT JOIN bench.site_event_duplicate AS twice ON s.raw_event_id = twice.raw_event_id
    WHERE s.raw_event_id BETWEEN first_id AND last_id AND s.validation_status <> 'INVALID'
        AND twice.raw_event_id IS NULL AND s.page_url IS NOT NULL
    GROUP BY 1, 2, 3
    ON CONFLICT (tenant_hk, day, page_url) DO UPDATE SET
        events = f.events + excluded.events, page_views = f.page_views + excluded.page_views;
    INSERT INTO bench.event_day_f AS f
    SELECT
        s.tenant_hk, (s.occurred_at AT TIME ZONE 'UTC')::date, s.event_type, count(*),
        count(*) FILTER (WHERE s.is_bot), sum(s.quality_score)
    FROM bench.site_tracking_events_s AS s
    LEFT JOIN bench.site_event_duplicate AS twice ON s.raw_event_id = twice.raw_event_id
    WHERE s.raw_event_id BETWEEN first_id AND last_id AND s.validation_status <> 'INVALID'
        AND twice.raw_event_id IS NULL
    GROUP BY 1, 2, 3
    ON CONFLICT (tenant_hk, day, event_type) DO UPDATE SET
        events = f.events + excluded.events, bot_events = f.bot_events + excluded.bot_events,
        quality_sum = f.quality_sum + excluded.quality_sum;
    INSERT INTO bench.ledger_d AS l
    SELECT
        s.tenant_hk, current_date,
        count(*) FILTER (WHERE twice.raw_event_id IS NULL AND s.validation_status <> 'INVALID'),
        count(*) FILTER (WHERE twice.raw_event_id IS NOT NULL), count(*) FILTER (WHERE s.validation_status = 'INVALID')
    FROM bench.site_tracking_events_s AS s
    LEFT JOIN bench.site_event_duplicate AS twice ON s.raw_event_id = twice.raw_event_id
    WHERE s.raw_event_id BETWEEN first_id AND last_id
    GROUP BY 1
    ON CONFLICT (tenant_hk, day) DO UPDATE SET
        vaulted = l.vaulted + excluded.vaulted, duplicate = l.duplicate + excluded.duplicate,
        invalid = l.invalid + excluded.invalid;
END
$$;

-- As in the guide all of it is one transaction; with commit_each every event is durable before the next begins.
CREATE PROCEDURE bench.process_pending(most integer, commit_each boolean, INOUT done integer DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
    event bench.site_tracking_events_r;
    staged bench.site_tracking_events_s;
    v_now timestamptz;
    v_first bigint;
BEGIN
    FOR event IN
        SELECT * FROM bench.site_tracking_events_r
        WHERE processing_status = 'PENDING'
        ORDER BY raw_event_id
        LIMIT most
    LOOP
        BEGIN
            v_now := clock_timestamp();
            v_first := coalesce(v_first, event.raw_event_id);
            staged := bench.stage_site_event(event, v_now);
            IF staged.validation_status <> 'INVALID' THEN
                PERFORM bench.load_site_event(staged, event.received_timestamp, event.raw_payload, v_now);
            END IF;
            UPDATE bench.site_tracking_events_r
            SET processing_status = 'PROCESSED'
            WHERE raw_event_id = event.raw_event_id;
        EXCEPTION WHEN OTHERS THEN
            UPDATE bench.site_tracking_events_r
            SET processing_status = 'ERROR', error_message = SQLERRM
            WHERE raw_event_id = event.raw_event_id;
        END;
        done := done + 1;
        IF commit_each THEN
            COMMIT;
        END IF;
    END LOOP;
    CALL bench.refresh(v_first, event.raw_event_id);
END
$$;

-- What it does not do, to its advantage: paths of other senders than the bench's and the commonest, patterns of browsers
-- and programs beyond a dozen, one spelling for a URL, corrected clocks, declared devices, places, attacks beyond three
-- patterns, a tenant's own mapping and contracts, which path supplied a field, partitions, row-level security.
