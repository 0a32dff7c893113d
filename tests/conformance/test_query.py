"""What a query may say, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.facts import fact, row, writes
from tests.conformance.site import Site


class World:
    """A sequence with three shots, and two tasks in each of the first two."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.prefix = site.name("world")
        self.sequence = site.context("Sequence", name=f"{self.prefix}-sq")
        self.shots = [
            site.context("Shot", self.sequence, name=f"{self.prefix}-sh0{number}0")
            for number in (1, 2, 3)
        ]
        self.tasks = [
            site.context("Task", shot, name=name, bid=bid)
            for shot, bid in zip(self.shots[:2], (3600, 7200))
            for name in ("animation", "lighting")
        ]
        site.update("Shot", self.shots[0], description='quotes " and \\ and ü')
        site.create("Metadata", parent_id=self.shots[0], parent_type="Shot", key="k", value="v")

    def names(self, expression: str) -> list[str]:
        """Return the names of the rows of *expression*, in which ``$S`` is the sequence's id."""
        found = self.site.rows(expression.replace("$S", self.sequence).replace("$P", self.prefix))
        return [each["name"].replace(f"{self.prefix}-", "") for each in found]


@pytest.fixture(scope="session")
def world(site: Site) -> World:
    """Return a world of contexts."""
    return World(site)


_WHERE = "select name from Shot where parent_id is $S"


@writes
@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        row(f"{_WHERE} and name is $P-sh010", ["sh010"], name="is"),
        row(f'{_WHERE} and name = "$P-sh010"', ["sh010"], name="equals"),
        row(f"{_WHERE} and name='$P-sh010'", ["sh010"], name="equals without blanks"),
        row(f"{_WHERE} and name is_not $P-sh010", ["sh020", "sh030"], name="is_not"),
        row(f"{_WHERE} and name != $P-sh010", ["sh020", "sh030"], name="differs"),
        row(f"{_WHERE} and name > $P-sh010", ["sh020", "sh030"], name="greater"),
        row(f"{_WHERE} and name greater_than $P-sh010", ["sh020", "sh030"], name="greater_than"),
        row(f"{_WHERE} and name >= $P-sh020", ["sh020", "sh030"], name="at least"),
        row(f"{_WHERE} and name < $P-sh020", ["sh010"], name="less"),
        row(f"{_WHERE} and name less_than $P-sh020", ["sh010"], name="less_than"),
        row(f"{_WHERE} and name <= $P-sh020", ["sh010", "sh020"], name="at most"),
        row(f"{_WHERE} and name like %sh01%", ["sh010"], name="like"),
        row(f"{_WHERE} and name like %SH01%", ["sh010"], name="like ignores case"),
        row(f"{_WHERE} and name like %sh0_0", ["sh010", "sh020", "sh030"], name="one character"),
        row(f"{_WHERE} and name not_like %sh01%", ["sh020", "sh030"], name="not_like"),
        row(f"{_WHERE} and name in ($P-sh010, $P-sh020)", ["sh010", "sh020"], name="in"),
        row(f"{_WHERE} and name in ('$P-sh010',)", ["sh010"], name="in as a tuple prints"),
        row(f'{_WHERE} and name in ("")', [], name="in one empty text"),
        row(f"{_WHERE} and name not_in ($P-sh010)", ["sh020", "sh030"], name="not_in"),
        row(f"{_WHERE} and not name is $P-sh010", ["sh020", "sh030"], name="not"),
        row(
            f"{_WHERE} and (name is $P-sh010 or name is $P-sh030)",
            ["sh010", "sh030"],
            name="parentheses",
        ),
        row(
            "select name from Shot where parent_id is $S and name is $P-sh010 "
            "or parent_id is $S and name is $P-sh020",
            ["sh010", "sh020"],
            name="and binds tighter than or",
        ),
        row(f'{_WHERE} and (name is "$P-sh010"and id != "x")', ["sh010"], name="no blank"),
        row(f"{_WHERE}\n   AND\tname IS $P-sh010", ["sh010"], name="new lines and upper case"),
        row(f"{_WHERE} and name is $P-SH010", ["sh010"], name="is ignores case"),
        row(f"{_WHERE} and parent is_not None", ["sh010", "sh020", "sh030"], name="relation"),
        row(f"{_WHERE} and parent has (id is $S)", ["sh010", "sh020", "sh030"], name="has"),
        row(f"{_WHERE} and parent.id is $S", ["sh010", "sh020", "sh030"], name="path"),
        row(f"{_WHERE} and children any (name is lighting)", ["sh010", "sh020"], name="any"),
        row(f"{_WHERE} and children any ()", ["sh010", "sh020"], name="any without criteria"),
        row(f"{_WHERE} and children.name is lighting", ["sh010", "sh020"], name="some member"),
        row(f"{_WHERE} and ancestors.id is $S", ["sh010", "sh020", "sh030"], name="ancestors"),
        row(f"{_WHERE} and children[Task].bid > 3600", ["sh020"], name="cast"),
        row(f'{_WHERE} and metadata any (key is "k" and value is "v")', ["sh010"], name="metadata"),
        row(f'{_WHERE} and metadata.key is "k"', ["sh010"], name="metadata as a path"),
        row(
            f"{_WHERE} and id in (select parent_id from Task where bid is 7200)",
            ["sh020"],
            name="sub-query",
        ),
        row(f"{_WHERE} and object_type.name is Shot", ["sh010", "sh020", "sh030"], name="type"),
        row(
            f"{_WHERE} and project.name is_not none",
            ["sh010", "sh020", "sh030"],
            name="project",
        ),
        row(
            f"{_WHERE} and description like '%quotes \" and%'",
            ["sh010"],
            name="a quote in other quotes",
        ),
        row(
            f'{_WHERE} and description like "%quotes \\" and%"',
            ["sh010"],
            name="an escaped quote",
        ),
    ],
)
def test_criteria(world: World, criteria: str, expected: list[str]) -> None:
    """Criteria select these shots."""
    assert sorted(world.names(criteria)) == expected


