"""Read the TOML of a profile file, and change single tables of it without touching the rest."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like import exception

__all__ = ["parsed_toml", "with_default", "with_table", "without_table"]

#: The modules that read TOML. The first is a part of Python since 3.11.
_READERS = ("tomllib", "tomli")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[")
_DEFAULT = re.compile(r"\s*default\s*=")


def parsed_toml(text: str, path: str) -> dict[str, Any]:
    """Return the value of *text*, which is in the file at *path*.

    Raise :exc:`~ftrack_like.exception.ConfigurationError`, with the line of the mistake, if *text*
    is not TOML, or if this Python cannot read TOML.
    """
    for name in _READERS:
        try:
            reader = importlib.import_module(name)
        except ImportError:
            continue
        try:
            found: dict[str, Any] = reader.loads(text)
        except ValueError as error:
            last = f"at line {len(_lines(text))}, the end of the file"
            mistake = str(error).replace("at end of document", last)
            raise exception.ConfigurationError(
                f"The profile file {path} is not valid TOML: {mistake}.\nCorrect that line."
            ) from None
        except RecursionError:
            raise exception.ConfigurationError(
                f"The profile file {path} is nested too deeply."
            ) from None
        return found
    version = ".".join(map(str, sys.version_info[:2]))
    raise exception.ConfigurationError(
        f"The profile file {path} cannot be read: Python {version} has no reader for TOML.\n"
        "Install the extra 'profiles' of ftrack-like (or the package tomli), or set FTRACK_SERVER, "
        "FTRACK_API_USER and FTRACK_API_KEY."
    )


def with_table(text: str, name: str, values: Mapping[str, object], known: Sequence[str]) -> str:
    """Return *text* with *values* in the table of the profile *name*.

    Values of other keys than those in *known* stay, and so do comments.
    """
    lines = _lines(text)
    new = [f"{key} = {_value(value)}" for key, value in values.items()]
    begin = _header_line(lines, name)
    if begin is None:
        while lines and not lines[-1].strip():
            lines.pop()
        gap = [""] if lines else []
        return "\n".join([*lines, *gap, f"[profiles.{_key(name)}]", *new]) + "\n"
    end = _end_of_table(lines, begin)
    replaced = re.compile(rf"\s*({'|'.join(known)})\s*=")
    kept = [line for line in lines[begin + 1 : end] if not replaced.match(line)]
    return "\n".join([*lines[: begin + 1], *new, *kept, *lines[end:]]) + "\n"


def without_table(text: str, name: str) -> str:
    """Return *text* without the table of the profile *name*."""
    lines = _lines(text)
    begin = _header_line(lines, name)
    if begin is None:
        return text
    return "".join(line + "\n" for line in lines[:begin] + lines[_end_of_table(lines, begin) :])


def with_default(text: str, name: Optional[str]) -> str:
    """Return *text* with *name* as the default profile; without a default for None."""
    lines = _lines(text)
    top = next((place for place, line in enumerate(lines) if _HEADER.match(line)), len(lines))
    before = [line for line in lines[:top] if not _DEFAULT.match(line)]
    if name is not None:
        while before and not before[-1].strip():
            before.pop()
        before += [f"default = {_value(name)}", ""]
    return "".join(line + "\n" for line in before + lines[top:])


def _lines(text: str) -> list[str]:
    """Return the lines of *text*. ``splitlines`` would also split at characters of comments."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _header_line(lines: Sequence[str], name: str) -> Optional[int]:
    """Return the index of the header of the profile *name* in *lines*, or None."""
    spelled = "|".join(map(re.escape, (_value(name), f"'{name}'", name)))
    header = re.compile(rf"\s*\[\s*profiles\s*\.\s*({spelled})\s*\]\s*(#.*)?")
    return next((place for place, line in enumerate(lines) if header.fullmatch(line)), None)


def _end_of_table(lines: Sequence[str], begin: int) -> int:
    """Return the index after the last line of the table whose header is at *begin*.

    Blank lines and comments before the next header belong to the next table.
    """
    rest = range(begin + 1, len(lines))
    end = next((place for place in rest if _HEADER.match(lines[place])), len(lines))
    if end == len(lines):
        return end
    while end > begin + 1 and re.match(r"\s*(#|$)", lines[end - 1]):
        end -= 1
    return end


def _key(name: str) -> str:
    """Return *name* as a key of TOML."""
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    """Return *value*, text or a truth value, as TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
