"""A weak reference to a method, under a name that older programs import."""

from __future__ import annotations

from weakref import WeakMethod

__all__ = ["WeakMethod"]
