"""The path of an attribute in a query, and the place in which it is read."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._base.value_errors import shown
from ftrack_like._base.words import with_article
from ftrack_like._values.catalogue import Catalogue, Property, Step
from ftrack_like._values.literals import literal

__all__ = ["AttributeRoute", "Place", "read_route"]

#: The parts of the name of an attribute or a type in the query language.
_NAME = r"[^\W\d]\w*"
_STEP = re.compile(rf"({_NAME})(?:\[({_NAME})\])?\Z")


class Place(NamedTuple):
    """The type whose attributes a condition reads, and the *catalogue* of all types.

    Both are None for a condition that does not belong to a query yet.
    """

    catalogue: Optional[Catalogue] = None
    type_name: Optional[str] = None

    @property
    def key(self) -> str:
        """The first attribute of the primary key, which always has a value."""
        if self.catalogue is None or self.type_name is None:
            return "id"
        return self.catalogue.primary_key(self.type_name)[0]


class AttributeRoute(NamedTuple):
    """A path: its *steps*, and for an entry of a mapping its *key*.

    The steps of ``parent[Shot].status`` are ``(("parent", "Shot"), ("status", None))``.
    """

    steps: tuple[Step, ...] = ()
    key: Optional[str] = None

    @property
    def text(self) -> str:
        """The path as text of the query language, without the key."""
        return ".".join([name if cast is None else f"{name}[{cast}]" for name, cast in self.steps])

    @property
    def shown(self) -> str:
        """The path as the author of a program wrote it."""
        key = "" if self.key is None else f"[{self.key!r}]"
        return f"attr.{self.text}{key}" if self.steps else "attr"

    def to(self, name: str) -> AttributeRoute:
        """Return the path to the attribute *name* of the entity at the end of this path.

        Raise :exc:`~ftrack_like.exception.InvalidValueError` if *name* cannot be a name.
        """
        if self.key is not None:
            raise exception.InvalidValueError(
                "{shown} is the value of one entry, which has no attribute {name!r}.",
                {"shown": self.shown, "name": name},
            )
        return AttributeRoute((*self.steps, _read_step(name)))

    def cast_to(self, type_name: str) -> AttributeRoute:
        """Return the path with its end treated as an entity of *type_name*."""
        if not self.steps or self.key is not None:
            raise exception.InvalidValueError(
                "{shown} does not lead to an entity, so it cannot be {wanted}.",
                {"shown": self.shown, "wanted": with_article(type_name)},
            )
        name = self.steps[-1][0]
        return AttributeRoute((*self.steps[:-1], _read_step(f"{name}[{type_name}]")))

    def resolve(self, place: Place, *, enters: bool = False) -> Optional[Property]:
        """Return the attribute to which the path leads from *place*; None if it is unknown.

        *enters* is as for :meth:`Catalogue.follow`, whose errors are raised.
        """
        if not self.steps:
            raise exception.InvalidValueError(
                "Name an attribute: attr.status.name, for example, instead of attr."
            )
        if place.catalogue is None or place.type_name is None:
            return None
        found = self._follow(place.catalogue, place.type_name, enters)
        if self.key is not None and found is not None and found.kind != "mapping":
            raise exception.InvalidValueError(
                "{text} is not a mapping with keys, such as custom_attributes or metadata. "
                "Write {shown} to read an attribute.",
                {"text": self.text, "shown": f"attr.{self.text}.{self.key}"},
            )
        return found

    def _follow(self, catalogue: Catalogue, type_name: str, enters: bool) -> Optional[Property]:
        """Return the attribute at the end of the steps; advise brackets for the key of a mapping.

        Raise the errors of :meth:`Catalogue.follow`.
        """
        try:
            return catalogue.follow(type_name, self.steps, enters=enters)
        except exception.UnknownAttributeError as error:
            for index in range(1, len(self.steps)):
                start = AttributeRoute(self.steps[:index])
                found = catalogue.follow(type_name, start.steps)
                if found is not None and found.kind == "mapping":
                    name = self.steps[index][0]
                    entry = AttributeRoute(start.steps, name).shown
                    raise exception.UnknownAttributeError(
                        name,
                        found.target,
                        suggestion=f"{start.shown} is a mapping: write {entry} for its entry.",
                    ) from error
            raise

    def condition(self, comparison: str, own: Optional[str] = None) -> str:
        """Return the condition that the value at the end of the path fulfils *comparison*.

        *comparison* is the text behind the path, such as ``is "x"``. *own* replaces the path.
        """
        if self.key is None:
            return f"{self.text if own is None else own} {comparison}"
        return f"{self.text} any (key is {literal(self.key)} and value {comparison})"


def read_route(text: str) -> AttributeRoute:
    """Return the path in *text*, such as ``parent[Shot].status.name``.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` if *text* is not a path.
    """
    if not isinstance(text, str):
        raise exception.InvalidValueError(
            "An attribute is a path such as 'status.name', not {shown}.", {"shown": shown(text)}
        )
    return AttributeRoute(tuple([_read_step(part.strip()) for part in text.split(".")]))


def _read_step(text: str) -> Step:
    match = _STEP.match(text)
    if match is None:
        raise exception.InvalidValueError(
            "{text!r} cannot be the name of an attribute. A path has names with dots between them, "
            "such as 'status.name' or 'parent[Shot].name'.",
            {"text": text[:80]},
        )
    return match.group(1), match.group(2)
