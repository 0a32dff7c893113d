"""Sandboxes of two processes."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


from tests.sandbox.processes.asking import POSTGRESQL
from tests.sandbox_processes import ProcessSandbox, is_alive, wait_until

Namespace = Callable[[Optional[str]], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def database(namespace: Namespace) -> Iterator[str]:
    """Return the URL of a namespace in PostgreSQL for the tests of this module."""
    with namespace(POSTGRESQL) as url:
        yield url


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the folder of the files that belong to ``database``."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def pair(database: str, media: pathlib.Path) -> Iterator[ProcessSandbox]:
    """Return a running sandbox of two processes that no test ends."""
    with ProcessSandbox(database=database, media=media, key="the first key") as running:
        yield running


@pytest.fixture
def mortal(namespace: Namespace, tmp_path: pathlib.Path) -> Iterator[ProcessSandbox]:
    """Return a running sandbox of two processes for a test that ends some of them."""
    with namespace(POSTGRESQL) as url:
        with ProcessSandbox(database=url, media=tmp_path) as running:
            known = {*running.worker_ids}
            yield running
            known |= {*(running.worker_ids if running.process else ())}
        wait_until(lambda: not any(map(is_alive, known)))
