"""`ftrack-like schema`: show the types of a server, and compare two servers."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ftrack_like.cli._cached_schemas import cached_schemas, read_schemas
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import type_among
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._output import add_output_arguments, write_rows

__all__ = ["SUMMARY", "add_arguments", "run", "schema_differences"]

SUMMARY = "show the types of a server, or what differs between two"

_Schemas = Sequence[Mapping[str, Any]]
_DIFFERENCES = ("change", "type", "attribute", "old", "new")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="list the types, or the attributes of a type",
        description="List the types of the server, or the attributes of one type.",
    )
    show.add_argument("type", metavar="TYPE", nargs="?", help="the type whose attributes to list")
    show.add_argument(
        "--cached", action="store_true", help="read the stored schemas, without the server"
    )
    show.add_argument("--raw", action="store_true", help="print the JSON schemas as they are")
    diff = actions.add_parser(
        "diff",
        help="list the types and attributes that differ",
        description="List the types and attributes that differ. OLD and NEW are each a file of "
        "'schema show --raw', the URL of a server (with the same user and key), 'live' for the "
        "server of the options, or 'cached' for its stored schemas.",
    )
    diff.add_argument("old", metavar="OLD", nargs="?", default="cached", help="default: cached")
    diff.add_argument("new", metavar="NEW", nargs="?", default="live", help="default: live")
    diff.add_argument(
        "--exit-code", action="store_true", help="end with status 1 if anything differs"
    )
    for each in (show, diff):
        add_output_arguments(each)
        add_connection_arguments(each)


def run(arguments: argparse.Namespace) -> int:
    """Show or compare schemas as *arguments* say; return the exit status."""
    if arguments.action == "show":
        return _show(arguments)
    # The stored schemas first: connecting to the server may replace them.
    old = _schemas_from(arguments, arguments.old)
    new = _schemas_from(arguments, arguments.new)
    count = write_rows(arguments, _DIFFERENCES, schema_differences(old, new))
    return 1 if count and arguments.exit_code else 0


def _schemas_from(arguments: argparse.Namespace, source: str) -> _Schemas:
    """Return the schemas from *source*: ``live``, ``cached``, the URL of a server, or a file."""
    if source == "cached":
        found = cached_schemas(arguments.server_url)
        if not found:
            raise CommandError("No schemas are stored. Any command with a connection stores them.")
        return found
    if source == "live" or source.startswith(("http://", "https://")):
        chosen = copy.copy(arguments)
        if source != "live":
            chosen.server_url = source
        with open_session(chosen) as session:
            return list(session.schemas)
    try:
        return read_schemas(source)
    except OSError as error:
        raise CommandError(
            f"{source!r} cannot be read: {error.strerror}. Pass a file, a URL, 'live' or 'cached'."
        ) from error
    except ValueError as error:
        raise CommandError(f"{source!r} is not a file of 'schema show --raw'.") from error


def _show(arguments: argparse.Namespace) -> int:
    """Print types or attributes."""
    from ftrack_like.cli._output import as_json_text  # lazy: likewise

    schemas, place = _shown_schemas(arguments)
    by_name = {str(each["id"]): each for each in schemas}
    if arguments.type is not None:
        arguments.type = type_among(list(by_name), arguments.type, place)
    if arguments.raw:
        chosen = schemas if arguments.type is None else [by_name[arguments.type]]
        print(as_json_text(list(chosen), indent=2))
    elif arguments.type is None:
        rows = [
            [name, len(by_name[name].get("properties") or ()), _keys(by_name[name])]
            for name in sorted(by_name)
        ]
        write_rows(arguments, ("type", "attributes", "key"), rows)
    else:
        columns = ("attribute", "type", "flags", "default")
        write_rows(arguments, columns, _attribute_rows(by_name[arguments.type]))
    return 0


def _shown_schemas(arguments: argparse.Namespace) -> tuple[_Schemas, str]:
    """Return the schemas to show, and the words for the place that has them."""
    if arguments.cached:
        return _schemas_from(arguments, "cached"), "in the stored schemas"
    with open_session(arguments) as session:
        return list(session.schemas), f"on {session.server_url}"


def _keys(schema: Mapping[str, Any]) -> str:
    """Return the names of the primary key of *schema*."""
    return ", ".join(schema.get("primary_key") or ())


def _attribute_rows(schema: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield the name, type, flags and default of each attribute of *schema*."""
    for name, fragment in sorted((schema.get("properties") or {}).items()):
        flags = [
            word
            for word, key in (
                ("key", "primary_key"),
                ("required", "required"),
                ("immutable", "immutable"),
                ("computed", "computed"),
            )
            if name in (schema.get(key) or ())
        ]
        yield [name, _kind_words(fragment), ", ".join(flags), fragment.get("default")]


def _kind_words(fragment: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Return the type of an attribute: a type name, ``list of Task``, or a plain type."""
    if fragment is None:
        return None
    target = (fragment.get("items") or {}).get("$ref")
    if target is not None:
        return f"{'map' if fragment.get('type') == 'mapped_array' else 'list'} of {target}"
    plain = {"date-time": "date", "foreign_key": "id"}.get(str(fragment.get("format")))
    return str(fragment.get("$ref") or plain or fragment.get("type"))


def schema_differences(old: _Schemas, new: _Schemas) -> list[list[Optional[str]]]:
    """Return rows of change, type, attribute, old and new type of the attribute."""
    before = {str(each["id"]): each for each in old}
    after = {str(each["id"]): each for each in new}
    rows: list[list[Optional[str]]] = []
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            rows.append(["added" if name in after else "removed", name, None, None, None])
            continue
        one = before[name].get("properties") or {}
        other = after[name].get("properties") or {}
        for attribute in sorted({*one, *other}):
            was, now = one.get(attribute), other.get(attribute)
            if was != now:
                change = "added" if was is None else "removed" if now is None else "changed"
                rows.append([change, name, attribute, *_changed_words(was, now)])
        for key in ("primary_key", "required", "immutable", "computed", "default_projections"):
            was, now = (_listed_types(each.get(key)) for each in (before[name], after[name]))
            if was != now:
                rows.append(["changed", name, f"({key})", was, now])
    return rows


def _changed_words(
    was: Optional[Mapping[str, Any]], now: Optional[Mapping[str, Any]]
) -> tuple[Optional[str], Optional[str]]:
    """Return the types of an attribute before and after, or the settings that differ."""
    one, other = _kind_words(was), _kind_words(now)
    if was is None or now is None or one != other:
        return one, other
    keys = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
    return tuple(  # type: ignore[return-value]  # a tuple of two, which mypy does not see
        ", ".join(f"{key}={each.get(key)!r}" for key in keys) for each in (was, now)
    )


def _listed_types(names: Optional[Sequence[str]]) -> str:
    """Return *names* in order as one text."""
    return ", ".join(sorted(names or ()))
