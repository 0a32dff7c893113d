"""Counters and histograms, and their text for Prometheus.

The text format is a few lines for each kind of metric, and the sandbox has three kinds. So this is
written here and not taken from ``prometheus_client``: that package keeps global state, which tests
with several servers in a process would share, and needs files on disk to sum over processes.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["CONTENT_TYPE", "Counter", "Histogram", "gauge_lines"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: The upper bounds of durations in seconds.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Counter:
    """Counts by the values of *labels*. Threads may share it."""

    def __init__(self, name: str, words: str, labels: Sequence[str] = ()) -> None:
        self._name, self._words, self._labels = name, words, labels
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Add *amount* for the *values* of the labels."""
        with self._lock:
            self._counts[values] = self._counts.get(values, 0.0) + amount

    def lines(self) -> list[str]:
        """Return the counter in the text format."""
        with self._lock:
            counts = sorted(self._counts.items())
        return [
            *_head(self._name, self._words, "counter"),
            *(_sample(self._name, zip(self._labels, values), count) for values, count in counts),
        ]


class Histogram:
    """Counts durations in seconds by the value of one *label*. Threads may share it."""

    def __init__(self, name: str, words: str, label: str) -> None:
        self._name, self._words, self._label = name, words, label
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, value: str, seconds: float) -> None:
        """Count a duration for the *value* of the label."""
        at = bisect.bisect_left(_BOUNDS, seconds)
        with self._lock:
            counts = self._counts.setdefault(value, [0] * (len(_BOUNDS) + 1))
            counts[at] += 1
            self._sums[value] = self._sums.get(value, 0.0) + seconds

    def lines(self) -> list[str]:
        """Return the histogram in the text format."""
        with self._lock:
            counts = {value: list(each) for value, each in sorted(self._counts.items())}
            sums = dict(self._sums)
        lines = _head(self._name, self._words, "histogram")
        for value, each in counts.items():
            label = (self._label, value)
            totals = list(itertools.accumulate(each))
            for bound, total in zip([*map(str, _BOUNDS), "+Inf"], totals):
                lines.append(_sample(f"{self._name}_bucket", [label, ("le", bound)], total))
            lines.append(_sample(f"{self._name}_sum", [label], sums[value]))
            lines.append(_sample(f"{self._name}_count", [label], totals[-1]))
        return lines


def gauge_lines(
    name: str, words: str, values: Mapping[str, float], label: str = "state"
) -> list[str]:
    """Return a gauge in the text format: *values* by the value of *label*, "" for no label."""
    return [
        *_head(name, words, "gauge"),
        *(_sample(name, [(label, each)] if each else (), value) for each, value in values.items()),
    ]


def _head(name: str, words: str, kind: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    text = ",".join(f'{label}="{_escaped(each)}"' for label, each in labels)
    number = f"{value:.9g}" if value % 1 else str(int(value))
    return f"{name}{{{text}}} {number}" if text else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
