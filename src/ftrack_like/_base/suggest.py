"""Suggest a known name for an unknown name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Optional

__all__ = [
    "AdvisesMembers",
    "Suggestion",
    "SuggestsArguments",
    "argument_names",
    "check_arguments",
    "closest",
    "did_you_mean",
]

#: The flag of a function with ``**`` in its arguments, ``inspect.CO_VARKEYWORDS``.
_TAKES_ANY_NAME = 0x08

#: The least similarity of two names, from 0 to 1, for a suggestion. The second value is for the
#: best candidate if no candidate reaches the first.
_ALIKE = 0.75
_REMOTELY_ALIKE = 0.6


#: The types of ftrack by their names in other tools, in lower case without underscores.
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "humanuser": ("User",),
    "playlist": ("AssetVersionList",),
    "product": ("Asset",),
    "publishedfile": ("FileComponent",),
    "representation": ("Component", "FileComponent"),
    "show": ("Project",),
    "subset": ("Asset",),
    "take": ("AssetVersion",),
}


#: The arguments of sessions by their names in other libraries, in the same form.
_OTHER_ARGUMENTS = {
    "address": "server_url",
    "ca": "verify",
    "certificate": "cert",
    "endpoint": "server_url",
    "host": "server_url",
    "hostname": "server_url",
    "login": "api_user",
    "password": "api_key",
    "secret": "api_key",
    "site": "server_url",
    "token": "api_key",
    "username": "api_user",
}


def _comparable(name: str) -> str:
    """Return *name* in lower case without underscores."""
    return name.lower().replace("_", "")


def _tails(candidate: str) -> list[str]:
    """Return the ends of *candidate*, a name in camel case, from each inner capital letter."""
    starts = [match.start() for match in re.finditer(r"(?<=[a-z0-9])[A-Z]", candidate)]
    return [_comparable(candidate[start:]) for start in starts]


def _likeness(wanted: str, candidate: str) -> float:
    """Return the similarity of *candidate* and the plain name *wanted*, from 0 to 1."""
    # lazy: needed only for error messages.
    import difflib

    def alike(other: str) -> float:
        return difflib.SequenceMatcher(None, wanted, other).ratio()

    whole = _comparable(candidate)
    score = alike(whole)
    # A part of a longer name is similar, the end most ("Version", "AssetVersion").
    if len(wanted) > 2 and wanted in whole:
        score = max(score, 0.9 if whole.endswith(wanted) else 0.8)
    for tail in _tails(candidate):
        score = max(score, alike(tail) * 0.95)
    return score


def closest(
    name: str, candidates: Iterable[str], limit: int = 1, *, remotely: bool = True
) -> list[str]:
    """Return at most *limit* of *candidates* that are similar to *name*, best first.

    Similar names differ in case or underscores, have a typing mistake, or are a part of a longer
    name. If *name* is the name of a type in another tool, the type comes first. With *remotely*,
    the best of the less similar names counts if no other does.
    """
    wanted = _comparable(str(name))
    candidates = list(candidates)
    scored = sorted(
        (-_likeness(wanted, candidate), abs(len(candidate) - len(wanted)), candidate)
        for candidate in candidates
    )
    near = [candidate for score, _, candidate in scored if -score >= _ALIKE]
    if not near and remotely:
        near = [candidate for score, _, candidate in scored if -score >= _REMOTELY_ALIKE][:1]
    meant = [other for other in _OTHER_WORDS.get(wanted, ()) if other in candidates]
    return [*meant, *[candidate for candidate in near if candidate not in meant]][:limit]


def did_you_mean(
    name: str, candidates: Iterable[str], otherwise: str = "", *, remotely: bool = True
) -> str:
    """Return ``"Did you mean 'AssetVersion'?"`` for an unknown *name*, or *otherwise*.

    *candidates* are the valid names. If *name* is a name in another tool, the text says which names
    ftrack has for it. It may also be a typing mistake, so the text contains two names.
    *remotely* is that of :func:`closest`.
    """
    words = _OTHER_WORDS.get(_comparable(str(name)), ())
    best = closest(name, candidates, limit=2 if words else 1, remotely=remotely)
    if not best:
        return otherwise
    meant = [repr(each) for each in best if each in words]
    others = [repr(each) for each in best if each not in words]
    if meant:
        meant[-1] += ", which is what ftrack calls it"
        others = [", or " + each if index == 0 else each for index, each in enumerate(others)]
        return f"Did you mean {' or '.join(meant)}{''.join(others)}?"
    return f"Did you mean {' or '.join(others)}?"


def check_arguments(owner: str, named: Iterable[str], known: Iterable[str]) -> None:
    """Raise :exc:`TypeError`, which suggests a name, if one of *named* is not in *known*.

    *named* are the names of the arguments in a call of *owner*, and *known* those that it accepts.
    Python itself suggests names from version 3.13 on, and only for typing mistakes.
    """
    names = set(known)
    for name in named:
        if name not in names:
            meant = _OTHER_ARGUMENTS.get(_comparable(name))
            hint = f"Did you mean {meant!r}?" if meant in names else did_you_mean(name, names)
            raise TypeError(f"{owner}() has no argument {name!r}. {hint}".rstrip())


def argument_names(function: Callable[..., Any]) -> Optional[tuple[str, ...]]:
    """Return the names of the arguments of the method *function*; None if it accepts any name."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _TAKES_ANY_NAME:
        return None
    names: tuple[str, ...] = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return names


