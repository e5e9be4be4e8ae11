-- v4, the mended mapping with a parameter more: it stands beside the function that everybody calls.
CREATE OR REPLACE FUNCTION staging.process_site_event(p_raw_event_id bigint, p_source text) RETURNS boolean
LANGUAGE plpgsql
AS $function$
DECLARE
    v_event_data jsonb;
    v_tenant_hk bytea;
    v_event_type text;
    v_session_id text;
    v_quality numeric := 1.0;
    v_errors text[] := '{}';
    v_enrichment jsonb;
BEGIN
    SELECT raw_payload, tenant_hk INTO v_event_data, v_tenant_hk
    FROM raw.site_tracking_events_r
    WHERE raw_event_id = p_raw_event_id
      AND processing_status = 'PENDING';
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    v_event_type := v_event_data->>'event_type';
    v_session_id := v_event_data->>'session_id';

    IF v_event_type IS NULL OR v_event_type = '' THEN
        v_errors := array_append(v_errors, 'no event type');
        v_quality := v_quality - 0.3;
    END IF;
    IF v_session_id IS NULL THEN
        v_errors := array_append(v_errors, 'no session');
        v_quality := v_quality - 0.2;
    END IF;
    IF v_event_data->>'page_url' IS NULL THEN
        v_errors := array_append(v_errors, 'no page');
        v_quality := v_quality - 0.1;
    END IF;

    v_enrichment := jsonb_build_object(
        'processed_by', 'staging.process_site_event',
        'source', p_source,
        'tenant_verified', true
    );

    INSERT INTO staging.site_tracking_events_s (
        raw_event_id, tenant_hk, event_type, event_timestamp, session_id, page_url, page_title,
        browser, enrichment_status, quality_score, validation_errors, enrichment_data, record_source
    ) VALUES (
        p_raw_event_id, v_tenant_hk, v_event_type, (v_event_data->>'timestamp')::timestamptz, v_session_id,
        v_event_data->>'page_url', v_event_data->'event_data'->>'page_title',
        staging.browser_of(v_event_data->'event_data'), 'ENRICHED', v_quality, v_errors, v_enrichment,
        'staging.process_site_event'
    );

    UPDATE raw.site_tracking_events_r
    SET processing_status = 'PROCESSED'
    WHERE raw_event_id = p_raw_event_id;
    RETURN true;
EXCEPTION
    WHEN OTHERS THEN
        UPDATE raw.site_tracking_events_r
        SET processing_status = 'ERROR',
            error_message = SQLERRM
        WHERE raw_event_id = p_raw_event_id;
        RAISE EXCEPTION 'Failed to process site event %', p_raw_event_id;
END;
$function$;
