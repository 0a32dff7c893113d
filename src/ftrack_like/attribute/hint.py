"""Hints for programs that write ``task.name`` instead of ``task["name"]``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ftrack_like import exception
from ftrack_like._base.callers import warn_at_caller

__all__ = ["AttributeHint", "hints_for"]


class AttributeHint:
    """Stands in an entity class for the attribute *name*, which only square brackets reach.

    So the error has a hint, and no access to other names becomes slower, as it would with
    ``__getattr__`` and ``__setattr__``. ``hasattr`` stays false. A program may still set an
    attribute *name* of the object, as with the published client, and gets a warning.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Initialise for the attribute *name*."""
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:  # noqa: ANN401 - any value
        """Return the attribute that a program has set, or that another base of *owner* has.

        Otherwise raise :exc:`AttributeError` with a hint.
        """
        name = self._name
        found = self._of_other_base(owner)
        is_first = found is self or not hasattr(type(found), "__set__")
        if is_first and instance is not None and name in instance.__dict__:
            return instance.__dict__[name]
        if found is not self:
            getter = getattr(type(found), "__get__", None)
            return found if getter is None else getter(found, instance, owner)
        if instance is None:
            raise AttributeError(f"type object {owner.__name__!r} has no attribute {name!r}")
        variable = owner.__name__.lower()
        raise AttributeError(
            f"{owner.__name__!r} object has no attribute {name!r}. An entity is a mapping: write "
            f'{variable}["{name}"] instead of {variable}.{name}.'
        )

    def __set__(self, instance: object, value: object) -> None:
        """Set the attribute of another base of the class, if one of a program has it.

        Otherwise set an attribute of the object *instance*, and show an
        :class:`~ftrack_like.exception.UnknownAttributeWarning`.
        """
        owner, name = type(instance), self._name
        found = self._of_other_base(owner)
        setter = getattr(type(found), "__set__", None)
        if found is not self and setter is not None:
            setter(found, instance, value)
            return
        if found is self:
            variable = owner.__name__.lower()
            warn_at_caller(
                f"Setting {variable}.{name} does not change the attribute {name!r} of the entity. "
                f'Write {variable}["{name}"] = … instead.',
                exception.UnknownAttributeWarning,
            )
        instance.__dict__[name] = value

    def __delete__(self, instance: object) -> None:
        """Delete the attribute that a program has set, or that of another base of the class."""
        owner, name = type(instance), self._name
        found = self._of_other_base(owner)
        deleter = getattr(type(found), "__delete__", None)
        if found is not self and deleter is not None:
            deleter(found, instance)
        elif instance.__dict__.pop(name, self) is self:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {name!r}")

    def _of_other_base(self, owner: type) -> object:
        """Return what another base of *owner* has under the name, or this hint."""
        for class_ in owner.__mro__:
            found = vars(class_).get(self._name, self)
            if not isinstance(found, AttributeHint):
                return found
        return self


_hints: dict[str, AttributeHint] = {}


def hints_for(names: Iterable[str], bases: Iterable[type]) -> dict[str, AttributeHint]:
    """Return a hint for each of *names*, without those that one of the classes *bases* has."""
    found = {name: _hints.get(name) or _shared_hint(name) for name in names}
    for class_ in dict.fromkeys(class_ for base in bases for class_ in base.__mro__):
        for name in found.keys() & vars(class_).keys():
            del found[name]
    return found


def _shared_hint(name: str) -> AttributeHint:
    """Return the hint for *name*, which all classes share."""
    return _hints.setdefault(name, AttributeHint(name))
