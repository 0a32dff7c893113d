"""Checks of what a test passes to the testing kit."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ftrack_like._base.suggest import argument_names, check_arguments, did_you_mean
from ftrack_like._base.value_errors import shown

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["SuggestsMembers", "checked_entities", "checked_entity", "checked_texts"]

#: For pytest: a failed check is shown at the line of the test, without the source of the kit.
__tracebackhide__ = operator.methodcaller("errisinstance", AssertionError)


class SuggestsMembers:
    """A base class whose errors suggest a name for an unknown member or argument.

    Python suggests a member only where it prints a traceback itself, and pytest does not. It
    suggests arguments from version 3.13 on.
    """

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Check the keyword arguments of the public methods of *cls*."""
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if isinstance(member, FunctionType) and not name.startswith("_"):
                setattr(cls, name, _with_checks(member))

    if not TYPE_CHECKING:  # Otherwise every name would exist for type checkers.

        def __getattr__(self, name: str) -> NoReturn:
            """Raise :exc:`AttributeError` for the unknown *name*."""
            if hasattr(type(self), name):
                object.__getattribute__(self, name)  # A property failed: raise its error again.
            text = f"{type(self).__name__!r} object has no attribute {name!r}."
            known = [each for each in dir(self) if not each.startswith("_")]
            hint = "" if name.startswith("_") else did_you_mean(name, known)
            raise AttributeError(f"{text} {hint}".rstrip())


def _with_checks(method: FunctionType) -> FunctionType:
    """Return *method* with a check of its keyword arguments, unless it accepts any name."""
    known = argument_names(inspect.unwrap(method))
    if known is None:
        return method

    @functools.wraps(method)
    def checked(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
        check_arguments(method.__name__, named, known)
        return method(*arguments, **named)

    return cast("FunctionType", checked)


def checked_texts(name: str, values: Sequence[str]) -> list[str]:
    """Return *values*, the argument *name*; raise :exc:`TypeError` unless they are texts.

    A single text is a sequence of its letters, which a test never means.
    """
    if isinstance(values, str):
        raise TypeError(f"{name} takes a list of texts, such as [{values!r}], not a single text.")
    listed = list(values)
    for value in listed:
        if not isinstance(value, str):
            raise TypeError(f"{name} takes a list of texts; one of them is {shown(value)}.")
    return listed


#: The methods of a project factory that make an entity for an argument.
_MAKERS = {
    "assignees": "user",
    "context": "shot",
    "parent": "shot",
    "selection": "task",
    "user": "user",
    "versions": "version",
}


def checked_entity(name: str, value: Entity) -> Entity:
    """Return *value*, the argument *name*; raise :exc:`TypeError` unless it is an entity."""
    if not hasattr(value, "primary_key_attributes"):
        maker = _MAKERS.get(name.rpartition(" ")[2])
        hint = f" ftrack_project.{maker}() makes one." if maker and isinstance(value, str) else ""
        raise TypeError(f"{name} takes an entity, not {shown(value)}.{hint}")
    return value


def checked_entities(name: str, values: Sequence[Entity]) -> list[Entity]:
    """Return *values*, the argument *name*; raise :exc:`TypeError` unless they are entities."""
    if isinstance(values, (str, Mapping)):
        raise TypeError(f"{name} takes a list of entities, not {shown(values)}.")
    return [checked_entity(f"each item of {name}", value) for value in values]
