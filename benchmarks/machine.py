"""The machine on which a benchmark runs, for the reader of its figures."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any


def circumstances() -> dict[str, Any]:
    """Return the date, the machine and the versions of the packages that matter."""
    versions = {"Python": platform.python_version()}
    for name in ("ftrack-like", "ftrack-python-api", "requests", "urllib3"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": [f"{processor()}, {os.cpu_count()} cores", platform.platform(terse=True)],
        "versions": versions,
    }


def processor() -> str:
    """Return the model of the processor, or the machine's type if the model is unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> float | None:
    """Return the mean number of processes that wanted to run in the last minute, or None."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def memory() -> int | None:
    """Return the bytes of memory that are free for new processes, or None if it is unknown."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), None)


def processor_seconds(process_id: int) -> float | None:
    """Return the processor time of a process and its living descendants, or None without /proc.

    The time of the children that have ended is counted with their parent. The figure hardly
    depends on what else the machine does.
    """
    times: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program, in brackets, may contain spaces.
            words = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            times[int(path.parent.name)] = (int(words[1]), sum(map(int, words[11:15])))
    if process_id not in times:
        return None
    family = {process_id}
    while True:
        more = {child for child, (parent, _) in times.items() if parent in family} - family
        if not more:
            break
        family |= more
    return sum(times[each][1] for each in family) / os.sysconf("SC_CLK_TCK")
