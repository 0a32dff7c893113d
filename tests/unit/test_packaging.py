"""The metadata, the vendor folder and the rez package."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest

import ftrack_like

PROJECT = Path(__file__).resolve().parents[2]
REZ = PROJECT / "packaging" / "rez"


def module_at(path: Path) -> ModuleType:
    """Return the module in the file *path*."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Variable:
    """A stand-in for a variable of rez, which collects the values that a package appends."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def append(self, value: str) -> None:
        """Add *value* at the end."""
        self.values.append(value)

    def prepend(self, value: str) -> None:
        """Add *value* at the beginning."""
        self.values.insert(0, value)


class Environment:
    """A stand-in for ``env`` of rez: every attribute is a variable."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}

    def __getattr__(self, name: str) -> Variable:
        return self.variables.setdefault(name, Variable())

    def resolved(self, root: Path) -> dict[str, str]:
        """Return the variables as text; the package is installed at *root*."""
        return {
            name: os.pathsep.join(value.replace("{root}", str(root)) for value in each.values)
            for name, each in self.variables.items()
        }


@pytest.fixture
def package() -> dict[str, Any]:
    """Return the definitions of the rez package, and ``env`` as a stand-in."""
    definitions: dict[str, Any] = {"env": Environment()}
    exec((REZ / "package.py").read_text(encoding="utf-8"), definitions)
    return definitions


def test_rez_package_names_this_version(package: dict[str, Any]) -> None:
    """The rez package has the version of the library, and wants the Pythons of the library."""
    assert package["version"] == ftrack_like.__version__
    wanted = re.search(
        r'^requires-python = ">=(.+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert wanted is not None
    assert package["requires"] == [f"python-{wanted[1]}+"]


@pytest.fixture
def wheel_without_needs(tmp_path: Path) -> Path:
    """Return a small wheel named like the library, which has a command and needs nothing."""
    import zipfile

    info = "ftrack_like-9.9.dist-info"
    path = tmp_path / "ftrack_like-9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ftrack_like/__init__.py", "")
        file.writestr("ftrack_like/session.py", "def main():\n    print('works')\n")
        file.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: ftrack-like\nVersion: 9.9\n"
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(
            f"{info}/entry_points.txt",
            "[console_scripts]\nftrack-like = ftrack_like.session:main\n",
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def test_rez_package_is_built_and_works(
    package: dict[str, Any], wheel_without_needs: Path, tmp_path: Path
) -> None:
    """The build fills the folder, and the environment of the package finds library and command."""
    pytest.importorskip("pip", reason="pip is not installed")
    root = tmp_path / "root"
    command = package["build_command"].format(root=REZ, install="install").split()
    assert command[0] == "python"
    subprocess.run(
        [sys.executable, *command[1:]],
        check=True,
        timeout=240,
        env={
            **os.environ,
            "REZ_BUILD_INSTALL_PATH": str(root),
            "REZ_BUILD_PATH": str(tmp_path / "build"),
            "FTRACK_LIKE_WHEEL": str(wheel_without_needs),
            "PIP_NO_INDEX": "1",
        },
    )
    package["commands"]()
    variables = package["env"].resolved(root)
    environment = {**os.environ, "PYTHONPATH": variables["PYTHONPATH"]}
    code = "import ftrack_like.session; print(ftrack_like.session.__file__)"
    found = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert Path(found.strip()).is_relative_to(root)
    tool = Path(variables["PATH"]) / package["tools"][0]
    assert subprocess.check_output([sys.executable, tool], text=True, env=environment) == "works\n"


def test_rez_build_without_install_does_nothing(tmp_path: Path) -> None:
    """``rez build`` without ``--install`` leaves no file."""
    assert module_at(REZ / "build.py").main([]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return the function that makes the addresses of the metadata; a stand-in is the builder."""
    interface = ModuleType("interface")
    interface.MetadataHookInterface = object  # type: ignore[attr-defined]
    for name in ("hatchling", "hatchling.metadata", "hatchling.metadata.plugin"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "hatchling.metadata.plugin.interface", interface)
    found: Callable[..., dict[str, str]] = module_at(PROJECT / "tools/readme_hook.py").addresses
    return found


def test_addresses_of_a_release(addresses: Callable[..., dict[str, str]]) -> None:
    """A build that knows its source names the pages there; another one names none of them."""
    found = addresses("https://git.studio.example/ftrack-like/")
    assert found["Source"] == "https://git.studio.example/ftrack-like"
    assert found["Issues"] == "https://git.studio.example/ftrack-like/issues"
    assert {"Changelog", "Documentation"} <= found.keys()
    assert not {"Source", "Issues", "Changelog"} & addresses("").keys()
    assert all(len(label) <= 32 for label in found)


@pytest.mark.parametrize("source", ["git@studio.example:x", "http://a.example", "https://u:p@h/x"])
def test_wrong_addresses_are_errors(addresses: Callable[..., dict[str, str]], source: str) -> None:
    """An address that is not a page is an error, which does not show a password."""
    with pytest.raises(ValueError, match="FTRACK_LIKE_SOURCE_URL") as caught:
        addresses(source)
    assert source not in str(caught.value)
