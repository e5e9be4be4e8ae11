-- The tenant is whoever owns the site that the page is on, else the owner of the key. It reads well, and it is wrong:
-- a page is what the sender says it is, a key is what the sender has.
CREATE OR REPLACE FUNCTION raw.ingest_site_event(
    p_payload jsonb,
    p_api_key_hk bytea DEFAULT NULL,
    p_received timestamptz DEFAULT CURRENT_TIMESTAMP
) RETURNS bigint
LANGUAGE plpgsql
AS $function$
DECLARE
    v_host text := split_part(split_part(p_payload->>'page_url', '//', 2), '/', 1);
    v_tenant_hk bytea;
    v_raw_event_id bigint;
BEGIN
    SELECT COALESCE(d.tenant_hk, k.tenant_hk) INTO v_tenant_hk
    FROM auth.api_key_h k
    LEFT JOIN auth.tenant_domain_s d ON d.domain = v_host
    WHERE k.api_key_hk = p_api_key_hk;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this key is not known' USING ERRCODE = 'invalid_authorization_specification';
    END IF;

    INSERT INTO raw.site_tracking_events_r (tenant_hk, api_key_hk, received_timestamp, raw_payload)
    VALUES (v_tenant_hk, p_api_key_hk, p_received, p_payload)
    RETURNING raw_event_id INTO v_raw_event_id;
    RETURN v_raw_event_id;
END;
$function$;
