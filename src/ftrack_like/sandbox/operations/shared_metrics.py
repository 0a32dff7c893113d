"""The metrics of all processes of a sandbox, added up by the one that answers.

Each process writes its metrics to a file of a folder every second, and before it answers for all.
A scraper that asks at most once a second therefore never sees a counter decrease. The supervisor
adds the counters of a process that has ended to a file for all of these, because Prometheus would
take a smaller sum for a restart. The file of a process that was killed lacks its last second.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Optional

from ftrack_like._base.renaming import put_into_place

__all__ = ["MetricsFolder", "added_up"]

#: Seconds between two writes.
_INTERVAL = 1.0

#: The file with the counters of ended processes. Its first line names the latest of them.
_ENDED = "ended"
_NAMED = 100

_KIND = re.compile(r"# TYPE (\S+) (\S+)")


class MetricsFolder:
    """The folder at *path*, which the processes of one supervisor share."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._text: Callable[[], str] = str
        #: The open folder, which each process locks until its end.
        self._handle: Optional[int] = None
        self._is_left = False

    def total(self, own: str) -> str:
        """Store *own*, the metrics of this process, and return the sum over all processes."""
        number = str(os.getpid())
        self._store(number, own)
        # In this order: a process that ends in between is in both, and the first line says so.
        others = {name: self._read(name) for name in self._names() if name != number}
        head, _, ended = self._read(_ENDED).partition("\n")
        gone = set(head.split()[1:])
        return added_up([own, *(text for name, text in others.items() if name not in gone), ended])

    def write_regularly(self, text: Callable[[], str]) -> None:
        """Store the metrics of this process every second, in a thread that ends with it."""
        import fcntl  # lazy: not on Windows, which has no supervisor

        self._text = text
        self._handle = os.open(self._path, os.O_RDONLY)
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        threading.Thread(target=self._repeat, name="sandbox-metrics", daemon=True).start()

    def write(self) -> None:
        """Store the metrics of this process now; do nothing if the disk refuses it."""
        with contextlib.suppress(OSError):  # the next write may succeed
            self._store(str(os.getpid()), self._text())

    def end(self, number: int) -> None:
        """Keep the counters of the process *number*, which has ended; ignore errors of the disk."""
        with contextlib.suppress(OSError):
            text = self._read(str(number))
            if not text:
                return
            head, _, ended = self._read(_ENDED).partition("\n")
            known = [*head.split()[1:], str(number)][-_NAMED:]
            kept = added_up([ended, _without_gauges(text)])
            self._store(_ENDED, f"# {' '.join(known)}\n{kept}")
            (self._path / str(number)).unlink(missing_ok=True)

    def leave(self) -> None:
        """Write no more, because the supervisor was killed; the last process removes the folder.

        Ignore errors of the disk.
        """
        import fcntl  # lazy: not on Windows, which has no supervisor

        with contextlib.suppress(OSError), self._lock:
            self._is_left = True
            if self._handle is not None:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(self._path, ignore_errors=True)

    def _names(self) -> list[str]:
        return [path.name for path in self._path.iterdir() if path.name.isdigit()]

    def _repeat(self) -> None:
        pause = threading.Event()
        while self._path.is_dir() and not self._is_left:
            self.write()
            pause.wait(_INTERVAL)

    def _store(self, name: str, text: str) -> None:
        with self._lock:
            if self._is_left:
                return
            part = self._path / f"{name}.{os.getpid()}.part"
            part.write_text(text, "utf-8")
            put_into_place(part, self._path / name)

    def _read(self, name: str) -> str:
        try:
            return (self._path / name).read_text("utf-8")
        except FileNotFoundError:
            return ""


def added_up(texts: Sequence[str]) -> str:
    """Return metrics with the sum of the values of each sample in *texts*, all in text format."""
    heads: dict[str, list[str]] = {}
    values: dict[str, dict[str, float]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith("#"):
                name = line.split(" ", 3)[2]
                head = heads.setdefault(name, [])
                if line not in head:
                    head.append(line)
                continue
            sample, _, value = line.rpartition(" ")
            known = values.setdefault(name, {})
            known[sample] = known.get(sample, 0.0) + float(value)
    return "".join(f"{line}\n" for line in _lines(heads, values))


def _lines(heads: dict[str, list[str]], values: dict[str, dict[str, float]]) -> Iterable[str]:
    for name, head in heads.items():
        yield from head
        for sample, value in values.get(name, {}).items():
            yield f"{sample} {f'{value:.9g}' if value % 1 else int(value)}"


def _without_gauges(text: str) -> str:
    """Return the counters and histograms in *text*: gauges end with their process."""
    kinds = dict(_KIND.findall(text))
    kept = []
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            name = line.split(" ", 3)[2]
        if kinds.get(name) != "gauge":
            kept.append(line)
    return "\n".join(kept)
