"""Mistakes in built queries are found while the query is built, with advice."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from ftrack_like import attr, exception
from ftrack_like.query.builder import BuiltQuery


@pytest.fixture
def tasks(tiny: Any) -> BuiltQuery[Any]:
    """Return the selection of all tasks of a session without a server."""
    return BuiltQuery(tiny, "Task")


def test_text_is_the_expression(tasks: Any) -> None:
    """Every part of a selection has its place in the text."""
    made = (
        tasks.where((attr.status.name == "Done") | ~(attr.bid >= 2), attr.name.like("sh0%"))
        .columns("name", attr.status.name)
        .order_by(-attr.bid, "name")
        .limit(50)
        .offset(10)
    )
    assert str(made) == (
        'select name, status.name from Task where (status.name is "Done" or not bid >= 2) '
        'and name like "sh0%" order by bid descending, name offset 10 limit 50'
    )
    assert made.expression == str(made)
    assert "Task" in repr(made)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (
            lambda: (attr.bid > 1) & (attr.bid < 5) & (attr.bid != 3),
            "bid > 1 and bid < 5 and bid is_not 3",
        ),
        (
            lambda: (attr.bid > 1) | (attr.bid < 5) & (attr.bid != 3),
            "(bid > 1 or (bid < 5 and bid is_not 3))",
        ),
        (lambda: ~~(attr.bid > 1), "bid > 1"),
        (lambda: ~((attr.bid > 1) & (attr.bid < 5)), "not (bid > 1 and bid < 5)"),
        (lambda: ~attr.bid.between(1, 5), "not (bid >= 1 and bid <= 5)"),
        (lambda: attr.name.in_(["a", 'b"']), 'name in ("a", "b\\"")'),
        (lambda: attr.name.in_(["a", None]), '(name in ("a") or name is none)'),
        (lambda: attr.name.not_in(["a", None]), 'name not_in ("a")'),
        (lambda: attr.bid.in_([]), "id is none"),
        (lambda: attr.bid.not_in([]), "bid is_not none"),
        (lambda: attr.name.in_(each for each in "ab"), 'name in ("a", "b")'),
        (lambda: attr.children.any(), "children any ()"),
        (
            lambda: attr.notes.any(attr.content == "x", attr.author.username == "y"),
            'notes any (content is "x" and author.username is "y")',
        ),
        (lambda: attr.parent.has(attr.bid > 1), "parent has (bid > 1)"),
        (lambda: attr.parent.is_none(), "parent is none"),
        (lambda: attr.start_date.is_not_none(), "start_date is_not none"),
        (lambda: attr["status.name"] == "x", 'status.name is "x"'),
        (lambda: attr.parent.as_("Task").name == "x", 'parent[Task].name is "x"'),
        (lambda: attr["parent[Task].name"] == "x", 'parent[Task].name is "x"'),
        (
            lambda: attr.custom_attributes['k"'] == 1,
            'custom_attributes any (key is "k\\"" and value is 1)',
        ),
        (
            lambda: attr.custom_attributes["k"].in_(["a"]),
            'custom_attributes any (key is "k" and value in ("a"))',
        ),
        (
            lambda: attr.children.custom_attributes["k"].between(1, 2),
            'children.custom_attributes any (key is "k" and value >= 1 and value <= 2)',
        ),
        (lambda: attr.children.bid.between(1, 2), "children any (bid >= 1 and bid <= 2)"),
        (lambda: attr.name.startswith("50%_\\"), 'name like "50\\\\%\\\\_\\\\\\\\%"'),
        (lambda: attr.hidden.any(), "hidden any ()"),
    ],
)
def test_conditions_as_text(tasks: Any, condition: Any, text: str) -> None:
    """A condition is written in the query language, with brackets only where they are needed."""
    assert str(tasks.where(condition())) == f"Task where {text}"


@pytest.mark.parametrize(
    ("condition", "error", "words"),
    [
        (lambda: attr.stauts.name == "x", KeyError, "Did you mean 'status'"),
        (lambda: attr.status.nme == "x", KeyError, "Status has no attribute 'nme'.*'name'"),
        (lambda: attr.notes.any(attr.contnt == "x"), KeyError, "Note has no attribute.*'content'"),
        (lambda: attr.parent.as_("Shto").name == "x", KeyError, "Did you mean 'Shot'"),
        (lambda: attr.parent.as_("Status").name == "x", TypeError, "never a Status"),
        (lambda: attr.name.as_("Shot") == "x", TypeError, "plain value"),
        (lambda: attr.name.length == 1, TypeError, "'name' of Task is a plain value"),
        (lambda: attr.status == "Done", TypeError, r"attr\.status\.name"),
        (lambda: attr.status > 1, TypeError, "is a reference"),
        (lambda: attr.children == 1, TypeError, "is a collection"),
        (lambda: attr.metadata == 1, TypeError, r"attr\.metadata\['key'\]"),
        (lambda: attr.children.is_none(), TypeError, r"~attr\.children\.any\(\)"),
        (lambda: attr.children.has(), TypeError, r"use \.any\(\)"),
        (lambda: attr.status.any(), TypeError, r"use \.has\(\)"),
        (lambda: attr.name.any(), TypeError, "plain value"),
        (lambda: attr.status["name"] == "x", TypeError, r"attr\.status\.name"),
        (lambda: attr.bid > "many", TypeError, "attr.bid is a number"),
        (lambda: attr.bid > True, TypeError, "attr.bid is a number"),
        (lambda: attr.start_date > 5, TypeError, "is a date"),
        (lambda: attr.start_date > "yesterday", TypeError, "is a date.*'yesterday'"),
        (lambda: attr.metadata.reel == "A1", KeyError, r"write attr\.metadata\['reel'\]"),
        (
            lambda: attr.children.metadata.reel.like("A%"),
            KeyError,
            r"write attr\.children\.metadata\['reel'\]",
        ),
        (lambda: attr.notes.author.is_active == "yes", TypeError, "True or False"),
        (lambda: attr.bid.like(5), TypeError, "A pattern is text"),
        (lambda: attr.bid.in_([1, "x"]), TypeError, "attr.bid is a number"),
        (lambda: attr.name == None, TypeError, r"attr\.name\.is_none\(\)"),  # noqa: E711
        (lambda: attr.name != None, TypeError, r"attr\.name\.is_not_none\(\)"),  # noqa: E711
        (lambda: attr.name == attr.description, TypeError, "cannot be compared"),
        (lambda: attr.name == ["a"], TypeError, r"\.in_\(\)"),
        (lambda: attr.name == b"a", TypeError, "cannot be used in a query"),
        (lambda: attr.bid == float("nan"), TypeError, "does not exist"),
        (lambda: attr.name.in_("abc"), TypeError, "list of values"),
        (lambda: attr.name.in_(5), TypeError, "list of values"),
        (lambda: attr.name.in_([["a"]]), TypeError, "single value"),
        (lambda: attr.name.in_(attr.description), TypeError, "list of values"),
        (lambda: attr == 1, TypeError, "Name an attribute"),
        (lambda: attr['name is "x" or name'] == "x", TypeError, "cannot be the name"),
        (lambda: attr.metadata["a"].b == 1, TypeError, "one entry"),
        (lambda: True, TypeError, "Python has evaluated"),
        (lambda: 'name is "x"', TypeError, r"session\.query"),
        (lambda: [attr.name == "x"], TypeError, "separate arguments"),
        (lambda: attr.name, TypeError, "takes conditions"),
        (lambda: attr.name.any("x"), TypeError, "takes conditions"),
    ],
)
def test_mistakes_in_conditions(tasks: Any, condition: Any, error: Any, words: str) -> None:
    """A wrong name or value is an error of the library before any request."""
    with pytest.raises(exception.Error, match=words) as caught:
        tasks.where(condition())
    assert isinstance(caught.value, error)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: (attr.bid > 1) and (attr.bid < 5), "& .and.*brackets"),
        (lambda: not (attr.bid > 1), "~"),
        (lambda: 1 < attr.bid < 5, "between"),
        (lambda: bool(attr.bid), "neither true nor false"),
        (lambda: attr.bid > 1 & attr.bid, "brackets around each comparison"),
        (lambda: attr.bid | attr.name, "brackets around each comparison"),
        (lambda: ~attr.bid, "negates a condition"),
        (lambda: "x" in attr.name, "contains"),
        (lambda: attr.name in ["x"], "neither true nor false"),
        (lambda: list(attr.children), "no items"),
        (lambda: attr.name.lke("x"), "'lke' is not a method of a path. Did you mean 'like'"),
        (lambda: attr.name.contans("x"), "Did you mean 'contains'.*The methods are"),
        (lambda: {attr.name}, "unhashable"),
    ],
)
def test_python_operators_give_advice(mistake: Any, words: str) -> None:
    """Operators that Python evaluates itself are errors that name the right way."""
    with pytest.raises(TypeError, match=words):
        mistake()


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda tasks: tasks.columns("stauts.name"), "'status'"),
        (lambda tasks: tasks.columns("hidden"), "only filter by it"),
        (lambda tasks: tasks.columns(attr.metadata["a"]), "whole mapping"),
        (lambda tasks: tasks.columns(5), "takes paths"),
        (lambda tasks: tasks.columns(-attr.bid), "only in order_by"),
        (lambda tasks: tasks.columns("name limit 5"), "cannot be the name"),
        (lambda tasks: tasks.order_by("nme"), "'name'"),
        (lambda tasks: tasks.order_by(attr.metadata["a"]), "single entry"),
        (lambda tasks: tasks.order_by("name, bid"), "cannot be the name"),
        (lambda tasks: tasks.order_by("-bid"), r"not '-bid'. Write -attr\.bid\."),
        (lambda tasks: tasks.order_by("bid DESC"), r"Write -attr\.bid\."),
        (lambda tasks: tasks.order_by("status.name descending"), r"Write -attr\.status\.name\."),
        (lambda tasks: tasks.order_by("bid asc"), r"Write attr\.bid\.asc\(\)\."),
        (lambda tasks: tasks.group_by("nme"), "'name'"),
        (lambda tasks: str(tasks.group_by("name")), "needs an aggregate"),
        (lambda tasks: str(tasks.columns("name", attr.id.count())), "'name' to group_by"),
        (lambda tasks: tasks.columns(attr.bd.sum()), "'bid'"),
        (lambda tasks: tasks.limit(-1), "0 or more"),
        (lambda tasks: tasks.limit("5"), "whole number"),
        (lambda tasks: tasks.offset(1.5), "whole number"),
        (lambda tasks: tasks.where(attr.id.in_(tasks.columns("id", "name"))), "one column"),
        (lambda tasks: tasks.where(attr.id == tasks), r"\.in_\(selection\)"),
        (
            lambda tasks: tasks.where(attr.status == tasks._session.load("User", id="u")),
            "refers to Status",
        ),
    ],
)
def test_mistakes_in_parts(tasks: Any, mistake: Any, words: str) -> None:
    """Columns, order, groups and bounds are checked like conditions."""
    with pytest.raises(exception.Error, match=words):
        mistake(tasks)


def test_unknown_types(tiny: Any) -> None:
    """A type is checked first, and must be a name."""
    with pytest.raises(KeyError, match="Did you mean 'Task'"):
        BuiltQuery(tiny, "Tsk")
    with pytest.raises(TypeError, match="name such as 'Task'"):
        BuiltQuery(tiny, attr.name)


def test_conditions_can_be_shared(tasks: Any, tiny: Any) -> None:
    """A condition belongs to no type until it is used, and prints itself."""
    named = attr.name == "x"
    assert str(named) == 'name is "x"'
    assert 'name is "x"' in repr(named)
    assert str(attr.parent == tiny.load("Task", id="a")) == 'parent.id is "a"'
    assert str(tasks.where(named)) == 'Task where name is "x"'
    assert str(BuiltQuery(tiny, "Status").where(named)) == 'Status where name is "x"'
    with pytest.raises(KeyError, match="User has no attribute 'name'"):
        BuiltQuery(tiny, "User").where(named)


def test_paths_are_plain_objects() -> None:
    """A path prints itself, can be copied and stored, and does not pretend to be anything else."""
    path = attr.parent.as_("Shot").metadata["reel"]
    assert repr(path) == "<attr.parent[Shot].metadata['reel']>"
    assert str(attr.status.name) == "status.name"
    assert str(copy.copy(attr.status.name)) == "status.name"
    assert str(pickle.loads(pickle.dumps(attr.status.name))) == "status.name"
    assert not hasattr(attr, "__array__")
    assert not hasattr(attr, "_repr_html_")
    assert not hasattr(attr, "_ipython_display_")
    assert "like" in dir(attr)
    with pytest.raises(AttributeError):
        attr.name = "x"


def test_names_of_methods_are_no_attributes_of_the_schemas() -> None:
    """No attribute of a stock type needs square brackets, since no method has its name."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    from ftrack_like.sandbox.schema import MODEL

    names = {name for type_ in MODEL.types.values() for name in type_.properties}
    assert not names & set(dir(attr))


