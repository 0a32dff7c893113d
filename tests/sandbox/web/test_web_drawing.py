"""Drawings: read from browsers with suspicion, written for others to show."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrack_like.sandbox.web.drawing import (
    MAXIMUM_NUMBERS,
    DrawingError,
    read_drawing,
    stored_drawing,
    strokes_of,
)

STROKE = {"color": "#ff0000", "width": 0.01, "points": [0.25, 0.5, 1, 0]}

shares = st.floats(0, 1).map(lambda value: round(value, 5))
strokes = st.fixed_dictionaries(
    {
        "color": st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}"),
        "width": shares,
        "points": st.lists(st.tuples(shares, shares), min_size=1).map(
            lambda pairs: [number for pair in pairs for number in pair]
        ),
    }
)


SHAPES = [
    {**STROKE, "shape": "arrow"},
    {**STROKE, "shape": "box"},
    {**STROKE, "shape": "text", "text": "Too dark", "size": 0.03},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one["shape"])
def test_shapes_are_strokes_with_more(shape):
    """A shape survives the way to the database and back, and its points are a line as before."""
    read = read_drawing(json.dumps({"strokes": [shape]}))
    assert strokes_of(stored_drawing(read, "n1")) == ("n1", [shape])
    assert read[0]["points"] == STROKE["points"]


def test_unknown_keys_of_a_stroke_are_dropped():
    """Only what the format describes is stored."""
    posted = {**STROKE, "onload": "x", "text": "no shape", "size": 7}
    assert read_drawing(json.dumps({"strokes": [posted]})) == [STROKE]


def test_a_text_is_one_line_without_control_characters():
    """Line ends and other control characters become blanks."""
    posted = {**SHAPES[2], "text": " a\nb\x07c "}
    assert read_drawing(json.dumps({"strokes": [posted]}))[0]["text"] == "a b c"


@given(st.lists(strokes, min_size=1, max_size=5))
def test_what_is_stored_can_be_shown(drawn):
    """Strokes survive the way from a browser to the database and back."""
    read = read_drawing(json.dumps({"strokes": drawn}))
    assert strokes_of(stored_drawing(read, "n1")) == ("n1", drawn)


def test_no_drawing_is_no_stroke():
    """An empty field of a form is a note without a drawing."""
    assert read_drawing("") == read_drawing("  ") == read_drawing('{"strokes": []}') == []


@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no list of strokes"),
        ('{"strokes": 1}', "no list of strokes"),
        ('{"strokes": [1]}', "not a JSON object"),
        ({"color": "red"}, "must be #rrggbb"),
        ({"color": "#ff0000;}"}, "must be #rrggbb"),
        ({"points": []}, "x, y, x, y"),
        ({"points": [0.5]}, "x, y, x, y"),
        ({"points": "00"}, "x, y, x, y"),
        ({"points": [0.5, 1.5]}, "from 0 to 1"),
        ({"points": [0.5, True]}, "from 0 to 1"),
        ({"points": [0.5, float("nan")]}, "from 0 to 1"),
        ({"width": None}, "from 0 to 1"),
        ({"shape": "star"}, "one of arrow, box, text, not 'star'"),
        ({"shape": ["box"]}, "one of arrow, box, text"),
        ({"shape": "text"}, "1 to 500 characters"),
        ({"shape": "text", "text": " ", "size": 0.1}, "1 to 500 characters"),
        ({"shape": "text", "text": "x" * 501, "size": 0.1}, "1 to 500 characters"),
        ({"shape": "text", "text": "x"}, "from 0 to 1"),
        ({"shape": "text", "text": "x", "size": 2}, "from 0 to 1"),
        ({"points": [0.5, 0.5] * (MAXIMUM_NUMBERS // 2 + 1)}, "more than 50000 points"),
    ],
)
def test_anything_else_is_refused_in_words(posted, words):
    """The error says what is wrong with the drawing."""
    text = posted if isinstance(posted, str) else json.dumps({"strokes": [{**STROKE, **posted}]})
    with pytest.raises(DrawingError, match=words):
        read_drawing(text)


@pytest.mark.parametrize("text", [None, "", "x", "7", "[]", '{"note": 7}', '{"shapes": []}'])
def test_annotations_of_other_programs_have_no_strokes(text):
    """What was written in another way is passed over."""
    assert strokes_of(text) == (None, [])
