"""The files and media of the server: storage, signed addresses, actions, routes and encoding."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import Any, Optional
from urllib.parse import parse_qsl

import sqlalchemy
from starlette.routing import BaseRoute

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.actions import ENCODE_JOBS, MediaActions
from ftrack_like.sandbox.media.encode_jobs import EncodeJobs
from ftrack_like.sandbox.media.jobs import EncodeQueue, Office
from ftrack_like.sandbox.media.pictures import Pictures
from ftrack_like.sandbox.media.plan import suffix_of
from ftrack_like.sandbox.media.routes import FileRoutes
from ftrack_like.sandbox.media.signing import HOLDER, Signer
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.media.tools import MediaTools
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["MediaService"]

#: A signed address works for at least 24 hours. Its end is a full hour, so that repeated requests
#: get the same address.
_ADDRESS_HOURS = 25


class MediaService:
    """The files and media of the sandbox, in *folder*, within *limits*."""

    def __init__(self, folder: pathlib.Path, limits: Optional[Limits] = None) -> None:
        """Open the folder; nothing runs before :meth:`start`."""
        limits = Limits() if limits is None else limits
        self.tools: MediaTools = MediaTools(limits)
        self.pictures: Pictures = Pictures(limits)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store: ComponentStore = ComponentStore(folder, limits.thumbnail_bytes)
        self.signer: Signer = Signer.in_folder(folder)
        self._queue: Optional[EncodeQueue] = None

    def actions(self) -> tuple[ApiAction, ...]:
        """Return the API actions about files."""
        return MediaActions(self.store, self.signer).actions()

    def routes(
        self,
        database: Database,
        authenticate: Callable[[str, str], Any],
        allow: Callable[[Any, str, str], None],
        allow_holder: Callable[[str, str, str], None],
    ) -> list[BaseRoute]:
        """Return the routes below ``/component``; see :class:`FileRoutes`."""

        def name_of(component_id: str) -> Optional[str]:
            columns = TABLES["component"].c
            statement = sqlalchemy.select(columns.name, columns.file_type)
            with database.read() as connection:
                found = connection.execute(statement.where(columns.id == component_id)).first()
            return None if found is None else f"{found.name}{suffix_of(found.file_type)}"

        return FileRoutes(
            self.store, self.signer, self.pictures, authenticate, name_of, allow, allow_holder
        ).routes()

    def sign(self, path: str, holder: Optional[str] = None) -> str:
        """Return the address *path* (with its parameters), signed for a plain GET.

        The address works while the user with the id *holder* may read its target. Without a holder,
        it works until it expires.
        """
        address, _, parameters = path.partition("?")
        now = time.time()
        until = (now // 3600 + _ADDRESS_HOURS) * 3600
        hidden = self.signer.hide(holder) if holder else None
        signed = {**dict(parse_qsl(parameters)), HOLDER: hidden}
        return self.signer.sign(address, signed, until - now)

    def start(self, jobs: EncodeJobs, office: Office) -> None:
        """Start to encode *jobs*; *office* runs operations of the protocol."""
        self._queue = EncodeQueue(self.store, self.tools, jobs, office)
        self._queue.start()

    def committed(self, batch: Batch) -> None:
        """Queue the jobs that *batch* created; call this after its commit."""
        for job_id in batch.notes.get(ENCODE_JOBS, ()):
            if self._queue is not None:
                self._queue.submit(job_id)

    def stop(self) -> None:
        """Stop encoding; the next start continues with the remaining jobs."""
        if self._queue is not None:
            self._queue.stop()
            self._queue = None
        self.pictures.close()
        self.store.close()
