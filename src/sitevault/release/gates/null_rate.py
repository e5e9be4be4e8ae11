"""No column that was filled is empty now."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sitevault.observe import sequential, statistics
from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.baseline import OfType, pairs
from sitevault.release.gates.bounds import worst
from sitevault.release.gates.model import Gate, GateResult, Sight, longest

CONFIRMED, WATCHED = 0.8, 0.1
"""A column that at least so many rows of the baseline fill must be shown to hold, or may FAIL; between the two,
a PASS would take thousands of events of each type."""
_SHOWN = 6
_LARGE = 2_000


class _Cell(NamedTuple):
    """One column of one event type."""

    type: str
    column: str
    verdict: Verdict
    was: float
    filled: int
    rows: int
    lower: float
    upper: float
    more: int | None

    @property
    def said(self) -> str:
        return (
            f"{self.column} of {say.name(self.type)}: {say.percent(round(self.was, 3))} filled before, "
            f"{self.filled} of {self.rows} now"
        )


def _judge(sight: Sight) -> GateResult:
    drop = sight.thresholds.null_rate_drop
    if sight.baseline is None or drop is None:
        return GATE.no_data(sight, "no window before the deploy was frozen to compare with")
    compared = pairs(sight.baseline.types, sight.facts.types, sight.thresholds.min_events)
    wanted = [
        (kind, column, before, now)
        for kind, (before, now) in compared.items()
        for column, filled in before.filled.items()
        if before.rows and filled / before.rows >= WATCHED
    ]
    if not wanted:
        return GATE.no_data(sight, f"the baseline has {sight.baseline.events} events: too few of any type")
    wrong_fail = sight.risk.wrong_fail / len(wanted)
    cells = [_look(*one, drop, sight.risk.wrong_pass, wrong_fail) for one in wanted]
    return _sum_up(sight, cells, sum(now.rows for _, now in compared.values()))


def _look(
    kind: str, column: str, before: OfType, now: OfType, drop: float, wrong_pass: float, wrong_fail: float
) -> _Cell:
    """Half of the risk is the baseline's: it is a sample, too."""
    was, filled = before.filled[column], now.filled.get(column, 0)
    kept = 1 - drop
    least = kept * _least(was, before.rows, wrong_fail / 2)
    most = kept * (1 - _least(before.rows - was, before.rows, wrong_pass / 2))
    high = _upper(filled, now.rows, wrong_fail / 2)
    low = _lower(filled, now.rows, wrong_pass / 2)
    verdict, more = Verdict.INCONCLUSIVE, None
    if high < least:
        verdict = Verdict.FAIL
    elif low >= most:
        verdict = Verdict.PASS
    else:
        more = _more(was / before.rows, filled, now.rows, most, wrong_pass / 2)
    return _Cell(
        kind,
        column,
        verdict,
        was / before.rows,
        filled,
        now.rows,
        kept * low / most - 1,
        kept * high / least - 1,
        more,
    )


_lower = lru_cache(4096)(sequential.proportion_lower)
_upper = lru_cache(4096)(sequential.proportion_upper)


@lru_cache(4096)
def _least(filled: int, rows: int, alpha: float) -> float:
    """The baseline is looked at once: the exact bound is closer, and for many rows too slow to be worth it."""
    exact = statistics.proportion_lower if rows <= _LARGE else sequential.proportion_lower
    return exact(filled, rows, alpha)


@lru_cache(4096)
def _more(was: float, filled: int, rows: int, target: float, alpha: float) -> int | None:
    """How many more rows that are filled as they were before it takes, as far as they suffice."""
    rate = (filled / rows) if rows else was
    if rate <= target:
        return None
    return sequential.values_until({1.0: max(rows, 1) * rate, 0.0: max(rows, 1) * (1 - rate)}, target, alpha)


def _sum_up(sight: Sight, cells: list[_Cell], rows: int) -> GateResult:
    if not rows:
        return GATE.no_data(sight, "nothing was staged in this window")
    counting = [cell for cell in cells if cell.was >= CONFIRMED or cell.verdict is Verdict.FAIL]
    verdict = worst([cell.verdict for cell in counting])
    if verdict is Verdict.NO_DATA:
        return GATE.no_data(sight, f"no column is filled in {say.percent(CONFIRMED)} of the baseline's rows")
    telling = [cell for cell in counting if cell.verdict is verdict]
    worst_first = sorted(telling, key=lambda cell: (cell.lower, cell.type, cell.column))
    open_cells = [cell for cell in counting if cell.verdict is Verdict.INCONCLUSIVE]
    watched = say.counted((len(cells) - len(counting), "are sparser and only watched"))
    said = "" if verdict is Verdict.PASS else ", ".join(cell.said for cell in worst_first[:_SHOWN])
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=sum(cell.verdict is Verdict.PASS for cell in counting),
        n=len(counting),
        estimate=_moved(worst_first[0]),
        lower=worst_first[0].lower,
        upper=worst_first[0].upper,
        verdict=verdict,
        note=say.joined(said, say.counted((max(0, len(telling) - _SHOWN) if said else 0, "more")), watched),
        more_needed=longest(cell.more for cell in open_cells),
        seconds_needed=longest(sight.seconds_for(cell.more, cell.rows) for cell in open_cells),
    )


def _moved(cell: _Cell) -> float | None:
    return cell.filled / cell.rows / cell.was - 1 if cell.rows else None


GATE = Gate(
    name="null_rate",
    title="No column that was filled is empty now",
    target=lambda wanted: f"≥ {say.percent(1 - (wanted.null_rate_drop or 0))} of baseline",
    formula="Per event type and column of staging, the share of rows that have it filled, against the "
    "baseline's; shown is the worst, as a part gained or lost. An empty text, object or list fills nothing; a "
    "column that is gone is empty. Risk is shared as in the gate before. k of n are columns that hold.",
    denominator="Rows staged in the window that were not refused, by the type in their payload; columns that "
    f"the baseline fills in {say.percent(CONFIRMED)} of them or more. Those from {say.percent(WATCHED)} on are "
    "watched: they may FAIL, and need not be shown to hold.",
    house="Every column of `staging.site_tracking_events_s` but numbers, keys and findings.",
    guide="The same, as far as the columns are there.",
    judge=_judge,
    asked=lambda wanted: wanted.null_rate_drop is not None,
)
