"""Attributes that are made when they are first looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, overload

if TYPE_CHECKING:
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = ["OnDemand", "TopCache"]

_Made = TypeVar("_Made")


class OnDemand(Generic[_Made]):
    """An attribute that is made on first use, unless it was set before.

    It works on sessions whose constructor never ran. Two threads that look at once get the same
    object; after that it is an ordinary attribute of the instance.
    """

    def __init__(self, make: Callable[[Any], _Made], doc: str = "") -> None:
        """Initialise with *make*, which is called with the instance, and the help text *doc*."""
        self._make = make
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name under which the attribute is kept."""
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
    """The first layer of a session's cache, as it is now; setting it on an instance fixes it."""

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
