"""Fixtures for the tests of encoding: the programs, and a run of the pipeline."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like._base.errors import MediaError
from ftrack_like._base.ffmpeg import find_ffmpeg


@pytest.fixture(scope="session")
def program() -> str:
    """Return the path of ffmpeg, or skip the test with what it said."""
    try:
        return find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))


@pytest.fixture
def encode(program: str, tmp_path: pathlib.Path) -> Callable[..., Any]:
    """Return a function that encodes a file and returns the files that were made, by name."""
    from ftrack_like._media.pipeline import Pipeline, Source
    from ftrack_like._media.programs import LocalPrograms

    def encoded(path: pathlib.Path, is_image: bool = False, **options: Any) -> Any:
        folder = tmp_path / "encoded"
        folder.mkdir(exist_ok=True)
        source = Source(repr(path.name), str(path), is_image=is_image)
        made = Pipeline(LocalPrograms()).make(source, folder, **options)
        return {one.name: one for one in made.files}

    return encoded
