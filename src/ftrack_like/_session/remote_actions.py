"""The actions of the server besides queries and changes, such as encoding and invitations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like import exception, inspection, symbol
from ftrack_like._session.answer_shapes import field, text_field, upload_place
from ftrack_like._session.jobs import rising, share_of
from ftrack_like.entity.location import find_location
from ftrack_like.logging import LazyLogMessage as L

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, PathText, Progress
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.session import Session

__all__ = ["RemoteActions"]


class RemoteActions:
    """The special actions of a session's server."""

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its methods, because programs override them."""
        self._session = session

    def _call(self, batch: list[dict[str, Any]]) -> list[Json]:
        """Return the results of *batch*.

        Raise :exc:`~ftrack_like.exception.ServerCompatibilityError` if the server does not know its
        action.
        """
        try:
            return self._session.call(batch)
        except exception.ServerError as error:
            if "Invalid action" not in str(error):
                raise
            version = self._session.server_information.get("version")
            raise exception.ServerCompatibilityError(
                f"The server (version {version}) does not know the action "
                f"{batch[0]['action']!r}; a newer server may. {error}"
            ) from error

    def reset_remote(self, reset_type: str, entity: Optional[Entity] = None) -> Json:
        """Reset *reset_type* of *entity* on the server; return the data of the answer."""
        payload = {"action": "reset_remote", "reset_type": reset_type}
        if entity is not None:
            key = list(inspection.primary_key(entity).values())
            payload.update(entity_type=entity.entity_type, entity_key=key[0])
        return field(self._call([payload])[0], "data")

    def invite(self, action: str, name: str, entities: Iterable[Any]) -> None:
        """Call *action* for each of *entities*, with its id as parameter *name*, in one batch."""
        batch = [{"action": action, name: entity["id"]} for entity in entities]
        if batch:
            self._call(batch)

    def get_widget_url(
        self, name: str, entity: Optional[Entity] = None, theme: Optional[str] = None
    ) -> str:
        """Return the URL of the widget *name*, for *entity* and *theme* if they are given."""
        payload: dict[str, Any] = {"action": "get_widget_url", "name": name, "theme": theme}
        if entity is not None:
            key = list(inspection.primary_key(entity).values())
            payload.update(entity_type=entity.entity_type, entity_key=key)
        return text_field(self._call([payload])[0], "widget_url")

    def get_upload_metadata(
        self,
        component_id: str,
        file_name: str,
        file_size: int,
        checksum: Optional[str] = None,
        parts: Optional[int] = None,
    ) -> dict[str, Any]:
        """Return the addresses for an upload of *file_size* bytes; see :func:`upload_place`.

        With *parts*, the upload consists of this number of parts.
        """
        payload: dict[str, Any] = {
            "action": "get_upload_metadata",
            "component_id": component_id,
            "file_name": file_name,
            "file_size": file_size,
            "checksum": checksum,
        }
        if parts is not None:
            payload["parts"] = parts
        return upload_place(self._call([payload])[0])

    def get_upload_places(self, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the addresses for uploads of several *files*, in one batch.

        A file is ``{"component_id": str, "file_name": str, "file_size": int, "checksum": str}``.
        """
        batch = [{"action": "get_upload_metadata", **file} for file in files]
        return [upload_place(result) for result in self._call(batch)] if batch else []

    def complete_multipart_upload(
        self, component_id: str, upload_id: str, parts: list[dict[str, Any]]
    ) -> None:
        """Join the *parts* of an upload, ``{"part_number": int, "e_tag": str}`` each."""
        self._call(
            [
                {
                    "action": "complete_multipart_upload",
                    "component_id": component_id,
                    "upload_id": upload_id,
                    "parts": parts,
                }
            ]
        )

    def encode_media(
        self,
        media: Union[PathText, Entity],
        version_id: Optional[str] = None,
        keep_original: Union[bool, str] = "auto",
        *,
        wait: bool = False,
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
    ) -> Job:
        """Start a job that encodes *media*, a path or a component, and return it.

        With *wait*, return when it is done. See ``Session.encode_media``.
        """
        progress = rising(progress) if progress is not None else None
        component, keep = self._source(media, keep_original, share_of(progress, 0, 50))
        payload = {
            "action": "encode_media",
            "component_id": component["id"],
            "version_id": version_id,
            "keep_original": keep,
        }
        with self._removing_upload(component if component is not media else None):
            job_id = text_field(self._call([payload])[0], "job_id")
        job = cast("Job", self._session.get("Job", job_id))
        if wait:
            begin = 0 if component is media else 50
            self._session.wait_for_job(job, timeout, share_of(progress, begin, 100))
        return job

    @contextlib.contextmanager
    def _removing_upload(self, component: Optional[Component]) -> Generator[None, None, None]:
        """Remove *component* if the server refuses the job that it was uploaded for; accept
        None.
        """
        try:
            yield
        except exception.ServerError as error:
            # After a lost answer, a job may exist that needs the component.
            if component is not None and not isinstance(error, exception.ServerConnectionError):
                self._remove(component)
            raise

    def _remove(self, component: Component) -> None:
        """Remove *component* and its data on the server; log a warning if that fails."""
        session = self._session
        try:
            find_location(session, symbol.SERVER_LOCATION_ID).remove_component(component)
            session.delete(component)
            session.commit()
        except exception.Error as error:
            session.logger.warning(L("{0} stays on the server: {1}", component, error))

    def _source(
        self,
        media: Union[PathText, Entity],
        keep: Union[bool, str],
        progress: Optional[Progress],
    ) -> tuple[Component, Union[bool, str]]:
        """Return the component to encode for *media*, and whether to keep it.

        Upload the file first if *media* is a path. Raise :exc:`ValueError` for a value that is
        neither a path nor a component with data, and other errors as :func:`check_media` does.
        """
        session = self._session
        # lazy: only encoding needs it
        from ftrack_like._session.media_sources import check_media, check_media_component

        if isinstance(media, (str, os.PathLike)):
            check_media(os.fspath(media))
            location = find_location(session, symbol.SERVER_LOCATION_ID)
            more: dict[str, Any] = {} if progress is None else {"progress": progress}
            component = session.create_component(
                path=os.fspath(media), data=None, location=location, **more
            )
            session.commit()
            # The server's copy exists only for this job.
            return component, False if keep == "auto" else keep
        if getattr(media, "entity_type", None) in ("FileComponent", "SequenceComponent"):
            component = cast("Component", media)
            check_media_component(component)
            return component, True if keep == "auto" else keep
        raise ValueError(
            f"Unable to encode media {media!r}: pass the path of a file or a FileComponent."
        )
