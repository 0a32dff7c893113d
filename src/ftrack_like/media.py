"""Publishing what reviewers look at: encoded once, with what is known of the source.

::

    from ftrack_like.media import publish_reviewable

    publication = publish_reviewable(version, "/renders/shot.mov")

The component that players show carries as metadata:

=======================  ========================================================================
``source_file_name``     the name of the file it was made of
``source_file_size``     its size in bytes
``source_mime_type``     its type, such as ``video/quicktime``
``source_sha1``          the SHA-1 of its content, in hexadecimal
``source_resolution``    its picture, ``WIDTHxHEIGHT`` in pixels; only where ffmpeg looked at it
``encoding_profile``     one of :data:`PROFILES`, or ``server``
``encoding_parameters``  how it was encoded, as JSON
``encoding_job_id``      the job on the server; only where the server encoded
``ftr_meta``             for players, as JSON: ``width``, ``height`` and for movies ``frameIn``,
                         ``frameOut``, ``frameRate``; the server adds it when its job is done
=======================  ========================================================================
"""

from __future__ import annotations

import functools
import hashlib
import json
import mimetypes
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from ftrack_like import _ffmpeg
from ftrack_like._ffmpeg import find_ffmpeg
from ftrack_like._session.jobs import Progress, rising, share_of
from ftrack_like.symbol import SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like.entity.asset_version import AssetVersion

__all__ = ["PROFILES", "Publication", "find_ffmpeg", "publish_reviewable"]

#: How movies are encoded here, ``{profile: {parameter: value}}``. Images become JPEG by any of
#: them. A profile of the same name always gives the same result.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "mp4-1080p": {
        "container": "mp4",
        "video": "h264",
        "audio": "aac",
        "maximum_width": _ffmpeg.MAXIMUM_WIDTH,
        "maximum_height": _ffmpeg.MAXIMUM_HEIGHT,
    },
    "webm-1080p": {
        "container": "webm",
        "video": "vp9",
        "audio": "opus",
        "maximum_width": _ffmpeg.MAXIMUM_WIDTH,
        "maximum_height": _ffmpeg.MAXIMUM_HEIGHT,
    },
}

#: What players look for, by the name of the component; the first one is what was published.
_REVIEWABLE = ("ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image")

_READ_SIZE = 1024 * 1024

_ENCODERS: dict[str, Callable[[_Task], Publication]] = {}


class Publication(NamedTuple):
    """What :func:`publish_reviewable` did, or found done.

    *component* is what players show, *job* the job on the server that makes it, None if it was
    encoded here. *is_new* says whether anything was encoded now.
    """

    component: Any
    job: Any
    is_new: bool


class _Task(NamedTuple):
    """What is to be published, and how."""

    version: Any
    path: pathlib.Path
    profile: str
    keep_original: bool
    facts: dict[str, str]
    progress: Optional[Progress]

    @property
    def session(self) -> Any:
        """Return the session of the version."""
        return self.version.session


def publish_reviewable(
    version: AssetVersion,
    path: Union[str, os.PathLike[str]],
    *,
    encode: str = "server",
    profile: str = "mp4-1080p",
    keep_original: bool = False,
    wait: bool = True,
    timeout: Optional[float] = None,
    progress: Optional[Progress] = None,
) -> Publication:
    """Make the movie or image at *path* something that players show for *version*, once.

    When the same content was published for the version before, by the same way and profile, that
    is returned and nothing is encoded or uploaded; what came of a job that failed is replaced.
    The version's thumbnail is set as well.

    *encode* is ``"server"``, or ``"local"`` to encode on this machine by *profile*, one of
    :data:`PROFILES`, with ffmpeg: that named by FTRACK_FFMPEG, else the one on the search path,
    else that of the package imageio-ffmpeg. *keep_original* also keeps the file as it is on the
    server.

    With *wait*, return once everything is there; else a server's job may still go on. *timeout*
    is how long to wait for that, in seconds, None for ever. *progress* is called with
    ``(per cent, 100)``; what it raises ends the work.

    What is recorded in the session is committed. Raise :exc:`FileNotFoundError` if there is no
    file, :exc:`~ftrack_like.exception.MediaError` if it cannot be encoded here, and
    :exc:`~ftrack_like.exception.JobFailedError` if the server could not do it.
    """
    if encode not in _ENCODERS:
        raise ValueError(f"encode is one of {', '.join(sorted(_ENCODERS))}, not {encode!r}.")
    if profile not in PROFILES:
        raise ValueError(f"There is no profile {profile!r}, but {', '.join(sorted(PROFILES))}.")
    if encode == "server":
        profile = "server"
    source = pathlib.Path(path)
    told = rising(progress) if progress is not None else None
    task = _Task(version, source, profile, keep_original, _facts_of(source, profile), told)
    found = _find(task)
    publication = _ENCODERS[encode](task) if found is None else found
    if wait and publication.job is not None:
        begin = 50 if publication.is_new else 0
        task.session.wait_for_job(publication.job, timeout, share_of(told, begin, 100))
    elif told is not None:
        told(100, 100)
    return publication


