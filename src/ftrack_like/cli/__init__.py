"""The command ``ftrack-like``.

Each module of this package whose name starts with a letter is the sub-command of that name. It
has a ``SUMMARY`` for the help, ``add_arguments(parser)``, and ``run(arguments)``, which returns the
exit status.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Optional

from ftrack_like._version import __version__
from ftrack_like.cli._interrupt import INTERRUPTED
from ftrack_like.cli._streams import usable_streams

__all__ = ["main"]


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
    for name in _command_names():
        module = importlib.import_module(f"{__name__}.{name}")
        command = commands.add_parser(
            name, help=module.SUMMARY, description=f"{module.SUMMARY}.".capitalize()
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    return int(chosen.run(chosen))


def _command_names() -> list[str]:
    """Return the names of all sub-commands, sorted."""
    return sorted(one.name for one in pkgutil.iter_modules(__path__) if one.name[0].isalpha())
