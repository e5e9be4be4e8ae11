-- The reference: one loop over pending events, one event at a time, in the shape of the guide. Written with care
-- (indexes where they help, no lookup that an index does not answer, one transaction), so that what is
-- compared is the shape and not a mistake. It enriches less than Sitevault does.
CREATE SCHEMA bench;

CREATE TABLE bench.site_tracking_events_r (
    raw_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_hk bytea NOT NULL,
    received_timestamp timestamptz NOT NULL,
    raw_payload jsonb NOT NULL,
    processing_status text NOT NULL DEFAULT 'PENDING',
    error_message text
);
CREATE INDEX site_tracking_events_r_pending_ix ON bench.site_tracking_events_r (raw_event_id)
WHERE processing_status = 'PENDING';

CREATE TABLE bench.site_tracking_events_s (
    staging_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raw_event_id bigint NOT NULL UNIQUE,
    tenant_hk bytea NOT NULL,
    event_type text,
    session_id text,
    visitor_id text,
    page_url text,
    page_title text,
    referrer_url text,
    user_agent text,
    client_ip text,
    utm_source text,
    device_class text,
    event_timestamp timestamptz,
    validation_status text NOT NULL,
    enrichment_status text NOT NULL,
    quality_score numeric(3, 2) NOT NULL,
    raw_data jsonb NOT NULL,
    processed_timestamp timestamptz NOT NULL
);

