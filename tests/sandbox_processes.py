"""A sandbox that a command runs in processes of its own, for the tests of several workers."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

import pytest
import requests

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.mail import MailOutbox
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.testing import Sandbox

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["ProcessSandbox", "children_of", "is_alive", "wait_until"]

#: Arguments of ``Sandbox`` by the options of the command.
_OPTIONS = {"user": "--user", "key": "--key", "media": "--media"}

#: Seconds for what a busy machine takes long for.
PATIENCE = 180.0


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return when *condition* is true; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} seconds in vain"
        time.sleep(0.02)


def children_of(number: int) -> list[int]:
    """Return the ids of the processes that the process *number* has started, without zombies."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [one.split() for one in listed.stdout.splitlines()]
    return sorted(
        int(own) for own, parent, state in rows if int(parent) == number and state[0] != "Z"
    )


def is_alive(number: int) -> bool:
    """Return whether the process *number* exists and is no zombie."""
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True
    )
    return bool(listed.stdout.strip()) and not listed.stdout.startswith("Z")


class ProcessSandbox:
    """The surface of :class:`~ftrack_like.testing.Sandbox`, for a command with *workers* processes.

    A test that uses anything else of that class is skipped with the reason: it would reach into a
    server that is in this process.
    """

    def __init__(
        self,
        *,
        database: str,
        workers: int = 2,
        demo: bool = False,
        user: str = "admin",
        key: Optional[str] = None,
        media: Optional[pathlib.Path] = None,
        loopback_webhooks: bool = False,
        options: Sequence[str] = (),
        **others: Any,
    ) -> None:
        for name in others:
            pytest.skip(f"several processes cannot take the option {name!r} of the class Sandbox")
        self.database = database
        self._media = media
        self.workers = workers
        self.command = [
            *(sys.executable, "-m", "ftrack_like.sandbox", "start", "--json", "--port", "0"),
            *("--database", database, "--workers", str(workers)),
            *(["--demo-project"] if demo else []),
            *(["--loopback-webhooks"] if loopback_webhooks else []),
            *options,
        ]
        for name, value in {"user": user, "key": key, "media": media}.items():
            self.command += [] if value is None else [_OPTIONS[name], str(value)]
        self.server_url = self.api_user = self.api_key = ""
        self.process: Optional[subprocess.Popen[str]] = None

    def __enter__(self) -> ProcessSandbox:
        """Start the command and return the object."""
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End the command."""
        self.stop()

    def __getattr__(self, name: str) -> Any:
        if hasattr(Sandbox, name) or name.startswith("_"):
            pytest.skip(f"reaches into a server in this process: Sandbox.{name}")
        raise AttributeError(name)

    def start(self) -> None:
        """Start the command; return when all its processes answer."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        known = json.loads(self.process.stdout.readline() or "{}")
        assert known, f"the command ended with status {self.process.wait()}"
        self.server_url = known["server_url"]
        self.api_user, self.api_key = known["api_user"], known["api_key"]

    def stop(self) -> int:
        """End the command and its processes; return its status, 0 if it was not running."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        return process.returncode

    @property
    def worker_ids(self) -> list[int]:
        """Return the ids of the processes that answer requests."""
        assert self.process is not None
        return children_of(self.process.pid)

    @contextlib.contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let only the process *worker* answer new connections in the block."""
        others = [one for one in self.worker_ids if one != worker]
        for one in others:
            os.kill(one, signal.SIGSTOP)
        # A process that is about to accept a connection does so before it stops.
        wait_until(lambda: all(_stands_still(one) for one in others))
        try:
            yield
        finally:
            for one in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)

    def wait_for(self, worker: int) -> None:
        """Return when the process *worker*, which may have just been started, answers."""

        def answers() -> bool:
            with self.only(worker), contextlib.suppress(requests.RequestException):
                requests.get(self.server_url, timeout=5)
                return True
            return False

        wait_until(answers)

    def session(self, **options: Any) -> Session:
        """Return a new session of the administrator; see ``Sandbox.session``."""
        from ftrack_like.session import Session

        known = {"server_url": self.server_url, "api_user": self.api_user, "api_key": self.api_key}
        return Session(**{**known, **options})

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a program finds this sandbox."""
        return {
            "FTRACK_SERVER": self.server_url,
            "FTRACK_API_USER": self.api_user,
            "FTRACK_API_KEY": self.api_key,
        }

    def reset(self) -> None:
        """Restore the data of a new site in the database and the folder that the processes use."""
        site = SiteData(url=self.database, user=self.api_user, key=self.api_key, media=self._media)
        with contextlib.closing(site):
            site.attach(RequestUser("", self.api_user, unrestricted=True))
            folder = site.media_folder()
            site.reset()
        files = ComponentStore(folder)
        files.clear()
        files.close()
        MailOutbox(folder.with_name("outbox")).clear()


def _stands_still(process: int) -> bool:
    """Return whether all threads of *process* are stopped, or it has ended."""
    try:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in pathlib.Path(f"/proc/{process}/task").iterdir()
        ]
    except FileNotFoundError:  # the process or a thread has ended, or there is no /proc
        return not pathlib.Path(f"/proc/{process}").exists()
    return all(state in "TtZX" for state in states)
