"""Symbols: compared by identity, wherever they went."""

from __future__ import annotations

import copy
import pickle

import pytest

from ftrack_like import symbol


def test_not_set_counts_as_false() -> None:
    """NOT_SET is false, the other symbols are true."""
    assert not symbol.NOT_SET
    assert symbol.CREATED


def test_symbols_print_their_name() -> None:
    """The text is the name, the repr marks it as a symbol."""
    assert str(symbol.NOT_SET) == "NOT_SET"
    assert repr(symbol.CREATED) == "Symbol(CREATED)"


@pytest.mark.parametrize("name", ["NOT_SET", "CREATED", "MODIFIED", "DELETED"])
def test_copies_keep_identity(name: str) -> None:
    """Copying, deep copying and pickling give the same object."""
    value = getattr(symbol, name)
    assert copy.copy(value) is value
    assert copy.deepcopy({"a": [value]})["a"][0] is value
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) is value


def test_own_symbols_can_be_pickled() -> None:
    """A symbol that is no constant of the module comes back with its name and truth."""
    copied = pickle.loads(pickle.dumps(symbol.Symbol("MINE", False)))
    assert (copied.name, bool(copied)) == ("MINE", False)


@pytest.mark.parametrize(
    ("text", "size"), [(None, 1048576), ("", 1048576), ("0", 1048576), ("x", 1048576), ("8", 8)]
)
def test_chunk_size_is_a_sane_number(text: str | None, size: int) -> None:
    """The chunk size follows the variable where that says a size."""
    assert symbol._chunk_size(text) == size
