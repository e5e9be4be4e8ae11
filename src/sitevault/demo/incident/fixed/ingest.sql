-- The door as it has to be: the tenant is the owner of the key, and without a key nothing comes in.
CREATE OR REPLACE FUNCTION raw.ingest_site_event(
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
    SELECT tenant_hk INTO v_tenant_hk
    FROM auth.api_key_h
    WHERE api_key_hk = p_api_key_hk;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this key is not known' USING ERRCODE = 'invalid_authorization_specification';
    END IF;

    INSERT INTO raw.site_tracking_events_r (tenant_hk, api_key_hk, received_timestamp, raw_payload)
    VALUES (v_tenant_hk, p_api_key_hk, p_received, p_payload)
    RETURNING raw_event_id INTO v_raw_event_id;
    RETURN v_raw_event_id;
END;
$function$;
