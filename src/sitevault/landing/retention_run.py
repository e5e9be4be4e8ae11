"""Drop what is old, a day at a time: counted, accounted for and gone in one transaction, or not at all."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from sitevault.config import Config
from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError
from sitevault.landing import retention
from sitevault.landing.partitions import TABLES, empty_default
from sitevault.landing.retention import LANDING, SQL, DayPartition, Due, Held, Holds
from sitevault.tenancy.audit_log import HOUSE, Action, record
from sitevault.tenancy.context import administer

T = TypeVar("T")

ATTEMPTS = 40
FIRST_WAIT_MS = 100
LONGEST_WAIT_MS = 1_000
"""Whoever comes while we wait for a table waits behind us: so briefly, and again after a pause."""
_PAGE = 5_000

_TENANCY = queries.load("tenancy")


class RetentionRunsAlreadyError(SitevaultError):
    """Another retention is running; two would only wait for each other."""


@dataclass
class Outcome:
    """What one run did."""

    moved: dict[str, int] = field(default_factory=dict)
    """Rows moved out of default partitions, by table."""
    dropped: list[Due] = field(default_factory=list)
    held: list[Due] = field(default_factory=list)
    manifests: int = 0

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "moved_from_default": self.moved,
            "dropped": [one.as_dict() for one in self.dropped],
            "held": [one.as_dict() for one in self.held],
            "manifests_removed": self.manifests,
        }


def apply(
    database: Database,
    config: Config,
    *,
    give_up_failed: bool = False,
    progress: Callable[[str], None] = lambda text: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Empty the default partitions and drop every day whose time is over and that nothing keeps.

    Safe to repeat and to interrupt anywhere: each day is one transaction. Raises RetentionRunsAlreadyError,
    ConfigurationError.
    """
    due = retention.configured(config)
    outcome = Outcome()
    with _connections(database) as (owner, judge):
        _empty_defaults(owner, judge, outcome, progress)
        for partition in retention.old_partitions(judge, config) if due else ():
            if stopped():
                break
            one = _drop(owner, judge, partition, give_up_failed)
            (outcome.held if one.held else outcome.dropped).append(one)
            verb = "kept" if one.held else "dropped"
            progress(f"{verb} {partition.table_name} of {partition.day}: {one.events} rows")
        if due:
            outcome.manifests = _forget_manifests(owner, judge)
    return outcome


@contextmanager
def _connections(database: Database) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    with (
        database.connect(Role.MIGRATOR, autocommit=True, application_name="retention") as owner,
        database.connect(Role.JUDGE, autocommit=True, application_name="retention-judge") as judge,
    ):
        if owner.execute(SQL.try_lock).fetchone() != (True,):
            raise RetentionRunsAlreadyError(
                "Retention is running already, by hand or in a worker.", fix="Wait for it, then look again.",
                command="sitevault retention show",
            )  # fmt: skip
        yield owner, judge


def _empty_defaults(
    owner: psycopg.Connection[Any],
    judge: psycopg.Connection[Any],
    outcome: Outcome,
    progress: Callable[[str], None],
) -> None:
    in_use = retention.default_rows(judge)
    for table in TABLES:
        if table not in in_use:
            continue

        def move(table: str = table) -> int:
            with administer(owner, HOUSE):
                rows = empty_default(owner, table)
                record(owner, HOUSE, Action.DEFAULT_EMPTY, {"table": table, "rows": rows})
                return rows

        if moved := _patiently(move):
            outcome.moved[table] = moved
            progress(f"moved {moved} rows of {table} from its default partition into their days")


def _drop(
    owner: psycopg.Connection[Any],
    judge: psycopg.Connection[Any],
    partition: DayPartition,
    give_up_failed: bool,
) -> Due:
    """One day, in one transaction: from its counting on nobody writes to it, and all read until it is gone."""
    try:
        with administer(owner, HOUSE):
            _in_savepoints(owner, lambda: _freeze(owner, partition))
            due = retention.look_into(judge, partition, give_up_failed=give_up_failed)
            if due.held:
                raise psycopg.Rollback
            given_up = _account(owner, due, give_up_failed)
            owner.execute(_TENANCY.set_tenant_context, {"tenant_hk": HOUSE})
            _in_savepoints(owner, lambda: _drop_and_record(owner, due, given_up))
        return due
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        due = retention.look_into(judge, partition, give_up_failed=give_up_failed)
        return replace(due, held=(*due.held, Held(None, Holds.BUSY, 0)))


