"""Install ftrack-like and its dependencies for the rez package in this folder.

rez runs ``python build.py install`` and names the folder in ``REZ_BUILD_INSTALL_PATH``. Without
``install`` nothing is left to do: the package has no compiled parts.

Set ``FTRACK_LIKE_WHEEL`` to install a wheel instead of the checkout. Variables such as
``PIP_FIND_LINKS`` and ``PIP_NO_INDEX`` make pip work without a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Only wheels without compiled parts, for the oldest Python: they work on all others.
PURE = ["--implementation", "py", "--abi", "none", "--platform", "any", "--python-version", "3.9"]


def command(source: str, target: Path) -> list[str]:
    """Return the command that installs *source*, a wheel, in the folder *target*."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [*pip, "--only-binary=:all:", *PURE, "--target", str(target), source]


def wheel(folder: Path) -> str:
    """Return the path of the wheel to install; build it in *folder* from the checkout if needed."""
    given = os.environ.get("FTRACK_LIKE_WHEEL")
    if given:
        return given
    checkout = Path(__file__).resolve().parents[2]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(checkout)], check=True)
    (made,) = folder.glob("ftrack_like-*.whl")
    return str(made)


def main(arguments: list[str]) -> int:
    """Install if *arguments* say so; return the exit status."""
    if "install" not in arguments:
        return 0
    target = Path(os.environ["REZ_BUILD_INSTALL_PATH"]) / "python"
    build = Path(os.environ.get("REZ_BUILD_PATH") or target.parent / "build")
    build.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(command(wheel(build), target), check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
