"""Publish media for reviewers: encode each content once, with metadata about its source.

Several processes may publish the same content at the same time, and any process may be killed. The
content is still encoded once. Of several publications for a version, only the last remains.

::

    from ftrack_like.media import publish_reviewable

    publication = publish_reviewable(version, "/renders/shot.mov")

The component for players has this metadata:

=======================  ========================================================================
``source_file_name``     the name of the source file, or the pattern of a sequence
``source_file_size``     its size in bytes; of a sequence, the size of all frames
``source_mime_type``     its type, such as ``video/quicktime``
``source_sha1``          the SHA-1 of its content, in hexadecimal; of a sequence, the SHA-1 of all
                         frames in order
``source_resolution``    its picture, ``WIDTHxHEIGHT`` in pixels; only if this machine encoded
``encoding_profile``     one of :data:`PROFILES`, or ``server``
``encoding_parameters``  the parameters of the encoding, as JSON
``encoding_job_id``      the job on the server; only if the server encoded
``publication_number``   counts the publications of the version; the current one has the highest
``missing_frames``       the numbers that a sequence lacks; the movie shows the frame before each
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
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._base.ffmpeg import find_ffmpeg
from ftrack_like._media.animation import ANIMATED_TYPES, is_animated
from ftrack_like._media.pipeline import IMAGE, Made, Pipeline, Source
from ftrack_like._media.presets import Preset, presets
from ftrack_like._media.programs import LocalPrograms
from ftrack_like._media.sequences import arranged, missing_frames
from ftrack_like._media.types import IMAGE_TYPES
from ftrack_like._session import publications
from ftrack_like._session.claims import Claim, claiming
from ftrack_like._session.components import files_of, sequence_of
from ftrack_like._session.jobs import rising, share_of
from ftrack_like._session.media_sources import check_media
from ftrack_like.entity.location import find_location
from ftrack_like.symbol import SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like._base.types import Progress
    from ftrack_like.entity.asset_version import AssetVersion
    from ftrack_like.entity.component import Component, CreateThumbnailMixin
    from ftrack_like.entity.job import Job
    from ftrack_like.session import Session

__all__ = ["PROFILES", "Publication", "find_ffmpeg", "publish_reviewable"]

#: How this machine encodes movies, ``{profile: {parameter: value}}``. A profile makes the smallest
#: size, and the larger ones that the source has, up to its maximum. Every profile turns images into
#: JPEG.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "mp4-1080p": {
        "container": "mp4",
        "video": "h264",
        "audio": "aac",
        "maximum_width": 1920,
        "maximum_height": 1080,
    },
    "mp4-2160p": {
        "container": "mp4",
        "video": "h264",
        "audio": "aac",
        "maximum_width": 3840,
        "maximum_height": 2160,
    },
    "webm-1080p": {
        "container": "webm",
        "video": "vp9",
        "audio": "opus",
        "maximum_width": 1920,
        "maximum_height": 1080,
    },
}

_READ_SIZE = 1024 * 1024

_ENCODERS: dict[str, Callable[[_Task, Claim], Publication]] = {}


class Publication(NamedTuple):
    """The result of :func:`publish_reviewable`.

    *component* is for players. *job* is the job on the server that encodes it, None if this machine
    encoded it. *is_new* is whether this call encoded anything.
    """

    component: Component
    job: Optional[Job]
    is_new: bool


class _Task(NamedTuple):
    """The content to publish, and the way to publish it."""

    version: AssetVersion
    path: pathlib.Path
    #: The frames of a sequence with their numbers, or the single file.
    files: list[pathlib.Path]
    numbers: list[int]
    is_sequence: bool
    profile: str
    keep_original: bool
    facts: dict[str, str]
    progress: Optional[Progress]

    @property
    def session(self) -> Session:
        """Return the session of the version."""
        return self.version.session

    @property
    def content(self) -> str:
        """Return a text that identifies the content and its encoding."""
        return f"{self.facts['source_sha1']} {self.profile}"


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
    """Publish the movie, image or sequence at *path* as the media of *version*, exactly once.

    *path* is the path of a file, or an expression for a sequence such as ``"f.%04d.png [1-12]"``,
    which becomes a movie with 24 frames per second. If the same content was published for the
    version before, with the same *encode* and *profile*, that publication is returned, and nothing
    is encoded or uploaded. The result of a failed job is replaced. The version's thumbnail is also
    set.

    Only one process at a time publishes for a version. Others wait, so that the same content is
    encoded once. The remains of a killed process are completed or removed. When the new publication
    is complete, earlier publications of other content for the version are removed.

    *encode* is ``"server"``, or ``"local"`` to encode on this machine with *profile*, a key of
    :data:`PROFILES`. The local ffmpeg is the program in FTRACK_FFMPEG, on the search path, or in
    the package imageio-ffmpeg, in this order. *keep_original* also keeps the source file on the
    server.

    With *wait*, return when everything is complete. Otherwise, a job on the server may still be
    running. *timeout* limits the wait for other processes and for the job, in seconds; None means
    no limit. *progress* is called with ``(per cent, 100)``; an error that it raises ends the work.

    The pending operations of the session are committed. Raise :exc:`FileNotFoundError` if there is
    no file, :exc:`~ftrack_like.exception.MediaError` if it is not media, cannot be encoded here, or
    other processes take longer than *timeout*, :exc:`~ftrack_like.exception.JobFailedError` if the
    server could not encode it, and :exc:`ValueError` for an unknown *encode* or *profile*.
    """
    if encode not in _ENCODERS:
        raise ValueError(f"encode must be one of {', '.join(sorted(_ENCODERS))}, not {encode!r}.")
    if profile not in PROFILES:
        raise ValueError(
            f"There is no profile {profile!r}; the profiles are {', '.join(sorted(PROFILES))}."
        )
    deadline = None if timeout is None else time.monotonic() + timeout
    told = rising(progress) if progress is not None else None
    task = _task(version, os.fspath(path), "server" if encode == "server" else profile, told)
    task = task._replace(keep_original=keep_original)
    if getattr(version, "is_created", False):
        task.session.commit()
    # Search again under the claim, because another process may have published in between. Then
    # continue the work of a killed process, and only encode if there is none. Everything is created
    # under the token of the claim, so that the next process finds it after a kill.
    publication = _earlier_publication(task)
    if publication is None:
        with claiming(task.session, version["id"], task.content, deadline) as claim:
            publication = (
                _earlier_publication(task) or adopt(task, claim) or _encode(encode, task, claim)
            )
    if wait and publication.job is not None:
        begin = 50 if publication.is_new else 0
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        task.session.wait_for_job(publication.job, left, share_of(told, begin, 100))
    elif told is not None:
        told(100, 100)
    publications.remove_replaced(task.session, version["id"], publication.component)
    return publication


def _task(version: AssetVersion, path: str, profile: str, progress: Optional[Progress]) -> _Task:
    """Return the task for the media at *path*; read the files once for their checksum."""
    try:
        check_media(path)
    except exception.LocationError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise
    files = files_of(path)
    collection = sequence_of(path)
    is_sequence = collection is not None
    numbers = [] if collection is None else sorted(collection.indexes)
    source = pathlib.Path(re.sub(r" \[[^\]]*\]$", "", path) if is_sequence else path)
    frames = [pathlib.Path(each) for each in files]
    facts = _facts_of(source.name, frames, profile)
    return _Task(
        version, pathlib.Path(path), frames, numbers, is_sequence, profile, False, facts, progress
    )


def _facts_of(name: str, files: list[pathlib.Path], profile: str) -> dict[str, str]:
    """Return the metadata about *files*: the file *name*, or the frames of a sequence."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    for path in files:
        with path.open("rb") as file:
            for chunk in iter(functools.partial(file.read, _READ_SIZE), b""):
                digest.update(chunk)
                size += len(chunk)
    return {
        "source_file_name": name,
        "source_file_size": str(size),
        "source_mime_type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "source_sha1": digest.hexdigest(),
        "encoding_profile": profile,
    }