def test_sub_types_are_those_of_the_server() -> None:
    """The client knows the sub-types through which a server finds attributes."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.sandbox.schema import MODEL, json_schemas

    schemas = json_schemas(MODEL)
    catalogue = Catalogue(schemas, [each["id"] for each in schemas])
    for name in catalogue.names():
        theirs = {base for base in MODEL.types[name].bases if catalogue.has_schema(base)}
        assert theirs <= set(catalogue.bases(name)), name
    assert catalogue.bases("Task") == ("Context", "TypedContext")
    assert [each.data_type for each in catalogue.find("Context", "bid")] == ["number"]
    assert catalogue.bases("Context") == ()


def test_types_without_a_schema_are_not_checked(tiny: Any) -> None:
    """The attributes of a type that a plugin has added are unknown, so any name is accepted."""
    tiny.types["Extra"] = tiny.types["Task"]
    assert str(BuiltQuery(tiny, "Extra").where(attr.anything.at_all == 1).order_by("x")) == (
        "Extra where anything.at_all is 1 order by x"
    )


def test_attributes_of_sub_types_may_differ(make_tiny: Any, make_schema: Any) -> None:
    """Sub-types may have a value and a reference of one name; a path goes on from the reference."""
    context = {"context_type": {"type": "string"}}
    schemas = [
        make_schema("Context", {**context, "parent": {"$ref": "Context"}}),
        make_schema("Project", {**context, "status": {"type": "string"}}),
        make_schema("Shot", {**context, "status": {"$ref": "Status"}}),
        make_schema("Status", {"name": {"type": "string"}}),
    ]
    tiny = make_tiny(schemas)
    contexts = BuiltQuery(tiny, "Context")
    made = contexts.where(attr.parent.status.name == "x", attr.parent.status == "active")
    assert str(made) == 'Context where parent.status.name is "x" and parent.status is "active"'
    status = tiny.load("Status", id="s")
    assert str(contexts.where(attr.status == status)) == 'Context where status.id is "s"'
    with pytest.raises(KeyError, match=r"Context has no attribute 'stauts'.*'status'"):
        contexts.where(attr.stauts == "x")


@pytest.mark.parametrize(
    ("name", "words"),
    [("filter_by", "where(attr.name == …)"), ("project", "columns(")],
)
def test_methods_of_other_libraries_name_ours(tasks: Any, name: str, words: str) -> None:
    """A method that other libraries have is an AttributeError with advice."""
    with pytest.raises(AttributeError) as caught:
        getattr(tasks, name)
    assert words in str(caught.value)


def test_consoles_offer_no_methods_of_other_libraries(tasks: Any) -> None:
    """``dir`` of a selection lists only what works; the selection has every name that it lists."""
    names = [name for name in dir(tasks) if not name.startswith("_")]
    assert [name for name in names if not hasattr(type(tasks), name)] == []
    assert {"where", "columns", "order_by", "first"} <= set(names)


def test_keyword_conditions_name_the_way(tasks: Any) -> None:
    """A condition as a keyword argument is an error that shows how to write it."""
    with pytest.raises(exception.InvalidValueError, match=r"where\(attr.parent.name == …\)"):
        tasks.where(parent__name="sh010")
