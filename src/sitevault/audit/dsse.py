"""What leaves the house signed: a DSSE envelope with one Ed25519 signature, and the keys for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sitevault.errors import SitevaultError, UsageError

LARGEST = 64 * 1024 * 1024
"""Characters of an envelope that are looked at; more are refused unread."""


class EnvelopeError(SitevaultError):
    """This is no signed envelope, it was changed, or nobody we know signed it."""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who signed, by the SHA-256 of the public key, and the signature in base64."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The envelope as it is written; members in DSSE's own spelling, payload in base64."""

    payloadType: str
    payload: str
    signatures: tuple[Signature]

    def text(self, indent: int | None = None) -> str:
        """As JSON: the same envelope is the same text."""
        separators = (",", ":") if indent is None else None
        return json.dumps(msgspec.to_builtins(self), indent=indent, separators=separators) + "\n"


class Opened(NamedTuple):
    """What was signed, and by which of the names that were trusted."""

    payload: bytes
    signer: str


def sign(kind: str, payload: bytes, key: Path) -> Envelope:
    """The payload signed as `kind`. Raises UsageError where `key` holds no Ed25519 private key."""
    private = _private(key)
    signature = private.sign(_encoded(kind, payload))
    return Envelope(
        kind,
        base64.b64encode(payload).decode(),
        (Signature(key_id(private.public_key()), base64.b64encode(signature).decode()),),
    )


def parse(text: str, kind: str, largest: int = LARGEST) -> Envelope:
    """The envelope that a text is, of this kind; nothing is verified yet. Raises EnvelopeError."""
    if len(text) > largest:
        raise EnvelopeError(f"This is no signed envelope: it is longer than {largest} characters.")
    try:
        envelope = msgspec.json.decode(text, type=Envelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise EnvelopeError(f"This is no signed envelope: {error}") from error
    if envelope.payloadType != kind:
        raise EnvelopeError(f"This envelope holds something else: {envelope.payloadType[:100]!r}.")
    return envelope


def verify(envelope: Envelope, trusted: Mapping[str, Path]) -> Opened:
    """The payload, and the name of `trusted` whose public key signed it. Raises EnvelopeError.

    Raises UsageError where a trusted file holds no public key: nobody is left out silently.
    """
    try:
        payload = base64.b64decode(envelope.payload, validate=True)
        signature = base64.b64decode(envelope.signatures[0].sig, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvelopeError(f"This is no signed envelope: {error}") from error
    keys = {name: public_key(path) for name, path in trusted.items()}
    signer = next((name for name, key in keys.items() if key_id(key) == envelope.signatures[0].keyid), None)
    if signer is None:
        raise EnvelopeError(f"Nobody known signed this; known are {', '.join(trusted) or 'none'}.")
    try:
        keys[signer].verify(signature, _encoded(envelope.payloadType, payload))
    except InvalidSignature as error:
        raise EnvelopeError(f"{signer} did not sign this, or it was changed since.") from error
    return Opened(payload, signer)


def make_key(path: Path) -> Path:
    """A new private key in `path`, readable by its owner alone; returns the path of the public one beside it.

    Raises UsageError where there is one already: overwriting it would orphan everything it signed.
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


def key_id(public: Ed25519PublicKey) -> str:
    """The SHA-256 of the public key's 32 bytes, in hexadecimal."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file. Raises UsageError where there is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} holds no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"The key in {path} is not an Ed25519 key.")
    return key


def public_of(path: Path) -> Ed25519PublicKey:
    """The public half of the private key in a file. Raises UsageError where there is none."""
    return _private(path).public_key()


def _encoded(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed names its type and cannot be taken for another's."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} holds no private key: {error}", command=f"sitevault audit keygen {path}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"The key in {path} is not an Ed25519 key.", command=f"sitevault audit keygen {path}")
    return key
