"""squawk's opinion of the files, where it is installed: locks, rewrites, what breaks callers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sitevault.release.apply import rendered
from sitevault.release.lint.model import Finding, Lint, Severity, found
from sitevault.release.lint.texts import parts
from sitevault.release.model import File

SQUAWK = Lint(
    "squawk",
    Severity.WARNING,
    "What squawk finds, under its own names: `squawk:adding-required-field`. Not installed, that is said.",
    "Locks that hold up the traffic, rewrites of whole tables, changes that break callers of the old schema.",
    "squawk's message says it. A release waits 3 s for a lock and then tries again; what it holds, it holds until "
    "its end.",
)
SECONDS = 60
_OLDEST = "15.0"
_SEEN_TO = (
    "require-lock-timeout",  # a release sets it
    "require-statement-timeout",
    "prefer-robust-stmts",  # one transaction: what fails leaves nothing
    "prefer-bigint-over-int",  # a matter of taste
)


def executable() -> str | None:
    """The program: beside the interpreter, else on the path."""
    beside = Path(sys.executable).parent / "squawk"
    return str(beside) if beside.is_file() else shutil.which("squawk")


def look(files: Iterable[File], values: Mapping[str, str], program: str | None) -> Iterator[Finding]:
    """What squawk says of the files and their reverts, as warnings; UNKNOWN where it did not run."""
    if program is None:
        message = "not run: there is no program squawk beside the interpreter or on the path"
        yield found(SQUAWK, "every file", 0, message, Severity.UNKNOWN)
        return
    with tempfile.TemporaryDirectory(prefix="sitevault-lint-") as directory:
        names = []
        for file in files:
            for name, text in parts(file):
                Path(directory, name).write_bytes(rendered(text, values).encode())
                names.append(name)
        if not names:
            return
        # A settings' file of its own: none that lies about may change what a build says.
        Path(directory, "squawk.toml").write_text("")
        yield from _run(program, directory, names)


def _run(program: str, directory: str, names: list[str]) -> Iterator[Finding]:
    options = ["--config=squawk.toml", "--reporter=json", f"--pg-version={_OLDEST}", "--assume-in-transaction"]
    left_out = [f"--exclude={','.join(_SEEN_TO)}"]
    try:
        result = subprocess.run(
            [program, *options, *left_out, "--", *names],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        said = json.loads(result.stdout) if result.returncode in (0, 1) else None
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        said = None
    if said is None:
        yield found(SQUAWK, "every file", 0, "squawk did not get through", Severity.UNKNOWN)
        return
    for one in said:
        unread = one["rule_name"] == "syntax-error"
        message = f"{one['message']}{' ' + one['help'] if one.get('help') else ''}"
        yield Finding(
            f"squawk:{one['rule_name']}",
            Severity.UNKNOWN if unread else Severity.WARNING,
            one["file"],
            int(one["line"]) + 1,
            " ".join(message.split()),
        )
