"""The benchmark's results as Markdown, in full for docs/benchmark/ and in short for docs/benchmark.md.

    python -m tests.bench.report

writes the short table of docs/benchmark.md from docs/benchmark/results.json.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.curves import growth_svg
from tests.bench.servers import ROOT
from tests.support.readme import with_part

RESULTS, PAGE = ROOT / "docs" / "benchmark" / "results.json", ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- performance: begin (make bench) -->", "<!-- performance: end -->"
SESSION, BETTER_THAN_PEER = "Okta session (5 requests)", 2.0
# The short table shows the most frequent requests of providers; the full tables have the rest.
IN_SHORT = (
    "GET a user", "look up userName, found", "look up userName, missing", "look up emails.value, found", "page of 100",
    "POST a user", "PUT a user", "PATCH a user",
)  # fmt: skip

Results = dict[str, Any]


def write(folder: Path, results: Results) -> str:
    """Write results.json, results.md and growth.svg into a folder; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = markdown(results)
    (folder / "results.md").write_text(text, encoding="utf-8")
    factors = {name: {size: mine for size, (mine, _) in found.items()} for name, found in growth(results).items()}
    (folder / "growth.svg").write_text(growth_svg(factors), encoding="utf-8")
    return text


def verdict(met: bool | None) -> str:
    """Return "yes" or "missed", "" without a target."""
    return "" if met is None else "yes" if met else "**missed**"


def within(value: float, at_least: float | None, at_most: float | None) -> bool | None:
    """Return whether a figure meets its target, None without a target."""
    if at_least is None and at_most is None:
        return None
    return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)


def target(at_least: float | None, at_most: float | None, unit: str = "") -> str:
    """Return a target as text, "" without one."""
    bound = f"≥ {at_least:g}" if at_least is not None else f"≤ {at_most:g}" if at_most is not None else ""
    return f"{bound} {unit}".strip() if bound else ""


def growth(results: Results) -> dict[str, dict[int, tuple[float, float]]]:
    """Return the medians at each size over those at the smallest, per workload: Perch's and the baseline's."""
    sizes = {int(size): {row["name"]: row for row in found} for size, found in results["sizes"].items()}
    first = sizes[min(sizes)]
    return {
        name: {
            size: (sizes[size][name]["median"] / row["median"],
                   sizes[size][name]["baseline_median"] / row["baseline_median"])
            for size in sorted(sizes)
        }
        for name, row in first.items()
    }  # fmt: skip


def circumstances(results: Results) -> str:
    """Return the machine, versions and settings of a run in one sentence."""
    settings = results["gunicorn"]
    return (
        f"{results['date']}, commit {results['commit']}: {results['cpu']}, {results['cores']} cores, "
        f"Python {results['python']}, SQLite {results['sqlite']}, gunicorn with {settings['workers']} "
        f"{settings['worker_class']} workers of {settings['threads']} threads; clients on the same machine."
    )


def table(head: Iterable[str], lines: Iterable[Iterable[object]]) -> list[str]:
    """Return a Markdown table."""
    names = list(head)
    rows = [names, ["---"] * len(names), *lines]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def markdown(results: Results) -> str:
    """Return all tables, with the machine and the date."""
    lines = ["# The benchmark's last run", "", circumstances(results), ""]
    lines.append(
        f"Each ratio is the median of {results['rounds']} rounds, in which Perch and what it is compared with run for "
        f"{results['seconds']:g} s each. [benchmark.md](../benchmark.md) says what is measured and how to repeat it."
    )
    lines += ["", f"## Work, on {results['people']:,} people", "", *table(*_work(results))]
    lines += ["", "## Other figures", "", *table(("figure", "value", "target", "met"), _facts(results["facts"]))]
    if results["peers"]:
        lines += ["", "## Peers, on the smallest directory", "", *table(*_peers(results))]
    lines += ["", "## Growth", ""]
    lines.append(
        "The median latency with one client over that on the smallest directory; in brackets the baseline's, on a "
        "table with as many rows."
    )
    lines += ["", "![Growth](growth.svg)", "", *table(*_growth(results))]
    return "\n".join(lines) + "\n"


def _work(results: Results) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    head: tuple[str, ...] = ("work", "clients", "operations/s", "median ms", "p99 ms", "share", "target", "met")
    if "against" in results:
        head += (f"share of {results['against']}", "this over that")
    return head, (
        (
            row["name"], row["clients"], f"{row['rate']:,.0f}", f"{row['median']:.2f}",
            f"{row['p99']:.1f} ({row['baseline']}: {row['baseline_p99']:.1f})",
            f"{row['share']:.2f} of {row['baseline']}", _row_target(row), verdict(row_met(row)), *_other(row),
        )
        for row in results["rows"]
    )  # fmt: skip


