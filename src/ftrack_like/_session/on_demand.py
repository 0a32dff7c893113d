"""Attributes that are created on first access, and the functions that create rarely used ones.

Each of these functions imports its module itself, so a session that does not need it never does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, overload

if TYPE_CHECKING:
    from ftrack_like._session.background import BackgroundCommits
    from ftrack_like._session.drops import Drops
    from ftrack_like._session.remote_actions import RemoteActions
    from ftrack_like._session.unit_of_work import UnitOfWork
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = [
    "OnDemand",
    "TopCache",
    "class_logger",
    "make_background",
    "make_catalogue",
    "make_drops",
    "make_remote_actions",
    "make_unit_of_work",
]

_Made = TypeVar("_Made")


class OnDemand(Generic[_Made]):
    """An attribute that is created on first access, unless a value was set before.

    It also works on sessions whose constructor did not run, because a subclass replaced it. Two
    threads that access it at once get the same object. Afterwards it is a normal instance
    attribute.
    """

    def __init__(self, make: Callable[[Any], _Made], doc: str = "") -> None:
        """Create values with *make*, which receives the instance. *doc* is the help text."""
        self._make = make
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the attribute's name."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: Optional[type] = None) -> OnDemand[_Made]: ...

    @overload
    def __get__(self, instance: object, owner: Optional[type] = None) -> _Made: ...

    def __get__(
        self, instance: Optional[object], owner: Optional[type] = None
    ) -> OnDemand[_Made] | _Made:
        """Return the attribute of *instance*, or the descriptor itself on the class."""
        if instance is None:
            return self
        found: _Made = instance.__dict__.setdefault(self._name, self._make(instance))
        return found


class TopCache:
    """The current top layer of a session's cache, unless a program sets another on the instance."""

    @overload
    def __get__(self, instance: None, owner: Optional[type] = None) -> TopCache: ...

    @overload
    def __get__(self, instance: Session, owner: Optional[type] = None) -> Cache: ...

    def __get__(
        self, instance: Optional[Session], owner: Optional[type] = None
    ) -> TopCache | Cache:
        """Return the top layer, or the cache itself when it has no layers."""
        if instance is None:
            return self
        cache: Cache = instance.cache
        layers = getattr(cache, "caches", None)
        return layers[0] if layers else cache


def class_logger(session: Session) -> logging.Logger:
    """Return the logger named after the class of *session*."""
    return logging.getLogger(f"ftrack_like.session.{type(session).__name__}")


def make_remote_actions(session: Session) -> RemoteActions:
    """Return the remote actions of *session*."""
    # lazy: few programs need them
    from ftrack_like._session.remote_actions import RemoteActions

    return RemoteActions(session)


def make_background(session: Session) -> BackgroundCommits:
    """Return the commits in the background of *session*."""
    # lazy: few programs commit in the background
    from ftrack_like._session.background import BackgroundCommits

    return BackgroundCommits(session)


def make_unit_of_work(session: Session) -> UnitOfWork:
    """Return the unit of work of *session*."""
    # lazy: a program that only reads does not need it
    from ftrack_like._session.unit_of_work import UnitOfWork

    return UnitOfWork(session)


def make_drops(session: Session) -> Drops:
    """Return the object that drops stale values of *session*."""
    # lazy: few programs drop values because of events
    from ftrack_like._session.drops import Drops

    return Drops(session)


def make_catalogue(session: Session) -> Catalogue:
    """Return the types and attributes in the schemas of *session*."""
    # lazy: needed only to build queries and tables
    from ftrack_like._values.catalogue import Catalogue

    return Catalogue(session.schemas, session.types)
