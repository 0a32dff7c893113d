"""Code that imports the published name runs on this library."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ftrack_like import __version__, compat, exception


@pytest.fixture
def installed():
    """Install the published name for one test."""
    if "ftrack_api" in sys.modules:
        pytest.skip("the published library is imported in this process")
    compat.install()
    yield
    compat.uninstall()


def test_every_path_is_the_same_module(installed):
    """A module and its classes are one object under both names."""
    import ftrack_api
    import ftrack_api.event.base
    from ftrack_api import exception as published

    import ftrack_like
    import ftrack_like.event.base

    assert ftrack_api is ftrack_like
    assert published is exception
    assert ftrack_api.event.base.Event is ftrack_like.event.base.Event
    assert isinstance(exception.ServerError(), published.ServerError)


def test_a_module_keeps_its_own_spec(installed):
    """Importing by the other name leaves what the import system knows of a module as it was."""
    import ftrack_api.symbol

    assert ftrack_api.symbol.__spec__.name == "ftrack_like.symbol"
    assert ftrack_api.symbol.__name__ == "ftrack_like.symbol"


def test_a_patch_is_seen_under_both_names(installed, monkeypatch):
    """What a test patches through the published name is patched in the library."""

    import ftrack_like.symbol

    monkeypatch.setattr("ftrack_api.symbol.CHUNK_SIZE", 7)
    assert ftrack_like.symbol.CHUNK_SIZE == 7


def test_an_unknown_module_is_not_found(installed):
    """A path that the library does not have is an ordinary import error."""
    with pytest.raises(ModuleNotFoundError, match=r"ftrack_api\.nothing"):
        import ftrack_api.nothing  # noqa: F401


def test_installing_twice_and_taking_back(installed):
    """A second install changes nothing, and uninstall ends it."""
    before = len(sys.meta_path)
    compat.install()
    assert len(sys.meta_path) == before
    assert compat.installed()
    compat.uninstall()
    assert not compat.installed()
    assert "ftrack_api" not in sys.modules


def test_it_refuses_beside_the_published_library(monkeypatch):
    """When the published library is loaded already, the error says from where and what to do."""
    other = type(sys)("ftrack_api")
    other.__file__ = "/somewhere/ftrack_api/__init__.py"
    monkeypatch.setitem(sys.modules, "ftrack_api", other)
    with pytest.raises(ImportError, match="imported already, from /somewhere"):
        compat.install()


def test_a_script_runs_unchanged(tmp_path):
    """python -m ftrack_like.compat gives a script its name, arguments and folder."""
    (tmp_path / "helper.py").write_text("WORD = 'beside'\n")
    script = tmp_path / "tool.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import ftrack_api, ftrack_api.exception, helper
            print(__name__, sys.argv[1:], helper.WORD, ftrack_api.__name__)
            raise SystemExit(3)
            """
        )
    )
    result = subprocess.run(
        [sys.executable, "-m", "ftrack_like.compat", str(script), "--all", "x"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.split("\n")[0] == "__main__ ['--all', 'x'] beside ftrack_like"
    assert result.returncode == 3


def test_a_missing_script_is_named(capsys):
    """No script, or one that does not exist, is said in a line."""
    assert compat.main([]) == 2
    assert compat.main(["/nowhere/tool.py"]) == 2
    assert "There is no script '/nowhere/tool.py'." in capsys.readouterr().err


DISTRIBUTION = Path(__file__).resolve().parents[2] / "compat"


def run_in_environment(code: str, *options: str, value: str | None = "1") -> str:
    """Return what *code* prints in a Python that has the opt-in of an environment.

    The folder of the distribution stands for the place of installed packages, whose ``.pth`` files
    Python reads as it starts.
    """
    environment = {**os.environ, "FTRACK_LIKE_COMPAT": value or ""}
    if value is None:
        del environment["FTRACK_LIKE_COMPAT"]
    start = f"import site, sys\nsite.addsitedir({str(DISTRIBUTION)!r})\n"
    result = subprocess.run(
        [sys.executable, *options, "-c", start + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


WHO = """
    try:
        import ftrack_api.symbol as found
    except ImportError:
        print("nobody")
    else:
        print(found.__name__)
"""


def test_environment_opts_in() -> None:
    """With the variable, the published name is ours in every program of the environment."""
    assert run_in_environment(WHO) == "ftrack_like.symbol"


@pytest.mark.parametrize("value", [None, "", "0"])
def test_environment_without_the_variable(value: str | None) -> None:
    """Without the variable, or with another value, nothing is changed."""
    assert run_in_environment(WHO, value=value) != "ftrack_like.symbol"


def test_environment_that_is_ignored() -> None:
    """A Python that ignores the environment is left alone."""
    assert run_in_environment(WHO, "-E") != "ftrack_like.symbol"


def test_opt_in_costs_nothing_without_an_import() -> None:
    """Programs that do not import the published name load nothing of the library."""
    code = """
        import json
        print(sorted(name for name in sys.modules if name.split(".")[0] == "ftrack_like"))
        import ftrack_api
        from ftrack_like import compat
        print(compat.installed(), [type(each).__name__ for each in sys.meta_path][:2])
    """
    loaded, installed = run_in_environment(code).splitlines()
    assert loaded == "[]"
    assert installed.startswith("True ['_Finder', ")
    assert "_FirstImport" not in installed


def test_opt_in_has_the_version_of_the_library() -> None:
    """Both distributions are released together."""
    text = (DISTRIBUTION / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in text
