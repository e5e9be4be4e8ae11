"""A patch: fields of an event set, moved or removed before it is staged. The payload in raw is never changed.

Paths are those of mapping.toml: names from the event's top level down, joined by dots. Every step can be applied
to every event: what is not there is neither moved nor removed, and what is no object on the way to a field that
is set becomes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from sitevault.staging.model import LandedEvent

Json = dict[str, Any]
_MISSING = object()
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class PatchStep(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One change of one field."""

    op: Literal["set", "move", "remove"]
    path: str
    to: str | None = None
    """Where a moved field goes."""
    value: msgspec.Raw = msgspec.Raw(b"")
    """What a field is set to, as JSON."""


_steps = msgspec.json.Decoder(list[PatchStep])


def set_field(text: str) -> PatchStep:
    """`path=json`; what is not JSON is taken as text. Raises ValueError."""
    path, value = _halves(text)
    try:
        raw = _encode(_decode(value))
    except msgspec.MsgspecError:
        raw = _encode(value)
    return PatchStep("set", path, value=msgspec.Raw(raw))


def move_field(text: str) -> PatchStep:
    """`from=to`. Raises ValueError."""
    path, to = _halves(text)
    return PatchStep("move", path, to=_checked(to))


def remove_field(text: str) -> PatchStep:
    """`path`. Raises ValueError."""
    return PatchStep("remove", _checked(text))


def read_steps(stored: bytes | str | list[Any]) -> list[PatchStep]:
    """Steps as they were stored. Raises msgspec.ValidationError where they are none."""
    return _steps.decode(_encode(stored) if isinstance(stored, list) else stored)


def write_steps(steps: Sequence[PatchStep]) -> bytes:
    """Steps as JSON."""
    return _encode(steps)


def apply(event: LandedEvent, steps: Iterable[PatchStep]) -> LandedEvent:
    """The event as staging is to see it; a payload that is no JSON object stays as it is."""
    try:
        payload = _decode(event.payload)
    except msgspec.MsgspecError:
        return event
    if type(payload) is not dict:
        return event
    return msgspec.structs.replace(event, payload=_encode(patch(payload, steps)))


def patch(payload: Json, steps: Iterable[PatchStep]) -> Json:
    """The payload after each step in turn; the one given is not changed."""
    result: Json = _decode(_encode(payload))
    for step in steps:
        match step.op:
            case "set":
                _put(result, step.path, _decode(step.value))
            case "move":
                value = _take(result, step.path)
                if value is not _MISSING and step.to is not None:
                    _put(result, step.to, value)
            case "remove":
                _take(result, step.path)
    return result


def _put(payload: Json, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    place = payload
    for name in outer:
        inner = place.get(name)
        if type(inner) is not dict:
            inner = place[name] = {}
        place = inner
    place[last] = value


def _take(payload: Json, path: str) -> Any:
    *outer, last = path.split(".")
    place: Any = payload
    for name in outer:
        place = place.get(name) if type(place) is dict else None
    return place.pop(last, _MISSING) if type(place) is dict else _MISSING


def _halves(text: str) -> tuple[str, str]:
    path, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{text!r} has no '='")
    return _checked(path), value


def _checked(path: str) -> str:
    path = path.strip()
    if not path or not all(path.split(".")):
        raise ValueError(f"{path!r} is no path: names joined by dots")
    return path
