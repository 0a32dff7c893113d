"""Log messages that cost nothing unless they are read."""

from __future__ import annotations

import inspect
import warnings

import pytest

from ftrack_like.logging import LazyLogMessage, deprecation_warning


class Counted:
    """A value that counts how often it is formatted."""

    formatted = 0

    def __format__(self, specification: str) -> str:
        self.formatted += 1
        return "value"


def test_message_is_formatted_when_read() -> None:
    """Nothing is formatted before the text is asked for."""
    value = Counted()
    message = LazyLogMessage("{0} and {name}", value, name="x")
    assert value.formatted == 0
    assert str(message) == "value and x"
    assert value.formatted == 1


def test_deprecation_warning_names_the_caller() -> None:
    """A deprecated function works, and warns with its text at the line that calls it."""

    @deprecation_warning("use other")
    def old(value: int) -> int:
        """Return one more."""
        return value + 1

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        assert old(1) == 2
    assert [str(each.message) for each in caught] == ["use other"]
    assert caught[0].category is PendingDeprecationWarning
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
    assert old.__name__ == "old"


def test_template_with_too_few_values_raises() -> None:
    """A wrong template is an error where it is read, as the logging module reports it."""
    with pytest.raises(IndexError):
        str(LazyLogMessage("{0} {1}", 1))
