"""`ftrack-like review`: list and make review sessions, add versions, invite people, report."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.clocks import utc_now
from ftrack_like.cli._arguments import positive
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes
from ftrack_like.cli._connection import add_connection_arguments, open_session, secret_of_file
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._expressions import with_type
from ftrack_like.cli._finding import find_entities, find_entity
from ftrack_like.cli._output import (
    add_output_arguments,
    format_of,
    is_terminal,
    write_details,
    write_rows,
)
from ftrack_like.cli._review_guests import NO_LINKS, GuestRow, read_guests
from ftrack_like.cli._review_list import ReviewRow, read_reviews, review_notes, review_row
from ftrack_like.cli._review_media import version_title, warn_of_missing_media
from ftrack_like.cli._review_page import (
    OUTBOX,
    links_in_mails,
    local_links_note,
    page_of_review,
    sandbox_page,
)
from ftrack_like.cli._review_report import REPORT_COLUMNS, read_report, report_row, report_value
from ftrack_like.cli._text import amount
from ftrack_like.cli._version_paths import VERSION_FORM

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "list and make review sessions, add versions, invite people, and report"

_MAIL = re.compile(r"[^\s@<>,;]+@(?P<domain>[^\s@<>,;]+)")
#: A domain on the internet, or this machine. Servers send mail to no other name without a dot.
_DOMAIN = re.compile(r"localhost|[^\s.]+(\.[^\s.]+)+", re.IGNORECASE)
_NAMED_MAIL = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<mail>[^<>]+)>\s*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = _add_create(actions)
    add = actions.add_parser(
        "add",
        help="add versions to a review session",
        description="Add versions to a review session. The command warns of versions without media "
        "that a browser can show, and adds them all the same.",
    )
    _add_review(add)
    add.add_argument(
        "versions",
        metavar="VERSION",
        nargs="*",
        help=f"asset version, by id or path such as {VERSION_FORM}",
    )
    add.add_argument("-q", "--query", metavar="EXPRESSION", help="or a query for asset versions")
    invite = actions.add_parser(
        "invite",
        help="invite people by mail",
        description="Invite people by mail. The mail has the personal link of the guest. A site "
        "sends it to the guest alone. 'review guests' prints it for administrators of a sandbox.",
    )
    _add_review(invite)
    invite.add_argument(
        "people",
        metavar="EMAIL",
        nargs="+",
        help="mail address, also as 'Ines Ferreira <ines@producer.example>'",
    )
    invite.add_argument("--no-mail", action="store_true", help="add the people, but send no mail")
    for each in (create, add, invite):
        add_dry_run_argument(each)
    guests = actions.add_parser(
        "guests",
        help="list the people who are invited, with their links in a sandbox",
        description="List the people who are invited. For an administrator of a sandbox, with the "
        "personal link in the last mail to each. A site sends links to the guests alone: there "
        "the column is empty.",
    )
    _add_review(guests)
    report = actions.add_parser(
        "report",
        help="print decisions and notes",
        description="Print a row for each version in the review session, with the decisions and "
        "notes of the guests: a table, TSV, CSV, or JSON with one object for each version.",
    )
    _add_review(report)
    listing = actions.add_parser(
        "list",
        help="list the review sessions",
        description="List the review sessions, those that end last first, with the number of "
        "versions in each, and of open verdicts: versions that no guest has approved or sent back "
        "for changes.",
    )
    listing.add_argument("--project", metavar="PROJECT", help="only those of this project")
    listing.add_argument("--open", action="store_true", help="only those that guests can enter now")
    for each in (create, add, invite, guests, report, listing):
        add_output_arguments(each)
        add_connection_arguments(each)


def _add_create(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the action *create* to *actions*, and return its parser."""
    create = actions.add_parser(
        "create",
        help="make a review session and print its id",
        description="Make a review session and print its id. On a terminal, also print the address "
        "of its page for users, if the server is a sandbox. With --json, the address is in 'url', "
        "and null for other servers.",
    )
    create.add_argument("name", metavar="NAME", help="name of the review session")
    create.add_argument(
        "--project", metavar="PROJECT", required=True, help="name or id of the project"
    )
    create.add_argument("--description", metavar="TEXT", default="", help="text for the guests")
    create.add_argument(
        "--days",
        metavar="N",
        type=positive,
        help="close it after N days (default: it stays open until it is closed)",
    )
    create.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help="guests must enter the text in the first line of this file; '-' reads a line from "
        "standard input. A passphrase is never an argument: other users see those",
    )
    create.add_argument(
        "--moderated", action="store_true", help="guests do not see the notes of other guests"
    )
    create.add_argument(
        "--force",
        action="store_true",
        help="make it although the project has a review session of this name",
    )
    _add_versions_option(
        create,
        "--version",
        f"version to show, by id or path such as {VERSION_FORM}; may be repeated",
    )
    create.add_argument(
        "--invite",
        metavar="EMAIL",
        action="append",
        default=[],
        help="person to invite by mail; may be repeated",
    )
    return create


def _add_review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("review", metavar="REVIEW", help="name or id of the review session")


