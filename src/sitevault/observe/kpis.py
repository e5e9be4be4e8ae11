"""The guide's seven KPIs, re-derived from the events themselves, with what the sample proves.

Nothing here reads what the pipeline says of itself where the fact can be found: an event counts as processed
when it lies in the vault, among the duplicates or among the INVALID, whatever its manifest's state says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row, scalar_row

from sitevault.observe import statistics
from sitevault.observe.ledger import SQL
from sitevault.staging.rules import LOWEST_SCORE, RULES


class Verdict(StrEnum):
    """Only PASS is green."""

    PASS = "PASS"  # noqa: S105 -- a verdict: the sample proves the target
    FAIL = "FAIL"  # the sample proves the opposite, or an invariant has a counter-example
    INCONCLUSIVE = "INCONCLUSIVE"  # the sample proves neither
    NO_DATA = "NO_DATA"  # there is no sample


@dataclass(frozen=True)
class Kpi:
    """One line of the table."""

    name: str
    target: str
    value: float | None
    shown: str
    sample: int
    verdict: Verdict
    note: str

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "name": self.name,
            "target": self.target,
            "value": self.value,
            "shown": self.shown,
            "sample": self.sample,
            "verdict": self.verdict.value,
            "note": self.note,
        }


@dataclass(frozen=True)
class Window:
    """Whose events, received (or processed) from when to when; both with a time zone."""

    since: datetime
    until: datetime
    tenant_hk: bytes | None = None


SUCCESS_RATE = 0.95
QUALITY = 0.70
ERROR_RATE = 0.05
SECONDS_PER_EVENT = 0.100
VALID_SHARE = 0.95
ENRICHED_SHARE = 0.95


def measure(judge: psycopg.Connection[Any], window: Window, pending_limit_seconds: int) -> list[Kpi]:
    """The seven KPIs of a window; within `ledger.snapshot`, so that all see the same instant.

    `pending_limit_seconds` is how long an event may be PENDING before it counts as a failure.
    """
    parameters: dict[str, object] = {
        "since": window.since,
        "until": window.until,
        "tenant_hk": window.tenant_hk,
        "pending_limit_seconds": pending_limit_seconds,
        "codes": [rule.reason.value for rule in RULES],
        "deductions": [rule.deduction for rule in RULES],
        "lowest": LOWEST_SCORE,
    }
    outcomes, staged = _row(judge, SQL.outcomes, parameters), _row(judge, SQL.staged, parameters)
    with judge.cursor(row_factory=scalar_row) as cursor:
        seconds = cursor.execute(SQL.load_seconds, parameters).fetchall()
    provenance = [
        _row(judge, query, parameters)
        for query in (SQL.landed_provenance, SQL.vault_provenance, SQL.hub_provenance)
    ]
    return [
        success_rate(**outcomes),
        data_quality(int(staged["staged"]), staged["quality"]),
        error_rate(**outcomes),
        processing_time(seconds),
        tenant_isolation(
            *(sum(int(row[column]) for row in [*provenance, _of_staging(staged)]) for column in _CHECK),
        ),
        validation_status(*(int(staged[name]) for name in ("valid", "suspicious", "invalid", "unfounded"))),
        enrichment_status(*(int(staged[name]) for name in ("staged", "enriched", "hollow"))),
    ]


_CHECK = ("checked", "contradictions", "unverifiable")


def _of_staging(staged: dict[str, Any]) -> dict[str, Any]:
    return {"checked": staged["staged"], **{name: staged[name] for name in _CHECK[1:]}}


def _row(judge: psycopg.Connection[Any], query: LiteralString, parameters: dict[str, object]) -> dict[str, Any]:
    with judge.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchone() or {}


def success_rate(*, received: int, processed: int, error: int, overdue: int, in_time: int, lost: int) -> Kpi:
    """Processed events over those received that had time to finish.

    INVALID events were processed as intended; an event PENDING beyond the limit, or in no place at all, was not.
    """
    finished = received - in_time
    verdict, proven = _at_least(processed, finished, SUCCESS_RATE)
    waiting = f"{in_time} still in time" if in_time else ""
    failed = ", ".join(
        f"{count} {what}" for count, what in ((error, "in ERROR"), (overdue, "overdue"), (lost, "LOST")) if count
    )
    # One lost event breaks a promise, not a rate.
    verdict = Verdict.FAIL if lost else verdict
    return _share("Processing Success Rate", "≥ 95%", processed, finished, verdict, proven, failed, waiting)


def data_quality(staged: int, mean: float | None) -> Kpi:
    """The mean quality score (0 to 1) of the staged events, INVALID ones included."""
    name, target = "Data Quality Score", "≥ 0.70"
    if not staged or mean is None:
        return _no_data(name, target)
    mean = min(1.0, max(0.0, mean))
    low, high = statistics.mean_lower(mean, staged), statistics.mean_upper(mean, staged)
    note = f"proves ≥ {_floor(low)}"
    if low >= QUALITY:
        verdict = Verdict.PASS
    elif high < QUALITY:
        verdict, note = Verdict.FAIL, f"at most {_ceiling(high)}"
    else:
        verdict = Verdict.INCONCLUSIVE
        note += _needed(
            lambda more: mean > QUALITY and statistics.mean_lower(mean, staged + more) >= QUALITY, "such events"
        )
    return Kpi(name, target, mean, f"{mean:.3f} average", staged, verdict, note)


def error_rate(*, received: int, processed: int, error: int, overdue: int, in_time: int, lost: int) -> Kpi:
    """Events in ERROR over those received that had time to finish."""
    del processed, overdue, lost  # the success rate counts them
    name, target, finished = "Error Rate", "< 5%", received - in_time
    if not finished:
        return _no_data(name, target)
    low, high = (
        statistics.proportion_lower(error, finished),
        statistics.proportion_upper(error, finished),
    )
    note = f"proves < {_ceiling(high)}"
    if high < ERROR_RATE:
        verdict = Verdict.PASS
    elif low >= ERROR_RATE:
        verdict, note = Verdict.FAIL, f"at least {_floor(low)}"
    else:
        verdict = Verdict.INCONCLUSIVE
        note += _needed(
            lambda more: statistics.proportion_upper(error, finished + more) < ERROR_RATE, "clean events"
        )
    return Kpi(
        name,
        target,
        error / finished,
        f"{_percent(error, finished)} ({error}/{finished})",
        finished,
        verdict,
        note,
    )


def processing_time(seconds: list[float]) -> Kpi:
    """The median over loads of seconds per event, from the taking of a batch to its account."""
    name, target = "Processing Time", "< 100 ms"
    if not seconds:
        return _no_data(name, target)
    ordered = sorted(seconds)
    median, tail = statistics.quantile(ordered, 0.5), statistics.quantile(ordered, 0.95)
    low, high = statistics.quantile_lower(ordered, 0.5), statistics.quantile_upper(ordered, 0.5)
    note = f"95% of loads within {_ms(tail)} per event"
    if high < SECONDS_PER_EVENT:
        verdict = Verdict.PASS
    elif low >= SECONDS_PER_EVENT:
        verdict = Verdict.FAIL
    else:
        verdict = Verdict.INCONCLUSIVE
        note = f"{len(ordered)} loads do not settle the median; " + note
    return Kpi(name, target, median, f"{_ms(median)} per event (median of loads)", len(ordered), verdict, note)


def tenant_isolation(checked: int, contradictions: int, unverifiable: int) -> Kpi:
    """Rows whose tenant is proved: the key's, the raw row's, and the one inside each hub key. No statistics."""
    name, target = "Tenant Isolation", "maintained"
    if not checked:
        return _no_data(name, target)
    consistent = checked - contradictions - unverifiable
    verdict, note = Verdict.PASS, "every key, vault row and hub key re-derived"
    if contradictions:
        verdict, note = Verdict.FAIL, f"{contradictions} rows contradict their evidence"
    elif unverifiable:
        verdict, note = Verdict.INCONCLUSIVE, f"{unverifiable} rows have no raw row to compare with"
    return Kpi(
        name, target, consistent / checked, f"{_percent(consistent, checked)} maintained", checked, verdict, note
    )


def validation_status(valid: int, suspicious: int, invalid: int, unfounded: int) -> Kpi:
    """VALID events over all staged ones; a status that its own evidence contradicts is a failure at once."""
    staged = valid + suspicious + invalid
    verdict, proven = _at_least(valid, staged, VALID_SHARE)
    others = ", ".join(
        f"{count} {what}" for count, what in ((suspicious, "SUSPICIOUS"), (invalid, "INVALID")) if count
    )
    if unfounded:
        verdict, proven = Verdict.FAIL, f"{unfounded} have a status their findings contradict"
    return _share("Validation Status", "VALID ≥ 95%", valid, staged, verdict, proven, others)


def enrichment_status(staged: int, enriched: int, hollow: int) -> Kpi:
    """Really ENRICHED events over all staged ones: a user agent that became no device is not enriched."""
    verdict, proven = _at_least(enriched, staged, ENRICHED_SHARE)
    empty = f"{hollow} say ENRICHED with an empty device" if hollow else ""
    return _share("Enrichment Status", "ENRICHED ≥ 95%", enriched, staged, verdict, proven, empty)


def overall(kpis: list[Kpi]) -> Verdict:
    """The table's verdict: the worst of its lines."""
    order = (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS)
    return min((kpi.verdict for kpi in kpis), key=order.index, default=Verdict.NO_DATA)


