"""Errors: one tree, texts that always print, and the classes that callers catch today."""

from __future__ import annotations

import builtins
import inspect
import pickle
import re
from typing import Any

import pytest
import requests.exceptions

from ftrack_like import exception

CLASSES = {
    name: value
    for name, value in vars(exception).items()
    if inspect.isclass(value) and issubclass(value, exception.Error) and name[0] != "_"
}


def drawn_tree() -> dict[str, tuple[str, list[str]]]:
    """Return what the module's docstring draws: ``{name: (parent, [further bases])}``."""
    found: dict[str, tuple[str, list[str]]] = {}
    path: list[str] = []
    for line in (exception.__doc__ or "").splitlines():
        match = re.match(r"^    ((?:│   |    )*)((?:├── |└── )?)(\w+)(?: \[(.+)\])?$", line)
        if not match:
            continue
        indent, branch, name, others = match.groups()
        depth = len(indent) // 4 + bool(branch)
        del path[depth:]
        found[name] = (path[-1] if path else "", others.split(", ") if others else [])
        path.append(name)
    return found


def test_tree_in_docstring_is_whole() -> None:
    """The drawn tree names exactly the errors; __all__ names them and the warning, sorted."""
    assert set(drawn_tree()) == set(CLASSES)
    assert exception.__all__ == sorted([*CLASSES, "UnknownAttributeWarning"])


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_class_stands_where_it_is_drawn(name: str) -> None:
    """A class has the parent that is drawn, and is what stands in brackets as well."""
    parent, others = drawn_tree()[name]
    public = [base for base in CLASSES[name].__mro__[1:] if base in CLASSES.values()]
    if parent:
        assert CLASSES[parent] in public
    for other in others:
        base: Any = requests.exceptions if other.startswith("requests") else builtins
        last = other.rpartition(".")[2]
        assert issubclass(CLASSES[name], CLASSES.get(other) or getattr(base, last))


def test_text_joins_template_and_details() -> None:
    """The text is the template filled with the details."""
    error = exception.Error("a {b}", details={"b": 1})
    assert str(error) == "a 1"
    assert error.message == "a {b}"
    assert error.details == {"b": 1}


def test_default_message_is_used_without_one() -> None:
    """An error without a message says the default of its class."""
    assert str(exception.PermissionDeniedError()) == exception.PermissionDeniedError.default_message


class Unprintable:
    """A value that cannot be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __format__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("message", "details"),
    [
        ("Server said {}", None),
        ('{"json": {"in": "it"}}', None),
        ("missing {name}", {"other": 1}),
        ("{value}", {"value": Unprintable()}),
        ("{0.__class__}", {"a": 1}),
        (b"bytes", None),
        ("unbalanced {", {"a": 1}),
    ],
)
def test_text_never_raises(message: Any, details: Any) -> None:
    """Whatever message and details hold, the error prints."""
    error = exception.Error(message, details=details)
    assert isinstance(str(error), str)
    assert repr(error).startswith("Error(")


def test_bytes_are_shown_as_text() -> None:
    """Details that are bytes appear as text, not as a literal of bytes."""
    error = exception.UnrecognisedEntityTypeError(b"Task")
    assert str(error) == 'Entity type "Task" not recognised.'


def test_key_errors_print_plainly() -> None:
    """An error that is a KeyError too does not print in quotes."""
    error = exception.UnrecognisedEntityTypeError("Tsk", suggestion="Did you mean 'Task'?")
    assert str(error) == "Entity type \"Tsk\" not recognised. Did you mean 'Task'?"
    with pytest.raises(KeyError):
        raise error


def test_repr_holds_the_finished_text() -> None:
    """The repr of an error says what its text says."""
    error = exception.AccessorOperationFailedError("read", "/a", error="timed out")
    assert "timed out" in repr(error)
    assert repr(error) == "AccessorOperationFailedError('Operation read failed: timed out')"


def test_cause_is_kept() -> None:
    """The error that an accessor met is the cause of its own error."""
    cause = OSError("disk on fire")
    assert exception.AccessorResourceNotFoundError("open", "/a", error=cause).__cause__ is cause


def test_traceback_is_that_of_the_error_being_handled() -> None:
    """The formatted trace of the error being handled is kept with the new one."""
    try:
        raise ValueError("inner")
    except ValueError:
        error = exception.Error("outer")
    assert "ValueError: inner" in error.traceback


def test_components_are_listed_by_name() -> None:
    """Errors about components in a location name each of them."""
    error = exception.ComponentInLocationError(["one", "two"], "disk")
    assert str(error) == "Component(s) one, two already exist in location disk."
    single = exception.ComponentNotInLocationError({"name": "one"}, "disk")
    assert single.details["formatted_components"] == "{'name': 'one'}"


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (exception.ServerConnectionError("x"), [requests.exceptions.ConnectionError, OSError]),
        (exception.ServerTimeoutError("x"), [requests.exceptions.ReadTimeout, OSError]),
        (exception.ConfigurationError("x"), [TypeError]),
        (exception.ServerAnswerError("x"), [ValueError]),
        (exception.ServerPermissionDeniedError("x"), [exception.PermissionDeniedError]),
        (exception.ServerNotUniqueError("x"), [exception.NotUniqueError]),
    ],
)
def test_errors_are_what_callers_catch(error: Exception, bases: list[type]) -> None:
    """Faults are caught by the classes that today's code names, and print their own text."""
    assert all(isinstance(error, base) for base in bases)
    assert str(error) == "x"


@pytest.mark.parametrize(
    "error",
    [
        exception.Error("a {b}", details={"b": 2}),
        exception.ServerConnectionError("lost"),
        exception.ServerError("no", error_code="code"),
        exception.UnrecognisedEntityTypeError("Tsk"),
    ],
)
def test_errors_survive_pickling(error: Any) -> None:
    """An error that crosses to another process says the same there."""
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert getattr(copied, "error_code", None) == getattr(error, "error_code", None)
