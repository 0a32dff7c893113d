"""The lowest versions are read from the project's own bounds."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location(
    "install_lowest", PROJECT / "tools" / "install_lowest.py"
)
assert spec is not None
assert spec.loader is not None
install_lowest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install_lowest)


def test_bounds_become_constraints() -> None:
    """Each lower bound pins its package, extras and upper bounds or not; own extras do not."""
    project = {
        "dependencies": ["requests>=2.25.1", "arrow>=0.17,<2"],
        "optional-dependencies": {
            "postgres": ["psycopg[binary]>=3.1.18"],
            "all": ["ftrack-like[postgres]"],
        },
    }
    expected = ["arrow==0.17", "psycopg==3.1.18", "requests==2.25.1"]
    assert install_lowest.constraints(project) == expected


def test_every_dependency_has_a_lower_bound() -> None:
    """No requirement of the project is without a lower bound, or lowest would not test it."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    table = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    requirements = [
        found for found in re.findall(r'"([^"]+)"', table) if not found.startswith("ftrack-like[")
    ]
    assert requirements
    assert [item for item in requirements if not install_lowest.LOWER_BOUND.match(item)] == []
