"""Attributes: what a type's entities can hold, and how a value is read and written.

An entity keeps its values in two plain dictionaries by attribute name: what the server sent
and what was set here since. Attributes are shared by all entities of a type, and by sessions
whose servers have the same schema.
"""

from __future__ import annotations

import logging

from ftrack_like.attribute.base import (
    Attribute,
    ReferenceAttribute,
    ScalarAttribute,
    merge_references,
)
from ftrack_like.attribute.collections import (
    AbstractCollectionAttribute,
    CollectionAttribute,
    CustomAttributeCollectionAttribute,
    KeyValueMappedCollectionAttribute,
)
from ftrack_like.attribute.table import Attributes

__all__ = [
    "AbstractCollectionAttribute",
    "Attribute",
    "Attributes",
    "CollectionAttribute",
    "CustomAttributeCollectionAttribute",
    "KeyValueMappedCollectionAttribute",
    "ReferenceAttribute",
    "ScalarAttribute",
    "logger",
    "merge_references",
]

logger: logging.Logger = logging.getLogger(__name__)
