"""An attribute of the hub whose value belongs to one of its parts."""

from __future__ import annotations

from typing import Generic, TypeVar, Union, overload

__all__ = ["PartAttribute"]

_Value = TypeVar("_Value")


class PartAttribute(Generic[_Value]):
    """Makes an attribute of a part readable and writable on the hub.

    Programs read, replace and patch these attributes of a hub, such as `_connection`. Deleting
    works too, since `unittest.mock` deletes an attribute before it restores the value.
    """

    def __init__(self, part: str, name: str) -> None:
        """Initialise for the attribute *name* of the part in the hub's attribute *part*."""
        self._part = part
        self._name = name

    @overload
    def __get__(self, hub: None, owner: type) -> PartAttribute[_Value]: ...

    @overload
    def __get__(self, hub: object, owner: type) -> _Value: ...

    def __get__(self, hub: object, owner: type) -> Union[PartAttribute[_Value], _Value]:
        """Return the value; on the class, return this."""
        if hub is None:
            return self
        value: _Value = getattr(getattr(hub, self._part), self._name)
        return value

    def __set__(self, hub: object, value: _Value) -> None:
        """Set the value."""
        part = getattr(hub, self._part, None)
        # A subclass may set it before it calls the constructor of the hub, which overwrites it.
        if part is not None:
            setattr(part, self._name, value)

    def __delete__(self, hub: object) -> None:
        """Delete the value."""
        delattr(getattr(hub, self._part), self._name)
