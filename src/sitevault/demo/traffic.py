"""Made-up visits to the demo's sites: seeded, so that the same seed on the same day makes the same events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import accumulate
from random import Random
from typing import Any

from sitevault.demo.tenants import DemoTenant

DAYS = 2
"""Ordinary visits lie in the days before midnight (UTC)."""
PAGES_PER_SITE = 40
FUNNELS = {
    "booking": ("page_view", "booking_started", "booking_completed"),
    "book": ("page_view", "booking_started", "booking_completed"),
    "cart": ("page_view", "add_to_cart", "purchase"),
}
_REFERRERS = (
    "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/search", "https://duckduckgo.com/",
    "https://www.instagram.com/", "https://www.facebook.com/", "https://chatgpt.com/", "https://news.example.org/a",
)  # fmt: skip
_CAMPAIGNS = (
    "utm_source=newsletter&utm_medium=email&utm_campaign=autumn",
    "utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=EAIaIQobChMI",
    "utm_source=instagram&utm_medium=social&utm_campaign=launch",
)
_NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")
_AGENTS: dict[str, list[dict[str, Any]]] = json.loads(
    files("sitevault.demo").joinpath("user_agents.json").read_text("utf-8")
)
BROWSER: str = _AGENTS["browsers"][0]["user_agent"]
"""The one that is met most."""


@dataclass(frozen=True)
class Visit:
    """One event as it happened, before any client wrote it down."""

    tenant: DemoTenant
    id: str
    type: str
    url: str
    title: str
    at: datetime
    session: str
    visitor: str
    user: str | None
    referrer: str | None
    agent: str
    address: str
    details: dict[str, Any] = field(default_factory=dict)
    skew: timedelta | None = None
    """How wrong the client's clock is; it says so by sent_at."""


def funnel_of(tenant: DemoTenant) -> tuple[str, ...]:
    """The steps towards what the tenant's site is for."""
    return next(FUNNELS[section] for section in tenant.sections if section in FUNNELS)


def midnight(now: datetime) -> datetime:
    """The last midnight, UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def visits(chance: Random, tenant: DemoTenant, until: datetime) -> Iterator[Visit]:
    """Endless visits to a site, session after session; the visitors come back, the popular pages are popular."""
    pages = _pages(tenant)
    # Zipf: the n-th page is visited 1/n as often as the first.
    popularity = list(accumulate(1 / rank for rank in range(1, len(pages) + 1)))
    number = 0
    while True:
        number += 1
        yield from _session(chance, tenant, pages, popularity, until, number)


def _session(
    chance: Random, tenant: DemoTenant, pages: list[str], popularity: list[float], until: datetime, number: int
) -> Iterator[Visit]:
    is_bot = chance.random() < 0.06
    visitor = f"v-{chance.randrange(20 + number)}"
    agent = _agent(chance, "bots" if is_bot else "browsers")
    session = f"s-{chance.getrandbits(64):016x}"
    at = until - timedelta(seconds=chance.uniform(600, DAYS * 86_400))
    if chance.random() < 0.02:
        at -= timedelta(days=chance.choice((3, 4, 6)))  # a phone that was offline
    skew = timedelta(hours=chance.choice((-3, 2))) if chance.random() < 0.02 else None
    referrer = chance.choice(_REFERRERS) if chance.random() < 0.6 else None
    query = f"?{chance.choice(_CAMPAIGNS)}" if chance.random() < 0.15 else ""
    user = f"{visitor}@mail.example" if chance.random() < 0.15 else None
    steps = ["page_view"] * (1 + min(int(chance.expovariate(0.35)), 12))
    if not is_bot:
        steps += _towards(chance, tenant)
    for step in steps:
        page = chance.choices(pages, cum_weights=popularity)[0]
        yield Visit(
            tenant, f"e-{chance.getrandbits(64):016x}", step, f"{tenant.site}{page}{query}", _title(tenant, page),
            at, session, visitor, user, referrer, agent, f"{chance.choice(_NETWORKS)}{chance.randrange(1, 255)}",
            _details(chance, step), skew,
        )  # fmt: skip
        referrer, query = f"{tenant.site}{page}", ""
        at += timedelta(seconds=min(chance.expovariate(1 / 35), 600))


def _towards(chance: Random, tenant: DemoTenant) -> list[str]:
    steps = ["scroll", "click"][: chance.randrange(3)]
    for step in funnel_of(tenant)[1:]:
        if chance.random() > 0.3:
            break
        steps.append(step)
    return steps


def _details(chance: Random, step: str) -> dict[str, Any]:
    if step == "scroll":
        return {"scroll_depth": chance.choice((25, 50, 75, 100))}
    if step == "click":
        return {"element": chance.choice(("nav", "hero", "footer"))}
    if step == "purchase":
        return {"value": chance.randrange(800, 12_000) / 100, "currency": "EUR"}
    return {}


def _pages(tenant: DemoTenant) -> list[str]:
    deep = [f"/{section}/{n}" for n in range(1, PAGES_PER_SITE) for section in tenant.sections]
    return ["/", *(f"/{section}" for section in tenant.sections), *deep][:PAGES_PER_SITE]


def _title(tenant: DemoTenant, page: str) -> str:
    return f"{tenant.name} | {page.strip('/').replace('/', ' ').title() or 'Home'}"


def _agent(chance: Random, kind: str) -> str:
    rows = _AGENTS[kind]
    return str(chance.choices(rows, [row["weight"] for row in rows])[0]["user_agent"])
