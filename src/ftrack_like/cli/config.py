"""`ftrack-like config`: show the settings in use, and choose the default profile."""

from __future__ import annotations

import argparse
import json
import sys

from ftrack_like.cli._connection import add_connection_arguments, connection_of
from ftrack_like.cli._text import printable, width_of
from ftrack_like.cli._warnings import show_warnings

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "show the settings in use and choose the default profile"

_JSON_HELP = "print JSON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_connection_arguments(parser)
    parser.add_argument(
        "--show-origin", action="store_true", help="print where each setting comes from"
    )
    parser.add_argument("--json", action="store_true", help=_JSON_HELP)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("path", help="print the path of the profile file")
    for name in ("profiles", "list"):
        listing = actions.add_parser(name, help="list the profiles; * marks the default")
        listing.add_argument("--json", action="store_true", help=_JSON_HELP)
    use = actions.add_parser("use", help="make a profile the default")
    use.add_argument("name", metavar="PROFILE", help="name of the profile")


def run(arguments: argparse.Namespace) -> int:
    """Do what *arguments* say; return the exit status."""
    show_warnings()
    if arguments.action == "path":
        return _print_path()
    if arguments.action in ("profiles", "list"):
        return _print_profiles(arguments.json)
    if arguments.action == "use":
        from ftrack_like._configuration.profiles import (  # lazy: "--help" answers at once
            set_default_profile,
        )

        path = set_default_profile(arguments.name)
        print(f"The default profile in {path} is now {arguments.name!r}.")
        return 0
    return _print_settings(arguments)


def _print_path() -> int:
    """Print the path of the profile file, which need not exist."""
    from ftrack_like._configuration.files import CONFIG_VARIABLE, profile_path  # lazy: as above

    path = profile_path()
    if path is None:
        print(
            f"ftrack-like: This user has no folder for settings. Set {CONFIG_VARIABLE} to a file.",
            file=sys.stderr,
        )
        return 1
    print(path)
    return 0


def _print_profiles(as_json: bool) -> int:
    """Print the profiles with their server, user and the place of the key."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._configuration.profiles import load_profiles  # lazy: likewise

    profiles = load_profiles()
    rows = []
    status = 0
    for name in profiles.names:
        try:
            found = profiles.get(name)
        except exception.ConfigurationError as error:
            print(f"ftrack-like: {' '.join(str(error).split())}", file=sys.stderr)
            status = 1
            continue
        place = "keyring" if found.in_keyring else "file"
        rows.append((name == profiles.default, name, found.server_url, found.api_user, place))
    if as_json:
        keys = ("default", "name", "server_url", "api_user", "key_storage")
        print(json.dumps([dict(zip(keys, row)) for row in rows], indent=2, ensure_ascii=False))
    else:
        _print_table([("*" if row[0] else " ", *map(str, row[1:])) for row in rows])
    if not rows and not status:
        print("There are no profiles. Create one with: ftrack-like login", file=sys.stderr)
    return status


def _print_settings(arguments: argparse.Namespace) -> int:
    """Print the settings in use. Keys are masked."""
    from ftrack_like.cli._settings import settings_in_use  # lazy: "--help" answers at once

    settings, problem = settings_in_use(connection_of(arguments))
    if arguments.json:
        found = {each.name: {"value": each.value, "origin": each.origin} for each in settings}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        more = arguments.show_origin
        _print_table(
            [(each.name, each.value or "-", *([each.origin] if more else [])) for each in settings]
        )
    if problem is not None:
        print(f"ftrack-like: {' '.join(problem.split())}", file=sys.stderr)
    return 0


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """Print *rows* in columns."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*shown)]
    for row in shown:
        cells = [cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths)]
        print("  ".join(cells).rstrip())
