"""``ftrack-like stubs`` writes the types of a site, and type checkers use them."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import Session
from ftrack_like._values.catalogue import Catalogue
from ftrack_like.aio import AsyncSession
from ftrack_like.cli import main
from ftrack_like.cli._stub_attributes import Configuration
from ftrack_like.cli._stub_module import stub_module
from ftrack_like.testing import Sandbox

PROGRAMS = Path(__file__).resolve().parent.parent / "typing" / "studio"
PROGRAM_NAMES = ("right.py", "wrong.py", "kit.py", "service.py")
SOURCES = Path(__file__).resolve().parent.parent.parent / "src"


@pytest.fixture
def site(sandbox: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the command use the sandbox, and return an empty folder as the working directory."""
    monkeypatch.setenv("FTRACK_SERVER", sandbox.server_url)
    monkeypatch.setenv("FTRACK_API_USER", sandbox.api_user)
    monkeypatch.setenv("FTRACK_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The command


def test_module_is_written_and_checked(site: Path, capsys: Any) -> None:
    """The command writes one module; --check compares it with the site."""
    assert main(["stubs", "--check"]) == 1
    assert "Run the command without --check" in capsys.readouterr().err
    assert not (site / "typings").exists()
    assert main(["stubs"]) == 0
    written = site / "typings" / "ftrack_types.pyi"
    assert os.listdir(site / "typings") == ["ftrack_types.pyi"]
    first = written.read_bytes()
    assert main(["stubs", "--check"]) == 0
    assert main(["stubs", "--out", "typings/"]) == 0
    assert written.read_bytes() == first
    written.write_text("old", encoding="utf-8")
    assert main(["stubs", "--check"]) == 1
    assert written.read_text(encoding="utf-8") == "old"
    assert main(["stubs", "--name", "studio_types", "--out", "other/types"]) == 0
    assert (site / "other" / "types" / "studio_types.pyi").read_bytes() == first
    assert first.isascii()


@pytest.mark.parametrize("name", ["a-b", "class", "../x", "ftrack_like", ""])
def test_names_of_modules(site: Path, capsys: Any, name: str) -> None:
    """Only names that a program can import are accepted."""
    with pytest.raises(SystemExit) as caught:
        main(["stubs", "--name", name])
    assert caught.value.code == 2
    assert "cannot be the name" in capsys.readouterr().err
    assert os.listdir(site) == []


def test_nothing_half_written_stays(site: Path, monkeypatch: Any, capsys: Any) -> None:
    """If the disk is full, the old module stays and the command fails."""
    from ftrack_like.cli import stubs

    assert main(["stubs"]) == 0
    before = (site / "typings" / "ftrack_types.pyi").read_bytes()

    def replace(source: str, target: str) -> None:
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(stubs.os, "replace", replace)
    assert main(["stubs"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert os.listdir(site / "typings") == ["ftrack_types.pyi"]
    assert (site / "typings" / "ftrack_types.pyi").read_bytes() == before


def test_custom_attributes_of_the_site_count(site: Path, session: Any) -> None:
    """A custom attribute that somebody adds on the site is in the next module."""
    assert main(["stubs"]) == 0
    written = site / "typings" / "ftrack_types.pyi"
    assert "mood" not in written.read_text(encoding="utf-8")
    session.create(
        "CustomAttributeConfiguration",
        {
            "entity_type": "assetversion",
            "key": "mood",
            "label": "Mood",
            "type": session.query("CustomAttributeType where name is text").one(),
            "config": json.dumps({"markdown": False}),
            "default": "",
        },
    )
    session.commit()
    assert main(["stubs", "--check"]) == 1
    assert main(["stubs"]) == 0
    assert "'mood'" in written.read_text(encoding="utf-8")


def test_address_of_the_site_does_not_matter(site: Path, monkeypatch: Any) -> None:
    """--check accepts the module that was written for the same types at another address."""
    assert main(["stubs"]) == 0
    address = os.environ["FTRACK_SERVER"]
    port = address.rsplit(":", 1)[1].rstrip("/")
    assert port not in (site / "typings" / "ftrack_types.pyi").read_text(encoding="utf-8")
    with Sandbox() as other:
        assert other.server_url != address
        monkeypatch.setenv("FTRACK_SERVER", other.server_url)
        monkeypatch.setenv("FTRACK_API_USER", other.api_user)
        monkeypatch.setenv("FTRACK_API_KEY", other.api_key)
        assert main(["stubs", "--check"]) == 0


# The text


def schema(name: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of the type *name*."""
    return {
        "id": name,
        "primary_key": ["id"],
        "properties": {"id": {"type": "string"}, **properties},
    }


def names_in(text: str) -> set[str]:
    """Return the names of the classes that the module *text* defines."""
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}


HOSTILE = [
    'x"]: ...\nimport os\nos.system("echo broken")  #',
    "x'] = 1  # \\",
    '"""',
    "\\",
    "\n    pass",
    "{key}",
    "{",
    "%s",
    "naïve 名",
    "\ud800",
    "class",
    "",
    "0day",
    "__init__",
    "Session",
    "_Entity",
    "None",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_the_server_are_only_data(text: str) -> None:
    """Whatever a type, an attribute or a custom attribute is called, no code comes of it."""
    schemas = [
        schema("Shot", **{text: {"type": "string"}, "object_type_id": {"default": "o"}}),
        schema(text, next={"$ref": text}, others={"type": "array", "items": {"$ref": text}}),
    ]
    schemas[0]["properties"]["custom_attributes"] = {
        "type": "mapped_array",
        "items": {"$ref": "ContextCustomAttributeValue"},
    }
    configuration = Configuration(text, "task", "o", False, text, text)
    catalogue = Catalogue(schemas, [each["id"] for each in schemas])
    module = stub_module(catalogue, [configuration])
    module.encode("utf-8")
    tree = ast.parse(module)
    kinds = (ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.Assign, ast.FunctionDef)
    assert {type(node) for node in tree.body} <= set(kinds)
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
    assert calls == {"_ParamSpec", "_TypeVar", "_TypedDict", "_with_parameters_of"}
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not any(
        "os" == each.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for each in node.names
    )
    assert all(
        each in ("typing", "typing_extensions", "arrow") or each.startswith("ftrack_like")
        for each in imported
    )
    # Two types, the custom attributes, the sessions, and six classes that every module has.
    assert len(names_in(module)) == 11


def test_types_with_the_same_safe_name_stay_apart() -> None:
    """Names that become the same are told apart, and one of a data mapping is not taken twice."""
    names = ["My Type", "My-Type", "Task", "TaskData", "Session", "AsyncSession"]
    schemas = [schema(name) for name in names]
    module = stub_module(Catalogue(schemas, names), [])
    assert names_in(module) == {
        *("_Members", "_Name", "_TypeOfTheSite", "_TypeOfTheSiteAndItsData"),
        *("_AttributeOfTheType", "_AttributeOfTheTypeAndItsValue"),
        *("My_Type", "My_Type_", "Task", "TaskData", "Session_", "Session"),
        *("AsyncSession_", "AsyncSession"),
    }
    assert 'TaskData_ = _TypedDict("TaskData_"' in module


def test_order_of_the_schemas_does_not_matter() -> None:
    """The text depends on the types alone, so that it can be kept in version control."""
    schemas = [schema("B", x={"type": "number"}, a={"type": "string"}), schema("A"), schema("C")]
    reverse = [
        {**each, "properties": dict(reversed(each["properties"].items()))} for each in schemas[::-1]
    ]
    texts = {
        stub_module(Catalogue(each, ["A", "B", "C"]), found)
        for each in (schemas, reverse)
        for found in ([CONFIGURATION, OTHER], [OTHER, CONFIGURATION])
    }
    assert len(texts) == 1


CONFIGURATION = Configuration("one", "user", None, False, "text", "")
OTHER = Configuration("two", "user", None, False, "date", "{")


@pytest.mark.parametrize(
    ("kind", "settings", "read"),
    [
        ("text", "", "str"),
        ("boolean", "", "bool"),
        ("date", "", "_Arrow"),
        ("enumerator", "", "list[str]"),
        ("dynamic enumerator", "", "list[str]"),
        ("number", '{"isdecimal": false}', "int"),
        ("number", '{"isdecimal": true}', "float"),
        ("number", "", "float"),
        ("number", "no JSON", "float"),
        ("number", "[]", "float"),
        ("expression", "", "_Any"),
        ("url", "", "_Any"),
        ("of the future", "", "_Any"),
    ],
)
def test_kinds_of_custom_attributes(kind: str, settings: str, read: str) -> None:
    """Each kind of custom attribute has the type of its values."""
    values = {"type": "mapped_array", "items": {"$ref": "UserCustomAttributeValue"}}
    schemas = [schema("User", custom_attributes=values)]
    configuration = Configuration("k", "user", None, False, kind, settings)
    module = stub_module(Catalogue(schemas, ["User"]), [configuration])
    assert f"def __getitem__(self, key: _Literal['k']) -> {read}: ..." in module


@pytest.mark.parametrize("base", [Session, AsyncSession])
def test_forms_have_the_parameters_of_the_library(base: type) -> None:
    """Each form for a type takes the arguments of the method of the library, and awaits as it."""
    module = stub_module(Catalogue([schema("Task")], ["Task"]), [])
    tree = next(
        node
        for node in ast.parse(module).body
        if isinstance(node, ast.ClassDef) and node.name == base.__name__
    )
    checked = set()
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        method = inspect.getattr_static(base, node.name)
        if "_Literal['Task']" in ast.unparse(node.args):
            found = [each.arg for each in [*node.args.args, *node.args.kwonlyargs]]
            assert found == list(inspect.signature(method).parameters), node.name
            checked.add(node.name)
        is_coroutine = inspect.iscoroutinefunction(method)
        is_wrong_form = "_NameOfTheSchema" in ast.unparse(node.args)
        if not is_wrong_form and not isinstance(method, property):
            assert isinstance(node, ast.AsyncFunctionDef) == is_coroutine, node.name
    assert checked == {"create", "ensure", "get", "get_many", "query", "select"}


# The checkers


def plain(text: str) -> str:
    """Return a type without the modules of its names."""
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)


def ask_mypy(folder: Path) -> tuple[Any, Any]:
    """Return the types that mypy reveals, and the lines where it reports errors."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        *PROGRAM_NAMES,
    ]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([str(SOURCES), "typings"])}
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    revealed: Any = {}
    reported: Any = defaultdict(list)
    for line in run.stdout.splitlines():
        match = re.match(r"(.+?):(\d+): (note|error): (.*)", line)
        if match is None:
            continue
        place = (match[1], int(match[2]))
        kind = re.fullmatch(r'Revealed type is "(.*)"', match[4])
        if kind is not None:
            revealed[place] = plain(kind[1])
        elif match[3] == "error":
            reported[place].append(match[4])
    return revealed, reported


def ask_pyright(folder: Path) -> tuple[Any, Any]:
    """Return the types that pyright reveals, and the lines where it reports errors."""
    settings = {"extraPaths": [str(SOURCES)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    revealed: Any = {}
    reported: Any = defaultdict(list)
    for each in json.loads(run.stdout)["generalDiagnostics"]:
        place = (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        kind = re.fullmatch(r'Type of ".*" is "(.*)"', each["message"], re.DOTALL)
        if kind is not None:
            revealed[place] = plain(kind[1])
        elif each["severity"] == "error":
            reported[place].append(each["message"])
    return revealed, reported


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_checkers_know_the_site(site: Path, checker: str) -> None:
    """The right program passes, and each deliberate mistake is reported, and nothing else."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    assert main(["stubs"]) == 0
    for name in PROGRAM_NAMES:
        shutil.copy(PROGRAMS / name, site / name)
    revealed, reported = {"mypy": ask_mypy, "pyright": ask_pyright}[checker](site)
    faults = []
    marked = 0
    for name in PROGRAM_NAMES:
        for number, line in enumerate((site / name).read_text(encoding="utf-8").splitlines(), 1):
            place = (name, number)
            wanted = re.match(r"\s*reveal_type\(.*\)  # (.*)", line)
            if wanted is not None and revealed.get(place) != wanted[1]:
                faults.append(f"{place}: {revealed.get(place)} instead of {wanted[1]}")
            if line.endswith("# mistake"):
                marked += 1
                if place not in reported:
                    faults.append(f"{place}: the mistake is not reported")
            elif place in reported:
                faults.append(f"{place}: {reported[place]}")
    faults += [f"{place}: {each}" for place, each in reported.items() if place[0].endswith(".pyi")]
    assert faults == []
    assert marked > 25


def test_mypy_reports_a_mistake_in_one_line(site: Path) -> None:
    """A wrong type, key or value gives one line, which names it and says what belongs together."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    assert main(["stubs"]) == 0
    program = """from ftrack_types import Session, Shot, Task

def change(session: Session, task: Task, shot: Shot) -> None:
    session.create("Task", {"nam": "comp"})
    session.create("Task", {"name": 5})
    session.create("Taks", data={"name": "comp"})
    session.create("Task", {"name": "comp"}, "yes")
    session.ensure("Task", {"nam": "comp"})
    session.get("Taks", "id")
    session.select("Taks")
    task["stauts"]
    task["stauts"] = 1
    task["bid"] = "many"
    shot["custom_attributes"]["fstrat"]
    shot["custom_attributes"]["fstart"] = "x"
"""
    (site / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([str(SOURCES), "typings"])}
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=site, env=environment
    )
    found = re.findall(r"^program.py:(\d+): error: .*Sequence\[(\w+)\]", run.stdout, re.MULTILINE)
    assert len(run.stdout.splitlines()) == len(found)
    assert found == [
        *((str(line), "_TypeOfTheSiteAndItsData") for line in range(4, 9)),
        *((str(line), "_TypeOfTheSite") for line in (9, 10)),
        ("11", "_AttributeOfTheType"),
        *((str(line), "_AttributeOfTheTypeAndItsValue") for line in (12, 13)),
        ("14", "_AttributeOfTheType"),
        ("15", "_AttributeOfTheTypeAndItsValue"),
    ]
    named = re.findall(r" type \"Literal\['(\w+)'\]\"", run.stdout)
    types = ["Task", "Task", "Taks", "Task", "Task", "Taks", "Taks"]
    assert named == [*types, "stauts", "stauts", "bid", "fstrat", "fstart"]


def test_pyright_names_the_mistake(site: Path) -> None:
    """After a wrong call, a message has the wrong key or the wrong name of a type."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    assert main(["stubs"]) == 0
    program = """from ftrack_types import Session

def change(session: Session) -> None:
    session.create("Task", {"nam": "comp"})
    session.create("Taks", {"name": "comp"})
    session.create("Task")
"""
    (site / "program.py").write_text(program, encoding="utf-8")
    _, reported = ask_pyright(site)
    texts = {place[1]: "\n".join(found) for place, found in reported.items()}
    assert set(texts) == {4, 5}
    assert '"nam" is an undefined item in type "TaskData"' in texts[4]
    assert '"Literal[\'Taks\']" is not assignable to "_TypeOfTheSite"' in texts[5]
