"""The documentation tells the truth: its code runs against a sandbox and prints what it shows.

On every page, and in README.rst, the blocks ``.. code-block:: python`` run in order in one
namespace. A block ``.. code-block:: text`` right after one is what it prints; ``...`` in it stands
for anything. On pages of ``docs`` the names ``sandbox`` and ``session`` are given: a sandbox of the
page's own and a session on it. Comments direct this::

    .. setup

       code that runs here, and that Sphinx shows as a fold (docs/conf.py)

    .. not run: the reason why the next block is only compiled

A third one, ``.. needs ffmpeg``, has the page skipped where there is no ffmpeg. After a fourth one,
``.. run by pytest``, the next block is a file, named by its caption. At the end of the page, pytest
runs all these files in a process of its own, and each file that begins with ``test`` must pass.
"""

from __future__ import annotations

import contextlib
import dataclasses
import doctest
import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ftrack_like.exception import MediaError
from ftrack_like.media import find_ffmpeg

PROJECT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([PROJECT / "README.rst", *(PROJECT / "docs").rglob("*.rst")])
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclasses.dataclass
class Block:
    """A piece of a page: *kind* is python, text or setup; *line* counts from 1."""

    kind: str
    line: int
    text: str
    not_run: bool = False
    output: str | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        self.text = textwrap.dedent(self.text).strip("\n") + "\n"


def indented(lines: list[str], start: int, indent: int) -> int:
    """Return the index after the lines from *start* on that are blank or deeper than *indent*."""
    end = start
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        end += 1
    return end


def blocks(text: str) -> list[Block]:
    """Return the blocks of the page *text* in order, each with the output that follows it."""
    lines = text.splitlines()
    found: list[Block] = []
    index, not_run, fresh, for_pytest = 0, False, False, False
    while index < len(lines):
        line = lines[index]
        words = line.strip()
        index += 1
        if words.startswith(".. not run:"):
            not_run = True
        elif words == ".. run by pytest":
            for_pytest = True
        elif words in (".. code-block:: python", ".. code-block:: text", ".. setup"):
            end = indented(lines, index, len(line) - len(line.lstrip()))
            file = None
            while index < end and (not lines[index].strip() or lines[index].strip()[0] == ":"):
                option, _, value = lines[index].strip().rpartition(": ")
                file = value if option == ":caption" and for_pytest else file
                index += 1
            text = "\n".join(lines[index:end])
            block = Block(words.split()[-1], index + 1, text, not_run, file=file)
            for_pytest = False
            if block.kind == "text" and fresh:
                found[-1].output = block.text
            elif block.kind != "text":
                found.append(block)
            not_run, fresh, index = False, block.kind == "python", end
        elif words:
            fresh = False
    return found


def place(page: Path) -> str:
    """Return the name of *page* below the project."""
    return page.relative_to(PROJECT).as_posix()


def run(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Run *block* in *namespace* and compare what it prints; errors point into *page*."""
    lead = "\n" * (block.line - 1)
    code = compile(lead + block.text, str(page), "exec")
    if block.not_run:
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    expected = block.output or ""
    if not doctest.OutputChecker().check_output(expected, printed.getvalue(), OPTIONS):
        pytest.fail(
            f"{place(page)}:{block.line} prints\n{printed.getvalue()}\nbut shows\n{expected}",
            pytrace=False,
        )


def run_by_pytest(files: list[Block], folder: Path) -> None:
    """Write *files* into *folder*, and run the tests in them in a process of its own."""
    for block in files:
        (folder / str(block.file)).write_text(block.text, encoding="utf-8")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "ftrack_like.pytest_plugin", "-rA"),
            *("--rootdir", str(folder), "-p", "no:cacheprovider", str(folder)),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    tested = [str(one.file) for one in files if str(one.file).startswith("test")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"PASSED {file}::" in done.stdout for file in tested), done.stdout


def with_code(pages: list[Path]) -> list[Any]:
    """Return parameters for those of *pages* that hold Python."""
    return [
        pytest.param(page, id=place(page))
        for page in pages
        if blocks(page.read_text(encoding="utf-8"))
    ]


def skip_without_ffmpeg() -> None:
    """Skip the test if there is no ffmpeg, with what the search for it says."""
    try:
        find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("page", with_code(PAGES))
def test_page_runs(
    page: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every block of the page runs, and prints exactly what the page shows."""
    monkeypatch.chdir(tmp_path)
    for name in ("FTRACK_SERVER", "FTRACK_API_KEY", "FTRACK_API_USER"):
        monkeypatch.delenv(name, raising=False)
    text = page.read_text(encoding="utf-8")
    if ".. needs ffmpeg" in text.splitlines():
        skip_without_ffmpeg()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.ExitStack() as stack:
        if page.name != "README.rst":
            namespace["sandbox"] = request.getfixturevalue("fresh_sandbox")
            namespace["session"] = stack.enter_context(namespace["sandbox"].session())
        files = [block for block in blocks(text) if block.file]
        for block in blocks(text):
            if not block.file:
                run(block, page, namespace)
        if files:
            folder = tmp_path / "tests of the page"
            folder.mkdir()
            run_by_pytest(files, folder)


def test_blocks_are_found_with_their_output() -> None:
    """A page's code, hidden set-up, reasons not to run and printed text are told apart."""
    page = textwrap.dedent(
        """
        Title
        =====
        .. setup

           hidden = 1

        .. code-block:: python

           print(hidden)

        .. code-block:: text

           1

        Prose.

        .. code-block:: text

           not an output

        .. not run: it would wait for ever

        .. code-block:: python
           :caption: listen.py

           wait()

        .. run by pytest

        .. code-block:: python
           :caption: test_it.py

           def test(): pass
        """
    )
    assert [block.file for block in blocks(page)] == [None, None, None, "test_it.py"]
    assert [(b.kind, b.line, b.text, b.output, b.not_run) for b in blocks(page)] == [
        ("setup", 6, "hidden = 1\n", None, False),
        ("python", 10, "print(hidden)\n", "1\n", False),
        ("python", 27, "wait()\n", None, True),
        ("python", 34, "def test(): pass\n", None, False),
    ]


def test_wrong_output_fails() -> None:
    """A block that prints anything else than the page shows is reported with its place."""
    block = Block("python", 3, "print('two')", output="one\n")
    with pytest.raises(pytest.fail.Exception, match=r"README\.rst:3 prints\ntwo"):
        run(block, PROJECT / "README.rst", {})
