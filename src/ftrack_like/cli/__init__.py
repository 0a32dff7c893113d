"""The command ``ftrack-like``: one sub-command for each thing it does.

Sub-commands bring a function that adds their options and one that runs them; both are imported
when they are wanted, so that ``ftrack-like --help`` costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Optional

from ftrack_like._version import __version__

__all__ = ["main"]

#: Name of a sub-command: what it does, the module with ``add_arguments`` and ``run``.
_COMMANDS = {
    "events": ("watch events while they happen", "ftrack_like.cli.events"),
    "listen": ("host plugins and handle events", "ftrack_like.cli.listen"),
    "migrate": ("find what code written for ftrack_api has to know", "ftrack_like.cli.migrate"),
    "sandbox": (
        "run a server that speaks ftrack's protocol, to develop and test against",
        "ftrack_like.sandbox.command",
    ),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command with *arguments*, those of the process by default; return its status."""
    parser = argparse.ArgumentParser("ftrack-like", description="Work with ftrack.")
    parser.add_argument("--version", action="version", version=f"ftrack-like {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (summary, module_name) in _COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, help=summary, description=f"{summary}.".capitalize())
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    return int(chosen.run(chosen))
