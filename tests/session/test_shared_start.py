"""Sessions that start at once read the server's answers from a shared cache."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like import Session, cache, exception
from ftrack_like._session import shared_start


@pytest.fixture(params=["memory", "sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    """Return the address of an empty cache of each kind."""
    if request.param == "memory":
        yield f"memory://{uuid.uuid4().hex}"
        return
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shared.db"
        return
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL")
    if not url:
        pytest.skip("FTRACK_LIKE_TEST_REDIS_URL names no server")
    prefix = f"ftrack-test-{uuid.uuid4().hex}:"
    yield f"{url}?expire=60&prefix={prefix}"
    cache.RedisCache(url, prefix=prefix).clear()


def start(sandbox: Any, address: Any, **values: Any) -> Session:
    """Return a session that shares its start and stores no schemas on the disk."""
    values = {"cache_server_information": 60, "schema_cache_path": False, **values}
    session: Session = sandbox.session(cache=address, **values)
    return session


def entry(session: Session, name: str) -> tuple[Any, str]:
    """Return the storage of *session* and its key for the answer *name*."""
    layer: Any = session.cache.caches[1]
    shared = shared_start.SharedStart(session, layer, 60)
    if name == "schemas":
        name = f"schemas:{session.server_information['schema_hash']}"
    return layer.storage.expiring(shared_start._STORED_LIFE), shared._prefix + name


def test_second_session_starts_without_a_request(sandbox: Any, address: str) -> None:
    """The first session asks twice; the next one reads both answers from the cache."""
    with start(sandbox, address) as first:
        assert first.statistics.requests == 2
        with start(sandbox, address) as second:
            assert second.statistics.requests == 0
            assert second.server_information == first.server_information
            assert second.schemas == first.schemas
            assert second.query("User").first() is not None


def test_sharing_is_off_by_default(sandbox: Any, address: str) -> None:
    """Without the argument every session asks the server."""
    for _ in range(2):
        with start(sandbox, address, cache_server_information=None) as session:
            assert session.statistics.requests == 2


def test_storm_asks_the_server_twice(sandbox: Any, address: str) -> None:
    """Of many sessions that start at once, one asks and the others wait for its answers."""
    count, requests = 20, []
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait()
        with start(sandbox, address) as session:
            requests.append(session.statistics.requests)
            assert session.types["Task"]

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(requests) == count
    assert sum(requests) == 2


STARTER = """
import sys
from ftrack_like import Session
url, key, user, cache = sys.argv[1:]
with Session(url, key, user, cache=cache, cache_server_information=60,
             schema_cache_path=False, plugin_paths=[]) as session:
    print(session.statistics.requests)
"""


def test_processes_share_their_start(sandbox: Any, address: str) -> None:
    """Processes that start at once ask the server twice together."""
    if address.startswith("memory"):
        pytest.skip("processes do not share memory")
    with sandbox.session() as plain:
        values = [plain.server_url, plain.api_key, plain.api_user, address]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, *values], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    found = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(found) == 2


def test_other_keys_and_users_ask_themselves(sandbox: Any, address: str) -> None:
    """A wrong key is refused although the answers for another key are in the cache."""
    with start(sandbox, address) as first, pytest.raises(exception.ServerError):
        Session(
            first.server_url,
            "wrong",
            first.api_user,
            cache=address,
            cache_server_information=60,
            schema_cache_path=False,
        )


@pytest.mark.parametrize("name", ["information", "schemas"])
@pytest.mark.parametrize("kind", ["garbage", "json", "list", "bomb", "other"])
def test_bad_answers_are_asked_again(sandbox: Any, address: str, name: str, kind: str) -> None:
    """A session starts with the server's answers whatever is in the cache."""
    with start(sandbox, address) as first:
        storage, key = entry(first, name)
        right = first.server_information
    texts = {
        "garbage": "\x00\x01",
        "json": '{"time": "now", "information": 5}',
        "list": "[1, 2]",
        "bomb": base64.b64encode(zlib.compress(b" " * 2**27)).decode(),
        "other": base64.b64encode(zlib.compress(b"[]")).decode(),
    }
    if name == "information" and kind == "other":
        texts["other"] = json.dumps(
            {"time": time.time(), "information": {"version": "1.0", "schema_hash": "x"}}
        )
    storage.set(key, texts[kind])
    with start(sandbox, address) as second:
        assert second.statistics.requests == 1
        assert second.server_information == right
    with start(sandbox, address) as third:
        assert third.statistics.requests == 0


def test_old_answers_are_asked_again(sandbox: Any, address: str) -> None:
    """A description that is older than the argument allows is not used."""
    with start(sandbox, address) as first:
        storage, key = entry(first, "information")
    stored = json.loads(storage.get(key))
    storage.set(key, json.dumps({**stored, "time": time.time() - 30}))
    with start(sandbox, address) as second:
        assert second.statistics.requests == 0
    with start(sandbox, address, cache_server_information=20) as third:
        assert third.statistics.requests == 1


def test_changed_schemas_are_asked_again(sandbox: Any, address: str) -> None:
    """A description with a new hash makes the session ask for the new schemas."""
    with start(sandbox, address) as first:
        storage, key = entry(first, "information")
    stored = json.loads(storage.get(key))
    stored["information"]["schema_hash"] = "0" * 32
    storage.set(key, json.dumps(stored))
    with start(sandbox, address) as second:
        assert second.statistics.requests == 1
        assert second.query("User").first() is not None


def test_session_that_died_with_the_lock_is_no_obstacle(
    sandbox: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no answer comes, a waiting session asks the server itself."""
    monkeypatch.setattr(shared_start, "WAITING_TIME", 0.2)
    with start(sandbox, address) as first:
        storage, key = entry(first, "information")
        layer: Any = first.cache.caches[1]
    storage.remove(key)
    assert layer.storage.add(f"{key}:lock", "1", 60)
    assert not layer.storage.add(f"{key}:lock", "1", 60)
    with start(sandbox, address) as second:
        assert second.statistics.requests == 1


def test_lock_ends_with_its_time(sandbox: Any, address: str) -> None:
    """A lock that nobody removes ends by itself."""
    with start(sandbox, address) as session:
        layer: Any = session.cache.caches[1]
        name = f"lock-{uuid.uuid4().hex}"
        assert layer.storage.add(name, "1", 0.05)
        end = time.monotonic() + 10
        while not layer.storage.add(name, "1", 0.05):
            assert time.monotonic() < end


def test_cache_that_is_gone_does_not_stop_the_start(
    sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The session asks the server if its cache does not answer."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    with start(sandbox, "redis://127.0.0.1:1/0") as session:
        assert session.statistics.requests == 2
    assert len([each for each in caplog.records if each.levelno >= logging.WARNING]) == 1


def test_without_a_shared_cache_a_warning_says_so(
    sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The argument alone has no effect."""
    with start(sandbox, None) as session:
        assert session.statistics.requests == 2
    assert "no shared cache" in caplog.text


@pytest.mark.parametrize("seconds", [0, -5, True, "60", float("nan"), float("inf")])
def test_seconds_are_a_positive_number(sandbox: Any, seconds: Any) -> None:
    """Another value of the argument raises an error."""
    with pytest.raises(ValueError, match="cache_server_information"):
        start(sandbox, "memory://", cache_server_information=seconds)
