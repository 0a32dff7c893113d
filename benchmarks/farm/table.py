"""The figures of a farm as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.farm.figures import Farm, Storm
from benchmarks.farm.worker import PHASES

KILO, MEGA, GIGA = 1e3, 1e6, 1e9


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield "  " + "  ".join(cells).rstrip()


def number(value: float | None, digits: int = 0) -> str:
    """Return *value* with so many digits after the point, and a dash for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def each(value: float | None, storm: Storm, digits: int = 0) -> str:
    """Return *value* of all workers of *storm* for one of them."""
    return number(None if value is None else value / storm.workers, digits)


def requests_table(storms: Sequence[Storm]) -> Iterator[str]:
    """Yield the requests of a worker, by phase."""
    rows = [
        [
            storm.variant,
            str(storm.workers),
            *(each(storm.total("requests", phase), storm, 1) for phase in PHASES),
            each(storm.total("requests"), storm, 1),
            number(storm.retries),
        ]
        for storm in storms
    ]
    yield "Requests to the server, for each worker (the last column: retries of all workers)"
    yield from aligned(["", "workers", *PHASES, "all", "retries"], rows)


def bytes_table(storms: Sequence[Storm]) -> Iterator[str]:
    """Yield the bytes of a worker, by phase, and those to and from the cache."""
    rows = []
    for storm in storms:
        sums = [storm.total("sent", phase) + storm.total("received", phase) for phase in PHASES]
        cache = storm.total("cache_sent") + storm.total("cache_received")
        cells = [each(value / KILO, storm, 1) for value in (*sums, sum(sums), cache)]
        rows.append([storm.variant, str(storm.workers), *cells])
    yield "Kilobytes to and from the server, and to and from the cache server, for each worker"
    yield from aligned(["", "workers", *PHASES, "all", "cache"], rows)


def storms_table(storms: Sequence[Storm]) -> Iterator[str]:
    """Yield times, errors and duplicates.

    The milliseconds are the time on a processor for each worker: at the server, and in the worker.
    """
    rows = [
        [
            storm.variant,
            str(storm.workers),
            number(storm.storm_time, 2),
            number(storm.total_time, 1),
            each(storm.processor_time and storm.processor_time * 1e3, storm),
            each(storm.client_time * 1e3, storm),
            number(storm.memory and storm.memory / MEGA),
            number(storm.load, 1),
            *map(str, (storm.errors, storm.lost, storm.duplicates)),
        ]
        for storm in storms
    ]
    yield "Times and results (ms: time on a processor for each worker; load: that before the storm)"
    head = ["", "workers", "storm s", "all s", "server ms", "client ms", "worker MB", "load"]
    yield from aligned([*head, "errors", "lost", "duplicates"], rows)
    for storm in storms:
        for example in storm.examples:
            yield f"  {storm.variant}, {storm.workers} workers: {example}"


def growth_table(pairs: Sequence[tuple[Storm, Storm]]) -> Iterator[str]:
    """Yield how the figures of each variant grow from its smallest to its largest storm."""
    rows = []
    for small, large in pairs:
        cells = [f"{small.workers} to {large.workers}"]
        for counter in ("requests", "received"):
            before, after = small.total(counter), large.total(counter)
            grown = after * small.workers / before / large.workers if before else None
            cells.append(number(grown, 2))
        times = small.storm_time, large.storm_time
        cells.append(number(times[1] / times[0], 1) if times[0] and times[1] else "-")
        rows.append([small.variant, *cells])
    yield "Growth: the figure of the largest storm divided by that of the smallest"
    head = ["", "workers", "requests each", "received bytes each", "storm time"]
    yield from aligned(head, rows)


def farm_table(farms: Sequence[Farm], window: float) -> Iterator[str]:
    """Yield the calculated load of the farm, whose workers do their work in *window* seconds."""
    rows = [
        [
            farm.variant,
            number(farm.start),
            number(farm.start_bytes / MEGA),
            number(farm.requests),
            number(farm.bytes / GIGA, 2),
            number(farm.cache_bytes / GIGA, 2),
            number(farm.requests / window),
            number(farm.bytes / window / MEGA, 1),
            number(farm.processor_time and farm.processor_time / window, 1),
        ]
        for farm in farms
    ]
    yield f"Calculated for {farms[0].workers:,} workers, the rates for a window of {window:g} s"
    head = ["", "start requests", "start MB", "requests", "GB", "cache GB"]
    yield from aligned([*head, "requests/s", "MB/s", "server cores"], rows)
