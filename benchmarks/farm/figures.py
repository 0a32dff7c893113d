"""Figures from the counts of a storm, and the calculation for a larger farm."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.farm.storm import Result
from benchmarks.farm.worker import FIRST, PHASES, START

#: The counters of a worker: HTTP requests to the server, bytes to and from the server, and bytes
#: to and from the shared cache, if that is a server.
COUNTERS = ("requests", "sent", "received", "cache_sent", "cache_received")


@dataclasses.dataclass
class Storm:
    """The sums of all workers of one storm.

    *counts* is ``{phase: {counter: number}}``. *storm_time* is in seconds, from the start of the
    first worker to the end of the last worker's first query, and *total_time* to the end of the
    last worker. They are None if no worker came so far. *processor_time* is the time in seconds
    that the server's processes used a processor, *client_time* the same for all workers from their
    start, and *memory* the most bytes that a worker had; None where the system does not tell.
    *load* is the load of the machine before the storm.
    """

    variant: str
    workers: int
    counts: dict[str, dict[str, int]]
    storm_time: float | None
    total_time: float | None
    processor_time: float | None
    client_time: float
    memory: int | None
    load: float | None
    retries: int
    errors: int
    lost: int
    duplicates: int
    examples: list[str]

    def total(self, counter: str, *phases: str) -> int:
        """Return the sum of *counter* in *phases*, by default in all."""
        return sum(self.counts[phase][counter] for phase in phases or PHASES)

    @property
    def failed(self) -> bool:
        """Return true unless every worker did its work exactly once."""
        return bool(self.errors or self.lost or self.duplicates)


def summed(variant: str, results: list[Result], **measured: Any) -> Storm:
    """Return the sums of the *results* of all workers, with what else was *measured*."""
    counts = {phase: dict.fromkeys(COUNTERS, 0) for phase in PHASES}
    for result in results:
        for phase, found in result["counts"].items():
            for counter, number in found.items():
                counts[phase][counter] += number
    begin = min((each["begin"] for each in results if "begin" in each), default=0.0)
    failures = sorted({each["error"] for each in results if each["error"]})
    peaks = [each["memory"] for each in results if each["memory"] is not None]
    return Storm(
        variant=variant,
        workers=len(results),
        counts=counts,
        storm_time=_last(results, "first", begin),
        total_time=_last(results, "end", begin),
        client_time=sum(each.get("processor_time", 0.0) for each in results),
        memory=max(peaks, default=None),
        retries=sum(each.get("statistics", {}).get("retries", 0) for each in results),
        errors=sum(bool(each["error"]) for each in results),
        examples=failures[:5] + measured.pop("examples", []),
        **measured,
    )


def _last(results: list[Result], moment: str, begin: float) -> float | None:
    """Return the seconds from *begin* to the last *moment* of a worker, None if none has it."""
    moments = [each[moment] for each in results if moment in each]
    return max(moments) - begin if moments else None


@dataclasses.dataclass
class Farm:
    """The calculated load of a farm of *workers* on the server.

    *start* are the requests of the start and of the first query, *requests* those of all phases.
    *start_bytes*, *bytes* and *cache_bytes* are sums of both directions. *processor_time* is in
    seconds, or None where it was not measured.
    """

    variant: str
    workers: int
    start: float
    start_bytes: float
    requests: float
    bytes: float
    cache_bytes: float
    processor_time: float | None


def calculated(storms: list[Storm], workers: int) -> Farm:
    """Return the load of a farm of *workers*, from the *storms* of one variant at several sizes.

    A count grows by a straight line through the smallest and the largest storm: some requests are
    made by each worker, and others once for all. One storm gives a line through zero. The
    processor time of each worker is that in the largest storm.
    """
    ordered = sorted(storms, key=lambda each: each.workers)
    small, large = ordered[0], ordered[-1]

    def at(counters: tuple[str, ...], *phases: str) -> float:
        """Return the sum of *counters* in *phases* for the whole farm."""
        last = sum(large.total(counter, *phases) for counter in counters)
        if small.workers == large.workers:
            return last * workers / large.workers
        first = sum(small.total(counter, *phases) for counter in counters)
        slope = (last - first) / (large.workers - small.workers)
        return last + slope * (workers - large.workers)

    used = large.processor_time
    return Farm(
        variant=large.variant,
        workers=workers,
        start=at(("requests",), START, FIRST),
        start_bytes=at(("sent", "received"), START, FIRST),
        requests=at(("requests",)),
        bytes=at(("sent", "received")),
        cache_bytes=at(("cache_sent", "cache_received")),
        processor_time=None if used is None else used / large.workers * workers,
    )
