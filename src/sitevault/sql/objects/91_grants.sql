-- Who may do what. Everything is taken away first, so this file is the whole truth.
REVOKE ALL ON ALL TABLES IN SCHEMA auth, raw, staging, business, mart, audit, ops
FROM PUBLIC, sitevault_collector, sitevault_worker, sitevault_reader, sitevault_judge, sitevault_auditor,
sitevault_eraser, sitevault_migrator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA auth, raw, staging, business, mart, audit, ops
FROM PUBLIC, sitevault_collector, sitevault_worker, sitevault_reader, sitevault_judge, sitevault_auditor,
sitevault_eraser, sitevault_migrator;
REVOKE ALL ON ALL ROUTINES IN SCHEMA auth, raw, staging, business, mart, audit, ops
FROM PUBLIC, sitevault_collector, sitevault_worker, sitevault_reader, sitevault_judge, sitevault_auditor,
sitevault_eraser, sitevault_migrator;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;

-- collector: inserts into landing, reads nothing but keys
GRANT USAGE ON SCHEMA auth, raw TO sitevault_collector;
GRANT SELECT ON auth.tenant_h, auth.tenant_profile_s, auth.api_key_h, auth.api_key_s, auth.tenant_v, auth.api_key_v
TO sitevault_collector;
GRANT INSERT ON raw.landed_event, raw.batch TO sitevault_collector;
GRANT USAGE ON SEQUENCE raw.batch_id_seq TO sitevault_collector;

-- worker: reads landing, writes staging, vault, marts and the ledger; never deletes
GRANT USAGE ON SCHEMA auth, raw, staging, business, mart, ops TO sitevault_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA auth, raw, staging, business, mart TO sitevault_worker;
GRANT SELECT ON ops.load, ops.ledger_d, ops.pause TO sitevault_worker;
GRANT UPDATE (state, attempts, not_before, last_error, load_id, processed_timestamp) ON raw.batch
TO sitevault_worker;
GRANT INSERT, UPDATE ON raw.dead_letter TO sitevault_worker;
GRANT UPDATE ON raw.site_tracking_events_r TO sitevault_worker;
GRANT INSERT ON staging.mapping_path_set, staging.site_tracking_events_s, staging.event_patch TO sitevault_worker;
GRANT INSERT ON
business.site_visitor_h, business.site_session_h, business.site_page_h, business.site_user_h,
business.site_campaign_h, business.site_session_visitor_l, business.site_visitor_user_l,
business.site_visitor_user_es, business.site_session_details_s, business.site_visitor_details_s,
business.site_page_details_s, business.site_event_nl, business.site_event_pii_ns, business.site_event_duplicate
TO sitevault_worker;
GRANT INSERT, UPDATE ON mart.session_f, mart.page_day_f, mart.event_day_f TO sitevault_worker;
-- UPDATE of the whole table, for loads and whoever rolls up take it from each other by a lock
GRANT INSERT, UPDATE ON mart.rolled_day TO sitevault_worker;
GRANT INSERT ON mart.visitor_day_f, mart.source_day_f, mart.device_day_f, mart.path_day_f, mart.path_session_f
TO sitevault_worker;
GRANT INSERT ON ops.load TO sitevault_worker;
GRANT INSERT, UPDATE ON ops.ledger_d TO sitevault_worker;
GRANT SELECT, INSERT, UPDATE ON ops.replay, ops.replay_event TO sitevault_worker;
GRANT INSERT ON business.site_event_enrichment_s TO sitevault_worker;
GRANT USAGE ON SEQUENCE ops.load_id_seq, ops.replay_id_seq TO sitevault_worker;
GRANT EXECUTE ON FUNCTION
ops.ensure_partition(regclass, date), ops.ensure_partitions_ahead(integer), ops.empty_default(regclass),
ops.begin_work(boolean), raw.requeue_instead_of_update(), staging.supersede(bytea, bigint [], bigint []),
mart.forget_days(bytea, date []),
business.encode_part(text), business.hash_key(text, bytea, text []),
mart.funnel(bytea, date, date, text []), auth.tenant_key(text)
TO sitevault_worker;

