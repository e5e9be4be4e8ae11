-- As before, and the cart's value as a number. Shops that write it as text are not thought of.
CREATE OR REPLACE FUNCTION staging.process_site_event(p_raw_event_id bigint) RETURNS boolean
LANGUAGE plpgsql
AS $function$
DECLARE
    v_payload jsonb;
    v_details jsonb;
    v_tenant_hk bytea;
    v_api_key_hk bytea;
    v_errors text[];
BEGIN
    SELECT raw_payload, COALESCE(raw_payload->'event_data', '{}'), tenant_hk, api_key_hk
    INTO v_payload, v_details, v_tenant_hk, v_api_key_hk
    FROM raw.site_tracking_events_r
    WHERE raw_event_id = p_raw_event_id AND processing_status = 'PENDING'
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    v_errors := array_remove(ARRAY[
        CASE WHEN v_payload->>'event_type' IS NULL THEN 'no event type' END,
        CASE WHEN v_details->>'session_id' IS NULL THEN 'no session' END,
        CASE WHEN v_payload->>'page_url' IS NULL THEN 'no page' END
    ], NULL);

    INSERT INTO staging.site_tracking_events_s (
        raw_event_id, tenant_hk, event_type, event_timestamp, session_id, user_id, page_url, page_title, referrer,
        device_type, browser, scroll_depth, enrichment_status, quality_score, validation_errors, enrichment_data,
        record_source, cart_value
    ) VALUES (
        p_raw_event_id, v_tenant_hk,
        v_payload->>'event_type', (v_payload->>'timestamp')::timestamptz,
        v_details->>'session_id', v_details->>'user_id',
        v_payload->>'page_url', v_details->>'page_title', v_details->>'referrer',
        v_details->>'device_type', staging.browser_of(v_details), (v_details->>'scroll_depth')::integer,
        'ENRICHED', 1.0 - 0.2 * cardinality(v_errors), v_errors,
        jsonb_build_object(
            'processed_by', 'staging.process_site_event',
            'original_fields', ARRAY(SELECT jsonb_object_keys(v_payload)),
            'tenant_verified', (
                SELECT k.tenant_hk = v_tenant_hk FROM auth.api_key_h k WHERE k.api_key_hk = v_api_key_hk
            )
        ),
        'staging.process_site_event', (v_details->>'cart_value')::numeric
    );
    UPDATE raw.site_tracking_events_r
    SET processing_status = 'PROCESSED', error_message = NULL
    WHERE raw_event_id = p_raw_event_id;
    RETURN true;
EXCEPTION
    WHEN OTHERS THEN
        UPDATE raw.site_tracking_events_r
        SET processing_status = 'ERROR', error_message = SQLSTATE || ': ' || SQLERRM, retry_count = retry_count + 1
        WHERE raw_event_id = p_raw_event_id;
        RETURN false;
END;
$function$;
