-- Taking back what staging said of events that are staged again: their rows are deleted in the transaction that
-- writes the new ones. It runs as the owner, because the worker may insert into staging and nothing else; the
-- owner is bound to the tenant it is called for, and an event that is in the vault is never touched.
CREATE OR REPLACE FUNCTION staging.supersede(of_tenant bytea, in_batches bigint [], of_events bigint [])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken_back bigint;
    context text := coalesce(current_setting('sitevault.tenant_hk', true), '');
BEGIN
    PERFORM set_config('sitevault.tenant_hk', encode(of_tenant, 'hex'), true);
    DELETE FROM staging.site_tracking_events_s AS s
    WHERE s.tenant_hk = of_tenant AND s.batch_id = ANY(in_batches) AND s.raw_event_id = ANY(of_events)
        AND s.validation_status = 'INVALID';
    GET DIAGNOSTICS taken_back = ROW_COUNT;
    PERFORM set_config('sitevault.tenant_hk', context, true);
    RETURN taken_back;
END
$$;

COMMENT ON FUNCTION staging.supersede(bytea, bigint [], bigint []) IS
'Delete the INVALID staging rows of a tenant''s events that are about to be staged again.';
