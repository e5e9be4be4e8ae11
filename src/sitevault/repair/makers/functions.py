"""A corrected function somebody wrote: what it changes, compared on real events, before anybody agrees to it."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from sitevault.db.catalog import CatalogSnapshot, Change, capture
from sitevault.repair.ground import Ground
from sitevault.repair.makers.case import NotMended
from sitevault.repair.model import Action, Statement
from sitevault.repair.shadow import compare

_KINDS = {"function", "procedure"}


def make(ground: Ground, name: str, text: str, check: str = "functions") -> Iterable[Action | NotMended]:
    """The statements of one file; nothing but functions and procedures may change by it, and no orphan be left."""
    try:
        changes, after = _changes(ground, text)
    except psycopg.Error as error:
        yield NotMended(name, f"{error.sqlstate}: {error.diag.message_primary}")
        return
    others = [str(change.object) for change in changes if change.object.kind not in _KINDS]
    orphans = [str(change.object) for change in changes if change.before is None and _has_namesake(change, after)]
    if others or not changes:
        what = f"it changes more than functions: {', '.join(others)}" if others else "it changes nothing"
        yield NotMended(name, f"{what}. Schema changes go through a release.")
    elif orphans:
        yield NotMended(
            name,
            f"{', '.join(orphans)} would stand beside a function of the same name, which callers would go on "
            "calling. Keep the signature, or drop the old one in the same file.",
        )
    else:
        yield Action(
            check=check,
            subject=", ".join(f"{change.what} {change.object}" for change in changes),
            reason=f"as {name} has it",
            steps=(Statement(text),),
            shows=tuple(compare(ground, text)),
        )


def _changes(ground: Ground, text: str) -> tuple[list[Change], CatalogSnapshot]:
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        before = capture(ground.conn)
        ground.conn.execute(sql.SQL(text))
        after = capture(ground.conn)
        return list(before.changes(after)), after


def _has_namesake(change: Change, after: CatalogSnapshot) -> bool:
    """Whether a function of this name, with other arguments, stays beside it."""
    name = change.object.identity.partition("(")[0]
    return any(
        other.kind in _KINDS and other.identity.partition("(")[0] == name and other != change.object
        for other in after.objects
    )
