"""The loader: records become the session's own entities, and what is missing is loaded well."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from ftrack_like import cache, exception
from ftrack_like.symbol import NOT_SET

# Records


def test_one_object_for_each_identity(tiny: Any, make_record: Any) -> None:
    """Wherever it comes, an entity is the same object, with the values of all that came."""
    first, second = tiny._loader.load(
        [
            make_record("Task", id="a", status=make_record("Status", id="s", name="Open")),
            make_record("Task", id="b", status=make_record("Status", id="s")),
        ]
    )
    assert first["status"] is second["status"]
    assert second["status"]["name"] == "Open"
    assert tiny.load("Task", id="a", bid=1.0) is first
    assert first["bid"] == 1.0


def test_references_are_resolved_whatever_the_order(tiny: Any, make_record: Any) -> None:
    """A reference may come before, in, or after the record it is of."""
    child, parent = tiny._loader.load(
        [
            make_record("Task", id="c", parent=make_record("Shot", id="p")),
            make_record("Shot", id="p", name="sh010", children=[make_record("Task", id="c")]),
        ]
    )
    assert child["parent"] is parent
    assert parent["children"][0] is child
    assert child["parent"]["name"] == "sh010"


def test_an_entity_may_contain_itself(tiny: Any, make_record: Any) -> None:
    """A reference inside to the entity around it is that entity."""
    (task,) = tiny._loader.load(
        [make_record("Task", id="a", name="x", children=[make_record("Task", id="a")])]
    )
    assert task["children"][0] is task
    assert task["name"] == "x"


def test_rows_that_are_no_entities_stay_as_they_are(tiny: Any) -> None:
    """Aggregates come as plain mappings."""
    assert tiny._loader.load([{"count_id": 5}]) == [{"count_id": 5}]


def test_a_record_without_its_key_is_attached_to_nothing(tiny: Any) -> None:
    """It cannot be told from others, but can be read."""
    task = tiny.load("Task", name="x")
    assert task["name"] == "x"
    assert len(tiny._local_cache.keys()) == 0


def test_keys_are_the_texts_of_identities(tiny: Any) -> None:
    """With the usual key maker, for any values, of one part or several."""
    tiny.load("Task", id="it's")
    tiny.load("Metadata", parent_id="a", key='say "k"\\')
    expected = [str(("Task", ["it's"])), str(("Metadata", ["a", 'say "k"\\']))]
    assert tiny._local_cache.keys() == expected


def test_another_key_maker_is_used(tiny: Any) -> None:
    """Its keys are those of the cache."""
    tiny.cache_key_maker = cache.ObjectKeyMaker()
    task = tiny.load("Task", id="a")
    assert tiny._local_cache.keys() == [cache.ObjectKeyMaker().key(("Task", ["a"]))]
    assert tiny.load("Task", id="a") is task
    item = tiny.load("Metadata", parent_id="a", key="k")
    assert tiny.load("Metadata", parent_id="a", key="k") is item


def test_an_unknown_type_is_named(tiny: Any) -> None:
    """With what may have been meant."""
    with pytest.raises(exception.UnrecognisedEntityTypeError, match="Did you mean 'Task'"):
        tiny.load("Taks", id="a")


def test_a_class_with_a_constructor_of_its_own_is_constructed(tiny: Any) -> None:
    """A location gets its accessor and the rest."""
    location = tiny.load("Location", id="l", name="disk")
    assert location["name"] == "disk"
    assert location.accessor is NOT_SET or location.accessor is None
    assert tiny.load("Location", id="l") is location


def test_a_cache_of_another_kind_on_top_works(tiny: Any) -> None:
    """The identity map only needs a cache's methods."""

    class Odd(cache.MemoryCache):
        pass

    tiny._local_cache = Odd()
    task = tiny.load("Task", id="a", name="x")
    assert tiny.load("Task", id="a", bid=1.0) is task
    assert tiny._identity_map.find("Task", ["a"]) is task
    assert list(tiny._identity_map.entities().values()) == [task]


