"""Growth curves as SVG, without any library: legible on light and on dark backgrounds."""

import math
from collections.abc import Mapping
from html import escape

COLOURS = ("#4c8fd6", "#e0584f", "#3fa45b", "#9a78d0", "#e08b2c", "#2aa7b5", "#b0734f", "#888888", "#d060a8", "#8f9a2e")
WIDTH, LEFT, TOP, PLOT, LINE = 1000, 60, 40, 560, 20
STYLE = (
    "<style>text{fill:#222}.grid{stroke:#bbb}.axis{stroke:#222}.ground{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#555}.axis{stroke:#ddd}.ground{fill:#111}}</style>"
)

Factors = Mapping[int, float]


def growth_svg(growth: Mapping[str, Factors], limit: float = 1.5) -> str:
    """Return curves of the medians' growth over the directory's size, on a logarithmic axis."""
    sizes = sorted({size for factors in growth.values() for size in factors})
    height = max(380, TOP + LINE * len(growth) + 60)
    top = max([2.0, *(factor for factors in growth.values() for factor in factors.values())])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13">{STYLE}<rect class="ground" width="100%" height="100%"/>',
        f'<text x="{LEFT}" y="22">Median latency with one client, as a factor of that with {sizes[0]:,} people</text>',
        *_axes(sizes, top, limit, height),
    ]
    for place, (name, factors) in enumerate(sorted(growth.items(), key=lambda item: -item[1][max(item[1])])):
        points = " ".join(f"{_x(size, sizes):.1f},{_y(factor, top, height):.1f}" for size, factor in factors.items())
        # After ten colours the lines are dashed.
        look = f'stroke="{COLOURS[place % len(COLOURS)]}" stroke-width="2.2"'
        look += ' stroke-dasharray="6 4"' if place >= len(COLOURS) else ""
        x, y = LEFT + PLOT + 25, TOP + 10 + place * LINE
        parts.append(f'<polyline points="{points}" fill="none" stroke-linejoin="round" {look}/>')
        parts.append(f'<path d="M{x} {y - 4}h24" {look}/>')
        parts.append(f'<text x="{x + 32}" y="{y}">{escape(name)}: {factors[max(factors)]:.2f}</text>')
    return "".join(parts) + "</svg>\n"


def _axes(sizes: list[int], top: float, limit: float, height: int) -> list[str]:
    bottom = height - 40
    found = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{LEFT + PLOT}" fill="none"/>']
    found.append(f'<text x="{LEFT + PLOT}" y="{bottom + 36}" text-anchor="end">people</text>')
    for size in sizes:
        found.append(f'<text x="{_x(size, sizes):.0f}" y="{bottom + 20}" text-anchor="middle">{size:,}</text>')
    for level in sorted({1.0, limit, *_steps(top)}):
        y = _y(level, top, height)
        dashes = "" if level == limit else ' stroke-dasharray="3"'
        found.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{LEFT + PLOT}"{dashes}/>')
        found.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{level:g}</text>')
    return found


def _steps(top: float) -> list[float]:
    """Return the levels of the grid: whole numbers up to 7, powers of ten for higher curves."""
    return (
        [float(level) for level in range(2, int(top) + 1)] if top < 8 else [10.0**n for n in range(1, 7) if 10**n < top]
    )


def _x(size: int, sizes: list[int]) -> float:
    first, last = math.log(sizes[0]), math.log(max(sizes[-1], sizes[0] + 1))
    return LEFT + 25 + (math.log(size) - first) / (last - first) * (PLOT - 60)


def _y(factor: float, top: float, height: int) -> float:
    """Return the y coordinate of a factor; the axis is logarithmic for curves above 8."""
    least, most = (0.5, top) if top >= 8 else (0.0, top)
    share = (math.log(max(factor, least) / least) / math.log(most / least)) if least else factor / most
    return height - 40 - share * (height - 40 - TOP - 10)
