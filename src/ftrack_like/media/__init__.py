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
``encoding_options``     as JSON, the frames of a sequence, and the first frame and a checksum of
                         the presets if the call or the studio changed them
``encoding_job_id``      the job on the server; only if the server encoded
``publication_number``   counts the publications of the version; the current one has the highest
``missing_frames``       the numbers that a sequence lacks; the movie shows the frame before each
``unreadable_frames``    the frames that the start or the end of a recording lacks, in words
``slate_frames``         the number of frames before the first frame of the source, if there are any
``ftr_meta``             for players, as JSON: ``width``, ``height`` and for movies ``frameIn``,
                         ``frameOut``, ``frameRate``; the server adds it when its job is done
=======================  ========================================================================
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.ffmpeg import find_ffmpeg
from ftrack_like._session import publications
from ftrack_like._session.claims import Claim, claiming
from ftrack_like._session.jobs import rising, share_of
from ftrack_like.media._find import find_media
from ftrack_like.media._here import encode_here
from ftrack_like.media._task import PROFILES, Publication, Task, task_for
from ftrack_like.media._there import describe, encode_there

if TYPE_CHECKING:
    from ftrack_like._base.types import PathText, Progress
    from ftrack_like.entity.asset_version import AssetVersion
    from ftrack_like.session import Session

__all__ = ["PROFILES", "Publication", "find_ffmpeg", "find_media", "publish_reviewable"]

#: How often to try to clean up after an interruption. The first try may only find out that the
#: interrupted commit was refused.
_TRIES = 2

#: The highest number of a first frame. The frame number of a note is a 32-bit integer.
_LAST_FIRST_FRAME = 999_999_999


def publish_reviewable(
    version: AssetVersion,
    path: PathText,
    *,
    encode: str = "server",
    profile: str = "mp4-1080p",
    keep_original: bool = False,
    force: bool = False,
    presets: Optional[PathText] = None,
    first_frame: Optional[int] = None,
    wait: bool = True,
    timeout: Optional[float] = None,
    progress: Optional[Progress] = None,
) -> Publication:
    """Publish the movie, image or sequence at *path* as the media of *version*, exactly once.

    *path* is the path of a file, or an expression for a sequence such as ``"f.%04d.png [1-12]"``,
    which becomes a movie with 24 frames per second. A pattern such as ``"f.%04d.png"`` or
    ``"f.####.png"`` names all its frames, and a folder names the only sequence in it. If the same
    content was published for the version before, with the same *encode*, *profile*, *presets* and
    *first_frame*, that publication is returned, and nothing is encoded or uploaded. With *force*,
    it is replaced. The result of a failed job is always replaced. The version's thumbnail is also
    set.

    Only one process at a time publishes for a version. Others wait, so that the same content is
    encoded once. The remains of a killed process are completed or removed. When the new publication
    is complete, earlier publications of other content for the version are removed.

    *encode* is ``"server"``, or ``"local"`` to encode on this machine with *profile*, a key of
    :data:`PROFILES`. The local ffmpeg is the program in FTRACK_FFMPEG, on the search path, or in
    the package imageio-ffmpeg, in this order. *keep_original* also keeps the source file on the
    server.

    *presets* is the path of a file with changed sizes and codecs, instead of the file that
    FTRACK_MEDIA_PRESETS names, and *first_frame* the number of the first frame of a movie, by
    default 0. Both need ``encode="local"``. A sequence has its own numbers.

    With *wait*, return when everything is complete. Otherwise, a job on the server may still be
    running. *timeout* limits everything together, in seconds: the wait for other processes, the
    encoding on this machine, and the wait for the job. None means no limit. *progress* is called
    with ``(per cent, 100)``; an error that it raises ends the work. After an error or Ctrl-C,
    nothing of the new publication remains.

    The pending operations of the session are committed. Raise :exc:`FileNotFoundError` if there is
    no file, :exc:`~ftrack_like.exception.MediaError` if it is not media, cannot be encoded here, or
    other processes take longer than *timeout*, :exc:`~ftrack_like.exception.JobFailedError` if the
    server could not encode it, and :exc:`ValueError` for an unknown *encode* or *profile*.
    """
    _check_arguments(encode, profile, presets, first_frame)
    deadline = None if timeout is None else time.monotonic() + timeout
    told = rising(progress) if progress is not None else None
    task = task_for(
        version,
        find_media(os.fspath(path)),
        profile=profile if encode == "local" else None,
        keep_original=keep_original,
        force=force,
        first_frame=first_frame,
        preset_file=presets,
        progress=told,
        deadline=deadline,
    )
    if getattr(version, "is_created", False):
        task.session.commit()
    publication = _current_publication(task) or _publish_once(encode, task, version["id"], deadline)
    if wait and publication.job is not None:
        begin = 50 if publication.is_new else 0
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        task.session.wait_for_job(publication.job, left, share_of(told, begin, 100))
    elif told is not None:
        told(100, 100)
    publications.remove_replaced(task.session, version["id"], publication.component)
    return publication


