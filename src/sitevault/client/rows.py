"""Events out of a file, one at a time: NDJSON, a JSON list, or CSV; a bad row is a row, with its line number.

A row without an id gets one made of everything up to and including the row, so sending the file again, or
sending it after it has grown, makes the same ids and duplicates nothing.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import BinaryIO, NamedTuple, TextIO

import msgspec

from sitevault.errors import UsageError
from sitevault.landing.identity import ID_PATHS

LONGEST_ROW_BYTES = 8 * 1024 * 1024
_CHUNK = 1 << 16
_OPENING = re.compile(rb"\s*\{\s*(\}?)")


class Format(StrEnum):
    NDJSON = "ndjson"  # one JSON object per line
    JSON = "json"  # one JSON list of objects
    CSV = "csv"  # a header line; dotted headers nest


class Row(NamedTuple):
    """One row of the file."""

    number: int
    """Its line (NDJSON, CSV) or its place in the list (JSON), from 1."""
    chain: bytes
    """SHA-256 of everything up to and including this row."""
    event: bytes
    """The event as JSON, with an id; for a bad row, the row itself."""
    problem: str | None
    """Why it is no event; None where it is one."""


def guess_format(name: str) -> Format:
    """The format a file's name says; NDJSON where it says nothing."""
    suffix = name.rpartition(".")[2].lower()
    return {"csv": Format.CSV, "json": Format.JSON}.get(suffix, Format.NDJSON)


def read_rows(file: BinaryIO, form: Format) -> Iterator[Row]:
    """Every row of the file in order, bad ones included, in memory one at a time. Raises UsageError."""
    raw = {Format.NDJSON: _ndjson, Format.JSON: _json, Format.CSV: _csv}[form](file)
    chain = bytes(32)
    for number, source, event, problem in raw:
        chain = hashlib.sha256(chain + source).digest()
        if problem is None:
            problem = _why_no_event(event)
        if problem is None:
            event = with_id(event, chain)
        yield Row(number, chain, event, problem)


def with_id(event: bytes, chain: bytes) -> bytes:
    """The event with an id: its own where it has one, else one made of `chain`; nothing else is changed."""
    decoded = msgspec.json.decode(event)
    nested = decoded.get("event_data")
    inner = nested if isinstance(nested, dict) else {}
    for path in ID_PATHS:
        value = inner.get(path.partition(".")[2]) if "." in path else decoded.get(path)
        if (type(value) is str and value) or type(value) is int:
            return event
    opening = _OPENING.match(event)
    if opening is None:  # a JSON object begins with a brace
        raise ValueError("not an object")
    entry = b'{"event_id":"row-' + chain.hex()[:32].encode() + b'"'
    return entry + (b"}" if opening[1] else b"," + event[opening.end() :])


def _why_no_event(event: bytes) -> str | None:
    try:
        decoded = msgspec.json.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"not JSON: {error}"
    return None if isinstance(decoded, dict) else "not a JSON object"


_Raw = Iterator[tuple[int, bytes, bytes, str | None]]


def _ndjson(file: BinaryIO) -> _Raw:
    number = 0
    while line := file.readline(LONGEST_ROW_BYTES):
        number += 1
        if not line.endswith(b"\n") and len(line) == LONGEST_ROW_BYTES:
            _skip_line(file)
            yield number, line, line[:1000], f"longer than {LONGEST_ROW_BYTES} bytes"
        elif event := (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip():
            yield number, line, event, None


def _skip_line(file: BinaryIO) -> None:
    while (piece := file.readline(LONGEST_ROW_BYTES)) and not piece.endswith(b"\n"):
        pass


@contextmanager
def _as_text(file: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """The file as text with its own line ends; a byte that is not UTF-8 comes back as it was."""
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    try:
        yield text
    finally:
        text.detach()  # the file is its opener's to close


def _json(file: BinaryIO) -> _Raw:
    with _as_text(file) as text:
        yield from _elements(text)


def _elements(text: TextIO) -> _Raw:
    """The elements of one JSON list, without ever holding the list."""
    scan = json.JSONDecoder().raw_decode
    buffer, ended = text.read(_CHUNK).lstrip(), False
    if not buffer.startswith("["):
        raise UsageError("The file is not a JSON list.", fix="For one JSON object per line use --format ndjson.")
    buffer, number, separated = buffer[1:], 0, True
    while True:
        buffer = buffer.lstrip()
        if buffer.startswith("]"):
            return
        if buffer.startswith(",") and not separated:
            buffer, separated = buffer[1:].lstrip(), True
        try:
            if not separated and buffer:
                raise UsageError(f"Behind element {number} there is neither a comma nor the list's end.")
            _, end = scan(buffer)
            # A number may go on in the next chunk.
            complete = end < len(buffer) or ended
        except (json.JSONDecodeError, RecursionError) as error:
            complete = False
            if ended or len(buffer) > LONGEST_ROW_BYTES:
                raise UsageError(f"Element {number + 1} of the list is not JSON: {error}") from error
        if complete:
            number += 1
            element, buffer, separated = buffer[:end].encode("utf-8", "surrogateescape"), buffer[end:], False
            yield number, element, element, None
            continue
        more = text.read(max(_CHUNK, len(buffer)))
        ended = not more
        buffer += more


def _csv(file: BinaryIO) -> _Raw:
    with _as_text(file) as text:
        yield from _records(text)


def _records(text: TextIO) -> _Raw:
    csv.field_size_limit(LONGEST_ROW_BYTES)
    taken: list[str] = []
    reader = csv.reader(_remembered(text, taken), strict=True)
    try:
        header = next(reader)
    except StopIteration:
        return
    paths = _paths(header)
    taken.clear()
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
            problem = None if len(cells) <= len(header) else f"{len(cells)} cells under {len(header)} headings"
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], f"not CSV: {error}"
        source = "".join(taken).encode("utf-8", "surrogateescape")
        taken.clear()
        if problem is not None:
            yield first, source, source, problem
        elif cells:
            try:
                event = msgspec.json.encode(_nested(paths, cells))
            except UnicodeEncodeError:
                yield first, source, source, "not UTF-8"
            else:
                yield first, source, event, None


def _remembered(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _paths(header: list[str]) -> list[tuple[str, ...]]:
    paths = [tuple(name.strip().split(".")) for name in header]
    for path in paths:
        inside = [other for other in paths if len(other) > len(path) and other[: len(path)] == path]
        if inside or paths.count(path) > 1 or not all(path):
            raise UsageError(
                f"The CSV heading {'.'.join(path)!r} is empty, given twice, or a value and a group at once.",
                fix="Every heading names one field; a dot nests: event_data.session_id",
            )
    return paths


def _nested(paths: list[tuple[str, ...]], cells: list[str]) -> dict[str, object]:
    """An empty cell is no field at all."""
    event: dict[str, object] = {}
    for path, cell in zip(paths, cells, strict=False):
        if cell == "":
            continue
        place = event
        for name in path[:-1]:
            place = place.setdefault(name, {})  # type: ignore[assignment]  # only dicts are on the way
        place[path[-1]] = cell
    return event
