"""`ftrack-like action`: list and run the actions of the site, as the menu of the web page does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ftrack_like.cli._arguments import seconds_above_zero
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import type_named
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entity
from ftrack_like.cli._interrupt import interruptible
from ftrack_like.cli._output import (
    add_output_arguments,
    as_json_text,
    format_of,
    is_terminal,
    write_rows,
)
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.event.base import Event
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "list and run actions"

#: The types in events that differ from the lower-case name of the entity type.
_EVENT_TYPES = {"Project": "show"}
#: The seconds to wait for actions that offer themselves.
_LISTING = 1.0
_COLUMNS = ("actionIdentifier", "label", "variant", "description")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="list the actions that answer for entities",
        description="List the actions that answer for the selected entities. Actions run in "
        "other programs, such as 'ftrack-like listen'; the command waits for their answers.",
    )
    running = actions.add_parser(
        "run",
        help="run an action on entities",
        description="Run an action on the selected entities and print its answer. If it answers "
        "with a form, the command lists the fields; pass them with --value.",
    )
    running.add_argument("identifier", metavar="IDENTIFIER", help="identifier of the action")
    running.add_argument("--variant", metavar="NAME", help="variant of the action")
    running.add_argument(
        "--value",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="value of a field of its form; NAME:=JSON for other types than text",
    )
    for each, seconds in ((listing, _LISTING), (running, 30.0)):
        each.add_argument(
            "--on",
            metavar=("TYPE", "ID"),
            nargs=2,
            action="append",
            default=[],
            help="an entity to select, by id, name or path; may be repeated",
        )
        each.add_argument(
            "--wait",
            metavar="SECONDS",
            type=seconds_above_zero,
            default=seconds,
            help="how long to wait for answers (default: %(default)g)",
        )
        add_output_arguments(each)
        add_connection_arguments(each)


def run(arguments: argparse.Namespace) -> int:
    """List or run actions as *arguments* say; return the exit status."""
    with interruptible(), open_session(arguments) as session:
        selection = [_selected(session, name, text) for name, text in arguments.on]
        session.event_hub.connect()
        if arguments.action == "list":
            return _list(session, arguments, selection)
        return _run_action(session, arguments, selection)


def _selected(session: Session, name: str, text: str) -> dict[str, str]:
    """Return the entry of a selection for the entity of the type *name* that *text* names."""
    entity = find_entity(session, type_named(session, name), text)
    kind = entity.entity_type
    if entity.attributes.get("object_type_id") is not None:
        event_type = "task"
    elif kind.endswith("Component"):
        event_type = "Component"
    else:
        event_type = _EVENT_TYPES.get(kind, kind.lower())
    return {"entityId": str(entity["id"]), "entityType": event_type}


def _event(session: Session, topic: str, data: Mapping[str, Any]) -> Event:
    """Return the event *topic* with *data* from the user of *session*."""
    from ftrack_like.event.base import Event  # lazy: "--help" answers at once

    user = session.query(
        "select id from User where username is :name", values={"name": session.api_user}
    ).first()
    source = {"username": session.api_user, **({} if user is None else {"id": user["id"]})}
    return Event(topic, data=dict(data), source={"user": source})


def _offers(
    session: Session, arguments: argparse.Namespace, selection: list[dict[str, str]], wait: float
) -> list[dict[str, Any]]:
    """Return the menu entries that actions answer with, sorted by label."""
    event = _event(session, "ftrack.action.discover", {"selection": selection})
    found = []
    for reply in session.event_hub.publish_and_wait(event, wait, all_replies=True):
        answer = reply["data"]
        items = answer.get("items") if isinstance(answer, Mapping) else None
        found += [dict(item) for item in items or () if isinstance(item, Mapping)]
    return sorted(found, key=lambda item: str(item.get("label", "")).lower())


def _list(session: Session, arguments: argparse.Namespace, selection: list[dict[str, str]]) -> int:
    """Print the actions that answer for *selection*."""
    offers = _offers(session, arguments, selection, arguments.wait)
    write_rows(arguments, _COLUMNS, [[item.get(name) for name in _COLUMNS] for item in offers])
    if not offers and is_terminal(sys.stderr):
        print("No action answered. Is its program running?", file=sys.stderr)
    return 0


def _run_action(
    session: Session, arguments: argparse.Namespace, selection: list[dict[str, str]]
) -> int:
    """Run the action and print its answer; return the exit status."""
    data: dict[str, Any] = {"actionIdentifier": arguments.identifier, "selection": selection}
    if arguments.variant is not None:
        data["variant"] = arguments.variant
    values = dict(map(_field_value, arguments.value))
    if values:
        data["values"] = values
    event = _event(session, "ftrack.action.launch", data)
    reply = session.event_hub.publish_and_wait(event, arguments.wait)
    if reply is None:
        raise CommandError(
            f"No action {arguments.identifier!r} answered within {arguments.wait:g} seconds. "
            f"{_near_action(session, arguments, selection)}"
        )
    answer = reply["data"]
    answer = answer if isinstance(answer, Mapping) else {"success": True, "message": str(answer)}
    if format_of(arguments) in ("json", "jsonl"):
        print(as_json_text(dict(answer)))
    else:
        _show_answer(arguments, answer)
    return 0 if answer.get("success", True) else 1


def _near_action(
    session: Session, arguments: argparse.Namespace, selection: list[dict[str, str]]
) -> str:
    """Return a sentence with the action that the identifier resembles, or how to list them."""
    from ftrack_like._base.suggest import did_you_mean  # lazy: only for mistakes

    offers = _offers(session, arguments, selection, min(arguments.wait, _LISTING))
    known = {str(each.get("actionIdentifier")) for each in offers}
    listing = "'ftrack-like action list' shows the actions that are there."
    if arguments.identifier in known:
        return "It is there, but does not answer for these entities, or takes longer. Try --wait."
    return did_you_mean(arguments.identifier, known, listing)


def _field_value(text: str) -> tuple[str, Any]:
    """Return the name and the value in *text*, ``NAME=VALUE`` or ``NAME:=JSON``."""
    name, sign, value = text.partition("=")
    if not sign or not name.rstrip(":"):
        raise UsageMistake(f"--value {text!r} is not NAME=VALUE.")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError as error:
        raise UsageMistake(f"--value {text!r} has no valid JSON after ':=': {error}.") from error


def _show_answer(arguments: argparse.Namespace, answer: Mapping[str, Any]) -> None:
    """Print the message of *answer*, or the fields of its form."""
    items = answer.get("items")
    if items:
        fields = [item for item in items if isinstance(item, Mapping) and item.get("name")]
        columns = ("name", "type", "label", "value")
        write_rows(arguments, columns, [[each.get(name) for name in columns] for each in fields])
        print("The action asks for these fields. Pass them with --value.", file=sys.stderr)
        return
    message = str(answer.get("message") or "")
    if message:
        stream = sys.stdout if answer.get("success", True) else sys.stderr
        print("\n".join(map(printable, message.splitlines())), file=stream)
