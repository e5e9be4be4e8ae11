"""The environments of sitevault.toml, in their order, each with its database, its people and its thresholds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sitevault.config import Config
from sitevault.errors import ConfigurationError

OBSERVE_HOURS = 24.0


class Scheduler(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a foreign database's own jobs are paused: its owner's statements. A pause is a state, not a deletion."""

    pause: Annotated[str, Meta(description="Statement after which no job begins.")]
    resume: Annotated[str, Meta(description="Statement after which the jobs begin again.")]
    busy: Annotated[str | None, Meta(description="Query whose single value is true while a job is at work.")] = (
        None
    )


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[environments.NAME]`.

    With `home` it is a Sitevault's own database, embedded there or at `url_from`; without, a foreign one.
    """

    home: Annotated[
        Path | None, Meta(description="A Sitevault's home: its embedded database, or its credentials.")
    ] = None
    url_from: Annotated[
        str | None, Meta(description="Name of the variable that holds the database's URL; never the URL itself.")
    ] = None
    approvals: Annotated[int, Meta(ge=0, le=20, description="How many people must approve a plan.")] = 0
    four_eyes: Annotated[bool, Meta(description="Whether whoever wrote a bundle may not approve it.")] = True
    needs: Annotated[
        str | None,
        Meta(description="The environment whose PASSED attestation is demanded; by default the one before."),
    ] = None
    approvers: Annotated[
        tuple[str, ...], Meta(description="Who may approve, of [people]; nobody named: all.")
    ] = ()
    judges: Annotated[
        tuple[str, ...], Meta(description="Whose PASSED is believed, of [people]; nobody named: all.")
    ] = ()
    observe_hours: Annotated[float, Meta(gt=0, description="How long a release is observed.")] = OBSERVE_HOURS
    observe_every_seconds: Annotated[float, Meta(gt=0, description="How often it is judged meanwhile.")] = 60.0
    on_fail: Annotated[
        str, Meta(pattern="^(undo|hold)$", description="What a FAIL does: undo the release, or hold it.")
    ] = "undo"
    canary: Annotated[
        tuple[str, ...],
        Meta(description="Steps of resuming: a number of events, a share like 5%, `tenants`, `all`."),
    ] = ("1", "10", "5%", "all")
    gates: Annotated[dict[str, Any], Meta(description="Thresholds, see the reference of gates.")] = {}
    parameters: Annotated[dict[str, str], Meta(description="Values of the bundle's declared parameters.")] = {}
    scheduler: Annotated[Scheduler | None, Meta(description="How a foreign database's jobs are paused.")] = None
    webhook_from: Annotated[
        str | None, Meta(description="Name of the variable that holds the URL told of every step.")
    ] = None
    webhook_secret_from: Annotated[
        str | None,
        Meta(description="Name of the variable with the secret that signs what the webhook is told."),
    ] = None
    health_url: Annotated[
        str | None, Meta(description="The collector's /health/ready, asked while a release is observed.")
    ] = None


class Environments(msgspec.Struct, frozen=True):
    """All of them, in the order of the file, and the people who sign."""

    of: dict[str, Environment]
    people: dict[str, Path]

    def __getitem__(self, name: str) -> Environment:
        """Raises ConfigurationError for one that does not exist."""
        try:
            return self.of[name]
        except KeyError:
            raise ConfigurationError(
                f"There is no environment {name!r}"
                + (f"; there are {', '.join(self.of)}." if self.of else ": none is configured."),
                fix=f"Describe it in sitevault.toml: [environments.{name}].",
                command="sitevault release --help",
            ) from None

    def before(self, name: str) -> str | None:
        """The environment whose PASSED this one demands; None for the first."""
        if (needs := self[name].needs) is not None:
            return needs or None
        names = list(self.of)
        place = names.index(name)
        return names[place - 1] if place else None


def read(config: Config) -> Environments:
    """The environments of the settings. Raises ConfigurationError naming what is wrong."""
    found = {}
    for name, values in config.environments.items():
        try:
            one = msgspec.convert(values, Environment, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            raise ConfigurationError(
                f"[environments.{name}] is wrong: {error}",
                fix="docs/reference/environments.md lists every setting of an environment.",
                command="sitevault config check",
            ) from error
        if one.home is None and one.url_from is None:
            raise ConfigurationError(
                f"[environments.{name}] does not name its database.",
                fix="`home` is a Sitevault's home; `url_from` names the variable with a foreign database's URL.",
            )
        found[name] = one
    environments = Environments(found, dict(config.people))
    for name, one in found.items():
        if one.needs and one.needs not in found:
            raise ConfigurationError(f"[environments.{name}] needs {one.needs!r}, which is not there.")
        unknown = sorted({*one.approvers, *one.judges} - environments.people.keys())
        if unknown:
            raise ConfigurationError(
                f"[environments.{name}] names {', '.join(unknown)}, whose public key is not in [people]."
            )
    return environments


def secret(variable: str, environ: Mapping[str, str] | None = None) -> str:
    """What the variable holds. Raises ConfigurationError where it is not set."""
    value = (os.environ if environ is None else environ).get(variable)
    if not value:
        raise ConfigurationError(
            f"The variable {variable} is not set.", fix=f"Set it to the URL: export {variable}=postgresql://..."
        )
    return value


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"Expected a path, got {value!r}")
