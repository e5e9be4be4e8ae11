-- What stands around the staging function: the door that picks any tenant (F1), a column silently NULL (F6),
-- the loop over the queue, a second door to the same queue, and the load of the vault.
CREATE FUNCTION raw.ingest_site_event(
    p_payload jsonb,
    p_api_key_hk bytea DEFAULT NULL,
    p_received timestamptz DEFAULT CURRENT_TIMESTAMP
) RETURNS bigint
LANGUAGE plpgsql
AS $function$
DECLARE
    v_tenant_hk bytea;
    v_raw_event_id bigint;
BEGIN
    -- Get tenant
    SELECT tenant_hk INTO v_tenant_hk
    FROM auth.tenant_h
    ORDER BY load_date ASC
    LIMIT 1;

    INSERT INTO raw.site_tracking_events_r (tenant_hk, api_key_hk, received_timestamp, raw_payload)
    VALUES (v_tenant_hk, p_api_key_hk, p_received, p_payload)
    RETURNING raw_event_id INTO v_raw_event_id;
    RETURN v_raw_event_id;
END;
$function$;

CREATE FUNCTION staging.browser_of(p_event_data jsonb) RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    RETURN util.classify_user_agent(p_event_data->>'user_agent');
EXCEPTION
    WHEN OTHERS THEN
        RETURN NULL;
END;
$function$;

CREATE FUNCTION staging.process_pending_events(p_limit integer DEFAULT 100)
RETURNS TABLE (done integer, failed integer)
LANGUAGE plpgsql
AS $function$
DECLARE
    v_event record;
BEGIN
    done := 0;
    failed := 0;
    FOR v_event IN
        SELECT r.raw_event_id
        FROM raw.site_tracking_events_r r
        WHERE r.processing_status = 'PENDING'
        ORDER BY r.received_timestamp
        LIMIT p_limit
    LOOP
        BEGIN
            PERFORM staging.process_site_event(v_event.raw_event_id);
            done := done + 1;
        EXCEPTION
            WHEN OTHERS THEN
                failed := failed + 1;
                RAISE WARNING 'event % was not processed: %', v_event.raw_event_id, SQLERRM;
        END;
    END LOOP;
    RETURN NEXT;
END;
$function$;

-- The nightly job has a mapping of its own. Whoever mends the staging function does not mend this.
CREATE FUNCTION staging.catch_up_site_event(p_raw_event_id bigint) RETURNS void
LANGUAGE plpgsql
AS $function$
DECLARE
    v_payload jsonb;
    v_tenant_hk bytea;
BEGIN
    SELECT raw_payload, tenant_hk INTO v_payload, v_tenant_hk
    FROM raw.site_tracking_events_r
    WHERE raw_event_id = p_raw_event_id AND processing_status = 'PENDING';
    IF NOT FOUND THEN
        RETURN;
    END IF;

    INSERT INTO staging.site_tracking_events_s (
        raw_event_id, tenant_hk, event_type, session_id, page_url,
        enrichment_status, quality_score, record_source
    ) VALUES (
        p_raw_event_id, v_tenant_hk,
        v_payload->>'evt_type',
        v_payload->>'session_id',
        v_payload->>'page_url',
        'PENDING', 0.50, 'catch_up'
    );
    UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED' WHERE raw_event_id = p_raw_event_id;
EXCEPTION
    WHEN OTHERS THEN
        UPDATE raw.site_tracking_events_r
        SET processing_status = 'ERROR', error_message = SQLERRM
        WHERE raw_event_id = p_raw_event_id;
        RAISE;
END;
$function$;

CREATE FUNCTION business.load_site_events() RETURNS integer
LANGUAGE plpgsql
AS $function$
DECLARE
    v_loaded integer;
BEGIN
    INSERT INTO business.site_event_h (site_event_hk, site_event_bk, tenant_hk, record_source)
    SELECT sha256(s.tenant_hk || convert_to(s.raw_event_id::text, 'UTF8')), s.raw_event_id::text, s.tenant_hk,
           s.record_source
    FROM staging.site_tracking_events_s s
    WHERE s.validation_status = 'VALID'
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_loaded = ROW_COUNT;
    RETURN v_loaded;
END;
$function$;
