"""The errors of commands, and the one line on standard error that reports an error."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

from ftrack_like.cli._text import printable

__all__ = ["CommandError", "UsageMistake", "message_of", "report", "with_options"]


#: The first line of an error of the server: its class, its sentence, and the failing operation.
_SERVER_ERROR = (
    r"Server reported error: (?P<name>\w+)\((?:DuplicateEntry: )?(?P<sentence>.*?)"
    r"(?: \(operation \d+: (?P<operation>[^()]*)\))?\)"
)
#: The beginning of the line that the library adds, with an id that people have never seen.
_OPERATION = "The failing operation:"


#: The arguments of Python that name a connection, and the options of commands.
_OPTIONS = {
    "server_url": "--server-url",
    "api_user": "--user",
    "api_key": "--api-key-file",
    "profile": "--profile",
}
_ARGUMENT = re.compile(rf"\b([Tt]he) argument ({'|'.join(_OPTIONS)})\b( \(else [^()]*\))?")
#: The error for a setting of the connection that is missing.
_MISSING_SETTING = re.compile(
    r'Required "(?P<name>\w+)" not specified.*\n'
    r"Pass .* or set (?P<variable>\w+) \(for example (?P<example>.*)\), or run: ftrack-like login"
)
#: What people call the settings, and what follows the option for each.
_SETTINGS = {
    "server_url": ("The address of the server", "URL"),
    "api_user": ("The name of the user", "NAME"),
    "api_key": ("The API key", "FILE"),
}


class CommandError(Exception):
    """A command cannot do its work. The message says what, where and what to do. Status 1.

    *listed* are lines below the message, such as the entities that have the same name. *advice* is
    a line below them.
    """

    status = 1

    def __init__(self, message: str, listed: Iterable[str] = (), advice: str = "") -> None:
        """Initialise; only the *message* is the text of the exception."""
        super().__init__(message)
        self.listed = tuple(listed)
        self.advice = advice

    def about(self, place: str) -> CommandError:
        """Return the same error, whose message begins with *place*, such as an assignment."""
        return type(self)(f"{place}: {self}", self.listed, self.advice)


class UsageMistake(CommandError):
    """The arguments of a command make no sense together. Status 2."""

    status = 2


def report(error: Exception, debug: bool = False) -> int:
    """Print *error* as one line on standard error; return the exit status.

    For a mistake in a query, two more lines show the query and the place. A name of several
    entities is followed by a line for each. With *debug*, or if FTRACK_LOG is ``debug``, print the
    traceback too.
    """
    if debug or os.environ.get("FTRACK_LOG", "").lower() == "debug":
        import traceback  # lazy: seldom needed

        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    print(f"ftrack-like: {message_of(error)}", file=sys.stderr)
    return getattr(error, "status", 1) if isinstance(error, CommandError) else 1


def message_of(error: Exception) -> str:
    """Return the message of *error* in one line, and the lines with the place in a query."""
    if isinstance(error, CommandError) or _is_expected(error):
        text = with_options(_for_people(str(error)))
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else "The output cannot be written: "
        text = f"{where}{error.strerror or error}"
    else:
        text = (
            f"Unexpected {type(error).__name__}: {error}. This is a fault of the command. "
            "Run it again with --debug, and report the traceback."
        )
    lines, place = text.splitlines(), []
    if len(lines) > 2 and lines[-1].strip() == "^":  # A query with a caret below the mistake.
        # The lines keep their columns, so that the caret is below the place.
        before = len(lines[-2]) - len(lines[-2].lstrip())
        place = [f"  {printable(line[before:].rstrip())}" for line in lines[-2:]]
        lines[-2:] = []
    elif len(lines) > 1 and lines[-1].startswith("  "):  # A query without a place.
        place = [f"  {printable(lines.pop().strip())}"]
    if isinstance(error, CommandError):
        place += [f"  {printable(line)}" for line in error.listed]
        place += [printable(error.advice)] if error.advice else []
    return "\n".join([printable(" ".join(_in_one_line(lines).split())), *place])


def with_options(text: str) -> str:
    """Return *text*, which is about settings, with options in place of arguments of Python."""
    text = _MISSING_SETTING.sub(_setting_to_pass, text)
    text = text.replace("user as api_user and the key as api_key", "user and the key as settings")
    text = text.replace("FTRACK_PROFILE, profile=… or:", "FTRACK_PROFILE, --profile NAME or:")
    return _ARGUMENT.sub(lambda match: f"{match[1]} option {_OPTIONS[match[2]]}", text)


def _setting_to_pass(match: re.Match[str]) -> str:
    """Return the sentences for the setting in *match* that is missing."""
    what, value = _SETTINGS[match["name"]]
    demo = ". To try ftrack-like without a server, run: ftrack-like demo"
    return (
        f"{what} is not set.\nPass {_OPTIONS[match['name']]} {value}, set {match['variable']} (for "
        f"example {match['example']}), or run: ftrack-like login"
        f"{demo if match['name'] == 'server_url' else ''}"
    )


def _for_people(text: str) -> str:
    """Return the message *text* without the words that only programs and programmers need.

    The library writes ``Server reported error: DuplicateEntryError(DuplicateEntry: the name …
    (operation 0: create Task))``, then the failing operation with advice for programs.
    """
    first, _, rest = text.partition("\n")
    match = re.fullmatch(_SERVER_ERROR, first)
    if match is None:
        return text
    sentence = match["sentence"].strip() or match["name"]
    sentence = f"{sentence[:1].upper()}{sentence[1:]}"
    kept = [line for line in rest.splitlines() if not line.startswith(_OPERATION)]
    where = f" ({match['operation']})" if match["operation"] else ""
    if where and sentence.endswith("."):
        sentence = f"{sentence[:-1]}{where}."
    else:
        sentence += where
    return "\n".join([sentence, *kept])


def _in_one_line(lines: list[str]) -> str:
    """Return *lines* in one, with a full stop where a sentence ends without one."""
    found: list[str] = []
    for line in map(str.strip, lines):
        if found and found[-1][-1:].isalnum() and line[:1].isupper():
            found[-1] += "."
        found.append(line)
    return " ".join(found)


def _is_expected(error: Exception) -> bool:
    """Return whether *error* is one of the library's own, whose message is for users."""
    # Importing the module takes as long as a whole "--help". Without it there is no such error.
    module = sys.modules.get("ftrack_like.exception")
    return module is not None and isinstance(error, module.Error)
