"""Every probe finds what it is for: the isolation is broken in one way, and that probe says so."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, LiteralString, NamedTuple

import psycopg
import pytest

from sitevault.audit.model import Verdict
from sitevault.audit.probes import PROBES, contexts
from sitevault.audit.probes.attempt import Outcome
from sitevault.audit.probes.probe import Tally
from sitevault.audit.run import audit_isolation
from sitevault.collector import answers, app, receipts
from sitevault.db.connect import Database, connect
from sitevault.db.queries import Queries
from sitevault.db.roles import Role, provision_roles
from sitevault.tenancy.keyring import Keyring

Sabotage = Callable[[pytest.MonkeyPatch], None]

RLS_OFF = "ALTER TABLE mart.session_f DISABLE ROW LEVEL SECURITY"
TENANTS_OPEN = "ALTER TABLE auth.tenant_h DISABLE ROW LEVEL SECURITY"
WRITES_OPEN = (
    "ALTER POLICY tenant_boundary ON mart.session_f WITH CHECK (true);"
    " ALTER POLICY tenant_access ON mart.session_f WITH CHECK (true)"
)
CLASSIC_MISTAKE = "tenant_hk = coalesce((SELECT auth.current_tenant_hk()), tenant_hk)"


def sloppy_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The context set for the session, as an example found in many places does it."""
    query = "SELECT set_config('sitevault.tenant_hk', encode(%s, 'hex'), false)"

    @contextlib.contextmanager
    def sloppy(conn: psycopg.Connection[Any], tenant_hk: bytes) -> Iterator[None]:
        conn.execute(query, [tenant_hk])
        with conn.transaction():
            yield

    @contextlib.asynccontextmanager
    async def sloppy_async(conn: psycopg.AsyncConnection[Any], tenant_hk: bytes) -> AsyncIterator[None]:
        await conn.execute(query, [tenant_hk])
        async with conn.transaction():
            yield

    monkeypatch.setattr(contexts, "tenant_context", sloppy)
    monkeypatch.setattr(contexts, "tenant_context_async", sloppy_async)


def receipts_without_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt that is looked for by the event's id alone."""
    sql = receipts._SQL
    texts = {name: getattr(sql, name) for name in sql}
    texts["receipts_of_event"] = texts["receipts_of_event"].replace(
        "WHERE tenant_hk = %(tenant_hk)s AND event_id", "WHERE %(tenant_hk)s::bytea IS NOT NULL AND event_id"
    )
    monkeypatch.setattr(receipts, "_SQL", Queries("receipts", texts))


def a_status_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status that believes a header, asks for no key, and echoes what it was given."""

    async def status(collector: app.Collector, request: Any) -> Any:
        app.log.warning("status of %s", request.text(b"x-api-key"))
        return answers.success({"ledger": request.text(b"x-tenant"), "key": request.text(b"x-api-key")})

    monkeypatch.setitem(app.ROUTES, "/api/v1/status", {"GET": status})


def metrics_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics labelled with what names a tenant."""

    async def metrics(collector: app.Collector, request: Any) -> Any:
        keyring: Keyring = collector._keyring
        return answers.success({"keys": [api_key_hk.hex() for api_key_hk in keyring._answers]})

    monkeypatch.setitem(app.ROUTES, "/metrics", {"GET": metrics})


class Break(NamedTuple):
    """One way of breaking the isolation, and every probe that must find it."""

    probes: tuple[str, ...]
    statements: LiteralString = ""
    sabotage: Sabotage | None = None
    verdict: Verdict = Verdict.PROBLEM


