"""What a plan must have accepted by name before it is carried out: a closed list, each found by trying."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from sitevault.db import queries
from sitevault.db.catalog import CatalogSnapshot, Change
from sitevault.errors import UsageError
from sitevault.release import compared, scheduler
from sitevault.release.gates.model import thresholds
from sitevault.release.model import Bundle, Hazard
from sitevault.release.target import Target
from sitevault.repair.ground import LOCK_TIMEOUT, STATEMENT_TIMEOUT, Ground
from sitevault.repair.ground import SQL as GROUND
from sitevault.replay import foreign

SQL = queries.load("release_plan")

LONG_LOCK_BYTES = 64 * 2**20
"""A lock that keeps writers out of a table of this size is worth a second thought: checks and copies take long."""

_HOLDS_ROWS = frozenset({"table", "column", "materialized view", "sequence", "schema"})
_NAME = re.compile(r"^(?P<name>.+?)\((?P<arguments>.*)\)$", re.DOTALL)


class HazardName(StrEnum):
    """Everything that can be accepted with --accept."""

    IRREVERSIBLE = "irreversible"
    DATA_LOSS = "data_loss"
    REWRITE = "rewrite"
    LONG_LOCK = "long_lock"
    UNPAUSABLE = "unpausable"
    OVERLOAD = "overload"
    OLDER_SERVER = "older_server"
    NOT_PROBED = "not_probed"
    OUTPUT_LOST = "output_lost"
    NO_BASELINE = "no_baseline"


MEANINGS: Mapping[HazardName, tuple[str, str]] = {
    HazardName.IRREVERSIBLE: (
        "The way back was tried, in the transaction in which the plan was made, and does not lead back to what is "
        "there now: a table, column or type comes, goes or changes, which no definition undoes.",
        "Write a revert file for the migration. Accepted, `undo` cannot help: only a backup can.",
    ),
    HazardName.DATA_LOSS: (
        "Rows or values are gone afterwards: a table or a column is dropped, a table is emptied, or rows are "
        "deleted. A revert file can bring the table back, not what was in it.",
        "Take a backup, or keep the old column until the release has proved itself.",
    ),
    HazardName.REWRITE: (
        "A table that holds rows is written anew as a whole, and nobody else can use it meanwhile.",
        "Add a new column instead, and fill it in steps; or choose a quiet hour.",
    ),
    HazardName.LONG_LOCK: (
        f"A table of more than {LONG_LOCK_BYTES // 2**20} MiB is locked against writers from the moment it is "
        "touched to the end of the deploy, verification included.",
        "Add constraints NOT VALID and validate them later; or choose a quiet hour.",
    ),
    HazardName.UNPAUSABLE: (
        "It is a foreign database, and nothing says how its own jobs are paused: they go on in the middle of it.",
        "Describe `scheduler` in [environments.NAME].",
    ),
    HazardName.OVERLOAD: (
        "A function comes beside one of the same name that stays: callers may go on calling the old one.",
        "Replace the function that is called, and drop the old one in the same release.",
    ),
    HazardName.OLDER_SERVER: (
        "The bundle was tried on a newer major version of PostgreSQL than this server is.",
        "Build it against the oldest server it has to run on.",
    ),
    HazardName.NOT_PROBED: (
        "There is no event here to try the release with, or nothing takes one: the rehearsal proves the catalog "
        "alone.",
        "Send a few events first.",
    ),
    HazardName.OUTPUT_LOST: (
        "The rehearsal saw a column that was filled and is NULL after the release, for the same event. No plan "
        "finds this by itself; it is accepted beforehand, where it is meant.",
        "See which column, and whether the new code still reads what it is made from.",
    ),
    HazardName.NO_BASELINE: (
        "Too little was staged here in the last day, so nothing will show whether events are as complete as they "
        "were: accepted, the gates quality_by_type and null_rate are not asked.",
        "Release when there was a day of traffic.",
    ),
}
"""What each means, and what to do instead of accepting it."""


class Table(NamedTuple):
    """A table on disk; `root` is the table it is a partition of, or itself."""

    oid: int
    name: str
    file: int | None
    bytes: int
    root: int


Tables = Mapping[int, Table]


def checked(accepted: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in order. Raises UsageError for one that is no hazard."""
    names = sorted(set(accepted))
    unknown = [name for name in names if name not in set(HazardName)]
    if unknown:
        raise UsageError(
            f"There is no hazard called {', '.join(unknown)}.",
            fix=f"There are: {', '.join(HazardName)}.",
            command="sitevault release plan --help",
        )
    return tuple(names)


