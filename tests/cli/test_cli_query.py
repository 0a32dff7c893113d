"""`ftrack-like query` and `get` in a pipe."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from ftrack_like.cli._columns import column_of
from ftrack_like.cli._units import in_cell, with_units


def test_pipe_gets_tab_separated_values(command: Any, site: Any) -> None:
    """In a pipe each entity is a line of values with tabs between them, without a header."""
    found = command("query", 'select name, parent.name from Task where name is "lighting"')
    assert (found.status, found.errors) == (0, "")
    assert found.output == "lighting\tsh010\n"


def test_header_on_demand(command: Any, site: Any) -> None:
    """TSV gets a header with --header, and CSV has none with --no-header."""
    query = 'select name from Task where name is "lighting"'
    assert command("query", query, "--header").lines == ["name", "lighting"]
    assert command("query", query, "--csv").lines == ["name", "lighting"]
    assert command("query", query, "--csv", "--no-header").lines == ["lighting"]


def test_json_has_dotted_keys_as_projected(command: Any, site: Any) -> None:
    """The JSON is a list of objects whose keys are the columns as they were written."""
    query = "select name, status.name, parent.name from Task order by name, parent.name"
    rows = json.loads(command("query", query, "--json").output)
    status = site["lighting"]["status"]["name"]
    assert rows == [
        {"name": "comp", "status.name": status, "parent.name": "sh010"},
        {"name": "comp", "status.name": status, "parent.name": "sh020"},
        {"name": "lighting", "status.name": status, "parent.name": "sh010"},
    ]


def test_columns_replace_the_projections(command: Any, site: Any) -> None:
    """--columns works on a bare type and on an expression with its own projections."""
    for query in ("Task where name is lighting", "select bid from Task where name is lighting"):
        found = command("query", query, "--columns", "name, parent.parent.name,id", "--json")
        assert json.loads(found.output) == [
            {"name": "lighting", "parent.parent.name": "sq010", "id": site["lighting"]["id"]}
        ]


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv", "--tsv", "-ojson"])
def test_nothing_found_is_success(form: str, command: Any, site: Any) -> None:
    """A query without results succeeds, and its output is valid in each format."""
    found = command("query", "Task where name is nothing", form)
    assert (found.status, found.errors) == (0, "")
    if "json" in form:
        assert [json.loads(line) for line in found.lines] == ([] if "jsonl" in form else [[]])


def test_json_lines(command: Any, site: Any) -> None:
    """--jsonl prints one object a line."""
    found = command("query", "select name from Shot order by name", "--jsonl")
    assert [json.loads(line) for line in found.lines] == [{"name": "sh010"}, {"name": "sh020"}]


def test_limit_and_count(command: Any, site: Any) -> None:
    """--limit ends the output, and --count prints the number of matches alone."""
    assert command("query", "Task", "--limit", "2").output.count("\n") == 2
    assert command("query", "Task", "--count").output == "3\n"
    assert command("query", "Task", "--count", "--limit", "2").output == "2\n"
    assert command("query", "select name from Task where name is comp", "--count").output == "2\n"


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_limit_is_a_positive_number(number: str, command: Any) -> None:
    """A limit that is no positive number is a mistake in the arguments."""
    found = command("query", "Task", f"--limit={number}")
    assert found.status == 2
    assert "whole number of 1 or more" in found.errors


def test_custom_attributes_metadata_and_lists(command: Any, site: Any, session: Any) -> None:
    """Columns reach custom attributes by either name, metadata, and values behind lists."""
    shot = site["sh010"]
    shot["custom_attributes"]["fstart"] = 1001
    shot["metadata"]["shelf"] = "12"
    session.commit()
    columns = "custom.fstart,custom_attributes.fstart,metadata.shelf,children.name"
    found = command("query", "Shot where name is sh010", "-c", columns, "--json")
    (row,) = json.loads(found.output)
    assert sorted(row.pop("children.name")) == ["comp", "lighting"]
    assert row == {
        "custom.fstart": 1001,
        "custom_attributes.fstart": 1001,
        "metadata.shelf": "12",
    }


def test_counts_have_their_own_columns(command: Any, site: Any) -> None:
    """The rows of an aggregate query print the values that the server returns."""
    found = command("query", "select count(id) from Task group by parent_id", "--json")
    rows = json.loads(found.output)
    assert sorted(row["count_id"] for row in rows) == [1, 2]
    assert {row["parent_id"] for row in rows} == {site["sh010"]["id"], site["sh020"]["id"]}


def test_dates_and_references_are_plain_values(command: Any, site: Any, session: Any) -> None:
    """Dates are in ISO format with their time zone, and a reference is its id."""
    found = command("query", "select created_at, parent from Task where name is lighting", "--json")
    (row,) = json.loads(found.output)
    assert row["parent"] == site["sh010"]["id"]
    assert row["created_at"].endswith("+00:00")


def test_special_characters_stay_in_their_cell(command: Any, site: Any, session: Any) -> None:
    """Tabs, line breaks, quotes and wide characters survive each format."""
    text = 'a\tb\nc "d" \\ 灯台'
    site["sh010"]["description"] = text
    session.commit()
    query = "select description from Shot where name is sh010"
    assert json.loads(command("query", query, "--json").output) == [{"description": text}]
    rows = list(csv.reader(io.StringIO(command("query", query, "--csv").output)))
    assert rows[1] == [text]
    (line,) = command("query", query).lines
    assert line == 'a\\tb\\nc "d" \\\\ 灯台'


def test_expression_from_standard_input(command: Any, site: Any) -> None:
    """The expression '-' stands for standard input."""
    found = command("query", "-", stdin="select name from Project\n")
    assert found.output == "show\n"


def test_every_type_has_usual_columns(command: Any, session: Any) -> None:
    """A query of any type without projections names only columns that the type has."""
    refused = []
    for name in session.types:
        found = command("query", name, "--limit", "1")
        if found.status:
            refused.append(found.errors)
    # Some types cannot be queried without a condition; none may miss an attribute.
    assert not [each for each in refused if "No attribute" in each or "plain value" in each]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("Tsk", "Did you mean 'Task'?"),
        ("", "is not a query"),
        ("select name, custom.fstrt from Shot", "Did you mean 'fstart'?"),
    ],
)
def test_mistakes_are_one_line(expression: str, words: str, command: Any, site: Any) -> None:
    """A mistake in a query is one line on standard error with a suggestion or advice."""
    found = command("query", expression)
    assert found.status in (1, 2)
    assert found.output == ""
    assert found.errors.count("\n") == 1
    assert found.errors.startswith("ftrack-like: ")
    assert words in found.errors


@pytest.mark.parametrize(
    ("expression", "words", "shown", "place"),
    [
        ("select nme from Task", "Did you mean 'name'?", "select nme from Task", "nme"),
        ("Task where nme is x", "Did you mean 'name'?", "Task where nme is x", "nme"),
        ("task where name is is x", "found 'x'", "task where name is is x", "x"),
        ("Task where  name is x and", "found the end", "Task where  name is x and", ""),
        ("Task where name is x\n  and nme is y", "'name'?", "and nme is y", "nme"),
    ],
)
def test_a_mistake_in_a_query_has_a_caret(
    expression: str, words: str, shown: str, place: str, command: Any, site: Any
) -> None:
    """The query appears as it was typed, with a caret below the mistake."""
    found = command("query", expression)
    sentence, quoted, caret = found.errors.splitlines()
    assert found.status == 1
    assert words in sentence
    assert "(" not in sentence
    assert quoted == f"  {shown}"
    assert caret.index("^") == (quoted.rindex(place) if place else len(quoted))


@pytest.mark.parametrize(
    ("entity_type", "column", "words"),
    [
        ("Shot", "custom.fstrt", "Shot has no custom attribute 'fstrt'. Did you mean 'fstart'?"),
        ("Shot", "custom_attributes.nope", "The keys are: "),
        ("Task", "parent.custom.fstrt", "Context has no custom attribute 'fstrt'."),
        ("Task", "custom.fstart", "Task has no custom attribute 'fstart'."),
        ("Task", "parent.nme", "Context has no attribute 'nme'. Did you mean 'name'?"),
        ("Task", "name.length", "is a plain value"),
        ("Task", "parent[Sht].name", "Did you mean 'Shot'?"),
        ("Note", "custom.x", "Note has no"),
    ],
)
@pytest.mark.parametrize("form", ["--tsv", "--csv", "--json"])
def test_an_unknown_column_is_an_error(
    entity_type: str, column: str, words: str, form: str, command: Any, site: Any
) -> None:
    """An unknown column is never blank: the error names it and suggests a known one."""
    name = site["sh010" if entity_type == "Shot" else "lighting"]["id"]
    commands = [("query", entity_type)]
    commands += [("get", entity_type, name)] if entity_type != "Note" else []
    for arguments in commands:
        found = command(*arguments, "--columns", f"id,{column}", form)
        assert (found.status, found.output) == (1, "")
        assert words in found.errors


def test_known_columns_through_several_types(command: Any, site: Any) -> None:
    """Casts, lists, custom attributes of parents and any key of metadata are valid columns."""
    columns = "parent[Shot].name,assignments.resource.username,parent.custom.fstart,metadata.x"
    found = command("query", "Task where name is lighting", "-c", columns)
    assert (found.status, found.errors) == (0, "")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            'status.name is "In progess"',
            "There is no Status 'In progess'. Did you mean 'In progress'?",
        ),
        ("status.name in (Completd, Omitted)", "Did you mean 'Completed'?"),
        (
            "object_type.name = Tsk and name is x",
            "There is no ObjectType 'Tsk'. Did you mean 'Task'?",
        ),
        ("priority.name is hihg", "Did you mean 'High'?"),
        ("status is Completed", "Write: status.name is "),
    ],
)
@pytest.mark.filterwarnings("default::ftrack_like.exception.UnknownAttributeWarning")
@pytest.mark.parametrize("option", ["--tsv", "--count"])
def test_a_value_that_no_entity_has_gets_a_hint(
    condition: str, words: str, option: str, command: Any, site: Any
) -> None:
    """If a query finds nothing, a hint names the values that no entity has."""
    found = command("query", f"Task where {condition}", option)
    assert found.status == 0
    assert words in found.errors
    assert found.output == ("0\n" if option == "--count" else "")


def test_values_that_exist_get_no_hint(command: Any, site: Any) -> None:
    """A query that finds nothing for another reason prints nothing."""
    condition = 'status.name is Completed and description is "type.name is (x"'
    found = command("query", f"Task where {condition}")
    assert (found.status, found.output, found.errors) == (0, "", "")


def test_types_may_be_lower_case(command: Any, site: Any) -> None:
    """The name of a type in another case is understood."""
    assert command("query", "assetversion", "--count").output == "0\n"


def test_get_prints_an_attribute_a_line(command: Any, site: Any) -> None:
    """An entity is found by id, name and path, and printed as attributes and values."""
    for name in (site["sh010"]["id"], "sh010", "show/sq010/sh010", "sq010/sh010"):
        found = command("get", "Shot", name)
        assert (found.status, found.errors) == (0, "")
        values = dict(line.split("\t") for line in found.lines)
        assert (values["name"], values["parent.name"]) == ("sh010", "sq010")
        assert values["status.name"] == site["sh010"]["status"]["name"]
        assert "custom_attributes.fstart" in values


def test_get_chosen_columns_as_json(command: Any, site: Any) -> None:
    """With --json the entity is one object, with the chosen columns as keys."""
    found = command("get", "Task", site["lighting"]["id"], "-c", "name,parent.name", "--json")
    assert json.loads(found.output) == {"name": "lighting", "parent.name": "sh010"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lightning", "Did you mean 'lighting'?"),
        ("comp", "There are 2 Task entities 'comp':\n  show/sq010/sh010/comp  "),
        ("no/such/comp", "There is no Task 'no/such/comp'."),
        ("11111111-2222-3333-4444-555555555555", "There is no Task with the id"),
    ],
)
def test_get_says_why_it_found_none(text: str, words: str, command: Any, site: Any) -> None:
    """No entity or several are an error with a suggestion or the candidates."""
    found = command("get", "Task", text)
    assert (found.status, found.output) == (1, "")
    assert words in found.errors


def test_keys_of_several_parts(command: Any, site: Any, session: Any) -> None:
    """The parts of a longer key are written with commas."""
    site["sh010"]["metadata"]["shelf"] = "12"
    session.commit()
    key = f"{site['sh010']['id']},shelf"
    found = command("get", "Metadata", key, "-c", "value")
    assert found.output == "value\t12\n"
    assert "has 2 parts" in command("get", "Metadata", "a").errors


def test_a_table_shows_values_as_people_read_them(command: Any, site: Any, session: Any) -> None:
    """A table has names of references, hours and short dates; TSV has ids, seconds and ISO."""
    words = ["bid=5400", "start_date=2026-03-09T18:00+01:00"]
    assert command("set", "Task", "lighting", *words).status == 0
    expression = "Task where name is lighting"
    columns = "parent,status,bid,start_date"
    table = command("query", expression, "-c", columns, "-o", "table").lines
    assert table[1].split("  ") == ["sh010", " Not started", "1h30m", "2026-03-09 17:00"]
    key, _, bid, start = command("query", expression, "-c", columns).output.split("\t")
    assert (key, bid) == (site["sh010"]["id"], "5400")
    assert start.strip() == "2026-03-09T17:00:00+00:00"
    projected = f"select {columns.replace(',', ', ')} from {expression}"
    assert command("query", projected, "-o", "table").lines[1] == table[1]
    assert command("query", projected).output.startswith(key)


def test_a_table_names_the_entities_of_a_list(command: Any, site: Any) -> None:
    """A column of a list has the names of its entities, and an empty reference is empty."""
    found = command("query", "Shot", "-c", "name,children,type", "-o", "table").lines
    rows = {line.split()[0]: line.split("  ")[1:] for line in found[1:]}
    assert sorted(rows["sh010"][0].split(", ")) == ["comp", "lighting"]


def test_a_caret_stays_below_an_unknown_projection_of_a_table(command: Any, site: Any) -> None:
    """The names that a table loads do not move the place of an unknown name."""
    found = command("query", "select name, prent from Task", "-o", "table")
    assert found.status == 1
    assert found.errors.splitlines()[1:] == ["  select name, prent from Task", " " * 15 + "^"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("bid", 90, "90s"),
        ("bid", 0, "0m"),
        ("bid", -3600.0, "-1h"),
        ("bid", None, None),
        ("size", 1500, "1.5 KB"),
        ("fstart", 3600, 3600),
        ("duration", "{self.fend}", "{self.fend}"),
    ],
)
def test_units_depend_on_the_attribute(name: str, value: object, text: object) -> None:
    """Only attributes in seconds and in bytes get a unit, and no value loses seconds."""
    assert in_cell(name, value) == text


@pytest.mark.parametrize("name", ["custom.duration", "custom_attributes.duration"])
def test_keys_of_sites_have_no_units(name: str) -> None:
    """A custom attribute with the name of a duration, such as one in frames, has no unit."""
    assert column_of(name).shown({"custom_attributes": {"duration": 7200}}) == 7200
    assert with_units({name: 7200}) == {name: 7200}
    assert with_units({"duration": 7200}) == {"duration": "7200 s (2h)"}
