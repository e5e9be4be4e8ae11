"""Which mapping and which rules of staging a release expects of its workers."""

from __future__ import annotations

import hashlib
from importlib.resources import files

_FILES = ("mapping.toml", "rules.py")


def digest() -> str:
    """SHA-256 over the declared mapping and the rules, as this Sitevault has them."""
    whole = hashlib.sha256()
    for name in _FILES:
        text = files("sitevault.staging").joinpath(name).read_bytes()
        whole.update(f"{name} {hashlib.sha256(text).hexdigest()}\n".encode())
    return whole.hexdigest()
