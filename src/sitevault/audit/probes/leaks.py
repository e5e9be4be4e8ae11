"""What could be learned without being shown: errors, names in the way, statistics, sequences, what exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from sitevault.audit.canaries import PROBES, insertion
from sitevault.audit.catalog.expected import may
from sitevault.audit.catalog.snapshot import SCHEMAS
from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome, Statement
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.audit.probes.tables import of, parameters
from sitevault.db.roles import LOGIN_ROLES, Role


def _casts(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "leak.cast", Role.READER, "the columns of rows not its own read as a number: an error would quote them",
        "no such row is met",
    )  # fmt: skip
    with ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        for relation in ground.relations:
            if not relation.tenant_column or not may(Role.READER, "SELECT", relation.schema, relation.name):
                continue
            columns = sql.SQL(", ").join(map(sql.Identifier, relation.columns))
            statement = sql.SQL(PROBES.cast_columns).format(**of(relation), columns=columns)
            outcome = ground.attempt(conn, statement, parameters(ground, relation))
            tally.note(relation.full_name, outcome, well=outcome.refused or not outcome.sqlstate)
    yield tally.result()


def _explain(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "leak.explain", Role.READER, "EXPLAIN (ANALYZE, VERBOSE) of every table and view", "own values only"
    )
    with ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        for relation in ground.relations:
            outcome = ground.attempt(conn, sql.SQL(PROBES.explain).format(**of(relation)))
            tally.note(relation.full_name, outcome, well=not ground.b.betrayed_by(outcome.text))
    yield tally.result()


def _create(ground: Ground) -> Iterator[Probed]:
    templates = (PROBES.create_function, PROBES.create_table, PROBES.create_operator)
    places = [schema.name for schema in ground.snapshot.schemas] + ["pg_catalog"]
    for role in LOGIN_ROLES:
        tally = Tally(
            "leak.create", role, "a function, a table, an operator in every schema: names to be found first",
            "refused",
        )  # fmt: skip
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for place in places:
                for template in templates:
                    outcome = ground.attempt(conn, sql.SQL(template).format(schema=sql.Identifier(place)))
                    tally.note(place, outcome, well=outcome.refused)
        yield tally.result()


def _temporary(ground: Ground) -> Iterator[Probed]:
    for role in LOGIN_ROLES:
        if role is Role.WORKER:
            continue  # it stages loads in temporary tables, and its functions pin their search_path
        tally = Tally("leak.pg_temp", role, "a temporary table, a function in pg_temp, a large object", "refused")
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            attempts: dict[str, Statement] = {
                "temporary table": sql.SQL(PROBES.create_temporary_table),
                "pg_temp": sql.SQL(PROBES.create_function).format(schema=sql.Identifier("pg_temp")),
                "large object": sql.SQL(PROBES.create_large_object),
            }
            for name, statement in attempts.items():
                outcome = ground.attempt(conn, statement)
                tally.note(name, outcome, well=outcome.refused)
        yield tally.result()


def _statistics(ground: Ground) -> Iterator[Probed]:
    for role in (Role.READER, Role.ERASER, Role.COLLECTOR, Role.MIGRATOR):
        tally = Tally(
            "leak.statistics", role, "what the planner remembers of values", "nothing about tenants' tables"
        )
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for name in ("statistics", "extended_statistics", "raw_statistics"):
                outcome = ground.attempt(conn, getattr(PROBES, name))
                foreign = [row for row in outcome.rows if not _own_to_read(role, row)]
                tally.note(name, outcome, well=outcome.refused or not foreign)
        yield tally.result()


def _own_to_read(role: Role, row: Any) -> bool:
    """The collector may read every key, so the keys' statistics tell it nothing new."""
    return role is Role.COLLECTOR and row[0] == "auth" and may(role, "SELECT", "auth", row[1])


