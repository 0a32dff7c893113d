"""Make the page and the chart of the documentation from the figures of a run.

``python -m benchmarks --docs docs`` measures and writes ``performance.json``, from which
``python -m benchmarks.report docs`` makes ``performance.rst`` and ``images/performance.svg``.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from benchmarks import aims

PUBLISHED, OURS, FLOOR = "ftrack_api", "ftrack_like", "floor"


class Row(NamedTuple):
    """One figure: medians by module, *times* how many times ours is better, None where unknown."""

    workload: str
    figure: str
    medians: dict[str, float]
    ranges: dict[str, tuple[float, float]]
    times: float | None


def rows(report: dict[str, Any]) -> Iterator[Row]:
    """Yield the figures of *report* in the order in which they were measured."""
    for title, samples in report["samples"].items():
        for figure, by_module in samples.items():
            medians = {module: statistics.median(values) for module, values in by_module.items()}
            ranges = {module: (min(values), max(values)) for module, values in by_module.items()}
            ours, published = medians.get(OURS), medians.get(PUBLISHED)
            times = published / ours if ours and published else None
            yield Row(title, figure, medians, ranges, times)


def text(value: float, figure: str) -> str:
    """Return *value* readably in the unit that stands at the end of *figure*."""
    if "(s" not in figure:
        return f"{value:,.0f}"
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def name_of(figure: str) -> str:
    """Return *figure* without the unit, which its values show, unless that is no time."""
    return figure.partition(" (s")[0]


def ratio(times: float) -> str:
    """Return *times*, how many times one is better, without digits that mean nothing."""
    return f"{times:.1f}" if times < 100 else f"{times:,.0f}"


def page(report: dict[str, Any]) -> str:
    """Return the page of the documentation for *report*."""
    lines = [
        ".. This page is made by ``python -m benchmarks.report docs`` from performance.json.",
        "",
        "Performance",
        "===========",
        "",
        "This page shows how many times faster this client is than the published client. One run",
        "measures both in turn, each time in a new process. Machines are noisy and differ, so",
        "compare the ratios.",
        "",
        *_headlines(report),
        ".. The chart is part of the page, so its text has the colour of the page's text.",
        "",
        ".. raw:: html",
        "   :file: images/performance.svg",
        "",
        f"Measured on {report['date']} with ``tox run -e bench``, {_rounds(report)};",
        "medians, with the range of this client's rounds in brackets.",
        "",
    ]
    lines += [f"- {line}" for line in report["machine"]]
    lines += [f"- {name} {version}" for name, version in report["versions"].items()]
    lines += [
        "",
        *_verdict(report),
        "",
        *_table(report),
        "",
        *_others(report),
        "",
        *_ending(report),
    ]
    return "\n".join(lines)


class Headline(NamedTuple):
    """A figure for the top of the page: *words* has places for the medians and the ratio."""

    workload: str
    figure: str
    words: str


#: The figures that a reader of the page should remember, in the order of the page.
HEADLINES = (
    Headline(
        "start_process",
        "whole process up to the first query (s)",
        "A process that imports the library, opens a session and queries is {times} as fast, from"
        " its start to its end: {ours} instead of {published}.",
    ),
    Headline(
        "query_tasks 10,000",
        "query, decode and merge (s)",
        "Querying 10,000 tasks with ten attributes each is {times} as fast: {ours} instead of"
        " {published}.",
    ),
    Headline(
        "query_far_away 10,000",
        "query with 50 ms of latency (s)",
        "The same query of a server that answers after 50 ms is {times} as fast: {ours} instead of"
        " {published}.",
    ),
    Headline(
        "commit_one_change 10,000",
        "commit of one change (s)",
        "Committing one change while 10,000 entities are loaded is {times} as fast: {ours} instead"
        " of {published}.",
    ),
    Headline(
        "hold_in_memory 10,000",
        "memory per task held (B)",
        "A loaded task takes {ours} bytes of memory instead of {published}, {times} less.",
    ),
)


def _headlines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the most important figures in words, without those not measured."""
    known = {(row.workload, row.figure): row for row in rows(report)}
    for each in HEADLINES:
        row = known.get((each.workload, each.figure))
        if row is not None and row.times is not None:
            words = each.words.format(
                ours=text(row.medians[OURS], row.figure),
                published=text(row.medians[PUBLISHED], row.figure),
                times=f"**{ratio(row.times)} times**",
            )
            yield f"- {words}"
    yield ""


