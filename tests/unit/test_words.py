"""Words of messages."""

from __future__ import annotations

import pytest

from ftrack_like._base.words import with_article


@pytest.mark.parametrize(
    "words",
    ["an AssetVersion", "an Event", "an ObjectType", "an Upload", "a User", "a Unit", "a Task"],
)
def test_article(words: str) -> None:
    """A name has the article that fits its first sound."""
    assert with_article(words.split()[1]) == words
