"""The demonstration from the first tenant to the last proof: send, wait, and find every event again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import psycopg

from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.demo.plan import Expected, Plan, live_visits, make_plan
from sitevault.demo.send import Answered, send_live, send_parcels
from sitevault.demo.tenants import Keyholder, ensure_tenants
from sitevault.demo.traffic import BROWSER, funnel_of
from sitevault.errors import Exit
from sitevault.observe import kpis, ledger
from sitevault.observe.kpis import Kpi, Verdict, Window
from sitevault.observe.ledger import SQL, Ledger, Line
from sitevault.observe.trace import Journey, trace

LIVE_EVENTS = 20
SETTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Guided:
    """What became of the guide's events."""

    journeys: tuple[Journey, ...]
    processed: int
    valid: int
    enriched: int
    right_tenant: int
    sent: int

    @property
    def complete(self) -> bool:
        """All processed, VALID, ENRICHED, and under the tenant whose key sent them."""
        return self.sent == self.processed == self.valid == self.enriched == self.right_tenant


@dataclass(frozen=True)
class Account:
    """One tenant's events of this run: what was to come of them, and what did."""

    tenant_bk: str
    answered: int
    refused: int
    expected: Expected
    found: Line
    conflicts: int

    @property
    def exact(self) -> bool:
        """Answered 200 is landed, and all that landed is where it had to come; repeated events are duplicates."""
        found, expected = self.found, self.expected
        return (
            found.landed == self.answered == expected.landed
            and found.invalid == expected.invalid
            and found.vaulted + found.duplicate == expected.vaulted + expected.duplicate
            and found.vaulted <= expected.vaulted
            and self.conflicts == expected.conflict
            and found.error == found.pending == found.difference == 0
            and self.refused == expected.refused
        )

    @property
    def repeated(self) -> int:
        """Events that an earlier run with the same seed had put into the vault."""
        return self.expected.vaulted - self.found.vaulted


@dataclass(frozen=True)
class Marts:
    """A look into one tenant's marts."""

    tenant_bk: str
    pages: list[tuple[str, int]]
    sources: list[tuple[str, str, int]]
    funnel: list[tuple[int, str, int]]


@dataclass(frozen=True)
class Demonstration:
    """Everything the demo found out."""

    seed: int
    fresh: bool
    """The seed was this run's own, so nothing may be a repetition."""
    events: int
    seconds_sending: float
    seconds_settling: float
    accounts: tuple[Account, ...]
    surprises: tuple[str, ...]
    guided: Guided
    kpis: tuple[Kpi, ...]
    book: Ledger
    confirmed: bool
    """Every event, of earlier runs too, was counted where it is, and the ledger agrees."""
    marts: Marts

    @property
    def failures(self) -> list[str]:
        """What did not come as it had to, one sentence each."""
        failed = list(self.surprises)
        failed += [
            f"{one.tenant_bk}: not everything sent is accounted for" for one in self.accounts if not one.exact
        ]
        failed += [
            f"{one.tenant_bk}: {one.repeated} events were in the vault before they were sent"
            for one in self.accounts
            if self.fresh and one.repeated
        ]
        if not self.guided.complete:
            failed.append("the guide's events are not all processed, VALID, ENRICHED and under the right tenant")
        failed += [
            f"{kpi.name} is {kpi.verdict}: {kpi.shown}, {kpi.note}"
            for kpi in self.kpis
            if kpi.verdict is not Verdict.PASS
        ]
        if not self.confirmed:
            failed.append("the recount does not confirm the ledger: sitevault status --recount")
        return failed

    @property
    def exit_code(self) -> Exit:
        """0 only if the KPIs hold and everything sent is accounted for."""
        return Exit.FINDINGS if self.failures else Exit.OK


def demonstrate(
    database: Database,
    config: Config,
    url: str,
    *,
    seed: int | None,
    events: int,
    heard: Callable[[int], None] = lambda events: None,
) -> Demonstration:
    """Send a day's made-up traffic to the collector at `url`, wait until it is loaded, and judge the outcome."""
    holders = ensure_tenants(database, config.home)
    used = time.time_ns() // 1_000_000 if seed is None else seed
    plan = make_plan(used, events, clock.now())
    with database.connect(Role.JUDGE) as judge:
        since, before = _look(judge)
        began = time.monotonic()
        answered = send_parcels(url, holders, plan.parcels, heard)
        live, guided_ids = _send_live(url, holders[0], used)
        answered.add(live)
        _expect_live(plan, holders[0])
        sent = time.monotonic()
        _settle(judge, holders)
        settled = time.monotonic()
        until, after = _look(judge)
        conflicts: dict[bytes, int] = dict(judge.execute(SQL.conflicts, {"since": since}).fetchall())
        judge.rollback()
        with ledger.snapshot(judge):
            table = kpis.measure(judge, Window(since, until + timedelta(seconds=1)), config.pending_limit_seconds)
        with ledger.snapshot(judge):
            recounted = ledger.recount(judge)
            marts = _look_into_marts(judge, holders[0])
        return Demonstration(
            seed=used,
            fresh=seed is None,
            events=plan.events + LIVE_EVENTS + len(guided_ids),
            seconds_sending=sent - began,
            seconds_settling=settled - sent,
            accounts=tuple(_accounts(holders, plan, answered, (before, after), conflicts)),
            surprises=tuple(answered.surprises[:10]),
            guided=_follow_guide(judge, holders[0], guided_ids),
            kpis=tuple(table),
            book=recounted.ledger,
            confirmed=recounted.confirmed,
            marts=marts,
        )


