"""Somebody works where work is waiting."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "queue.workers"


def _look(snapshot: Snapshot) -> Outcome:
    limit = snapshot.options.pending_limit_seconds
    late = [one for one in snapshot.waiting if one.seconds > limit]
    waiting = sum(one.events for one in snapshot.waiting)
    if not late:
        return Outcome("waiting events", waiting, nothing_is_fine=True)
    workers = snapshot.workers
    oldest = max(one.seconds for one in late)
    done = workers.last_done_seconds
    if workers.connected or (workers.connected is None and done is not None and done < min(oldest, limit)):
        return Outcome("waiting events", waiting)
    verdict = Verdict.PROBLEM if workers.connected == 0 else Verdict.WARNING
    last = "nothing was ever done" if done is None else f"the last work was done {say.age(done)} ago"
    who = "no worker is connected" if workers.connected == 0 else "nobody seems to work"
    return Outcome(
        "waiting events",
        waiting,
        (
            Finding(
                ID,
                verdict,
                "the queue",
                f"{say.events(waiting)} wait and {who}: {last}",
                (Evidence(snapshot.event_table.full_name, last, counts={"pending": waiting}),),
                repair="sitevault serve --only worker" if snapshot.is_house else None,
            ),
        ),
    )


CHECK = Check(
    id=ID,
    title="Somebody works where work is waiting",
    why="A queue with nobody at it looks healthy from every side but its own: nothing fails.",
    looks_at="Only asked where events wait longer than they may. In our house: sessions of sitevault_worker and "
    "the newest load. In the guide's shape a worker cannot be told from any other session, so the newest staged "
    "row must be younger than what waits.",
    mend="Start a worker; where a scheduled job calls the function, see that it is there and enabled.",
    look=_look,
)
