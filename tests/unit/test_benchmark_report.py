"""The page and the chart of the benchmarks come from one file of figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent

if not (PROJECT / "benchmarks").is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module that makes page and chart."""
    monkeypatch.syspath_prepend(str(PROJECT))
    from benchmarks import report as module

    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


#: Figures of a run that never was.
FIGURES = {
    "date": "2026-01-02",
    "rounds": 3,
    "machine": ["A processor, 2 cores"],
    "versions": {"Python": "3.11.7"},
    "samples": {
        "query_tasks 10": {
            "query <fast> (s)": {
                "ftrack_api": [2.0, 1.0, 9.0],
                "ftrack_like": [0.1, 0.2, 0.4],
                "floor": [0.05, 0.05, 0.05],
            },
            "json.loads of the pages (s)": {"floor": [0.01]},
        },
        "publish": {"events lost (count)": {"ftrack_api": [0], "ftrack_like": [0]}},
    },
}


def test_ratios_are_those_of_the_medians(report: Any) -> None:
    """A row has medians and ranges; there is no ratio where nothing was counted."""
    first, floor, lost = report.rows(FIGURES)
    assert first.medians == {"ftrack_api": 2.0, "ftrack_like": 0.2, "floor": 0.05}
    assert first.ranges["ftrack_like"] == (0.1, 0.4)
    assert first.times == 10.0
    assert floor.times is None
    assert lost.times is None


def test_the_page_shows_every_figure_with_its_circumstances(report: Any) -> None:
    """Date, machine, versions, values with units, and ratios are on the page."""
    page = report.page(FIGURES)
    for words in (
        "2026-01-02",
        "A processor, 2 cores",
        "Python 3.11.7",
        '"query <fast>", "2 s", "200 ms (100 ms … 400 ms)", "10.0", ',
        '"events lost (count)", "0", "0 (0 … 0)", "", ',
    ):
        assert words in page


#: Figures of another run that never was, with aims that are reached and some that are missed.
WITH_AIMS = {
    **FIGURES,
    "samples": {
        "query_tasks 10": {
            "query, decode and merge (s)": {
                "ftrack_api": [10.0],
                "ftrack_like": [0.5],
                "floor": [0.25],
            },
            "the same query again (s)": {"ftrack_api": [10.0], "ftrack_like": [0.25]},
        },
        "commit_one_change 1,000": {"commit of one change (s)": {"ftrack_like": [0.001]}},
        "commit_one_change 50,000": {"commit of one change (s)": {"ftrack_like": [0.006]}},
        "read_unloaded": {"requests of the loop (count)": {"ftrack_like": [2]}},
    },
}


def test_the_page_says_plainly_which_aims_are_missed(report: Any) -> None:
    """What is not reached stands before the table, and where it stands in it."""
    page = report.page(WITH_AIMS)
    before, _, tables = page.partition(".. csv-table::")
    assert "Not reached in this run" in before
    much = "- commit of one change with 50,000 tasks loaded"
    assert [line for line in before.splitlines() if line.startswith("- ")][2:] == [
        "- query tasks 10: query, decode and merge (20.0 of 25)",
        f"{much}: times what it takes with 1,000 (6.00, 1.50)",
        f"{much}: milliseconds (6, 5)",
    ]
    for words in (
        '"20.0", "25 (missed)"\n',
        '"40.0", "25"\n',
        "     - 6 (missed)\n     - 5\n",
        "without the requests\n     - 2.0\n     - 3.5\n",
        "requests\n     - 2\n     - 6\n",
    ):
        assert words in tables


def test_the_page_says_that_all_aims_are_reached(report: Any) -> None:
    """Without a missed aim one sentence says so; what was not measured counts for nothing."""
    assert "\nAll aims that the project has set itself are reached" in report.page(FIGURES)
    assert "Other aims" not in report.page(FIGURES)


def test_every_aim_is_about_something_that_is_measured(report: Any) -> None:
    """Aims name workloads that exist, and figures by the names that these give."""
    from benchmarks import aims
    from benchmarks.everything import WORKLOADS

    source = (PROJECT / "benchmarks" / "workloads.py").read_text(encoding="utf-8")
    for workload, figure in aims.TIMES:
        assert workload.partition(" ")[0] in WORKLOADS
        assert figure.partition(" (s")[0] in source.replace("'", "'")
    asked = []

    def value(title: str, figure: str, module: str = "ftrack_like") -> float:
        """Note what is asked for."""
        asked.append((title.partition(" ")[0], figure.partition(" (s")[0]))
        return 1.0

    for aim in aims.OTHERS:
        aim.figure(value)
    assert {workload for workload, _ in asked} <= set(WORKLOADS)


def test_the_chart_is_a_picture_of_the_ratios(report: Any) -> None:
    """The chart is well-formed, with a bar for each ratio of times and nothing else."""
    chart = report.chart(FIGURES)
    texts = [each.text for each in ElementTree.fromstring(chart).iter() if each.text]
    assert "query tasks 10: query <fast>" in texts
    assert "10.0\N{MULTIPLICATION SIGN}" in texts
    assert not any("lost" in each or "json" in each for each in texts)


def test_the_documentation_shows_the_figures_that_it_keeps(report: Any) -> None:
    """Page and chart in docs are those that performance.json there gives."""
    docs = PROJECT / "docs"
    kept = json.loads((docs / "performance.json").read_text(encoding="utf-8"))
    assert (docs / "performance.rst").read_text(encoding="utf-8") == report.page(kept)
    chart = (docs / "images" / "performance.svg").read_text(encoding="utf-8")
    assert chart == report.chart(kept)


def test_five_figures_in_words_lead_the_page(report: Any) -> None:
    """The page of the documentation begins with five figures in words, which were measured."""
    figures = json.loads((PROJECT / "docs" / "performance.json").read_text(encoding="utf-8"))
    page = report.page(figures)
    top = page.partition(".. raw:: html")[0]
    assert len([line for line in top.splitlines() if line.startswith("- ")]) == 5
    assert "**53.6 times** as fast" not in report.page(FIGURES)
    (first, *_) = [row for row in report.rows(figures) if row.workload == "query_tasks 10,000"]
    assert f"**{report.ratio(first.times)} times** as fast" in top


def test_the_chart_fits_dark_pages(report: Any) -> None:
    """Text and lines have the colour of the page. Alone, the chart follows the reader's scheme."""
    chart = report.chart(FIGURES)
    assert "prefers-color-scheme:dark" in chart
    fills = {
        element.get("fill") or element.get("stroke")
        for element in ElementTree.fromstring(chart).iter()
        if not element.tag.endswith("}rect")
    }
    assert fills == {None, "currentColor"}
