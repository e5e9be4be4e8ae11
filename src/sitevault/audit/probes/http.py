"""Over the wire: what a collector of its own answers to one tenant about another, and what it writes down."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.collector.server import running
from sitevault.config import Config
from sitevault.log import JsonFormatter
from sitevault.tenancy.keys import KeyKind, make_key

_EVENTS = "/api/v1/events/"
_SECONDS = 10


class Said(NamedTuple):
    status: int
    body: str
    headers: dict[str, str]

    @property
    def outcome(self) -> Outcome:
        return Outcome([self.body], 1, None if self.status == 200 else f"HTTP {self.status}", self.body)


class _Listener(logging.Handler):
    """Every line that would be logged."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _over_http(ground: Ground) -> Iterator[Probed]:
    listener = _Listener()
    logger = logging.getLogger("sitevault")
    logger.addHandler(listener)
    try:
        yield from asyncio.run(_ask(ground))
    finally:
        logger.removeHandler(listener)
    tally = Tally("http.logs", "collector", "log lines of all these requests", "no key, no mark of a tenant")
    text = "\n".join(listener.lines)
    secrets = [canary.key for canary in ground.canaries]
    betrayed = any(key in text for key in secrets) or any(one.betrayed_by(text) for one in ground.canaries)
    tally.note("log", Outcome(listener.lines, len(listener.lines)), well=not betrayed)
    yield tally.result()


async def _ask(ground: Ground) -> list[Probed]:
    async with running(ground.database, Config(port=0, host="127.0.0.1")) as url:
        return await asyncio.to_thread(lambda: list(_asked(ground, url)))


def _asked(ground: Ground, url: str) -> Iterator[Probed]:
    a, b, suspended, nobody = ground.canaries
    own = _get(url, f"{_EVENTS}{a.event_id}", a.key)
    theirs = _get(url, f"{_EVENTS}{b.event_id}", a.key)
    nowhere = _get(url, f"{_EVENTS}{nobody.event_id}", a.key)

    tally = Tally("http.control", "tenant a", "GET the receipt of its own event", "200")
    tally.note("own receipt", own.outcome, well=own.status == 200 and str(a.event_id) in own.body)
    yield tally.result()

    tally = Tally(
        "http.receipt", "tenant a", "GET the receipts of b's event and of an event nobody has", "the same answer"
    )
    same = (theirs.status, theirs.body) == (nowhere.status, nowhere.body)
    tally.note(
        "b's receipt", theirs.outcome, well=same and theirs.status == 404 and not b.betrayed_by(theirs.body)
    )
    yield tally.result()

    tally = Tally("http.status", "tenant a", "GET the ledger, and naming b in headers and query", "a's own ledger")
    plain = _get(url, "/api/v1/status", a.key)
    named = _get(url, f"/api/v1/status?tenant={b.tenant_bk}&tenant_hk={b.tenant_hk.hex()}", a.key, b.tenant_bk)
    tally.note("plain", plain.outcome, well=plain.status == 200 and not b.betrayed_by(plain.body))
    tally.note("naming b", named.outcome, well=_ledger(named) == _ledger(plain) and not b.betrayed_by(named.body))
    yield tally.result()

    tally = Tally("http.suspended", "suspended tenant", "GET its ledger", "403")
    refused = _get(url, "/api/v1/status", suspended.key)
    tally.note("status", refused.outcome, well=refused.status == 403)
    yield tally.result()

    tally = Tally("http.unknown_key", "nobody", "GET with keys nobody has", "401, always in the same words")
    answers = {
        (said.status, said.body)
        for key in (make_key(KeyKind.SECRET), make_key(KeyKind.PUBLIC), nobody.key, _almost(a.key), "x")
        for said in [_get(url, "/api/v1/status", key)]
    }
    (first, *_) = answers
    tally.note(
        "status",
        Outcome(list(answers), len(answers), f"HTTP {first[0]}"),
        well=len(answers) == 1 and first[0] == 401,
    )
    yield tally.result()

    tally = Tally("http.pages", "nobody", "GET metrics, health, errors and the description", "no mark of a tenant")
    for path in ("/metrics", "/health/live", "/health/ready", "/openapi.yaml", f"/k/{a.key}/nowhere", "/nowhere"):
        said = _get(url, path, None)
        text = said.body + json.dumps(said.headers)
        betrayed = a.key in text or any(one.betrayed_by(text) for one in ground.canaries)
        tally.note(path.replace(a.key, "KEY"), said.outcome, well=not betrayed)
    yield tally.result()


def _almost(key: str) -> str:
    return key[:-1] + ("1" if key.endswith("0") else "0")


def _ledger(said: Said) -> object:
    answer = json.loads(said.body)
    return answer.get("ledger")


def _get(url: str, path: str, key: str | None, names: str | None = None) -> Said:
    place = urlsplit(url)
    conn = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
    headers = {"X-Api-Key": key} if key else {}
    if names:
        headers |= {"X-Tenant": names, "X-Tenant-Id": names}
    try:
        conn.request("GET", path, headers=headers)
        answer = conn.getresponse()
        return Said(answer.status, answer.read().decode("utf-8", "replace"), dict(answer.getheaders()))
    finally:
        conn.close()


PROBES_OF_HTTP = (Probe("http", _over_http),)