-- reader: one tenant's own rows, under row-level security, read-only; of a manifest only its progress
GRANT USAGE ON SCHEMA auth, raw, staging, business, mart, ops TO sitevault_reader;
GRANT EXECUTE ON FUNCTION
auth.current_tenant_hk(), business.encode_part(text), business.hash_key(text, bytea, text []),
mart.funnel(bytea, date, date, text [])
TO sitevault_reader, sitevault_eraser;
GRANT EXECUTE ON FUNCTION auth.tenant_is_active() TO sitevault_reader;
GRANT SELECT ON auth.tenant_h, auth.tenant_profile_s, auth.tenant_v TO sitevault_reader;
GRANT SELECT ON raw.landed_event, raw.dead_letter, raw.site_tracking_events_r TO sitevault_reader;
GRANT SELECT (batch_id, received_timestamp, state, load_id, processed_timestamp) ON raw.batch TO sitevault_reader;
GRANT SELECT ON staging.site_tracking_events_s, staging.mapping_path_set TO sitevault_reader;
GRANT SELECT ON
business.site_visitor_h, business.site_session_h, business.site_page_h, business.site_user_h,
business.site_campaign_h, business.site_session_visitor_l, business.site_visitor_user_l,
business.site_visitor_user_es, business.site_session_details_s, business.site_visitor_details_s,
business.site_page_details_s, business.site_event_nl, business.site_event_duplicate,
business.site_event_h, business.site_event_session_l, business.site_event_visitor_l, business.site_event_page_l,
business.site_event_details_s, business.site_session_details_v, business.site_visitor_details_v,
business.site_page_details_v, business.site_visitor_user_v,
business.site_event_v, business.site_event_enrichment_s
TO sitevault_reader;
GRANT SELECT ON
mart.session_f, mart.page_day_f, mart.event_day_f, mart.source_day_v, mart.visitor_day_v, mart.device_day_v,
mart.open_day_v, mart.rolled_day, mart.visitor_day_f, mart.source_day_f, mart.device_day_f, mart.path_day_f,
mart.path_session_f
TO sitevault_reader;
GRANT SELECT ON ops.ledger_d, ops.removed_d TO sitevault_reader;

-- judge and auditor: see every tenant, change nothing; no secrets
GRANT USAGE ON SCHEMA auth, raw, staging, business, mart, audit, ops TO sitevault_judge, sitevault_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA raw, staging, business, mart, ops TO sitevault_judge, sitevault_auditor;
GRANT SELECT ON auth.tenant_h, auth.tenant_profile_s, auth.api_key_h, auth.api_key_s, auth.tenant_v, auth.api_key_v
TO sitevault_judge, sitevault_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO sitevault_auditor;
-- how far a sequence is, for the doctor
GRANT SELECT ON ALL SEQUENCES IN SCHEMA raw, ops TO sitevault_auditor;
GRANT EXECUTE ON FUNCTION
auth.current_tenant_hk(), business.encode_part(text), business.hash_key(text, bytea, text []),
mart.funnel(bytea, date, date, text []), auth.tenant_key(text)
TO sitevault_judge, sitevault_auditor;

-- eraser: personal data only, one tenant at a time
GRANT USAGE ON SCHEMA auth, business TO sitevault_eraser;
GRANT SELECT, DELETE ON business.site_event_pii_ns TO sitevault_eraser;

-- partitions are reached through their parents only
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relispartition AND c.relkind = 'r'
    LOOP
        EXECUTE pg_catalog.format(
            'REVOKE ALL ON %s FROM PUBLIC, sitevault_collector, sitevault_worker, sitevault_reader,'
            ' sitevault_judge, sitevault_auditor, sitevault_eraser, sitevault_migrator', partition
        );
    END LOOP;
END
$$;
