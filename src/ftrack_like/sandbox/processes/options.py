"""The option for the number of processes, and what a sandbox needs to use it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

__all__ = ["add_worker_arguments", "why_one_process"]

#: The most processes of a sandbox. Each has up to 40 connections to the database.
_MOST = 999


def add_worker_arguments(add: Callable[..., None]) -> None:
    """Add the option with *add*."""
    add(
        "--workers",
        metavar="N",
        type=_count,
        help="answer with N processes at one port; needs --database (default: one process, "
        "without a supervisor)",
    )


def why_one_process(arguments: argparse.Namespace) -> str:
    """Return why the sandbox of *arguments* cannot have several processes, "" if it can."""
    if not arguments.database:
        return (
            "--workers needs a database that processes can share: give --database "
            "postgresql://user:password@host/name, or omit --workers."
        )
    if os.name != "posix":
        return (
            "--workers needs processes that inherit a listening socket, as on Linux and macOS. "
            "Omit it on this system."
        )
    if arguments.chaos is not None:
        return (
            "--chaos counts the requests of one process, so that a run can be repeated. "
            "Omit --workers or --chaos."
        )
    return ""


def _count(text: str) -> int:
    """Return the number of processes in *text*."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(
            f"it is a number of processes from 1 to {_MOST}, not {text!r}"
        )
    return int(text)
