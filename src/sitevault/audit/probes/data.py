"""The canaries' marks, searched for in everything the other tenant's reader is shown."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from sitevault.audit.canaries import PROBES
from sitevault.audit.catalog.expected import may
from sitevault.audit.catalog.snapshot import Relation
from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.audit.probes.tables import of
from sitevault.db.roles import Role


def _planted(ground: Ground) -> Iterator[Probed]:
    tally = Tally("data.planted", Role.OWNER, "a mark in every column of every table of tenants", "planted")
    for table, row in ground.b.rows.items():
        name = ".".join(table)
        if table in ground.b.unplanted:
            tally.doubt(name, ground.b.unplanted[table])
        elif missing := [column for column, value in row.items() if value is None]:
            tally.doubt(name, f"no mark for {', '.join(missing)}")
        else:
            tally.note(name, Outcome([], 1), well=True)
    yield tally.result()


def _searched(ground: Ground) -> Iterator[Probed]:
    for reader, other in ((ground.a, ground.b), (ground.b, ground.a)):
        tally = Tally(
            "data.search", Role.READER, f"tenant {other.name}'s marks in all that tenant {reader.name} is shown",
            "none, and its own are there",
        )  # fmt: skip
        with ground.acting(Role.READER, reader.tenant_hk.hex()) as conn:
            for relation in ground.relations:
                if not may(Role.READER, "SELECT", relation.schema, relation.name):
                    continue
                outcome = ground.attempt(conn, _everything(ground, relation))
                tally.note(relation.full_name, outcome, well=not other.betrayed_by(outcome.text))
                own_table = (relation.schema, relation.name) in reader.rows
                if own_table and not outcome.refused and reader.mark not in outcome.text and not outcome.count:
                    tally.doubt(relation.full_name, "not even the own mark is shown")
        yield tally.result()


def _everything(ground: Ground, relation: Relation) -> sql.Composed:
    granted = [
        one.part
        for one in ground.snapshot.grants
        if one.kind == "COLUMN" and (one.schema, one.name, one.grantee, one.privilege)
        == (relation.schema, relation.name, Role.READER, "SELECT") and one.part
    ]  # fmt: skip
    if granted:
        columns = sql.SQL(", ").join(map(sql.Identifier, granted))
        return sql.SQL(PROBES.select_foreign_columns).format(**of(relation), columns=columns)
    return sql.SQL(PROBES.select_everything).format(**of(relation))


PROBES_OF_DATA = (Probe("data.planted", _planted), Probe("data.search", _searched))