def _activity(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "leak.activity", Role.READER, "pg_stat_activity while another reader's statement names its tenant",
        "not its text",
    )  # fmt: skip
    other = ground.database.connect(Role.READER, autocommit=True, application_name="audit-other")
    with other, ground.acting(Role.READER, ground.a.tenant_hk.hex()) as conn:
        other.execute(sql.SQL(PROBES.speak).format(literal=sql.Literal(ground.b.mark)))
        outcome = ground.attempt(conn, PROBES.activity)
        tally.note("pg_stat_activity", outcome, well=not ground.b.betrayed_by(outcome.text))
    yield tally.result()


def _sequences(ground: Ground) -> Iterator[Probed]:
    names = [one for one in ground.snapshot.relations if one.kind == "S" and one.schema in SCHEMAS]
    for role in (Role.READER, Role.ERASER, Role.MIGRATOR):
        tally = Tally("leak.sequence", role, "the value of every sequence, by every way", "refused")
        with ground.acting(role, ground.a.tenant_hk.hex()) as conn:
            for one in names:
                identifier = sql.Identifier(one.schema, one.name)
                by_name = ground.attempt(conn, sql.SQL(PROBES.sequence_value).format(sequence=identifier))
                moved = ground.attempt(conn, PROBES.sequence_next, {"sequence": identifier.as_string(None)})
                tally.note(one.full_name, by_name, well=by_name.refused)
                tally.note(one.full_name, moved, well=moved.refused)
            listed = ground.attempt(conn, PROBES.sequences_listed)
            tally.note("pg_sequences", listed, well=not listed.rows)
        yield tally.result()


def _existence(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "leak.existence", Role.OWNER,
        "a row of its own with another tenant's key, and one with a key nobody has", "the same answer",
    )  # fmt: skip
    with ground.acting(Role.OWNER, ground.a.tenant_hk.hex()) as conn:
        for table in ground.tenant_tables:
            name = (table.schema, table.name)
            if table.tenant_column != "tenant_hk":
                continue  # manifests: a row of several tenants, numbered for the workers
            if name in ground.a.unplanted:
                tally.doubt(table.full_name, f"no canary could be planted: {ground.a.unplanted[name]}")
                continue
            for columns in _keys_of(ground, name):
                theirs = ground.attempt(conn, *_with(ground, name, columns, ground.b.rows[name]))
                nobodys = ground.attempt(conn, *_with(ground, name, columns, ground.canaries.nobody.rows[name]))
                place = f"{table.full_name} ({', '.join(columns)})"
                tally.note(place, _first_error(theirs, nobodys), well=theirs.sqlstate == nobodys.sqlstate)
    yield tally.result()


def _keys_of(ground: Ground, name: tuple[str, str]) -> list[list[str]]:
    """The columns that a unique key or a reference tests, the tenant's own left out."""
    unique = [one.columns for one in ground.snapshot.keys if (one.schema, one.relation) == name]
    foreign = [one.columns for one in ground.snapshot.foreign_keys if (one.schema, one.relation) == name]
    tested = [[column for column in columns if column and column != "tenant_hk"] for columns in unique + foreign]
    return [list(columns) for columns in dict.fromkeys(tuple(columns) for columns in tested if columns)]


def _with(
    ground: Ground, name: tuple[str, str], columns: list[str], source: dict[str, Any]
) -> tuple[sql.Composed, dict[str, Any]]:
    """A's row with the tested columns of somebody else; the rest is nobody's, so that nothing else clashes."""
    fresh = ground.canaries.nobody.rows[name] | {"tenant_hk": ground.a.tenant_hk}
    row = fresh | {column: source[column] for column in columns}
    return insertion(name, row), row


def _first_error(theirs: Outcome, nobodys: Outcome) -> Outcome:
    return theirs if theirs.sqlstate else nobodys


PROBES_OF_LEAKS = (
    Probe("leak.cast", _casts),
    Probe("leak.explain", _explain),
    Probe("leak.create", _create),
    Probe("leak.pg_temp", _temporary),
    Probe("leak.statistics", _statistics),
    Probe("leak.activity", _activity),
    Probe("leak.sequence", _sequences),
    Probe("leak.existence", _existence),
)
