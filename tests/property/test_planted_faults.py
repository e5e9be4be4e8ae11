"""Every planted fault is found with its line, no look-alike is flagged, what cannot be known is unknown."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.faulty_functions import DYNAMIC, FAULTY, HEALTHY, SCAFFOLD, Planted, build, functions

from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo import incident
from sitevault.doctor.checks.functions import CHECKS
from sitevault.doctor.model import Finding, Verdict
from sitevault.doctor.snapshot import Snapshot

PHASES = (Phase.explicit, Phase.generate)
"""Without shrinking: an example is a batch, and what fails names its function."""

ALSO = {("F6", "F4")}
"""What stands behind a handler that swallows it is missing all the same."""

EVERY = [
    (what, fault, core)
    for what, pool in (("faulty", FAULTY), ("healthy", HEALTHY), ("dynamic", DYNAMIC))
    for fault, cores in pool.items()
    for core in cores
]


@pytest.fixture(scope="module")
def conn(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """The mended incident, in which each example creates its functions and rolls back."""
    name = "planted_faults"
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        with connect(server.superuser_conninfo(name)) as inside:
            incident.build(inside, "v1")
            incident.mend(inside)
            inside.execute(SCAFFOLD)  # type: ignore[call-overload]
            inside.commit()
            yield inside
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def examine(
    conn: psycopg.Connection, planted: list[Planted]
) -> dict[str, dict[str, list[tuple[Verdict, int | None]]]]:
    """Function -> class -> (verdict, line) of what the checks say about it, on the real catalog."""
    said: dict[str, dict[str, list[tuple[Verdict, int | None]]]] = {}
    try:
        for number, one in enumerate(planted):
            conn.execute(one.sql.replace("{name}", f"f{number}"))  # type: ignore[call-overload]
        conn.execute("SET LOCAL search_path = ''")
        snapshot = Snapshot(conn, "")
        for check in CHECKS:
            for finding in check.look(snapshot).findings:
                for name, line in places(finding):
                    said.setdefault(name, {}).setdefault(str(check.alias), []).append((finding.verdict, line))
    finally:
        conn.rollback()
    return said


def places(finding: Finding) -> Iterator[tuple[str, int | None]]:
    """The functions a finding is about: an UNKNOWN is about all it names."""
    evidence = finding.evidence if finding.verdict is Verdict.UNKNOWN else finding.evidence[:1]
    for one in evidence:
        yield one.object.split("(")[0], one.line


def judge(planted: list[Planted], said: dict[str, dict[str, list[tuple[Verdict, int | None]]]]) -> None:
    for number, one in enumerate(planted):
        here = said.get(f"gen.f{number}", {})
        flagged = {
            alias: [line for verdict, line in found if verdict is not Verdict.UNKNOWN]
            for alias, found in here.items()
        }
        unknown = {
            alias for alias, found in here.items() if any(verdict is Verdict.UNKNOWN for verdict, _ in found)
        }
        context = f"{one.what} {one.fault}: {one.core}\n{here}\n{one.sql}"
        if one.what == "faulty":
            lines = flagged.get(one.fault, [])
            assert any(line is not None and one.first_line <= line <= one.last_line for line in lines), context
            others = {alias for alias, lines in flagged.items() if lines} - {one.fault}
            assert all((one.fault, other) in ALSO for other in others), context
        else:
            assert not any(flagged.values()), context
        if one.what == "dynamic":
            assert one.fault in unknown, context
        else:
            assert not unknown, context


@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_every_kind_of_fault_and_every_look_alike_is_judged_rightly(
    conn: psycopg.Connection, data: st.DataObject
) -> None:
    planted = [build(data.draw, what, fault, core) for what, fault, core in EVERY]  # type: ignore[arg-type]
    judge(planted, examine(conn, planted))


@given(planted=st.lists(functions(), min_size=4, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_in_any_nesting_layout_and_company(conn: psycopg.Connection, planted: list[Planted]) -> None:
    judge(planted, examine(conn, planted))
