"""The behaviour of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._base.types import EntityData
    from ftrack_like.session import Session

__all__ = ["Job"]

#: The only type of job that clients may create.
API_JOB = "api_job"


class Job(Entity):
    """A piece of work whose progress users can see."""

    def __init__(
        self, session: Session, data: Optional[EntityData] = None, reconstructing: bool = False
    ) -> None:
        """Initialise a job of *session* with *data*.

        The ``type`` of a new job is ``api_job`` by default; another type raises
        :exc:`ValueError`. ``status`` is ``queued``, ``running``, ``done`` or ``failed``.
        """
        data = {} if data is None else data
        if not reconstructing:
            kind = data.get("type", API_JOB)
            if kind not in {API_JOB, None}:
                raise ValueError(
                    f"A job of the type {kind!r} cannot be created: "
                    f"jobs made through the API are of the type {API_JOB!r}."
                )
        super().__init__(session, data=data, reconstructing=reconstructing)
