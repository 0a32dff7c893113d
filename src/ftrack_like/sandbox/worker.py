"""A process that encodes the media of a site, without answering requests.

::

    worker = EncodeWorker("postgresql://…", "/mnt/media")
    worker.start()
    ...
    worker.stop()
"""

from __future__ import annotations

import pathlib
from types import TracebackType
from typing import Optional, Union

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.http_app import create_app
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.jobs import EncodeSettings
from ftrack_like.sandbox.media.manager import QueueManager
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.site_data import default_media_folder, find_administrator, join_site

__all__ = ["EncodeWorker"]


class EncodeWorker:
    """Encodes the media of the site in the PostgreSQL database at the URL *database*.

    *media* is the folder for files of the site, as this machine sees it; None means the default
    folder of a server of this user on this machine. *settings* say how many jobs run at a time.
    *limits* bound the programs that encode. With *sees_files* False, the worker needs no folder; it
    only lists and changes the queue. A context manager that starts and stops.
    """

    def __init__(
        self,
        database: str,
        media: Union[str, pathlib.Path, None] = None,
        *,
        settings: Optional[EncodeSettings] = None,
        limits: Optional[Limits] = None,
        sees_files: bool = True,
    ) -> None:
        """Nothing is opened before :meth:`start`."""
        self._url = database
        self._media = None if media is None else pathlib.Path(media).expanduser().resolve()
        self._settings = EncodeSettings() if settings is None else settings
        self._limits = limits
        self._sees_files = sees_files
        self._api: Optional[Api] = None

    def __enter__(self) -> EncodeWorker:
        """Start the worker and return it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop the worker."""
        self.stop()

    def start(self) -> None:
        """Open the site, and begin to encode.

        Raise :exc:`~ftrack_like.sandbox.data_folder.SiteError` if the database has no site of this
        version, and :exc:`~ftrack_like.sandbox.media.shared_folder.WrongFolderError` if the folder
        for files is not the one that the servers of the site use.
        """
        database = join_site(self._url)
        try:
            if self._sees_files:
                folder = self._media or default_media_folder(database)
            else:
                folder = database.private_folder() / "media"
            media = MediaService(
                database,
                folder,
                self._limits,
                self._settings,
                joins=True,
                sees_files=self._sees_files,
            )
            api = Api(database, media, limits=self._limits)
            create_app(api)  # connects the events to the commits; nothing listens
            api.start_encoding(find_administrator(database), "")
        except BaseException:
            database.close()
            raise
        self._api = api

    @property
    def folder(self) -> pathlib.Path:
        """Return the folder for files of the running worker."""
        return self._running().media.folder

    @property
    def manager(self) -> QueueManager:
        """Return what lists, repeats and cancels the jobs of the site."""
        return self._running().media.manager

    def stop(self) -> None:
        """Hand running jobs back to the other workers, and stop. A second call does nothing."""
        api, self._api = self._api, None
        if api is not None:
            api.close()

    def _running(self) -> Api:
        if self._api is None:
            raise RuntimeError("The worker is not running. Start it first.")
        return self._api
