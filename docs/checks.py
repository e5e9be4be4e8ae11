"""The pages of the doctor's checks, made from the checks' own texts."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from docs.markdown import block, code, page, table

from sitevault.doctor.checks import CHECKS
from sitevault.doctor.model import Check

INDEX = Path("checks.md")
ROOM = Path("checks")
_ROOMS = {
    "queue": "What is stuck",
    "functions": "What functions do with events",
    "tenancy": "Whose the events are",
    "drift": "What changed in the payloads",
    "data": "What the rows say",
    "catalog": "The catalog, the server, and who is on it",
}


def check_pages() -> dict[Path, str]:
    """The index and a page per check, by path under docs/reference."""
    return {INDEX: _index()} | {ROOM / f"{check.id}.md": _page(check) for check in CHECKS}


def _index() -> str:
    return page(
        "What the doctor checks",
        "the checks' own texts (src/sitevault/doctor/checks)",
        "`sitevault doctor` runs them all over one read-only snapshot; `--check` and `--skip` take an id, a short "
        "name or a room. How to read what it says: [see the doctor](../how-to/see-the-doctor.md).",
        *(
            f"## {room}\n\n{_ROOMS[room]}.\n\n"
            + table(
                ("check", "short", "holds when all is well"),
                [(f"[{one.id}](checks/{one.id}.md)", code(one.alias), one.title) for one in found],
            )
            for room, found in groupby(CHECKS, key=lambda check: check.id.split(".")[0])
        ),
    )


def _page(check: Check) -> str:
    alias = f"Also called {code(check.alias)}. " if check.alias else ""
    return page(
        check.id,
        "the check's own texts (src/sitevault/doctor/checks)",
        f"{alias}Holds when all is well: **{check.title.rstrip('.')}.** [All checks](../checks.md).",
        f"## Why it matters\n\n{check.why}",
        f"## What it looks at\n\n{check.looks_at}",
        f"## What to do\n\n{check.mend}",
        block(f"$ sitevault doctor --check {check.id}", "console"),
    )
