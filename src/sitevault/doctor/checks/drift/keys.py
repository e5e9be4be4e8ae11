"""Keys that appeared, vanished or changed their type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.payloads import Group, Profile
from sitevault.doctor.sample import SampledEvent
from sitevault.doctor.snapshot import Snapshot

ID = "drift.keys"
BEFORE, NOW = 0.3, 0.2
"""The first part of a group's events is its history, the last part what is held against it."""
LEAST = 30
MOSTLY, HARDLY = 0.8, 0.05


def _look(snapshot: Snapshot) -> Outcome:
    groups: dict[Group, list[SampledEvent]] = defaultdict(list)
    for event in snapshot.sample.events:
        if event.received is not None:
            groups[event.tenant_hk, event.event_type].append(event)
    judged = {group: events for group, events in groups.items() if NOW * len(events) >= LEAST}
    findings = tuple(finding for group, events in judged.items() for finding in _changes(snapshot, group, events))
    few = len(groups) - len(judged)
    notes = (snapshot.sample.how,) + ((f"{few} kinds of event with too few events to tell",) if few else ())
    return Outcome("kinds of event", len(judged), findings, nothing_is_fine=True, notes=notes)


def _changes(snapshot: Snapshot, group: Group, events: list[SampledEvent]) -> Iterator[Finding]:
    ordered = sorted(events, key=lambda event: (event.received is None, event.received))
    before, now = Profile(), Profile()
    for event in ordered[: int(len(ordered) * BEFORE)]:
        before.add(event.payload)
    for event in ordered[-int(len(ordered) * NOW) :]:
        now.add(event.payload)
    if before.truncated or now.truncated:
        return
    changes = [
        (path, what)
        for path in sorted(before.keys.keys() | now.keys.keys())
        if (what := _change(path, before, now)) is not None
    ]
    tenant, kind = group
    if changes:
        yield Finding(
            ID,
            Verdict.WARNING,
            f"{kind or '(no event type)'} of tenant {snapshot.tenant_name(tenant)}",
            f"{len(changes)} keys of these payloads changed",
            tuple(Evidence(path, what) for path, what in changes),
        )


def _change(path: str, before: Profile, now: Profile) -> str | None:
    then, later = before.present(path), now.present(path)
    was, is_ = then / before.events, later / now.events
    counts = f"in {say.share(then, before.events)} events before, in {say.share(later, now.events)} now"
    if was >= MOSTLY and is_ <= HARDLY:
        return f"vanished: {counts}"
    if was <= HARDLY and is_ >= MOSTLY:
        return f"appeared: {counts}"
    if min(then, later) >= LEAST:
        old, new = before.keys[path], now.keys[path]
        old_share = old.kinds[old.kind] / old.present
        new_share = new.kinds[new.kind] / new.present
        if old.kind != new.kind and min(old_share, new_share) >= MOSTLY:
            return f"was a {old.kind}, is a {new.kind} now"
    return None


CHECK = Check(
    id=ID,
    title="Payloads are what they were",
    why="A site's release renames a key, and a column is NULL from then on. Nothing fails; the first to see it is "
    "whoever misses the figures.",
    looks_at=f"Per tenant and event type, the first {BEFORE:.0%} of the sampled events against the last "
    f"{NOW:.0%}: keys that were in {MOSTLY:.0%} of them and are in {HARDLY:.0%} at most now, or the other way "
    f"round, and keys whose type changed, nested ones too. With fewer than {LEAST} events in the last part "
    f"nothing is said: by chance alone a key that four of five events carry would be missing from thirty of them "
    f"less than once in ten to the twentieth.",
    mend="Ask whoever made the site's last release; give the mapping the new path.",
    look=_look,
)
