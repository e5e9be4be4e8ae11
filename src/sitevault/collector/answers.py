"""What goes back to the client: one JSON shape for every refusal, and the headers of each kind of answer."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import msgspec

from sitevault.reasons import EXPLAINED, Reason, http_status

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

JSON: Headers = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
RETRY_SECONDS = 1
"""What a client is told to wait when we cannot know better."""

_encode = msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Headers = JSON
    reason: Reason | None = None
    """Why it is a refusal; None for a success."""


class RefusedError(Exception):
    """The request as a whole is refused."""

    def __init__(self, reason: Reason, *, retry_after: float = RETRY_SECONDS, headers: Headers = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.headers = headers


def success(content: dict[str, Any]) -> Answer:
    """200, the only status that means stored."""
    return Answer(HTTPStatus.OK, _encode({"success": True, **content}))


def landed(event_id: str) -> Answer:
    """One event was committed; written without an encoder because it is the answer to nearly everything."""
    return Answer(HTTPStatus.OK, b'{"success":true,"event_id":"%b","status":"landed"}' % event_id.encode())


def results(listed: list[dict[str, Any]], refused: list[Reason]) -> Answer:
    """The answer to a batch: a result per event in their order; 200 unless every event was refused."""
    rejected = len(refused)
    body = {
        "success": not refused,
        "accepted": len(listed) - rejected,
        "rejected": rejected,
        "results": listed,
    }
    if rejected < len(listed):
        return Answer(HTTPStatus.OK, _encode(body))
    return Answer(HTTPStatus.BAD_REQUEST, _encode({**body, **problem(refused[0])}), reason=refused[0])


def problem(reason: Reason) -> dict[str, str]:
    """A reason as the fields every refusal has."""
    return {"code": reason.value, "message": EXPLAINED[reason].meaning}


def refusal(reason: Reason, *, retry_after: float = RETRY_SECONDS, headers: Headers = ()) -> Answer:
    """A request refused as a whole, with the status of the reason and Retry-After where trying again may help."""
    status = http_status(reason)
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers = (*headers, (b"retry-after", str(max(1, ceil(retry_after))).encode()))
    if status == HTTPStatus.UNAUTHORIZED:
        headers = (*headers, (b"www-authenticate", b'Bearer realm="sitevault"'))
    return Answer(status, _encode({"success": False, **problem(reason)}), (*JSON, *headers), reason)
