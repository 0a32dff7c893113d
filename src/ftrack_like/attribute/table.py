"""The attributes of a type as a table by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception

if TYPE_CHECKING:
    from ftrack_like.attribute import Attribute

__all__ = ["Attributes"]


class Attributes:
    """The attributes of a type by name, in the order of the schema."""

    def __init__(self, attributes: Optional[Iterable[Attribute]] = None) -> None:
        """Initialise with *attributes*."""
        super().__init__()
        self.by_name: dict[str, Attribute] = {}
        #: Results that the loader caches for these attributes.
        self.plans: dict[Any, Any] = {}
        for attribute in attributes or ():
            self.add(attribute)

    def shared(self) -> Attributes:
        """Return a table with the same attributes; later changes to either are independent."""
        other = type(self)()
        other.by_name = self.by_name
        other.plans = self.plans
        return other

    def add(self, attribute: Attribute) -> None:
        """Add *attribute*.

        Raise :exc:`~ftrack_like.exception.NotUniqueError` if its name is taken.
        """
        existing = self.by_name.get(attribute.name)
        if existing is not None:
            raise exception.NotUniqueError(
                f"The name {attribute.name!r} is taken: an attribute was already added as "
                f"{existing!r}."
            )
        # Copy the dictionary: other classes may share it.
        self.by_name = {**self.by_name, attribute.name: attribute}
        self.plans = {}

    def remove(self, attribute: Attribute) -> None:
        """Remove *attribute*; raise :exc:`KeyError` if its name is unknown."""
        remaining = dict(self.by_name)
        del remaining[attribute.name]
        self.by_name = remaining
        self.plans = {}

    def lookup(self, name: str) -> Attribute:
        """Return the attribute *name*; raise :exc:`KeyError` if it is unknown."""
        return self.by_name[name]

    def get(self, name: str) -> Optional[Attribute]:
        """Return the attribute *name*, or None."""
        return self.by_name.get(name)

    def computed_names(self) -> frozenset[str]:
        """Return the names of the attributes that the server computes."""
        names: Optional[frozenset[str]] = self.plans.get("computed")
        if names is None:
            names = frozenset(each.name for each in self.by_name.values() if each.computed)
            self.plans["computed"] = names
        return names

    def __repr__(self) -> str:
        """Return a text with the names."""
        return f"<{type(self).__name__} {', '.join(self.by_name)}>"

    def keys(self) -> list[str]:
        """Return a list of the names."""
        return list(self.by_name)

    def __contains__(self, item: object) -> bool:
        """Return whether there is an attribute with the name of the attribute *item*."""
        name = getattr(item, "name", None)
        return isinstance(name, str) and name in self.by_name

    def __iter__(self) -> Iterator[Attribute]:
        """Iterate over the attributes."""
        return iter(self.by_name.values())

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self.by_name)
