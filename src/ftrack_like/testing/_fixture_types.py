"""Types of the fixtures that are functions, for the annotations of tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Optional, Protocol

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.sandbox.interference.requests import SeenRequest
    from ftrack_like.wire.events import Event

__all__ = ["AssertPublished", "AssertRequests"]


class AssertRequests(Protocol):
    """The type of the fixture ``assert_requests``."""

    def __call__(
        self, at_most: Optional[int] = None, *, exactly: Optional[int] = None
    ) -> AbstractContextManager[list[SeenRequest]]:
        """Limit the number of requests; see :meth:`Sandbox.assert_requests`."""


class AssertPublished(Protocol):
    """The type of the fixture ``assert_published``."""

    def __call__(
        self,
        topic: str,
        data: Optional[Mapping[str, Value]] = None,
        *,
        where: Optional[Callable[[Event], bool]] = None,
        timeout: float = ...,
        **fields: Value,
    ) -> Event:
        """Wait for an event; see :meth:`EventRecorder.assert_published`."""