def test_threads_that_load_the_same_get_the_same(tiny: Any, make_record: Any) -> None:
    """One object for each identity, whoever comes first."""
    found: list[Any] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        found.append([tiny.load("Task", id=str(index), name="x") for index in range(200)])

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for others in found[1:]:
        assert all(one is other for one, other in zip(found[0], others))


def test_records_are_planned_once_for_a_combination_of_keys(tiny: Any) -> None:
    """However many come, what the schema says of their keys is worked out once."""
    plans = tiny.types["Task"].attributes.plans
    before = set(plans)
    for index in range(50):
        tiny.load("Task", bid=1.0, project_id="p", name="x", id=str(index))
    assert set(plans) - before == {("__entity_type__", "bid", "project_id", "name", "id")}


# Seams


def test_the_fast_path_asks_for_raw_records(tiny: Any) -> None:
    """The batch equals a plain list, so that whoever replaces call can read it."""
    batches: list[Any] = []

    def call(batch: Any) -> Any:
        batches.append(batch)
        return [{"data": [], "metadata": {}}]

    tiny.call = call
    tiny.query("Task").all()
    (batch,) = batches
    assert batch == [
        {"action": "query", "expression": "select id, name from Task offset 0 limit 500"}
    ]
    assert type(batch).__name__ == "RawBatch"


def test_a_replaced_call_may_answer_entities(tiny: Any) -> None:
    """They are merged."""
    known = tiny.load("Task", id="a")
    answer = tiny.decode('{"__entity_type__": "Task", "id": "a", "name": "x"}')
    tiny.call = lambda batch: [{"data": [answer], "metadata": {}}]
    assert tiny.query("Task").all() == [known]
    assert known["name"] == "x"


@pytest.mark.parametrize("name", ["merge", "_create", "_decode"])
def test_an_overridden_seam_takes_the_plain_path(make_tiny: Any, name: str) -> None:
    """What a subclass puts in the way is passed."""
    session = make_tiny()
    seen: list[Any] = []
    original = getattr(session, name)

    def seam(*args: Any, **kw: Any) -> Any:
        seen.append(args)
        return original(*args, **kw)

    setattr(session, name, seam)
    text = '[{"data": [{"__entity_type__": "Task", "id": "a"}], "metadata": {}}]'
    session.call = lambda batch: session.decode(text)
    (task,) = session.query("Task").all()
    assert session._identity_map.find("Task", ["a"]) is task
    assert seen


# Merging


def test_merging_goes_through_containers(tiny: Any) -> None:
    """Lists, tuples, sets and mappings keep their type; other values are returned."""
    task = tiny.load("Task", id="a")
    copy = tiny.decode('{"__entity_type__": "Task", "id": "a"}')
    assert tiny.merge([copy])[0] is task
    assert tiny.merge((copy, 1)) == (task, 1)
    assert next(iter(tiny.merge({copy}))) is task
    assert tiny.merge({"a": copy})["a"] is task
    assert tiny.merge(5) == 5
    assert tiny.merge(None) is None


def test_merging_a_collection_of_another_session_gives_the_own_one(
    tiny: Any, make_tiny: Any
) -> None:
    """The result belongs to the session's own entity; the other session's collection stays."""
    other = make_tiny().load(
        "Task",
        id="a",
        children=[{"__entity_type__": "Task", "id": "b"}],
        metadata=[{"__entity_type__": "Metadata", "parent_id": "a", "key": "k", "value": "v"}],
    )
    child, foreign_child = tiny.load("Task", id="b"), other["children"][0]
    merged = tiny.merge(other["children"])
    assert merged.entity is tiny._identity_map.find("Task", ["a"])
    assert merged[0] is child
    assert other["children"][0] is foreign_child
    metadata = tiny.merge(other["metadata"])
    assert metadata.collection[0] is tiny._identity_map.find("Metadata", ["a", "k"])
    assert dict(metadata) == dict(other["metadata"]) == {"k": "v"}


