"""`ftrack-like publish`: make a version with files, thumbnail, reviewable and note."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like.cli._arguments import seconds_above_zero, word_among_files
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entity
from ftrack_like.cli._output import (
    add_output_arguments,
    as_json_text,
    format_of,
    is_terminal,
    write_details,
)
from ftrack_like.cli._picture_files import check_encodable, check_thumbnail
from ftrack_like.cli._progress import ProgressBar
from ftrack_like.cli._sending import removing_after_failure, sending_all
from ftrack_like.cli._sources import SourceFile, sources_of
from ftrack_like.cli._text import printable
from ftrack_like.cli.upload import add_file_arguments, location_named

if TYPE_CHECKING:
    from ftrack_like.entity.asset_version import AssetVersion
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "make a version with files, thumbnail, reviewable and note"

#: The type of a new asset without --asset-type, if the server has it.
_USUAL_TYPE = "Upload"
_SERVER = "ftrack.server"
_MOVIES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mxf", ".webm"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Make a version of an asset with files, and print its id. The asset is found by name in "
        "its context, or created. The version becomes visible as published when all files are "
        "there; after a failure, the command removes it again."
    )
    add_file_arguments(parser, " (default: the file of --reviewable)")
    parser.add_argument(
        "--context",
        metavar="ID",
        help="the task, shot or other context to publish on: its id, or its path such as "
        "show/sq010/sh010 (default: --task)",
    )
    parser.add_argument(
        "--task", metavar="ID", help="the task of the version (default: --context, if it is a task)"
    )
    parser.add_argument(
        "--asset-name", metavar="NAME", help="name of the asset (default: that of the first file)"
    )
    parser.add_argument(
        "--asset-type",
        metavar="NAME",
        help=f"type of a new asset (default: {_USUAL_TYPE}, or the first one)",
    )
    parser.add_argument("-m", "--comment", metavar="TEXT", default="", help="comment")
    parser.add_argument("--status", metavar="NAME", help="status of the version")
    parser.add_argument("--thumbnail", metavar="FILE", help="picture for the thumbnail")
    parser.add_argument(
        "--reviewable", metavar="FILE", help="movie or picture to encode for reviews"
    )
    parser.add_argument("--wait", action="store_true", help="wait until the reviewable is encoded")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds_above_zero,
        help="with --wait: end with status 1 after this time; the version stays, and the server "
        "goes on (default: no limit)",
    )
    parser.add_argument("--note", metavar="TEXT", help="note on the version")
    parser.add_argument(
        "--location",
        metavar="NAME",
        default=_SERVER,
        help="location for the files (default: %(default)s; 'auto' takes the best)",
    )
    add_dry_run_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish the files in *arguments*; return the exit status."""
    if arguments.context is None and arguments.task is None:
        word = word_among_files(arguments.files)
        meant = f" Did you mean: --context {word}?" if word else ""
        raise UsageMistake(f"missing: --context ID, or --task ID, on which to publish.{meant}")
    if not arguments.files and arguments.reviewable is None:
        raise UsageMistake("missing: FILE, or --reviewable FILE. See: ftrack-like publish --help")
    if arguments.reviewable is not None:
        check_encodable("--reviewable", arguments.reviewable)
    files = arguments.files or [arguments.reviewable]
    sources = sources_of(files, name=arguments.name, sequences=arguments.sequences)
    if arguments.thumbnail is not None:
        check_thumbnail("--thumbnail", arguments.thumbnail)
    if arguments.wait and arguments.reviewable is None:
        raise UsageMistake("--wait waits for --reviewable FILE, which is missing.")
    if arguments.timeout is not None and not arguments.wait:
        raise UsageMistake("--timeout limits the time of --wait, which is missing.")
    with open_session(arguments, plugins=True) as session:
        location = location_named(session, arguments.location)
        author = None
        if arguments.note is not None:
            author = find_entity(session, "User", session.api_user)
        made: list[Entity] = []
        version = _create_version(session, arguments, sources, made)
        if arguments.dry_run:
            apply_changes(session, arguments)
            _print_plan(arguments, sources)
            return 0
        # No program takes the version for a published one before its files are there.
        version["is_published"] = False
        session.commit()
        with (
            removing_after_failure(session, made),
            sending_all(session, sources, {"version": version}, location) as components,
        ):
            job = _add_rest(arguments, version, author)
            problem = None if job is None else _wait(arguments, session, job)
            version["is_published"] = True
            session.commit()
        _print_version(arguments, version, components, job)
    if problem is not None:
        raise CommandError(problem)
    return 0


def _create_version(
    session: Session,
    arguments: argparse.Namespace,
    sources: list[SourceFile],
    made: list[Entity],
) -> AssetVersion:
    """Return the new version, without committing; add it, and a new asset, to *made*."""
    needed = ["parent_id", "project_id"]
    task = arguments.task and find_entity(session, "Task", arguments.task, needed)
    context = task
    if arguments.context is not None:
        context = find_entity(session, "Context", arguments.context, needed)
    if task is None and context.entity_type == "Task":
        task = context
    if context.entity_type == "Task":
        parent_id = context["parent_id"]
        context = session.query(
            "select name, link from Context where id is :id", values={"id": parent_id}
        ).one()
    chosen = None
    if arguments.asset_type is not None:
        chosen = find_entity(session, "AssetType", arguments.asset_type)
    name = arguments.asset_name or sources[0].name
    asset = session.query(
        "select name, type.name from Asset where name is :name and context_id is :context",
        values={"name": name, "context": context["id"]},
    ).first()
    if asset is None:
        values = {"name": name, "parent": context, "type": chosen or _usual_type(session)}
        asset = session.create("Asset", values)
        made.append(asset)
    elif chosen not in (None, asset["type"]):
        raise CommandError(
            f"The asset {name!r} in {described(context)} has the type {asset['type']['name']!r}, "
            f"not {chosen['name']!r}. Choose another --asset-name, or omit --asset-type."
        )
    values = {"asset": asset, "comment": arguments.comment}
    if task is not None:
        values["task"] = task
    if arguments.status is not None:
        values["status"] = find_entity(session, "Status", arguments.status)
    version = session.create("AssetVersion", values)
    made.append(version)
    return cast("AssetVersion", version)


