"""`ftrack-like download`: download the files of components and versions."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ftrack_like.accessor._parallel import Move, move_all, works_in_threads
from ftrack_like.accessor._progress import Meter, current_meter
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import is_id
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._expressions import with_type
from ftrack_like.cli._fetching import (
    DOWNLOADED,
    WantedFile,
    existing_message,
    fetch,
    wanted_files,
)
from ftrack_like.cli._finding import whole_ids
from ftrack_like.cli._output import add_output_arguments, is_terminal, write_rows
from ftrack_like.cli._progress import ProgressBar
from ftrack_like.cli._review_media import is_encoding
from ftrack_like.cli._text import amount
from ftrack_like.cli._units import as_size
from ftrack_like.cli._unknown import no_component
from ftrack_like.cli._unknown_values import unknown_values
from ftrack_like.cli._version_paths import VERSION_FORM, versions_meant

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "download the files of components and versions"

#: Types whose files can be downloaded.
_COMPONENTS = ("Component", "FileComponent", "SequenceComponent", "ContainerComponent")
_VERSION = "AssetVersion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Download the files of components and versions. A version's thumbnail, and the encodings "
        "for reviews beside its files, are only downloaded by name or id, such as '--component "
        "thumbnail' or '--component ftrackreview-mp4'. A file appears when it is complete. A "
        "large download that broke off continues in the next run. Files of --query go into "
        "folders for project, contexts, asset and version."
    )
    parser.add_argument(
        "ids",
        metavar="ID",
        nargs="*",
        help="id of a component or of an asset version, or the path of a version such as "
        f"{VERSION_FORM}",
    )
    parser.add_argument(
        "-q",
        "--query",
        metavar="EXPRESSION",
        help="instead of ids: a query for components or versions, such as "
        "'AssetVersion where task.name is lighting'",
    )
    parser.add_argument(
        "--to", metavar="FOLDER", default=".", help="folder for the files (default: this one)"
    )
    parser.add_argument(
        "--component",
        metavar="NAME",
        action="append",
        default=[],
        help="only components of this name; may be repeated",
    )
    parser.add_argument(
        "--structure",
        action=argparse.BooleanOptionalAction,
        help="make folders for project, contexts, asset and version (default: only for --query)",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("-f", "--force", action="store_true", help="replace existing files")
    existing.add_argument("--skip-existing", action="store_true", help="keep existing files")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="print the files and download nothing"
    )
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Download the files that *arguments* name; return the exit status."""
    if bool(arguments.ids) == (arguments.query is not None):
        raise UsageMistake("Pass either ids or --query EXPRESSION.")
    if not arguments.to:
        raise UsageMistake("--to is empty. Name a folder, or leave it out for this one.")
    folder = pathlib.Path(arguments.to).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageMistake(f"--to {arguments.to!r} is a file. Name a folder.")
    with open_session(arguments, plugins=True) as session:
        if len(arguments.ids) > 1 and arguments.ids[0] in (_VERSION, *_COMPONENTS):
            del arguments.ids[0]  # The type, which other commands need before an id.
        arguments.ids = whole_ids(session, ("Component", _VERSION), arguments.ids)
        components = _components(session, arguments)
        structured = arguments.structure
        if structured is None:
            structured = arguments.query is not None
        files = wanted_files(session, components, folder, structured)
        left = _left_to_do(files, arguments)
        if not arguments.dry_run:
            _fetch_all(left, arguments.force)
    kept = {each.target for each in files} - {each.target for each in left}
    write_rows(
        arguments,
        ("path", "bytes", "component"),
        [
            [str(each.target), each.size, str(each.component["id"])]
            for each in files
            if each.target not in kept
        ],
    )
    if is_terminal(sys.stderr):
        verb = "Would download" if arguments.dry_run else "Downloaded"
        size = as_size(sum(each.size for each in left))
        skipped = f", kept {len(kept)}" if kept else ""
        print(f"{verb} {amount(len(left), 'file')} ({size}){skipped}.", file=sys.stderr)
    return 0


def _left_to_do(files: Sequence[WantedFile], arguments: argparse.Namespace) -> list[WantedFile]:
    """Return those of *files* to download; raise an error for files that may not be replaced."""
    existing = [each for each in files if os.path.lexists(each.target)]
    for each in existing:
        if each.target.is_dir():
            raise CommandError(f"{str(each.target)!r} is a folder, and cannot become a file.")
    if existing and not (arguments.force or arguments.skip_existing or arguments.dry_run):
        raise CommandError(existing_message([each.target for each in existing]))
    return [each for each in files if each not in existing or not arguments.skip_existing]


