"""Sends the plan over real HTTP and counts the answers: what was answered 200 must be found again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sitevault.client.http import Line, Reply
from sitevault.demo.plan import ONE_PATH, Parcel
from sitevault.demo.tenants import Keyholder
from sitevault.errors import SitevaultError

SENDERS = 3
_TRANSIENT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_TRIES = 20


@dataclass
class Answered:
    """Events by what the collector answered, per tenant id, and answers that were not the expected ones."""

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)

    def add(self, other: Answered) -> None:
        """Count another's answers, too."""
        self.accepted.update(other.accepted)
        self.refused.update(other.refused)
        self.surprises.extend(other.surprises)


def send_parcels(
    url: str, holders: Sequence[Keyholder], parcels: Sequence[Parcel], heard: Callable[[int], None]
) -> Answered:
    """Every parcel, by a few senders side by side; `heard` is told how many events got an answer."""
    with ThreadPoolExecutor(SENDERS) as pool:
        shares = [parcels[place::SENDERS] for place in range(SENDERS)]
        total = Answered()
        for answered in pool.map(lambda share: _send_share(url, holders, share, heard), shares):
            total.add(answered)
    return total


def send_live(url: str, holder: Keyholder, events: Iterable[bytes], agent: str) -> tuple[Answered, list[str]]:
    """One event after the other, each answered when it is in the vault; returns the event ids, too."""
    answered, event_ids = Answered(), []
    with Line(url, holder.key, user_agent=agent) as line:
        for body in events:
            reply = _post(line, f"{ONE_PATH}?wait=vault", body, {})
            if reply.status == HTTPStatus.OK:
                answered.accepted[holder.tenant.tenant_bk] += 1
                event_ids.append(str(reply.content["event_id"]))
            else:
                answered.surprises.append(f"a single event was answered {reply.status}: {reply.code}")
    return answered, event_ids


def _send_share(
    url: str, holders: Sequence[Keyholder], parcels: Sequence[Parcel], heard: Callable[[int], None]
) -> Answered:
    answered = Answered()
    with ExitStack() as stack:
        lines = {holder.tenant.tenant_bk: stack.enter_context(Line(url, holder.key)) for holder in holders}
        for parcel in parcels:
            agent = {"User-Agent": parcel.user_agent}
            reply = _post(lines[parcel.tenant_bk], parcel.path, parcel.body, agent)
            accepted, refused = _count(parcel, reply)
            answered.accepted[parcel.tenant_bk] += accepted
            answered.refused[parcel.tenant_bk] += refused
            if (accepted, refused) != (parcel.accepted, parcel.refused):
                answered.surprises.append(
                    f"{parcel.accepted} good and {parcel.refused} bad events were answered {reply.status}: "
                    f"{accepted} accepted, {refused} refused"
                )
            heard(parcel.accepted + parcel.refused)
    return answered


def _count(parcel: Parcel, reply: Reply) -> tuple[int, int]:
    content: dict[str, Any] = reply.content
    if "results" in content:
        return int(content["accepted"]), int(content["rejected"])
    return (1, 0) if reply.status == HTTPStatus.OK else (0, parcel.accepted + parcel.refused)


def _post(line: Line, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    for _ in range(_TRIES):
        reply = line.post(path, body, headers)
        if reply.status not in _TRANSIENT:
            return reply
        time.sleep(reply.retry_after or 0.5)
    raise SitevaultError(
        f"The collector stayed busy: {reply.message}", fix="Its log is in the home's log directory."
    )
