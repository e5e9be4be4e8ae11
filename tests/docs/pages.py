"""The pages as their reader has them: text, blocks, sections, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*", re.DOTALL)
_REDIRECTION = re.compile(r"\d?>>?\s*\S+")
_OPERATORS = {"|", "||", "&&", ";", "&"}


class Block(NamedTuple):
    page: Path
    language: str
    text: str


def pages() -> list[Path]:
    """Every page of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name(page: Path) -> str:
    """A page as it is named in messages."""
    return str(page.relative_to(ROOT))


def blocks(language: str) -> list[Block]:
    """Every fenced block of a language, without the indentation of a list."""
    found = []
    for page in pages():
        for match in _BLOCK.finditer(page.read_text("utf-8")):
            if match["language"] == language:
                indent = len(match["indent"])
                text = "\n".join(line[indent:] for line in match["text"].splitlines())
                found.append(Block(page, language, text))
    return found


def without_blocks(text: str) -> str:
    """A page's prose: its fenced blocks and its code taken out."""
    return re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", text))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    text = page.read_text("utf-8")
    level = heading.partition(" ")[0]
    start = text.index(f"{heading}\n")
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(text, start + len(heading))
    return text[start : end.start() if end else len(text)]


def commands(block: Block) -> Iterator[list[str]]:
    """Every simple command of a console block, as words: pipelines and substitutions taken apart."""
    for line in _lines(block.text):
        for inner in _SUBSTITUTION.findall(line):
            yield from _simple(inner)
        yield from _simple(_SUBSTITUTION.sub("substituted", line))


def _lines(text: str) -> Iterator[str]:
    """What is typed after each `$ `, with the lines that continue an open quote."""
    typed = ""
    for line in text.splitlines():
        if not typed and not line.startswith("$ "):
            continue
        typed = f"{typed}\n{line}" if typed else line[2:]
        try:
            shlex.split(typed, comments=True)
        except ValueError:
            continue
        yield typed
        typed = ""
    assert not typed, f"a quote stays open in {typed!r}"


def _simple(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(_REDIRECTION.sub("", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token in _OPERATORS:
            while words and (words[0] == "export" or _ASSIGNMENT.fullmatch(words[0])):
                words = words[1:]
            if words:
                yield words
            words = []
        else:
            words.append(token)
