"""What a gate is, what it may know, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from sitevault.errors import ConfigurationError
from sitevault.observe.kpis import Verdict
from sitevault.observe.statistics import ALPHA
from sitevault.release.gates.baseline import Baseline

if TYPE_CHECKING:
    from sitevault.release.gates.facts import Facts

Share = Annotated[float, Meta(gt=0, lt=1)]
Drop = Annotated[float, Meta(gt=0, lt=1)]
_Number = TypeVar("_Number", int, float)


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an environment demands of a release; the defaults are those of a testing environment."""

    success_rate: Annotated[Share, Meta(description="Least share of events processed.")] = 0.95
    error_rate: Annotated[Share, Meta(description="Share of events in ERROR that is too much.")] = 0.05
    quality: Annotated[Share, Meta(description="Least mean quality score.")] = 0.70
    quality_drop: Annotated[
        Drop | None,
        Meta(description="How far an event type's mean may fall below its baseline; `false`: not asked."),
    ] = 0.10
    null_rate_drop: Annotated[
        Drop | None,
        Meta(description="Which part of a column's filled share may be gone; `false`: not asked."),
    ] = 0.25
    mapped_share: Annotated[
        Share | None,
        Meta(
            description="Least share of rows that have a column filled, of those whose payload carries a key of "
            "its name; `false`: not asked."
        ),
    ] = 0.5
    processing_ms: Annotated[float, Meta(gt=0, description="Milliseconds an event may take.")] = 100.0
    processing_share: Annotated[Share, Meta(description="Least share of events that are as fast as that.")] = 0.95
    availability: Annotated[
        Share | None, Meta(description="Least share of probes answered `ready`; `false`: not asked.")
    ] = None
    pending_limit_seconds: Annotated[
        float, Meta(gt=0, description="How long an event may be PENDING before it counts as failed.")
    ] = 60.0
    min_events: Annotated[
        int, Meta(ge=1, description="Event types with fewer events in the baseline are compared together.")
    ] = 30


TESTING = Thresholds()
PRODUCTION = Thresholds(success_rate=0.99, availability=0.999)


def thresholds(environment: str, given: dict[str, Any]) -> Thresholds:
    """`[environments.NAME.gates]` over the defaults, which are stricter for one called production.

    Raises ConfigurationError naming the setting that is unknown or out of range.
    """
    defaults = msgspec.structs.asdict(PRODUCTION if environment == "production" else TESTING)
    # TOML has no null: false says that a gate is not asked
    wanted = {name: None if value is False else value for name, value in given.items()}
    try:
        return msgspec.convert(defaults | wanted, Thresholds)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"[environments.{environment}.gates] is wrong: {error}",
            fix="docs/reference/gates.md lists every threshold.",
            command="sitevault config check",
        ) from error


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate says: k of n, the bounds of what that proves, and the verdict."""

    name: str
    target: str
    k: int | None = None
    n: int = 0
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    verdict: Verdict
    note: str = ""
    more_needed: int | None = None
    """Events like the good ones that are still needed for a PASS."""
    seconds_needed: float | None = None
    """How long that takes at the rate of the window so far."""

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**msgspec.structs.asdict(self), "verdict": self.verdict.value}


class Probe(msgspec.Struct, frozen=True):
    """One question to /health/ready."""

    at: datetime
    ready: bool
    said: str = ""


class Drift(msgspec.Struct, frozen=True):
    """Objects and settings: how many were compared with what was released, and which of them differ."""

    compared: int
    moved: tuple[str, ...] = ()


class Risk(msgspec.Struct, frozen=True):
    """How likely a wrong verdict may be, over the whole window and however often one looks."""

    wrong_pass: float = ALPHA
    wrong_fail: float = ALPHA


class CannotJudge(Exception):
    """What a gate needs is not there, in words for people."""


@dataclass(frozen=True)
class Sight:
    """Everything a gate may know."""

    facts: Facts
    thresholds: Thresholds
    risk: Risk
    seconds: float
    """The window's length."""
    baseline: Baseline | None = None
    probes: Sequence[Probe] | None = None
    drift: Callable[[], Drift] | None = None
    timings: Sequence[float] | None = None
    """Seconds of each event that was carried under measurement, where somebody measured."""

    def seconds_for(self, more: int | None, seen: int) -> float | None:
        """How long `more` events take at the rate of `seen` ones in the window."""
        return None if more is None or not seen or self.seconds <= 0 else more * self.seconds / seen


def longest(waits: Iterable[_Number | None]) -> _Number | None:
    """The longest of several waits; None where one of them has no known end, or there is none."""
    listed = list(waits)
    known = [wait for wait in listed if wait is not None]
    return max(known) if known and len(known) == len(listed) else None


@dataclass(frozen=True)
class Gate:
    """One gate; the texts are its part of the reference."""

    name: str
    title: str
    target: Callable[[Thresholds], str]
    formula: str
    denominator: str
    house: str
    """What it reads in Sitevault's own database."""
    guide: str
    """What it reads in a database of the guide's shape."""
    judge: Callable[[Sight], GateResult]
    statistical: bool = True
    """It decides by bounds, so it has a share of the risk; an invariant needs none."""
    asked: Callable[[Thresholds], bool] = lambda _: True

    def result(self, sight: Sight) -> GateResult:
        """The verdict; NO_DATA with the reason where it cannot be found."""
        try:
            return self.judge(sight)
        except CannotJudge as reason:
            return self.no_data(sight, str(reason))

    def no_data(self, sight: Sight, why: str) -> GateResult:
        """Nothing is known, and why."""
        return GateResult(name=self.name, target=self.target(sight.thresholds), verdict=Verdict.NO_DATA, note=why)
