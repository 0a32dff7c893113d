"""The command ``ftrack-like``: one sub-command for each thing it does.

Sub-commands bring a function that adds their options and one that runs them; both are imported
when they are wanted, so that ``ftrack-like --help`` costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Optional

from ftrack_like._version import __version__
from ftrack_like.cli._interrupt import INTERRUPTED
from ftrack_like.cli._streams import usable_streams

__all__ = ["main"]

#: Name of a sub-command: what it does, the module with ``add_arguments`` and ``run``.
_COMMANDS = {
    "events": ("watch events while they happen", "ftrack_like.cli.events"),
    "listen": ("host plugins and handle events", "ftrack_like.cli.listen"),
    "migrate": ("find what code written for ftrack_api has to know", "ftrack_like.cli.migrate"),
    "sandbox": (
        "run a server that speaks ftrack's protocol, to develop and test against",
        "ftrack_like.sandbox.command_line",
    ),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command with *arguments*, those of the process by default; return its status.

    Without a sub-command, print which there are. The status is 130 after Ctrl-C.
    """
    with usable_streams():
        try:
            status = _run(arguments)
            sys.stdout.flush()
            return status
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:  # The reader of the output has gone: there is nothing to do.
            return 0
        except OSError as error:
            print(f"ftrack-like: The output cannot be written: {error}", file=sys.stderr)
            return 1


def _run(arguments: Optional[Sequence[str]]) -> int:
    """Run the command with *arguments* and return its status."""
    parser = argparse.ArgumentParser(
        "ftrack-like",
        description="Work with ftrack.",
        epilog="Each command has a help: ftrack-like COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"ftrack-like {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, (summary, module_name) in _COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, help=summary, description=f"{summary}.".capitalize())
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    return int(chosen.run(chosen))
