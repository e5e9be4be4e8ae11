"""A small picture of how figures went, as SVG: a line for each, one scale from zero, nothing to install."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Point

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 20, 40
_GRID = 4
_COLOURS = ("#06c", "#c60", "#393")
_LINE_HEIGHT = 16


def draw(way: list[Point], figures: Sequence[str]) -> str:
    """The figures over the number of events; the same points make the same picture."""
    top = 1.1 * max(point.figures[figure] for point in way for figure in figures)
    widest = max(point.events for point in way)

    def x(events: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * events / widest

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{"; ".join(figures)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for part in range(_GRID + 1):
        at = y(top * part / _GRID)
        lines.append(f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" stroke="#ddd"/>')
        lines.append(
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_number(top * part / _GRID)}</text>'
        )
    for number, (figure, colour) in enumerate(zip(figures, _COLOURS, strict=False)):
        places = [(x(point.events), y(point.figures[figure])) for point in way]
        track = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        lines.append(f'<polyline points="{track}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>' for across, down in places]
        lines.append(
            f'<text x="{WIDTH - _RIGHT + 12}" y="{_TOP + _LINE_HEIGHT * (number + 1)}" fill="{colour}">'
            f"{_number(way[-1].figures[figure])} {figure}</text>"
        )
    lines.append(f'<text x="{x(widest):.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="middle">{widest:,}</text>')
    lines.append(f'<text x="{_LEFT}" y="{HEIGHT - 6}">events in the vault</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:.2f}"
