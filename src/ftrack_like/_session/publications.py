"""The components that were published of a version for players: find, replace and remove them."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._values.literals import quoted
from ftrack_like.entity.component import chunked, find_all, is_container, listed
from ftrack_like.entity.location import find_location
from ftrack_like.symbol import SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.session import Session

__all__ = [
    "NUMBER",
    "PUBLISHED_FOR",
    "REVIEWABLE",
    "Published",
    "find_published",
    "job_of_source",
    "next_number",
    "outputs_of",
    "remove_components",
    "remove_made_under",
    "remove_replaced",
    "size_ids",
    "thumbnail_id",
]

#: The names of components that players look for. The first is the name for published media.
REVIEWABLE = ("ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image")

#: The metadata key of a component with its number among the publications of the version.
NUMBER = "publication_number"

#: The metadata key of an uploaded source with the id of the version that it is encoded for.
PUBLISHED_FOR = "published_for"

#: The most larger sizes of a movie.
_SIZES = 16

_RUNNING = frozenset({"queued", "running"})


class Published(NamedTuple):
    """A published component with its *metadata*.

    *job* is the job that encodes it, or None if no job is known. *has_data* is true if its data is
    in the server location.
    """

    component: Any
    metadata: Mapping[str, str]
    job: Any
    has_data: bool

    @property
    def number(self) -> int:
        """Return its number among the publications of the version, or 0 if it is unknown."""
        text = str(self.metadata.get(NUMBER, ""))
        return int(text) if text.isdigit() else 0

    @property
    def is_running(self) -> bool:
        """Return whether its job is queued or running."""
        return self.job is not None and self.job["status"] in _RUNNING

    @property
    def has_failed(self) -> bool:
        """Return whether players can never show it: its job failed, or its data is missing."""
        return not self.has_data or (self.job is not None and self.job["status"] == "failed")


def find_published(session: Session, version_id: str) -> list[Published]:
    """Query the published components of the version with the id *version_id*."""
    components = session.query(
        "select name, metadata.key, metadata.value, component_locations.location_id "
        f"from FileComponent where version_id is {quoted(version_id)} "
        f'and name in ({listed(REVIEWABLE)}) and metadata any (key is "source_sha1")'
    ).all()
    described = [(each, dict(each["metadata"])) for each in components]
    ids = {about["encoding_job_id"] for _, about in described if "encoding_job_id" in about}
    jobs = {}
    if ids:
        query = f"select status from Job where id in ({listed(sorted(ids))})"
        jobs = {job["id"]: job for job in session.query(query)}
    return [
        Published(
            component,
            about,
            jobs.get(about.get("encoding_job_id")),
            SERVER_LOCATION_ID
            in {place["location_id"] for place in component["component_locations"]},
        )
        for component, about in described
    ]


def next_number(published: Iterable[Published]) -> str:
    """Return the number of the publication that follows *published*, as text."""
    return str(1 + max((each.number for each in published), default=0))


def outputs_of(session: Session, job_id: str) -> list[Any]:
    """Return the output components of the job, in the order in which players prefer them."""
    links = session.query(
        f"select component.name from JobComponent where job_id is {quoted(job_id)}"
    )
    return sorted((link["component"] for link in links), key=_rank)


def job_of_source(session: Session, version_id: str, source_id: str) -> Optional[Job]:
    """Return the job that encodes the component *source_id* for the version, or None."""
    links = session.query(
        "select job.data, job.status from JobComponent "
        f"where component.version_id is {quoted(version_id)} "
        f"and component.name in ({listed(REVIEWABLE)})"
    )
    for link in links:
        with contextlib.suppress(TypeError, ValueError):
            data = json.loads(link["job"]["data"])
            if isinstance(data, Mapping) and data.get("source_component_id") == source_id:
                job: Job = link["job"]
                return job
    return None


def remove_replaced(session: Session, version_id: str, wanted: Optional[Entity] = None) -> None:
    """Remove the publications of the version that are older than its current one.

    The current one is the finished publication with the highest number. The component *wanted*
    counts as finished. A component with the same content and another name stays, for example
    ``ftrackreview-webm`` next to ``ftrackreview-mp4``.
    """
    published = find_published(session, version_id)
    done = [
        each
        for each in published
        if each.component is wanted or not (each.is_running or each.has_failed)
    ]
    if len(published) < 2 or not done:
        return
    current = max(done, key=lambda each: each.number)
    for each in published:
        is_older = each.number < current.number and not each.is_running
        if is_older and (
            each.metadata["source_sha1"] != current.metadata["source_sha1"]
            or each.component["name"] == current.component["name"]
        ):
            _remove_publication(session, version_id, each)


def _remove_publication(session: Session, version_id: str, published: Published) -> None:
    """Remove *published* with the other outputs of its job and its thumbnail.

    Keep the thumbnail if the version shows it.
    """
    id_ = published.component["id"]
    ids = [id_, thumbnail_id(id_), *size_ids(id_)]
    job_id = published.metadata.get("encoding_job_id")
    if job_id is not None:
        ids += [output["id"] for output in outputs_of(session, job_id)]
    found = session.query(
        f"select thumbnail_id from AssetVersion where id is {quoted(version_id)}"
    ).first()
    shown = None if found is None else found["thumbnail_id"]
    remove_components(session, [each for each in dict.fromkeys(ids) if each != shown])


def thumbnail_id(component_id: str) -> str:
    """Return the id of the thumbnail that this library creates for the component."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"thumbnail of {component_id}"))


def size_ids(component_id: str) -> list[str]:
    """Return the ids of the larger sizes that this library may create beside the component."""
    return [
        str(uuid.uuid5(uuid.NAMESPACE_OID, f"size {number} of {component_id}"))
        for number in range(_SIZES)
    ]


def remove_made_under(session: Session, version_id: str, token: str) -> None:
    """Remove the components that a process created under the claim *token* and left behind."""
    job = job_of_source(session, version_id, token)
    if job is not None:
        remove_components(session, [output["id"] for output in outputs_of(session, job["id"])])
    found = session.query(
        f"select metadata.key, metadata.value from Component where id is {quoted(token)}"
    ).first()
    ids = [thumbnail_id(token), *size_ids(token)]
    # Any user who may write to the version can write a token into it. So check that the component
    # was really uploaded for the version.
    if found is None or dict(found["metadata"]).get(PUBLISHED_FOR) == version_id:
        ids.append(token)
    remove_components(session, ids)


def remove_components(session: Session, ids: Iterable[str]) -> None:
    """Remove the existing components among *ids*, and their data on the server."""
    ids = list(ids)
    found = find_all(
        session, [f"select id from Component where id in ({listed(part)})" for part in chunked(ids)]
    )
    doomed: dict[str, Any] = {}
    for each in found:
        if is_container(each):
            session.populate(each, "members.id")
            doomed.update((member["id"], member) for member in each["members"])
        doomed[each["id"]] = each  # After its members, which the server may delete with it.
    for each in doomed.values():
        session.delete(each)
    if doomed:
        session.commit()
    server = find_location(session, SERVER_LOCATION_ID)
    for each_id in {*ids, *doomed}:
        # Also remove data that was uploaded but never registered. Usually there is none.
        with contextlib.suppress(exception.AccessorError):
            server.accessor.remove(each_id)


def _rank(component: Component) -> int:
    """Return the position of *component* among the outputs of a job: players show the first."""
    name = component["name"]
    return REVIEWABLE.index(name) if name in REVIEWABLE else len(REVIEWABLE)