def tables(ground: Ground) -> Tables:
    """Every table of the database, with its file and size."""
    found = [Table(*row) for row in ground.all(SQL.storage)]
    return {table.oid: table for table in found}


def before_anything(target: Target, bundle: Bundle) -> Iterator[Hazard]:
    """What can be said without trying."""
    server = target.ground.conn.info.server_version // 10_000
    if server < bundle.postgresql:
        yield _hazard(
            HazardName.OLDER_SERVER, f"tried on PostgreSQL {bundle.postgresql}, this server is PostgreSQL {server}"
        )
    if scheduler.kind(target) is None:
        yield _hazard(HazardName.UNPAUSABLE, f"[environments.{target.environment}] has no scheduler")
    least = thresholds(target.environment, target.settings.gates).min_events
    if not compared.freeze(target).comparable(least):
        yield _hazard(
            HazardName.NO_BASELINE,
            f"fewer than {least} events were staged in the last {compared.BASELINE_HOURS:.0f} hours",
        )
    if not _any_event(target):
        yield _hazard(HazardName.NOT_PROBED, "raw.site_tracking_events_r is empty")
    elif not target.house and not foreign.entry_points(target.ground.conn):
        yield _hazard(HazardName.NOT_PROBED, "no function here takes an event from raw to staging")


def _any_event(target: Target) -> bool:
    """Asked as the judge, who sees every tenant."""
    judge = target.judge
    with judge.transaction():
        judge.execute(GROUND.bound_waiting, {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT})
        return judge.execute(SQL.any_event).fetchone() == (True,)


def after_applying(ground: Ground, was: Tables, deleted_before: Mapping[int, int]) -> Iterator[Hazard]:
    """What the open transaction did to tables: deleted rows, written them anew, locked them."""
    now = tables(ground)
    for oid, rows in sorted(deleted(ground).items()):
        count = rows - deleted_before.get(oid, 0)
        if oid in was and count > 0:
            yield _hazard(HazardName.DATA_LOSS, f"{count} rows of {was[oid].name} are deleted")
    for oid, table in sorted(was.items(), key=lambda one: one[1].name):
        if oid not in now or now[oid].file == table.file or not table.bytes:
            continue
        if now[oid].bytes:
            yield _hazard(HazardName.REWRITE, f"{table.name} ({_size(table.bytes)}) is written anew")
        else:
            yield _hazard(HazardName.DATA_LOSS, f"{table.name} ({_size(table.bytes)}) is emptied")
    for name in locked(ground, was):
        size = sum(table.bytes for table in was.values() if was.get(table.root, table).name == name)
        if size >= LONG_LOCK_BYTES:
            yield _hazard(HazardName.LONG_LOCK, f"{name} ({_size(size)}) is locked against writers")


def locked(ground: Ground, was: Tables) -> tuple[str, ...]:
    """Tables of before that the open transaction locks against writers; parents for partitions."""
    found = {was[oid].root for (oid,) in ground.all(SQL.locked_against_writers) if oid in was}
    return tuple(sorted(was[root].name for root in found if root in was))


def deleted(ground: Ground) -> dict[int, int]:
    """How many rows of each table the open transaction deleted so far."""
    return dict(ground.all(SQL.rows_deleted))


def of_changes(changes: Iterable[Change], before: CatalogSnapshot, after: CatalogSnapshot) -> Iterator[Hazard]:
    """What the difference of two catalogs says."""
    for change in changes:
        kind, identity = change.object
        if change.what == "removed" and kind in _HOLDS_ROWS and not _of_view(change.before):
            yield _hazard(HazardName.DATA_LOSS, f"{kind} {identity} is dropped")
        if change.what == "added" and kind in ("function", "procedure"):
            for other in _stays_beside(identity, before, after):
                yield _hazard(HazardName.OVERLOAD, f"{identity} comes beside {other}, which stays")


def irreversible(why: str) -> Hazard:
    """The way back was tried and does not lead back."""
    return _hazard(HazardName.IRREVERSIBLE, why)


def _hazard(name: HazardName, why: str) -> Hazard:
    return Hazard(name.value, why)


def _stays_beside(identity: str, before: CatalogSnapshot, after: CatalogSnapshot) -> list[str]:
    found = _NAME.match(identity)
    name = found["name"] if found else identity
    return sorted(
        other.identity
        for other in before.objects.keys() & after.objects.keys()
        if other.kind in ("function", "procedure") and other.identity.startswith(f"{name}(")
    )


def _of_view(definition: str | None) -> bool:
    return bool(definition and json.loads(definition).get("of_view"))


def _size(size: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 10_000:
            return f"{size} {unit}"
        size //= 1000
    return f"{size} TB"
