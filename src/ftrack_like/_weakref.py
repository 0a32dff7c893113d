"""A weak reference to a method, under the name by which older code imports it."""

from __future__ import annotations

from weakref import WeakMethod

__all__ = ["WeakMethod"]
