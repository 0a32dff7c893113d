"""Discovery of plugins."""

from __future__ import annotations

import logging
import os
import sys

import pytest

from ftrack_like import plugin

REGISTERED: list = []

HEADER = """
import sys
def record(*arguments):
    sys.modules[{module!r}].REGISTERED.append(arguments)
"""


@pytest.fixture
def registered():
    """What the plugins of this test recorded."""
    REGISTERED.clear()
    return REGISTERED


@pytest.fixture
def write(tmp_path):
    """Write a plugin with the code given."""

    def write_plugin(code, name="plugin.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER.format(module=__name__) + code)
        path.chmod(0o644)
        return path

    return write_plugin


@pytest.fixture
def records(caplog):
    """The log records of discovery."""
    caplog.set_level(logging.DEBUG, "ftrack_like.plugin")
    return caplog


def _levels(records):
    return [record.levelname for record in records.records]


def test_walks_folders_in_order(write, registered, tmp_path, records):
    """Sub-folders are searched, .py files alone are plugins, and missing folders pass."""
    for name in ("b.py", "a.py", "sub/deep/c.py", ".hidden/d.py"):
        write(f"def register(session): record({name!r}, session)", name)
    write("def register(session): record('wrong')", "notes.txt")
    write("def register(session): record('wrong')", "compiled.pyc")
    plugin.discover([str(tmp_path / "absent"), tmp_path], ["session"])
    names = ["a.py", "b.py", ".hidden/d.py", "sub/deep/c.py"]
    assert registered == [(name, "session") for name in names]
    assert records.records == []


def test_module_has_a_name_and_a_place(write, registered, tmp_path):
    """A plugin knows its file, may have the name of another module, and may define data classes."""
    code = (
        "from __future__ import annotations\n"
        "import dataclasses, pickle\n"
        "@dataclasses.dataclass\n"
        "class Point:\n    x: dataclasses.InitVar[int] = 1\n"
        "def register(session): record(__file__, pickle.loads(pickle.dumps(Point())) == Point())"
    )
    path = tmp_path / "logging.py"
    path.write_text(code.replace("import dataclasses", "import sys, dataclasses", 1))
    path.write_text(
        path.read_text() + f"\ndef record(*a): sys.modules[{__name__!r}].REGISTERED.append(a)\n"
    )
    plugin.discover([str(tmp_path)], ["session"])
    assert registered == [(str(path), True)]
    assert sys.modules["logging"] is logging


@pytest.mark.parametrize(
    ("signature", "expected", "trimmed"),
    [
        ("session, **kw", "{'kw': {'b': 2, 'k': 3}, 'session': 1}", False),
        ("session, b, k", "{'b': 2, 'k': 3, 'session': 1}", False),
        ("session, *, k, b", "{'b': 2, 'k': 3, 'session': 1}", False),
        ("session, b=0, *, k=0", "{'b': 2, 'k': 3, 'session': 1}", False),
        ("*args, **kw", "{'args': (1,), 'kw': {'b': 2, 'k': 3}}", False),
        ("session", "{'session': 1}", True),
        ("session, b=0", "{'b': 2, 'session': 1}", True),
        ("session, other=0", "{'other': 0, 'session': 1}", True),
        ("b", "{'b': 1}", True),
        ("session, /, b=0", "{'b': 2, 'session': 1}", True),
        ("**kw", "{'kw': {'b': 2, 'k': 3}}", True),
        ("", "{}", True),
    ],
)
def test_arguments_fit_the_signature(
    write, registered, tmp_path, records, signature, expected, trimmed
):
    """Each register gets what it takes; what is left out is logged once."""
    write(f"def register({signature}): record(dict(sorted(locals().items())))")
    plugin.discover([tmp_path], [1], {"b": 2, "k": 3})
    assert [str(item) for (item,) in registered] == [expected]
    assert _levels(records) == (["WARNING"] if trimmed else [])


def test_first_positional_arguments_are_kept(write, registered, tmp_path):
    """A plugin that takes one argument gets the session, whatever follows it."""
    write("def register(session): record(session)")
    plugin.discover([tmp_path], ["session", "more", "still more"])
    assert registered == [("session",)]


def test_register_may_be_any_callable(write, registered, tmp_path):
    """A class or an instance that can be called is as good as a function."""
    write("class register:\n    def __init__(self, session): record(session)", "class.py")
    write("import functools\nregister = functools.partial(record, 'partial')", "partial.py")
    plugin.discover([tmp_path], ["session"], {"unused": 1})
    assert registered == [("session",), ("partial", "session")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('broken')", "broken"),
        ("raise ValueError", "ValueError"),
        ("def (", "invalid syntax"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("sys.exit(3)", "it called sys.exit(3)"),
        ("def register(session): raise ValueError('in register')", "in register"),
        ("def register(session): sys.exit()", "sys.exit(None)"),
        ("def register(session, missing): pass", "missing"),
        ("def register(session, *, missing): pass", "missing"),
    ],
)
def test_plugin_that_fails_is_logged_and_passed(write, registered, tmp_path, records, code, said):
    """One warning that names the file, one debug record with the trace; the others load."""
    path = write(code, "broken.py")
    write("def register(session, unused=None): record('good')", "good.py")
    plugin.discover([tmp_path], ["session"], {"unused": 1})
    assert registered == [("good",)]
    assert _levels(records) == ["WARNING", "DEBUG"]
    warning, debug = (record.getMessage() for record in records.records)
    assert warning.startswith(f'Failed to load plugin from "{path}": ')
    assert said in warning
    assert "Traceback" in debug


def test_plugin_without_register_is_logged(write, tmp_path, records):
    """A file that is no plugin is named in a warning."""
    path = write("")
    plugin.discover([tmp_path], ["session"])
    assert _levels(records) == ["WARNING"]
    assert records.records[0].getMessage().startswith("Failed to load plugin")
    assert str(path) in records.records[0].getMessage()


def test_interrupt_ends_discovery(write, tmp_path):
    """Ctrl-C is for the program, not for the plugin."""
    write("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        plugin.discover([tmp_path], ["session"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such mode")
def test_world_writable_plugin_is_warned_of(write, registered, tmp_path, records):
    """A plugin that anybody may change is loaded, and named in a warning."""
    path = write("def register(session): record(session)")
    path.chmod(0o666)
    plugin.discover([tmp_path], ["session"])
    assert registered == [("session",)]
    assert _levels(records) == ["WARNING"]
    assert str(path) in records.records[0].getMessage()


def test_load_source_loads_any_file(tmp_path):
    """A module can be made of any file, without entering the list of modules."""
    path = tmp_path / "no suffix"
    path.write_text("value = __name__")
    module = plugin.load_source("some_name", str(path))
    assert module.value == "some_name"
    assert module.__file__ == str(path)
    assert "some_name" not in sys.modules
    with pytest.raises(FileNotFoundError):
        plugin.load_source("absent", str(tmp_path / "absent"))
