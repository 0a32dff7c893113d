"""The pages and the man page of the command line say what the parsers say."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

from ftrack_like.cli._commands import command_names, parser_for

PROJECT = pathlib.Path(__file__).resolve().parents[2]
MAN = PROJECT / "docs" / "man" / "ftrack-like.1"


def test_pages_are_up_to_date() -> None:
    """The files are what ``tools/write_command_line.py`` writes from the parsers."""
    done = subprocess.run(
        [sys.executable, "tools/write_command_line.py", "--check"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("program", ["man", "pages"])
def test_every_command_is_described(program: str) -> None:
    """Each command that does something has a heading in the man page and in the pages."""
    if program == "man":
        text = MAN.read_text(encoding="utf-8").replace("\\-", "-")
        forms = [f".SS {leaf.prog}" for leaf in parser_for(command_names()).leaves()[1:]]
    else:
        paths = (PROJECT / "docs" / "commands").glob("*.rst")
        text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        forms = [f"{leaf.prog}\n---" for leaf in parser_for(command_names()).leaves()[1:]]
    assert [form for form in forms if form not in text] == []


def test_man_page_is_valid() -> None:
    """groff formats the man page without a warning."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_wheel_has_the_man_page() -> None:
    """The build puts the man page where systems look for it."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"docs/man/ftrack-like.1" = "share/man/man1/ftrack-like.1"' in text
    assert MAN.exists()
