"""Functions, views, policies and grants brought back to what this version of Sitevault has."""

from __future__ import annotations

from collections.abc import Iterable

from sitevault.db import migration_files, queries
from sitevault.repair.makers.case import Case, NotMended
from sitevault.repair.model import Action, Statement

_MIGRATE = queries.load("migrate")


def make(case: Case) -> Iterable[Action | NotMended]:
    """The declarative objects once more, as one action. Tables come from migrations, which run once."""
    if not case.ground.house:
        yield NotMended("drift", "What a foreign catalog should be, nobody has said.")
        return
    server = case.ground.conn.info.server_version // 10_000
    files = [file.text.decode() for file in migration_files.objects(server_major=server)]
    yield Action(
        check=case.check,
        subject="the functions, views, policies and grants of this version",
        reason="They are applied once more, over whatever was made of them by hand.",
        steps=(Statement("\n".join([*files, _MIGRATE.grant_ledger])),),
        leaves=("what was added by hand, and tables, columns, indexes and constraints: those are a migration's",),
    )
