"""Texts about entities and results in consoles, debuggers and notebooks."""

from __future__ import annotations

import html.parser
from typing import Any

import pytest

from ftrack_like._values.labels import short_text
from ftrack_like.operation import DeleteEntityOperation

LINK = [
    {"type": "Project", "id": "p", "name": "show"},
    {"type": "TypedContext", "id": "s", "name": "sh010"},
    {"type": "TypedContext", "id": "a", "name": "lighting"},
]


def test_name_path_and_key_are_shown(tiny: Any) -> None:
    """The representation has the name, the path from the project, and the key."""
    task = tiny.load("Task", id="a", name="lighting", link=[dict(each) for each in LINK], bid=2.0)
    assert repr(task) == "<Task 'lighting' show/sh010/lighting id=a>"
    task["link"]
    task["name"] = "light"
    assert repr(task) == "<Task 'light' show/sh010/lighting id=a>"
    assert tiny.asked == []


@pytest.mark.parametrize(
    ("entity_type", "values", "text"),
    [
        ("Task", {"id": "a"}, "<Task id=a>"),
        ("Task", {"id": "a", "name": ""}, "<Task id=a>"),
        ("Task", {"id": "a", "name": None, "link": None}, "<Task id=a>"),
        ("Task", {"id": "a", "link": [None, {"name": 5}, {}]}, "<Task id=a>"),
        ("Task", {}, "<Task>"),
        ("User", {"id": "u", "username": "mira"}, "<User 'mira' id=u>"),
        ("Note", {"id": "n", "content": "Nice!\nGo on"}, "<Note 'Nice!\\nGo on' id=n>"),
        (
            "Metadata",
            {"parent_id": "a b", "key": "reel"},
            "<Metadata 'reel' parent_id='a b' key=reel>",
        ),
        (
            "CustomAttributeConfiguration",
            {"id": "c", "key": "fstart"},
            "<CustomAttributeConfiguration 'fstart' id=c>",
        ),
    ],
)
def test_only_what_is_loaded_is_shown(
    tiny: Any, entity_type: str, values: dict[str, Any], text: str
) -> None:
    """Without a path the name is shown, without a name the key; no value is loaded for it."""
    entity = tiny.types[entity_type](tiny, {}, reconstructing=True)
    entity.remote_values.update(values)
    assert repr(entity) == text
    assert tiny.asked == []


def test_pending_creation_and_deletion_are_shown(tiny: Any) -> None:
    """A new entity is not committed; a deleted one is shown as such until the commit."""
    task = tiny.create("Task", {"name": "new", "id": "a"})
    assert repr(task) == "<Task 'new' id=a, not committed>"
    tiny.commit()
    task = tiny.load("Task", id="a", name="new")
    assert repr(task) == "<Task 'new' id=a>"
    tiny.load("Task", id="b")["name"] = "other"
    tiny.delete(task)
    assert repr(task) == "<Task 'new' id=a, to be deleted>"
    assert isinstance(list(tiny.recorded_operations)[-1], DeleteEntityOperation)


