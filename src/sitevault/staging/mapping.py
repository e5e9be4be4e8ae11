"""Mapping: which payload path supplies which field, by the declared table and a tenant's own paths."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

Json = dict[str, Any]
_CACHED_SHAPES = 4096


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One canonical field as mapping.toml declares it."""

    name: str
    about: str
    kind: str
    limit: int
    paths: tuple[str, ...]
    personal: bool = False
    synonyms: dict[str, tuple[str, ...]] = {}


class Mapped(NamedTuple):
    """What mapping made of one payload."""

    values: dict[str, Any]
    rest: Json
    """The payload's own structure without what was taken; objects left empty are gone."""
    paths: tuple[int, ...]
    """The chosen paths, by number; `Mapping.path_set` names them."""
    unexpected: Sequence[str]
    """Fields left empty because what stood at their paths has a type they cannot have."""
    truncated: Sequence[str]


class PathSet(NamedTuple):
    mapping_hk: bytes
    """First 16 bytes of SHA-256 of `paths`."""
    paths: bytes
    """Canonical JSON object: field -> path."""


class _Candidate(NamedTuple):
    field: str
    rank: int
    number: int
    read: Callable[[Any], Any]
    personal: bool


# What a field holds so far: rank, number of the path, value, and where its value would stand in the rest (the
# container, the key, the value as sent). A plain tuple: a NamedTuple costs 0.3 us each, a quarter of the walk.
_Held = tuple[int, int, Any, Json, str, Any]
_Entry = tuple[tuple[_Candidate, ...], "dict[str, _Entry] | None"]
_Node = dict[str, _Entry]


class _Wrong:
    """The mark of a value whose type its field cannot have."""


WRONG = _Wrong()


def declared_fields() -> tuple[Field, ...]:
    """The table of mapping.toml, in its order."""
    table = tomllib.loads(Path(__file__).with_name("mapping.toml").read_text("utf-8"))
    return tuple(msgspec.convert({"name": name, **row}, Field) for name, row in table.items())


FIELDS: dict[str, Field] = {field.name: field for field in declared_fields()}
# An event type is judged, not cut; a time or a flag that is too long cannot be read anyway.
_LIMITS = {field.name: field.limit for field in FIELDS.values() if field.kind in ("text", "url", "id", "size")}
_SHORTEST_LIMIT = min(_LIMITS.values())
SYNONYMS: dict[str, str] = {
    sent: name for name, all_sent in FIELDS["event_type"].synonyms.items() for sent in all_sent
}


class FieldMapping:
    """The table compiled for one tenant: one walk over the payload's own keys, not over every path."""

    def __init__(self, overrides: Mapping[str, Sequence[str]] | None = None) -> None:
        self._names: list[tuple[str, str]] = []
        self._root: _Node = {}
        self._path_sets: dict[tuple[int, ...], PathSet] = {}
        for field in FIELDS.values():
            own = (overrides or {}).get(field.name, ())
            for rank, path in enumerate(dict.fromkeys((*own, *field.paths))):
                self._declare(field, rank, path)

    def take(self, payload: Json) -> Mapped:
        """Split a payload into its fields and the rest. The payload itself is not changed."""
        held: dict[str, _Held] = {}
        opened: list[tuple[Json, str, Json]] = []
        wrong: list[str] = []
        rest: Json = {}
        self._walk(payload, self._root, rest, held, opened, wrong)
        for container, key, inner in reversed(opened):
            if not inner:
                del container[key]
        values: dict[str, Any] = {name: best[2] for name, best in held.items()}
        truncated = [
            name
            for name, value in values.items()
            if type(value) is str and len(value) > _SHORTEST_LIMIT and len(value) > _LIMITS.get(name, len(value))
        ]
        for name in truncated:
            values[name] = values[name][: _LIMITS[name]]
        unexpected = [name for name in dict.fromkeys(wrong) if name not in values] if wrong else ()
        return Mapped(values, rest, tuple([best[1] for best in held.values()]), unexpected, truncated)

    def path_set(self, paths: tuple[int, ...]) -> PathSet:
        """The name of a choice of paths, as `Mapped.paths` gives it."""
        known = self._path_sets.get(paths)
        if known is None:
            if len(self._path_sets) >= _CACHED_SHAPES:
                self._path_sets.clear()
            text = msgspec.json.encode(dict(self._names[number] for number in paths), order="sorted")
            known = self._path_sets[paths] = PathSet(hashlib.sha256(text).digest()[:16], text)
        return known

    def _declare(self, field: Field, rank: int, path: str) -> None:
        *outer, last = path.split(".")
        node = self._root
        for key in outer:
            candidates, children = node.get(key, ((), None))
            if children is None:
                children = {}
                node[key] = (candidates, children)
            node = children
        candidates, children = node.get(last, ((), None))
        candidate = _Candidate(field.name, rank, len(self._names), _READERS[field.kind], field.personal)
        node[last] = ((*candidates, candidate), children)
        self._names.append((field.name, path))

    def _walk(
        self,
        level: Json,
        node: _Node,
        rest: Json,
        held: dict[str, _Held],
        opened: list[tuple[Json, str, Json]],
        wrong: list[str],
    ) -> None:
        for key, sent in level.items():
            entry = node.get(key)
            if entry is None:
                rest[key] = sent
                continue
            candidates, children = entry
            if children is not None and type(sent) is dict:
                inner: Json = {}
                rest[key] = inner
                opened.append((rest, key, inner))
                self._walk(sent, children, inner, held, opened, wrong)
                continue
            if not candidates:
                rest[key] = sent
                continue
            for field, rank, number, read, personal in candidates:
                value = sent.strip() if type(sent) is str and read is _text else read(sent)
                if value is None or value == "":
                    continue
                if value is WRONG:
                    wrong.append(field)
                    if not personal:
                        rest[key] = sent
                    continue
                best = held.get(field)
                if best is None:
                    held[field] = (rank, number, value, rest, key, sent)
                elif best[0] < rank:
                    if not personal:
                        rest[key] = sent
                else:
                    if not personal:
                        best[3][best[4]] = best[5]
                    held[field] = (rank, number, value, rest, key, sent)


def _text(sent: Any) -> Any:
    if type(sent) is str:
        return sent.strip()
    if sent is None:
        return None
    if type(sent) is int:
        return str(sent)
    if type(sent) is float:
        return str(int(sent)) if sent.is_integer() else repr(sent)
    return WRONG


def _time(sent: Any) -> Any:
    if type(sent) is str:
        return sent.strip()
    return sent if sent is None or type(sent) in (int, float) else WRONG


def _flag(sent: Any) -> Any:
    if sent is None or type(sent) is bool:
        return sent
    return {"true": True, "false": False, "1": True, "0": False}.get(str(sent).strip().lower(), WRONG)


def _size(sent: Any) -> Any:
    if type(sent) is dict:
        width, height = sent.get("width"), sent.get("height")
        sides = (width, height)
        return f"{width}x{height}" if all(type(side) in (int, float) for side in sides) else WRONG
    return sent.strip() if type(sent) is str else None if sent is None else WRONG


_READERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "url": _text,
    "id": _text,
    "name": _text,
    "time": _time,
    "flag": _flag,
    "size": _size,
}
