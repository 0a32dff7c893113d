"""Values that cannot be used: errors of the library that say which value of which entity."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import sys
from typing import Any, Callable

import pytest

from ftrack_like import exception

CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)

#: Values that JSON has no form for.
UNSENDABLE = {
    "nan": float("nan"),
    "infinity": float("-inf"),
    "bytes": b"bytes",
    "set": {1},
    "decimal": decimal.Decimal("1.5"),
    "path": pathlib.PurePosixPath("/shows"),
    "time": datetime.time(1),
    "object": object(),
    "class": dict,
    "complex": 1j,
    "circle": CIRCLE,
    "nested": {"inner": [b"bytes"]},
}


@pytest.fixture
def task(session: Any) -> Any:
    """Return a committed task."""
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "values", "project_schema": schema})
    made = session.create("Task", {"name": "layout", "parent": project})
    session.commit()
    return made


@pytest.mark.parametrize("name", UNSENDABLE)
@pytest.mark.parametrize("attribute", ["description", "bid", "status"])
def test_a_commit_names_entity_and_attribute(
    session: Any, task: Any, attribute: str, name: str
) -> None:
    """Nothing is sent; the error is one that callers catch today, and correcting it helps."""
    before = task[attribute]
    task[attribute] = UNSENDABLE[name]
    requests = session.statistics.requests
    with pytest.raises(exception.ServerInvalidValueError) as caught:
        session.commit()
    assert isinstance(caught.value, (exception.ServerError, TypeError, ValueError))
    assert f"{attribute!r} of <Task({task['id']})>" in str(caught.value)
    assert session.statistics.requests == requests
    task[attribute] = before
    session.commit()


@pytest.mark.skipif(
    not hasattr(sys, "get_int_max_str_digits"), reason="this Python writes numbers of any length"
)
def test_a_number_too_long_to_be_shown_is_named_by_its_type(session: Any, task: Any) -> None:
    """Python may refuse to write the number; the error is written all the same."""
    task["bid"] = 10**5000
    with pytest.raises(exception.InvalidValueError, match=r"\(int\).*too many digits"):
        session.commit()
    with pytest.raises(exception.InvalidValueError, match="too many digits"):
        session.query("Task where bid is :it", values={"it": 10**5000})


@pytest.mark.parametrize("name", ["nan", "bytes", "circle"])
def test_new_entities_and_metadata_are_named_too(session: Any, task: Any, name: str) -> None:
    """Whatever a batch is made of, the error says where the value stands."""
    value = UNSENDABLE[name]
    session.create("Task", {"name": "new", "parent": task["parent"], "description": value})
    with pytest.raises(exception.InvalidValueError, match=r"'description' of <Task\("):
        session.commit()
    session.rollback()
    task["metadata"]["key"] = value
    with pytest.raises(exception.InvalidValueError, match=r"'value' of <Metadata\("):
        session.commit()
    session.rollback()
    data = {"id": task["id"], "description": value}
    with pytest.raises(exception.InvalidValueError, match="'description'"):
        session.ensure("Task", data, ["id"])
    session.rollback()
    with pytest.raises(exception.InvalidValueError, match="'description'"):
        session.ensure("Task", {"description": value})


def test_encoding_alone_names_the_type(session: Any) -> None:
    """What is no batch has no entity to name."""
    with pytest.raises(TypeError, match="set"):
        session.encode({"value": {1}})


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_characters_that_cannot_be_stored(session: Any, task: Any, text: str) -> None:
    """The error says which character of which attribute."""
    task["description"] = text
    with pytest.raises(
        exception.ServerError, match=r"'description' of Task contains .* position 1"
    ):
        session.commit()


@pytest.mark.parametrize(
    ("set_value", "hint"),
    [
        (
            lambda task: task.update(status="Approved"),
            """Status entity.*session.query\\('Status where name is "Approved"'\\).one""",
        ),
        (lambda task: task.update(status="4" * 8 + "-" + "4" * 27), "session.get\\('Status', '444"),
        (lambda task: task.update(status=5), "takes a Status entity, not 5"),
        (
            lambda task: task.session.create(
                "Note", {"content": "x", "completed_by": "mira", "parent_id": task["id"]}
            ),
            """'completed_by' of Note takes a User entity.*'User where username is "mira"'""",
        ),
        (lambda task: task.update(status_id=task["status"]), "entity\\['id'\\]"),
    ],
)
def test_a_reference_takes_an_entity(
    session: Any, task: Any, set_value: Callable[[Any], Any], hint: str
) -> None:
    """The error of the commit says what to assign and how to get it."""
    set_value(task)
    with pytest.raises(exception.ServerValidationError, match=hint):
        session.commit()


@pytest.mark.parametrize("value", [None, 5, "Task", {}, dict, [], object()])
def test_only_entities_are_deleted_and_referred_to(session: Any, value: Any) -> None:
    """Anything else is an error that says what it is, and nothing is recorded."""
    for call in (session.delete, session.entity_reference):
        with pytest.raises(exception.InvalidEntityError, match=type(value).__name__) as caught:
            call(value)
        assert isinstance(caught.value, AttributeError)
    assert len(session.recorded_operations) == 0


def test_entities_are_deleted_one_by_one(session: Any, task: Any) -> None:
    """A list of entities is no entity."""
    for several in ([task], session.query("Task")):
        with pytest.raises(exception.InvalidEntityError, match="one by one"):
            session.delete(several)


@pytest.mark.parametrize("value", [None, 5, 1.5, True, b"id", object()])
def test_what_cannot_be_a_key(session: Any, value: Any) -> None:
    """The error is a TypeError, as before, that names the type."""
    with pytest.raises(TypeError, match="key of a User") as caught:
        session.get("User", value)
    assert isinstance(caught.value, exception.InvalidValueError)


def test_a_key_without_a_value_is_warned_of(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No entity has such a key, which is the answer."""
    assert session.get("User", [None]) is None
    assert "no value" in caplog.text


