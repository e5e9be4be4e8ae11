"""What staging prepares once per tenant: its mapping, its schemas and its hash keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sitevault.hashkeys import GHOST, encode_part, key_prefix, pseudonym
from sitevault.staging.contract import Contract
from sitevault.staging.mapping import FieldMapping
from sitevault.staging.model import TenantRules


class Tenant:
    """A tenant's rules, compiled. `keys` is per batch: it remembers what it has hashed."""

    __slots__ = ("contracts", "keys", "mapping", "rules")

    def __init__(self, rules: TenantRules) -> None:
        self.rules = rules
        self.mapping = FieldMapping(rules.mapping)
        self.contracts = {event_type: Contract(schema) for event_type, schema in rules.schemas.items()}
        self.keys = HashKeys(rules)


class HashKeys:
    """Hash keys of one tenant. Within a batch sessions, pages and visitors repeat, so each is hashed once."""

    __slots__ = ("_known", "_prefixes", "_pseudonyms", "_secret", "_tenant_hk")

    def __init__(self, rules: TenantRules) -> None:
        self._tenant_hk = rules.tenant_hk
        self._secret = rules.secret
        self._prefixes: dict[str, bytes] = {}
        self._known: dict[tuple[str, ...] | tuple[str | None, ...], bytes] = {}
        self._pseudonyms: dict[str, str] = {}

    def forget(self) -> None:
        """Drop what the last batch left, so that memory stays flat."""
        self._known.clear()
        self._pseudonyms.clear()

    def key(self, domain: str, *parts: str | None) -> bytes:
        """The hash key of a business key; the ghost when every part is unknown."""
        slot = (domain, *parts)
        known = self._known.get(slot)
        if known is None:
            known = self._known[slot] = self._hash(domain, parts)
        return known

    def pseudonym(self, user_id: str) -> str:
        """The user's business key: only this tenant's secret makes it from the id."""
        known = self._pseudonyms.get(user_id)
        if known is None:
            known = self._pseudonyms[user_id] = pseudonym(self._secret, user_id)
        return known

    def _hash(self, domain: str, parts: tuple[str | None, ...]) -> bytes:
        if all(part is None for part in parts):
            return GHOST
        prefix = self._prefixes.get(domain)
        if prefix is None:
            prefix = self._prefixes[domain] = key_prefix(domain, self._tenant_hk)
        encode: Callable[[str | None], bytes] = encode_part
        return hashlib.sha256(prefix + b"".join(map(encode, parts))).digest()