@writes
@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        row("order by name", ["sh010", "sh020", "sh030"], name="ascending"),
        row("order by name asc", ["sh010", "sh020", "sh030"], name="asc"),
        row("order by name ascending", ["sh010", "sh020", "sh030"], name="the long word"),
        row("order by name desc", ["sh030", "sh020", "sh010"], name="desc"),
        row("order by name descending", ["sh030", "sh020", "sh010"], name="the other long word"),
        row("order by parent.name, name desc", ["sh030", "sh020", "sh010"], name="two keys"),
        row("order by name limit 2", ["sh010", "sh020"], name="limit"),
        row("order by name offset 1 limit 1", ["sh020"], name="offset then limit"),
        row("order by name limit 1 offset 1", ["sh020"], name="limit then offset"),
        row("limit 1 offset 1 order by name", ["sh020"], name="order last"),
        row("order by name offset 9 limit 1", [], name="behind the end"),
    ],
)
def test_order_and_pages(world: World, tail: str, expected: list[str]) -> None:
    """Order, offset and limit answer these shots in this order."""
    assert world.names(f"{_WHERE} {tail}") == expected


@writes
@fact("site-facts B", "M")
def test_the_next_offset_counts_rows(world: World) -> None:
    """The next offset is the number of rows so far, and null on the last page."""
    expression = f'select name from Shot where parent_id is "{world.sequence}" order by name'
    first = world.site.page(f"{expression} limit 1")
    assert first["metadata"]["next"]["offset"] == 1
    last = world.site.page(f"{expression} offset 2 limit 1")
    assert last["metadata"]["next"]["offset"] is None


@writes
@fact("protocol 2", "protocol")
def test_a_full_last_page_has_no_next(world: World) -> None:
    """The last page has no next offset, also if it is full."""
    expression = f'select name from Shot where parent_id is "{world.sequence}" limit 3'
    assert world.site.page(expression)["metadata"]["next"]["offset"] is None


