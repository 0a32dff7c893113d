"""Entities and results in IPython and in an executed notebook."""

from __future__ import annotations

import asyncio
import json
import os
import types
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like._session.console_names import offered_names

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def task(session: Any) -> Any:
    """Return a committed task, with no more than its default projections and path loaded."""
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "harbour", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh<010>", "parent": project})
    shot["metadata"]["reel"] = "A001"
    session.create("Task", {"name": "lighting", "parent": shot})
    session.commit()
    session.reset()
    return session.query("select name, link from Task").one()


@pytest.fixture
def shell(sandbox: Any, task: Any) -> Iterator[Any]:
    """Return the running IPython shell, with ``session``, ``task`` and ``attr``."""
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    from ftrack_like import attr

    interactive.InteractiveShell.clear_instance()
    made = interactive.InteractiveShell.instance()
    made.history_manager.enabled = False
    with sandbox.session() as session:  # A session makes the running shell offer names.
        made.user_ns.update(session=session, task=session.query("Task").one(), attr=attr)
        yield made
    interactive.InteractiveShell.clear_instance()


def completed(shell: Any, text: str) -> set[str]:
    """Return the names that the shell offers for the incomplete line *text*."""
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    return {one.text.rpartition("[")[2].strip("'\"]") for one in found}


#: An incomplete line, and some of the names that complete it.
LINES = [
    ('session.select("', {"Task", "Shot"}),
    ('rows = session.select("Ta', {"Task", "TaskTemplate"}),
    ('session.create("Ta', {"Task"}),
    ('await session.get("Ta', {"Task"}),
    ('session.create("Task", {"na', {"name"}),
    ('session.create("Task", {"name": "x", "par', {"parent"}),
    ('session.query("', {"Task", "Project"}),
    ('tasks = session.query("Ta', {"Task"}),
    ('session.query("select name from Ta', {"Task"}),
    ('session.query("Task where sta', {"status", "start_date"}),
    ('session.query("Task where name is x and status.na', {"status.name"}),
    ('session.query("select par', {"parent", "parent_id"}),
    ("attr.sta", {"attr.status", "attr.start_date"}),
    ('session.select("Task").where(attr.status.na', {"attr.status.name"}),
    ('session.select("Task").where(\n    attr.parent.na', {"attr.parent.name"}),
    ('session.select("Task").columns("name", "status.na', {"status.name"}),
    ('result.to_dicts(["sta', {"status"}),
    ('task["sta', {"status", "start_date"}),
    ('task["status"]["na', {"name"}),
    ('result[0]["par', {"parent"}),
    ('result[0]["status"]["', {"name", "color"}),
    ('selected[0]["status"]["na', {"name"}),
    ('listed[0]["status"]["', {"name", "color"}),
    ('listed[-1]["pro', {"project"}),
    ('page.tasks[0]["project"]["full', {"full_name"}),
    ('task["parent"]["children"][0]["bi', {"bid"}),
    ('shot["metadata"]["re', {"reel"}),
    ('shot["children"][0]["status"]["na', {"name"}),
    ('shot["custom_attributes"]["fst', {"fstart"}),
]


@pytest.mark.parametrize("with_jedi", [True, False])
@pytest.mark.parametrize(("line", "names"), LINES)
def test_calls_and_paths_complete(shell: Any, line: str, names: set[str], with_jedi: bool) -> None:
    """Types, attributes and keys complete where a program writes them, and nothing is sent."""
    from IPython.core.completer import provisionalcompleter

    session = shell.user_ns["session"]
    shell.user_ns["result"] = session.query("Task")
    shell.user_ns["selected"] = session.select("Task")
    shell.user_ns["listed"] = session.query("Task").all()
    shell.user_ns["page"] = types.SimpleNamespace(tasks=shell.user_ns["listed"])
    columns = "metadata, children, custom_attributes"
    shell.user_ns["shot"] = session.query(f"select {columns} from Shot").one()
    shell.Completer.use_jedi = with_jedi
    before = session.statistics.requests
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions(line, len(line))}
    assert names <= {each.strip("\"']") for each in found}
    assert session.statistics.requests == before


@pytest.mark.parametrize("with_jedi", [True, False])
@pytest.mark.parametrize(
    ("line", "others"),
    [
        ('session.create("Task", {"', {"_link", "link", "ancestors", "descendants", "time_logged"}),
        ('task["custom_attributes"]["', {"key", "value", "configuration", "entity"}),
        ('shot["metadata"]["', {"key", "value", "parent_type"}),
    ],
)
def test_keys_that_make_no_sense_are_not_offered(
    shell: Any, line: str, others: set[str], with_jedi: bool
) -> None:
    """The server keeps some attributes itself, and the keys of a mapping are no attributes."""
    from IPython.core.completer import provisionalcompleter

    session = shell.user_ns["session"]
    shell.user_ns["shot"] = session.query("select metadata from Shot").one()
    shell.Completer.use_jedi = with_jedi
    before = session.statistics.requests
    with provisionalcompleter():
        found = {each.text.strip("\"'") for each in shell.Completer.completions(line, len(line))}
    assert not found & others
    assert session.statistics.requests == before


def test_a_session_that_has_not_started_offers_nothing(shell: Any, sandbox: Any) -> None:
    """A completion never starts a session."""
    from ftrack_like.aio import AsyncSession

    with sandbox.session(connect="lazy") as lazy:
        names = {"waiting": AsyncSession("http://127.0.0.1:1"), "lazy": lazy}
        assert offered_names('lazy.select("Ta', names) is None
        assert offered_names('waiting.query("Ta', names) is None
        assert lazy.statistics.requests == 0