def test_merging_a_collection_of_a_detached_entity_attaches_its_members(tiny: Any) -> None:
    """The collection stays the same, its members become the attached ones."""
    child = tiny.load("Task", id="b")
    member = '{"__entity_type__": "Task", "id": "b"}'
    detached = tiny.decode(f'{{"__entity_type__": "Task", "id": "a", "children": [{member}]}}')
    assert tiny.merge(detached["children"]) is detached["children"]
    assert detached["children"][0] is child


def test_merging_something_new_attaches_it(tiny: Any) -> None:
    """The very object is attached, and what it refers to too."""
    detached = tiny.decode(
        '{"__entity_type__": "Task", "id": "a", "children": [{"__entity_type__": "Task", '
        '"id": "b"}], "status": {"__entity_type__": "Status", "id": "s", "name": "x"}}'
    )
    known = tiny.load("Status", id="s")
    task = tiny.merge(detached)
    assert task is detached
    assert task["status"] is known
    assert known["name"] == "x"
    assert tiny._identity_map.find("Task", ["b"]) is task["children"][0]


def test_merging_circles_ends(tiny: Any, make_tiny: Any) -> None:
    """Entities that refer to each other are merged once each."""
    other = make_tiny()
    one = other.load("Task", id="a", parent={"__entity_type__": "Task", "id": "b"})
    two = other.load("Task", id="b", parent={"__entity_type__": "Task", "id": "a"})
    merged = tiny.merge([one, two])
    assert merged[0]["parent"] is merged[1]
    assert merged[1]["parent"] is merged[0]


def test_merging_takes_local_changes_along_without_a_record(tiny: Any) -> None:
    """Creating what is known already gives the known one the new values."""
    known = tiny.load("Task", id="a", name="x", children=[])
    child = tiny.load("Task", id="b")
    again = tiny.create("Task", {"id": "a", "name": "mine", "children": [child]})
    assert again is known
    assert known["name"] == "mine"
    assert list(known["children"]) == [child]
    assert len(list(tiny._identity_map.dirty)) == 1
    kinds = [type(each).__name__ for each in tiny.recorded_operations]
    assert kinds == ["CreateEntityOperation", "UpdateEntityOperation"]


# Populating


def test_populating_always_asks(tiny: Any, make_record: Any) -> None:
    """Entities that have everything are asked for as well; without projections nothing is."""
    have = tiny.load("Task", id="a", name="x", status=make_record("Status", id="s", name="o"))
    lack = tiny.load("Task", id="b", name="y", status=make_record("Status", id="t"))
    for _ in range(2):
        tiny.populate([have, lack], ["name", "status.name"])
    tiny.populate(have, "")
    expression = 'select name, status.name from Task where id in ("a", "b") offset 0 limit 500'
    assert tiny.asked == [expression, expression]


def test_loaded_values_are_replaced_and_local_ones_stay(tiny: Any, make_record: Any) -> None:
    """Scalars, references and members are those of the last answer."""
    task = tiny.load("Task", id="a", name="old", bid=1.0, status=make_record("Status", id="s"))
    task["bid"] = 7.0
    tiny.answer = lambda _: [
        make_record("Task", id="a", name="new", bid=2.0, status=make_record("Status", id="t"))
    ]
    tiny.populate(task, "name, bid, status")
    assert (task["name"], task["bid"], task["status"]["id"]) == ("new", 7.0, "t")
    del task["bid"]
    assert task["bid"] == 2.0