class Broken:
    """An object that cannot be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("broken")

    __str__ = __repr__


@pytest.mark.parametrize(
    "name",
    ["x" * 100_000, "\u202etxt.exe", "\x1b[31mred", "<b>&\"'", "\ud800", "\0", "a/b", "'", "\n"],
)
def test_odd_names_are_safe(tiny: Any, name: str) -> None:
    """Long names are cut, and characters that control a terminal do not get through."""
    task = tiny.load("Task", id=name, name=name, description=name, link=[{"name": name}])
    text = repr(task)
    assert len(text) < 400
    assert text.isprintable()
    page = task._repr_html_()
    assert "<b>" not in page
    assert all(c.isprintable() for c in page)
    assert len(page) < 4_000


def test_half_built_entities_can_be_printed(tiny: Any) -> None:
    """Debuggers print objects before their constructor has run."""
    class_ = tiny.types["Task"]
    assert repr(class_.__new__(class_)) == "<Task>"
    task = tiny.load("Task", id="a", name="x")
    del task.session
    assert repr(task) == "<Task 'x' id=a>"
    task.remote_values["name"] = Broken()
    assert repr(task) == "<Task id=a>"
    task.remote_values = 5
    assert repr(task).startswith("<Task")
    assert short_text(Broken()) == "<Broken>"


def test_errors_about_entities_name_them(tiny: Any) -> None:
    """The representation works inside the error for an entity without a key."""
    task = tiny.types["Task"](tiny, {}, reconstructing=True)
    with pytest.raises(KeyError, match="on <Task>"):
        hash(task)


class Tags(html.parser.HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.words.append(data)

    def count(self, tag: str) -> int:
        """Return how many times *tag* comes."""
        return sum(each == tag for each, _ in self.tags)


def test_entity_as_html(tiny: Any) -> None:
    """Notebooks show the loaded values in a table, the key first, and the thumbnail."""
    address = "https://site/component/thumbnail?size=300&signature=abc"
    task = tiny.load(
        "Task",
        name="<script>alert(1)</script>",
        id="a",
        status={"__entity_type__": "Status", "id": "s", "name": "Done"},
        children=[{"__entity_type__": "Task", "id": "b"}],
        start_date={"__type__": "datetime", "value": "2023-10-10T09:50:34"},
        thumbnail_url={"url": address},
    )
    page = Tags(task._repr_html_())
    assert page.count("script") == 0
    assert [attrs["src"] for tag, attrs in page.tags if tag == "img"] == [address]
    words = page.words
    assert words[1:3] == ["id", "a"]
    assert words[words.index("status") + 1] == "Done"
    assert words[words.index("children") + 1] == "1 item"
    assert words[words.index("start_date") + 1] == "2023-10-10T09:50:34"
    assert "thumbnail_url" not in words
    assert tiny.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "https://site/component/thumbnail?id=1&username=mira&apiKey=secret-key",
        "https://mira:secret-key@site/thumbnail",
        "javascript:alert('secret-key')",
        "data:text/html,secret-key",
        "//[secret-key",
        None,
        5,
    ],
)
def test_thumbnails_give_no_secret_away(tiny: Any, address: Any) -> None:
    """An address with a key, or of another scheme, is left out: notebooks are sent to others."""
    task = tiny.load("Task", id="a", thumbnail_url={"url": address, "value": address})
    page = task._repr_html_()
    assert "<img" not in page
    assert "secret-key" not in page


def test_long_entities_are_cut(tiny: Any) -> None:
    """At most 20 values are shown, with the number of the others."""
    task = tiny.load("Task", id="a", name="x")
    task.remote_values.update({f"attribute_{number}": number for number in range(40)})
    page = Tags(task._repr_html_())
    assert page.count("tr") == 20
    assert "… 22 more loaded values" in page.words


def test_keys_complete(tiny: Any) -> None:
    """IPython offers the attributes of entities, the types, and the loaded keys of mappings."""
    shot = tiny.load(
        "Shot",
        id="a",
        metadata=[
            {"__entity_type__": "Metadata", "parent_id": "a", "key": "reel", "value": "A1"},
            {"__entity_type__": "Metadata", "parent_id": "a", "key": "unit", "value": "2"},
        ],
    )
    assert set(shot._ipython_key_completions_()) == set(shot.keys())
    assert tiny.types._ipython_key_completions_() == list(tiny.types)
    assert {"get", "keys", "session", "merge"} <= set(dir(shot))
    assert not {"adopt", "remember_identity", "remote_values"} & set(dir(shot))
    assert shot["metadata"]._ipython_key_completions_() == ["reel", "unit"]
    assert tiny.asked == []


def test_results_show_expression_and_progress(tiny: Any, make_record: Any) -> None:
    """A result shows how many rows are loaded, of how many if that is known, and asks nothing."""

    def answer(expression: str) -> Any:
        if "count(" in expression:
            return [{"count_id": 130}]
        return {
            "data": [make_record("Task", id=f"{n}", name=f"t{n}") for n in range(25)],
            "metadata": {"next": {"offset": 25}},
        }

    tiny.answer = answer
    result = tiny.query("Task", 25)
    expression = "'select id, name from Task'"
    assert repr(result) == f"<QueryResult {expression}: 0 loaded, more to come>"
    result[0]
    assert repr(result) == f"<QueryResult {expression}: 25 loaded, more to come>"
    assert len(result) == 130
    asked = len(tiny.asked)
    assert repr(result) == f"<QueryResult {expression}: 25 of 130 loaded>"
    page = Tags(result._repr_html_())
    assert page.count("tr") == 21
    assert page.words[-1] == "… 5 more loaded rows"
    assert {"id", "name", "t0", "t19"} <= set(page.words)
    assert "t20" not in page.words
    assert len(tiny.asked) == asked
    half_built = type(result).__new__(type(result))
    assert repr(half_built) == "<QueryResult, incomplete>"


def test_results_as_html_follow_paths(tiny: Any, make_record: Any) -> None:
    """Paths over references and collections show what is loaded, and nothing else."""
    status = make_record("Status", id="s", name="<i>Done</i>")
    tiny.answer = lambda expression: [
        make_record(
            "Task",
            id="a",
            status=status,
            children=[
                make_record("Task", id="b", name="b1"),
                make_record("Task", id="c", name="c1"),
            ],
            parent=None,
            thumbnail_url={"value": "http://site/picture?signature=1"},
        )
    ]
    result = tiny.query(
        "select status.name, children.name, parent.name, notes.content, thumbnail_url from Task"
    )
    result.all()
    asked = len(tiny.asked)
    page = Tags(result._repr_html_())
    cells = [word for word in page.words if word not in {"status.name", "children.name"}]
    assert "<i>Done</i>" in cells
    assert "b1, c1" in cells
    assert page.count("i") == 0
    assert page.count("img") == 1
    assert len(tiny.asked) == asked


def test_results_show_limit_and_offset(tiny: Any) -> None:
    """The limit and the offset of the expression are a part of the text."""
    text = repr(tiny.query("select name from Task offset 3 limit 5"))
    assert text == (
        "<QueryResult 'select name from Task offset 3 limit 5': 0 loaded, more to come>"
    )


def test_collections_are_tables(tiny: Any) -> None:
    """The table of a collection has the loaded values of at most 20 members, escaped."""
    members = [
        {"__entity_type__": "Task", "id": str(index), "name": f"<b>{index}"} for index in range(22)
    ]
    shot = tiny.load("Shot", id="a", children=members)
    page = shot["children"]._repr_html_()
    assert page.count("<tr>") == 21
    assert "&lt;b&gt;19" in page
    assert "<b>" not in page
    assert "… 2 more loaded rows" in page
    assert tiny.asked == []


def test_mappings_show_loaded_entries(tiny: Any) -> None:
    """Metadata show keys and values, as far as they are loaded, and escape them in HTML."""
    rows = [{"key": "reel", "value": "<A1>"}, {"key": "unit"}, {}]
    common = {"__entity_type__": "Metadata", "parent_id": "a"}
    shot = tiny.load("Shot", id="a", metadata=[{**common, **row} for row in rows])
    assert repr(shot["metadata"]).endswith("(metadata) {'reel': '<A1>', 'unit': …}>")
    assert "&lt;A1&gt;" in shot["metadata"]._repr_html_()
    assert "reel, unit, … 1 more" in shot._repr_html_()
    assert tiny.asked == []


def test_mappings_without_keys_show_their_number(tiny: Any) -> None:
    """If no key is loaded, the number of items is shown."""
    row = {"__entity_type__": "Metadata", "parent_id": "a"}
    shot = tiny.load("Shot", id="a", metadata=[row])
    assert repr(shot["metadata"]).endswith("(metadata) of 1 item>")