def _earlier_publication(task: _Task) -> Optional[Publication]:
    """Return the earlier publication of the same content and profile, None if there is none.

    Remove the components of a failed job, and components that have lost their data.
    """
    session = task.session
    found = publications.find_published(session, task.version["id"])
    task.facts[publications.NUMBER] = publications.next_number(found)
    for each in found:
        same = all(
            each.metadata.get(name) == task.facts[name]
            for name in ("source_sha1", "encoding_profile")
        )
        if not same:
            continue
        if not each.has_failed:
            return Publication(each.component, each.job, False)
        ids = [each.component["id"]]
        if each.job is not None:
            ids += [one["id"] for one in publications.outputs_of(session, each.job["id"])]
        publications.remove_components(session, dict.fromkeys(ids))
    return None


def adopt(task: _Task, claim: Claim) -> Optional[Publication]:
    """Return the publication that a killed process began for the same content, if there is one.

    Remove all other remains of killed processes.
    """
    adopted = None
    for token, content in claim.abandoned:
        job = publications.job_of_source(task.session, task.version["id"], token)
        is_same = job is not None and content == task.content and job["status"] != "failed"
        if is_same and adopted is None:
            adopted = job
        else:
            publications.remove_made_under(task.session, task.version["id"], token)
    publication = None if adopted is None else _describe(task, adopted, claim, False)
    if publication is None:
        claim.forget_abandoned()
    return publication


