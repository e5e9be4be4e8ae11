"""Letting pages of other origins send events: the preflight, and the headers of the answer itself."""

from __future__ import annotations

import re
from http import HTTPStatus

from sitevault.collector.answers import Answer, Headers
from sitevault.collector.request import Request
from sitevault.tenancy.keyring import KeyGrant, origin_allowed
from sitevault.tenancy.keys import KeyKind

PREFLIGHT_SECONDS = 86_400
USUAL_HEADERS = b"authorization, content-encoding, content-type, x-api-key"

_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")
_VARY = (b"vary", b"origin")


def preflight(request: Request, methods: str, grant: KeyGrant | None) -> Answer:
    """The answer to OPTIONS.

    A preflight carries no key unless the path does, so it lets every origin ask; whether the answer may be
    read is decided when the key is known. With a key in the path its list decides already here.
    """
    asked = request.headers.get(b"access-control-request-headers", b"")
    headers: Headers = (
        (b"access-control-allow-methods", methods.encode()),
        (b"access-control-allow-headers", asked if _HEADER_NAMES.fullmatch(asked) else USUAL_HEADERS),
        (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
        (b"allow", methods.encode()),
    )
    origin = request.headers.get(b"origin")
    if origin and (grant is None or origin_allowed(grant, request.text(b"origin"))):
        headers = (*headers, (b"access-control-allow-origin", origin), _VARY)
    return Answer(HTTPStatus.OK, b"", headers)


def readable(request: Request) -> Headers:
    """The headers that let the page at an allowed origin read the answer; none for secret keys."""
    origin = request.headers.get(b"origin")
    if not origin or request.grant is None or request.grant.kind is not KeyKind.PUBLIC:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"retry-after"),
        _VARY,
    )
