"""Heads of the audit log, signed, in a file that leaves the house.

Whoever can rewrite the database can rewrite its chains; not what was published before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sitevault.audit import dsse
from sitevault.audit.chain import Chain, Head
from sitevault.audit.model import Verdict
from sitevault.errors import SitevaultError
from sitevault.tenancy.audit_log import canonical, wire_time

PAYLOAD_TYPE = "application/vnd.sitevault.audit-heads+json"


class SealError(SitevaultError):
    """A seal is not one of ours, or not what was signed."""


def seal(chains: Iterable[Chain], key: Path, sealed_at: datetime) -> str:
    """The heads of whole chains as a signed envelope. Raises SealError for a broken one: nobody vouches for it."""
    listed = list(chains)
    broken = [chain.tenant for chain in listed if chain.verdict is not Verdict.OK]
    if broken:
        raise SealError(f"The audit log is broken for {', '.join(broken)}.", command="sitevault audit chain")
    heads: Any = [asdict(chain.head) for chain in listed]
    payload = canonical({"heads": heads, "sealed_at": wire_time(sealed_at)}).encode()
    return dsse.sign(PAYLOAD_TYPE, payload, key).text(indent=2)


def open_seal(text: str, public_key: Path) -> list[Head]:
    """The heads of an envelope that this key signed. Raises SealError."""
    try:
        payload, _ = dsse.verify(dsse.parse(text, PAYLOAD_TYPE), {str(public_key): public_key})
    except dsse.EnvelopeError as error:
        raise SealError(f"This is not a seal of the audit log: {error.message}") from error
    return [Head(**head) for head in json.loads(payload)["heads"]]
