"""Encode on this machine, and upload the results."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._media.animation import ANIMATED_TYPES, is_animated
from ftrack_like._media.details import DETAILS_QUERY, details_of
from ftrack_like._media.pipeline import IMAGE, THUMBNAIL, Made, Pipeline, Source
from ftrack_like._media.programs import LocalPrograms
from ftrack_like._media.scratch import encoding_folder
from ftrack_like._media.sequences import arranged, check_type, missing_frames
from ftrack_like._media.types import IMAGE_TYPES, SLATE_FRAMES, UNREADABLE
from ftrack_like._session import publications
from ftrack_like._session.jobs import share_of
from ftrack_like.entity.location import find_location
from ftrack_like.media._task import PROFILES, Publication, Task
from ftrack_like.symbol import SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like._base.types import Progress
    from ftrack_like._session.claims import Claim
    from ftrack_like.entity.component import Component

__all__ = ["encode_here"]

_logger = logging.getLogger(__name__)


def encode_here(task: Task, claim: Claim) -> Publication:
    """Encode the file on this machine and upload the result."""
    left = None if task.deadline is None else max(task.deadline - time.monotonic(), 0.0)
    programs = LocalPrograms(left)
    parameters = dict(PROFILES[task.profile])
    with encoding_folder() as folder:
        encoded = Pipeline(programs, task.presets).make(
            _source(task, folder),
            folder,
            [str(parameters["container"])],
            _shares(share_of(task.progress, 0, 50)),
            lambda: _details(task),
        )
        # The result would be found as that of the content that was read for the checksum.
        task.check_files()
        *movies, still = encoded.files
        if movies[0].name == IMAGE:
            parameters = {"container": "jpeg"}
        width, height = encoded.shape
        task.facts.update(
            encoding_parameters=json.dumps(parameters), source_resolution=f"{width}x{height}"
        )
        if encoded.slate_frames:
            task.facts[SLATE_FRAMES] = str(encoded.slate_frames)
        if encoded.unreadable:
            task.facts[UNREADABLE] = encoded.unreadable
            _logger.warning(
                "%s was published without %s, which cannot be read.",
                task.facts["source_file_name"],
                encoded.unreadable,
            )
        component = _upload(task, movies, still, claim)
    return Publication(component, None, True)


def _details(task: Task) -> Mapping[str, str]:
    """Return the values of fields for a burn-in and a slate."""
    query = DETAILS_QUERY.format(task.version["id"])
    found = task.session.call([{"action": "query", "expression": query}])[0]["data"]
    return {**(details_of(found[0]) if found else {}), "file": task.facts["source_file_name"]}


def _shares(tell: Optional[Progress]) -> Optional[Callable[[float], None]]:
    """Return a function that reports a share from 0.0 to 1.0 with *tell*."""
    if tell is None:
        return None

    def share(done: float) -> None:
        tell(int(done * 1000), 1000)

    return share


def _source(task: Task, folder: pathlib.Path) -> Source:
    """Return the media to encode.

    Names such as ``-i.mov``, ``a:b.mov`` or ``50%d.png`` have a special meaning for ffmpeg. So
    images get plain names in *folder*, and other files stay in place, under a ``file:`` address.
    """
    name = repr(task.facts["source_file_name"])
    suffix = "".join(re.findall(r"[.\w]+", task.files[0].suffix, re.ASCII))
    if task.is_sequence:
        check_type(task.files[0].suffix.lower())
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
    return Source(name, f"file:{os.path.abspath(file)}", first=task.first_frame or 0)


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Make *source* available at *target*, as a link or else as a copy."""
    try:
        target.symlink_to(os.path.abspath(source))
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)


def _is_image(task: Task) -> bool:
    """Return whether the source is an image that does not move."""
    suffix = task.files[0].suffix.lower()
    if suffix in ANIMATED_TYPES and is_animated(task.files[0]):
        return False
    return suffix in IMAGE_TYPES


def _upload(task: Task, movies: Sequence[Made], still: Made, claim: Claim) -> Component:
    """Upload the encoded *movies*, or the image, and the thumbnail *still*.

    Return the component of the first.
    """
    server = find_location(task.session, SERVER_LOCATION_ID)
    thumbnail = task.session.create_component(
        str(still.path),
        {
            "id": publications.thumbnail_id(claim.token),
            "name": THUMBNAIL,
            "file_type": still.file_type,
        },
        server,
    )
    if task.keep_original and not _has_original(task):
        original = {key: value for key, value in task.facts.items() if key.startswith("source_")}
        values = {"name": "main", "metadata": original}
        task.version.create_component(str(task.path), values, server)
    main, *larger = movies
    sizes = []
    for made, id_ in zip(larger, publications.size_ids(claim.token)):
        about: dict[str, Any] = {"id": id_, "name": made.name, "file_type": made.file_type}
        about["metadata"] = {"ftr_meta": made.meta}
        for key in (SLATE_FRAMES, UNREADABLE):
            if key in task.facts:
                about["metadata"][key] = task.facts[key]
        sizes.append(task.session.create_component(str(made.path), about, server))
    # Last, in the commit that also writes its metadata, attaches the other sizes and the thumbnail
    # to the version and ends the claim. If anything fails before, the next try repeats it, and the
    # version still has its old thumbnail.
    about = {"id": claim.token, "name": main.name, "file_type": main.file_type}
    with claim.ending(claim.token, task.version["id"], *(one["id"] for one in sizes)):
        task.version["thumbnail_id"] = thumbnail["id"]
        for one in sizes:
            one["version_id"] = task.version["id"]
        return task.version.create_component(
            str(main.path),
            {**about, "metadata": {**task.facts, "ftr_meta": main.meta}},
            server,
            progress=share_of(task.progress, 50, 100),
        )


def _has_original(task: Task) -> bool:
    """Return whether an earlier try, which failed, has uploaded the original."""
    found = task.session.query(
        f'select id from Component where version_id is "{task.version["id"]}" and name is '
        f'"main" and metadata any (key is "source_sha1" and value is '
        f'"{task.facts["source_sha1"]}")'
    ).first()
    return found is not None
