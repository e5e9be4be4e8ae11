"""The way back from a release, within the open transaction: its revert files, then every definition as it was."""

from __future__ import annotations

from psycopg import sql

from sitevault.db import restore
from sitevault.db.catalog import CatalogSnapshot, capture
from sitevault.release import apply
from sitevault.release.model import Bundle, ReleaseError
from sitevault.release.target import Target, lasting


def lead(
    target: Target,
    bundle: Bundle,
    before: CatalogSnapshot,
    ran: tuple[str, ...] | None = None,
    put: tuple[str, ...] = (),
) -> None:
    """Make the catalog what it was in `before` (as target.snapshot gives it), and prove it.

    `ran` names the migrations that ran (None: those that this transaction ran), `put` the settings. Raises
    CannotRestoreError where no definition leads back, ReleaseError where the catalog is not the same afterwards.
    """
    apply.revert(target, bundle, ran, put)
    ground = target.ground
    for statement in restore.way_back(before, lasting(capture(ground.conn)), ground.acting):
        ground.conn.execute(sql.SQL(statement))  # as the catalog itself described it
    left = [str(change.object) for change in before.changes(target.snapshot()) if not restore.became_valid(change)]
    if left:
        raise ReleaseError(f"The way back does not lead back for: {', '.join(left)}. Nothing was changed.")