def _usual_type(session: Session) -> Entity:
    """Return the type of a new asset without --asset-type."""
    select = "select name from AssetType"
    usual = session.query(f"{select} where name is :name", values={"name": _USUAL_TYPE}).first()
    found = usual or session.query(f"{select} order by name").first()
    if found is None:
        raise CommandError(f"{session.server_url} has no asset type. Create one first.")
    return found


def _add_rest(
    arguments: argparse.Namespace, version: AssetVersion, author: Optional[Entity]
) -> Optional[Entity]:
    """Add note of *author*, thumbnail and reviewable to *version*; return the job that encodes."""
    if arguments.note is not None:
        create_note: Any = getattr(version, "create_note")  # noqa: B009 - a mixin of the server's type
        create_note(arguments.note, author)
    if arguments.thumbnail is not None:
        create_thumbnail: Any = getattr(version, "create_thumbnail")  # noqa: B009 - likewise
        create_thumbnail(arguments.thumbnail)
    if arguments.reviewable is None:
        return None
    with ProgressBar(f"Uploading {os.path.basename(arguments.reviewable)}") as bar:
        job = version.encode_media(arguments.reviewable, progress=bar.update)
    return cast("Entity", job)


def _wait(arguments: argparse.Namespace, session: Session, job: Entity) -> Optional[str]:
    """Wait for *job* with --wait; return the problem if it goes on after the time limit."""
    from ftrack_like import exception  # lazy: "--help" answers at once

    if not arguments.wait:
        return None
    if not is_terminal(sys.stderr):
        since = time.strftime("%H:%M:%S UTC", time.gmtime())
        text = f"The reviewable waits for an encoder since {since}: job {job['id']}."
        print(f"ftrack-like: {text}", file=sys.stderr, flush=True)
    try:
        with ProgressBar(f"Encoding {os.path.basename(arguments.reviewable)}") as bar:
            session.wait_for_job(job, arguments.timeout, bar.update)
    except exception.JobTimeoutError as error:
        status = error.details["status"]
        return (
            f"The version is published, but the job {job['id']} of its reviewable is {status} "
            f"after {arguments.timeout:g} seconds. It goes on. A job that stays queued has no "
            f"encoder. Look at it with: ftrack-like get Job {job['id']}"
        )
    return None


def _print_plan(arguments: argparse.Namespace, sources: list[SourceFile]) -> None:
    """Print the steps of a dry run that are not changes of entities."""
    steps = [f"upload {source} to {arguments.location}" for source in sources]
    if arguments.thumbnail is not None:
        steps.append(f"set the thumbnail to {arguments.thumbnail!r}")
    if arguments.reviewable is not None:
        steps.append(f"encode {arguments.reviewable!r} for reviews")
    if arguments.note is not None:
        steps.append(f"write the note {arguments.note!r}")
    # A list of changes as JSON stays a list of changes.
    stream = sys.stderr if format_of(arguments) in ("json", "jsonl") else sys.stdout
    for step in steps:
        print(printable(step), file=stream)


def _print_version(
    arguments: argparse.Namespace,
    version: Entity,
    components: list[Component],
    job: Optional[Entity],
) -> None:
    """Print the id of *version*, or all about it as JSON."""
    asset = version["asset"]
    if format_of(arguments) in ("table", "tsv"):
        print(version["id"])
        if is_terminal(sys.stderr):
            text = f"Published {asset['name']} v{version['version']:03} with "
            text += ", ".join(str(each["name"]) for each in components)
            print(printable(f"{text}."), file=sys.stderr)
            if job is not None and not arguments.wait:
                follow = f"ftrack-like get Job {job['id']} --columns status"
                print(f"The server encodes the reviewable. Is it done? {follow}", file=sys.stderr)
            movie = None if arguments.reviewable else _movie_among(arguments.files)
            if movie is not None:
                advice = f"ftrack-like encode {shlex.quote(movie)} --version {version['id']}"
                text = f"Reviews show no movie of it, because --reviewable was not given. {advice}"
                print(printable(f"{text} encodes it."), file=sys.stderr)
        return
    values: dict[str, Any] = {
        "id": version["id"],
        "version": version["version"],
        "asset": {"id": asset["id"], "name": asset["name"]},
        "components": [{"id": each["id"], "name": each["name"]} for each in components],
        "job": None if job is None else job["id"],
    }
    if format_of(arguments) == "csv":
        values = {"id": values["id"], "version": values["version"], "asset": asset["name"]}
    if format_of(arguments) == "json":
        print(as_json_text(values, indent=2))
    else:
        write_details(arguments, values)


def _movie_among(files: Sequence[str]) -> Optional[str]:
    """Return the first movie of *files*, without the name of its component; None without one."""
    for each in files:
        path = each if os.path.lexists(each) else each.partition("=")[2]
        if os.path.splitext(path)[1].lower() in _MOVIES:
            return path
    return None