def _add_versions_option(parser: argparse.ArgumentParser, name: str, words: str) -> None:
    parser.add_argument(
        name, dest="versions", metavar="VERSION", action="append", default=[], help=words
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what *arguments* say; return the exit status."""
    actions = {
        "create": _create,
        "add": _add,
        "invite": _invite,
        "guests": _guests,
        "report": _report,
        "list": _list_reviews,
    }
    with open_session(arguments) as session:
        return actions[arguments.action](session, arguments)


def _create(session: Session, arguments: argparse.Namespace) -> int:
    """Make a review session."""
    people = [_read_person(each) for each in arguments.invite]
    project = find_entity(session, "Project", arguments.project)
    if not arguments.force:
        _refuse_second_review(session, arguments.name, project)
    versions = _versions_of(session, arguments.versions)
    review = session.create("ReviewSession", _settings(session, arguments, project))
    warn_of_missing_media(session, versions)
    for version in versions:
        _add_object(session, review, version)
    invitees = [_add_invitee(session, review, name, mail) for name, mail in people]
    if not apply_changes(session, arguments):
        return 0
    if invitees:
        session.send_review_session_invites(invitees)
    id_, chosen = str(review["id"]), format_of(arguments)
    url = None if chosen == "tsv" else sandbox_page(session, page_of_review(id_))
    if chosen in ("table", "tsv"):
        print(id_)
        if url is not None:
            _say(f"Open {url}")
    else:
        write_details(arguments, {"id": id_, "name": review["name"], "url": url})
    _say(f"{amount(len(versions), 'version')}, {amount(len(invitees), 'person')} invited.")
    if invitees:
        _say_where_links_are(session)
    return 0


def _refuse_second_review(session: Session, name: str, project: Entity) -> None:
    """Raise an error if *project* has a review session with this *name*, which then names two."""
    found = session.query(
        "select name from ReviewSession where name is :name and project_id is :project",
        values={"name": name, "project": project["id"]},
    ).all()
    if found:
        notes = review_notes(session, found)
        raise CommandError(
            f"The project has a review session {name!r} already:",
            [f"{each['id']}  {notes[str(each['id'])]}" for each in found],
            "Add versions to it with 'ftrack-like review add', choose another name, or pass "
            "--force.",
        )


def _settings(
    session: Session, arguments: argparse.Namespace, project: Entity
) -> dict[str, object]:
    """Return the values of the review session in *arguments*."""
    now = utc_now(session.server_url).replace(microsecond=0)
    values: dict[str, object] = {
        "name": arguments.name,
        "description": arguments.description,
        "project": project,
        "start_date": now,
        "end_date": now + datetime.timedelta(days=arguments.days or 365),
        "availability": "date_range" if arguments.days else "always",
    }
    if arguments.passphrase_file is not None:
        passphrase = secret_of_file(
            arguments.passphrase_file, "--passphrase-file", "the passphrase"
        )
        values.update(passphrase=passphrase, passphrase_enabled=True)
    if arguments.moderated:
        values["is_moderated"] = True
    return values


def _add(session: Session, arguments: argparse.Namespace) -> int:
    """Add versions to a review session."""
    if bool(arguments.versions) == (arguments.query is not None):
        raise UsageMistake("Pass the review session, then either versions or --query EXPRESSION.")
    review = _find_review(session, arguments.review)
    if arguments.query is not None:
        versions = _versions_of_query(session, arguments.query)
    else:
        versions = _versions_of(session, arguments.versions)
    shown = session.query(
        "select version_id from ReviewSessionObject where review_session_id is :id",
        values={"id": review["id"]},
    ).all()
    present = {each["version_id"] for each in shown}
    new = [each for each in versions if each["id"] not in present]
    warn_of_missing_media(session, new)
    added = [(_add_object(session, review, version), version) for version in new]
    if not apply_changes(session, arguments):
        return 0
    rows = [[str(one["id"]), str(one["name"]), str(one["version"])] for one, _ in added]
    write_rows(arguments, ("id", "name", "version"), rows)
    before = len(versions) - len(new)
    others = f" {before} {'was' if before == 1 else 'were'} there already." if before else ""
    _say(f"Added {amount(len(new), 'version')}.{others}")
    return 0


def _invite(session: Session, arguments: argparse.Namespace) -> int:
    """Invite people to a review session; those who are there already get the mail again."""
    people = [_read_person(each) for each in arguments.people]
    review = _find_review(session, arguments.review)
    known = {
        str(each["email"]).lower(): each
        for each in session.query(
            "select name, email from ReviewSessionInvitee where review_session_id is :id",
            values={"id": review["id"]},
        )
    }
    invitees = []
    for name, mail in people:
        if mail.lower() not in known:
            known[mail.lower()] = _add_invitee(session, review, name, mail)
        invitees.append(known[mail.lower()])
    if not apply_changes(session, arguments):
        return 0
    if not arguments.no_mail:
        session.send_review_session_invites(invitees)
    rows = [[str(each["id"]), str(each["name"]), str(each["email"])] for each in invitees]
    write_rows(arguments, ("id", "name", "email"), rows)
    _say(f"{'Added' if arguments.no_mail else 'Invited'} {amount(len(invitees), 'person')}.")
    if not arguments.no_mail:
        _say_where_links_are(session)
    return 0


def _guests(session: Session, arguments: argparse.Namespace) -> int:
    """List the people who are invited to a review session."""
    review = _find_review(session, arguments.review)
    invitees = session.query(
        "select name from ReviewSessionInvitee where review_session_id is :id order by name, email",
        values={"id": review["id"]},
    ).all()
    rows, has_links = read_guests(session, invitees)
    shown = [list(each) for each in rows]
    columns = list(GuestRow._fields)
    if format_of(arguments) == "table":
        for row in shown:
            row[2] = str(row[2] or "never")[:16].replace("T", " ")
        if not has_links:
            columns, shown = columns[:-1], [row[:-1] for row in shown]
    if not write_rows(arguments, columns, shown, short_ids=True):
        _say("The review session has no guests.")
    elif not has_links:
        _say(NO_LINKS)
    else:
        _say_unless_empty(local_links_note(each.url for each in rows))
    return 0


def _report(session: Session, arguments: argparse.Namespace) -> int:
    """Print the decisions and notes of a review session."""
    review = _find_review(session, arguments.review)
    objects = read_report(session, str(review["id"]))
    if format_of(arguments) in ("json", "jsonl"):
        names = list(report_value(objects[0])) if objects else []
        write_rows(arguments, names, [list(report_value(one).values()) for one in objects])
    else:
        for_people = format_of(arguments) == "table"
        rows = [report_row(one) for one in objects]
        if for_people:  # A blank cell may be read as a value that is missing.
            rows = [[each or 0 for each in row] for row in rows]
        write_rows(arguments, REPORT_COLUMNS, rows)
        if not objects:
            _say("The review session has no versions.")
    return 0


def _list_reviews(session: Session, arguments: argparse.Namespace) -> int:
    """List the review sessions."""
    project = arguments.project and find_entity(session, "Project", arguments.project)
    reviews = read_reviews(session, str(project["id"]) if project else None, arguments.open)
    shown = map(review_row, reviews) if format_of(arguments) == "table" else map(list, reviews)
    if not write_rows(arguments, ReviewRow._fields, shown, short_ids=True):
        _say("Nothing found.")
    return 0


def _find_review(session: Session, text: str) -> Entity:
    return find_entity(session, "ReviewSession", text)


def _versions_of(session: Session, ids: Sequence[str]) -> list[Entity]:
    """Return the asset versions with *ids*, each once."""
    needed = ["version", "asset.name", "asset.parent.name"]
    found = find_entities(session, "AssetVersion", ids, needed)
    return list({str(each["id"]): each for each in found}.values())


def _versions_of_query(session: Session, expression: str) -> list[Entity]:
    entity_type, query = with_type(session, expression)
    if entity_type != "AssetVersion":
        raise UsageMistake(f"--query must find asset versions, not {entity_type}.")
    found = session.query(query).all()
    if not found:
        raise CommandError(f"{expression!r} finds no version.")
    session.populate(found, "version, asset.name, asset.parent.name")
    return found


def _add_object(session: Session, review: Entity, version: Entity) -> Entity:
    """Return a new object that shows *version* in *review*; the server puts it after the others."""
    values = {
        "review_session": review,
        "asset_version": version,
        "name": version_title(version),
        "version": f"Version {version['version']}",
    }
    return session.create("ReviewSessionObject", values)


def _add_invitee(session: Session, review: Entity, name: str, mail: str) -> Entity:
    values = {"review_session": review, "name": name, "email": mail}
    return session.create("ReviewSessionInvitee", values)


def _read_person(text: str) -> tuple[str, str]:
    """Return the name and the mail address in *text*."""
    match = _NAMED_MAIL.fullmatch(text)
    mail = (match["mail"] if match else text).strip()
    name: Optional[str] = match["name"].strip('" ') if match else None
    parts = _MAIL.fullmatch(mail)
    if parts is None:
        raise UsageMistake(
            f"{text!r} is not a mail address. Write ines@producer.example, or "
            "'Ines Ferreira <ines@producer.example>'."
        )
    domain = parts["domain"]
    if not _DOMAIN.fullmatch(domain):
        raise UsageMistake(
            f"{text!r} is not a complete mail address: {domain!r} is no domain. Write it with its "
            "ending, such as ines@producer.example."
        )
    return name or mail.partition("@")[0], mail


def _say_where_links_are(session: Session) -> None:
    """Print on a terminal where the personal links of the guests are, if that is a page."""
    if is_terminal(sys.stderr):
        page = sandbox_page(session, OUTBOX)
        if page is not None:
            _say(
                f"The mails with the personal links: {page} (for administrators). "
                "'ftrack-like review guests' prints the links."
            )
            _say_unless_empty(local_links_note((links_in_mails(session) or {}).values()))


def _say_unless_empty(text: str) -> None:
    if text:
        _say(text)


def _say(*texts: Iterable[str]) -> None:
    """Print *texts* on a terminal."""
    if is_terminal(sys.stderr):
        print(*texts, file=sys.stderr)