@pytest.mark.parametrize("value", [None, 5, b"Task", ["Task"], dict])
def test_an_expression_is_text(session: Any, value: Any) -> None:
    """The error shows what was given instead."""
    with pytest.raises(exception.InvalidValueError, match="expression"):
        session.query(value)


@pytest.mark.parametrize("value", [5, "name", [("name", "x")], {"name"}])
def test_data_is_a_mapping(session: Any, value: Any) -> None:
    """Nothing is recorded for other data."""
    for call in (session.create, session.ensure):
        with pytest.raises(exception.InvalidValueError, match="mapping"):
            call("Task", value)
    assert len(session.recorded_operations) == 0


def test_a_type_has_a_name(session: Any) -> None:
    """A list is the name of no type."""
    for call in (lambda: session.get([], "x"), lambda: session.create([], {})):
        with pytest.raises(exception.InvalidValueError, match="not an entity type"):
            call()


def test_only_entities_are_populated(session: Any, task: Any) -> None:
    """Neither ids nor None are entities, and projections are text."""
    for value in (None, task["id"], [task["id"]], [task, None], 5):
        with pytest.raises(exception.InvalidEntityError, match="populated"):
            session.populate(value, "name")
    for projections in (None, 5, ["name", None]):
        with pytest.raises(exception.InvalidValueError, match="Projections"):
            session.populate(task, projections)


@pytest.mark.parametrize("value", [None, "id", 5, {}, dict])
def test_members_are_entities(session: Any, task: Any, value: Any) -> None:
    """The error names the collection and its entity, and nothing is changed."""
    children = task["parent"]["children"]

    def assign(members: Any) -> None:
        task["parent"]["children"] = members

    message = f"'children' of <Project\\({task['parent']['id']}"
    for change in (children.append, lambda one: children.extend([one]), lambda one: assign([one])):
        with pytest.raises(exception.InvalidEntityError, match=message):
            change(value)
    assert list(children) == [task]
    assert len(session.recorded_operations) == 0


@pytest.mark.parametrize(
    ("name", "hint"), [("Representation", "Component"), ("Take", "AssetVersion")]
)
def test_words_of_other_tools(session: Any, name: str, hint: str) -> None:
    """The error for an unknown type knows what other tools call it."""
    for call in (session.create, session.query):
        with pytest.raises(exception.UnrecognisedEntityTypeError, match=f"Did you mean '{hint}'"):
            call(name)


@pytest.mark.parametrize("value", [float("nan"), b"x", {}])
def test_bound_values(session: Any, value: Any) -> None:
    """A value without a form in the query language is refused before it is sent."""
    with pytest.raises(exception.InvalidValueError):
        session.query("Task where description is :it", values={"it": value})


@pytest.mark.parametrize("value", [None, 5, ["/a.exr"]])
def test_what_is_no_path(session: Any, value: Any) -> None:
    """A component of something that is no path is refused, and nothing is recorded."""
    with pytest.raises(exception.InvalidValueError, match="the path of a file"):
        session.create_component(value, location=None)
    assert len(session.recorded_operations) == 0


def test_a_path_in_bytes(session: Any, tmp_path: pathlib.Path) -> None:
    """A path may be given in bytes, as the operating system has it."""
    (tmp_path / "a.exr").write_bytes(b"x")
    component = session.create_component(bytes(tmp_path / "a.exr"), location=None)
    assert (component["size"], component["file_type"]) == (1, ".exr")


def test_ignored_names_come_first(session: Any) -> None:
    """A key that the type does not have is named before the attribute that the server misses."""
    with pytest.warns(exception.UnknownAttributeWarning, match="Did you mean 'name'"):
        session.create("Task", {"nam": "lighting"})
    with pytest.raises(exception.ServerValidationError) as caught:
        session.commit()
    session.rollback()
    first, *others = str(caught.value).splitlines()
    assert first == "create() ignored 'nam', which Task does not have. Did you mean 'name'?"
    assert "needs a name" in others[0]
