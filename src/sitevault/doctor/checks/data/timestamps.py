"""Times that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.timestamps"
TOLERANCE = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def _look(snapshot: Snapshot) -> Outcome:
    events = snapshot.sample.events
    now = snapshot.server.now
    table, column = snapshot.event_table.full_name, snapshot.event_table.received
    odd = {
        "lie in the future": sum(1 for one in events if one.received and one.received > now + TOLERANCE),
        "lie before the year 2000": sum(1 for one in events if one.received and one.received < EARLIEST),
        "are not known": sum(1 for one in events if one.received is None),
    }
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"{table}.{column}",
            f"the times of arrival of {say.share(count, len(events))} events {what}",
            (Evidence(f"{table}.{column}", what, counts={"events": count}),),
        )
        for what, count in odd.items()
        if count
    )
    return Outcome("events", len(events), findings, nothing_is_fine=True, notes=(snapshot.sample.how,))


CHECK = Check(
    id=ID,
    title="Times of arrival are times that can be",
    why="Windows, retention, partitions and every figure of today go by the time of arrival. One row from the "
    "future is in no report until then, and in every one from then on.",
    looks_at="The time of arrival of the sampled events, against the server's own clock.",
    mend="Let the database stamp the time of arrival (DEFAULT now()), and never the client.",
    look=_look,
)
