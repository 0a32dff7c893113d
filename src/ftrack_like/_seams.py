"""Tell whether a method that programs may replace is still the library's own.

The library takes short cuts where its own methods are in use, and leaves them where a program has
replaced one: in a subclass, on one object, or on the class itself. Functions are compared by
identity with the originals, which are kept when a class is defined. Nothing else tells: a decorator
that uses :func:`functools.wraps` gives a replacement the module, name and signature of the
original.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, TypeVar

__all__ = ["is_overridden", "is_own", "is_patched", "keeps_originals", "original"]

_Class = TypeVar("_Class", bound=type)

#: The attributes of classes as they were defined.
_originals: dict[type, dict[str, Any]] = {}


def keeps_originals(owner: _Class) -> _Class:
    """Return the class *owner*, after keeping its methods to compare with; a decorator."""
    _originals[owner] = dict(vars(owner))
    return owner


def original(owner: type, name: str) -> Callable[..., Any]:
    """Return the method *name* of the class *owner* as it was defined."""
    found: Callable[..., Any] = _originals[owner][name]
    return found


def is_own(owner: object, name: str) -> bool:
    """Return whether *owner* is a class of the library whose method *name* was not patched."""
    kept = _originals.get(owner) if isinstance(owner, type) else None
    return kept is not None and vars(owner).get(name) is kept.get(name)


def is_patched(instance: object, *names: str) -> bool:
    """Return whether a method of *names* was replaced on *instance* or on a library's class of it.

    A subclass that defines such a method does not count.
    """
    own = getattr(instance, "__dict__", ())
    if any(name in own for name in names):
        return True
    return any(_is_patched_class(owner, names) for owner in type(instance).__mro__)


def is_overridden(instance: object, *names: str) -> bool:
    """Return whether *instance* has a method of *names* from elsewhere than the library.

    It may come from a subclass or a patch. For a look-alike, which has no method of the library,
    only what was set on *instance* itself counts.
    """
    own = getattr(instance, "__dict__", ())
    for name in names:
        kept = _kept(type(instance), name)
        if kept is None:
            if name in own:
                return True
            continue
        found = getattr(instance, name, None)
        if getattr(found, "__func__", found) is not kept:
            return True
        if getattr(found, "__self__", instance) is not instance:
            return True
    # A class further up may be patched, which the library's subclasses reach by super().
    return any(_is_patched_class(owner, names) for owner in type(instance).__mro__)


def _kept(class_: type, name: str) -> Optional[Callable[..., Any]]:
    """Return the original of the method *name* for instances of *class_*, None without."""
    for owner in class_.__mro__:
        kept = _originals.get(owner)
        if kept is not None and name in kept:
            found: Callable[..., Any] = kept[name]
            return found
    return None


def _is_patched_class(owner: type, names: tuple[str, ...]) -> bool:
    """Return whether one of *names* was replaced on the class *owner* itself."""
    kept = _originals.get(owner)
    if kept is None:
        return False
    current = vars(owner)
    return any(name in kept and current.get(name) is not kept[name] for name in names)
