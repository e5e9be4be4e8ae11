"""The releases of the story, each a directory as its author has it."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from sitevault.demo import incident

SITE_FIX, PARTNER_PAGES, CART_VALUE = "site-fix", "partner-pages", "cart-value"
RELEASES = (SITE_FIX, PARTNER_PAGES, CART_VALUE)

_TABLES = ("01_tables", "03_functions")
_STAGING = "staging.sql"
_ELSEWHERE = ("1.0 - 0.2 *", "1.0 - 0.1 *")


def lay(directory: Path, name: str) -> Path:
    """The release's directory within `directory`; the incident's fixes are those of its own story."""
    made = directory / name
    with as_file(files(__package__).joinpath("sources", name)) as source:
        shutil.copytree(source, made)
    if name == SITE_FIX:
        (made / "objects").mkdir()
        for fix in incident.FIXES:
            (made / "objects" / f"{fix}.sql").write_text(incident.text(f"fixed/{fix}"), "utf-8")
    (made / "base.sql").write_text(base(fixed=name != SITE_FIX), "utf-8")
    return made


def edit(made: Path) -> str:
    """What somebody does to site-fix in one environment alone: the same name and version, another function.

    Returns what that is.
    """
    staging = made / "objects" / _STAGING
    before = staging.read_text("utf-8")
    if _ELSEWHERE[0] not in before:
        raise RuntimeError(f"{staging} has no score to edit")
    staging.write_text(before.replace(*_ELSEWHERE), "utf-8")
    return "a missing field costs 0.1 instead of 0.2"


def base(*, fixed: bool) -> str:
    """The schema a release is tried on: the incident's, as it was or with its fixes."""
    parts = [incident.text(name) for name in _TABLES]
    parts += [incident.text(f"staging_{version}") for version in incident.FAULTS]
    parts.append(text("jobs"))
    if fixed:
        parts += [incident.text(f"fixed/{fix}") for fix in incident.FIXES]
    return "\n".join(parts)


def text(name: str) -> str:
    """One of this room's own files of SQL."""
    return text_of(f"{name}.sql")


def text_of(name: str) -> str:
    """One of this room's own files."""
    return files(__package__).joinpath(name).read_text("utf-8")