def _encode(encode: str, task: _Task, claim: Claim) -> Publication:
    """Return the new publication; remove its components if it cannot be completed."""
    try:
        return _ENCODERS[encode](task, claim)
    except BaseException as error:
        # After a lost answer or an interruption, the work may be complete. The next call finds out,
        # and cleans up if necessary, as it does after a kill.
        answer_is_lost = isinstance(error.__cause__ or error, exception.ServerConnectionError)
        if answer_is_lost or not isinstance(error, Exception):
            claim.abandon()
            raise
        try:
            is_held = claim.is_held()
            if is_held:
                publications.remove_made_under(task.session, task.version["id"], claim.token)
        except Exception:
            claim.abandon()  # the next call cleans up
            raise error from error.__cause__
        # The process that took over the claim completes or removes the components under it.
        found = (
            None
            if is_held or not isinstance(error, exception.Error)
            else _earlier_publication(task)
        )
        if found is not None:
            return found
        raise


def _on_the_server(task: _Task, claim: Claim) -> Publication:
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
    job = task.version.encode_media(source, keep_original=task.keep_original)
    return _describe(task, job, claim, True)


def _describe(task: _Task, job: Job, claim: Claim, is_new: bool) -> Publication:
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


def _raise_failure(task: _Task, job: Job) -> NoReturn:
    """Raise the error of *job*, whose outputs do not exist any more."""
    task.session.wait_for_job(job, 0)
    raise exception.MediaError(
        f"The job {job['id']} ended, but its results do not exist. Publish the file again."
    )


def _here(task: _Task, claim: Claim) -> Publication:
    """Encode the file on this machine and upload the result."""
    programs = LocalPrograms()
    parameters = dict(PROFILES[task.profile])
    with tempfile.TemporaryDirectory(prefix="ftrack-like-encode-") as name:
        folder = pathlib.Path(name)
        encoded = Pipeline(programs, _presets_of(task.profile)).make(
            _source(task, folder),
            folder,
            [str(parameters["container"])],
            _shares(share_of(task.progress, 0, 50)),
        )
        *movies, still = encoded.files
        if movies[0].name == IMAGE:
            parameters = {"container": "jpeg"}
        width, height = encoded.shape
        task.facts.update(
            encoding_parameters=json.dumps(parameters), source_resolution=f"{width}x{height}"
        )
        component = _upload(task, movies, still, claim)
    return Publication(component, None, True)


def _presets_of(profile: str) -> list[Preset]:
    """Return the presets of *profile*: the smallest one, and larger ones up to its limit."""
    about = PROFILES[profile]
    return [
        one
        for one in presets()
        if one.container == about["container"]
        and (
            not one.minimum
            or (one.width <= about["maximum_width"] and one.height <= about["maximum_height"])
        )
    ]