def test_a_detached_entity_is_refreshed_and_a_foreign_one_is_not(
    tiny: Any, make_tiny: Any, make_record: Any
) -> None:
    """Values of a session go to its own entities alone."""
    tiny.answer = lambda _: [make_record("Task", id="a", children=[make_record("Task", id="b")])]
    detached = tiny.decode('{"__entity_type__": "Task", "id": "a", "children": []}')
    foreign = make_tiny().load("Task", id="a", children=[])
    assert len(detached["children"]) == len(foreign["children"]) == 0
    tiny.populate([detached, foreign], "children.name")
    assert [child["id"] for child in detached["children"]] == ["b"]
    assert list(foreign["children"]) == []


def test_the_entities_that_lack_a_value_can_be_told(tiny: Any, make_record: Any) -> None:
    """A path through a collection is loaded when every member has the value."""
    task = tiny.load("Task", id="a", children=[make_record("Task", id="b", name="x")], parent=None)
    assert tiny._loader.lacking([task], "children.name, parent.name") == []
    tiny.load("Task", id="a", children=[make_record("Task", id="b"), make_record("Task", id="c")])
    assert tiny._loader.lacking([task], "children[Task].name") == [task]


def test_each_type_is_asked_for_by_itself(tiny: Any) -> None:
    """Entities of several types make one query each."""
    tiny.populate([tiny.load("Task", id="a"), tiny.load("Shot", id="b")], "bid")
    assert [re.sub(" offset.*", "", text) for text in tiny.asked] == [
        'select bid from Task where id is "a"',
        'select bid from Shot where id is "b"',
    ]


def test_ids_are_quoted_and_escaped(tiny: Any) -> None:
    """Whatever stands in an id stays inside its quotes."""
    tiny.populate([tiny.load("Task", id='a" or id like "%'), tiny.load("Task", id="b\\")], "bid")
    assert tiny.asked == [
        'select bid from Task where id in ("a\\" or id like \\"%", "b\\\\") offset 0 limit 500'
    ]


def test_keys_of_several_parts_are_asked_for_part_by_part(tiny: Any) -> None:
    """Each entity is one condition in parentheses."""
    tiny.populate([tiny.load("Metadata", parent_id="a", key=key) for key in "kl"], "value")
    assert tiny.asked == [
        'select value from Metadata where (parent_id is "a" and key is "k") or '
        '(parent_id is "a" and key is "l") offset 0 limit 500'
    ]


def test_many_entities_are_asked_for_in_chunks(tiny: Any) -> None:
    """By count, and by the length of the text."""
    tiny.populate([tiny.load("Task", id=str(index)) for index in range(1200)], "bid")
    assert [text.count(", ") + 1 for text in tiny.asked] == [500, 500, 200]
    tiny.asked.clear()
    tiny.populate([tiny.load("Task", id=f"{index}{'x' * 1000}") for index in range(100)], "bid")
    assert len(tiny.asked) > 2
    assert max(len(text) for text in tiny.asked) < 40_000


def test_new_entities_are_not_populated(tiny: Any) -> None:
    """The server does not know them."""
    tiny.populate([tiny.create("Task")], "bid")
    assert tiny.asked == []


def test_a_detached_entity_gets_its_values_too(tiny: Any, make_record: Any) -> None:
    """Reading what it lacks works as on an attached one."""
    tiny.answer = lambda _: [make_record("Task", id="a", bid=2.0)]
    detached = tiny.decode('{"__entity_type__": "Task", "id": "a"}')
    assert detached["bid"] == 2.0


# Load groups


@pytest.fixture
def page(tiny: Any, make_record: Any) -> Any:
    """Return twenty tasks of one page, on a server that knows their bids and parents."""

    def answer(expression: str) -> list[Any]:
        wanted = re.findall(r'"(\d+)"', expression)
        if "parent" in expression:
            return [
                make_record("Task", id=each, parent=make_record("Shot", id="p", name="sh"))
                for each in wanted
            ]
        return [make_record("Task", id=each, bid=float(each)) for each in wanted]

    tiny.answer = answer
    return tiny._loader.load([make_record("Task", id=str(index)) for index in range(20)])


