"""Attributes that are created on first access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, overload

if TYPE_CHECKING:
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = ["OnDemand", "TopCache"]

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
