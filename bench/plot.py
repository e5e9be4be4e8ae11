"""A small picture of how a figure went, as SVG: one line, its scale from zero, nothing to install."""

from __future__ import annotations

from bench.figures import Point

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 90, 20, 40
_GRID = 4


def draw(way: list[Point], figure: str) -> str:
    """The figure over the number of events; the same points make the same picture."""
    values = [point.figures[figure] for point in way]
    top, widest = max(values) * 1.1, max(point.events for point in way)

    def x(events: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * events / widest

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top

    places = [(x(point.events), y(value)) for point, value in zip(way, values, strict=True)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{figure}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for part in range(_GRID + 1):
        at = y(top * part / _GRID)
        lines.append(f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{top * part / _GRID:,.0f}</text>')
    track = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    lines.append(f'<polyline points="{track}" fill="none" stroke="#06c" stroke-width="2"/>')
    lines += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="#06c"/>' for across, down in places]
    lines.append(
        f'<text x="{places[-1][0]:.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="middle">{widest:,}</text>'
    )
    lines.append(f'<text x="{_LEFT}" y="{HEIGHT - 6}">events in the vault</text>')
    lines.append(f'<text x="{WIDTH - _RIGHT + 12}" y="{places[-1][1]:.1f}">{values[-1]:,.0f} {figure}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
