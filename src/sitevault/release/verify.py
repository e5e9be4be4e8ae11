"""Looks, before the commit, whether the release has become what its bundle says and what its authors check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import errors

from sitevault.db.catalog import CatalogSnapshot, Change
from sitevault.release import agreement, apply, probe
from sitevault.release.hazards import HazardName
from sitevault.release.model import Bundle, File, ReleaseError, ReleasePlan
from sitevault.release.probe import Compared
from sitevault.release.target import Target

_SHOWN = 5


def require(
    target: Target, bundle: Bundle, plan: ReleasePlan, changes: Sequence[Change], before: CatalogSnapshot
) -> None:
    """Raises ReleaseError naming everything that is not as it should be; in the release's open transaction."""
    server = target.ground.conn.info.server_version
    wrong = agreement.disagreements(bundle, changes, before, target.snapshot(), server) + not_true(
        target, bundle, plan.parameters
    )
    if wrong:
        raise ReleaseError(
            f"The verification refused it: {'; '.join(wrong)}. Nothing was changed.",
            fix="See what the rehearsal says.",
            command=f"sitevault release rehearse --env {target.environment}",
        )


def require_no_worse(plan: ReleasePlan, compared: Compared) -> None:
    """Raises ReleaseError where an event that went through would not any more, or loses what it had."""
    wrong = [
        f"event {one.event} at {one.entry}: {one.before} before, {one.after} now"
        for one in compared.events
        if one.verdict is probe.Verdict.BROKEN
    ]
    if HazardName.OUTPUT_LOST not in plan.accepted:
        wrong += [
            f"{column} is empty now in {count} events that {entry} carries"
            for entry, columns in compared.lost.items()
            for column, count in sorted(columns.items())
        ]
    if wrong:
        more = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise ReleaseError(
            f"Tried with real events it does worse: {'; '.join(wrong[:_SHOWN])}{more}. Nothing was changed.",
            fix="See every event in the rehearsal.",
            command=f"sitevault release rehearse --env {plan.identity.environment}",
        )


def not_true(target: Target, bundle: Bundle, parameters: Mapping[str, str]) -> list[str]:
    """The verify files whose single value is not true, or that fail."""
    return [
        f"the verification of {file.name} {why}"
        for file in (*bundle.migrations, *bundle.objects)
        if file.verify is not None and (why := _asked(target, file, parameters)) is not None
    ]


def _asked(target: Target, file: File, parameters: Mapping[str, str]) -> str | None:
    try:
        answer = apply.verified(target.ground.conn, file, parameters)
    except psycopg.Error as error:
        if error.sqlstate is None or isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
            raise
        return f"fails: {error.sqlstate} {error.diag.message_primary}"
    return None if answer is True else "does not say true"