def _fetch_all(files: Sequence[WantedFile], force: bool) -> None:
    """Download *files* with a bar, several at the same time if the accessors allow it."""
    total = sum(each.size for each in files)
    places = _places_of(files)
    with ProgressBar(f"Downloading {amount(len(files), 'file')}", total or None) as bar:
        if len(files) > 1 and all(works_in_threads(each.location.accessor) for each in files):
            moves = [_download(each, places[each.component["id"]], force) for each in files]
            move_all(moves, Meter(bar.update, total))
            return
        for each in files:
            fetch(each, places[each.component["id"]], force=force, progress=bar.advance)


def _places_of(files: Sequence[WantedFile]) -> dict[str, str]:
    """Return the resource identifiers of *files* by component id, with a query per location."""
    by_location: dict[str, list[WantedFile]] = {}
    for each in files:
        by_location.setdefault(each.location["id"], []).append(each)
    places: dict[str, str] = {}
    for group in by_location.values():
        components = [each.component for each in group]
        found = group[0].location.get_resource_identifiers(components)
        places.update(zip([each["id"] for each in components], found))
    return places


def _download(wanted: WantedFile, identifier: str, force: bool) -> Move:
    """Return the download of *wanted* from *identifier*, which any thread may run."""

    def run() -> None:
        """Download the file, and report the bytes to the meter of the thread."""
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            meter = current_meter()
            if meter is not None:
                meter.move_to(done)

        fetch(wanted, identifier, force=force, progress=advance)

    return Move(run, wanted.size)


def _components(session: Session, arguments: argparse.Namespace) -> list[Component]:
    """Return the components that *arguments* name, each once."""
    by_name = bool(arguments.component)
    if arguments.query is not None:
        found = _of_query(session, arguments.query, by_name)
    else:
        found = _of_ids(session, arguments.ids, by_name)
    if arguments.component:
        kept = [each for each in found if each["name"] in arguments.component]
        if not kept:
            names = sorted({str(each["name"]) for each in found})
            raise no_component(arguments.component, names)
        found = kept
    return list({str(each["id"]): each for each in found}.values())


def _of_query(session: Session, expression: str, by_name: bool) -> list[Component]:
    """Return the components that the query *expression* finds, or those of its versions.

    *by_name* is as for :func:`_of_versions`.
    """
    entity_type, query = with_type(session, expression)
    if entity_type not in (_VERSION, *_COMPONENTS):
        raise UsageMistake(
            f"--query must find components or asset versions, not {entity_type}, such as "
            "'AssetVersion where task.name is lighting'."
        )
    ids = [str(each["id"]) for each in session.query(query)]
    is_version = entity_type == _VERSION
    found = _of_versions(session, ids, by_name) if is_version else _load(session, "id", ids)
    if not found:
        hints = [] if ids else unknown_values(session, entity_type, query)
        raise CommandError(" ".join([f"{expression!r} finds no component.", *hints]))
    return found


def _of_ids(session: Session, ids: Sequence[str], by_name: bool) -> list[Component]:
    """Return the components with *ids*, or those of the versions with *ids*; see above."""
    by_id = {str(each["id"]): [each] for each in _load(session, "id", ids)}
    versions = [each for each in ids if each not in by_id]
    for component in _of_versions(session, versions, by_name):
        by_id.setdefault(str(component["version"]["id"]), []).append(component)
    found: list[Component] = []
    for each in ids:
        if each not in by_id:
            version = session.query(
                f"select version from {_VERSION} where id is :id", values={"id": each}
            ).first()
            problem = "has no components" if version else "is no component and no version"
            form = ""
            if not is_id(each):
                meant = versions_meant(session, each)
                form = f" {meant or f'Write an id, or the path of a version: {VERSION_FORM}.'}"
            raise CommandError(
                f"{each!r} {problem} that {session.api_user!r} may see on {session.server_url}."
                f"{form}"
            )
        found += by_id[each]
    return found


def _of_versions(session: Session, ids: Sequence[str], by_name: bool) -> list[Component]:
    """Return the components of the versions with *ids*.

    Unless people choose *by_name*, leave out thumbnails, and the encodings of versions that have
    other files.
    """
    found = _load(session, "version_id", ids)
    if by_name:
        return found
    found = [each for each in found if not _is_thumbnail(each)]
    own = {str(each["version"]["id"]) for each in found if not is_encoding(str(each["name"]))}
    return [
        each
        for each in found
        if str(each["version"]["id"]) not in own or not is_encoding(str(each["name"]))
    ]


def _is_thumbnail(component: Component) -> bool:
    """Return whether the version of *component* shows it as its thumbnail."""
    version: Entity = component["version"]
    return str(version["thumbnail_id"]) == str(component["id"])


def _load(session: Session, key: str, ids: Sequence[str]) -> list[Component]:
    """Return the components whose attribute *key* is one of *ids*, sorted by name."""
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    found: list[Component] = []
    for some in groups(ids):
        query = session.query(
            f"select {DOWNLOADED} from Component where {key} in :ids order by name",
            values={"ids": some},
        )
        found += cast("list[Component]", query.all())
    return found
