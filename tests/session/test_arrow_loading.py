"""Arrow is imported while the server answers the first query for dates."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import arrow
import pytest

from ftrack_like.wire import values

DATED = """if True:
    import sys, threading, ftrack_like
    from ftrack_like._session import arrow_loading
    with ftrack_like.Session({url!r}, "secret-key-1", "jane", plugin_paths=[],
                             schema_cache_path={folder!r}) as session:
        session.query("select {names} from Task").all()
        {more}
        thread = arrow_loading._thread
        if thread is not None:
            thread.join()
        print("arrow" in sys.modules, thread is not None)
"""


def run(server: Any, folder: Path, names: str, more: str = "pass") -> list[str]:
    """Return what a program prints that queries *names* and then does *more*."""
    code = DATED.format(url=server.url, folder=str(folder), names=names, more=more)
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def test_query_for_dates_imports_arrow(server: Any, tmp_path: Path) -> None:
    """A query that selects a date imports arrow in a thread."""
    assert run(server, tmp_path, "name, start_date") == ["True", "True"]


def test_query_without_dates_does_not(server: Any, tmp_path: Path) -> None:
    """A query without dates does not import arrow."""
    assert run(server, tmp_path, "name, status.name") == ["False", "False"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_fork_waits_for_the_import(server: Any, tmp_path: Path) -> None:
    """A process that is forked right after the query can import arrow."""
    more = (
        "import os; child = os.fork();"
        " child or (__import__('arrow'), os._exit(7));"
        " assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7"
    )
    assert run(server, tmp_path, "start_date", more) == ["True", "True"]


@pytest.mark.parametrize(
    "text", ["2026-01-01T10:07:00", "2026-12-31T23:59:59.999999", "2024-02-29", "0001-01-01"]
)
def test_assembled_dates_equal_constructed_dates(text: str) -> None:
    """A date without an offset is the same object that the constructor of arrow makes."""
    plain = datetime.datetime.fromisoformat(text)
    expected = arrow.Arrow(*plain.timetuple()[:6], plain.microsecond)
    found = values.decode_date(text)
    assert found == expected
    assert vars(found) == vars(expected)
    assert found.isoformat() == expected.isoformat()
    assert found.shift(hours=1) == expected.shift(hours=1)


def test_other_forms_of_arrow_use_the_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    """If arrow objects have other attributes than expected, the constructor makes them."""

    class Other(arrow.Arrow):
        """An arrow object with one attribute more."""

        def __init__(self, *args: Any, **kw: Any) -> None:
            super().__init__(*args, **kw)
            self.more = True

    monkeypatch.setattr(arrow, "Arrow", Other)
    monkeypatch.setattr(values, "_from_plain", None)
    monkeypatch.setattr(values, "_read", {})
    found = values.decode_date("2026-01-01T10:07:00")
    monkeypatch.setattr(values, "_from_plain", None)
    assert getattr(found, "more", False)
    assert found == arrow.get("2026-01-01T10:07:00")
