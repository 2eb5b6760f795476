"""The benchmark's results as a Markdown table and as growth curves in SVG, without any library."""

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")
WIDTH, HEIGHT, LEFT, TOP, PLOT = 820, 420, 60, 30, 520


def write(folder: Path, results: dict[str, Any]) -> str:
    """Write results.json, results.md and growth.svg into a folder; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = markdown(results)
    (folder / "results.md").write_text(text)
    (folder / "growth.svg").write_text(growth_svg(results["growth"]))
    return text


def markdown(results: dict[str, Any]) -> str:
    """Return the tables, with the machine and the date."""
    lines = [
        f"{date.today().isoformat()}, {results['cores']} cores, Python {platform.python_version()}, "
        f"SQLite {results['sqlite']}, {results['people']:,} people, {results['workers']}.",
        "",
        "| work | clients | operations/s | p99 ms | share of baseline | target |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        share = f"{row['share']:.2f} of {row['baseline']}" if row["share"] is not None else ""
        target = f"≥ {row['target']:.2f}" if row["target"] else ""
        lines.append(
            f"| {row['name']} | {row['clients']} | {row['rate']:.0f} | {row['p99']:.1f} | {share} | {target} |"
        )
    lines += ["", "| figure | value | target |", "|---|---|---|"]
    lines += [f"| {fact['name']} | {fact['value']} | {fact['target']} |" for fact in results["facts"]]
    lines += ["", "Growth: the median's factor over the smallest directory.", ""]
    sizes = results["sizes"]
    lines += ["| work | " + " | ".join(f"{size:,}" for size in sizes) + " |", "|---|" + "---|" * len(sizes)]
    for name, factors in results["growth"].items():
        lines.append(f"| {name} | " + " | ".join(f"{factors[str(size)]:.2f}" for size in sizes) + " |")
    return "\n".join(lines) + "\n"


def growth_svg(growth: dict[str, dict[str, float]]) -> str:
    """Return curves of the medians' growth over the size of the directory (logarithmic)."""
    sizes = sorted({int(size) for factors in growth.values() for size in factors})
    top = max([2.0, *(factor for factors in growth.values() for factor in factors.values())])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="18">Median latency over the size of the directory, as a factor of the smallest</text>',
    ]
    parts += _axes(sizes, top)
    for position, (name, factors) in enumerate(growth.items()):
        points = " ".join(f"{_x(size, sizes):.1f},{_y(factors[str(size)], top):.1f}" for size in sizes)
        colour = COLOURS[position % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = TOP + 14 + position * 18
        parts.append(f'<rect x="{LEFT + PLOT + 20}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + PLOT + 36}" y="{y}">{name}</text>')
    return "".join(parts) + "</svg>\n"


def _axes(sizes: list[int], top: float) -> list[str]:
    bottom = HEIGHT - 40
    found = [f'<path d="M{LEFT} {TOP}V{bottom}H{LEFT + PLOT}" fill="none" stroke="black"/>']
    for size in sizes:
        found.append(f'<text x="{_x(size, sizes):.0f}" y="{bottom + 18}" text-anchor="middle">{size:,}</text>')
    for level in (1.0, 1.5, top):
        y = _y(level, top)
        found.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + PLOT}" stroke="#ccc" stroke-dasharray="3"/>')
        found.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{level:.1f}</text>')
    return found


def _x(size: int, sizes: list[int]) -> float:
    place = sizes.index(size) / max(1, len(sizes) - 1)
    return LEFT + 10 + place * (PLOT - 20)


def _y(factor: float, top: float) -> float:
    return HEIGHT - 40 - factor / top * (HEIGHT - 40 - TOP)
