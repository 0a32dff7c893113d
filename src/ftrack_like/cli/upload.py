"""`ftrack-like upload`: upload files as components of a version or of a location."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Optional, cast

from ftrack_like._base.words import with_article
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described, is_id
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entity, whole_ids
from ftrack_like.cli._output import add_output_arguments, is_terminal, write_rows
from ftrack_like.cli._sending import sending_all
from ftrack_like.cli._sources import SourceFile, sources_of
from ftrack_like.cli._text import amount, printable
from ftrack_like.cli._units import as_size
from ftrack_like.cli._version_paths import VERSION_FORM

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "upload files as components of a version or a location"

_SERVER = "ftrack.server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Upload files as components, and print their ids. All files are uploaded, or none: after "
        "a failure, the command removes those of this run. To make a new version, use publish."
    )
    add_file_arguments(parser)
    parser.add_argument(
        "--to",
        metavar="TARGET",
        required=True,
        help=f"the asset version that gets the components, by id or path such as {VERSION_FORM}; "
        f"or the name of a location, such as {_SERVER}, for components without a version",
    )
    parser.add_argument(
        "--location",
        metavar="NAME",
        help=f"location for the files of a version (default: {_SERVER}; 'auto' takes the best)",
    )
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="print the plan and upload nothing"
    )
    add_output_arguments(parser)
    add_connection_arguments(parser)


def add_file_arguments(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the files, and the options for their names, to *parser*.

    *more* is for the help and says what a command without files does; by default it needs one.
    """
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*" if more else "+",
        help="a file, or a sequence like 'x.%%04d.exr' or 'x.####.exr [1001-1010]'; "
        f"NAME=FILE names the component{more}",
    )
    parser.add_argument("--name", metavar="NAME", help="name of the component of a single file")
    parser.add_argument(
        "--sequences",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="make one component of files that differ in the frame number (default: yes)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Upload the files in *arguments*; return the exit status."""
    sources = sources_of(arguments.files, name=arguments.name, sequences=arguments.sequences)
    with open_session(arguments, plugins=True) as session:
        version, location = _target(session, arguments)
        if version is not None:
            _refuse_taken(version, sources)
        if arguments.dry_run:
            owner = described(version) if version is not None else "no version"
            place = "the best location" if location is None else str(location["name"])
            for source in sources:
                print(printable(f"upload {source} of {owner} to {place}"))
            return 0
        values = {} if version is None else {"version": version}
        with sending_all(session, sources, values, location) as components:
            session.commit()
        rows = [
            [str(each["id"]), str(each["name"]), source.size, source.path]
            for each, source in zip(components, sources)
        ]
    write_rows(arguments, ("id", "name", "bytes", "path"), rows)
    if is_terminal(sys.stderr):
        size = as_size(sum(source.size for source in sources))
        print(f"Uploaded {amount(len(sources), 'component')} ({size}).", file=sys.stderr)
    return 0


def _target(
    session: Session, arguments: argparse.Namespace
) -> tuple[Optional[Entity], Optional[Location]]:
    """Return the version and the location of *arguments*; no location means the best one."""
    (arguments.to,) = whole_ids(session, ("AssetVersion",), [arguments.to])
    if not is_id(arguments.to):
        if arguments.location is not None:
            raise UsageMistake("--location belongs to a version in --to.")
        return None, location_named(session, arguments.to)
    version = session.query(
        "select version, link, components.name from AssetVersion where id is :id",
        values={"id": arguments.to},
    ).first()
    if version is None:
        context = session.query(
            "select link from Context where id is :id", values={"id": arguments.to}
        ).first()
        if context is not None:
            kind = with_article(context.entity_type)
            raise CommandError(
                f"{described(context)} is {kind}, not an asset version. Make a "
                f"version on it with: ftrack-like publish FILE --context {arguments.to}"
            )
        raise CommandError(
            f"There is no asset version with the id {arguments.to!r} on {session.server_url}."
        )
    return version, location_named(session, arguments.location or _SERVER)


def location_named(session: Session, name: str) -> Optional[Location]:
    """Return the location *name* or with the id *name*; None for ``auto``.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` if this machine cannot write to it.
    """
    if name == "auto":
        return None
    location = cast("Location", find_entity(session, "Location", name))
    if not location.accessor:
        raise CommandError(
            f"The location {name!r} has no accessor on this machine. A plugin in "
            "FTRACK_EVENT_PLUGIN_PATH sets it up."
        )
    return location


def _refuse_taken(version: Entity, sources: list[SourceFile]) -> None:
    """Raise an error if *version* already has a component with the name of one of *sources*."""
    names = {str(each["name"]) for each in version["components"]}
    for source in sources:
        if source.name in names:
            raise CommandError(
                f"{described(version)} already has a component {source.name!r}. Write NAME=FILE "
                "to choose another name."
            )