def _freeze(owner: psycopg.Connection[Any], partition: DayPartition) -> None:
    owner.execute(sql.SQL(SQL.freeze_partition).format(partition=sql.Identifier(*partition.name)))


def _account(owner: psycopg.Connection[Any], due: Due, give_up_failed: bool) -> int:
    """Each tenant's removed rows, within that tenant's context; returns how many failed events were given up."""
    table, day = due.partition.table_name, due.partition.day
    given_up = 0
    for share in due.shares:
        owner.execute(_TENANCY.set_tenant_context, {"tenant_hk": share.tenant_hk})
        of_tenant = {"tenant_hk": share.tenant_hk, "day": day}
        error = 0
        if table == LANDING:
            if give_up_failed:
                error = owner.execute(SQL.give_up_failed, of_tenant).rowcount
            owner.execute(SQL.forget_resolved, of_tenant)
        figures = {"events": share.events, "announced": 0, "invalid": share.invalid, "error": error}
        owner.execute(SQL.account_removed, {**of_tenant, "table": table, **figures})
        given_up += error
    return given_up


def _drop_and_record(owner: psycopg.Connection[Any], due: Due, given_up: int) -> None:
    partition = due.partition
    owner.execute(SQL.lock_partitions, {"table": partition.table_name})
    owner.execute(sql.SQL(SQL.drop_partition).format(partition=sql.Identifier(*partition.name)))
    record(
        owner,
        HOUSE,
        Action.PARTITION_DROP,
        {
            "table": partition.table_name,
            "day": partition.day.isoformat(),
            "rows": due.events,
            "failed_given_up": given_up,
        },
    )


def _in_savepoints(owner: psycopg.Connection[Any], work: Callable[[], None]) -> None:
    """Try again and again within the transaction, without losing what it did before."""

    def attempt(milliseconds: int) -> None:
        with owner.transaction():
            owner.execute(SQL.wait_at_most, {"milliseconds": str(milliseconds)})
            work()

    _retry(attempt)


def _patiently(work: Callable[[], T]) -> T:
    return _retry(lambda _: work())


def _retry(attempt: Callable[[int], T]) -> T:
    """Raises LockNotAvailable when it never worked."""
    for number in range(ATTEMPTS):
        wait = min(FIRST_WAIT_MS * (number + 1), LONGEST_WAIT_MS)
        try:
            return attempt(wait)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if number == ATTEMPTS - 1:
                raise
            time.sleep(wait / 1000)
    raise AssertionError("the last attempt returns or raises")


def _forget_manifests(owner: psycopg.Connection[Any], judge: psycopg.Connection[Any]) -> int:
    """Manifests without events, a page at a time: announced and removed are written in one transaction."""
    forgotten = after = 0
    while True:
        with judge.transaction():
            page = judge.execute(SQL.empty_manifests, {"after": after, "most": _PAGE}).fetchall()
        empty = [row for row in page if not row[4]]
        if empty:
            _forget_page(owner, empty)
            forgotten += len(empty)
        if len(page) < _PAGE:
            return forgotten
        after = page[-1][0]


def _forget_page(
    owner: psycopg.Connection[Any], page: list[tuple[int, date, list[bytes], list[int], bool]]
) -> None:
    announced: Counter[tuple[bytes, date]] = Counter()
    by_tenant: defaultdict[bytes, list[int]] = defaultdict(list)
    for batch_id, day, tenants, events, _ in page:
        by_tenant[tenants[0]].append(batch_id)
        for tenant_hk, count in zip(tenants, events, strict=True):
            announced[tenant_hk, day] += count
    with administer(owner, HOUSE):
        for (tenant_hk, day), count in sorted(announced.items()):
            owner.execute(_TENANCY.set_tenant_context, {"tenant_hk": tenant_hk})
            owner.execute(
                SQL.account_removed,
                {
                    "tenant_hk": tenant_hk, "table": "raw.batch", "day": day, "events": 0, "announced": count,
                    "invalid": 0, "error": 0,
                },
            )  # fmt: skip
        for tenant_hk, batch_ids in sorted(by_tenant.items()):
            owner.execute(_TENANCY.set_tenant_context, {"tenant_hk": tenant_hk})
            gone = owner.execute(SQL.forget_manifests, {"batch_ids": batch_ids}).rowcount
            if gone != len(batch_ids):
                raise SitevaultError(
                    f"{len(batch_ids)} manifests were to be removed and {gone} could be; nothing was changed."
                )
