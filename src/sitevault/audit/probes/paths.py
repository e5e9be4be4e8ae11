"""Side doors to the same rows: partitions by name, ONLY, samples, cursors, prepared statements, other roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from psycopg import sql

from sitevault.audit.canaries import PROBES, Canary
from sitevault.audit.catalog.expected import BOUND, TENANT_FACING
from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.audit.probes.tables import of, parameters
from sitevault.db.roles import LOGIN_ROLES, Role

_GENERIC_AFTER = 6  # executions after which the server may keep one plan for all parameters


def _partitions(ground: Ground) -> Iterator[Probed]:
    for role in LOGIN_ROLES:
        bound = role in TENANT_FACING
        tally = Tally("path.partition", role, "SELECT from every partition by its name", "refused")
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for partition in ground.partitions:
                outcome = ground.attempt(
                    conn, sql.SQL(PROBES.select_foreign).format(**of(partition)), parameters(ground, partition)
                )
                tally.note(partition.full_name, outcome, well=outcome.refused or (bound and outcome.count == 0))
        yield tally.result()


def _detours(identity: str, template: str, tried: str, kinds: str) -> Callable[[Ground], Iterator[Probed]]:
    def run(ground: Ground) -> Iterator[Probed]:
        for role in sorted(BOUND):
            tally = Tally(identity, role, tried, "no row of another tenant")
            with ground.acting(Role(role), ground.a.tenant_hk.hex()) as conn:
                for table in ground.tenant_tables:
                    if table.kind in kinds:
                        outcome = ground.attempt(
                            conn, sql.SQL(getattr(PROBES, template)).format(**of(table)), parameters(ground, table)
                        )
                        well = outcome.refused or (outcome.sqlstate is None and outcome.count == 0)
                        tally.note(table.full_name, outcome, well=well)
            yield tally.result()

    return run


def _row_security_off(ground: Ground) -> Iterator[Probed]:
    for role in sorted(BOUND):
        tally = Tally("path.row_security", role, "SET row_security = off, then SELECT", "refused")
        with ground.acting(Role(role), ground.a.tenant_hk.hex()) as conn:
            conn.execute(PROBES.lift_row_security)
            for table in ground.tenant_tables:
                outcome = ground.attempt(
                    conn, sql.SQL(PROBES.select_foreign).format(**of(table)), parameters(ground, table)
                )
                tally.note(table.full_name, outcome, well=outcome.refused)
        yield tally.result()


def _set_role(ground: Ground) -> Iterator[Probed]:
    others = [role.name for role in ground.snapshot.roles if role.is_superuser] + [str(role) for role in Role]
    for role in LOGIN_ROLES:
        tally = Tally("path.set_role", role, "SET ROLE and SET SESSION AUTHORIZATION to every other", "refused")
        with ground.acting(role, None) as conn:
            for other in others:
                if other == role:
                    continue
                for template in (PROBES.set_role, PROBES.set_session_authorization):
                    becomes = (role, other) in ((Role.MIGRATOR, Role.OWNER), (Role.MIGRATOR, Role.WORKER))
                    intended = becomes and template is PROBES.set_role
                    outcome = ground.attempt(conn, sql.SQL(template).format(role=sql.Identifier(other)))
                    tally.note(other, outcome, well=outcome.refused or intended)
        yield tally.result()


def _shown(outcome: Outcome) -> set[bytes]:
    return {bytes(row[0]) for row in outcome.rows}


def _cursor(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "path.cursor", Role.READER, "a cursor opened for one tenant and read for another", "rows of one tenant"
    )
    with ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        conn.execute(PROBES.open_cursor)
        conn.execute(PROBES.set_context, {"context": ground.b.tenant_hk.hex()})
        rows = conn.execute(PROBES.read_cursor).fetchall()
        outcome = Outcome(rows, len(rows))
        tally.note("auth.tenant_h", outcome, well=len(_shown(outcome)) == 1)
    yield tally.result()


def _prepared(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "path.prepared", Role.READER, "one prepared statement for two tenants in turn", "each its own rows only"
    )
    conn = ground.connection(Role.READER)
    for turn in range(2 * _GENERIC_AFTER):
        canary: Canary = (ground.a, ground.b)[turn % 2]
        with conn.transaction(force_rollback=True):
            conn.execute(PROBES.set_context, {"context": canary.tenant_hk.hex()})
            rows = conn.execute(PROBES.own_tenants, prepare=True).fetchall()
        outcome = Outcome(rows, len(rows))
        tally.note(f"execution {turn + 1}", outcome, well=_shown(outcome) == {canary.tenant_hk})
    with conn.transaction(force_rollback=True):
        rows = conn.execute(PROBES.own_tenants, prepare=True).fetchall()
    tally.note("without a context", Outcome(rows, len(rows)), well=not rows)
    yield tally.result()


def _savepoint(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "path.savepoint", Role.READER, "another tenant's context in a savepoint, undone", "the first is restored"
    )
    with ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        with conn.transaction(force_rollback=True):
            conn.execute(PROBES.set_context, {"context": ground.b.tenant_hk.hex()})
        outcome = ground.attempt(conn, PROBES.own_tenants)
        tally.note("auth.tenant_h", outcome, well=_shown(outcome) == {ground.a.tenant_hk})
    yield tally.result()


def _functions(ground: Ground) -> Iterator[Probed]:
    tally = Tally("path.function", Role.READER, "a function of the house asked about another tenant", "no row")
    with ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        step = ground.b.rows["business", "site_event_nl"]["event_type"]
        outcome = ground.attempt(conn, PROBES.funnel_of_other, {"other": ground.b.tenant_hk, "step": step})
        tally.note("mart.funnel", outcome, well=outcome.sqlstate is None and outcome.count == 0)
    yield tally.result()


PROBES_OF_PATHS = (
    Probe("path.partition", _partitions),
    Probe("path.only", _detours("path.only", "select_only", "SELECT FROM ONLY", "rp")),
    Probe("path.places", _detours("path.places", "select_places", "SELECT by tableoid and ctid", "rp")),
    Probe("path.sample", _detours("path.sample", "select_sample", "SELECT … TABLESAMPLE of everything", "rp")),
    Probe("path.row_security", _row_security_off),
    Probe("path.set_role", _set_role),
    Probe("path.cursor", _cursor),
    Probe("path.prepared", _prepared),
    Probe("path.savepoint", _savepoint),
    Probe("path.function", _functions),
)
