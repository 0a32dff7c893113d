"""The entity types of contexts: one for each object type of a site.

A site stores its object types as rows, and an administrator can add some. The flags of an object
type decide which attributes clients can set on its contexts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ftrack_like.sandbox.schema.contexts import TYPED_CONTEXT
from ftrack_like.sandbox.schema.declare import entity_type, foreign_key
from ftrack_like.sandbox.schema.model import EntityType

__all__ = [
    "FLAGS",
    "OBJECT_TYPE_IDS",
    "STOCK_OBJECT_TYPES",
    "ObjectType",
    "context_type",
    "is_type_name",
    "type_name_of",
]

#: The flags of an object type: the names of its attributes without ``is_``.
FLAGS = (
    "leaf",
    "taskable",
    "statusable",
    "typeable",
    "prioritizable",
    "schedulable",
    "time_reportable",
)


class ObjectType(NamedTuple):
    """An object type. *flags* are those of :data:`FLAGS` that are true."""

    id: str
    name: str
    flags: frozenset[str]


def _stock(id_: str, name: str, *flags: str) -> ObjectType:
    return ObjectType(id_, name, frozenset(flags))


_WORK = ("leaf", "statusable", "typeable", "prioritizable", "schedulable")

#: The object types of a stock site, in the order of its list.
STOCK_OBJECT_TYPES = (
    _stock("3c133785-51cb-11e3-980a-20c9d0831e59", "Folder", "taskable", "prioritizable"),
    _stock(
        "4be63b64-5010-42fb-bf1f-428af9d638f0",
        "Asset Build",
        "taskable",
        "statusable",
        "typeable",
        "prioritizable",
    ),
    _stock(
        "22139355-61da-4c8f-9db4-3abc870166bc",
        "Episode",
        "taskable",
        "statusable",
        "prioritizable",
    ),
    _stock("34b122f0-bd5c-11eb-96ea-d6270330280e", "Scene", "taskable", "statusable"),
    _stock("e5139355-61da-4c8f-9db4-3abc870166bc", "Sequence", "taskable", "prioritizable"),
    _stock(
        "bad911de-3bd6-47b9-8b46-3476e237cb36", "Shot", "taskable", "statusable", "prioritizable"
    ),
    _stock("01decdd1-51cb-11e3-9d5b-20c9d0831e59", "Milestone", *_WORK),
    _stock("11c137c0-ee7e-4f9c-91c5-8c77cec22b2c", "Task", *_WORK, "time_reportable"),
    _stock("4721f72a-bd5c-11eb-a3da-d6270330280e", "Image", "taskable"),
    _stock("efb7d34c-bd5b-11eb-86a7-d6270330280e", "Information", "taskable"),
)

#: The attributes of which each flag decides whether clients can set them.
_BY_FLAG: Mapping[str, tuple[str, ...]] = {
    "typeable": ("type_id", "type"),
    "statusable": ("status_id", "status"),
    "prioritizable": ("priority_id", "priority"),
    "schedulable": ("bid", "start_date", "end_date"),
}

#: The attributes of ``TypedContext`` that clients cannot set on any context.
_FIXED = ("object_type_id", "object_type", "bid_time_logged_difference", "time_logged")

#: The attributes that clients can set only on contexts of the types in ``_IN_PARTS``.
_PARTS = ("split_parts", "thumbnail_source_id")
_IN_PARTS = frozenset({"AssetBuild", "Folder", "Milestone", "Task"})

#: The attributes that clients cannot set on the contexts of one type, whatever its flags say.
_BY_TYPE: Mapping[str, tuple[str, ...]] = {"Milestone": ("start_date",)}

#: The names that a query can contain as an entity type.
_NAME = re.compile(r"[^\W\d]\w*")


def type_name_of(name: str) -> str:
    """Return the name of the entity type for the object type *name*: the name without blanks."""
    return "".join(name.split())


def is_type_name(name: str) -> bool:
    """Return whether queries can contain *name* as an entity type."""
    return _NAME.fullmatch(name) is not None


#: The ids of the object types of a stock site by the names of their entity types.
OBJECT_TYPE_IDS: Mapping[str, str] = {type_name_of(one.name): one.id for one in STOCK_OBJECT_TYPES}

_STOCK_NAMES = {id_: name for name, id_ in OBJECT_TYPE_IDS.items()}


def context_type(object_type: ObjectType, default_priority_id: Optional[str]) -> EntityType:
    """Return the entity type for the contexts of *object_type*.

    *default_priority_id* is the priority of a new context, if *object_type* has priorities.
    """
    stock_name = _STOCK_NAMES.get(object_type.id, "")
    fixed = [name for flag in _BY_FLAG if flag not in object_type.flags for name in _BY_FLAG[flag]]
    if stock_name not in _IN_PARTS:
        fixed += _PARTS
    fixed += _BY_TYPE.get(stock_name, ())
    prioritizable = "prioritizable" in object_type.flags
    return entity_type(
        type_name_of(object_type.name),
        foreign_key(
            "object_type_id", "ObjectType.id", alias="object_typeid", default=object_type.id
        ),
        foreign_key(
            "priority_id",
            "Priority.id",
            alias="priorityid",
            default=default_priority_id if prioritizable else None,
        ),
        extends=TYPED_CONTEXT,
        classifier={"object_type_id": object_type.id},
        alias_for={"id": "Task", "classifiers": {"object_typeid": object_type.id}},
        immutable=(*_FIXED, *dict.fromkeys(fixed)),
    )
