"""Find out whether a program has replaced a method of the library.

Programs may replace methods in a subclass, on one object, or on the class itself. The library has
faster ways that do the same as its own methods. It must not use these if a program has replaced a
method, because the replacement would not be called.

The only reliable test compares functions by identity with the originals, which are stored when a
class is defined. Names are not enough: with :func:`functools.wraps` a replacement has the module,
name and signature of the original.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, TypeVar

__all__ = [
    "is_overridden",
    "is_overridden_attribute",
    "is_own",
    "is_patched",
    "keeps_originals",
    "original",
]

_Class = TypeVar("_Class", bound=type)

#: The original attributes of classes.
_originals: dict[type, dict[str, Any]] = {}


def keeps_originals(owner: _Class) -> _Class:
    """Store the methods of the class *owner* for later comparison; a decorator."""
    _originals[owner] = dict(vars(owner))
    return owner


def original(owner: type, name: str) -> Callable[..., Any]:
    """Return the original method *name* of the class *owner*."""
    found: Callable[..., Any] = _originals[owner][name]
    return found


def is_own(owner: object, name: str) -> bool:
    """Return whether *owner* is a class of the library with its original method *name*."""
    kept = _originals.get(owner) if isinstance(owner, type) else None
    return kept is not None and vars(owner).get(name) is kept.get(name)


def is_patched(instance: object, *names: str) -> bool:
    """Return whether a method of *names* was replaced on *instance* or on a class of the library.

    A subclass that overrides such a method does not count.
    """
    own = getattr(instance, "__dict__", ())
    if any(name in own for name in names):
        return True
    return any(_is_patched_class(owner, names) for owner in type(instance).__mro__)


def is_overridden(instance: object, *names: str) -> bool:
    """Return whether a subclass or a patch has replaced a method of *names* of *instance*.

    If the class of *instance* is not from the library, only attributes of *instance* itself count.
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
    # A base class may be patched. Subclasses in the library call its method with super().
    return any(_is_patched_class(owner, names) for owner in type(instance).__mro__)


def is_overridden_attribute(class_: type, *names: str) -> bool:
    """Return whether a subclass or a patch defines an attribute of *names* of the library's class.

    In contrast to :func:`is_overridden`, it does not read the attribute, so properties may have
    effects.
    """
    for name in names:
        owner = next((each for each in class_.__mro__ if name in vars(each)), None)
        if owner is None or not is_own(owner, name):
            return True
    return False


def _kept(class_: type, name: str) -> Optional[Callable[..., Any]]:
    """Return the original of the method *name* for instances of *class_*, or None."""
    for owner in class_.__mro__:
        kept = _originals.get(owner)
        if kept is not None and name in kept:
            found: Callable[..., Any] = kept[name]
            return found
    return None


def _is_patched_class(owner: type, names: tuple[str, ...]) -> bool:
    """Return whether a method of *names* was replaced on the class *owner* itself."""
    kept = _originals.get(owner)
    if kept is None:
        return False
    current = vars(owner)
    return any(name in kept and current.get(name) is not kept[name] for name in names)
