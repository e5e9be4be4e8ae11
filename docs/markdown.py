"""The few forms of Markdown that generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def page(title: str, source: str, *parts: str) -> str:
    """A whole page; `source` says where to edit what it shows."""
    note = f"<!-- Made by docs/generate.py from {source}. Edit that, then run `make generate`. -->"
    return "\n\n".join((note, f"# {title}", *(part.strip("\n") for part in parts if part))) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a cell that is None or empty stays empty."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """Text as code; nothing for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def codes(texts: Iterable[object]) -> str:
    """Several pieces of code, comma-separated."""
    return ", ".join(code(text) for text in texts)


def block(text: str, language: str = "text") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def _cell(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split()).replace("|", "\\|")
