"""pytest in a process of its own, in an environment in which the plugin is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def run_pytest(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Return the function that runs pytest with the entry points of ``pyproject.toml``."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = tmp_path / "site" / "ftrack_like-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: ftrack-like\nVersion: 0\n")
    points = project["entry-points"]["pytest11"].items()
    lines = [f"{name} = {module}\n" for name, module in points]
    (installed / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))
    # pytest marks the packages that the record of an installed distribution lists.
    (installed / "RECORD").write_text("ftrack_like/__init__.py,,\n")
    paths = [str(installed.parent), str(PROJECT / "src"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    for name in ("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)

    return run