@writes
@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    ("entity_type", "expected"),
    [
        row("TypedContext", {"Sequence"}, name="TypedContext"),
        row("Context", {"Sequence"}, name="Context"),
        row("Sequence", {"Sequence"}, name="Sequence"),
    ],
)
def test_a_base_type_answers_concrete_types(
    world: World, entity_type: str, expected: set[str]
) -> None:
    """The rows of a base type have their concrete type."""
    rows = world.site.rows(f'select name from {entity_type} where id is "{world.sequence}"')
    assert {each["__entity_type__"] for each in rows} == expected


@fact("protocol 2", "protocol")
def test_resources_are_users_and_groups(site: Site) -> None:
    """A query for resources answers users under their own type."""
    rows = site.rows("select id from Resource limit 50")
    assert {each["__entity_type__"] for each in rows} <= {"User", "Group"}


@writes
@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    ("aggregate", "key", "expected"),
    [
        row("count(id)", "count_id", {3600: 2, 7200: 2}, name="count"),
        row("sum(bid)", "sum_bid", {3600: 7200, 7200: 14400}, name="sum"),
        row("min(bid)", "min_bid", {3600: 3600, 7200: 7200}, name="min"),
        row("max(bid)", "max_bid", {3600: 3600, 7200: 7200}, name="max"),
        row("avg(bid)", "avg_bid", {3600: 3600, 7200: 7200}, name="avg"),
    ],
)
def test_an_aggregate(world: World, aggregate: str, key: str, expected: dict[int, int]) -> None:
    """An aggregate has a row for each group, with the grouped attribute."""
    rows = world.site.rows(
        f'select {aggregate} from Task where parent.parent_id is "{world.sequence}" group by bid'
    )
    assert {each["bid"]: each[key] for each in rows} == expected


@writes
@fact("site-facts B", "D")
def test_an_aggregate_has_all_grouped_attributes(world: World) -> None:
    """A row of an aggregate has each grouped attribute, projected or not."""
    rows = world.site.rows(
        f'select count(id) from Task where parent.parent_id is "{world.sequence}" '
        "group by project_id, status_id"
    )
    assert [sorted(each) for each in rows] == [["count_id", "project_id", "status_id"]]


@writes
@fact("protocol 1", "protocol")
def test_the_first_occurrence_is_whole(world: World) -> None:
    """The first time that an entity appears in an answer, it has all that the answer has for it."""
    rows = world.site.rows(
        "select name, children.name, parent.name from TypedContext "
        f'where parent_id is "{world.sequence}" or id is "{world.sequence}"'
    )
    whole: dict[str, set[str]] = {}
    first: dict[str, set[str]] = {}

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            if "__entity_type__" in value:
                keys = set(value)
                first.setdefault(value["id"], keys)
                whole[value["id"]] = whole.get(value["id"], set()) | keys
            for each in value.values():
                walk(each)

    walk(rows)
    assert first == whole


@writes
@fact("site-facts B", "M")
@pytest.mark.parametrize("projection", ["parent", "project", "status", "object_type", "priority"])
def test_a_reference_may_be_projected(world: World, projection: str) -> None:
    """A projection may end at a reference, and answers that entity."""
    found = world.site.get("Shot", world.shots[0], projection)[projection]
    assert found["__entity_type__"]
    assert found["id"]


@writes
@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    "projection", ["link", "_link", "children.name", "parent.parent.name", "status.state.short"]
)
def test_a_path_may_be_projected(world: World, projection: str) -> None:
    """A projection may be a path, and may begin with an underscore."""
    root = projection.partition(".")[0]
    assert root in world.site.get("Shot", world.shots[0], projection)


@writes
@fact("site-facts B", "P")
@pytest.mark.parametrize(
    "projection",
    [
        "assignments.resource.first_name",
        "assignments.resource.username",
        "custom_attributes.key",
        "custom_attributes.value",
        "custom_attributes.configuration.key",
    ],
)
def test_a_path_may_pass_through_a_base_type(world: World, projection: str) -> None:
    """A projection may go through a base type to an attribute of a concrete type."""
    assert world.site.get("Task", world.tasks[0], projection)["id"] == world.tasks[0]


@fact("site-facts B", "P")
def test_lists_of_thousands_of_ids_are_normal(site: Site) -> None:
    """A condition may list 5,000 ids."""
    ids = ", ".join(f'"{number:08}-0000-4000-8000-000000000000"' for number in range(5_000))
    assert site.rows(f"select id from Task where id in ({ids})") == []


