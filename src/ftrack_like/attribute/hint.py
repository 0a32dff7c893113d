"""Hints for programs that write ``task.name`` instead of ``task["name"]``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["AttributeHint", "hints_for"]


class AttributeHint:
    """Stands in an entity class for the attribute *name*, which only square brackets reach.

    So the error has a hint, and no access to other names becomes slower, as it would with
    ``__getattr__``. ``hasattr`` stays false, and a program may still set an attribute *name*.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Initialise for the attribute *name*."""
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:  # noqa: ANN401 - any value
        """Return the attribute of another base of *owner*, if one of a program has it.

        Otherwise raise :exc:`AttributeError` with a hint.
        """
        name = self._name
        for class_ in owner.__mro__:
            found = vars(class_).get(name, self)
            if not isinstance(found, AttributeHint):
                getter = getattr(type(found), "__get__", None)
                return found if getter is None else getter(found, instance, owner)
        if instance is None:
            raise AttributeError(f"type object {owner.__name__!r} has no attribute {name!r}")
        variable = owner.__name__.lower()
        raise AttributeError(
            f"{owner.__name__!r} object has no attribute {name!r}. An entity is a mapping: write "
            f'{variable}["{name}"] instead of {variable}.{name}.'
        )


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
