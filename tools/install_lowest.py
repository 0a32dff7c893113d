"""Install packages with pip, every direct dependency at the lowest version that is allowed.

tox calls this in place of ``pip install`` in its environment ``lowest``. pip itself always takes
the newest version that fits, so the lower bounds of pyproject.toml become its constraints.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

PROJECT_FILE = Path(__file__).resolve().parent.parent / "pyproject.toml"
LOWER_BOUND = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*(?P<version>[0-9][^,;\s]*)"
)


def constraints(project: dict[str, Any]) -> list[str]:
    """Return ``name==version`` for the lower bound of every requirement of *project*.

    *project* is the table ``[project]`` of pyproject.toml. The project's references to its own
    extras carry no version and are left out.
    """
    requirements = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        requirements.extend(extra)
    bounds = filter(None, map(LOWER_BOUND.match, requirements))
    return sorted({f"{bound['name']}=={bound['version']}" for bound in bounds})


def main(arguments: list[str]) -> int:
    """Run ``pip install`` with *arguments* under the constraints; return its exit status."""
    project = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["project"]
    lines = constraints(project)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--constraint", str(path), *arguments]
        return subprocess.call(command)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
