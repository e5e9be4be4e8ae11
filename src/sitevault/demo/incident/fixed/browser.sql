-- The browser, by what is there; nothing is swallowed.
CREATE OR REPLACE FUNCTION staging.browser_of(p_event_data jsonb) RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    RETURN CASE
        WHEN p_event_data->>'user_agent' LIKE '%Firefox/%' THEN 'Firefox'
        WHEN p_event_data->>'user_agent' LIKE '%Chrome/%' THEN 'Chrome'
        WHEN p_event_data->>'user_agent' LIKE '%Safari/%' THEN 'Safari'
    END;
END;
$function$;
