-- Landing as the operators' guide knows it: one row per event with its status and, if it failed, why.
DROP VIEW IF EXISTS raw.site_tracking_events_r;
CREATE VIEW raw.site_tracking_events_r WITH (security_invoker = true, security_barrier = true) AS
SELECT
    e.raw_event_id,
    e.tenant_hk,
    e.api_key_hk,
    e.batch_id,
    e.event_id,
    e.received_timestamp,
    e.client_ip,
    e.user_agent,
    e.origin,
    e.protocol AS record_source,
    e.payload::jsonb AS raw_payload,
    CASE
        WHEN d.status IN ('ERROR', 'PENDING') THEN d.status
        WHEN b.state = 'PROCESSED' THEN 'PROCESSED'
        ELSE 'PENDING' -- also where a manifest is missing: unknown is not done
    END AS processing_status,
    CASE WHEN d.status = 'ERROR' THEN d.reason_code || ': ' || d.message END AS error_message
FROM raw.landed_event AS e
LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id;
COMMENT ON VIEW raw.site_tracking_events_r IS
'Landed events with their status. Accepts one change: ERROR to PENDING, which requeues exactly those events.';

CREATE OR REPLACE FUNCTION raw.requeue_instead_of_update() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_jsonb(NEW) - 'processing_status' - 'error_message'
        IS DISTINCT FROM to_jsonb(OLD) - 'processing_status' - 'error_message'
    THEN
        RAISE EXCEPTION 'landed events are immutable' USING
            ERRCODE = 'feature_not_supported',
            HINT = 'Only processing_status may change, from ERROR to PENDING, with error_message NULL.';
    END IF;
    IF OLD.processing_status = NEW.processing_status
        AND OLD.error_message IS NOT DISTINCT FROM NEW.error_message
    THEN
        RETURN NEW;
    END IF;
    IF OLD.processing_status <> 'ERROR' OR NEW.processing_status <> 'PENDING' OR NEW.error_message IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change processing_status from % to %', OLD.processing_status, NEW.processing_status
            USING
                ERRCODE = 'feature_not_supported',
                HINT = 'A failed event is requeued with SET processing_status = ''PENDING'', error_message = NULL.';
    END IF;
    UPDATE raw.dead_letter
    SET status = 'PENDING', requeued_at = now()
    WHERE tenant_hk = OLD.tenant_hk AND raw_event_id = OLD.raw_event_id AND status = 'ERROR';
    IF NOT FOUND THEN
        RETURN NULL; -- somebody else requeued it first
    END IF;
    PERFORM pg_notify('sitevault_landed', '');
    RETURN NEW;
END
$$;
CREATE TRIGGER requeue INSTEAD OF UPDATE ON raw.site_tracking_events_r
FOR EACH ROW EXECUTE FUNCTION raw.requeue_instead_of_update();

COMMENT ON FUNCTION raw.requeue_instead_of_update() IS
'Turns the guide''s UPDATE of the view into a requeue of exactly those events.';