def _other(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of the other checkout, if there was one."""
    if "other_share" not in row:
        return ()
    return f"{row['other_share']:.2f} of {row['baseline']}", f"{row['times_other']:.2f}"


def progress(row: dict[str, Any]) -> str:
    """Return a row as one line for the terminal."""
    other = f"  other {row['other_share']:.2f}, this over that {row['times_other']:.2f}" if "other_share" in row else ""
    return (
        f"{row['name']:38} c{row['clients']} {row['rate']:8.0f}/s  {row['share']:.2f} of {row['baseline']}"
        f"  p99 {row['p99']:.1f} ms (baseline {row['baseline_p99']:.1f}){other}"
    )


def _row_target(row: dict[str, Any]) -> str:
    slow = f"p99 ≤ {row['p99_at_most']:g} × {row['baseline']}'s" if row["p99_at_most"] else ""
    return ", ".join(filter(None, (target(row["at_least"], None), slow)))


def row_met(row: dict[str, Any]) -> bool | None:
    """Return whether a row meets all its targets."""
    share = within(row["share"], row["at_least"], None)
    slow = within(row["p99"] / row["baseline_p99"], None, row["p99_at_most"])
    found = [met for met in (share, slow) if met is not None]
    return all(found) if found else None


def _facts(facts: Iterable[dict[str, Any]]) -> Iterator[tuple[object, ...]]:
    for fact in facts:
        met = within(fact["value"], fact["at_least"], fact["at_most"])
        bound = target(fact["at_least"], fact["at_most"], fact["unit"])
        yield fact["name"], f"{fact['value']:.2f} {fact['unit']}", bound, verdict(met)


def _peers(results: Results) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    head = ("work", "peer", "clients", "peer/s", "Perch/s", "Perch over the peer", "target", "met")
    return head, (
        (
            row["name"], row["peer"], row["clients"], f"{row['peer_rate']:,.0f}", f"{row['rate']:,.0f}",
            f"{row['times']:.2f} times", target(bound, None, "times"), verdict(within(row["times"], bound, None)),
        )
        for row in results["peers"]
        for bound in (BETTER_THAN_PEER if row["durable"] and row["name"] == SESSION else None,)
    )  # fmt: skip


def _growth(results: Results) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    sizes = sorted(int(size) for size in results["sizes"])
    limits = {row["name"]: row["grows_at_most"] for row in results["sizes"][str(sizes[0])]}
    head = ("work", *(f"{size:,}" for size in sizes), "target", "met")
    return head, (
        (
            name, *(f"{mine:.2f} ({base:.2f})" for mine, base in found.values()), target(None, limits[name]),
            verdict(within(found[sizes[-1]][0], None, limits[name])),
        )
        for name, found in growth(results).items()
    )  # fmt: skip


def in_short(results: Results) -> str:
    """Return the short section: circumstances and the most important rows."""
    measured = (
        "Perch, the bare minimum of its stack and a peer"
        if results["peers"]
        else "Perch and the bare minimum of its stack"
    )
    head = f"{circumstances(results)} {measured} in one run:"
    foot = (
        "Rates are with one client and with eight. B2 is a Flask view that answers one SELECT, B3 one durable INSERT, "
        "B5 a page of 100 rows by one SELECT. Ratios are medians of interleaved runs, since rates change from minute "
        "to minute. [All rows](benchmark/results.md) are in another page."
    )
    rows = table(("work", "per second", "figure", "target", "met"), _short_rows(results))
    return "\n".join([_filled(head), "", *rows, "", _filled(foot)])


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def _short_rows(results: Results) -> Iterator[tuple[object, ...]]:
    for name in IN_SHORT:
        found = [row for row in results["rows"] if row["name"] == name]
        mets = [met for row in found if (met := row_met(row)) is not None]
        if found:
            rates = " / ".join(f"{row['rate']:,.0f}" for row in found)
            shares = " / ".join(f"{row['share']:.2f}" for row in found) + f" of {found[0]['baseline']}"
            yield name, rates, shares, _targets(found), verdict(all(mets) if mets else None)
    durable = [row for row in results["peers"] if row["durable"] and row["name"] == SESSION]
    if durable:
        best = min(durable, key=lambda row: float(row["times"]))
        enough = verdict(within(best["times"], BETTER_THAN_PEER, None))
        against = f"{best['times']:.2f} × {best['peer'].removesuffix(' (durable)')}"
        yield f"{SESSION}, 4 clients", f"{best['rate']:,.0f}", against, f"≥ {BETTER_THAN_PEER:g} ×", enough
    yield from _short_growth(results)
    for fact in _largest(results["facts"]):
        ((figure, value, bound, fulfilled),) = _facts([fact])
        yield figure, "", value, bound, fulfilled


def _targets(found: list[dict[str, Any]]) -> str:
    """Return the targets with one client and with eight, once if they are the same."""
    first, last = _row_target(found[0]), _row_target(found[-1])
    return last if first.partition(",")[0] == last.partition(",")[0] else f"{first} / {last}"


def _short_growth(results: Results) -> Iterator[tuple[object, ...]]:
    first, last = min(map(int, results["sizes"])), max(map(int, results["sizes"]))
    limits = {row["name"]: row["grows_at_most"] for row in results["sizes"][str(first)]}
    grown = {name: found[last] for name, found in growth(results).items() if limits[name]}
    if grown and last > first:
        name, (mine, base) = max(grown.items(), key=lambda item: item[1][0])
        work = f"most growth of all of these, {first:,} to {last:,} people: {name}"
        met = verdict(within(mine, None, limits[name]))
        yield work, "", f"{mine:.2f} times (baseline: {base:.2f})", target(None, limits[name], "times"), met


def _largest(facts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the facts with a target, of the largest directory only, without those that are much like another."""
    found = {re.sub(r"=\d+|\d[\d,]* people", "", fact["name"]): fact for fact in facts}
    others = re.compile("GET without|POST a group|rename a group|.*importing|.*not cached")
    return [fact for name, fact in found.items() if (fact["at_least"] or fact["at_most"]) and not others.match(name)]


def with_section(text: str, results: Results) -> str:
    """Return the page with the table of a run."""
    return with_part(text, BEGIN, in_short(results), END)


if __name__ == "__main__":
    last = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), last), encoding="utf-8")
