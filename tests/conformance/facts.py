"""What a check says about itself: its source, and how sure the source is."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["CONFIDENCE", "differs", "fact", "live", "row", "writes"]

#: How sure a source is, as the reference has it.
CONFIDENCE = {
    "M": "measured or recorded on a site",
    "P": "shipped programs rely on it",
    "D": "documented",
    "I": "inferred",
    "protocol": "the protocol that clients speak",
}


def fact(source: str, confidence: str) -> pytest.MarkDecorator:
    """Mark a check with its *source*, such as ``site-facts A1``, and its *confidence*.

    The sentence of the check is its docstring.
    """
    assert confidence in CONFIDENCE, confidence
    return pytest.mark.fact(source=source, confidence=confidence)


def row(*values: Any, name: str) -> Any:
    """Return the values of one row of a table, for a check that runs once for each row."""
    return pytest.param(*values, id=name)


#: Marks a check that changes data: it runs on a sandbox, and elsewhere only with ``--write``.
writes = pytest.mark.writes

#: Marks a check that needs a server: a recording of one cannot answer it.
live = pytest.mark.live


def differs(why: str) -> pytest.MarkDecorator:
    """Mark a check that is known to fail on the sandbox: *why* the sandbox differs from a site."""
    return pytest.mark.differs(why=why)
