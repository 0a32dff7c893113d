"""`ftrack-like doctor`: find out why a connection or a program does not work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Optional

from ftrack_like.cli._checks import FAIL, OK, WARN, Diagnosis, within
from ftrack_like.cli._connection import add_connection_arguments, connection_of
from ftrack_like.cli._errors import with_options
from ftrack_like.cli._output import has_colours, is_terminal
from ftrack_like.cli._text import amount, in_lines, printable

if TYPE_CHECKING:
    from ftrack_like._configuration.credentials import Credentials
    from ftrack_like.cli._connection import ConnectionOptions

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "check settings, server, key, network and packages"

#: How long the check of the settings may take, in seconds: a keyring may ask for a password.
_PATIENCE = 60.0
_SET_UP = (
    "Run: ftrack-like login; or on a machine without a person, such as a render worker, set "
    "FTRACK_SERVER, FTRACK_API_USER and FTRACK_API_KEY."
)
_COLOURS = {OK: "\x1b[32m", WARN: "\x1b[33m", FAIL: "\x1b[31m"}
_PLAIN = "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_connection_arguments(parser)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds_above_zero,
        default=5.0,
        help="time limit of each check (default: 5)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON for a support ticket; it has no secrets"
    )


def _seconds_above_zero(text: str) -> float:
    """Return the number of seconds in *text*."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 600")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Run the checks, and print their findings; return 1 if one has failed."""
    from ftrack_like.logging import set_up_logging  # lazy: "--help" answers at once

    options = connection_of(arguments)
    found: list[Credentials] = []
    set_up_logging()
    findings = within(_PATIENCE, "settings", lambda: _check_settings(options, found))
    credentials = found[0] if found else None
    findings += _other_checks(credentials, arguments.timeout)
    secret = credentials.api_key if credentials else options.api_key
    secrets = [secret, *map(os.environ.get, ("FTRACK_API_KEY", "FTRACK_APIKEY"))]
    for each in secrets:
        findings = [finding.without(each) for finding in findings]
    _print_json(findings) if arguments.json else _print_lines(findings)
    return int(any(each.status == FAIL for each in findings))


def _check_settings(options: ConnectionOptions, found: list[Credentials]) -> list[Diagnosis]:
    """Find the server, the user and the key for *options*, and add them to *found*."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._configuration.credentials import find_credentials  # lazy: likewise

    try:
        credentials = find_credentials(
            options.server_url, options.api_key, options.api_user, profile=options.profile
        )
    except exception.ConfigurationError as error:
        first, *rest = with_options(str(error)).splitlines()
        if first.endswith(" is not set."):  # The next line names all ways to set it.
            rest = [*rest[1:], _SET_UP]
        return [Diagnosis("settings", FAIL, first, " ".join(rest) or "Run: ftrack-like config")]
    found.append(credentials)
    origins = credentials.origins
    text = (
        f"Server {credentials.server_url}, from {origins.server_url}. "
        f"User {credentials.api_user!r}, from {origins.api_user}. Key from {origins.api_key}."
    )
    return [Diagnosis("settings", OK, with_options(text))]


def _other_checks(found: Optional[Credentials], timeout: float) -> list[Diagnosis]:
    """Return the findings of all other checks; those of the network only with settings."""
    # lazy: "--help" answers at once
    from ftrack_like.cli import _machine_checks as machine
    from ftrack_like.cli._checks import not_checked
    from ftrack_like.cli._schema_checks import check_schema_cache
    from ftrack_like.cli._server_checks import NETWORK_CHECKS, check_server
    from ftrack_like.cli._variable_checks import variable_checks

    findings = within(timeout, "profiles", machine.check_profiles)
    schema_hash: Optional[str] = None
    if found is None:
        findings += [not_checked(name, "settings are missing") for name in NETWORK_CHECKS]
    else:
        more, schema_hash = check_server(found, timeout)
        findings += more
    server_url = found.server_url if found else None
    findings += within(timeout, "schema cache", lambda: check_schema_cache(server_url, schema_hash))
    for name, check in variable_checks(found):
        findings += within(timeout, name, check)
    findings += within(timeout + 1, "ffmpeg", lambda: machine.check_ffmpeg(timeout))
    findings += within(timeout, "Python", machine.check_python)
    findings += within(timeout, "packages", machine.check_packages)
    return findings


def _print_json(findings: list[Diagnosis]) -> None:
    """Print *findings* as one JSON object."""
    checks = [
        {"name": each.name, "status": each.status, "text": each.text, "next": each.advice or None}
        for each in findings
    ]
    failed = any(each.status == FAIL for each in findings)
    print(json.dumps({"ok": not failed, "checks": checks}, indent=2, ensure_ascii=False))


def _print_lines(findings: list[Diagnosis]) -> None:
    """Print *findings* as lines, with the advice below the finding."""
    width = max(len(each.name) for each in findings)
    coloured = has_colours(sys.stdout)
    room = None
    if is_terminal(sys.stdout):
        import shutil  # lazy: takes as long to import as argparse

        room = shutil.get_terminal_size().columns - width - 8
    for each in findings:
        status = each.status.ljust(4)
        if coloured:
            status = f"{_COLOURS[each.status]}{status}{_PLAIN}"
        lines = in_lines(printable(each.text), room)
        print(f"{status}  {each.name.ljust(width)}  {lines[0]}")
        if each.advice and each.status != OK:
            lines += in_lines(f"Next: {printable(each.advice)}", room)
        for line in lines[1:]:
            print(f"{'':{width + 8}}{line}")
    counts = {status: sum(each.status == status for each in findings) for status in _COLOURS}
    problems = f"{amount(counts[WARN], 'warning')}, {amount(counts[FAIL], 'failure')}"
    print(f"{counts[OK]} OK, {problems}.")
