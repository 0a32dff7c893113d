"""The commands: their names, their groups in the help, and their parsers."""

from __future__ import annotations

import argparse
import importlib
import os
import re
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import NoReturn

from ftrack_like._version import __version__
from ftrack_like.cli._parser import CommandParser

__all__ = [
    "CONNECTION_OPTIONS",
    "GROUPS",
    "PROGRAM",
    "command_names",
    "is_answer",
    "parse",
    "parser_for",
    "summaries_of",
]

PROGRAM = "ftrack-like"

#: Commands by their names in other programs, for suggestions.
_OTHER_NAMES = {
    "add": "create",
    "auth": "login",
    "comment": "note",
    "configure": "login",
    "describe": "get",
    "edit": "set",
    "find": "query",
    "jobs": "query Job",
    "list": "query",
    "ls": "query",
    "new": "create",
    "remove": "delete",
    "rm": "delete",
    "search": "query",
    "select": "query",
    "show": "get",
    "timelog": "log",
    "update": "set",
    "view": "get",
    "worker": "sandbox worker",
}

#: The options of the whole program.
_OPTIONS = ("-h", "--help", "--version", "--debug")
#: The connection options, which have a value and may come before the command too.
CONNECTION_OPTIONS = (
    "--server-url",
    "--server",
    "--user",
    "--api-user",
    "--api-key-file",
    "--profile",
)

_PACKAGE = __name__.rpartition(".")[0]
_FOLDER = os.path.dirname(__file__)
_SUMMARY_LINE = re.compile(r'^SUMMARY = "([^"\\]+)"$', re.MULTILINE)

#: The commands in the order of the help. Commands without a group follow as "more commands".
GROUPS = {
    "entities": ("query", "get", "create", "set", "delete", "status", "note", "log", "schema"),
    "media and files": ("publish", "upload", "download", "encode", "review"),
    "events and actions": ("events", "listen", "action"),
    "a server to develop against": ("demo", "sandbox"),
    "settings": ("login", "logout", "config", "doctor", "completion"),
    "code": ("stubs", "migrate"),
}


def is_answer(given: Sequence[str]) -> bool:
    """Return whether the rest of *given* is a line to complete, as a script of a shell sends it."""
    return list(given[:2]) == ["completion", "--answer"]


def parse(given: Sequence[str]) -> argparse.Namespace:
    """Return the values of the arguments *given*, with ``run``, the function of the command.

    Import only the module of the command in *given*. Exit with status 2 for a mistake, and with 0
    after printing the help or the version.
    """
    if is_answer(given):
        # Not for argparse: it would read a "--" among the words instead of passing it on.
        completion = _module(given[0])
        return argparse.Namespace(run=completion.run, answer=list(given[2:]), shell=None)
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    given = _connection_last(given)
    names = command_names()
    first = next((each for each in given if not each.startswith("-")), None)
    if given and given[0].startswith("-") and given[0] not in _OPTIONS:
        _Program(PROGRAM).refuse_option(given[0])
    if first is not None and first not in names:
        _Program(PROGRAM).refuse_command(first, names)
    parser = parser_for([] if first is None else [first])
    parser.set_defaults(run=lambda chosen: print(parser.format_help(), end="") or 0)
    return parser.parse_args(given)


def _connection_last(given: Sequence[str]) -> list[str]:
    """Return *given* with the connection options before the command at the end of its words.

    The options belong to commands. Programs such as ``aws`` take theirs in both places.
    """
    rest, moved = list(given), []
    while rest and rest[0].partition("=")[0] in (*CONNECTION_OPTIONS, "--debug"):
        count = 1 if "=" in rest[0] or rest[0] == "--debug" else 2
        moved += rest[:count]
        rest = rest[count:]
    if not rest:
        return list(given)
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *moved, *rest[end:]]


def parser_for(names: Iterable[str]) -> CommandParser:
    """Return the parser of the program with the commands *names*."""
    parser = _Program(
        PROGRAM,
        description="Work with ftrack.",
        epilog=f"Each command has a help: {PROGRAM} COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument(
        "--debug", action="store_true", help="log requests, and print tracebacks of errors"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=CommandParser
    )
    for name in names:
        module = _module(name)
        summary: str = module.SUMMARY
        command = commands.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
        _complete(command)
    return parser


