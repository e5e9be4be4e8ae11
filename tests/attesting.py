"""Environments with people in them, for the tests of who approved what and what passed where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sitevault.audit.dsse import make_key
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.release import environments, record
from sitevault.release.environments import Environments
from sitevault.release.model import Bundle, Hazard, ReleasePlan, seal
from sitevault.release.target import Target, opened

PEOPLE = ("ada", "bob", "eve", "desk")


@dataclass(frozen=True)
class World:
    """The people with their keys, and the settings of every environment, in order."""

    directory: Path
    config: Config

    @property
    def environments(self) -> Environments:
        return environments.read(self.config)

    def key(self, person: str) -> Path:
        return self.directory / f"{person}.key"

    def having(self, environment: str, **values: Any) -> World:
        """The same world, an environment with other settings."""
        changed = {**self.config.environments, environment: {**self.config.environments[environment], **values}}
        return replace(self, config=msgspec.structs.replace(self.config, environments=changed))

    @contextmanager
    def targets(self, *names: str) -> Iterator[list[Target]]:
        """The databases of these environments, each enrolled as what it is."""
        with ExitStack() as stack:
            found = [stack.enter_context(opened(self.config, self.environments, name)) for name in names]
            for target in found:
                if record.enrolled(target.ground) is None:
                    record.enroll(target)
            yield found


def world(directory: Path, home: Path, monkeypatch: pytest.MonkeyPatch, **databases: Database) -> World:
    """An environment for each database (one of the guide's shape where its name ends in `_guide`)."""
    for person in PEOPLE:
        make_key(directory / f"{person}.key")
    described = {}
    for name, database in databases.items():
        variable = f"URL_OF_{name.upper()}"
        monkeypatch.setenv(variable, database.admin_conninfo)
        described[name] = {"url_from": variable} | ({} if name.endswith("_guide") else {"home": str(home)})
    people = {person: directory / f"{person}.key.pub" for person in PEOPLE}
    return World(directory, Config(home=home, environments=described, people=people))


def bundle(version: str = "1", *, author: str = "eve") -> Bundle:
    """A bundle with nothing in it; another version is another digest."""
    return seal(
        Bundle(
            format=1, name="fix", version=version, shape="house", author=author, sitevault="0", postgresql=18,
            base_sha256="0" * 64, migrations=(), objects=(), settings=(), staging="", parameters=(), claims=(),
            expected=(),
        )
    )  # fmt: skip


def plan(
    target: Target, of: Bundle, *, hazards: tuple[str, ...] = (), accepted: tuple[str, ...] = ()
) -> ReleasePlan:
    """A plan for the target's database, as it was enrolled."""
    found = record.enrolled(target.ground)
    assert found is not None
    return seal(
        ReleasePlan(
            format=1, made_at="2026-11-27T12:00:00.000Z", identity=found[0], shape=target.shape,
            server_version=180000, bundle_digest=of.digest, bundle_name=of.name, bundle_version=of.version,
            author=of.author, migrations=(), objects=(), settings=(), parameters={}, changes=(),
            hazards=tuple(Hazard(name, "why") for name in hazards), accepted=accepted,
        )
    )  # fmt: skip


def deployed(target: Target, of: Bundle) -> record.Released:
    """A release of the bundle, on record as deployed."""
    from sitevault import clock

    made = plan(target, of)
    with target.ground.transaction():
        record.record_release(target.ground, made, of, [], started_at=clock.now(), baseline=None, standing="{}")
    found = record.find(target.ground, made.digest)
    assert found is not None
    return found
