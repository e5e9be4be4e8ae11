"""The whole audit: catalog, behaviour, data, in this order, on one database, leaving it as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import class_row

from sitevault.audit.canaries import planted
from sitevault.audit.catalog import CHECKS
from sitevault.audit.catalog.snapshot import SQL, Snapshot, read
from sitevault.audit.model import Notify, Probed, Provenance, Report, Verdict
from sitevault.audit.probes import PROBES
from sitevault.audit.probes.attempt import Ground
from sitevault.audit.probes.probe import Probe
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError

Chosen = Callable[[str], bool]


def audit_isolation(
    database: Database, notify: Notify = lambda _: None, chosen: Chosen = lambda _: True
) -> Report:
    """Check, try and search; everything the audit makes is gone when it returns.

    `chosen` says which checks and probes to run, by id. Raises SitevaultError while another audit runs.
    """
    start = time.monotonic()
    with database.connect(Role.AUDITOR, autocommit=True, application_name="audit") as auditor:
        _only_one(auditor)
        notify("Reading the catalog")
        snapshot = read(auditor)
        checks = tuple(check.run(snapshot) for check in CHECKS if chosen(check.id))
        notify("Re-deriving whose every event is")
        provenance = _provenance(auditor) if chosen("provenance") else ()
        probes = tuple(_probe(database, snapshot, notify, chosen))
    return Report(
        server_version=_version(snapshot),
        seconds=round(time.monotonic() - start, 1),
        checks=checks,
        probes=probes,
        provenance=provenance,
    )


def _only_one(conn: psycopg.Connection[Any]) -> None:
    row = conn.execute(SQL.try_lock).fetchone()
    if row != (True,):
        raise SitevaultError("Another audit of this database is running.", fix="Wait for it, then try again.")


def _version(snapshot: Snapshot) -> str:
    return ".".join(map(str, divmod(snapshot.server.version, 10000)))


def _probe(database: Database, snapshot: Snapshot, notify: Notify, chosen: Chosen) -> Iterator[Probed]:
    wanted = [probe for probe in PROBES if chosen(probe.id)]
    if not wanted:
        return
    notify("Planting canaries")
    with planted(database, snapshot) as canaries:
        ground = Ground(database, snapshot, canaries)
        try:
            for probe in wanted:
                notify(f"Trying {probe.id}")
                yield from _run(probe, ground)
        finally:
            ground.close()


def _run(probe: Probe, ground: Ground) -> Iterator[Probed]:
    try:
        yield from list(probe.run(ground))
    except (psycopg.Error, SitevaultError, OSError, KeyError, ValueError) as error:
        # A probe that breaks has proved nothing; the others still can.
        ground.close()
        yield Probed(
            probe.id, "", "the whole probe", "to be tried", f"{type(error).__name__}: {error}", Verdict.UNKNOWN
        )


def _provenance(conn: psycopg.Connection[Any]) -> tuple[Provenance, ...]:
    with conn.cursor(row_factory=class_row(Provenance)) as cursor:
        landed = cursor.execute(SQL.provenance).fetchall()
    elsewhere = dict(conn.execute(SQL.vaulted_elsewhere).fetchall())
    known = {one.tenant_bk for one in landed}
    landed += [Provenance(name, 0, 0, 0) for name in elsewhere if name not in known]
    return tuple(replace(one, contradiction=one.contradiction + elsewhere.get(one.tenant_bk, 0)) for one in landed)
