"""The registry of operators of the query language."""

from __future__ import annotations

from typing import Any

import pytest

from ftrack_like.sandbox.language import operators
from ftrack_like.sandbox.language.operators import OPERATORS, Form, Operator


@pytest.mark.parametrize("one", sorted(set(OPERATORS.values()), key=str), ids=lambda one: one.name)
def test_each_operator_has_one_meaning(one: Operator) -> None:
    """A comparison has a test or a pattern, a quantifier a kind of relation, and only those."""
    meanings = [one.test is not None, one.pattern is not None]
    assert sum(meanings) == (one.form is Form.COMPARISON)
    assert bool(one.over) == (one.form is Form.QUANTIFIER)


def test_foreign_spellings_are_no_operators() -> None:
    """The parser takes no spelling of another language, it only suggests one that it knows."""
    assert operators.FOREIGN.keys().isdisjoint(OPERATORS)
    assert set(operators.FOREIGN.values()) <= OPERATORS.keys()


def test_a_new_comparison_needs_only_its_declaration(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator that is declared in the registry is parsed and compiled to SQL."""
    begins = Operator("begins_with", pattern=lambda text: f"{text}%")
    monkeypatch.setitem(OPERATORS, "begins_with", begins)
    assert sorted(world.keys('Task where name begins_with "ANIM"')) == ["t-anim10", "t-anim20"]