def _at_least(good: int, trials: int, target: float) -> tuple[Verdict, str]:
    """The verdict on "the true rate is at least `target`", and what the sample proves."""
    if not trials:
        return Verdict.NO_DATA, ""
    low, high = statistics.proportion_lower(good, trials), statistics.proportion_upper(good, trials)
    if low >= target:
        return Verdict.PASS, f"proves ≥ {_floor(low)}"
    if high < target:
        return Verdict.FAIL, f"at most {_ceiling(high)}"
    return Verdict.INCONCLUSIVE, f"{good} of {trials} proves only ≥ {_floor(low)}" + _needed(
        lambda more: statistics.proportion_lower(good + more, trials + more) >= target, "clean events"
    )


def _share(name: str, target: str, good: int, trials: int, verdict: Verdict, *notes: str) -> Kpi:
    if not trials:
        return _no_data(name, target)
    shown = f"{_percent(good, trials)} ({good}/{trials})"
    return Kpi(name, target, good / trials, shown, trials, verdict, "; ".join(note for note in notes if note))


def _no_data(name: str, target: str) -> Kpi:
    return Kpi(name, target, None, "no data", 0, Verdict.NO_DATA, "nothing in this window")


def _needed(proven: Callable[[int], bool], what: str) -> str:
    more = statistics.more_until(proven, limit=10**7)
    return "" if more is None else f", {more} more {what} needed"


def _percent(part: int, whole: int) -> str:
    """Never rounded up to 100% while something is missing."""
    if part == whole:
        return "100%"
    return f"{math.floor(part / whole * 10_000) / 100:.2f}%"


def _floor(value: float) -> str:
    return f"{math.floor(value * 1000) / 1000:.3f}"


def _ceiling(value: float) -> str:
    return f"{math.ceil(value * 1000) / 1000:.3f}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2g} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
