"""A cache below the memory that is broken or gone helps nobody, and is in nobody's way."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like import cache


class Disk(cache.MemoryCache):
    """A cache whose storage can be unplugged; *asked* counts what is wanted of it."""

    plugged = True
    asked = 0

    def _use(self) -> None:
        self.asked += 1
        if not self.plugged:
            raise OSError(5, "Input/output error")

    def get(self, key: Any) -> Any:
        self._use()
        return super().get(key)

    def set(self, key: Any, value: Any) -> None:
        self._use()
        super().set(key, value)

    def set_many(self, items: Any) -> None:
        self._use()
        super().set_many(items)

    def remove(self, key: Any) -> None:
        self._use()
        super().remove(key)


def texts_in(storage: Any) -> Any:
    """Return what makes a cache of texts in *storage* for a session."""
    return lambda session: cache.SerialisedCache(storage, session.encode, session.decode)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that were logged."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '"x"', '{"a": 1}', '{"__entity_type__": "Gone", "id": "1"}'],
)
def test_nonsense_in_a_cache_counts_as_missing(sandbox: Any, text: str) -> None:
    """A value that is no entity is asked of the server, and replaced by what that says."""
    storage = cache.MemoryCache()
    with sandbox.session(cache=texts_in(storage)) as session:
        status = session.query('select name from Status where name is "Omitted"').one()
        key = session.cache_key_maker.key(("Status", [status["id"]]))
    storage.set(key, text)
    with sandbox.session(cache=texts_in(storage)) as session:
        assert session.get("Status", status["id"])["name"] == "Omitted"
    assert "Omitted" in storage.get(key)


def test_failing_cache_is_left_out_for_a_while(
    sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A cache that fails costs one warning, and is used again later."""
    storage = Disk()
    with sandbox.session(cache=texts_in(storage)) as session:
        storage.plugged = False
        caplog.clear()
        before = storage.asked
        assert len(session.query("select name from Status").all()) > 5
        assert session.query("User").first()["username"] == "admin"
        assert session.get("Task", "none") is None
        assert storage.asked == before + 1
        assert len(warnings_in(caplog)) == 1
        assert "SerialisedCache" in warnings_in(caplog)[0]
        assert "Input/output error" in warnings_in(caplog)[0]

        storage.plugged = True
        resting = session._identity_map.below.resting
        assert all(rest.until > time.monotonic() for rest in resting.values())
        for rest in resting.values():
            rest.until = 0.0  # as if the time were over
        known = len(storage.keys())
        session.query("select name from Type").all()
        assert len(storage.keys()) > known


def test_commit_does_not_fail_for_a_cache(sandbox: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What the server has carried out is no error, whatever the cache says."""
    storage = Disk()
    with sandbox.session(cache=texts_in(storage)) as session:
        user = session.create("User", {"username": "cached"})
        session.commit()
        session.delete(user)
        storage.plugged = False
        session.commit()
        assert not session.recorded_operations
        assert session.query('User where username is "cached"').first() is None
    assert "works without it" in "".join(warnings_in(caplog))


def test_redis_that_is_gone_keeps_nobody_from_work(
    sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A session starts and works where the server of its cache does not answer."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    gone = cache.RedisCache("redis://127.0.0.1:1/0")
    with sandbox.session(cache=texts_in(gone)) as session:
        assert session.query("User").first()["username"] == "admin"
    assert len(warnings_in(caplog)) == 1
