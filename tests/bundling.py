"""Bundles made by hand, and environments to release them to, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import structs

from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.release import apply, expected, record
from sitevault.release.environments import Environment, Scheduler
from sitevault.release.model import Bundle, Expectation, File, Setting, seal
from sitevault.release.target import SQL, Target
from sitevault.repair.ground import Ground

SCHEDULER = Scheduler(pause="SELECT 1", resume="SELECT 1")


@contextmanager
def guide(
    database: Database, name: str = "testing", *, enrolled: bool = True, **settings: Any
) -> Iterator[Target]:
    """A database of the guide's shape as an environment."""
    settings = {"url_from": "TESTING_URL", "scheduler": SCHEDULER} | settings
    conninfo = database.admin_conninfo
    with connect(conninfo, autocommit=True) as conn, connect(conninfo, autocommit=True) as judge:
        judge.execute("SET default_transaction_read_only = on")
        yield _ready(
            Target(
                name, Environment(**settings), "guide", Ground(conn, house=False), judge, conninfo,
                f"{conn.info.host}:{conn.info.port}/{conn.info.dbname}", Config(),
            ),
            enrolled,
        )  # fmt: skip


@contextmanager
def house(
    database: Database, name: str = "testing", *, enrolled: bool = True, **settings: Any
) -> Iterator[Target]:
    """A Sitevault's own database as an environment."""
    with (
        database.connect(Role.MIGRATOR, autocommit=True, application_name="release") as conn,
        database.connect(Role.JUDGE, autocommit=True, application_name="release") as judge,
    ):
        conn.execute(SQL.act_as_owner)
        yield _ready(
            Target(
                name, Environment(**({"home": Path("none")} | settings)), "house", Ground(conn, house=True), judge,
                database.conninfo(Role.MIGRATOR, "release"),
                f"{conn.info.host}:{conn.info.port}/{conn.info.dbname}", Config(), database,
            ),
            enrolled,
        )  # fmt: skip


def _ready(target: Target, enrolled: bool) -> Target:
    if enrolled:
        record.enroll(target)
    return target


def bundle(
    target: Target,
    *,
    migrations: Sequence[File] = (),
    objects: Sequence[File] = (),
    settings: Sequence[Setting] = (),
    parameters: Mapping[str, str] | None = None,
    **other: Any,
) -> Bundle:
    """A bundle of these files, expecting what they do to this target."""
    values: dict[str, Any] = {
        "format": 1, "name": "fix", "version": "1", "shape": target.shape, "author": "ada", "sitevault": "0.1.0",
        "postgresql": target.ground.conn.info.server_version // 10_000, "base_sha256": "",
        "staging": "", "claims": (), "expected": (),
    }  # fmt: skip
    made = Bundle(
        **(
            values
            | {
                "migrations": tuple(migrations),
                "objects": tuple(objects),
                "settings": tuple(settings),
                "parameters": tuple(parameters or ()),
            }
            | other
        )
    )
    if not made.expected:
        made = structs.replace(made, expected=_expected(target, made, parameters or {}))
    return seal(made)


def _expected(target: Target, made: Bundle, parameters: Mapping[str, str]) -> tuple[Expectation, ...]:
    ground = target.ground
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        before = target.snapshot()
        apply.whole(target, made, parameters)
        changes = list(before.changes(target.snapshot()))
    return expected.learn(before, changes, ground.acting.strip('"'))
