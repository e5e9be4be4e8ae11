"""What a bundle will do in one environment, found by doing it in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg
from psycopg import errors

from sitevault.db.catalog import CatalogSnapshot, Change, Object
from sitevault.db.restore import CannotRestoreError
from sitevault.release import agreement, apply, contention, hazards, locks, record, settings, way_back
from sitevault.release.model import (
    FORMAT,
    Bundle,
    DatabaseIdentity,
    Hazard,
    PlannedChange,
    ReleaseBlockedError,
    ReleaseError,
    ReleasePlan,
    definition_digest,
    seal,
)
from sitevault.release.script import render_sql
from sitevault.release.target import Target

__all__ = ["make", "render_sql", "unaccepted"]


class Tried(NamedTuple):
    """What the bundle did here, in the transaction that was rolled back."""

    migrations: tuple[str, ...]
    settings: tuple[str, ...]
    before: CatalogSnapshot
    changes: tuple[Change, ...]
    hazards: tuple[Hazard, ...]
    locked: tuple[str, ...]
    """Relations it locks against writers, or against everybody."""


def make(target: Target, bundle: Bundle, accepted: Iterable[str] = ()) -> ReleasePlan:
    """The plan of this bundle for this environment; changes nothing, and waits for no lock for long.

    Raises ReleaseBlockedError for another database than the enrolled one, a bundle of another shape, a parameter
    without a value, a lock somebody holds; ReleaseError where the bundle fails here, or does something else than
    where it was built; UsageError for a hazard that does not exist.
    """
    names = hazards.checked(accepted)
    require_shape(target, bundle)
    identity = record.require_identity(target)
    parameters = values(target, bundle)
    with contention.bounded(target, "Planning"):
        tried = attempt(target, bundle, parameters)
    return _sealed(target, bundle, identity, parameters, tried, names)


def require_shape(target: Target, bundle: Bundle) -> None:
    """Raises ReleaseBlockedError where the bundle is for another kind of database."""
    if bundle.shape != target.shape:
        raise ReleaseBlockedError(
            f"The bundle {bundle.name} is for a database of shape {bundle.shape}; "
            f"{target.environment} is of shape {target.shape}.",
            fix="Build it for this shape (release.toml, `shape`), or choose another environment.",
            command="sitevault release build",
        )


def values(target: Target, bundle: Bundle) -> dict[str, str]:
    """Each declared parameter's value here. Raises ReleaseBlockedError for those without."""
    given = target.settings.parameters
    missing = [name for name in bundle.parameters if name not in given]
    if missing:
        raise ReleaseBlockedError(
            f"{target.environment} gives no value to: {', '.join(missing)}.",
            fix=f"Set it under [environments.{target.environment}.parameters] in sitevault.toml.",
        )
    return {name: given[name] for name in sorted(bundle.parameters)}


def unaccepted(plan: ReleasePlan) -> tuple[Hazard, ...]:
    """The hazards that nobody accepted yet; a deploy refuses while there are any."""
    return tuple(hazard for hazard in plan.hazards if hazard.name not in plan.accepted)


def attempt(
    target: Target, bundle: Bundle, parameters: Mapping[str, str], inside: Callable[[], object] = lambda: None
) -> Tried:
    """Carry the bundle out and back, and roll it back; `inside` looks at it in between.

    Raises ReleaseError; waits for locks are the caller's.
    """
    ground = target.ground
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        due = tuple(file.name for file in apply.due(target, bundle))
        put = tuple(settings.named(one) for one in settings.pending(target, bundle.settings))
        found = list(hazards.before_anything(target, bundle))
        before, tables, deleted = target.snapshot(), hazards.tables(ground), hazards.deleted(ground)
        locks.take(target, locks.relations(bundle, before))
        apply.whole(target, bundle, parameters)
        after = target.snapshot()
        changes = tuple(before.changes(after))
        require_expected(target, bundle, changes, before, after)
        found += hazards.of_changes(changes, before, after)
        found += hazards.after_applying(ground, tables, deleted)
        locked = hazards.locked(ground, tables)
        inside()
        found += _no_way_back(target, bundle, before, put)
    return Tried(due, put, before, changes, tuple(sorted(set(found))), locked)


def moved(plan: ReleasePlan, now: CatalogSnapshot) -> list[str]:
    """Objects that are not what they were when the plan was made."""
    return [
        f"{one.kind} {one.identity}"
        for one in plan.changes
        if definition_digest(now.objects.get(Object(one.kind, one.identity))) != one.before
    ]


def different(plan: ReleasePlan, changes: Iterable[Change]) -> list[str]:
    """Objects that did not become what the plan says, in either direction."""
    wanted = {(one.kind, one.identity): one.after for one in plan.changes}
    found = {(one.object.kind, one.object.identity): definition_digest(one.after) for one in changes}
    return sorted(" ".join(name) for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def _sealed(
    target: Target,
    bundle: Bundle,
    identity: DatabaseIdentity,
    parameters: dict[str, str],
    tried: Tried,
    accepted: tuple[str, ...],
) -> ReleasePlan:
    return seal(
        ReleasePlan(
            format=FORMAT,
            # To the microsecond: the same changes planned anew are another plan, however soon.
            made_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            identity=identity,
            shape=bundle.shape,
            server_version=target.ground.conn.info.server_version,
            bundle_digest=bundle.digest,
            bundle_name=bundle.name,
            bundle_version=bundle.version,
            author=bundle.author,
            migrations=tried.migrations,
            objects=tuple(file.name for file in bundle.objects),
            settings=tried.settings,
            parameters=parameters,
            changes=tuple(sorted(planned(change) for change in tried.changes)),
            hazards=tried.hazards,
            accepted=accepted,
        )
    )


def planned(change: Change) -> PlannedChange:
    """A change as a plan remembers it: by digests."""
    return PlannedChange(*change.object, definition_digest(change.before), definition_digest(change.after))


def require_expected(
    target: Target, bundle: Bundle, changes: Sequence[Change], before: CatalogSnapshot, after: CatalogSnapshot
) -> None:
    """What changes here is what changed where the bundle was built: the same bundle is the same release."""
    server = target.ground.conn.info.server_version
    different = agreement.disagreements(bundle, changes, before, after, server)
    if different:
        raise ReleaseError(
            "Here the bundle does something else than where it was built: " + "; ".join(different) + ". "
            "Nothing was changed.",
            fix="Something here is not what the bundle was made for. See what differs, and mend that first.",
            command=f"sitevault release preflight BUNDLE --env {target.environment}",
        )


def _no_way_back(target: Target, bundle: Bundle, before: CatalogSnapshot, put: Sequence[str]) -> Iterator[Hazard]:
    """Tries the way back, in the same transaction."""
    try:
        with target.ground.conn.transaction(force_rollback=True):
            way_back.lead(target, bundle, before)
    except (CannotRestoreError, ReleaseError) as error:
        yield hazards.irreversible(error.message)
    except psycopg.Error as error:
        if error.sqlstate is None or isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
            raise
        yield hazards.irreversible(f"{error.sqlstate} {error.diag.message_primary}")