def test_an_asynchronous_session_completes(sandbox: Any, shell: Any) -> None:
    """Its calls complete like those of the synchronous session, also in an attribute."""
    from ftrack_like.aio import AsyncSession

    async def offered() -> list[str]:
        given = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
        async with AsyncSession(*given, plugin_paths=[]) as session:
            page = types.SimpleNamespace(session=session)
            offer = offered_names('await page.session.query("Ta', {"page": page})
            return [] if offer is None else offer.names

    assert "Task" in asyncio.run(offered())


def test_names_complete_in_ipython(shell: Any) -> None:
    """Attributes, types and loaded keys complete, and no request is sent for them."""
    session = shell.user_ns["session"]
    before = session.statistics.requests
    assert "status" in completed(shell, "task['sta")
    assert "custom_attributes" in completed(shell, 'task["cus')
    assert {"Task", "TaskTemplate"} <= completed(shell, "session.types['Ta")
    assert session.statistics.requests == before
    shell.user_ns["metadata"] = shell.user_ns["task"]["parent"]["custom_attributes"]
    before = session.statistics.requests
    assert "fstart" in completed(shell, "metadata['fst")
    assert session.statistics.requests == before


def test_ipython_prints_paths(shell: Any) -> None:
    """A path is no object with a display of its own, although it has any attribute."""
    from ftrack_like import attr

    data, _ = shell.display_formatter.format(attr.status.name)
    assert data == {"text/plain": "<attr.status.name>"}


def test_ipython_shows_html(session: Any, task: Any, shell: Any) -> None:
    """The display has the text and the table, and sends no request."""
    result = session.query("select name, link, parent.name from Task")
    result.all()
    before = session.statistics.requests
    format_ = shell.display_formatter.format
    data, _ = format_(task)
    assert data["text/plain"].startswith("<Task 'lighting' harbour/sh<010>/lighting id=")
    assert "sh&lt;010&gt;" in data["text/html"]
    data, _ = format_(result)
    assert data["text/plain"].endswith(": 1 of 1 loaded>")
    assert "<table>" in data["text/html"]
    data, _ = format_(session.select("Task").group_by("name"))
    assert "incomplete" in data["text/html"]
    assert session.statistics.requests == before


def test_a_result_that_is_not_read_says_how(session: Any, task: Any) -> None:
    """Its HTML names the ways to read it, or the error that reading will raise; nothing is sent."""
    result = session.query("select name from Task")
    wrong = session.query("select nme from Task")
    nothing = session.query("Task where name is nothing")
    nothing.all()
    before = session.statistics.requests
    assert "list(result)" in result._repr_html_()
    assert "list(result)" in session.select("Task")._repr_html_()
    assert "<table>" not in result._repr_html_()
    assert "Did you mean &#x27;name&#x27;?" in wrong._repr_html_()
    assert "0 of 0 loaded" in nothing._repr_html_()
    assert "list(result)" not in nothing._repr_html_()
    assert session.statistics.requests == before


def test_values_that_are_not_committed_are_marked(session: Any, task: Any) -> None:
    """The HTML of an entity marks changes of all kinds, until the commit or the rollback."""
    mark = "(not committed)"
    assert mark not in task._repr_html_()
    task["bid"] = 5.0
    task["status"] = session.query('Status where name is "In progress"').one()
    task["metadata"]["take"] = "3"
    before = session.statistics.requests
    assert task._repr_html_().count(mark) == 3
    assert session.statistics.requests == before
    session.commit()
    assert mark not in task._repr_html_()
    task["bid"] = 6.0
    session.rollback()
    assert mark not in task._repr_html_()


def test_link_as_html_is_a_path(session: Any, task: Any) -> None:
    """A link reads as the path from the project, in an entity and in a result."""
    result = session.query("select link from Task")
    result.all()
    path = "harbour/sh&lt;010&gt;/lighting"
    assert f"'>{path}</td>" in task._repr_html_().replace("vertical-align:top", "")
    assert f"'>{path}</td>" in result._repr_html_().replace("vertical-align:top", "")


CELLS = [
    "import os\nfrom ftrack_like import Session, attr\nsession = Session(plugin_paths=[])\nsession",
    "tasks = session.query('select name, link from Task')\nlist(tasks)\ntasks",
    "tasks[0]",
    "session.select('Task').where(attr.parent.name.like('sh%')).to_dicts(['name', 'parent.name'])",
]


def test_notebook_runs(sandbox: Any, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook is executed from top to bottom; its outputs have tables and no API key."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("FTRACK_SERVER", sandbox.server_url)
    monkeypatch.setenv("FTRACK_API_USER", sandbox.api_user)
    monkeypatch.setenv("FTRACK_API_KEY", sandbox.api_key)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(book, timeout=240, kernel_name="python3").execute()
    shown = [cell.outputs[-1].data for cell in book.cells]
    assert "as 'admin'" in shown[0]["text/plain"]
    assert "1 of 1 loaded" in shown[1]["text/html"]
    assert "harbour/sh&lt;010&gt;/lighting" in shown[2]["text/html"]
    assert shown[3]["text/plain"] == "[{'name': 'lighting', 'parent.name': 'sh<010>'}]"
    assert sandbox.api_key not in json.dumps(book)


def test_names_complete_in_a_kernel(
    sandbox: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel of Jupyter answers a request for completions with the names."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    given = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
    kernel, client = manager.start_new_kernel(startup_timeout=240)
    try:
        code = f"from ftrack_like import Session, attr\nsession = Session(*{given!r})"
        client.execute_interactive(code, timeout=240)
        for line, name in (('session.select("Ta', "Task"), ("attr.sta", "attr.status")):
            answer = client.complete(line, len(line), reply=True, timeout=240)
            assert name in answer["content"]["matches"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
