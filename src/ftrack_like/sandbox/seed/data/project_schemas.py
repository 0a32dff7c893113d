"""The project schemas of a stock site: object types, types and statuses of a kind of project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ftrack_like.sandbox.seed.data.work import TYPES

__all__ = ["ICONS", "PROJECT_SCHEMAS", "TASK_STATUSES", "VERSION_STATUSES", "ProjectSchema"]

#: The icon of each object type that does not have the default one.
ICONS: Mapping[str, str] = {
    "Asset Build": "asset_build",
    "Episode": "episode",
    "Folder": "folder",
    "Milestone": "milestone",
    "Sequence": "sequence",
    "Shot": "shot",
    "Task": "task",
}


class ProjectSchema(NamedTuple):
    """A project schema.

    - *task_types*: the types of tasks, and *task_type_schema_id* the id of their schema.
    - *workflow_id*, *version_workflow_id*: the ids of the workflows of tasks and asset versions.
    - *types*: the types of other object types, by the name of the object type.
    - *statuses*: the statuses of other object types, by the name of the object type.
    - *templates*: the types of tasks to create together, by the name of the template. They are own
      additions: no templates of a stock site are known.
    """

    name: str
    id: str
    task_type_schema_id: str
    workflow_id: str
    version_workflow_id: str
    object_types: tuple[str, ...]
    task_types: tuple[str, ...]
    types: Mapping[str, tuple[str, ...]]
    statuses: Mapping[str, tuple[str, ...]]
    templates: Mapping[str, tuple[str, ...]]


#: The statuses of tasks and of asset versions. Which of the stock statuses the workflows of a stock
#: site contain is not known. The first one is the status with the highest ``sort``.
TASK_STATUSES = (
    "Not started",
    "Ready to start",
    "WIP",
    "In progress",
    "Pending Review",
    "Revise",
    "On Hold",
    "Approved",
    "Client approved",
    "Completed",
    "Omitted",
)
VERSION_STATUSES = ("Pending Review", "Revise", "Approved", "Client approved", "Omitted")

#: The types that are for asset builds and milestones only.
_NOT_FOR_TASKS = {
    "Character",
    "Prop",
    "Furniture",
    "Vehicle",
    "Environment",
    "Matte Painting",
    "Deliverable",
}
_LAST_STOCK_TYPE = "Deliverable"


def _stock_task_types() -> tuple[str, ...]:
    names = [one.name for one in TYPES]
    stock = names[: names.index(_LAST_STOCK_TYPE) + 1]
    return tuple(name for name in stock if name not in _NOT_FOR_TASKS)


_VFX_TASK_TYPES = _stock_task_types()
_ANIMATION_TASK_TYPES = tuple(
    name for name in _VFX_TASK_TYPES if name not in {"Conform", "Tracking", "Rotoscoping"}
)
_MEDIA_TASK_TYPES = ("Modeling", "Texture", "Lookdev", "Production", "Rendering", "Deliverable")

_BUILDS = ("Character", "Prop", "Environment")
_SHORT = ("Not started", "In progress", "Completed")
_LONG = (*_SHORT, "On Hold", "Omitted")
_OBJECT_TYPES = ("Milestone", "Task", "Episode", "Folder", "Asset Build", "Shot", "Sequence")
_STATUSES = {"Milestone": _SHORT, "Episode": _LONG, "Asset Build": _SHORT, "Shot": _LONG}


def _milestones(task_types: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types of milestones. A milestone is a deliverable unless a client says more."""
    return tuple(dict.fromkeys(["Deliverable", *task_types]))


PROJECT_SCHEMAS = (
    ProjectSchema(
        "VFX",
        "caddd816-acb5-11e1-8668-f23c91df1211",
        "cadd9e5a-acb5-11e1-8668-f23c91df1211",
        "cadb0afa-acb5-11e1-8668-f23c91df1211",
        "cadb4c0e-acb5-11e1-8668-f23c91df1211",
        _OBJECT_TYPES,
        _VFX_TASK_TYPES,
        {
            "Asset Build": (*_BUILDS, "Matte Painting", "Vehicle"),
            "Milestone": _milestones(_VFX_TASK_TYPES),
        },
        _STATUSES,
        {
            "Shot, full CG": ("Layout", "Animation", "FX", "Lighting", "Compositing"),
            "Shot, cleanup": ("Tracking", "Rotoscoping", "Compositing"),
            "Asset": ("Modeling", "Texture", "Rigging", "Lookdev"),
        },
    ),
    ProjectSchema(
        "Animation",
        "9c77018e-6af0-11eb-b045-169be7b6c453",
        "9c772d44-6af0-11eb-b045-169be7b6c453",
        "9c7709f4-6af0-11eb-b045-169be7b6c453",
        "9c771b42-6af0-11eb-b045-169be7b6c453",
        _OBJECT_TYPES,
        _ANIMATION_TASK_TYPES,
        {"Asset Build": _BUILDS, "Milestone": _milestones(_ANIMATION_TASK_TYPES)},
        _STATUSES,
        {
            "Shot": ("Previz", "Layout", "Animation", "Lighting", "Compositing"),
            "Character": ("Concept Art", "Modeling", "Rigging", "Texture", "Lookdev"),
            "Environment": ("Concept Art", "Modeling", "Texture", "Lookdev"),
        },
    ),
    ProjectSchema(
        "Model production",
        "05dece3c-40cd-11ed-a028-8e70b81a65da",
        "05dee0c0-40cd-11ed-a028-8e70b81a65da",
        "05ded38c-40cd-11ed-a028-8e70b81a65da",
        "05deda8a-40cd-11ed-a028-8e70b81a65da",
        ("Milestone", "Task", "Folder", "Asset Build"),
        ("Modeling", "Texture"),
        {"Asset Build": (*_BUILDS, "Furniture", "Concept Art"), "Milestone": ("Deliverable",)},
        {"Milestone": _SHORT, "Asset Build": _LONG},
        {"Asset": ("Modeling", "Texture")},
    ),
    ProjectSchema(
        "Media production",
        "d735496c-bd5b-11eb-8fe6-d6270330280e",
        "d7355e70-bd5b-11eb-8fe6-d6270330280e",
        "d7354f98-bd5b-11eb-8fe6-d6270330280e",
        "d7355858-bd5b-11eb-8fe6-d6270330280e",
        (
            "Milestone",
            "Task",
            "Scene",
            "Folder",
            "Image",
            "Asset Build",
            "Shot",
            "Information",
        ),
        _MEDIA_TASK_TYPES,
        {"Asset Build": _BUILDS, "Milestone": _milestones(_MEDIA_TASK_TYPES)},
        {
            "Milestone": _SHORT,
            "Scene": ("Not started", "Ready to start", *_LONG[1:]),
            "Asset Build": _SHORT,
            "Shot": _LONG,
        },
        {"Asset": ("Modeling", "Texture", "Lookdev", "Rendering")},
    ),
)