def _rounds(report: dict[str, Any]) -> str:
    """Return how many rounds there were."""
    return f"up to {report['rounds']} round{'s' if report['rounds'] != 1 else ''}"


def _outcomes(report: dict[str, Any]) -> list[aims.Outcome]:
    """Return what came of the aims that are no ratio of one figure."""
    medians: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows(report):
        medians.setdefault(row.workload, {})[row.figure] = row.medians
    return aims.outcomes(medians)


def _verdict(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say which aims are not reached."""
    missed = aims.missed(rows(report), _outcomes(report))
    if not missed:
        yield "All aims that the project has set itself are reached in this run."
        return
    yield "Not reached in this run:"
    yield ""
    for each in missed:
        yield f"- {each}"


def _others(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of aims that are no ratio of one figure."""
    outcomes = _outcomes(report)
    if not outcomes:
        return
    yield "Other aims:"
    yield ""
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 70 15 15"
    yield ""
    yield "   * - Figure"
    yield "     - Measured"
    yield "     - At most"
    for each in outcomes:
        yield f"   * - {each.text}"
        yield f"     - {each.figure}{'' if each.is_reached else ' (missed)'}"
        yield f"     - {each.limit}"


def _aim(row: Row) -> str:
    """Return what is to be said of the aim of *row*, nothing where there is none."""
    aim = aims.times_of(row.workload, row.figure)
    if aim is None:
        return ""
    return f"{aim:g}" if row.times is None or row.times >= aim else f"{aim:g} (missed)"


def _table(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of all figures that both libraries have."""
    yield ".. csv-table::"
    yield f"   :header: {_cells('Workload', 'Figure', 'Published', 'This client', 'Times', 'Aim')}"
    yield "   :widths: 22, 34, 13, 21, 10, 10"
    yield ""
    before = None
    for row in rows(report):
        if OURS not in row.medians:
            continue
        low, high = (text(value, row.figure) for value in row.ranges[OURS])
        published = row.medians.get(PUBLISHED)
        title = row.workload.replace("_", " ") if row.workload != before else ""
        before = row.workload
        cells = _cells(
            title,
            name_of(row.figure),
            "" if published is None else text(published, row.figure),
            f"{text(row.medians[OURS], row.figure)} ({low} … {high})",
            "" if row.times is None else ratio(row.times),
            _aim(row),
        )
        yield f"   {cells}"
        if FLOOR in row.medians:
            name = "… with no client at all: JSON into a bare identity map"
            yield f"   {_cells('', name, '', text(row.medians[FLOOR], row.figure), '', '')}"


def _cells(*texts: str) -> str:
    """Return a line of a table with *texts* in its cells."""
    quoted = (each.replace('"', '""') for each in texts)
    return ", ".join(f'"{each}"' for each in quoted)


#: How the workloads are measured: sentences, each for the workloads whose names begin so.
METHODS = (
    ("", "In most workloads the server answers from memory in about 0.2 ms."),
    ("query_in_threads", "It answers 50 ms later in the workload with threads."),
    ("query_far_away", "It answers 50 ms later in the query far away."),
    ("read_unloaded", "It answers 5 ms later in the loop over unloaded attributes."),
    ("small_query", "It answers 20 ms later in the small queries."),
    ("small_program", "In the small programs it answers as much later as the name says."),
    ("separate_queries", "In the separate queries it answers as much later as the name says."),
    (
        "start_process",
        "A whole process is measured from its start to its end, with compiled modules and a warm"
        " schema cache, beside a process that imports only ``requests`` and sends one request.",
    ),
    ("count_requests", ":doc:`requests` explains the requests of everyday work."),
    (
        "move_data",
        "Events and data go through a sandbox on the same machine, which takes most of that time.",
    ),
    (
        "query_tasks",
        "The tasks have a status, a type, a parent and an assignment, and the query selects ten of"
        " their attributes.",
    ),
    (
        "",
        "``benchmarks/workloads.py`` and ``benchmarks/totals.py`` contain the workloads, and use"
        " only the public interface.",
    ),
)


def _ending(report: dict[str, Any]) -> list[str]:
    """Return how the workloads of *report* are measured."""
    titles = list(report["samples"])
    sentences = [
        sentence for name, sentence in METHODS if any(title.startswith(name) for title in titles)
    ]
    return [*textwrap.wrap(" ".join(sentences), 90, break_long_words=False), ""]


# The chart

WIDTH, LEFT, BAR, GAP = 860, 400, 16, 8
TIMES = "\N{MULTIPLICATION SIGN}"
#: Text and lines have the colour of the page around the chart. In a window of its own, the chart
#: follows the scheme of the reader: only there is it the root of the document.
STYLE = (
    "svg:root{color:#222222;background:#ffffff}"
    "@media (prefers-color-scheme:dark){svg:root{color:#dddddd;background:#16181a}}"
)


def chart(report: dict[str, Any]) -> str:
    """Return the chart of *report* as SVG: a bar for each ratio, on a logarithmic scale."""
    bars = [row for row in rows(report) if row.times is not None and "(s" in row.figure]
    bars = [row for row in bars if "alone" not in row.figure]
    most = max([row.times or 1 for row in bars] + [10])
    top, height = 34, 34 + len(bars) * (BAR + GAP) + 12

    def x(times: float) -> float:
        """Return where the bar of *times* ends."""
        share = math.log10(max(times, 0.5) / 0.5) / math.log10(most / 0.5)
        return LEFT + share * (WIDTH - LEFT - 60)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'role="img" aria-labelledby="performance-title" width="100%" '
        'font-family="sans-serif" font-size="12" fill="currentColor">',
        '<title id="performance-title">How many times faster than the published client, by '
        "workload</title>",
        f"<style>{STYLE}</style>",
    ]
    for tick in (1, 2, 5, 10, 20, 50, 100, 1000, 10_000, 100_000):
        if tick <= most:
            place = f"{x(tick):.1f}"
            parts.append(
                f'<line x1="{place}" x2="{place}" y1="24" y2="{height - 8}" '
                f'stroke="currentColor" stroke-opacity="{0.6 if tick == 1 else 0.15}"/>'
                f'<text x="{place}" y="18" text-anchor="middle">{tick}{TIMES}</text>'
            )
    for number, row in enumerate(bars):
        y = top + number * (BAR + GAP)
        times = row.times or 1
        left, right = sorted((x(1), x(times)))
        label = f"{row.workload.replace('_', ' ')}: {name_of(row.figure)}"
        label = label if len(label) <= 66 else label[:65] + "…"
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}'
            f'</text><rect x="{left:.1f}" y="{y}" width="{max(right - left, 1):.1f}" '
            f'height="{BAR}" fill="{"#3b8fcc" if times >= 1 else "#d0605d"}"/>'
            f'<text x="{right + 5:.1f}" y="{y + 12}">{ratio(times)}{TIMES}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def write(folder: Path) -> None:
    """Write the page and the chart into *folder*, from the ``performance.json`` there."""
    report = json.loads((folder / "performance.json").read_text(encoding="utf-8"))
    (folder / "performance.rst").write_text(page(report), encoding="utf-8")
    (folder / "images" / "performance.svg").write_text(chart(report), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
