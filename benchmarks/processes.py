"""Start the programs that a benchmark needs, and stop them afterwards."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import NamedTuple


class Started(NamedTuple):
    """A running program: the id of its process, and the first line that it printed."""

    process_id: int
    first_line: str


@contextlib.contextmanager
def started(command: list[str]) -> Iterator[Started]:
    """Run the program *command* until the block ends; yield it when it has printed a line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Started(process.pid, process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
