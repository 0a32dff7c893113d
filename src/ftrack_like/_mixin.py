"""Give a single object further base classes."""

from __future__ import annotations

from typing import Any, Optional

__all__ = ["mixin"]


def mixin(instance: object, mixin_class: type, name: Optional[str] = None) -> None:
    """Put *mixin_class* before the class of *instance*, for this object alone.

    The object's new class is called *name*; the names of its class and of *mixin_class* joined,
    if None. An object that has *mixin_class* already stays as it is.
    """
    if isinstance(instance, mixin_class):
        return
    current: Any = type(instance)
    if name is None:
        name = f"{current.__name__}{mixin_class.__name__}"
    make_class: Any = type(current)
    instance.__class__ = make_class(name, (mixin_class, current), {"__module__": "ftrack_like"})