CREATE TABLE bench.site_event_h (
    site_event_hk bytea PRIMARY KEY, site_event_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_session_h (
    site_session_hk bytea PRIMARY KEY, site_session_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_visitor_h (
    site_visitor_hk bytea PRIMARY KEY, site_visitor_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_page_h (
    site_page_hk bytea PRIMARY KEY, site_page_bk text NOT NULL, tenant_hk bytea NOT NULL,
    load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_session_l (
    link_hk bytea PRIMARY KEY, site_event_hk bytea NOT NULL, site_session_hk bytea NOT NULL,
    tenant_hk bytea NOT NULL, load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_visitor_l (
    link_hk bytea PRIMARY KEY, site_event_hk bytea NOT NULL, site_visitor_hk bytea NOT NULL,
    tenant_hk bytea NOT NULL, load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_page_l (
    link_hk bytea PRIMARY KEY, site_event_hk bytea NOT NULL, site_page_hk bytea NOT NULL,
    tenant_hk bytea NOT NULL, load_date timestamptz NOT NULL, record_source text NOT NULL
);
CREATE TABLE bench.site_event_details_s (
    site_event_hk bytea NOT NULL, load_date timestamptz NOT NULL, hash_diff bytea NOT NULL,
    event_type text, event_timestamp timestamptz, page_url text, referrer_url text, event_data jsonb,
    quality_score numeric(3, 2), tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (site_event_hk, load_date)
);
CREATE TABLE bench.site_session_details_s (
    site_session_hk bytea NOT NULL, load_date timestamptz NOT NULL, hash_diff bytea NOT NULL,
    entry_page text, referrer_url text, utm_source text, tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (site_session_hk, load_date)
);
CREATE TABLE bench.site_visitor_details_s (
    site_visitor_hk bytea NOT NULL, load_date timestamptz NOT NULL, hash_diff bytea NOT NULL,
    device_class text, user_agent text, tenant_hk bytea NOT NULL, record_source text NOT NULL,
    PRIMARY KEY (site_visitor_hk, load_date)
);

CREATE FUNCTION bench.hk(tenant_hk bytea, bk text) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(tenant_hk || convert_to(bk, 'UTF8')) $$;

-- As in the guide all of it is one transaction; with commit_each every event is durable before the next begins.
CREATE PROCEDURE bench.process_pending(most integer, commit_each boolean, INOUT done integer DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
    event record;
    payload jsonb;
    data jsonb;
    v_id text;
    v_type text;
    v_session text;
    v_visitor text;
    v_page text;
    v_title text;
    v_referrer text;
    v_agent text;
    v_device text;
    v_utm text;
    v_at timestamptz;
    v_score numeric(3, 2);
    v_status text;
    v_event_hk bytea;
    v_session_hk bytea;
    v_visitor_hk bytea;
    v_page_hk bytea;
    v_diff bytea;
    v_now timestamptz;
BEGIN
    FOR event IN
        SELECT raw_event_id, tenant_hk, received_timestamp, raw_payload
        FROM bench.site_tracking_events_r
        WHERE processing_status = 'PENDING'
        ORDER BY raw_event_id
        LIMIT most
    LOOP
        BEGIN
            v_now := clock_timestamp();
            payload := event.raw_payload;
            data := coalesce(payload -> 'event_data', payload -> 'properties', '{}'::jsonb);
            v_id := coalesce(payload ->> 'event_id', payload ->> 'id', payload ->> 'messageId', data ->> 'event_id');
            v_type := coalesce(payload ->> 'event_type', payload ->> 'evt_type', payload ->> 'event');
            v_session := coalesce(payload ->> 'session_id', payload ->> 'sessionId', data ->> 'session_id');
            v_visitor := coalesce(
                payload ->> 'visitor_id', payload ->> 'visitorId', payload ->> 'anonymousId', data ->> 'visitor_id'
            );
            v_page := coalesce(payload ->> 'page_url', payload ->> 'url', payload #>> '{context,page,url}');
            v_title := coalesce(payload ->> 'page_title', payload ->> 'title', data ->> 'page_title');
            v_referrer := coalesce(payload ->> 'referrer', payload ->> 'ref', data ->> 'referrer');
            v_agent := coalesce(
                payload ->> 'user_agent', payload ->> 'userAgent', payload #>> '{context,userAgent}', data ->> 'user_agent'
            );
            v_at := coalesce(
                (payload ->> 'timestamp')::timestamptz, (payload ->> 'occurred_at')::timestamptz,
                to_timestamp((payload ->> 'ts')::bigint / 1000.0), event.received_timestamp
            );
            v_utm := substring(v_page FROM 'utm_source=([^&]*)');
            v_page := split_part(v_page, '?', 1);
            v_device := CASE
                WHEN v_agent ILIKE '%bot%' THEN 'bot' WHEN v_agent ILIKE '%mobile%' THEN 'mobile' ELSE 'desktop'
            END;
            v_score := 1.00
                - CASE WHEN v_session IS NULL THEN 0.20 ELSE 0 END
                - CASE WHEN v_page IS NULL THEN 0.20 ELSE 0 END
                - CASE WHEN v_visitor IS NULL THEN 0.10 ELSE 0 END;
            v_status := CASE WHEN v_type IS NULL THEN 'INVALID' ELSE 'VALID' END;

            INSERT INTO bench.site_tracking_events_s (
                raw_event_id, tenant_hk, event_type, session_id, visitor_id, page_url, page_title, referrer_url,
                user_agent, client_ip, utm_source, device_class, event_timestamp, validation_status,
                enrichment_status, quality_score, raw_data, processed_timestamp
            )
            VALUES (
                event.raw_event_id, event.tenant_hk, v_type, v_session, v_visitor, v_page, v_title, v_referrer,
                v_agent, coalesce(payload ->> 'client_ip', payload ->> 'ip', data ->> 'ip_address'), v_utm, v_device,
                v_at, v_status, 'ENRICHED', v_score, payload, v_now
            );

            IF v_status <> 'INVALID' THEN
                v_event_hk := bench.hk(event.tenant_hk, 'event:' || coalesce(v_id, event.raw_event_id::text));
                v_session_hk := bench.hk(event.tenant_hk, 'session:' || coalesce(v_session, 'unknown'));
                v_visitor_hk := bench.hk(event.tenant_hk, 'visitor:' || coalesce(v_visitor, 'unknown'));
                v_page_hk := bench.hk(event.tenant_hk, 'page:' || coalesce(v_page, 'unknown'));

                INSERT INTO bench.site_event_h
                VALUES (v_event_hk, coalesce(v_id, event.raw_event_id::text), event.tenant_hk, v_now, 'site_tracker')
                ON CONFLICT DO NOTHING;
                INSERT INTO bench.site_session_h
                VALUES (v_session_hk, coalesce(v_session, 'unknown'), event.tenant_hk, v_now, 'site_tracker')
                ON CONFLICT DO NOTHING;
                INSERT INTO bench.site_visitor_h
                VALUES (v_visitor_hk, coalesce(v_visitor, 'unknown'), event.tenant_hk, v_now, 'site_tracker')
                ON CONFLICT DO NOTHING;
                INSERT INTO bench.site_page_h
                VALUES (v_page_hk, coalesce(v_page, 'unknown'), event.tenant_hk, v_now, 'site_tracker')
                ON CONFLICT DO NOTHING;

                INSERT INTO bench.site_event_session_l
                VALUES (
                    sha256(v_event_hk || v_session_hk), v_event_hk, v_session_hk, event.tenant_hk, v_now, 'site_tracker'
                )
                ON CONFLICT DO NOTHING;
                INSERT INTO bench.site_event_visitor_l
                VALUES (
                    sha256(v_event_hk || v_visitor_hk), v_event_hk, v_visitor_hk, event.tenant_hk, v_now, 'site_tracker'
                )
                ON CONFLICT DO NOTHING;
                INSERT INTO bench.site_event_page_l
                VALUES (sha256(v_event_hk || v_page_hk), v_event_hk, v_page_hk, event.tenant_hk, v_now, 'site_tracker')
                ON CONFLICT DO NOTHING;

                v_diff := sha256(convert_to(payload::text, 'UTF8'));
                IF NOT EXISTS (
                    SELECT 1 FROM bench.site_event_details_s AS d
                    WHERE d.site_event_hk = v_event_hk AND d.hash_diff = v_diff
                ) THEN
                    INSERT INTO bench.site_event_details_s
                    VALUES (
                        v_event_hk, v_now, v_diff, v_type, v_at, v_page, v_referrer, data, v_score, event.tenant_hk,
                        'site_tracker'
                    );
                END IF;
                IF NOT EXISTS (
                    SELECT 1 FROM bench.site_session_details_s AS d WHERE d.site_session_hk = v_session_hk
                ) THEN
                    INSERT INTO bench.site_session_details_s
                    VALUES (
                        v_session_hk, v_now, sha256(convert_to(concat_ws('|', v_page, v_referrer, v_utm), 'UTF8')),
                        v_page, v_referrer, v_utm, event.tenant_hk, 'site_tracker'
                    );
                END IF;
                v_diff := sha256(convert_to(concat_ws('|', v_device, v_agent), 'UTF8'));
                IF v_diff IS DISTINCT FROM (
                    SELECT d.hash_diff FROM bench.site_visitor_details_s AS d
                    WHERE d.site_visitor_hk = v_visitor_hk ORDER BY d.load_date DESC LIMIT 1
                ) THEN
                    INSERT INTO bench.site_visitor_details_s
                    VALUES (v_visitor_hk, v_now, v_diff, v_device, v_agent, event.tenant_hk, 'site_tracker');
                END IF;
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
END
$$;
