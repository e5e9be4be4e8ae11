"""What staging prepares once per tenant: its mapping, its schemas and its hash keys."""

from __future__ import annotations

import hashlib

from sitevault.hashkeys import GHOST, encode_part, key_prefix, pseudonym
from sitevault.staging.contract import Contract
from sitevault.staging.mapping import FieldMapping
from sitevault.staging.model import TenantRules

DOMAINS = ("session", "visitor", "page", "user", "campaign")


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

    __slots__ = ("_campaigns", "_known", "_prefixes", "_pseudonyms", "_secret")

    def __init__(self, rules: TenantRules) -> None:
        self._secret = rules.secret
        self._prefixes = {domain: key_prefix(domain, rules.tenant_hk) for domain in DOMAINS}
        self._known: dict[str, dict[str, bytes]] = {domain: {} for domain in DOMAINS}
        self._campaigns: dict[tuple[str | None, ...], bytes] = {}
        self._pseudonyms: dict[str, str] = {}

    def forget(self) -> None:
        """Drop what the last batch left, so that memory stays flat."""
        for known in self._known.values():
            known.clear()
        self._campaigns.clear()
        self._pseudonyms.clear()

    def key(self, domain: str, part: str | None) -> bytes:
        """The hash key of a business key of one part; the ghost when it is unknown."""
        if part is None:
            return GHOST
        known = self._known[domain]
        key = known.get(part)
        if key is None:
            key = known[part] = hashlib.sha256(self._prefixes[domain] + encode_part(part)).digest()
        return key

    def campaign(self, source: str | None, medium: str | None, name: str | None) -> bytes:
        """The hash key of a campaign; the ghost when all of it is unknown."""
        if source is None and medium is None and name is None:
            return GHOST
        parts = (source, medium, name)
        key = self._campaigns.get(parts)
        if key is None:
            encoded = b"".join(map(encode_part, parts))
            key = self._campaigns[parts] = hashlib.sha256(self._prefixes["campaign"] + encoded).digest()
        return key

    def pseudonym(self, user_id: str) -> str:
        """The user's business key: only this tenant's secret makes it from the id."""
        known = self._pseudonyms.get(user_id)
        if known is None:
            known = self._pseudonyms[user_id] = pseudonym(self._secret, user_id)
        return known
