"""The record of releases: in the house in schema ops, in a foreign database in a schema of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from sitevault.db.catalog import Change, Object
from sitevault.release.model import Bundle, DatabaseIdentity, ReleaseBlockedError, ReleasePlan, encode
from sitevault.release.target import SQL, Target
from sitevault.repair.ground import LOCK_TIMEOUT, STATEMENT_TIMEOUT, Ground
from sitevault.repair.ground import SQL as GROUND
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action, Json, acting

_TABLES = ("environment", "release", "pause")
_PARTS = ("object", "journal", "attestation", "observation", "file")


class Released(NamedTuple):
    """A release of this database; times have a zone."""

    release_id: str
    bundle_digest: str
    name: str
    version: str
    author: str
    bundle: str
    plan: str
    state: str
    started_at: datetime
    deployed_at: datetime
    deployed_by: str
    ended_at: datetime | None
    ended_by: str | None
    note: str | None
    baseline: str | None
    standing: str

    @property
    def in_force(self) -> bool:
        return self.state != "UNDONE"

    def decoded_plan(self) -> ReleasePlan:
        return msgspec.json.decode(self.plan, type=ReleasePlan)

    def decoded_bundle(self) -> Bundle:
        return msgspec.json.decode(self.bundle, type=Bundle)


class Entry(NamedTuple):
    """A line of the journal."""

    release_id: str
    recorded_at: datetime
    recorded_by: str
    step: str
    message: str
    details: str | None


class Attestation(NamedTuple):
    """A signed statement as the record holds it; whether it is true is for `attest` to verify."""

    attestation_id: str
    kind: str
    environment: str
    bundle_digest: str
    plan_digest: str | None
    signer: str
    envelope: str
    recorded_at: datetime


class Observation(NamedTuple):
    """One judgement."""

    observed_at: datetime
    verdict: str
    results: str


class Pause(NamedTuple):
    """Whether the workers pause, and why."""

    paused: bool
    release_id: str | None
    message: str
    since: datetime
    by: str


def query(ground: Ground, template: str) -> sql.Composed:
    """A statement about the record, naming its tables."""
    schema = "ops" if ground.house else "sitevault_release"
    names = {name: sql.Identifier(schema, name) for name in _TABLES}
    names |= {name: sql.Identifier(schema, f"release_{name}") for name in _PARTS}
    return sql.SQL(template).format(**names)


# -- who the database is ---------------------------------------------------------------------------------------


def found_identity(ground: Ground, environment: str, environment_id: str) -> DatabaseIdentity:
    """What the server says this database is."""
    here = ground.database_id()
    return DatabaseIdentity(environment, environment_id, here.system_identifier, here.name, here.oid)


def enrolled(ground: Ground) -> tuple[DatabaseIdentity, str] | None:
    """What the database was enrolled as, and where it was then; None for one that never was."""
    if not ground.house and ground.one(SQL.has_record) != (True,):
        return None
    row = ground.one(query(ground, SQL.enrolled))
    return None if row is None else (DatabaseIdentity(*row[:5]), str(row[5]))


def enroll(target: Target) -> DatabaseIdentity:
    """Write into the database which environment it is; the caller has asked. In a transaction of its own."""
    ground = target.ground
    with ground.transaction():
        if not ground.house and ground.one(SQL.has_record) != (True,):
            ground.conn.execute(SQL.make_record)
        identity = found_identity(ground, target.environment, secrets.token_hex(16))
        ground.conn.execute(
            query(ground, SQL.enroll),
            {**msgspec.structs.asdict(identity), "location": target.location, "actor": acting()},
        )
        audit(ground, Action.RELEASE_ENROLL, {"environment": target.environment})
    return identity


def require_identity(target: Target, planned: DatabaseIdentity | None = None) -> DatabaseIdentity:
    """The database's identity, if it is the enrolled database of this environment at the enrolled place.

    Raises ReleaseBlockedError for one never enrolled, a copy, another environment's, one at another place, and,
    with `planned`, for another than that.
    """
    again = f"sitevault release enroll --env {target.environment}"
    found = enrolled(target.ground)
    if found is None:
        raise ReleaseBlockedError(
            f"The database of {target.environment} was never enrolled: nothing says which environment it is.",
            fix="Look at it, then write into it which environment it is.",
            command=again,
        )
    identity, location = found
    if identity.environment != target.environment:
        raise ReleaseBlockedError(
            f"This is the database of {identity.environment}, reached as {target.environment}.",
            fix=f"Correct the database of [environments.{target.environment}] in sitevault.toml.",
        )
    if found_identity(target.ground, identity.environment, identity.environment_id) != identity:
        raise ReleaseBlockedError(
            f"This is a copy of the database of {identity.environment}, not the one that was enrolled.",
            fix="If the copy has taken its place for good, enrol it.",
            command=again,
        )
    if location != target.location:
        raise ReleaseBlockedError(
            f"{identity.environment} was enrolled at {location}; it is reached at {target.location}.",
            fix="If it moved, enrol it again; if not, this is the wrong host.",
            command=again,
        )
    if planned is not None and planned != identity:
        raise ReleaseBlockedError(
            f"The plan was made for another database of {planned.environment}.",
            fix="Make a plan for this one.",
            command=f"sitevault release plan --env {target.environment}",
        )
    return identity


# -- releases --------------------------------------------------------------------------------------------------


def releases(ground: Ground) -> list[Released]:
    """Every release, the newest first."""
    return [Released(*row) for row in ground.all(query(ground, SQL.releases))]


def find(ground: Ground, release_id: str) -> Released | None:
    """The release that a plan's digest, or the beginning of it, names; None where it was never deployed."""
    found = [one for one in releases(ground) if one.release_id.startswith(release_id)]
    return found[0] if len(found) == 1 else None