def guide_events(seed: int, now: datetime) -> list[bytes]:
    """The guide's five events, in its shape, as if they happened now; each run's have their own ids."""
    listed = json.loads(files("sitevault.demo").joinpath("guide_events.json").read_text("utf-8"))
    for place, event in enumerate(listed):
        event["timestamp"] = (now - timedelta(seconds=30 - place)).isoformat()
        for name in ("event_id", "session_id"):
            event["event_data"][name] += f"-{seed}"
    return [json.dumps(event).encode() for event in listed]


def _send_live(url: str, spa: Keyholder, seed: int) -> tuple[Answered, list[str]]:
    now = datetime.now(UTC)
    answered, guided_ids = send_live(url, spa, guide_events(seed, now), BROWSER)
    live, _ = send_live(url, spa, live_visits(seed, LIVE_EVENTS, now), BROWSER)
    answered.add(live)
    return answered, guided_ids


def _expect_live(plan: Plan, spa: Keyholder) -> None:
    account = plan.expected[spa.tenant.tenant_bk]
    more = LIVE_EVENTS + len(json.loads(files("sitevault.demo").joinpath("guide_events.json").read_text("utf-8")))
    account.landed += more
    account.vaulted += more


def _look(judge: psycopg.Connection[Any]) -> tuple[datetime, Ledger]:
    with ledger.snapshot(judge):
        (moment,) = judge.execute(SQL.database_clock).fetchone() or (clock.now(),)
        return moment, ledger.read(judge)


def _settle(judge: psycopg.Connection[Any], holders: Sequence[Keyholder]) -> None:
    """Wait until nothing of the demo's tenants is pending, or the time is up: then the account shows what is."""
    ours = {holder.tenant_hk for holder in holders}
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        with ledger.snapshot(judge):
            lines = ledger.read(judge).lines
        if not any(line.pending for line in lines if line.tenant_hk in ours):
            return
        time.sleep(0.1)


def _accounts(
    holders: Sequence[Keyholder],
    plan: Plan,
    answered: Answered,
    books: tuple[Ledger, Ledger],
    conflicts: dict[bytes, int],
) -> list[Account]:
    then, now = ({line.tenant_hk: line for line in book.lines} for book in books)
    accounts = []
    for holder in holders:
        tenant_bk = holder.tenant.tenant_bk
        accounts.append(
            Account(
                tenant_bk,
                answered.accepted[tenant_bk],
                answered.refused[tenant_bk],
                plan.expected[tenant_bk],
                now[holder.tenant_hk].minus(then[holder.tenant_hk]),
                conflicts.get(holder.tenant_hk, 0),
            )
        )
    return accounts


def _follow_guide(judge: psycopg.Connection[Any], spa: Keyholder, event_ids: Sequence[str]) -> Guided:
    journeys = [journey for event_id in event_ids for journey in trace(judge, event_id)]
    last = [journey.copies[-1].staged[-1] for journey in journeys if journey.copies[-1].staged]
    return Guided(
        journeys=tuple(journeys),
        processed=sum(journey.vault is not None for journey in journeys),
        valid=sum(staged.validation_status == "VALID" for staged in last),
        enriched=sum(staged.enrichment_status == "ENRICHED" and "browser" in staged.fields for staged in last),
        right_tenant=sum(journey.tenant_bk == spa.tenant.tenant_bk for journey in journeys),
        sent=len(guide_events(0, clock.now())),
    )


def _look_into_marts(judge: psycopg.Connection[Any], holder: Keyholder) -> Marts:
    of_tenant: dict[str, Any] = {"tenant_hk": holder.tenant_hk, "most": 5}
    today = clock.now().date()
    return Marts(
        holder.tenant.tenant_bk,
        judge.execute(SQL.top_pages, of_tenant).fetchall(),
        judge.execute(SQL.top_sources, of_tenant).fetchall(),
        judge.execute(
            SQL.funnel,
            of_tenant
            | {
                "from_day": today - timedelta(days=30),
                "to_day": today + timedelta(days=1),
                "steps": list(funnel_of(holder.tenant)),
            },
        ).fetchall(),
    )
