"""What older code imports, overrides and sets: small seams that no other test holds."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ftrack_like
from ftrack_like import _weakref
from ftrack_like.cache import FileCache
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session


def test_weak_methods_are_importable() -> None:
    """Older code takes weak methods from a private module; they forget their object."""

    class Listener:
        def hear(self) -> str:
            return "heard"

    listener = Listener()
    weak = _weakref.WeakMethod(listener.hear)
    alive = weak()
    assert alive is not None
    assert alive() == "heard"
    del listener, alive
    assert weak() is None


@pytest.mark.parametrize(("text", "size"), [("65536", 65536), (None, 1024 * 1024)])
def test_chunk_size_comes_from_the_environment(text: Any, size: int) -> None:
    """The variable for the size of chunks is read when the library is imported."""
    name = "FTRACK_API_FILE_CHUNK_SIZE"
    environment = {key: value for key, value in os.environ.items() if key != name}
    source = str(Path(ftrack_like.__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([source, environment.get("PYTHONPATH", "")])
    if text is not None:
        environment[name] = text
    code = "from ftrack_like.symbol import CHUNK_SIZE; print(CHUNK_SIZE)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == size


def test_older_name_of_call_may_be_overridden(sandbox: Any) -> None:
    """A subclass that overrides ``_call`` sees what the library asks."""
    seen: list[str] = []

    class Older(Session):
        def _call(self, data: Any) -> Any:
            seen.append(data[0]["action"])
            return super()._call(data)

    with Older(
        sandbox.server_url, sandbox.api_key, sandbox.api_user, auto_connect_event_hub=False
    ) as session:
        session.query("Project").first()
    assert seen[0] == "query_server_information"
    assert seen[-1] == "query"


def test_built_in_locations_pass_through_create(sandbox: Any) -> None:
    """The set-up of locations asks an overridden ``create`` for what exists already."""
    made: list[tuple[str, bool]] = []

    class Noting(Session):
        def create(self, entity_type: str, data: Any = None, reconstructing: bool = False) -> Any:
            made.append((entity_type, reconstructing))
            return super().create(entity_type, data=data, reconstructing=reconstructing)

    with Noting(
        sandbox.server_url, sandbox.api_key, sandbox.api_user, auto_connect_event_hub=False
    ) as session:
        assert made == [("Location", True)] * 4
        session._configure_locations()
        assert made == [("Location", True)] * 8


def test_file_of_a_cache(tmp_path: Path) -> None:
    """The constructor makes the file at just that path, and works again when it was removed."""
    path = tmp_path / "studio.cache"
    cache = FileCache(str(path))
    assert [entry.name for entry in tmp_path.iterdir() if entry.name == path.name] == [path.name]
    cache.set("a", "1")
    for entry in list(tmp_path.iterdir()):
        entry.unlink()
    with pytest.raises(KeyError):
        cache.get("a")
    cache.set("b", "2")
    assert cache.get("b") == "2"


def test_preparing_leaves_the_moment_to_the_server() -> None:
    """``_prepare_event`` fills in who sends, and not when."""
    hub = EventHub("http://127.0.0.1:9", "jane", "key")
    event = Event("studio", data={"a": 1})
    hub._prepare_event(event)
    assert event["sent"] is None
    assert event["source"]["user"]["username"] == "jane"


def test_arguments_of_the_constructor_are_the_published_ones() -> None:
    """Positional parameters keep their order; what is new can only be given by name."""
    given = inspect.getfullargspec(Session.__init__)
    assert (
        given.args
        == (
            "self server_url api_key api_user auto_populate plugin_paths cache cache_key_maker "
            "auto_connect_event_hub schema_cache_path plugin_arguments timeout cookies headers "
            "strict_api"
        ).split()
    )
