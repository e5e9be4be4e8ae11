-- The nightly job takes the one way through staging, and the overload that nobody calls goes.
CREATE OR REPLACE FUNCTION staging.catch_up_site_event(p_raw_event_id bigint) RETURNS void
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM staging.process_site_event(p_raw_event_id);
END;
$function$;

DROP FUNCTION IF EXISTS staging.process_site_event(bigint, text);