def _publish_once(
    encode: str, task: Task, version_id: str, deadline: Optional[float]
) -> Publication:
    """Return the publication of *task*, made while no other process publishes for the version."""
    # Search again under the claim, because another process may have published in between. Then
    # continue the work of a killed process, and only encode if there is none. Everything is created
    # under the token of the claim, so that the next process finds it after a kill.
    try:
        with claiming(task.session, version_id, task.content, deadline) as claim:
            return _current_publication(task) or _adopt(task, claim) or _encode(encode, task, claim)
    except BaseException as error:
        if not isinstance(error, Exception):
            _clean_up(task)
        raise


def _check_arguments(
    encode: str, profile: str, preset_file: Optional[PathText], first_frame: Optional[int]
) -> None:
    """Raise :exc:`ValueError` if an argument of a publication is wrong."""
    if encode not in _ENCODERS:
        raise ValueError(f"encode must be one of {', '.join(sorted(_ENCODERS))}, not {encode!r}.")
    if profile not in PROFILES:
        raise ValueError(
            f"There is no profile {profile!r}; the profiles are {', '.join(sorted(PROFILES))}."
        )
    if encode != "local" and (preset_file is not None or first_frame is not None):
        raise ValueError("presets and first_frame need encode='local'; the server has its own.")
    if first_frame is not None and not (
        isinstance(first_frame, int)
        and not isinstance(first_frame, bool)
        and 0 <= first_frame <= _LAST_FIRST_FRAME
    ):
        raise ValueError(
            f"first_frame must be a whole number from 0 to {_LAST_FIRST_FRAME},"
            f" not {first_frame!r}."
        )


def _current_publication(task: Task) -> Optional[Publication]:
    """Return the publication of the same content, None if there is none or another is forced."""
    found = _earlier_publication(task)
    return None if task.force else found


def _earlier_publication(task: Task) -> Optional[Publication]:
    """Return the earlier publication of the same content and profile, None if there is none.

    Remove the components of a failed job, and components that have lost their data.
    """
    session = task.session
    found = publications.find_published(session, task.version["id"])
    task.facts[publications.NUMBER] = publications.next_number(found)
    for each in found:
        if not task.is_same(each.metadata):
            continue
        if not each.has_failed:
            return Publication(each.component, each.job, False)
        ids = [each.component["id"]]
        if each.job is not None:
            ids += [one["id"] for one in publications.outputs_of(session, each.job["id"])]
        publications.remove_components(session, dict.fromkeys(ids))
    return None


def _adopt(task: Task, claim: Claim) -> Optional[Publication]:
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
    publication = None if adopted is None else describe(task, adopted, claim, False)
    if publication is None:
        claim.forget_abandoned()
    return publication


def _encode(encode: str, task: Task, claim: Claim) -> Publication:
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


def _clean_up(task: Task) -> None:
    """Remove what an interrupted call has made, as the next call would do.

    Leave it to the next call if that fails, or if another process is at work.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(Exception):
            _remove_abandoned(task.session, task.version["id"])
            return


def _remove_abandoned(session: Session, version_id: str) -> None:
    """Remove what was made under abandoned claims of the version."""
    with claiming(session, version_id, "", time.monotonic()) as claim:
        try:
            # A batch whose answer was interrupted is sent again, before its results are removed.
            session.commit()
            for token, _ in claim.abandoned:
                publications.remove_made_under(session, version_id, token)
            claim.forget_abandoned()
        except BaseException:
            claim.abandon()
            raise


#: The ways to encode: each returns the publication of a task under a claim.
_ENCODERS: Mapping[str, Callable[[Task, Claim], Publication]] = {
    "local": encode_here,
    "server": encode_there,
}
