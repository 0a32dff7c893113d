"""Subscriptions drawn by lot, each matched with the same events by both libraries."""

from __future__ import annotations

import random
import re
from typing import Any

from book import Stage, step

EVENTS = [
    {"topic": "ftrack.update", "data": {"kind": "shot", "deep": {"er": "x y"}}},
    {"topic": "ftrack.action.launch", "data": {"kind": "task", "empty": ""}},
    {"topic": "studio", "source": {"user": {"username": "ada.b"}}, "data": {}},
    {"topic": "studio.deep.er", "source": None, "data": {"kind": "*"}},
]
KEYS = ["topic", "data.kind", "data.deep.er", "source.user.username", "data.missing"]
VALUES = ["shot", "sh*", "*", "ftrack.*", "studio", '"x y"', "'x y'", "ada.b", "ada*", '"sh*"']

#: What is read in another way on purpose (difference 7): keys with empty parts.
DIFFERENT = re.compile(r"\.\.|(?:^|[\s(])\.|\.[=!\s]")


def expression(lot: random.Random, depth: int = 0) -> str:
    """Return an expression."""
    if depth > 2 or lot.random() < 0.4:
        operator, value = lot.choice(["=", "=", "=", "!=", " = ", " != "]), lot.choice(VALUES)
        if "!" in operator:
            value = value.replace("*", "x")  # difference 7
        text = f"{lot.choice(KEYS)}{operator}{value}"
        return f"not {text}" if lot.random() < 0.15 else text
    joined = f" {lot.choice(['and', 'or', 'AND', 'Or'])} ".join(
        expression(lot, depth + 1) for _ in range(lot.randint(2, 3))
    )
    joined = f"({joined})" if lot.random() < 0.6 else joined
    return f"not {joined}" if joined[0] == "(" and lot.random() < 0.2 else joined


def matched(stage: Stage, texts: list[str], events: Any = ()) -> Any:
    """Return how each of *texts* is read and matches *events*, or the error that it makes."""
    parse = stage.module("event.expression").Parser().parse
    answers = []
    for text in texts:
        try:
            found = parse(text)
            answers.append([text, [bool(found.match(event)) for event in events], str(found)])
        except stage.error("ParseError"):
            answers.append([text, "refused"])
        except Exception as error:
            answers.append([text, type(error).__name__])
    return answers


@step()
def well_formed(stage: Stage) -> Any:
    """Three hundred expressions."""
    lot = random.Random(1)
    return matched(stage, [expression(lot) for _ in range(300)], EVENTS)


@step()
def with_a_slip(stage: Stage) -> Any:
    """Two hundred expressions in which a character is missing, doubled or another one."""
    lot = random.Random(2)
    texts: list[str] = []
    while len(texts) < 200:
        text = expression(lot)
        place = lot.randrange(len(text))
        middle = lot.choice(["", text[place] * 2, lot.choice("()='\" ax")])
        text = text[:place] + middle + text[place + 1 :]
        if not DIFFERENT.search(text):
            texts.append(text)
    return matched(stage, texts)
