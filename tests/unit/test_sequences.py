"""Expressions for sequences of files, and mistakes in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrack_like._session.sequences import parse_sequence


@pytest.mark.parametrize(
    ("expression", "name", "padding", "frames"),
    [
        ("p.%04d.exr [1-3]", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%04d.exr [1-3, 7,9]", "p.%04d.exr", 4, [1, 2, 3, 7, 9]),
        ("p.%04d.exr [ 1 - 3 ]", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%04d.exr [1-3]  ", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%04d.exr [1-3]\n", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%04d.exr  [1-3]", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%04d.exr[1-3]", "p.%04d.exr", 4, [1, 2, 3]),
        ("p.%d.exr [001-003]", "p.%d.exr", 0, [1, 2, 3]),
        ("p.%04d.exr [1,1-2,2]", "p.%04d.exr", 4, [1, 2]),
        ("a[1].%04d[comp].exr [5]", "a[1].%04d[comp].exr", 4, [5]),
        (" p %04d.exr [5]", " p %04d.exr", 4, [5]),
        ("p.%04d.exr [99999]", "p.%04d.exr", 4, [99999]),
        ("p.%04d.exr []", "p.%04d.exr", 4, []),
    ],
)
def test_sequences(expression: str, name: str, padding: int, frames: list[int]) -> None:
    """A name with a place for the frame number and frames behind it is a sequence."""
    collection = parse_sequence(expression)
    assert collection is not None
    assert collection.format("{head}{padding}{tail}") == name
    assert (collection.padding, sorted(collection.indexes)) == (padding, frames)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("p.%04d.exr [-2-3]", "negative"),
        ("p.%04d.exr [-5]", "negative"),
        ("p.%04d.exr [1--3]", "negative"),
        ("p.%04d.exr [1-3, -5]", "negative"),
        ("p.%04d.exr [1-10x2]", "step"),
        ("p.%04d.exr [1-10:2]", "step"),
        ("p.%04d.exr [1-3", "after the frames is missing"),
        ("p.%04d.exr [", "after the frames is missing"),
        ("p.%04d.exr 1-3]", "before the frames is missing"),
        ("p.%04d.exr [10-1]", "write 1-10"),
        ("p.%04d.exr [1,,3]", "comma"),
        ("p.%04d.exr [1-3,]", "comma"),
        ("p.%04d.exr [1 3]", "neither a frame nor a range"),
        ("p.%04d.exr [1-3-5]", "neither a frame nor a range"),
        ("p.%04d.exr [1-]", "neither a frame nor a range"),
        ("p.%04d.exr [a-b]", "neither a frame nor a range"),
        ("p.%04d.exr [1.5]", "neither a frame nor a range"),
        ("p.%04d.exr [*]", "neither a frame nor a range"),
        ("p.%04d.exr [1_0]", "neither a frame nor a range"),
        ("p.%04d.exr [\u0663]", "neither a frame nor a range"),
        ("p.%04d.exr [1\u20133]", "neither a frame nor a range"),
        ("p.%04d.exr [1-3]x", "'x' after the frames"),
        ("p.%04d.exr [1-3]]", "']' after the frames"),
        ("p.%04d.exr [[1-3]]", "']' after the frames"),
        ("p.%04d.exr [1-3]/", "'/' after the frames"),
        ("p.%04d [1-3].exr", "after the frames"),
        ("p.%04d.exr [1-3][5]", "two pairs of brackets"),
        ("p.%04d.exr [1-3] [5]", "two pairs of brackets"),
        ("p.%04d.%04d.exr [1-3]", "several places"),
        ("v%03d/p.%04d.exr [1-3]", "several places"),
        ("p.####.exr [1-3]", "no place for the frame number"),
        ("p.exr [1-3]", "no place for the frame number"),
        ("p.%04d.exr [1-99999999999]", "more than 1,000,000"),
    ],
)
def test_mistakes(expression: str, reason: str) -> None:
    """A sequence with a mistake is an error that says what is wrong."""
    with pytest.raises(ValueError, match="Cannot read the sequence") as caught:
        parse_sequence(expression)
    assert reason in str(caught.value)
    assert repr(expression) in str(caught.value)


@pytest.mark.parametrize(
    "path", ["p.exr", "p.%04d.exr", "p [final].mov", "p [1].mov", "p [1]", "p.%04d[comp].exr", "]["]
)
def test_plain_paths(path: str) -> None:
    """A name without a list of frames at its end is that of a file."""
    assert parse_sequence(path) is None


@pytest.mark.parametrize(
    "name", ["p.%04d.exr [1-3]", "p.%04d.exr [1-3", "p.%04d.exr [-2-3]", "p [1-3]", "p.%04d []"]
)
def test_files_that_exist_are_files(tmp_path: Path, name: str) -> None:
    """A file or folder that exists under exactly the given name is no sequence."""
    (tmp_path / name).write_bytes(b"x")
    assert parse_sequence(str(tmp_path / name)) is None
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).mkdir()
    assert parse_sequence(str(tmp_path / "folder" / name)) is None


def test_folders_may_hold_a_percent_sign(tmp_path: Path) -> None:
    """A folder that exists may have a place for a number in its name."""
    (tmp_path / "100%d").mkdir()
    collection = parse_sequence(os.path.join(tmp_path, "100%d", "p.%04d.exr [1-2]"))
    assert collection is not None
    assert len(collection.indexes) == 2


@given(st.text(alphabet="%04d[]-, 19x.p\n\u0663", max_size=24))
def test_any_text_is_a_file_a_sequence_or_an_error(path: str) -> None:
    """No text raises another error, and only empty brackets make a sequence without frames."""
    try:
        collection = parse_sequence(path)
    except ValueError as error:
        text = str(error)
        collection = None
    else:
        text = "Cannot read the sequence"
    assert text.startswith("Cannot read the sequence")
    if collection is not None and not collection.indexes:
        assert "[]" in path.replace(" ", "").replace("\n", "")
