"""A tenant whose events stopped coming."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.queue import Rhythm
from sitevault.doctor.snapshot import Snapshot

ID = "queue.silence"
LEAST_SPAN = 7 * 86_400
LEAST_MINUTES = 50
SHORTEST = 3_600
TIMES = 2


def _look(snapshot: Snapshot) -> Outcome:
    known = [one for one in snapshot.rhythms if _has_a_rhythm(one)]
    young = len(snapshot.rhythms) - len(known)
    notes = (f"{young} tenants have too short a history to have a rhythm, and are not judged",) if young else ()
    findings = tuple(_finding(snapshot, one) for one in known if _silent(one))
    return Outcome("tenants' rhythms", len(known), findings, nothing_is_fine=True, notes=notes)


def _has_a_rhythm(rhythm: Rhythm) -> bool:
    return rhythm.span_seconds >= LEAST_SPAN and rhythm.minutes >= LEAST_MINUTES


def _silent(rhythm: Rhythm) -> bool:
    return rhythm.silent_seconds > max(SHORTEST, TIMES * (rhythm.longest_pause_seconds or 0))


def _finding(snapshot: Snapshot, rhythm: Rhythm) -> Finding:
    longest = say.age(rhythm.longest_pause_seconds or 0)
    return Finding(
        ID,
        Verdict.WARNING,
        f"tenant {snapshot.tenant_name(rhythm.tenant_hk)}",
        f"no event for {say.age(rhythm.silent_seconds)}; in {say.age(rhythm.span_seconds)} before, the longest "
        f"pause was {longest}",
        (
            Evidence(
                snapshot.event_table.full_name,
                "minutes with events, over which the pauses were measured",
                counts={"minutes": rhythm.minutes},
            ),
        ),
    )


CHECK = Check(
    id=ID,
    title="No tenant has fallen silent",
    why="A snippet that was removed, a key that was revoked, a proxy that answers instead of us: nothing fails, "
    "the events are just not there. Only the tenant's own rhythm can tell.",
    looks_at="The pauses between the minutes in which events came, per tenant, over the newest 200,000 manifests "
    f"or rows. Flagged is a tenant that has been silent for more than {TIMES} times its longest pause, and at "
    f"least an hour. A tenant with less than a week of history, or fewer than fifty minutes with events, has no "
    f"rhythm yet and is not judged; suspended tenants neither.",
    mend="Send an event with the tenant's key by `sitevault send`; if it arrives, look at the site.",
    look=_look,
)
