"""Attributes: they read and write the values of entities.

An entity keeps its values in two plain dictionaries by attribute name: the *remote* values, which
the server sent, and the *local* values, which the program has set since. All entities of a type
share the attribute objects, and so do sessions whose servers have the same schema.
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
