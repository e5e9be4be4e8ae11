"""A plan: exactly what will be done, what it touches, why, and the way back; a value, executed elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from sitevault.errors import Exit, SitevaultError, UsageError

FORMAT = 1


class RepairError(SitevaultError):
    """The repair failed; nothing was changed."""

    exit_code = Exit.ROLLED_BACK


class RepairRefusedError(SitevaultError):
    """The database is not, or no longer, what the plan was made for; nothing was changed."""

    exit_code = Exit.BLOCKED


class DatabaseId(msgspec.Struct, frozen=True):
    """Which database: a copy under another name, or a restore elsewhere, is another one."""

    system_identifier: str
    name: str
    oid: int


class Touched(msgspec.Struct, frozen=True, order=True):
    """An object a plan changes, and the digest of its definition when the plan was made (None: not there)."""

    kind: str
    identity: str
    digest: str | None


class Statement(msgspec.Struct, frozen=True, tag="statement"):
    """SQL that changes objects, or counts; `tenant` is the 64 hex digits of the tenant it works within.

    `back` undoes what a definition alone cannot bring back: a count, a new table. Everything else is brought
    back from the catalog as it was before.
    """

    sql: str
    back: str | None = None
    tenant: str | None = None


class RowChange(msgspec.Struct, frozen=True, tag="row"):
    """One row, found by its key, changed (`set`) or taken away (`set` is None); values as PostgreSQL's text.

    `tenant` is whose row it is, `to_tenant` whose it becomes: a row does not change its tenant in place, it is
    taken from one and given to the other.
    """

    relation: tuple[str, str]
    key: dict[str, str]
    set: dict[str, str | None] | None
    tenant: str | None = None
    to_tenant: str | None = None


class RowInsert(msgspec.Struct, frozen=True, tag="insert"):
    """One new row; values as PostgreSQL's text, what is not named gets its default."""

    relation: tuple[str, str]
    values: dict[str, str | None]
    key: tuple[str, ...]
    tenant: str | None = None


Step = Statement | RowChange | RowInsert


class Action(msgspec.Struct, frozen=True):
    """One repair of one thing: what the doctor found, what is done about it, and what it does not mend."""

    check: str
    subject: str
    reason: str
    steps: tuple[Step, ...]
    shows: tuple[str, ...] = ()
    """What a person should read before agreeing: the difference of a function, old and new output."""
    leaves: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """Everything `sitevault repair apply` will do, in order."""

    format: int
    made_at: str
    database: DatabaseId
    house: bool
    actions: tuple[Action, ...]
    objects: tuple[Touched, ...]
    not_mended: tuple[str, ...] = ()
    digest: str = ""

    @property
    def steps(self) -> list[Step]:
        return [step for action in self.actions for step in action.steps]


def seal(plan: Plan) -> Plan:
    """The plan with the digest of all the rest of it."""
    return msgspec.structs.replace(plan, digest=_digest(plan))


def write(plan: Plan, path: Path) -> None:
    """The plan as JSON a person can read."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")


def read(path: Path) -> Plan:
    """The plan as it was written. Raises UsageError for what is no plan, RepairRefusedError for an edited one."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", fix="Make a plan first.", command="sitevault repair plan"
        ) from error
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{path} is not a repair plan: {error}", fix="Make one.", command="sitevault repair plan"
        ) from error
    if plan.format != FORMAT:
        raise UsageError(f"{path} is a plan of format {plan.format}; this Sitevault reads {FORMAT}.")
    if plan.digest != _digest(plan):
        raise RepairRefusedError(
            f"{path} was changed after it was made: its digest does not fit.",
            fix="A plan is carried out as it was made or not at all. Make it again.",
            command="sitevault repair plan",
        )
    return plan


def definition_digest(definition: str | None) -> str | None:
    """What a plan remembers of an object's definition."""
    return None if definition is None else hashlib.sha256(definition.encode()).hexdigest()


def _digest(plan: Plan) -> str:
    unsealed = msgspec.structs.replace(plan, digest="")
    return hashlib.sha256(msgspec.json.encode(unsealed, order="deterministic")).hexdigest()
