"""Format entities as text for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import Entity
from ftrack_like.inspection import identity
from ftrack_like.symbol import NOT_SET

__all__ = ["FILTER", "format"]

#: Ready-made attribute filters.
FILTER: dict[str, Callable[[Any, str, Any], bool]] = {
    "ignore_unset": lambda entity, name, value: value is not NOT_SET
}


def _shows_colours() -> bool:
    """Return whether standard output is a terminal with colours."""
    isatty = getattr(sys.stdout, "isatty", None)
    if isatty is None or not isatty() or "NO_COLOR" in os.environ:
        return False
    return os.environ.get("TERM", "dumb") != "dumb" or "ANSICON" in os.environ


def _default_formatters() -> dict[str, Callable[[str], str]]:
    """Return the formatters for the current standard output."""
    if _shows_colours():
        return {
            "header": lambda text: f"\x1b[1m\x1b[44m\x1b[97m{text}\x1b[0m",
            "label": lambda text: f"\x1b[1m\x1b[34m{text}\x1b[0m",
        }
    return {"header": str, "label": str}


def format(  # the name is public
    entity: Entity,
    formatters: Optional[Mapping[str, Callable[[str], str]]] = None,
    attribute_filter: Optional[Callable[[Any, str, Any], Any]] = None,
    recursive: bool = False,
    indent: int = 0,
    indent_first_line: bool = True,
    _seen: Optional[set[str]] = None,
) -> str:
    """Return *entity* as text: its type, then a line for each attribute, sorted by name.

    - *formatters* are functions from text to text, ``{"header": …, "label": …}``, for the type and
      for names. The defaults add colours if standard output is a terminal.
    - *attribute_filter* is called with the entity, the name and the value of each attribute. If it
      returns false, the attribute is left out.
    - References are formatted as entities, with *recursive* also the members of collections. An
      entity inside itself is shown as ``Task{...}``.
    - *indent* is the number of blanks before each line. The first line is indented only with
      *indent_first_line*.

    Missing values are loaded from the server if auto-population is on.
    """
    styles = {**_default_formatters(), **(formatters or {})}
    # The entities from the outermost entity to this one. It is a copy, so that an entity in two
    # places, but not inside itself, is shown twice.
    seen = set(_seen or ())
    first = " " * indent if indent_first_line else ""
    lines = [f"{first}{styles['header'](entity.entity_type)}"]
    seen.add(str(identity(entity)))

    def nested(inner: Entity, depth: int, leads: bool) -> str:
        """Return the text of the entity *inner*, indented by *depth* blanks."""
        if str(identity(inner)) in seen:
            return " " * (depth if leads else 0) + f"{styles['header'](inner.entity_type)}{{...}}"
        return format(inner, styles, attribute_filter, recursive, depth, leads, seen)

    for name, value in sorted(entity.items()):
        if attribute_filter is not None and not attribute_filter(entity, name, value):
            continue
        depth = indent + len(name) + 3
        if isinstance(value, Entity):
            text = nested(value, depth, False)
        elif isinstance(value, Collection) and recursive:
            text = "\n".join(nested(inner, depth, index > 0) for index, inner in enumerate(value))
        elif isinstance(value, MappedCollectionProxy):
            text = str(dict(value))
        else:
            text = str(value)
        lines.append(f"{' ' * indent} {styles['label'](name)}: {text}")
    return "\n".join(lines)
