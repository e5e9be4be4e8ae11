"""What a release is made of, as values: the bundle, and the plan for one environment."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from sitevault.errors import Exit, SitevaultError, UsageError

FORMAT = 1

Shape = Literal["house", "guide"]
"""house: Sitevault's own database. guide: somebody's, of the guide's shape."""


class ReleaseError(SitevaultError):
    """The release failed; everything was rolled back."""

    exit_code = Exit.ROLLED_BACK


class ReleaseBlockedError(SitevaultError):
    """A preflight, an approval, a moved catalog or a wrong database is in the way; nothing was changed."""

    exit_code = Exit.BLOCKED


class UndoFailedError(SitevaultError):
    """The way back did not lead back, or nobody could see whether it did."""

    exit_code = Exit.ROLLBACK_FAILED


class InterruptedDeployError(SitevaultError):
    """The server went away during a deploy, and it is in force, or nobody could see whether it is."""

    exit_code = Exit.ROLLBACK_FAILED


class BundleError(SitevaultError):
    """The directory does not make a bundle: a lint, a claim or the trial on an empty database refused it."""

    exit_code = Exit.FINDINGS


class File(msgspec.Struct, frozen=True):
    """One file of SQL, run whole in the release's transaction; `revert` undoes what a definition cannot."""

    name: str
    text: str
    revert: str | None = None
    verify: str | None = None
    """A query whose single value must be true after the deploy."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class Setting(msgspec.Struct, frozen=True):
    """A tenant's mapping, or the JSON Schema it demands of an event type; Sitevault's own databases only."""

    kind: Literal["mapping", "schema"]
    tenant: str
    event_type: str | None
    text: str


class Claim(msgspec.Struct, frozen=True):
    """What the release says it mends, and the objects that must therefore change: `kind identity`."""

    fixes: str
    objects: tuple[str, ...]


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that would refuse the bundle and is meant: it is shown as a warning, with the reason."""

    lint: Annotated[str, Meta(min_length=1, description="The lint's name, as `release build` shows it.")]
    where: Annotated[str, Meta(min_length=1, description="The file or object it was found in, as shown.")]
    because: Annotated[str, Meta(min_length=1, description="Why it is right here.")]


class Expectation(msgspec.Struct, frozen=True):
    """What the bundle makes of one object, tried on an empty database of the same base.

    `attributes` holds, as canonical JSON, what the bundle sets (all of a new object); owners appear as `$owner`.
    None: the bundle takes the object away.
    """

    kind: str
    identity: str
    attributes: str | None


class Bundle(msgspec.Struct, frozen=True):
    """What goes through every environment, unchanged: the same digest is the same release."""

    format: int
    name: str
    version: str
    shape: Shape
    author: str
    sitevault: str
    """The version of Sitevault it was built by, and whose workers it expects."""
    postgresql: int
    """The major version it was tried on."""
    base_sha256: str
    """Of the schema it was tried on; of nothing, for Sitevault's own."""
    migrations: tuple[File, ...]
    objects: tuple[File, ...]
    settings: tuple[Setting, ...]
    staging: str
    """SHA-256 of the mapping and the rules that the workers must have; empty for a foreign database."""
    parameters: tuple[str, ...]
    """Names that each environment must give a value: `:{name}` in the SQL is replaced by it, as a literal."""
    claims: tuple[Claim, ...]
    expected: tuple[Expectation, ...]
    allowed: tuple[Allowance, ...] = ()
    """What the lints found and its author meant; whoever approves the bundle reads it."""
    own: bool = False
    """Whether this is Sitevault's own schema, migrated by its own ledger."""
    digest: str = ""


class DatabaseIdentity(msgspec.Struct, frozen=True):
    """Which database an environment is: what it was enrolled as, and what the server says it is."""

    environment: str
    environment_id: str
    system_identifier: str
    database: str
    oid: int

    @property
    def fingerprint(self) -> str:
        text = "\0".join(
            (self.environment, self.environment_id, self.system_identifier, self.database, str(self.oid))
        )
        return hashlib.sha256(text.encode()).hexdigest()


class PlannedChange(msgspec.Struct, frozen=True, order=True):
    """An object the release changes here: the digest of its definition before, and after (None: not there)."""

    kind: str
    identity: str
    before: str | None
    after: str | None


class Hazard(msgspec.Struct, frozen=True, order=True):
    """Something that has to be accepted by name (`--accept NAME`) before it is done."""

    name: str
    why: str


class ReleasePlan(msgspec.Struct, frozen=True):
    """Everything `sitevault release deploy` will do in one environment, in order; it does nothing else."""

    format: int
    made_at: str
    identity: DatabaseIdentity
    shape: Shape
    server_version: int
    bundle_digest: str
    bundle_name: str
    bundle_version: str
    author: str
    migrations: tuple[str, ...]
    """Names of the files that will run, in order; the others ran before."""
    objects: tuple[str, ...]
    settings: tuple[str, ...]
    parameters: dict[str, str]
    changes: tuple[PlannedChange, ...]
    hazards: tuple[Hazard, ...]
    accepted: tuple[str, ...]
    digest: str = ""

    @property
    def empty(self) -> bool:
        return not self.changes and not self.migrations and not self.settings


Sealed = TypeVar("Sealed", Bundle, ReleasePlan)


def seal(value: Sealed) -> Sealed:
    """The value with the digest of all the rest of it."""
    return msgspec.structs.replace(value, digest=_digest(value))


def encode(value: Bundle | ReleasePlan) -> str:
    """As JSON a person can read; the same value is the same text."""
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2)
    return text.decode() + "\n"


def write(value: Bundle | ReleasePlan, path: Path) -> None:
    """The bundle or plan as a file."""
    path.write_text(encode(value), "utf-8")


def read_bundle(path: Path) -> Bundle:
    """A bundle's file. Raises UsageError for what is none, ReleaseBlockedError for one that was edited."""
    return _read(path, Bundle, "sitevault release build")


def read_plan(path: Path) -> ReleasePlan:
    """A plan's file. Raises UsageError for what is none, ReleaseBlockedError for one that was edited."""
    return _read(path, ReleasePlan, "sitevault release plan")


def read_any(path: Path) -> Bundle | ReleasePlan:
    """A bundle's file or a plan's. Raises as they do."""
    try:
        is_plan = "bundle_digest" in msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, TypeError):
        is_plan = False  # what is wrong with it, the reading says
    return read_plan(path) if is_plan else read_bundle(path)


def decode_bundle(text: str) -> Bundle:
    """A bundle as the record of a database holds it."""
    return msgspec.json.decode(text, type=Bundle)


def definition_digest(definition: str | None) -> str | None:
    """The SHA-256 of an object's definition as the catalog snapshot has it."""
    return None if definition is None else hashlib.sha256(definition.encode()).hexdigest()


def _digest(value: Bundle | ReleasePlan) -> str:
    return hashlib.sha256(encode(msgspec.structs.replace(value, digest="")).encode()).hexdigest()


def _read(path: Path, kind: type[Sealed], command: str) -> Sealed:
    what = "bundle" if kind is Bundle else "plan"
    try:
        value = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not a release {what}: {error}", command=command) from error
    if value.format != FORMAT:
        raise UsageError(f"{path} is of format {value.format}; this Sitevault knows {FORMAT}.", command=command)
    if _digest(value) != value.digest:
        raise ReleaseBlockedError(
            f"{path} was changed after it was made: its content is not what its digest says.",
            fix=f"Make the {what} again; what was changed by hand belongs into the sources.",
            command=command,
        )
    return value
