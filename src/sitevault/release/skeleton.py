"""The beginning of a release's directory: release.toml with every key explained, and the schema it is tried on."""

from __future__ import annotations

import re
from pathlib import Path

from sitevault.doctor.scratch import LOCK_WAIT, run_program
from sitevault.errors import UsageError
from sitevault.release.model import Shape
from sitevault.release.source import BASE, MANIFEST

_LEFT_OUT = (
    "--no-owner",  # whoever deploys owns what he makes; roles are named otherwise in each environment
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
    "--exclude-schema=sitevault_release",
    "--exclude-schema=sitevault_repair",
)
_FIRST, _LAST = "\n--\n-- Name: ", "\n--\n-- PostgreSQL database dump complete"
_SETTING = re.compile(r"^(SET (?!transaction_timeout)|SELECT pg_catalog\.set_config).*$", re.MULTILINE)

_MANIFEST = """\
# A release. Every key: docs/reference/release-toml.md
name = "{name}"
version = "0.1.0"
shape = "{shape}"
# author = "ada"

# What each environment gives a value of its own ([environments.NAME.parameters]), with the value it is tried
# with here. In SQL it is written :{{retention}} and becomes a literal.
# [parameters]
# retention = "30 days"

# What the release mends, and what must therefore change. A claim whose objects do not change is refused.
# [[claims]]
# fixes = "F3"
# objects = ["function staging.process_site_event(bigint)"]

# A finding of a lint that is meant, with the reason.
# [[allow]]
# lint = "dropped_and_created"
# where = "function staging.process_site_event(p_raw_event_id bigint)"
# because = "it returns a bigint now"
"""
_DIRECTORIES: dict[Shape, tuple[str, ...]] = {
    "guide": ("migrations", "objects"),
    "house": ("migrations", "objects", "mapping", "schemas"),
}


def begin(directory: Path, shape: Shape) -> list[Path]:
    """Make the directory and release.toml; returns what was made. Raises UsageError where there is one already."""
    manifest = directory / MANIFEST
    if manifest.exists():
        raise UsageError(f"{manifest} is there already.", fix="Edit it; init changes no file.")
    name = re.sub(r"[^a-z0-9_-]+", "-", directory.resolve().name.lower()).strip("-_") or "release"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        manifest.write_text(_MANIFEST.format(name=name[:63], shape=shape), "utf-8")
        made = [manifest]
        for one in _DIRECTORIES[shape]:
            (directory / one).mkdir(exist_ok=True)
            made.append(directory / one)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error
    return made


def lay_base(directory: Path, conninfo: str) -> Path:
    """Write the database's schema as the base: no rows, no owners, not our own record. Raises SitevaultError."""
    text = run_program("pg_dump", conninfo, "--schema-only", f"--lock-wait-timeout={LOCK_WAIT}", *_LEFT_OUT)
    path = directory / BASE
    path.write_bytes(_lasting(text).encode())
    return path


def _lasting(text: str) -> str:
    """A dump without versions and random keys, which stand before its first object and after its last."""
    start, end = text.find(_FIRST), text.rfind(_LAST)
    if start < 0 or end < start:
        return ""
    settings = "\n".join(found[0] for found in _SETTING.finditer(text, 0, start))
    return f"{settings}\n{text[start:end].rstrip()}\n"
