"""Child processes: the only module that starts the programs of an encoding.

Every child has limits of time, memory and file size. It ends with its owner, the server or the
client, even when the owner is killed (see :mod:`.supervisor`). A program is an argument list, and
never passes through a shell.

Windows has no supervisor: there, a child of a killed owner ends by itself when its work is done.
"""

from __future__ import annotations

import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Optional

from ftrack_like._base.errors import MediaError

__all__ = ["Bounds", "Child", "Keeper", "run_child"]

_SUPERVISOR = pathlib.Path(__file__).with_name("supervisor.py")
_KEEPER = pathlib.Path(__file__).with_name("keeper.py")

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

    *options* are the names of the settings of the three limits, for errors.
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
        """Start *command*, with *environment* or the environment of the owner.

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
            if hasattr(os, "killpg"):
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
                about = (inner, os.getpid(), bounds.memory, bounds.file_size)
                command = [*_python(_SUPERVISOR), *map(str, about), *command]
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


class Keeper:
    """A process that removes *folder* when this process ends, even when it is killed.

    :meth:`close` ends it. Where it cannot be started, nothing is removed. Windows has none.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._watch: Optional[int] = None
        self._process: Optional[subprocess.Popen[bytes]] = None
        if os.name != "posix":
            return
        inner, self._watch = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*_python(_KEEPER), str(inner), str(os.getpid()), str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(inner,),
                start_new_session=True,
            )
        except OSError:
            pass  # the next encoding removes the folder
        finally:
            os.close(inner)

    def close(self) -> None:
        """End the process; it still removes the folder if that exists."""
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None
        if self._process is not None:
            self._process.wait()


def _python(program: pathlib.Path) -> list[str]:
    """Return the start of a command that runs *program* without other packages, so quickly."""
    return [sys.executable, "-I", "-S", str(program)]


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

    *environment* replaces the environment of the owner, *name* that of the program in errors.

    *line* is called with each line that the program prints. If it raises an error, the program is
    ended. Setting *stop* also ends the program. Raise :exc:`~ftrack_like.exception.MediaError` if
    the program cannot be started, exceeds a limit of time or file size, or was stopped.
    """
    said, printed = _Said(), _Printed()
    with Child(command, bounds, environment=environment, name=name) as child:
        readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in ((said.read, child.errors), (printed.read, child.output))
        ]
        for reader in readers:
            reader.start()
        try:
            code = _follow(child, readers[0], bounds, printed, line, stop)
        finally:
            child.end()
            for reader in readers:
                reader.join(5)
    if code == _TOO_LARGE_A_FILE:
        raise MediaError(
            f"{child.name} was ended: it wrote a file of more than {bounds.file_size} bytes "
            f"({bounds.options[2]})."
        )
    return code, said.text()


def _follow(
    child: Child,
    errors: threading.Thread,
    bounds: Bounds,
    printed: _Printed,
    line: Optional[Callable[[str], None]],
    stop: Optional[threading.Event],
) -> int:
    """Return the exit status of *child* when it has ended; raise an error after its time."""
    end = time.monotonic() + bounds.seconds
    has_output = True
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise MediaError(
                f"{child.name} was ended: it took longer than {bounds.seconds:g} seconds "
                f"({bounds.options[0]})."
            )
        if stop is not None and stop.is_set():
            raise MediaError(f"{child.name} was ended because the server is stopping.")
        # The output ends with the program: waiting for it avoids polling the program.
        wait = min(left, _INTERVAL)
        if has_output:
            try:
                text = printed.lines.get(timeout=wait)
            except queue.Empty:
                continue
            if text is None:
                has_output = False
            elif line is not None:
                line(text)
        elif errors.is_alive():
            errors.join(wait)
        else:
            code = child.wait(wait)
            if code is not None:
                return code


class _Printed:
    """The output of a program: *lines*, and None at the end."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()

    def read(self, stream: IO[str]) -> None:
        """Read *stream* to its end."""
        try:
            for text in iter(lambda: stream.readline(_LINE), ""):
                self.lines.put(text)
        finally:
            self.lines.put(None)


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
