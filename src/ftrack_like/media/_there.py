"""Let the server encode, and describe the results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from ftrack_like import exception
from ftrack_like._session import publications
from ftrack_like._session.jobs import share_of
from ftrack_like.entity.location import find_location
from ftrack_like.media._task import Publication, Task
from ftrack_like.symbol import SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like._session.claims import Claim
    from ftrack_like.entity.job import Job

__all__ = ["describe", "encode_there"]


def encode_there(task: Task, claim: Claim) -> Publication:
    """Upload the file, and start the encoding on the server."""
    session = task.session
    server = find_location(session, SERVER_LOCATION_ID)
    # Its id is the token, so that a process that takes over finds the source, and the job by the
    # source.
    source = session.create_component(
        str(task.path),
        {"id": claim.token, "metadata": {publications.PUBLISHED_FOR: task.version["id"]}},
        server,
        progress=share_of(task.progress, 0, 50),
    )
    # The result would be found as that of the content that was read for the checksum.
    task.check_files()
    job = task.version.encode_media(source, keep_original=task.keep_original)
    return describe(task, job, claim, True)


def describe(task: Task, job: Job, claim: Claim, is_new: bool) -> Publication:
    """Return the publication of *job*, after writing its metadata.

    Raise :exc:`~ftrack_like.exception.JobFailedError` if the job has already failed: then the
    server has removed its outputs.
    """
    session = task.session
    outputs = publications.outputs_of(session, job["id"])
    if not outputs:
        _raise_failure(task, job)
    component = outputs[0]
    parameters = {"server_version": session.server_information.get("version")}
    try:
        with claim.ending(component["id"]):
            component["metadata"].update(
                {
                    **task.facts,
                    "encoding_parameters": json.dumps(parameters),
                    "encoding_job_id": job["id"],
                }
            )
            session.commit()
    except exception.ServerError as error:
        answer_is_lost = isinstance(error, exception.ServerConnectionError)
        if not answer_is_lost and not publications.outputs_of(session, job["id"]):
            _raise_failure(task, job)
        raise
    return Publication(component, job, is_new)


def _raise_failure(task: Task, job: Job) -> NoReturn:
    """Raise the error of *job*, whose outputs do not exist any more."""
    task.session.wait_for_job(job, 0)
    raise exception.MediaError(
        f"The job {job['id']} ended, but its results do not exist. Publish the file again."
    )
