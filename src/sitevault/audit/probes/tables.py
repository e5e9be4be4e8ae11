"""Every table and view, by every role, in every way: another tenant's rows stay out of reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from psycopg import sql

from sitevault.audit.canaries import PROBES, parts_of
from sitevault.audit.catalog.expected import BOUND, OVERSIGHT, may
from sitevault.audit.catalog.snapshot import SCHEMAS, Relation
from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.db.roles import Role

_READING = "no row of another tenant"
_WRITING = "refused, or no row touched"
_INSERTING = "refused"

ROLES = tuple(Role)


def of(relation: Relation) -> dict[str, sql.Composable]:
    """The parts of a template that a relation fills in."""
    return {
        "relation": sql.Identifier(relation.schema, relation.name),
        "tenant": sql.Identifier(relation.tenant_column or "tenant_hk"),
    }


def parameters(ground: Ground, relation: Relation) -> dict[str, Any]:
    """The own and the other tenant's key in the form of the relation's tenant column."""
    own, other = ground.a.tenant_hk, ground.b.tenant_hk
    several = relation.tenant_column == "tenant_hks"
    return {"own": [own] if several else own, "other": [other] if several else other}


def _bound(role: Role) -> bool:
    return role in BOUND


def _read(ground: Ground) -> Iterator[Probed]:
    for role in ROLES:
        tally = Tally("table.select", role, "SELECT from every table and view", _expected_of_reading(role))
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for relation in ground.relations:
                if not _bound(role) and may(role, "SELECT", relation.schema, relation.name):
                    continue
                template = PROBES.select_foreign if relation.tenant_column else PROBES.select_everything
                outcome = ground.attempt(
                    conn, sql.SQL(template).format(**of(relation)), parameters(ground, relation)
                )
                tally.note(relation.full_name, outcome, well=_well_read(ground, role, relation, outcome))
        yield tally.result()


def _expected_of_reading(role: Role) -> str:
    return _READING if _bound(role) else "refused, but for what the design lets it read"


def _well_read(ground: Ground, role: Role, relation: Relation, outcome: Outcome) -> bool:
    if outcome.refused:
        return True
    if not _bound(role) and relation.schema in SCHEMAS:
        return False  # whatever may() does not name is refused
    if relation.tenant_column:
        return outcome.sqlstate is None and outcome.count == 0
    return not ground.b.betrayed_by(outcome.text)


def _read_granted_columns(ground: Ground) -> Iterator[Probed]:
    for role in (Role.READER, Role.ERASER):
        tally = Tally("table.columns", role, "SELECT of the columns it was granted one by one", _READING)
        granted: dict[tuple[str, str], list[str]] = {}
        for one in ground.snapshot.grants:
            if one.kind == "COLUMN" and one.grantee == role and one.privilege == "SELECT" and one.part:
                granted.setdefault((one.schema, one.name), []).append(one.part)
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for table, columns in granted.items():
                statement = sql.SQL(PROBES.select_foreign_columns).format(
                    relation=sql.Identifier(*table), columns=sql.SQL(", ").join(map(sql.Identifier, columns))
                )
                outcome = ground.attempt(conn, statement)
                own = {tuple(ground.a.rows[table][name] for name in columns)} if table in ground.a.rows else set()
                tally.note(".".join(table), outcome, well=outcome.refused or set(outcome.rows) <= own)
        if granted:
            yield tally.result()


def _writes(
    identity: str, template: str, privilege: str, tried: str, well: Callable[[Outcome], bool]
) -> Callable[[Ground], Iterator[Probed]]:
    """A probe that changes rows of another tenant in every table by every role that may not."""

    def run(ground: Ground) -> Iterator[Probed]:
        for role in ROLES:
            tally = Tally(identity, role, tried, _WRITING if _bound(role) else "refused")
            with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
                for table in ground.tenant_tables:
                    if not _bound(role) and may(role, privilege, table.schema, table.name):
                        continue
                    statement = sql.SQL(getattr(PROBES, template)).format(**of(table))
                    outcome = ground.attempt(conn, statement, parameters(ground, table))
                    right = outcome.refused or (_bound(role) and well(outcome))
                    tally.note(table.full_name, outcome, well=right)
            yield tally.result()

    return run


def _untouched(outcome: Outcome) -> bool:
    return outcome.sqlstate is None and outcome.count == 0


def _never(outcome: Outcome) -> bool:
    return False


def _nobody(ground: Ground, role: Role, table: Relation, privilege: str) -> bool:
    return not _bound(role) and may(role, privilege, table.schema, table.name)


def _inserts(identity: str, template: str, tried: str) -> Callable[[Ground], Iterator[Probed]]:
    def run(ground: Ground) -> Iterator[Probed]:
        for role in ROLES:
            tally = Tally(identity, role, tried, _INSERTING)
            with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
                for table in ground.tenant_tables:
                    name = (table.schema, table.name)
                    if _nobody(ground, role, table, "INSERT"):
                        continue
                    if name in ground.b.unplanted:
                        tally.doubt(table.full_name, "no canary could be planted")
                        continue
                    row = ground.b.rows[name]
                    statement = _insertion(ground, table, template, row)
                    if statement is not None:
                        outcome = ground.attempt(conn, statement, row)
                        tally.note(table.full_name, outcome, well=outcome.refused)
            yield tally.result()

    return run


def _insertion(ground: Ground, table: Relation, template: str, row: dict[str, Any]) -> sql.Composed | None:
    name = (table.schema, table.name)
    parts = parts_of(name, row)
    if template == "insert_overwriting":
        keys = [one for one in ground.snapshot.keys if (one.schema, one.relation) == name and one.is_primary]
        if not keys:
            return None  # nothing to conflict with
        parts["key"] = sql.SQL(", ").join(map(sql.Identifier, keys[0].columns))
        parts["first"] = sql.Identifier(keys[0].columns[0])
    return sql.SQL(getattr(PROBES, template)).format(**parts)


def _truncate(ground: Ground) -> Iterator[Probed]:
    for role in ROLES:
        if role is Role.OWNER:
            continue  # owns the tables: may drop them, too
        tally = Tally("table.truncate", role, "TRUNCATE of every table and partition", "refused")
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for table in ground.snapshot.tenant_tables:
                outcome = ground.attempt(conn, sql.SQL(PROBES.truncate).format(**of(table)))
                tally.note(table.full_name, outcome, well=outcome.refused)
        yield tally.result()


def _copy_in(ground: Ground) -> Iterator[Probed]:
    for role in ROLES:
        tally = Tally("table.copy_in", role, "COPY into every table", "refused")
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for table in ground.tenant_tables:
                if _nobody(ground, role, table, "INSERT"):
                    continue
                outcome = ground.stream(conn, sql.SQL(PROBES.copy_in).format(**of(table)), out=False)
                tally.note(table.full_name, outcome, well=outcome.refused)
        yield tally.result()


def _copy_out(ground: Ground) -> Iterator[Probed]:
    for role in sorted(BOUND | {Role.COLLECTOR, Role.MIGRATOR}):
        tally = Tally("table.copy_out", role, "COPY of every table and of a query on it", _READING)
        with ground.acting(Role(role), ground.a.tenant_hk.hex()) as conn:
            for table in ground.tenant_tables:
                if _nobody(ground, Role(role), table, "SELECT"):
                    continue
                own = sql.Literal(parameters(ground, table)["own"])
                query = sql.SQL(PROBES.copy_query_out).format(**of(table), own=own)
                whole = ground.stream(conn, sql.SQL(PROBES.copy_out).format(**of(table)), out=True)
                some = ground.stream(conn, query, out=True)
                tally.note(table.full_name, whole, well=_no_stream_of_others(ground, whole))
                tally.note(f"{table.full_name} (query)", some, well=some.refused or not some.rows)
        yield tally.result()


def _no_stream_of_others(ground: Ground, outcome: Outcome) -> bool:
    # 42809: a partitioned table can only be copied by a query.
    return outcome.refused or outcome.sqlstate == "42809" or not ground.b.betrayed_by(outcome.text)


def _oversight_sees_all(ground: Ground) -> Iterator[Probed]:
    """The control: what nobody else sees is there to be seen, or the other probes would prove nothing."""
    for role in sorted(OVERSIGHT):
        tally = Tally("table.control", role, "SELECT of both canaries' rows by who may see all", "both are there")
        with ground.acting(Role(role), None) as conn:
            for table in ground.tenant_tables:
                if not may(role, "SELECT", table.schema, table.name):
                    continue
                if (table.schema, table.name) in ground.b.unplanted:
                    tally.doubt(table.full_name, ground.b.unplanted[table.schema, table.name])
                    continue
                outcome = ground.attempt(
                    conn, sql.SQL(PROBES.select_own).format(**of(table)), parameters(ground, table)
                )
                tally.note(table.full_name, outcome, well=outcome.count == 2)
        yield tally.result()


PROBES_OF_TABLES = (
    Probe("table.control", _oversight_sees_all),
    Probe("table.select", _read),
    Probe("table.columns", _read_granted_columns),
    Probe("table.insert", _inserts("table.insert", "plant", "INSERT of a row of another tenant")),
    Probe(
        "table.on_conflict",
        _inserts("table.on_conflict", "insert_conflicting", "INSERT … ON CONFLICT DO NOTHING of another's row"),
    ),
    Probe(
        "table.overwrite",
        _inserts("table.overwrite", "insert_overwriting", "INSERT … ON CONFLICT DO UPDATE of another's row"),
    ),
    Probe(
        "table.update",
        _writes("table.update", "update_other", "UPDATE", "UPDATE of another tenant's rows", _untouched),
    ),
    Probe(
        "table.give_away",
        _writes("table.give_away", "give_away", "UPDATE", "UPDATE of own rows into another tenant's", _never),
    ),
    Probe(
        "table.delete",
        _writes("table.delete", "delete_other", "DELETE", "DELETE of another tenant's rows", _untouched),
    ),
    Probe(
        "table.merge",
        _writes("table.merge", "merge_other", "DELETE", "MERGE over another tenant's rows", _untouched),
    ),
    Probe("table.truncate", _truncate),
    Probe("table.copy_in", _copy_in),
    Probe("table.copy_out", _copy_out),
)
