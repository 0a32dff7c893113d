"""The README on an index, which has no other files of the repository."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def hook() -> ModuleType:
    """Return the module of the hook."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    spec = importlib.util.spec_from_file_location("readme_hook", PROJECT / "tools/readme_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_relative_addresses_are_removed(hook: ModuleType) -> None:
    """Relative pictures go, relative links become text, and absolute ones stay."""
    text = (
        "Before.\n\n.. image:: docs/a.png\n   :alt: A picture.\n   :width: 700\n\nSee "
        "`the policy <SECURITY.rst>`_ and `a page <https://a.example/b>`_.\n\n"
        ".. image:: https://a.example/c.png\n"
    )
    assert hook.for_an_index(text) == (
        "Before.\n\nSee the policy and `a page <https://a.example/b>`_.\n\n"
        ".. image:: https://a.example/c.png\n"
    )


def test_picture_of_the_readme_exists_and_is_small() -> None:
    """The README shows pictures of the repository, of at most 100 KB each."""
    readme = (PROJECT / "README.rst").read_text(encoding="utf-8")
    pictures = [line.split("::")[1].strip() for line in readme.splitlines() if "image::" in line]
    assert pictures
    assert all(0 < (PROJECT / each).stat().st_size <= 100_000 for each in pictures)


def test_metadata_have_the_description(hook: ModuleType) -> None:
    """The metadata of the package contain the README, without its pictures."""
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    core = ProjectMetadata(str(PROJECT), PluginManager()).core
    assert core.readme_content_type == "text/x-rst"
    assert core.readme.startswith("ftrack-like\n===")
    assert "image::" not in core.readme
    assert core.entry_points["pytest11"] == {"ftrack_like": "ftrack_like.pytest_plugin"}
    docutils = pytest.importorskip("docutils.core", reason="docutils is not installed")
    settings = {"report_level": 2, "halt_level": 2, "raw_enabled": False}
    assert docutils.publish_string(core.readme, settings_overrides=settings)
