"""Completion: the words that may follow on a command line.

The words come from the parsers. The name of a value says which words complete it: ``TYPE`` the
types, ``ATTRIBUTE=VALUE`` and ``PATHS`` the attributes, ``EXPRESSION`` the start of a query,
``PROFILE`` the stored profiles, and ``FILE``, ``FOLDER`` or ``PATH`` the files. Types and
attributes come from the schemas on disk, and the names of statuses, projects and others from the
server, with a cache.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ftrack_like._values.kept_names import KEPT_BY_SERVER
from ftrack_like.cli._cached_schemas import cached_schemas
from ftrack_like.cli._commands import command_names, parser_for, summaries_of
from ftrack_like.cli._parser import CommandParser
from ftrack_like.cli._server_names import CUSTOM_KEYS, NAMED_TYPES, server_names

__all__ = ["FILES", "NAMES", "NO_SPACE", "Candidate", "complete"]

#: Directives to the shell: complete file names, and add no space after the word.
FILES, NO_SPACE = ":files", ":nospace"
#: A directive to bash: the words are names, in which blanks need a backslash.
NAMES = ":names"

#: The type of the names that complete the value of an argument, by its destination and value.
_NAMED_BY = {
    ("asset_type", "NAME"): "AssetType",
    ("label", "NAME"): "NoteLabel",
    ("location", "NAME"): "Location",
    ("project", "PROJECT"): "Project",
    ("review", "REVIEW"): "ReviewSession",
    ("status", "NAME"): "Status",
    ("status", "STATUS"): "Status",
}
#: The arguments that name an entity of the type before them.
_ENTITY_NAMES = ("ID",)
_CUSTOM = ("custom", "custom_attributes")

_PATH_NAMES = ("FILE", "FOLDER", "PATH", "DIR", "PLUGIN_PATH", "OLD", "NEW")


class Candidate(NamedTuple):
    """A *word* that may follow, with a *description*; or a directive to the shell."""

    word: str
    description: str = ""


class _Line(NamedTuple):
    """A command line: its *parser*, the *given* positional words, and the value to complete.

    *action* is the argument of that value, None if any option or no value may follow.
    """

    parser: CommandParser
    given: list[str]
    action: Optional[argparse.Action]
    server_url: Optional[str]
    profile: Optional[str] = None

    def names(self, entity_type: str) -> list[str]:
        """Return the names of the entities of *entity_type*.

        A server that the line names is not asked: the key of the environment is not for it.
        """
        if self.server_url is not None:
            return []
        return server_names(entity_type, self.profile)


def complete(words: Sequence[str]) -> list[Candidate]:
    """Return the candidates for the last of *words*, which follow the name of the program."""
    *before, current = words or [""]
    line = _line_before(before)
    option, sign, value = current.partition("=")
    if current.startswith("-") and sign:
        action = _option(line.parser, option)
        found = [] if action is None else _values(line, action, value)
        return [
            each if each.word.startswith(":") else each._replace(word=f"{option}={each.word}")
            for each in found
        ]
    if current.startswith("-") and (line.action is None or not line.action.option_strings):
        return _beginning(_options_of(line.parser), current)
    if line.action is not None:
        return _values(line, line.action, current)
    if line.parser.takes_command and not line.given:
        words_here = line.parser.summaries or summaries_of(command_names())
        return _beginning(words_here.items(), current)
    return []


def _line_before(before: Sequence[str]) -> _Line:
    """Return the command line after the words *before* the last."""
    names = command_names()
    first = next((word for word in before if word in names), None)
    parser = parser_for([] if first is None else [first])
    given: list[str] = []
    values: dict[str, str] = {}
    pending: Optional[argparse.Action] = None
    missing = 0
    for word in before:
        if pending is not None and missing:
            missing -= 1
            values[pending.dest] = word
        elif word.startswith("-") and len(word) > 1:
            name, sign, value = word.partition("=")
            pending = _option(parser, name)
            missing = 0 if sign or pending is None else _word_count(pending)
            if sign and pending is not None:
                values[pending.dest] = value
        elif word in parser.commands:
            parser, given = parser.commands[word], []
        else:
            given.append(word)
    action = pending if missing else _positional_at(parser, len(given))
    return _Line(parser, given, action, values.get("server_url"), values.get("profile"))


def _option(parser: CommandParser, name: str) -> Optional[argparse.Action]:
    """Return the option *name* of *parser*."""
    return next((each for each in parser.arguments if name in each.option_strings), None)


def _word_count(action: argparse.Action) -> int:
    """Return how many words follow the option *action*."""
    if isinstance(action.nargs, int):
        return action.nargs
    return 1 if action.nargs is None else 0


def _positional_at(parser: CommandParser, index: int) -> Optional[argparse.Action]:
    """Return the positional argument of *parser* for the word at *index*."""
    for action in parser.arguments:
        if action.option_strings or isinstance(action.choices, dict):
            continue
        if action.nargs in ("*", "+") or index == 0:
            return action
        index -= 1
    return None


def _options_of(parser: CommandParser) -> list[tuple[str, str]]:
    """Return the long options of *parser* with their help."""
    return [
        (name, _plain_help(action))
        for action in parser.arguments
        if action.help != argparse.SUPPRESS
        for name in action.option_strings
        if name.startswith("--")
    ]


def _plain_help(action: argparse.Action) -> str:
    """Return the start of the help of *action*."""
    return (action.help or "").split(";")[0].split(" (default")[0].replace("%%", "%")


def _profile_names() -> list[str]:
    """Return the names of the stored profiles; none if the file cannot be read."""
    from ftrack_like import exception  # lazy: needed only for profiles
    from ftrack_like._configuration.profiles import load_profiles  # lazy: likewise

    try:
        return list(load_profiles().names)
    except (exception.ConfigurationError, OSError):
        return []


def _values(line: _Line, action: argparse.Action, current: str) -> list[Candidate]:
    """Return the values of *action* that begin with *current*."""
    if action.choices is not None:
        return _beginning(((str(each), "") for each in action.choices), current)
    name = action.metavar if isinstance(action.metavar, str) else (action.metavar or [""])[0]
    if name in ("TYPE", "EXPRESSION"):
        types = [(str(each["id"]), "") for each in cached_schemas(line.server_url)]
        return _beginning(types, current)
    if name == "ATTRIBUTE=VALUE":
        return _assigned(line, current)
    if name == "PROFILE":
        return _beginning(((each, "") for each in _profile_names()), current)
    if name == "PATHS":
        return _paths(line, current)
    named = _NAMED_BY.get((action.dest, name))
    if name in _ENTITY_NAMES and not action.option_strings and line.given:
        named = next((each for each in NAMED_TYPES if each.lower() == line.given[0].lower()), None)
    if named is not None:
        return _server_candidates(line, named, current)
    if name.rstrip("…") in _PATH_NAMES:
        return [Candidate(FILES)]
    return []


def _server_candidates(
    line: _Line, entity_type: str, current: str, start: str = ""
) -> list[Candidate]:
    """Return the names of *entity_type* that begin with *current*, each after *start*."""
    found = [
        Candidate(start + each)
        for each in line.names(entity_type)
        if each.lower().startswith(current.lower())
    ]
    return [Candidate(NAMES), *found] if found else []


def _beginning(words: Iterable[tuple[str, str]], current: str) -> list[Candidate]:
    """Return candidates for the *words*, with descriptions, that begin with *current*."""
    return [Candidate(*each) for each in words if each[0].startswith(current)]


def _type_of(line: _Line) -> tuple[Optional[str], dict[str, Mapping[str, Any]]]:
    """Return the type that *line* names, and all stored schemas by name."""
    schemas = {str(each["id"]): each for each in cached_schemas(line.server_url)}
    for word in line.given[:1]:
        for part in reversed(word.partition(" where ")[0].split()):
            if part in schemas:
                return part, schemas
    return None, schemas


def _assigned(line: _Line, current: str) -> list[Candidate]:
    """Return the attributes to set that begin with *current*, with a sign after them."""
    name, schemas = _type_of(line)
    value = current.partition("=")
    if value[1]:
        if value[2].startswith("@"):
            return [Candidate(FILES)]
        target = _properties(schemas, name).get(value[0], {}).get("$ref", "")
        return (
            _server_candidates(line, target, value[2], f"{value[0]}=")
            if target in NAMED_TYPES
            else []
        )
    first, dot, key = current.partition(".")
    if dot and first in _CUSTOM:
        keys = [f"{first}.{each}=" for each in line.names(CUSTOM_KEYS) if each.startswith(key)]
        return [Candidate(NO_SPACE), *map(Candidate, keys)] if keys else []
    found = (
        [
            (f"{attribute}{'.' if fragment.get('type') == 'mapped_array' else '='}", "")
            for attribute, fragment in sorted(_properties(schemas, name).items())
            if attribute not in KEPT_BY_SERVER
            and (attribute not in (schemas[name].get("immutable") or ()) or attribute == "id")
        ]
        if name
        else []
    )
    matching = _beginning(found, current)
    return [Candidate(NO_SPACE), *matching] if matching else []


def _properties(schemas: Mapping[str, Mapping[str, Any]], name: Optional[str]) -> dict[str, Any]:
    """Return the attributes of the type *name*."""
    return dict(schemas.get(name or "", {}).get("properties") or {})


def _paths(line: _Line, current: str) -> list[Candidate]:
    """Return the dotted paths that continue the last of the paths in *current*."""
    name, schemas = _type_of(line)
    done, comma, path = current.rpartition(",")
    *steps, last = path.split(".")
    for step in steps:
        fragment = _properties(schemas, name).get(step) or {}
        name = fragment.get("$ref") or (fragment.get("items") or {}).get("$ref")
    start = done + comma + "".join(f"{step}." for step in steps)
    if steps and steps[-1] in _CUSTOM:
        keys = [start + each for each in line.names(CUSTOM_KEYS) if each.startswith(last)]
        return [Candidate(NO_SPACE), *map(Candidate, keys)] if keys else []
    found = [
        Candidate(start + attribute)
        for attribute in sorted(_properties(schemas, name))
        if attribute.startswith(last)
    ]
    return [Candidate(NO_SPACE), *found] if found else []
