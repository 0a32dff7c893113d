"""The files and media of the server: storage, signed addresses, actions, routes and encoding."""

from __future__ import annotations

import pathlib
import secrets
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
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.jobs import EncodeQueue, EncodeSettings
from ftrack_like.sandbox.media.manager import QueueManager
from ftrack_like.sandbox.media.office import Office
from ftrack_like.sandbox.media.pictures import Pictures
from ftrack_like.sandbox.media.plan import suffix_of
from ftrack_like.sandbox.media.routes import FileRoutes
from ftrack_like.sandbox.media.shared_folder import check_folder
from ftrack_like.sandbox.media.signing import HOLDER, Signer
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.media.tools import MediaTools
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["MediaService"]

#: A signed address works for at least 24 hours. Its end is a full hour, so that repeated requests
#: get the same address.
_ADDRESS_HOURS = 25


class MediaService:
    """The files and media of the site in *database*: in *folder*, within *limits*.

    *encoding* says how many jobs this process encodes at a time.
    """

    def __init__(
        self,
        database: Database,
        folder: pathlib.Path,
        limits: Optional[Limits] = None,
        encoding: Optional[EncodeSettings] = None,
        *,
        joins: bool = False,
        sees_files: bool = True,
    ) -> None:
        """Open the folder; nothing runs before :meth:`start`.

        With *joins*, the process is no server of the site, so it must find the folder of the
        servers. Without *sees_files*, *folder* is an empty one instead, and the process only lists
        and changes the queue. Otherwise raise
        :exc:`~ftrack_like.sandbox.media.shared_folder.WrongFolderError` if *folder* is not the one
        that the other processes of the site use.
        """
        limits = Limits() if limits is None else limits
        self.folder: pathlib.Path = folder
        self.jobs: EncodeJobs = EncodeJobs(database)
        self._encoding = EncodeSettings() if encoding is None else encoding
        self.tools: MediaTools = MediaTools(limits)
        self.pictures: Pictures = Pictures(limits)
        if not joins:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sees_files = sees_files
        if sees_files:
            check_folder(database, folder, joins=joins)
        self.store: MediaStore = ComponentStore(folder, limits.thumbnail_bytes)
        # Without files there is nobody to give an address to.
        self.signer: Signer = (
            Signer.of_site(database, folder) if sees_files else Signer(secrets.token_bytes())
        )
        self._queue: Optional[EncodeQueue] = None
        self._office: Optional[Office] = None

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

    def start(self, office: Office) -> None:
        """Start to encode; *office* runs operations of the protocol."""
        self._office = office
        self._queue = EncodeQueue(self.store, self.tools, self.jobs, office, self._encoding)
        self._queue.start()

    @property
    def manager(self) -> QueueManager:
        """Return what repeats and cancels jobs; :meth:`start` must have been called."""
        assert self._office is not None, "the service has not been started"
        store = self.store if self._sees_files else None
        return QueueManager(self.jobs, store, self._office, self.wake)

    def wake(self) -> None:
        """Let the workers of this process look for jobs now."""
        if self._queue is not None:
            self._queue.wake()

    def committed(self, batch: Batch) -> None:
        """Begin the jobs that *batch* created; call this after its commit."""
        if batch.notes.get(ENCODE_JOBS):
            self.wake()

    def stop(self) -> None:
        """Stop encoding; other workers or the next start continue with the remaining jobs."""
        if self._queue is not None:
            self._queue.stop()
            self._queue = None
        self.pictures.close()
        self.store.close()
