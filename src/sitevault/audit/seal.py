"""Heads of the audit log, signed, in a file that leaves the house: a DSSE envelope with Ed25519.

Whoever can rewrite the database can rewrite its chains; not what was published before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sitevault.audit.chain import Chain, Head
from sitevault.audit.model import Verdict
from sitevault.errors import SitevaultError, UsageError
from sitevault.tenancy.audit_log import canonical, wire_time

PAYLOAD_TYPE = "application/vnd.sitevault.audit-heads+json"


class SealError(SitevaultError):
    """A seal is not one of ours, or not what was signed."""


def make_key(path: Path) -> Path:
    """A new private key in `path`, readable by its owner alone; returns the path of the public one beside it.

    Raises UsageError where there is one already: overwriting it would orphan every seal it made.
    """
    key = Ed25519PrivateKey.generate()
    public = path.with_suffix(path.suffix + ".pub")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"There is a key in {path} already.", fix="Name another file.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def seal(chains: Iterable[Chain], key: Path, sealed_at: datetime) -> str:
    """The heads of whole chains as a signed envelope. Raises SealError for a broken one: nobody vouches for it."""
    listed = list(chains)
    broken = [chain.tenant for chain in listed if chain.verdict is not Verdict.OK]
    if broken:
        raise SealError(f"The audit log is broken for {', '.join(broken)}.", command="sitevault audit chain")
    private = _private(key)
    heads: Any = [asdict(chain.head) for chain in listed]
    payload = canonical({"heads": heads, "sealed_at": wire_time(sealed_at)}).encode()
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {
                "keyid": key_id(private.public_key()),
                "sig": base64.b64encode(private.sign(_encoded(payload))).decode(),
            }
        ],
    }
    return json.dumps(envelope, indent=2) + "\n"


def open_seal(text: str, public_key: Path) -> list[Head]:
    """The heads of an envelope that this key signed. Raises SealError."""
    public = _public(public_key)
    try:
        envelope = json.loads(text)
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise SealError(f"This is a seal of something else: {envelope['payloadType']}.")
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [
            base64.b64decode(one["sig"], validate=True)
            for one in envelope["signatures"]
            if one["keyid"] == key_id(public)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise SealError("This is not a seal of the audit log.") from error
    if not any(_signed(public, signature, payload) for signature in signatures):
        raise SealError(f"This seal was not signed by {public_key}, or was changed since.")
    return [Head(**head) for head in json.loads(payload)["heads"]]


def key_id(public: Ed25519PublicKey) -> str:
    """The SHA-256 of the public key's 32 bytes, in hexadecimal."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def _encoded(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed names its type and cannot be taken for another's."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signed(public: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        public.verify(signature, _encoded(payload))
    except InvalidSignature:
        return False
    return True


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} holds no private key: {error}", command=f"sitevault audit keygen {path}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"The key in {path} is not an Ed25519 key.", command=f"sitevault audit keygen {path}")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} holds no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"The key in {path} is not an Ed25519 key.")
    return key
