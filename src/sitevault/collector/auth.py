"""Which key a request carries: header beats path beats body."""

from __future__ import annotations

import binascii
from base64 import b64decode

import msgspec

from sitevault.collector.answers import RefusedError
from sitevault.collector.request import Request
from sitevault.reasons import Reason
from sitevault.tenancy.keyring import KeyGrant, Keyring, origin_allowed

MAX_KEY_CHARACTERS = 256


class _WithKey(msgspec.Struct, gc=False):
    api_key: str | None = None


_decode_key = msgspec.json.Decoder(_WithKey).decode


async def admit(request: Request, keyring: Keyring, key: str | None) -> KeyGrant:
    """The grant of a key for this request's origin, remembered on the request.

    Raises RefusedError. A key we do not know is looked for once more in the database: it may be new.
    """
    if not key:
        raise RefusedError(Reason.AUTH_MISSING_KEY)
    if len(key) > MAX_KEY_CHARACTERS:
        raise RefusedError(Reason.AUTH_UNKNOWN_KEY)
    found = keyring.find(key)
    if not isinstance(found, KeyGrant):
        found = await keyring.find_fresh(key)
    if not isinstance(found, KeyGrant):
        raise RefusedError(found)
    if not origin_allowed(found, request.text(b"origin")):
        raise RefusedError(Reason.ORIGIN_NOT_ALLOWED)
    request.grant = found
    return found


def key_of(request: Request) -> str | None:
    """The key in the headers, else in the path. Raises RefusedError when two headers name different keys.

    An Authorization of another scheme or one that cannot be read names no key.
    """
    headers = request.headers
    if b"authorization" not in headers and b"x-api-key" not in headers:
        return request.path_key
    keys = {key for value in request.all(b"authorization") if (key := _authorized(value))}
    keys |= {key for value in request.all(b"x-api-key") if (key := value.decode("latin-1").strip())}
    if len(keys) > 1:
        raise RefusedError(Reason.AUTH_CONFLICTING_KEYS)
    return keys.pop() if keys else request.path_key


def key_in_body(body: bytes) -> str | None:
    """The text under `api_key` at the top of a JSON object; None for anything else."""
    try:
        return _decode_key(body).api_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _authorized(value: bytes) -> str | None:
    scheme, _, rest = value.strip().partition(b" ")
    credentials = rest.strip()
    if scheme.lower() == b"bearer":
        return credentials.decode("latin-1")
    if scheme.lower() != b"basic":
        return None
    try:
        return b64decode(credentials, validate=True).decode("latin-1").partition(":")[0]
    except (binascii.Error, ValueError):
        return None