def current(ground: Ground) -> Released | None:
    """The newest release in force."""
    return next((one for one in releases(ground) if one.in_force), None)


def record_release(
    ground: Ground,
    plan: ReleasePlan,
    bundle: Bundle,
    changes: Iterable[Change],
    *,
    started_at: datetime,
    baseline: str | None,
    standing: str,
) -> None:
    """Remember a release and every object as it was, in the transaction that carries it out."""
    ground.conn.execute(
        query(ground, SQL.record_release),
        {
            "release_id": plan.digest,
            "bundle_digest": bundle.digest,
            "name": bundle.name,
            "version": bundle.version,
            "author": bundle.author,
            "bundle": encode(bundle),
            "plan": encode(plan),
            "started_at": started_at,
            "actor": acting(),
            "baseline": baseline,
            "standing": standing,
        },
    )
    for change in changes:
        ground.conn.execute(
            query(ground, SQL.record_object),
            {
                "release_id": plan.digest,
                **change.object._asdict(),
                "before": change.before,
                "after": change.after,
            },
        )


def take_effect(ground: Ground, release_id: str) -> None:
    """Its commit can be seen by all: an event that comes from now on met what the release made, and no other.

    A transaction cannot know the moment of its own commit; what came meanwhile met what was there before.
    """
    ground.conn.execute(query(ground, SQL.take_effect), {"release_id": release_id})


def recorded_objects(ground: Ground, release_id: str) -> list[Change]:
    """The live backup: every object a release changed, before and after."""
    rows = ground.all(query(ground, SQL.recorded_objects), {"release_id": release_id})
    return [Change(Object(kind, identity), before, after) for kind, identity, before, after in rows]


def end_release(ground: Ground, release_id: str, state: str, note: str) -> None:
    """PASSED, HELD or UNDONE."""
    ground.conn.execute(
        query(ground, SQL.end_release),
        {"release_id": release_id, "state": state, "actor": acting(), "note": note},
    )


@contextmanager
def brief(ground: Ground) -> Iterator[None]:
    """A short transaction with the owner's rights, or a savepoint of the open one: no repair waits for it."""
    with ground.conn.transaction():
        if ground.house:
            ground.conn.execute(GROUND.become_owner)
        ground.conn.execute(
            GROUND.bound_waiting, {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}
        )
        yield


# -- what was done and said ------------------------------------------------------------------------------------


def note(
    ground: Ground, release_id: str, step: str, message: str, details: Mapping[str, Any] | None = None
) -> None:
    """A line in the journal; within a transaction it stays only if that does."""
    ground.conn.execute(
        query(ground, SQL.note_step),
        {
            "release_id": release_id,
            "actor": acting(),
            "step": step,
            "message": message,
            "details": None if details is None else json.dumps(details, default=str),
        },
    )


def journal(ground: Ground, release_id: str | None = None) -> list[Entry]:
    """What was done about a release, or about any, the oldest first."""
    return [Entry(*row) for row in ground.all(query(ground, SQL.journal), {"release_id": release_id})]


def add_attestation(ground: Ground, one: Attestation) -> bool:
    """Keep a signed statement; one that is there already stays as it is. Whether it was new."""
    return ground.conn.execute(query(ground, SQL.record_attestation), one._asdict()).rowcount == 1


def attestations(ground: Ground, bundle_digest: str | None = None) -> list[Attestation]:
    """The statements about a bundle, or about any, the oldest first; not verified."""
    rows = ground.all(query(ground, SQL.attestations), {"bundle_digest": bundle_digest})
    return [Attestation(*row) for row in rows]


def add_observation(ground: Ground, release_id: str, verdict: str, results: str) -> None:
    """Keep a judgement; `results` is JSON."""
    ground.conn.execute(
        query(ground, SQL.record_observation), {"release_id": release_id, "verdict": verdict, "results": results}
    )


def observations(ground: Ground, release_id: str) -> list[Observation]:
    """Every judgement of a release, the oldest first."""
    return [Observation(*row) for row in ground.all(query(ground, SQL.observations), {"release_id": release_id})]


def files(ground: Ground) -> dict[str, str]:
    """The migrations of bundles that ran here: name and SHA-256."""
    return {name: sha256 for name, sha256, _ in ground.all(query(ground, SQL.files))}


def add_file(ground: Ground, release_id: str, name: str, sha256: str) -> None:
    """A migration of a bundle ran; it never runs again."""
    ground.conn.execute(query(ground, SQL.record_file), {"release_id": release_id, "name": name, "sha256": sha256})


def forget_files(ground: Ground, release_id: str) -> None:
    """The migrations of a release that is taken back may run again."""
    ground.conn.execute(query(ground, SQL.forget_files), {"release_id": release_id})


def pause(ground: Ground, paused: bool, release_id: str | None, message: str) -> None:
    """Set or lift the pause; workers heed it from their next claim on."""
    ground.conn.execute(
        query(ground, SQL.pause),
        {"paused": paused, "release_id": release_id, "message": message, "actor": acting()},
    )


def paused(ground: Ground) -> Pause | None:
    """The pause as it is; None where there never was one."""
    row = ground.one(query(ground, SQL.paused))
    return None if row is None else Pause(*row)


def audit(ground: Ground, action: Action, details: dict[str, Json]) -> None:
    """An entry in the house's chain, in the open transaction; a foreign database has the journal alone."""
    if not ground.house:
        return
    ground.within(audit_log.HOUSE.hex())
    audit_log.record(ground.conn, audit_log.HOUSE, action, details)
    ground.within(None)
