"""Hints for programs that use an asynchronous object in a synchronous way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from ftrack_like._base.suggest import AdvisesMembers
from ftrack_like.session import Session

__all__ = ["AdvisesBlocking", "refuse_synchronous"]

_Class = TypeVar("_Class", bound=type)


def _blocking_form(name: str) -> str:
    """Return how to use the member *name* of the synchronous session below."""
    if callable(getattr(Session, name)):
        return f"Call it in a thread: await session.run(session.blocking.{name}, …)."
    return f"Read session.blocking.{name}."


class AdvisesBlocking(AdvisesMembers):
    """A base class whose errors for members of the synchronous session say where they are."""

    _member_advice = {
        name: _blocking_form(name)
        for name in dir(Session)
        if not name.startswith("_") and hasattr(Session, name)
    }


def refuse_synchronous(**advice: str) -> Callable[[_Class], _Class]:
    """Return a decorator of classes: the special methods in *advice* raise :exc:`TypeError`.

    *advice* maps the name of a special method, without underscores, to the text of the error. Type
    checkers do not see these methods, so they report the mistake as well.
    """

    def decorate(class_: _Class) -> _Class:
        for name, text in advice.items():
            setattr(class_, f"__{name}__", _refusal(f"{class_.__name__}: {text}"))
        return class_

    return decorate


def _refusal(text: str) -> Callable[..., NoReturn]:
    """Return a method that raises :exc:`TypeError` with *text*."""

    def refuse(self: object, *arguments: object) -> NoReturn:
        raise TypeError(text)

    refuse.__doc__ = "Raise :exc:`TypeError` with the asynchronous form."
    return refuse
