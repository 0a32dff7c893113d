"""The filters of triggers: which webhooks they select, and what they say about mistakes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.webhooks.filters import parse_filter

BODY: dict[str, Any] = {
    "id": "e1",
    "fez_id": "ftrack_entity_event_v1",
    "metadata": {"resource_id": "u1", "server_url": "http://x", "configuration_hash": "c"},
    "entity": {
        "id": ["t1"],
        "entity_type": "Task",
        "operation": "update",
        "new": {"status_id": "b", "name": 'a "b" \\ c', "bid": 8.0, "is_open": True, "none": None},
        "old": {"status_id": "a", "name": "old", "bid": 8.0, "is_open": True, "none": None},
    },
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ('entity.entity_type = "Task"', True),
        ('entity.entity_type = "task"', False),
        ('entity.entity_type != "Task"', False),
        ('entity.entity_type!="Shot"', True),
        ('"Task" = entity.entity_type', True),
        ("entity.new.status_id != entity.old.status_id", True),
        ("entity.new.status_id = entity.old.status_id", False),
        ("entity.new.bid = entity.old.bid", True),
        ("entity.new.none = entity.old.none", True),
        ("entity.new.absent = entity.old.none", True),
        ('entity.new.none = ""', False),
        ('entity.new.none != ""', True),
        ('entity.new.bid = "8"', True),
        ('entity.new.bid = "8.0"', True),
        ('entity.new.bid = "eight"', False),
        ('entity.new.is_open = "true"', True),
        ('entity.new.is_open != "false"', True),
        ('entity.new.name = "a \\"b\\" \\\\ c"', True),
        ('entity.id = "t1"', True),
        ('metadata.resource_id = "u1" and id = "e1"', True),
        ('entity.operation = "create" or entity.entity_type = "Task"', True),
        (
            'entity.entity_type = "Task" or entity.entity_type = "Shot" and '
            'entity.operation = "create"',
            True,
        ),
        (
            'entity.entity_type = "Shot" and entity.operation = "update" or '
            'entity.operation = "create"',
            False,
        ),
        ('\n entity.entity_type\t=\n"Task" ', True),
    ],
)
def test_filter(text: str, selected: bool) -> None:
    """A filter compares paths with texts and paths, and 'and' binds closer than 'or'."""
    before = copy.deepcopy(BODY)
    assert parse_filter(text).matches(BODY) is selected
    assert before == BODY


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "A path or a text"),
        ("   ", 3, "A path or a text"),
        ("entity.entity_type", 18, "= or !="),
        ("entity.entity_type =", 20, "A path or a text"),
        ("entity.entity_type = Task", 21, "no value 'Task'"),
        ("entity.entity_type = 'Task'", 21, "double quotes"),
        ('entity.entity_type = "Task', 21, "no closing double quote"),
        ('entity.entity_type == "Task"', 20, "A path or a text"),
        ('entity.entity_type is "Task"', 19, "Write ="),
        ('entity.new.bid > "8"', 15, "= and !="),
        ('entity.type = "Task"', 0, "no value 'entity.type'"),
        ('entity.entity_typ = "Task"', 0, "Did you mean 'entity.entity_type'?"),
        ('entity.new = "x"', 0, "no value 'entity.new'"),
        ('entity.new.status.name = "x"', 0, "no value"),
        ('entity.new.status_ids = "x"', 11, "Did you mean 'status_id'?"),
        ('entity.operation = "delete"', 19, "Only 'create' and 'update'"),
        ('"delete" = entity.operation', 0, "Only 'create' and 'update'"),
        ('(entity.entity_type = "Task")', 0, "brackets"),
        ('not entity.entity_type = "Task"', 0, "!="),
        ('"a" = "b"', 0, "must be a path"),
        ('entity.id = "1" entity.id = "2"', 16, "'and' or 'or'"),
        ('entity.id = "1" AND entity.id = "2"', 16, "lower case"),
        ('entity.id = "1" and', 19, "A path or a text"),
        ('entity.id = "1" and and', 20, "A path or a text"),
        ('entity.id = "1" or\n entity.old.nam = "2"', 31, "Did you mean 'name'?"),
    ],
)
def test_mistake(text: str, position: int, words: str) -> None:
    """The error for a mistake names the place and the remedy, and shows a caret."""
    with pytest.raises(ExpressionError) as caught:
        parse_filter(text, {"status_id", "name", "bid"})
    assert caught.value.position == position
    assert words in caught.value.message
    assert str(caught.value).endswith("^")


def test_long_filter() -> None:
    """A filter of more than 4000 characters is refused."""
    with pytest.raises(ExpressionError, match="at most 4000"):
        parse_filter('entity.id = "1" or ' * 300)


def test_names_in_a_filter() -> None:
    """A filter knows the names in its paths, on both sides."""
    parsed = parse_filter('entity.id = "name" or id = metadata.configuration_hash')
    assert parsed.uses("configuration_hash")
    assert not parsed.uses("name")
