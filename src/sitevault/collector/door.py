"""What may come in: whatever passes here, PostgreSQL can store and cast to jsonb."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec

from sitevault.collector.answers import RefusedError
from sitevault.config import Config
from sitevault.reasons import Reason

SMALLEST_EXPONENT = -324
LONGEST_NUMBER = 1_000
"""Characters; jsonb refuses numbers of some 16,000 digits after the point, which no double has."""
DIGITS_OF_A_DOUBLE = 308

Suspects: TypeAlias = list[re.Pattern[bytes]]

_decode = msgspec.json.Decoder().decode

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NUMBER = re.compile(rb"-?[0-9][-+0-9.eE]*")
# In valid JSON a backslash stands only in strings, so an odd run of them before u0000 is that character, even
# where a later value of the same key hides it from the decoded event.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# Text first and the digit before it afterwards: 1.3 us for an event with "e-" in its ids, not 10.
_TINY = re.compile(rb"e-[0-9]{3}(?<=[0-9]e-[0-9]{3})")
_TINY_UPPER = re.compile(rb"E-[0-9]{3}(?<=[0-9]E-[0-9]{3})")
# Nothing times a power of ten that PostgreSQL's numeric cannot hold; what is not nothing, no double holds either.
_HUGE = re.compile(rb"0e\+?[0-9]{4}")
_HUGE_UPPER = re.compile(rb"0E\+?[0-9]{4}")
_SUSPECTS = ((rb"\u0000", _NUL), (b"e-", _TINY), (b"E-", _TINY_UPPER), (b"0e", _HUGE), (b"0E", _HUGE_UPPER))
"""A text that is searched as fast as memory is read, and what is looked for where it occurs."""
# What else does not fit has more digits in a row than a double, so many that six of every 51st byte are in it.
_TOO_MANY_DIGITS = re.compile(rb"[0-9]{%d}" % (DIGITS_OF_A_DOUBLE + 1))
_STRIDE = 51
_DIGITS_AT_STRIDE = re.compile(rb"[0-9]{%d}" % ((DIGITS_OF_A_DOUBLE + 1) // _STRIDE))
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_MOST_MARKS = 200_000
"""Strings and brackets; a quarter of a microsecond each while nothing else is answered."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def check(payload: bytes, config: Config, suspects: Suspects | None = None) -> Reason | None:
    """Why an event is refused; None when it is a JSON object within the limits that jsonb can hold.

    Of a key that occurs twice the last value counts, as in jsonb; the bytes are kept as they are. `suspects` are
    those of a body with this event in it.
    """
    if len(payload) > config.max_event_bytes:
        return Reason.EVENT_TOO_LARGE
    try:
        event = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return why_malformed(payload, error)
    if type(event) is not dict:
        return Reason.EVENT_NOT_AN_OBJECT
    found = suspects_of(payload) if suspects is None else [one for one in suspects if one.search(payload)]
    if _NUL in found:
        return Reason.JSON_NUL_CHARACTER
    if _needs_a_walk(payload, config) and (reason := _walk(event, config)) is not None:
        return reason
    if found and not numbers_fit(payload):
        return Reason.JSON_NUMBER_OUT_OF_RANGE
    return None


def suspects_of(body: bytes) -> Suspects:
    """What jsonb may refuse in a body that can be decoded; a batch is searched once for all its events."""
    found = [pattern for text, pattern in _SUSPECTS if text in body and pattern.search(body)]
    if _DIGITS_AT_STRIDE.search(body[_STRIDE - 1 :: _STRIDE]) and _TOO_MANY_DIGITS.search(body):
        found.append(_TOO_MANY_DIGITS)
    return found


def why_malformed(payload: bytes, error: Exception) -> Reason:
    """The reason behind a decoder's error."""
    match error:
        case UnicodeDecodeError():
            return Reason.JSON_NOT_UTF8
        case RecursionError():
            return Reason.JSON_TOO_DEEP
        case msgspec.ValidationError():
            # Where any type will do, a number is the only thing a decoder finds invalid.
            return Reason.JSON_NUMBER_OUT_OF_RANGE
    return Reason.JSON_LONE_SURROGATE if _only_surrogates_are_wrong(payload) else Reason.JSON_MALFORMED


def cut_depths(body: bytes, deepest: int) -> bytes:
    """A body without what is nested deeper than `deepest` levels, its brackets left where they were.

    Raises RefusedError where looking for them would take too long.
    """
    if sum(body.count(mark) for mark in (b'"', b"[", b"{")) > _MOST_MARKS:
        raise RefusedError(Reason.JSON_TOO_DEEP)
    kept: list[bytes] = []
    start = depth = 0
    for mark in _MARK.finditer(body):
        sign = mark[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth == deepest + 1:
                kept.append(body[start : mark.end()])
        elif sign in (b"]", b"}"):
            if depth == deepest + 1:
                start = mark.start()
            depth -= 1
    return b"".join(kept) if depth > deepest else b"".join((*kept, body[start:]))


def _only_surrogates_are_wrong(payload: bytes) -> bool:
    replaced, found = _SURROGATE.subn(rb"\\u0041", payload)
    if not found:
        return False
    try:
        _decode(replaced)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _needs_a_walk(payload: bytes, config: Config) -> bool:
    # Each of these is one pass at memchr speed; nearly every event ends here.
    return (
        payload.count(b"{") + payload.count(b"[") > config.max_json_depth or len(payload) > config.max_string_bytes
    )


def _walk(event: dict[str, Any], config: Config) -> Reason | None:
    """Depth and string lengths of a decoded event, without recursion."""
    level: list[Any] = [event]
    depth = 0
    while level:
        depth += 1
        if depth > config.max_json_depth:
            return Reason.JSON_TOO_DEEP
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                values: list[Any] = [*container, *container.values()]
            else:
                values = container
            for value in values:
                kind = type(value)
                if kind is str:
                    if reason := _check_string(value, config.max_string_bytes):
                        return reason
                elif kind is dict or kind is list:
                    below.append(value)
        level = below
    return None


def _check_string(text: str, limit: int) -> Reason | None:
    if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
        return Reason.STRING_TOO_LONG
    return None


def numbers_fit(payload: bytes) -> bool:
    """Whether jsonb, and then a double, can hold every number."""
    # In valid JSON a digit outside a string belongs to a number.
    return all(_number_fits(found[0]) for found in _NUMBER.finditer(_STRING.sub(b'""', payload)))


def _number_fits(number: bytes) -> bool:
    if len(number) > LONGEST_NUMBER or abs(float(number)) == float("inf"):
        return False
    _, exponential, exponent = number.lower().partition(b"e")
    return not exponential or SMALLEST_EXPONENT <= int(exponent) <= DIGITS_OF_A_DOUBLE
