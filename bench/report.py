"""What a person reads of a run: figures with their spread, ratios, verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Result, Spread, Verdict


def lines(result: Result) -> Iterator[str]:
    """One row of the table, for a terminal."""
    yield f"{result.name}: {result.title}"
    for side, figures in result.sides.items():
        yield f"  {side}"
        for figure, over in figures.items():
            yield f"    {figure:<28} {shown(over)}"
    for name, over in result.ratios.items():
        yield f"  ratio {name}: {shown(over)}"
    for verdict in result.verdicts:
        yield f"  {'met   ' if verdict.met else 'MISSED'} {verdict.what}: {told(verdict)}"
    for text in (*filter(None, [result.stopped_early]), *result.checks, *result.notes):
        yield f"  - {text}"


def shown(over: Spread) -> str:
    """Median and extremes."""
    return f"{number(over.median)}  ({number(over.low)}-{number(over.high)})"


def told(verdict: Verdict) -> str:
    """The bar, the figure, and by how much it is missed."""
    sign = ">=" if verdict.bar.at_least else "<="
    missed = "" if verdict.met else f", missed by {verdict.missed_by:.0%}"
    return f"{number(verdict.got)} (bar: {sign} {number(verdict.bar.limit)}{missed})"


def number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