class _SignatureOfInit:
    """The signature of a class, for tools that would otherwise show that of ``__new__``."""

    def __get__(self, instance: object, owner: type) -> object:
        """Return the signature of the constructor of *owner*."""
        # lazy: only tools need it
        import inspect

        init = inspect.signature(owner.__init__)  # type: ignore[misc]  # of a class as it is
        return init.replace(parameters=list(init.parameters.values())[1:])


class SuggestsArguments:
    """A base class that suggests a name for an unknown keyword argument of the constructor.

    The check is in ``__new__``, because a decorated ``__init__`` would show other arguments to
    programs that read them. A subclass whose constructor accepts any name is not checked.
    """

    if not TYPE_CHECKING:  # Type checkers would accept any argument.
        __signature__ = _SignatureOfInit()

        def __new__(cls, *arguments: object, **named: object) -> SuggestsArguments:
            """Return a new instance; raise :exc:`TypeError` for an unknown argument."""
            known = argument_names(cls.__init__) if named else None
            if known is not None:
                check_arguments(cls.__name__, named, known)
            following = super().__new__
            if following is object.__new__:
                return following(cls)
            return following(cls, *arguments, **named)  # Of another base class of the program.


class _OtherMember:
    """Stands for the member *name* of other libraries: reading it raises an error with *advice*.

    A ``__getattr__`` would be shorter, but IPython completes nothing on objects that have one.
    """

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, instance: object, owner: type) -> object:
        """Return the member of another base of *owner*; without one raise the error."""
        for class_ in owner.__mro__:
            found = vars(class_).get(self._name, self)
            if not isinstance(found, _OtherMember):
                getter = getattr(type(found), "__get__", None)
                return found if getter is None else getter(found, instance, owner)
        raise AttributeError(
            f"{owner.__name__!r} object has no attribute {self._name!r}. {self._advice}"
        )


class AdvisesMembers:
    """A base class whose errors for members of other libraries say what to write instead.

    ``dir`` of an instance does not list these members.
    """

    #: The advice for a member that the class does not have, by its name.
    _member_advice: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Add the members in ``_member_advice`` of *cls*. Type checkers do not see them."""
        super().__init_subclass__(**options)
        for name, advice in vars(cls).get("_member_advice", {}).items():
            setattr(cls, name, _OtherMember(name, advice))

    def __dir__(self) -> list[str]:
        """Return the names that consoles offer."""
        names = {
            name
            for class_ in type(self).__mro__
            for name, value in vars(class_).items()
            if isinstance(value, _OtherMember)
        }
        return sorted(set(super().__dir__()) - {each for each in names if not hasattr(self, each)})


class Suggestion:
    """A suggestion that is computed only when the error is printed.

    Most of these errors are caught without being printed.
    """

    def __init__(self, name: str, candidates: Iterable[str]) -> None:
        """Initialise for the unknown *name*; *candidates* are the valid names."""
        self._name = name
        self._candidates = candidates

    def __str__(self) -> str:
        """Return the suggestion."""
        return did_you_mean(self._name, self._candidates)
