"""Ways to break the isolation of a database, each with the check that must name it and the object it must name."""

from __future__ import annotations

from typing import LiteralString, NamedTuple


class Break(NamedTuple):
    """SQL that a superuser runs, and what the audit must then say."""

    name: str
    statements: LiteralString
    check: str
    object: str


CATALOG = (
    Break(
        "a partition without row-level security",
        "ALTER TABLE raw.landed_event_default DISABLE ROW LEVEL SECURITY",
        "rls.enabled", "raw.landed_event_default",
    ),
    Break(
        "a table whose owner is not bound",
        "ALTER TABLE business.site_page_h NO FORCE ROW LEVEL SECURITY",
        "rls.forced", "business.site_page_h",
    ),
    Break(
        "a new table of tenants that nobody secured",
        "SET ROLE sitevault_owner; CREATE TABLE mart.forgotten (tenant_hk bytea NOT NULL, x int)",
        "rls.enabled", "mart.forgotten",
    ),
    Break(
        "a table without tenants that readers may read",
        "SET ROLE sitevault_owner; CREATE TABLE mart.notes (x text);"
        " GRANT SELECT ON mart.notes TO sitevault_reader",
        "rls.readable", "mart.notes",
    ),
    Break(
        "a policy without WITH CHECK",
        "DROP POLICY tenant_boundary ON mart.session_f; CREATE POLICY tenant_boundary ON mart.session_f"
        " AS RESTRICTIVE FOR ALL TO sitevault_owner, sitevault_reader, sitevault_eraser"
        " USING (tenant_hk = (SELECT auth.current_tenant_hk()))",
        "policy.boundary", "mart.session_f",
    ),
    Break(
        "a boundary that lets writes through",
        "ALTER POLICY tenant_boundary ON mart.session_f WITH CHECK (true)",
        "policy.boundary", "mart.session_f",
    ),
    Break(
        "no boundary", "DROP POLICY tenant_boundary ON raw.dead_letter", "policy.boundary", "raw.dead_letter"
    ),
    Break(
        "a boundary that does not bind readers",
        "ALTER POLICY tenant_boundary ON mart.session_f TO sitevault_owner, sitevault_eraser",
        "policy.boundary", "mart.session_f",
    ),
    Break(
        "a boundary that is permissive",
        "DROP POLICY tenant_boundary ON mart.session_f; CREATE POLICY tenant_boundary ON mart.session_f"
        " TO sitevault_owner, sitevault_reader, sitevault_eraser"
        " USING (tenant_hk = (SELECT auth.current_tenant_hk()))"
        " WITH CHECK (tenant_hk = (SELECT auth.current_tenant_hk()))",
        "policy.boundary", "mart.session_f",
    ),
    Break(
        "a boundary with a back door",
        "ALTER POLICY tenant_boundary ON mart.session_f"
        " USING (tenant_hk = (SELECT auth.current_tenant_hk()) OR is_bot)",
        "policy.boundary", "mart.session_f",
    ),
    Break(
        "readers of the suspended",
        "DROP POLICY tenant_active ON business.site_event_nl", "policy.active", "business.site_event_nl",
    ),
    Break(
        "a policy that lets everybody in",
        "CREATE POLICY everything ON mart.session_f FOR SELECT USING (true)",
        "policy.permissive", "mart.session_f.everything",
    ),
    Break(
        "oversight for readers",
        "ALTER POLICY oversight ON mart.session_f TO sitevault_judge, sitevault_reader",
        "policy.permissive", "mart.session_f.oversight",
    ),
    Break(
        "a key over all tenants",
        "ALTER TABLE business.site_session_h ADD CONSTRAINT one_session UNIQUE (session_bk)",
        "key.unique", "business.site_session_h.one_session",
    ),
    Break(
        "a unique index on an expression over all tenants",
        "CREATE UNIQUE INDEX one_page ON business.site_page_h (lower(page_bk))",
        "key.unique", "business.site_page_h.one_page",
    ),
    Break(
        "a reference without its tenant",
        "ALTER TABLE business.site_session_h ADD CONSTRAINT u UNIQUE (session_hk);"
        " ALTER TABLE mart.session_f ADD CONSTRAINT to_any FOREIGN KEY (session_hk)"
        " REFERENCES business.site_session_h (session_hk)",
        "key.foreign", "mart.session_f.to_any",
    ),
    Break(
        "rows of nobody",
        "ALTER TABLE raw.landed_event ALTER COLUMN tenant_hk DROP NOT NULL",
        "key.required", "raw.landed_event",
    ),
    Break(
        "a superuser's view",
        "CREATE VIEW mart.everything AS SELECT * FROM mart.session_f;"
        " GRANT SELECT ON mart.everything TO sitevault_reader",
        "view.security_invoker", "mart.everything",
    ),
    Break(
        "a view of somebody else's that readers may read",
        "CREATE SCHEMA reports; CREATE VIEW reports.everything AS SELECT * FROM mart.session_f;"
        " GRANT SELECT ON reports.everything TO sitevault_reader",
        "view.security_invoker", "reports.everything",
    ),
    Break(
        "a view that is no barrier",
        "ALTER VIEW mart.source_day_v RESET (security_barrier)", "view.security_barrier", "mart.source_day_v",
    ),
    Break(
        "a materialised view",
        "CREATE MATERIALIZED VIEW mart.sessions_m AS SELECT * FROM mart.session_f;"
        " GRANT SELECT ON mart.sessions_m TO sitevault_reader",
        "view.materialised", "mart.sessions_m",
    ),
    Break(
        "a rewrite rule",
        "CREATE RULE copy AS ON INSERT TO mart.page_day_f DO ALSO NOTHING", "view.rules", "mart.page_day_f.copy",
    ),
    Break(
        "a definer function without search_path",
        "ALTER FUNCTION ops.ensure_partition(regclass, date) RESET search_path",
        "function.search_path", "ops.ensure_partition(parent regclass, day date)",
    ),
    Break(
        "a definer function that looks into pg_temp first",
        "ALTER FUNCTION ops.ensure_partition(regclass, date) SET search_path = pg_catalog",
        "function.search_path", "ops.ensure_partition(parent regclass, day date)",
    ),
    Break(
        "a superuser's definer function for readers",
        "CREATE FUNCTION mart.total() RETURNS bigint LANGUAGE sql SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp"
        " AS 'SELECT count(*) FROM mart.session_f'; GRANT EXECUTE ON FUNCTION mart.total() TO sitevault_reader",
        "function.lenders", "mart.total()",
    ),
    Break(
        "a superuser's function",
        "ALTER FUNCTION auth.current_tenant_hk() OWNER TO postgres",
        "function.owner", "auth.current_tenant_hk()",
    ),
    Break(
        "a context that is read once for all",
        "ALTER FUNCTION auth.current_tenant_hk() IMMUTABLE", "function.context", "auth.current_tenant_hk()",
    ),
    Break(
        "a superuser's trigger",
        "CREATE FUNCTION ops.spy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';"
        " CREATE TRIGGER spy BEFORE INSERT ON mart.page_day_f FOR EACH ROW EXECUTE FUNCTION ops.spy()",
        "function.triggers", "mart.page_day_f.spy",
    ),
    Break(
        "a table that inherits and is not secured",
        "SET ROLE sitevault_owner; CREATE TABLE mart.child () INHERITS (mart.page_day_f)",
        "rls.enabled", "mart.child",
    ),
    Break(
        "a policy with an open end",
        "ALTER POLICY tenant_access ON mart.session_f"
        " USING (tenant_hk = (SELECT auth.current_tenant_hk()) OR true)",
        "policy.permissive", "mart.session_f.tenant_access",
    ),
    Break(
        "tables that will be the reader's",
        "ALTER DEFAULT PRIVILEGES FOR ROLE sitevault_owner IN SCHEMA mart"
        " GRANT SELECT ON TABLES TO sitevault_reader",
        "grant.default", "TABLES of sitevault_owner",
    ),
    Break(
        "a function that claims not to leak",
        "ALTER FUNCTION auth.tenant_key(text) LEAKPROOF", "function.leakproof", "auth.tenant_key(tenant_bk text)",
    ),
    Break(
        "a function in C",
        "CREATE FUNCTION ops.c_sum(int, int) RETURNS int LANGUAGE internal AS 'int4pl'",
        "function.language", "ops.c_sum(integer, integer)",
    ),
    Break(
        "a stranger named like one of us",
        "CREATE ROLE sitevault_helper", "role.complete", "sitevault_helper",
    ),
    Break(
        "a reader past row-level security",
        "ALTER ROLE sitevault_reader BYPASSRLS", "role.powers", "sitevault_reader",
    ),
    Break(
        "an owner who logs in",
        "ALTER ROLE sitevault_owner LOGIN", "role.powers", "sitevault_owner",
    ),
    Break(
        "a way from reader to worker",
        "GRANT sitevault_worker TO sitevault_reader", "role.memberships", "sitevault_reader in sitevault_worker",
    ),
    Break(
        "a stranger who may become the owner",
        "GRANT sitevault_owner TO pg_monitor", "role.memberships", "pg_monitor in sitevault_owner",
    ),
    Break(
        "a context set for ever",
        "ALTER ROLE sitevault_reader SET sitevault.tenant_hk = ''", "role.settings", "sitevault_reader",
    ),
    Break(
        "a reader who finds names in public",
        "ALTER ROLE sitevault_reader SET search_path = public", "role.settings", "sitevault_reader",
    ),
    Break(
        "a judge who starts writing",
        "ALTER ROLE sitevault_judge RESET default_transaction_read_only", "role.settings", "sitevault_judge",
    ),
    Break(
        "readers who see each other's statements",
        "ALTER ROLE sitevault_reader RESET track_activities", "role.settings", "sitevault_reader",
    ),
    Break(
        "a superuser's table",
        "ALTER TABLE mart.page_day_f OWNER TO postgres", "role.owner", "mart.page_day_f",
    ),
    Break(
        "a table for everybody",
        "GRANT SELECT ON mart.session_f TO PUBLIC", "grant.public", "mart.session_f",
    ),
    Break(
        "a column for everybody",
        "GRANT SELECT (day) ON mart.page_day_f TO PUBLIC", "grant.public", "mart.page_day_f.day",
    ),
    Break(
        "a function for everybody",
        "GRANT EXECUTE ON FUNCTION ops.ensure_partitions_ahead(integer) TO PUBLIC",
        "grant.public", "ops.ensure_partitions_ahead(days_ahead integer)",
    ),
    Break(
        "a schema for everybody", "GRANT USAGE ON SCHEMA auth TO PUBLIC", "grant.public", "auth"
    ),
    Break(
        "a type for everybody",
        "SET ROLE sitevault_owner; CREATE TYPE mart.kind AS ENUM ('a'); GRANT USAGE ON TYPE mart.kind TO PUBLIC",
        "grant.public", "mart.kind",
    ),
    Break(
        "a large object for everybody",
        "SELECT lo_create(424242); GRANT SELECT ON LARGE OBJECT 424242 TO PUBLIC", "grant.public", "424242",
    ),
    Break(
        "tables that will be everybody's",
        "ALTER DEFAULT PRIVILEGES FOR ROLE sitevault_owner GRANT SELECT ON TABLES TO PUBLIC",
        "grant.public", "TABLES",
    ),
    Break(
        "the keys for readers",
        "GRANT SELECT ON auth.api_key_h TO sitevault_reader", "grant.tables", "auth.api_key_h",
    ),
    Break(
        "the secrets for the judge",
        "GRANT SELECT ON auth.tenant_secret TO sitevault_judge", "grant.tables", "auth.tenant_secret",
    ),
    Break(
        "landing for the collector's eyes",
        "GRANT SELECT ON raw.landed_event TO sitevault_collector", "grant.tables", "raw.landed_event",
    ),
    Break(
        "a vault the worker may change",
        "GRANT UPDATE (properties) ON business.site_event_nl TO sitevault_worker",
        "grant.tables", "business.site_event_nl.properties",
    ),
    Break(
        "a worker who deletes",
        "GRANT DELETE ON raw.landed_event TO sitevault_worker", "grant.tables", "raw.landed_event",
    ),
    Break(
        "an audit log that can be rewritten",
        "GRANT UPDATE ON audit.entry TO sitevault_auditor", "grant.tables", "audit.entry",
    ),
    Break(
        "a reader who empties", "GRANT TRUNCATE ON mart.session_f TO sitevault_reader",
        "grant.powerful", "mart.session_f",
    ),
    Break(
        "a reader who refers", "GRANT REFERENCES ON mart.session_f TO sitevault_reader",
        "grant.powerful", "mart.session_f",
    ),
    Break(
        "a reader with triggers", "GRANT TRIGGER ON mart.session_f TO sitevault_reader",
        "grant.powerful", "mart.session_f",
    ),
    Break(
        "a partition for readers", "GRANT SELECT ON raw.landed_event_default TO sitevault_reader",
        "grant.partitions", "raw.landed_event_default",
    ),
    Break(
        "a table for a stranger", "GRANT SELECT ON mart.session_f TO pg_monitor",
        "grant.strangers", "mart.session_f",
    ),
    Break(
        "a reader who passes on", "GRANT SELECT ON mart.session_f TO sitevault_reader WITH GRANT OPTION",
        "grant.passed_on", "mart.session_f",
    ),
    Break(
        "a reader who creates", "GRANT CREATE ON SCHEMA mart TO sitevault_reader", "grant.creating", "mart"
    ),
    Break(
        "a sequence for readers", "GRANT SELECT ON SEQUENCE raw.batch_id_seq TO sitevault_reader",
        "grant.sequences", "raw.batch_id_seq",
    ),
    Break(
        "large objects for all", "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC",
        "grant.system", "pg_catalog.lo_create(oid)",
    ),
)  # fmt: skip
