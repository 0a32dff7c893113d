"""The sandbox for tests with :mod:`unittest`."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import unittest
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Optional
from unittest import mock

from ftrack_like.testing._events import EventRecorder
from ftrack_like.testing._project import ProjectFactory
from ftrack_like.testing._server import Sandbox

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.sandbox.interference.requests import SeenRequest
    from ftrack_like.session import Session
    from ftrack_like.wire.events import Event

__all__ = ["SandboxMixin", "isolated"]

#: How the names of variables begin that would lead a program to a site.
_PREFIX = "FTRACK_"

_LOCK = threading.Lock()
_SHARED: list[Sandbox] = []


class SandboxMixin(unittest.TestCase):
    """A test case with a sandbox; each test starts with the data of a new site.

    All test cases of a process share one server. Sessions that the code under test creates without
    arguments use it as well, because the environment variables lead to it.
    """

    sandbox: Sandbox

    def setUp(self) -> None:
        """Reset the sandbox, and set the environment."""
        super().setUp()
        self.sandbox = shared_sandbox()
        self.sandbox.reset()
        self._stack = contextlib.ExitStack()
        self.addCleanup(self._stack.close)
        self._stack.enter_context(isolated(self.sandbox))
        self._session: Optional[Session] = None
        self._project: Optional[ProjectFactory] = None
        self._events = EventRecorder(self.sandbox)
        self._stack.callback(self._events.close)
        self.addCleanup(self._events.fail_on_errors)

    @property
    def session(self) -> Session:
        """Return the session of the test, as the administrator."""
        return self._started_session()

    def _started_session(self) -> Session:
        """Return the session of the test; the first call starts it."""
        if self._session is None:
            self._session = self._stack.enter_context(self.sandbox.session())
        return self._session

    @property
    def project(self) -> ProjectFactory:
        """Return the factory for the data of the test; the first use creates a project."""
        if self._project is None:
            self._project = ProjectFactory(self.session)
        return self._project

    @property
    def events(self) -> EventRecorder:
        """Return the recorder of events."""
        return self._events

    def assert_requests(
        self, at_most: Optional[int] = None, *, exactly: Optional[int] = None
    ) -> AbstractContextManager[list[SeenRequest]]:
        """Limit the number of requests; see :meth:`Sandbox.assert_requests`.

        The session of the test starts before the block, so that its start does not count.
        """
        self._started_session()
        return self.sandbox.assert_requests(at_most, exactly=exactly)

    def assert_published(
        self, topic: str, data: Optional[Mapping[str, Value]] = None, **options: Value
    ) -> Event:
        """Wait for an event; see :meth:`EventRecorder.assert_published`."""
        return self.events.assert_published(topic, data, **options)

    def assert_not_published(
        self, topic: str, data: Optional[Mapping[str, Value]] = None, **options: Value
    ) -> None:
        """Wait for the listeners; see :meth:`EventRecorder.assert_not_published`."""
        self.events.assert_not_published(topic, data, **options)


def shared_sandbox() -> Sandbox:
    """Return the running sandbox of this process; the first call starts it."""
    with _LOCK:
        if not _SHARED:
            sandbox = Sandbox()
            sandbox.start()
            atexit.register(sandbox.stop)
            _SHARED.append(sandbox)
        return _SHARED[0]


@contextmanager
def isolated(sandbox: Sandbox, schemas: Optional[str] = None) -> Iterator[None]:
    """Return a context whose environment leads programs to *sandbox* and to no site.

    All other variables that begin with ``FTRACK_`` are removed, except those for tests of
    ftrack-like itself and for ffmpeg. *schemas* is the folder in which sessions keep the schemas.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PREFIX) or name.startswith(("FTRACK_LIKE_TEST_", "FTRACK_FFMPEG"))
    }
    kept.update(sandbox.environment())
    if schemas is not None:
        kept["FTRACK_API_SCHEMA_CACHE_PATH"] = schemas
    with mock.patch.dict(os.environ, kept, clear=True):
        yield
