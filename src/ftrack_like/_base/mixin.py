"""Add base classes to a single object."""

from __future__ import annotations

from typing import Any, Optional

__all__ = ["mixin"]


def mixin(instance: object, mixin_class: type, name: Optional[str] = None) -> None:
    """Change the class of *instance* to a new class with the bases *mixin_class* and its class.

    Other objects do not change. The default *name* of the new class is the name of the old class
    followed by the name of *mixin_class*. Do nothing if *instance* already has *mixin_class*.
    """
    if isinstance(instance, mixin_class):
        return
    current: Any = type(instance)
    if name is None:
        name = f"{current.__name__}{mixin_class.__name__}"
    make_class: Any = type(current)
    instance.__class__ = make_class(name, (mixin_class, current), {"__module__": "ftrack_like"})
