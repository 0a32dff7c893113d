"""Start many workers at the same moment, and collect their results."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.farm.worker import Plan

PROJECT = Path(__file__).resolve().parents[2]

#: How many workers import the client at the same time, before the storm.
IMPORTS = 8

Result = dict[str, Any]


class Worker:
    """The process of a worker, run by *python*, with its errors in *log*."""

    def __init__(self, python: str, plan: Plan, log: Path) -> None:
        """Start the process and let it import the client."""
        self._log = log
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FTRACK_", "PYTHON"))}
        if python == sys.executable and "PYTHONPATH" in os.environ:
            kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
        # Like packages that are installed: the worker that goes first compiles them for the others.
        kept["PYTHONPYCACHEPREFIX"] = str(log.parent / "bytecode")
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.farm.worker"],
                cwd=PROJECT,
                env=kept,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._say(json.dumps(dataclasses.asdict(plan)))

    def _say(self, line: str) -> None:
        """Write *line* to the worker, if it still runs."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # Its result tells that it has ended.

    def wait_until_ready(self) -> bool:
        """Return true when the worker waits for the start, and false if it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() == "ready"

    def go(self) -> None:
        """Let the worker begin."""
        self._say("go")

    def result(self, deadline: float) -> Result:
        """Return the result; end a worker that has none at the time *deadline*."""
        try:
            output, _ = self._process.communicate(timeout=max(0.0, deadline - time.monotonic()))
            found: Result = json.loads(output)
        except (subprocess.TimeoutExpired, ValueError) as error:
            late = isinstance(error, subprocess.TimeoutExpired)
            reason = "not done in time" if late else self._last_words()
            return {"error": f"The worker has no result: {reason}", "counts": {}, "memory": None}
        finally:
            self.end()
        return found

    def _last_words(self) -> str:
        """Return the last line that the worker wrote to its error output."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "no message")

    def end(self) -> None:
        """Kill the process, if it still runs, and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    pass  # The rest of a line to a process that has ended.


def storm(python: str, plans: list[Plan], folder: Path, patience: float) -> list[Result]:
    """Run a worker for each of *plans*, all at once, and return their results in order.

    The workers import the client first, a few at a time, and then start together. *patience* is
    how many seconds the workers have from there. Logs are written to *folder*.
    """
    workers: list[Worker] = []

    def prepare(number: int) -> Worker:
        worker = Worker(python, plans[number], folder / f"{number:05}.log")
        workers.append(worker)
        worker.wait_until_ready()
        return worker

    try:
        with concurrent.futures.ThreadPoolExecutor(IMPORTS) as pool:
            ordered = list(pool.map(prepare, range(len(plans))))
        deadline = time.monotonic() + patience
        for worker in ordered:
            worker.go()
        with concurrent.futures.ThreadPoolExecutor(len(ordered)) as pool:
            return list(pool.map(lambda worker: worker.result(deadline), ordered))
    finally:
        for worker in workers:
            worker.end()
