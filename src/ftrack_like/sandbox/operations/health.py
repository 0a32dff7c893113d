"""Whether the sandbox can answer requests."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import sqlalchemy

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Health", "HealthReport", "encode_queue_length"]

_LOGGER = logging.getLogger(__name__)

#: How long a result is used again, in seconds. Anybody may ask, so asking must be cheap.
_FRESH = 2.0


class HealthReport(NamedTuple):
    """Whether all parts work, and the state of each part in a word, without secrets."""

    is_ready: bool
    parts: Mapping[str, str]


class Health:
    """Checks the parts of the sandbox behind *api*. Threads may share it."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        """Initialise without a check; *clock* returns seconds."""
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._checked_at = float("-inf")
        self._report = HealthReport(False, {})

    def report(self) -> HealthReport:
        """Return a report that is at most two seconds old. The check may block."""
        with self._lock:
            if self._clock() - self._checked_at > _FRESH:
                self._report = self._check()
                self._checked_at = self._clock()
            return self._report

    def _check(self) -> HealthReport:
        checks: dict[str, Callable[[], str]] = {
            "database": self._database,
            "media": self._media,
            "encoder": self._encoder,
        }
        parts = {}
        for name, check in checks.items():
            try:
                parts[name] = check()
            except Exception:
                # The answer says only which part fails: the error may contain an address.
                _LOGGER.warning("The check of the %s failed.", name, exc_info=True)
                parts[name] = "fails"
        return HealthReport("fails" not in parts.values(), parts)

    def _database(self) -> str:
        with self._api.database.read() as connection:
            connection.execute(sqlalchemy.select(sqlalchemy.literal(1)))
        return "ok"

    def _media(self) -> str:
        """Write and remove a file, which also finds a disk that is full or read-only."""
        path = self._api.media.folder / f".health-{os.getpid()}-{threading.get_ident()}"
        try:
            path.write_bytes(b"ok")
        finally:
            path.unlink(missing_ok=True)
        return "ok"

    def _encoder(self) -> str:
        """Return ``idle`` or ``busy``: a long queue is no reason to replace a server."""
        return "busy" if encode_queue_length(self._api) else "idle"


def encode_queue_length(api: Api) -> int:
    """Return the number of encode jobs that wait or run."""
    jobs = TABLES["encode_job"]
    count = sqlalchemy.select(sqlalchemy.func.count()).where(jobs.c.state != "failed")
    with api.database.read() as connection:
        return int(connection.execute(count).scalar_one())
