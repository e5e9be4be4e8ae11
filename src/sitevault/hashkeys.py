"""Hash keys of the vault: injective by construction, the same in Python and in SQL.

    hash_key = sha256( version || enc(domain) || tenant_hk || enc(part_1) || enc(part_2) ... )
    enc(x)   = 0x00                                  for None
             | 0x01 || int4be(length) || utf8(NFC(x)) otherwise

Every part is length-prefixed, so no choice of parts can imitate another; the tenant is inside, so two
tenants never share a key; nothing is folded to upper case, because cookies, session ids and URL paths
are case-sensitive. `business.hash_key(domain, tenant_hk, parts)` is the SQL twin; the vectors in
tests/unit/hashkeys_vectors.json hold for both.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

SPEC_VERSION = b"\x01"
HASH_BYTES = 32
GHOST = bytes(HASH_BYTES)
"""The key of the unknown member of every hub: a reference is never NULL."""


def encode_part(part: str | None) -> bytes:
    """One part of a business key as an injective byte string; None and '' differ."""
    if part is None:
        return b"\x00"
    raw = (part if part.isascii() else unicodedata.normalize("NFC", part)).encode("utf-8")
    return b"\x01" + len(raw).to_bytes(4, "big") + raw


def tenant_key(tenant_bk: str) -> bytes:
    """The 32-byte tenant_hk of a tenant id (guessable from the id: a name, never a credential)."""
    return hashlib.sha256(SPEC_VERSION + encode_part("tenant") + encode_part(tenant_bk)).digest()


def key_prefix(domain: str, tenant_hk: bytes) -> bytes:
    """The part of a hash key's input that is the same for every key of a domain and tenant."""
    if len(tenant_hk) != HASH_BYTES:
        raise ValueError(f"tenant_hk must be {HASH_BYTES} bytes, not {len(tenant_hk)}")
    return SPEC_VERSION + encode_part(domain) + tenant_hk


def hash_key(domain: str, tenant_hk: bytes, *parts: str | None) -> bytes:
    """The 32-byte hash key of a business key within a tenant."""
    return hashlib.sha256(key_prefix(domain, tenant_hk) + b"".join(map(encode_part, parts))).digest()


def pseudonym(secret: bytes, value: str) -> str:
    """A low-entropy identifier (e-mail, phone, login) as 64 hex digits only its tenant could have made.

    HMAC-SHA256 (RFC 2104) with the tenant's secret: a plain hash of an e-mail is found by trying e-mails.
    """
    return hmac.new(secret, encode_part(value), hashlib.sha256).hexdigest()