def _facts_of(path: pathlib.Path, profile: str) -> dict[str, str]:
    """Return the metadata about the file at *path*."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    with path.open("rb") as file:
        for chunk in iter(functools.partial(file.read, _READ_SIZE), b""):
            digest.update(chunk)
            size += len(chunk)
    return {
        "source_file_name": path.name,
        "source_file_size": str(size),
        "source_mime_type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "source_sha1": digest.hexdigest(),
        "encoding_profile": profile,
    }


def _find(task: _Task) -> Optional[Publication]:
    """Return what was published of the same content by the same profile, None if nothing was.

    What a failed job was to fill is removed, and what has lost its data.
    """
    session = task.session
    if getattr(task.version, "_created", False):
        session.commit()
    components = session.query(
        "select name, metadata.key, metadata.value, component_locations.location_id "
        "from FileComponent "
        f'where version_id is "{task.version["id"]}" and name in ({_quoted(_REVIEWABLE)}) '
        f'and metadata any (key is "source_sha1" and value is "{task.facts["source_sha1"]}")'
    ).all()
    for component in components:
        if component["metadata"].get("encoding_profile") != task.profile:
            continue
        places = {each["location_id"] for each in component["component_locations"]}
        if SERVER_LOCATION_ID not in places:
            session.delete(component)
            session.commit()
            continue
        job_id = component["metadata"].get("encoding_job_id")
        if job_id is None:
            return Publication(component, None, False)
        job = session.query(f'select status from Job where id is "{job_id}"').first()
        if job is None or job["status"] != "failed":
            return Publication(component, job, False)
        _remove_outputs(session, job_id)
    return None


def _remove_outputs(session: Any, job_id: str) -> None:
    """Remove the components that the failed job was to fill."""
    for component in _outputs(session, job_id):
        session.delete(component)
    session.commit()


def _outputs(session: Any, job_id: str) -> list[Any]:
    """Return the components that the job fills, that which players show first."""
    links = session.query(f'select component.name from JobComponent where job_id is "{job_id}"')
    return sorted((link["component"] for link in links), key=_rank)


def _on_the_server(task: _Task) -> Publication:
    """Upload the file and have the server encode it."""
    session = task.session
    job = task.version.encode_media(
        str(task.path), keep_original=task.keep_original, progress=task.progress
    )
    component = _outputs(session, job["id"])[0]
    parameters = {"server_version": session.server_information.get("version")}
    component["metadata"].update(
        {
            **task.facts,
            "encoding_parameters": json.dumps(parameters),
            "encoding_job_id": job["id"],
        }
    )
    session.commit()
    return Publication(component, job, True)


def _here(task: _Task) -> Publication:
    """Encode the file on this machine and upload the result."""
    program = find_ffmpeg()
    information = _ffmpeg.probe(program, task.path)
    parameters = dict(PROFILES[task.profile])
    task.facts["source_resolution"] = f"{information.width}x{information.height}"
    with tempfile.TemporaryDirectory(prefix="ftrack-like-encode-") as name:
        still = pathlib.Path(name) / "thumbnail.jpg"
        inputs = ["-i", str(task.path)]
        if task.facts["source_mime_type"].startswith("image/"):
            parameters = {"container": "jpeg"}
            _ffmpeg.run(_ffmpeg.frame_command(program, inputs, still))
            kind, target, frames = "image", still, 0
        else:
            kind = str(parameters["container"])
            target, frames = pathlib.Path(name) / f"movie.{kind}", information.frames
            tell = share_of(task.progress, 0, 50)
            _ffmpeg.run(
                _ffmpeg.video_command(program, inputs, target, kind),
                functools.partial(_tell_seconds, tell, information.duration) if tell else None,
            )
            middle = min(information.duration / 2, 5.0) if frames > 1 else 0.0
            _ffmpeg.run(_ffmpeg.frame_command(program, inputs, still, middle))
        meta = _ffmpeg.review_metadata(_ffmpeg.probe(program, target), frames)
        task.facts.update(encoding_parameters=json.dumps(parameters), ftr_meta=meta)
        component = _upload(task, f"ftrackreview-{kind}", target, still)
    return Publication(component, None, True)


def _upload(task: _Task, name: str, target: pathlib.Path, still: pathlib.Path) -> Any:
    """Upload the encoded *target* and its thumbnail *still*; return the component."""
    server = task.session.get("Location", SERVER_LOCATION_ID)
    task.version.create_thumbnail(str(still))
    if task.keep_original and not _has_original(task):
        about = {key: value for key, value in task.facts.items() if key.startswith("source_")}
        task.version.create_component(str(task.path), {"name": "main", "metadata": about}, server)
    # Last, and with its metadata in the commit that registers it: what breaks off before this is
    # done again by the next try.
    return task.version.create_component(
        str(target),
        {"name": name, "metadata": task.facts},
        server,
        progress=share_of(task.progress, 50, 100),
    )


def _has_original(task: _Task) -> bool:
    """Return whether a try that broke off has uploaded the original."""
    found = task.session.query(
        f'select id from FileComponent where version_id is "{task.version["id"]}" and name is '
        f'"main" and metadata any (key is "source_sha1" and value is '
        f'"{task.facts["source_sha1"]}")'
    ).first()
    return found is not None


def _tell_seconds(tell: Progress, duration: float, seconds: float) -> None:
    """Tell how far an encoding is that has done *seconds* of *duration*."""
    tell(int(seconds * 1000), int(duration * 1000))


def _rank(component: Any) -> int:
    """Return where *component* stands among the outputs of a job: what players show is first."""
    name = component["name"]
    return _REVIEWABLE.index(name) if name in _REVIEWABLE else len(_REVIEWABLE)


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_ENCODERS.update(local=_here, server=_on_the_server)