BREAKS = (
    Break(
        (
            "table.select", "table.copy_out", "table.give_away", "path.only", "path.places", "path.sample",
            "path.row_security", "leak.cast", "data.search",
        ),
        RLS_OFF,
    ),
    Break(("path.cursor", "path.prepared", "path.savepoint"), TENANTS_OPEN),
    Break(("table.insert", "table.on_conflict"), WRITES_OPEN),
    Break(("table.overwrite",), f"{WRITES_OPEN}; {RLS_OFF}"),
    Break(("table.control",), "DROP POLICY oversight ON mart.session_f"),
    Break(("table.select",), "GRANT SELECT ON raw.landed_event TO sitevault_collector"),
    Break(("table.columns",), "ALTER TABLE raw.batch DISABLE ROW LEVEL SECURITY"),
    Break(("table.update",), f"{RLS_OFF}; GRANT UPDATE ON mart.session_f TO sitevault_reader"),
    Break(("table.delete", "table.merge"), "GRANT DELETE ON raw.dead_letter TO sitevault_worker"),
    Break(("table.truncate",), "GRANT TRUNCATE ON mart.session_f TO sitevault_reader"),
    Break(("table.copy_in",), "GRANT INSERT ON auth.tenant_h TO sitevault_worker"),
    Break(
        ("path.partition",),
        "ALTER TABLE raw.landed_event_default DISABLE ROW LEVEL SECURITY;"
        " GRANT SELECT ON raw.landed_event_default TO sitevault_collector",
    ),
    Break(("path.set_role",), "GRANT sitevault_worker TO sitevault_reader"),
    Break(
        ("path.function",),
        "ALTER FUNCTION mart.funnel SECURITY DEFINER; ALTER FUNCTION mart.funnel OWNER TO postgres;"
        " GRANT EXECUTE ON FUNCTION mart.funnel TO sitevault_reader",
    ),
    Break(("context.control",), "CREATE OR REPLACE FUNCTION auth.tenant_is_active() RETURNS boolean RETURN false"),
    Break(
        ("context.bad",),
        f"ALTER POLICY tenant_boundary ON mart.session_f USING ({CLASSIC_MISTAKE});"
        f" ALTER POLICY tenant_access ON mart.session_f USING ({CLASSIC_MISTAKE});"
        " DROP POLICY tenant_active ON mart.session_f",
    ),
    Break(("context.suspended",), "DROP POLICY tenant_active ON mart.session_f"),
    Break(
        (
            "context.after_commit", "context.after_rollback", "context.after_error", "context.after_timeout",
            "context.after_cancel", "context.pool",
        ),
        sabotage=sloppy_contexts,
    ),
    Break(
        ("leak.explain",),
        "CREATE FUNCTION mart.whose() RETURNS text IMMUTABLE LANGUAGE sql SECURITY DEFINER"
        " AS $$ SELECT max(tenant_bk) FROM auth.tenant_h WHERE tenant_bk LIKE '%-b' $$;"
        " CREATE VIEW mart.hint AS SELECT mart.whose() AS hint; GRANT SELECT ON mart.hint TO sitevault_reader;"
        " GRANT EXECUTE ON FUNCTION mart.whose() TO sitevault_reader",
    ),
    Break(("leak.create",), "GRANT CREATE ON SCHEMA mart TO sitevault_reader"),
    Break(("leak.pg_temp",), "GRANT TEMPORARY ON DATABASE {database} TO sitevault_reader"),
    Break(
        ("leak.statistics",),
        "ALTER TABLE mart.event_day_f DISABLE ROW LEVEL SECURITY;"
        " INSERT INTO mart.event_day_f SELECT '\\x00', current_date, 'secret', n, 0, 0, 0"
        " FROM generate_series(1, 3) AS n ON CONFLICT DO NOTHING; ANALYZE mart.event_day_f",
    ),
    Break(("leak.activity",), "ALTER ROLE sitevault_reader RESET track_activities"),
    Break(("leak.sequence",), "GRANT SELECT ON SEQUENCE raw.batch_id_seq TO sitevault_reader"),
    Break(("leak.existence",), "CREATE UNIQUE INDEX one_session ON business.site_session_h (session_bk)"),
    Break(
        ("data.planted",),
        "SET ROLE sitevault_owner; CREATE TABLE mart.odd (tenant_hk bytea NOT NULL, place point NOT NULL);"
        " SELECT ops.secure_table('mart.odd')",
        verdict=Verdict.UNKNOWN,
    ),
    Break(("http.control",), "DROP POLICY tenant_access ON raw.landed_event"),
    Break(
        ("http.receipt",), "ALTER TABLE raw.landed_event DISABLE ROW LEVEL SECURITY", receipts_without_tenant
    ),
    Break(
        ("http.status", "http.suspended", "http.unknown_key", "http.logs"), sabotage=a_status_for_everybody
    ),
    Break(("http.pages",), sabotage=metrics_with_keys),
)  # fmt: skip


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        yield conn
        # Roles belong to the server, not to this test's database.
        conn.execute("RESET ROLE")
        with contextlib.suppress(psycopg.errors.UndefinedObject):
            conn.execute("REVOKE sitevault_worker FROM sitevault_reader")
        provision_roles(conn, {})


def probe_of(identity: str) -> str:
    """The probes over HTTP share one collector, so they run as one."""
    return "http" if identity.startswith("http.") else identity


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.probes[0])
def test_the_probes_find_what_they_are_for(
    database: Database, superuser: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, broken: Break
) -> None:
    if broken.statements:
        superuser.execute(broken.statements.replace("{database}", database.where["dbname"]).encode())
    if broken.sabotage:
        broken.sabotage(monkeypatch)
    wanted = set(map(probe_of, broken.probes))
    results = audit_isolation(database, chosen=wanted.__contains__).probes
    found = {one.id for one in results if one.verdict is broken.verdict}
    assert set(broken.probes) <= found, [one for one in results if one.id in broken.probes]


def test_every_probe_is_seen_to_fail() -> None:
    assert {probe.id for probe in PROBES} == {probe_of(one) for broken in BREAKS for one in broken.probes}


def test_a_probe_that_breaks_is_unknown_and_the_others_go_on(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("DROP FUNCTION mart.funnel; REVOKE CONNECT ON DATABASE {0} FROM sitevault_eraser".replace(
        "{0}", database.where["dbname"]
    ).encode())  # fmt: skip
    report = audit_isolation(database, chosen=lambda name: name in ("table.merge", "path.savepoint"))
    assert {one.id: one.verdict for one in report.probes} == {
        "table.merge": Verdict.UNKNOWN,
        "path.savepoint": Verdict.OK,
    }
    assert report.verdict is Verdict.UNKNOWN
    assert report.verdict.exit_code == 3


@pytest.mark.parametrize("sqlstate", ["57014", "55P03"])
def test_an_attempt_that_was_not_finished_is_unknown_and_no_problem(sqlstate: str) -> None:
    tally = Tally("table.select", "sitevault_reader", "SELECT", "no row")
    tally.note("mart.session_f", Outcome([], 0), well=True)
    tally.note("raw.landed_event", Outcome([], 0, sqlstate), well=False)
    assert tally.result().verdict is Verdict.UNKNOWN
    tally.note("mart.page_day_f", Outcome([1], 1), well=False)
    assert tally.result().verdict is Verdict.PROBLEM


def test_all_probes_are_ok_on_a_fresh_install(database: Database) -> None:
    report = audit_isolation(database)
    assert [one for one in report.probes if one.verdict is not Verdict.OK] == []
    assert report.verdict is Verdict.OK
    assert {Role(one.role) for one in report.probes if one.role.startswith("sitevault_")} == set(Role)
    assert report.seconds < 60
