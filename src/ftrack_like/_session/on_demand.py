"""Attributes that are made when they are first looked at."""

from __future__ import annotations

from typing import Any, Callable, Optional

__all__ = ["OnDemand", "TopCache"]


class OnDemand:
    """An attribute that is made on first use, unless it was set before.

    It works on sessions whose constructor never ran. Two threads that look at once get the same
    object; after that it is an ordinary attribute of the instance.
    """

    def __init__(self, make: Callable[[Any], Any], doc: str = "") -> None:
        """Initialise with *make*, which is called with the instance, and the help text *doc*."""
        self._make = make
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name under which the attribute is kept."""
        self._name = name

    def __get__(self, instance: Any, owner: Optional[type] = None) -> Any:
        """Return the attribute of *instance*, or the descriptor itself on the class."""
        if instance is None:
            return self
        return instance.__dict__.setdefault(self._name, self._make(instance))


class TopCache:
    """The first layer of a session's cache, as it is now; setting it on an instance fixes it."""

    def __get__(self, instance: Any, owner: Optional[type] = None) -> Any:
        """Return the top layer, or the cache itself when it has no layers."""
        if instance is None:
            return self
        layers = getattr(instance.cache, "caches", None)
        return layers[0] if layers else instance.cache