def test_a_page_is_loaded_as_a_group(tiny: Any, page: Any) -> None:
    """Looping over a page and reading two missing values makes two requests."""
    for index, task in enumerate(page):
        assert task["bid"] == float(index)
        assert task["parent"]["name"] == "sh"
    assert len(tiny.asked) == 2
    assert tiny._statistics.grouped_loads == 2


def test_a_group_leaves_out_who_needs_nothing(tiny: Any, page: Any) -> None:
    """Set values, new entities, other types and forgotten ones are not asked for."""
    page[3]["bid"] = 7.0
    tiny.load("Task", id="4", bid=1.0)
    tiny._identity_map.discard(page[5])
    tiny.asked.clear()
    page[0]["bid"]
    wanted = re.findall(r'"(\d+)"', tiny.asked[0])
    assert "3" not in wanted
    assert "4" not in wanted
    assert "5" not in wanted
    assert wanted[0] == "0"


def test_who_is_completed_alone_stays_in_the_group(tiny: Any, page: Any) -> None:
    """Populating one entity of a page takes it out of nothing: the next load is for all again."""
    for task in page[:3]:
        tiny.populate(task, "bid")
    tiny.asked.clear()
    for task in page:
        assert task["parent"]["name"] == "sh"
    assert len(tiny.asked) == 1


def test_who_comes_with_another_page_belongs_to_that(
    tiny: Any, page: Any, make_record: Any
) -> None:
    """A later query puts what it finds into a group of its own."""
    tiny._loader.load([make_record("Task", id="3"), make_record("Task", id="4")])
    page[3]["bid"]
    assert re.findall(r'"(\d+)"', tiny.asked[0]) == ["3", "4"]


def test_a_group_is_bounded(tiny: Any, make_record: Any) -> None:
    """25 entities at first, then a page at a time, those that come next first."""
    tiny.answer = lambda text: [
        make_record("Task", id=each, bid=1.0) for each in re.findall(r'"(\d+)"', text)
    ]
    tasks = tiny._loader.load([make_record("Task", id=str(index)) for index in range(1200)])
    assert tasks[600]["bid"] == tasks[625]["bid"] == 1.0
    first, second = (re.findall(r'"(\d+)"', text) for text in tiny.asked)
    assert first == [str(index) for index in range(600, 625)]
    assert second == [str(index) for index in range(625, 1125)]


def test_what_the_server_does_not_have_is_not_asked_for_together_again(
    tiny: Any, make_record: Any
) -> None:
    """After one attempt each entity is on its own."""
    tasks = tiny._loader.load([make_record("Task", id=str(index)) for index in range(5)])
    for task in tasks:
        assert task["bid"] is NOT_SET
    assert len(re.findall(r'"\d+"', tiny.asked[0])) == 5
    assert [len(re.findall(r'"\d+"', text)) for text in tiny.asked[1:]] == [1, 1, 1, 1]


def test_groups_can_be_switched_off(make_tiny: Any, make_record: Any) -> None:
    """Then each entity is asked for by itself."""
    session = make_tiny()
    session._load_groups = False
    for task in session._loader.load([make_record("Task", id=each) for each in "abc"]):
        task["bid"]
    assert len(session.asked) == 3
    assert session._statistics.grouped_loads == 0


def test_nested_entities_form_a_group_too(tiny: Any, make_record: Any) -> None:
    """Statuses that came with tasks are completed together."""
    tiny.answer = lambda text: [
        make_record("Status", id=each, name="n") for each in re.findall(r'"(\w+)"', text)
    ]
    tasks = tiny._loader.load(
        [
            make_record("Task", id=f"t{each}", status=make_record("Status", id=each))
            for each in "abc"
        ]
    )
    assert [task["status"]["name"] for task in tasks] == ["n", "n", "n"]
    assert len(tiny.asked) == 1