def _complete(command: CommandParser) -> None:
    """Add the options of all commands to *command* and the commands below it.

    Parsed arguments get the parser that they belong to as ``parser``, for suggestions.
    """
    command.set_defaults(parser=command)
    if not command.needs_command:
        command.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="log requests, and print tracebacks of errors",
        )
    summaries = command.summaries
    for name, each in command.commands.items():
        if not each.description:
            each.description = f"{summaries[name][:1].upper()}{summaries[name][1:]}."
        _complete(each)


def _module(name: str) -> ModuleType:
    """Return the module of the command *name*."""
    return importlib.import_module(f"{_PACKAGE}.{name}")


def summaries_of(names: Iterable[str]) -> dict[str, str]:
    """Return the summaries of the commands *names*, without importing them if possible.

    The help would need 30 modules, which takes longer than all the rest of it. So this reads the
    line of the summary in the source, and imports a module only without such a line.
    """
    found = {}
    for name in names:
        try:
            with open(os.path.join(_FOLDER, f"{name}.py"), encoding="utf-8") as file:
                match = _SUMMARY_LINE.search(file.read())
        except OSError:
            match = None
        found[name] = str(_module(name).SUMMARY) if match is None else match[1]
    return found


def command_names() -> list[str]:
    """Return the names of all commands, sorted."""
    try:
        files = os.listdir(_FOLDER)
    except OSError:  # The package is in an archive.
        import pkgutil  # lazy: takes longer than the rest of the help

        found = {each.name for each in pkgutil.iter_modules([_FOLDER])}
    else:
        found = {each.partition(".")[0] for each in files if each.endswith((".py", ".pyc", ".so"))}
    return sorted(name for name in found if name[:1].isalpha())


class _Program(CommandParser):
    """The parser of the whole program, whose help lists the commands in groups."""

    def format_help(self) -> str:
        """Return the help."""
        summaries = summaries_of(command_names())
        width = max(map(len, summaries), default=0)
        lines = [f"usage: {self.prog} COMMAND …", "", str(self.description), ""]
        rest = [name for name in summaries if not any(name in each for each in GROUPS.values())]
        for title, names in [*GROUPS.items(), ("more commands", tuple(rest))]:
            found = [name for name in names if name in summaries]
            if found:
                lines.append(f"{title}:")
                lines += [f"  {name.ljust(width)}  {summaries[name]}" for name in found]
                lines.append("")
        lines += ["options:", "  --help      show this help", "  --version   show the version"]
        lines += [
            "  --debug     log requests, and print tracebacks of errors",
            "",
            str(self.epilog),
            "",
        ]
        return "\n".join(lines)

    def refuse_option(self, option: str) -> NoReturn:
        """Exit with a suggestion for *option*, which has no place before the command."""
        from ftrack_like._base.suggest import closest  # lazy: only for mistakes

        if option.partition("=")[0] in CONNECTION_OPTIONS:
            self.error(f"name a command: {PROGRAM} COMMAND … {option}")
        known = {each.lstrip("-"): each for each in (*_OPTIONS, *CONNECTION_OPTIONS)}
        word = option.partition("=")[0].lstrip("-")
        near = ["version"] if word in ("v", "V") else closest(word, known)
        hint = f"Options of a command come after it: {PROGRAM} COMMAND … {option}"
        if near:
            hint = f"Did you mean {known[near[0]]!r}?"
        self.error(f"unknown argument {option!r}. {hint}")

    def refuse_command(self, name: str, known: Sequence[str]) -> NoReturn:
        """Exit with a suggestion for the unknown command *name*."""
        from ftrack_like._base.suggest import did_you_mean  # lazy: only for mistakes

        other = _OTHER_NAMES.get(name.lower())
        listed = f"Choose from: {', '.join(known)}."
        hint = (
            f"Did you mean {other!r}?"
            if other
            else did_you_mean(name, known, listed, remotely=False)
        )
        self.error(f"{name!r} is not a command. {hint}")
