"""What the payloads carry: keys, how often and of what kind, per tenant and event type. Never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sitevault.doctor.sample import SampledEvent

DEEPEST = 8
MOST_PATHS = 400
"""Of one kind of event; a payload whose keys are data would otherwise make a path of each."""

_KINDS = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}

Group = tuple[bytes | None, str | None]
"""A tenant and an event type; None where the event has none."""


@dataclass
class KeyUse:
    """How often a key is there, with what kinds of value."""

    present: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def kind(self) -> str:
        """The kind it mostly has."""
        return self.kinds.most_common(1)[0][0] if self.kinds else "null"


@dataclass
class Profile:
    """One tenant's events of one type: how many were looked at, and each key path (`event_data.session_id`)."""

    events: int = 0
    keys: dict[str, KeyUse] = field(default_factory=dict)
    truncated: bool = False

    def add(self, payload: Any) -> None:
        """Count one event's keys."""
        self.events += 1
        for path, kind in paths_of(payload):
            use = self.keys.get(path)
            if use is None:
                if len(self.keys) >= MOST_PATHS:
                    self.truncated = True
                    continue
                use = self.keys[path] = KeyUse()
            use.present += 1
            use.kinds[kind] += 1

    def present(self, path: str) -> int:
        """In how many of the events a key path is."""
        use = self.keys.get(path)
        return use.present if use else 0


@dataclass(frozen=True)
class Payloads:
    """The profiles of a sample."""

    groups: Mapping[Group, Profile]

    @property
    def events(self) -> int:
        return sum(one.events for one in self.groups.values())

    @property
    def paths(self) -> frozenset[str]:
        """Every key path that any payload carries."""
        return frozenset(path for one in self.groups.values() for path in one.keys)

    def present(self, path: str) -> tuple[int, int]:
        """In how many events of how many a key path is."""
        return sum(one.present(path) for one in self.groups.values()), self.events

    def of_type(self, event_type: str | None) -> Profile:
        """All tenants' events of one type together."""
        return merged(one for (_, kind), one in self.groups.items() if kind == event_type)


def profile(events: Iterable[SampledEvent]) -> Payloads:
    """The keys of a sample of events."""
    groups: dict[Group, Profile] = {}
    for event in events:
        groups.setdefault((event.tenant_hk, event.event_type), Profile()).add(event.payload)
    return Payloads(groups)


def merged(profiles: Iterable[Profile]) -> Profile:
    """Several profiles as one."""
    whole = Profile()
    for one in profiles:
        whole.events += one.events
        whole.truncated |= one.truncated
        for path, use in one.keys.items():
            into = whole.keys.setdefault(path, KeyUse())
            into.present += use.present
            into.kinds.update(use.kinds)
    return whole


def paths_of(payload: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every key path of an object with the kind of its value; what is in a list is not told apart."""
    if not isinstance(payload, dict) or depth >= DEEPEST:
        return
    for key, value in payload.items():
        path = f"{prefix}.{key}" if prefix else key
        yield path, _KINDS.get(type(value), "null")
        if isinstance(value, dict):
            yield from paths_of(value, path, depth + 1)
