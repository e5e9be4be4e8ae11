"""What the told stories share: commands run in this process, their output shown, promises that are kept or not."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

WIDTH = 118


def captured(arguments: Iterable[str]) -> tuple[int, str, str]:
    """The exit code of a command line, its answer, and its remarks. Ctrl-C within it is Ctrl-C here."""
    from sitevault.cli.main import INTERRUPTED, run

    said, remarked = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(remarked):
        code = run(tuple(arguments))
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code, said.getvalue(), remarked.getvalue()


@dataclass
class Telling:
    """A story under way, and the promises that did not hold; `names` are shown for what is scratch."""

    tell: Callable[[str], None]
    broken: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"success": not self.broken, "broken": self.broken, **self.found}

    def promise(self, holds: bool, what: str) -> None:
        """What the story says of itself; the first word of failure is enough to end with exit code 1."""
        if not holds:
            self.broken.append(what)

    def chapter(self, title: str) -> None:
        self.tell(f"\n== {title}")

    def show(self, lines: Iterable[str]) -> None:
        """Output as it came, long lines wrapped."""
        for line in lines:
            plain = self.plain(line)
            indent = " " * (len(plain) - len(plain.lstrip()) + 4)
            self.tell("\n".join(textwrap.wrap(plain, WIDTH, subsequent_indent=indent)) or "")

    def plain(self, text: str) -> str:
        """The text with our scratch names replaced by the names the story uses."""
        for scratch, name in self.names.items():
            text = text.replace(scratch, name)
        return text

    def own_up(self) -> None:
        """Say at the end which promises did not hold."""
        for line in self.broken:
            self.tell(f"DOES NOT HOLD: {line}")