@fact("site-facts B", "M")
@pytest.mark.parametrize(
    ("entity_type", "attribute"),
    [
        row("Asset", "parent_id", name="Asset.parent_id"),
        row("Location", "priority", name="Location.priority"),
        row("AssetVersion", "name", name="AssetVersion.name"),
        row("Task", "updated_at", name="Task.updated_at"),
        row("Note", "updated_at", name="Note.updated_at"),
    ],
)
def test_an_attribute_that_does_not_exist(site: Site, entity_type: str, attribute: str) -> None:
    """A query for an unknown attribute is an error that names it."""
    problem = site.query_problem(f"select {attribute} from {entity_type} limit 1")
    assert f"No attribute '{attribute}' exists" in problem.text
    if site.client.tells_names:
        assert problem.name == "ParseError"


@fact("site-facts B", "P")
@pytest.mark.parametrize(
    "expression",
    [
        "select statuses.task_status.name from Schema where project_schema_id is "
        '"caddd816-acb5-11e1-8668-f23c91df1211"',
        "select status_id from SchemaStatus where schema_id in "
        "(select id from Schema where project_schema_id is "
        '"caddd816-acb5-11e1-8668-f23c91df1211")',
        "select status_id from WorkflowSchemaStatus limit 1",
        "select id from ProjectSchemaOverride where project_schema_id is "
        '"caddd816-acb5-11e1-8668-f23c91df1211" and type_id is "x"',
        "select name, duration, start from Timelog limit 1",
        "select id from Setting limit 1",
        "select id, name, group from Setting where name is storage_scenario",
        "select key, value from Metadata limit 1",
        "select job_id from JobComponent limit 1",
        "select username from User where custom_attributes.key is x and "
        "custom_attributes.value is y",
        "select value, entity_id from CustomAttributeValue where configuration_id in (x)",
        'select value from CustomAttributeValue where value in ("a","b")',
        "select value from ContextCustomAttributeValue limit 1",
        "select name from Project where status is active",
        "select id from AssetVersion order by date desc limit 1",
        "select content from Note order by category.name, date limit 1",
        "select id from TypedContextLink limit 1",
        "select id from Appointment where type is assignment limit 1",
        "select id from ReviewSession limit 1",
        "select id from ReviewSessionObject limit 1",
        "select id from ComponentLocation limit 1",
        "select name from SequenceComponent limit 1",
        "select name from Component limit 1",
        "select id from Event limit 1",
        "select id from Manager limit 1",
        "select name from Group limit 1",
        "select id from List limit 1",
        "select id from AssetVersionList limit 1",
        "select id from CalendarEvent limit 1",
        "select id from Dashboard limit 1",
        "select name from SecurityRole order by name",
    ],
)
def test_an_expression_of_a_published_program(site: Site, expression: str) -> None:
    """A query that published programs send is answered."""
    assert isinstance(site.rows(expression), list)


@fact("protocol 2", "protocol")
@pytest.mark.parametrize(
    "expression",
    [
        "select name from Nothing",
        "select from Task",
        "select name frm Task",
        "Task where",
        "Task where name",
        "Task where name is",
        "Task where name resembles x",
        "Task where (name is x",
        'Task where name is "x',
        "Task order by",
        "Task limit x",
        "Task where name.x is 1",
        "",
    ],
)
def test_a_mistake_in_an_expression(site: Site, expression: str) -> None:
    """A mistake in an expression is an error with a text."""
    assert site.query_problem(expression).text


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    ("terms", "count"),
    [row(["sh020"], 1, name="one term"), row(["sh", "030"], 1, name="two terms")],
)
def test_a_search(world: World, terms: list[str], count: int) -> None:
    """A search answers the rows that contain all terms."""
    results = world.site.call(
        {
            "action": "search",
            "expression": f'select name from Shot where parent_id is "{world.sequence}"',
            "entity_type": "Shot",
            "terms": terms,
            "context_ids": [],
            "object_type_ids": [],
        }
    )
    assert len(results[0]["data"]) == count