def _shares(tell: Optional[Progress]) -> Optional[Callable[[float], None]]:
    """Return a function that reports a share from 0.0 to 1.0 with *tell*."""
    if tell is None:
        return None

    def share(done: float) -> None:
        tell(int(done * 1000), 1000)

    return share


def _source(task: _Task, folder: pathlib.Path) -> Source:
    """Return the media to encode.

    Names such as ``-i.mov``, ``a:b.mov`` or ``50%d.png`` have a special meaning for ffmpeg. So
    images get plain names in *folder*, and other files stay in place, under a ``file:`` address.
    """
    name = repr(task.facts["source_file_name"])
    suffix = "".join(re.findall(r"[.\w]+", task.files[0].suffix, re.ASCII))
    if task.is_sequence:
        first, places = arranged(task.numbers)
        if len(places) > len(task.files):
            task.facts["missing_frames"] = missing_frames(task.numbers)
        links = [folder / f"frame-{number:06d}{suffix}" for number in range(len(places))]
        for link, place in zip(links, places):
            _link(task.files[place], link)
        return Source(
            name,
            str(folder / f"frame-%06d{suffix}"),
            frame_names=[task.files[place].name for place in places],
            frame_paths=[str(link) for link in links],
            first=first,
        )
    file = task.files[0]
    if _is_image(task):
        plain = folder / f"source{suffix}"
        _link(file, plain)
        return Source(name, str(plain), is_image=True)
    return Source(name, f"file:{os.path.abspath(file)}")


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Make *source* available at *target*, as a link or else as a copy."""
    try:
        target.symlink_to(os.path.abspath(source))
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)


def _is_image(task: _Task) -> bool:
    """Return whether the source is an image that does not move."""
    suffix = task.files[0].suffix.lower()
    if suffix in ANIMATED_TYPES and is_animated(task.files[0]):
        return False
    return suffix in IMAGE_TYPES or task.facts["source_mime_type"].startswith("image/")


def _upload(task: _Task, movies: Sequence[Made], still: Made, claim: Claim) -> Component:
    """Upload the encoded *movies*, or the image, and the thumbnail *still*.

    Return the component of the first.
    """
    server = find_location(task.session, SERVER_LOCATION_ID)
    version = cast("CreateThumbnailMixin", task.version)
    thumbnail = {"id": publications.thumbnail_id(claim.token), "file_type": still.file_type}
    version.create_thumbnail(str(still.path), thumbnail)
    if task.keep_original and not _has_original(task):
        original = {key: value for key, value in task.facts.items() if key.startswith("source_")}
        values = {"name": "main", "metadata": original}
        task.version.create_component(str(task.path), values, server)
    main, *larger = movies
    sizes = []
    for made, id_ in zip(larger, publications.size_ids(claim.token)):
        about: dict[str, Any] = {"id": id_, "name": made.name, "file_type": made.file_type}
        about["metadata"] = {"ftr_meta": made.meta}
        sizes.append(task.session.create_component(str(made.path), about, server))
    # Last, in the commit that also writes its metadata, attaches the other sizes to the version and
    # ends the claim. If anything fails before, the next try repeats it.
    about = {"id": claim.token, "name": main.name, "file_type": main.file_type}
    with claim.ending(claim.token, *(one["id"] for one in sizes)):
        for one in sizes:
            one["version_id"] = task.version["id"]
        return task.version.create_component(
            str(main.path),
            {**about, "metadata": {**task.facts, "ftr_meta": main.meta}},
            server,
            progress=share_of(task.progress, 50, 100),
        )


def _has_original(task: _Task) -> bool:
    """Return whether an earlier try, which failed, has uploaded the original."""
    found = task.session.query(
        f'select id from Component where version_id is "{task.version["id"]}" and name is '
        f'"main" and metadata any (key is "source_sha1" and value is '
        f'"{task.facts["source_sha1"]}")'
    ).first()
    return found is not None


_ENCODERS.update(local=_here, server=_on_the_server)