def test_lazy_loads_can_be_warned_of_or_refused(tiny: Any, page: Any) -> None:
    """To find loops that ask for one value after another."""
    tiny._on_lazy_load = "warn"
    with pytest.warns(RuntimeWarning, match="'bid'") as caught:
        page[0]["bid"]
    assert caught[0].filename == __file__
    tiny._on_lazy_load = "raise"
    with pytest.raises(exception.LazyLoadError, match="populate"):
        page[0]["parent"]
    assert page[1]["bid"] == 1.0


# Lower cache layers


def test_what_was_loaded_is_written_below_in_one_go(make_tiny: Any, make_record: Any) -> None:
    """One write for a page, without what is only referred to."""
    writes: list[Any] = []

    class Below(cache.MemoryCache):
        def set_many(self, items: Any) -> None:
            writes.append(sorted(items))
            super().set_many(items)

    session = make_tiny(cache_below=Below())
    session._loader.load(
        [
            make_record("Task", id="a", name="x", status=make_record("Status", id="s")),
            make_record("Task", id="b", name="y", status=make_record("Status", id="s")),
        ]
    )
    assert writes == [["('Task', ['a'])", "('Task', ['b'])"]]


def test_what_is_below_is_not_asked_of_the_server(make_tiny: Any, make_record: Any) -> None:
    """A later session reads references and values from the layer that both share."""
    below = cache.MemoryCache()
    make_tiny(cache_below=below)._loader.load(
        [
            make_record("Task", id="a", name="x", status=make_record("Status", id="s")),
            make_record("Status", id="s", name="Open"),
        ]
    )
    session = make_tiny(cache_below=below)
    task = session.load("Task", id="a")
    assert task["name"] == "x"
    assert task["status"]["name"] == "Open"
    assert session.asked == []


def test_writing_below_keeps_what_is_there(make_tiny: Any) -> None:
    """A page with fewer values does not lose those that were written before."""
    below = cache.MemoryCache()
    make_tiny(cache_below=below).load("Task", id="a", name="x")
    make_tiny(cache_below=below).load("Task", id="a", bid=2.0)
    session = make_tiny(cache_below=below)
    task = session.load("Task", id="a")
    assert (task["name"], task["bid"]) == ("x", 2.0)
    assert session.asked == []


def test_newer_values_win_over_those_below(make_tiny: Any) -> None:
    """What came from the server is newer than any cache."""
    below = cache.MemoryCache()
    make_tiny(cache_below=below).load("Task", id="a", name="old", bid=1.0)
    task = make_tiny(cache_below=below).load("Task", id="a", name="new")
    assert (task["name"], task["bid"]) == ("new", 1.0)


def test_a_group_asks_only_for_what_no_layer_has(make_tiny: Any, make_record: Any) -> None:
    """The rest comes from below."""
    below = cache.MemoryCache()
    make_tiny(cache_below=below).load("Task", id="a", bid=1.0)
    session = make_tiny(cache_below=below)
    session.answer = lambda _: [make_record("Task", id="b", bid=2.0)]
    one, two = session._loader.load([make_record("Task", id="a"), make_record("Task", id="b")])
    assert (one["bid"], two["bid"]) == (1.0, 2.0)
    assert session.asked == ['select bid from Task where id is "b" offset 0 limit 500']


def test_only_what_is_looked_at_is_taken_from_below(make_tiny: Any, make_record: Any) -> None:
    """A cache that holds a long chain of entities is followed one step at a time."""
    below = cache.MemoryCache()
    make_tiny(cache_below=below)._loader.load(
        [
            make_record("Task", id=str(index), parent=make_record("Task", id=str(index + 1)))
            for index in range(3000)
        ]
    )
    session = make_tiny(cache_below=below)
    task = session.load("Task", id="0")
    for _ in range(5):
        task = task["parent"]
    assert task["id"] == "5"
    assert len(session._local_cache.keys()) == 6
    assert session.asked == []
