"""Child processes: the only module of the sandbox that starts other programs.

Every child has limits of time, memory and file size. It ends with the server, even when the server
is killed (see :mod:`.supervisor`). A program is an argument list, and never passes through a shell.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Optional

from ftrack_like._base.errors import MediaError

__all__ = ["Bounds", "Child", "run_child"]

_SUPERVISOR = pathlib.Path(__file__).with_name("supervisor.py")

#: Characters of a child's error output to keep, from the beginning and from the end.
_KEPT = 64 * 1024

#: The longest piece of a line to pass on, in characters.
_LINE = 4096

#: Seconds between two checks of the clock and of the stop event.
_INTERVAL = 0.2

_TOO_LARGE_A_FILE = 128 + 25  # SIGXFSZ, which Windows lacks


@dataclass(frozen=True)
class Bounds:
    """The limits of a child: *seconds*, *memory* and *file_size* in bytes; 0 means no limit.

    *options* are the command-line options that set the three limits, for errors.
    """

    seconds: float
    memory: int = 0
    file_size: int = 0
    options: tuple[str, str, str] = ("", "", "")


class Child:
    """A running program; its output is a pipe of text, and its input too when *talking*.

    Use it as a context manager, or call :meth:`close`: both end the program.
    """

    def __init__(
        self,
        command: Sequence[str],
        bounds: Bounds,
        *,
        talking: bool = False,
        environment: Optional[Mapping[str, str]] = None,
        name: Optional[str] = None,
    ) -> None:
        """Start *command*, with *environment* or the environment of the server.

        Errors call it *name*, by default the name of the program.

        The caller must enforce the seconds of *bounds*. Raise :exc:`MediaError` if the program
        cannot be started.
        """
        self.name: str = name or pathlib.Path(command[0]).name
        self._watch: Optional[int] = None
        try:
            self._process = self._start(list(command), bounds, talking, environment)
        except OSError as error:
            raise MediaError(f"{self.name} could not be started: {error.strerror}.") from error

    def __enter__(self) -> Child:
        """Return the child."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the program, if it still runs."""
        self.close()

    @property
    def input(self) -> IO[str]:
        """Return the standard input; only for a child that talks."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def output(self) -> IO[str]:
        """Return the standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def errors(self) -> IO[str]:
        """Return the standard error output."""
        assert self._process.stderr is not None
        return self._process.stderr

    def wait(self, seconds: float) -> Optional[int]:
        """Return the exit status of the program, None if it still runs after *seconds*."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End the program and its child processes, if it still runs."""
        if self._process.poll() is None:
            if os.name == "posix":
                # The process group exists until the supervisor, its leader, is waited for.
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the program and close all pipes."""
        self.end()
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass  # the program has ended, so the rest of its input is lost

    def _start(
        self,
        command: list[str],
        bounds: Bounds,
        talking: bool,
        environment: Optional[Mapping[str, str]],
    ) -> subprocess.Popen[str]:
        inner: Optional[int] = None
        try:
            if os.name == "posix":
                inner, self._watch = os.pipe()
                limits = (str(bounds.memory), str(bounds.file_size))
                python = [sys.executable, "-I", "-S", str(_SUPERVISOR)]
                command = [*python, str(inner), *limits, *command]
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talking else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
                pass_fds=() if inner is None else (inner,),
                start_new_session=inner is not None,
            )
        except OSError:
            if self._watch is not None:
                os.close(self._watch)
            raise
        finally:
            if inner is not None:
                os.close(inner)


def run_child(
    command: Sequence[str],
    bounds: Bounds,
    *,
    line: Optional[Callable[[str], None]] = None,
    stop: Optional[threading.Event] = None,
    environment: Optional[Mapping[str, str]] = None,
    name: Optional[str] = None,
) -> tuple[int, str]:
    """Run *command* within *bounds*; return its exit status and its error output.

    *environment* replaces the environment of the server, *name* that of the program in errors.

    *line* is called with each line that the program prints, on another thread. If it raises an
    error, the program is ended and the error is raised here. Setting *stop* also ends the program.
    Raise :exc:`~ftrack_like.exception.MediaError` if the program cannot be started, exceeds a limit
    of time or file size, or was stopped.
    """
    said, printed = _Said(), _Printed(line)
    with Child(command, bounds, environment=environment, name=name) as child:
        readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in ((said.read, child.errors), (printed.read, child.output))
        ]
        for reader in readers:
            reader.start()
        try:
            code = _follow(child, readers, bounds, printed, stop)
        finally:
            child.end()
            for reader in readers:
                reader.join(5)
    if printed.error is not None:
        raise printed.error
    if code == _TOO_LARGE_A_FILE:
        raise MediaError(
            f"{child.name} was ended: it wrote a file of more than {bounds.file_size} bytes "
            f"({bounds.options[2]})."
        )
    return code, said.text()


def _follow(
    child: Child,
    readers: Sequence[threading.Thread],
    bounds: Bounds,
    printed: _Printed,
    stop: Optional[threading.Event],
) -> int:
    """Return the exit status of *child* when it has ended; raise an error after its time."""
    end = time.monotonic() + bounds.seconds
    while printed.error is None:
        left = end - time.monotonic()
        if left <= 0:
            raise MediaError(
                f"{child.name} was ended: it took longer than {bounds.seconds:g} seconds "
                f"({bounds.options[0]})."
            )
        if stop is not None and stop.is_set():
            raise MediaError(f"{child.name} was ended because the server is stopping.")
        # The output ends with the program: waiting for its readers avoids polling the program.
        running = next((one for one in readers if one.is_alive()), None)
        if running is not None:
            running.join(min(left, _INTERVAL))
        else:
            code = child.wait(min(left, _INTERVAL))
            if code is not None:
                return code
    return 0


class _Printed:
    """The output of a program, passed on line by line."""

    def __init__(self, line: Optional[Callable[[str], None]]) -> None:
        self._line = line
        self.error: Optional[BaseException] = None

    def read(self, stream: IO[str]) -> None:
        """Read *stream* to its end, or to the first error of the callback."""
        try:
            for text in iter(lambda: stream.readline(_LINE), ""):
                if self._line is not None:
                    self._line(text)
        except BaseException as error:
            self.error = error


class _Said:
    """The beginning and the end of a program's error output."""

    def __init__(self) -> None:
        self._first = self._last = ""

    def read(self, stream: IO[str]) -> None:
        """Read *stream* to its end, because a full pipe would block the program."""
        for text in iter(lambda: stream.read(_LINE), ""):
            if len(self._first) < _KEPT:
                self._first += text
            else:
                self._last = (self._last + text)[-_KEPT:]

    def text(self) -> str:
        """Return the kept text."""
        return self._first + self._last
