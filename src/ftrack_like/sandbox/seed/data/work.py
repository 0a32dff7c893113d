"""States and statuses, types, priorities, object types, asset types and project schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ftrack_like.sandbox.schema.contexts import DEFAULT_PRIORITY_ID, OBJECT_TYPE_IDS

__all__ = [
    "ASSET_TYPES",
    "OBJECT_TYPES",
    "OBJECT_TYPE_FLAGS",
    "PRIORITIES",
    "PROJECT_SCHEMAS",
    "STATES",
    "STATUSES",
    "TASK_TYPE_SCHEMAS",
    "TYPES",
    "WORKFLOWS",
    "AssetType",
    "ObjectType",
    "Priority",
    "SeedProjectSchema",
    "Status",
    "Type",
]


class Status(NamedTuple):
    """A status. Its *state* is its meaning for planning, such as ``Done``."""

    name: str
    state: str
    color: str


class Type(NamedTuple):
    """A type of task, shot, milestone, …"""

    name: str
    color: str
    is_billable: bool = True


class Priority(NamedTuple):
    """A priority. A higher *value* is more urgent."""

    name: str
    value: float
    color: str
    id: str = ""


class AssetType(NamedTuple):
    """An asset type. *component* is the usual name of its main component."""

    name: str
    short: str
    component: str = "main"


class ObjectType(NamedTuple):
    """An object type. *type_name* is its entity type, *flags* are some of OBJECT_TYPE_FLAGS."""

    name: str
    type_name: str
    icon: str
    flags: frozenset[str]

    @property
    def id(self) -> str:
        """Return the id, which is the same on every site."""
        return OBJECT_TYPE_IDS[self.type_name]


class SeedProjectSchema(NamedTuple):
    """A project schema: the object types, types and statuses of a kind of project.

    - *task_type_schema*: the name of the task type schema with the types of tasks.
    - *workflow*: the name of the workflow of tasks; *overrides* has others by the type of task.
    - *version_workflow*: the name of the workflow of asset versions.
    - *types*: the types of the other object types, by the name of the object type.
    - *statuses*: the name of the workflow by object type, if it is not *workflow*.
    - *templates*: the types of tasks to create together, by the name of the template.
    """

    name: str
    object_types: tuple[str, ...]
    task_type_schema: str
    workflow: str
    version_workflow: str
    overrides: Mapping[str, str]
    types: Mapping[str, tuple[str, ...]]
    statuses: Mapping[str, str]
    templates: Mapping[str, tuple[str, ...]]

    def types_of(self, object_type: str) -> tuple[str, ...]:
        """Return the types that contexts of *object_type* may have."""
        if object_type == "Task":
            return TASK_TYPE_SCHEMAS[self.task_type_schema]
        return self.types[object_type]

    def statuses_of(self, object_type: str) -> tuple[str, ...]:
        """Return the statuses that contexts of *object_type* may have."""
        return WORKFLOWS[self.statuses.get(object_type, self.workflow)]


#: The server's short word for each state.
STATES: Mapping[str, str] = {
    "Not started": "NOT_STARTED",
    "In progress": "IN_PROGRESS",
    "Blocked": "BLOCKED",
    "Done": "DONE",
}

STATUSES = (
    Status("Not started", "Not started", "#FFFFFF"),
    Status("Ready to start", "Not started", "#F1C40F"),
    Status("Awaiting start", "Not started", "#BDC3C7"),
    Status("In progress", "In progress", "#3498DB"),
    Status("Pending Review", "In progress", "#9B59B6"),
    Status("Internal revision", "In progress", "#E67E22"),
    Status("Client revision", "In progress", "#D35400"),
    Status("Needs attention", "Blocked", "#C0392B"),
    Status("On Hold", "Blocked", "#E74C3C"),
    Status("Approved", "Done", "#2ECC71"),
    Status("Client approved", "Done", "#27AE60"),
    Status("Completed", "Done", "#16A085"),
    Status("Delivered", "Done", "#1ABC9C"),
    Status("Omitted", "Done", "#7F8C8D"),
    Status("Normal", "In progress", "#95A5A6"),
)

TYPES = (
    Type("Generic", "#95A5A6"),
    Type("Animation", "#2ECC71"),
    Type("Character animation", "#27AE60"),
    Type("Audio", "#8E44AD"),
    Type("Cleanup", "#D2B4DE"),
    Type("Cloth", "#F5B7B1"),
    Type("Color grading", "#F39C12"),
    Type("Compositing", "#3498DB"),
    Type("Concept art", "#9B59B6"),
    Type("Crowd", "#A9DFBF"),
    Type("Deliverable", "#34495E"),
    Type("Editing", "#1ABC9C"),
    Type("FX", "#E74C3C"),
    Type("Groom", "#BA4A00"),
    Type("Layout", "#16A085"),
    Type("Lighting", "#F1C40F"),
    Type("Lookdev", "#E67E22"),
    Type("Matchmove", "#2980B9"),
    Type("Matte painting", "#C39BD3"),
    Type("Modeling", "#5DADE2"),
    Type("Paint", "#F8C471"),
    Type("Previz", "#48C9B0"),
    Type("Production", "#7F8C8D", is_billable=False),
    Type("Rendering", "#DC7633"),
    Type("Rigging", "#AF7AC5"),
    Type("Rotoscoping", "#76D7C4"),
    Type("Simulation", "#EC7063"),
    Type("Storyboard", "#85C1E9"),
    Type("Texture", "#EB984E"),
    Type("Tracking", "#5499C7"),
    # Types of asset builds, shots and milestones.
    Type("Character", "#58D68D"),
    Type("Creature", "#239B56"),
    Type("Environment", "#82E0AA"),
    Type("Prop", "#AAB7B8"),
    Type("Vehicle", "#808B96"),
    Type("Shot", "#4F93E7"),
    Type("Plate", "#6C7A89"),
    Type("Element", "#ABB2B9"),
    Type("Sequence", "#4F93E7"),
    Type("Episode", "#4F93E7"),
    Type("Folder", "#4F93E7"),
    Type("Delivery", "#E84393"),
    Type("Review", "#6C5CE7"),
    Type("Deadline", "#D63031"),
)

PRIORITIES = (
    Priority("Urgent", 4, "#E74C3C"),
    Priority("High", 3, "#E67E22"),
    Priority("Medium", 2, "#F1C40F"),
    Priority("Low", 1, "#3498DB"),
    Priority("None", 0, "#FFFFFF", DEFAULT_PRIORITY_ID),
)

ASSET_TYPES = (
    AssetType("Alembic cache", "abc", "cache"),
    AssetType("Animation", "anim"),
    AssetType("Audio", "audio"),
    AssetType("Cache", "cache"),
    AssetType("Camera", "cam", "camera"),
    AssetType("Comp", "comp"),
    AssetType("Edit", "edit"),
    AssetType("Geometry", "geo", "geometry"),
    AssetType("Image Sequence", "img", "sequence"),
    AssetType("Light rig", "lgt"),
    AssetType("Look", "look"),
    AssetType("Plate", "plate", "sequence"),
    AssetType("Render", "render", "sequence"),
    AssetType("Rig", "rig"),
    AssetType("Scene", "scene"),
    AssetType("Script", "script"),
    AssetType("Texture", "tex"),
    AssetType("Upload", "upload"),
    AssetType("USD", "usd"),
)

#: The flags of an object type: the names of its attributes without ``is_``.
OBJECT_TYPE_FLAGS = (
    "leaf",
    "prioritizable",
    "schedulable",
    "statusable",
    "taskable",
    "time_reportable",
    "typeable",
)

_CONTAINER = frozenset({"taskable"})
_STATED = frozenset({"taskable", "typeable", "statusable", "prioritizable"})

OBJECT_TYPES = (
    ObjectType("Task", "Task", "task", frozenset(OBJECT_TYPE_FLAGS) - {"taskable"}),
    ObjectType("Milestone", "Milestone", "milestone", _STATED - {"taskable"} | {"leaf"}),
    ObjectType("Shot", "Shot", "shot", _STATED),
    ObjectType("Sequence", "Sequence", "sequence", _CONTAINER),
    ObjectType("Episode", "Episode", "episode", _CONTAINER),
    ObjectType("Asset Build", "AssetBuild", "asset_build", _STATED),
    ObjectType("Folder", "Folder", "folder", _CONTAINER),
)

WORKFLOWS: Mapping[str, tuple[str, ...]] = {
    "Task": (
        "Not started",
        "Ready to start",
        "In progress",
        "Pending Review",
        "Internal revision",
        "Client revision",
        "On Hold",
        "Approved",
        "Client approved",
        "Completed",
        "Omitted",
    ),
    "Delivery": ("Awaiting start", "In progress", "Pending Review", "Delivered", "Omitted"),
    "Version": ("Pending Review", "Needs attention", "Approved", "Client approved", "Omitted"),
    "Shot": ("Not started", "In progress", "On Hold", "Approved", "Completed", "Omitted"),
    "Container": ("Normal",),
    "Milestone": ("Not started", "In progress", "Completed"),
}

TASK_TYPE_SCHEMAS: Mapping[str, tuple[str, ...]] = {
    "VFX": (
        "Generic",
        "Animation",
        "Cleanup",
        "Compositing",
        "Concept art",
        "Crowd",
        "Deliverable",
        "Editing",
        "FX",
        "Groom",
        "Layout",
        "Lighting",
        "Lookdev",
        "Matchmove",
        "Matte painting",
        "Modeling",
        "Paint",
        "Previz",
        "Production",
        "Rendering",
        "Rigging",
        "Rotoscoping",
        "Simulation",
        "Texture",
        "Tracking",
    ),
    "Animation": (
        "Generic",
        "Animation",
        "Character animation",
        "Audio",
        "Cloth",
        "Color grading",
        "Compositing",
        "Concept art",
        "Deliverable",
        "Editing",
        "FX",
        "Groom",
        "Layout",
        "Lighting",
        "Lookdev",
        "Modeling",
        "Previz",
        "Production",
        "Rendering",
        "Rigging",
        "Storyboard",
        "Texture",
    ),
}

_OBJECT_TYPES = tuple(one.name for one in OBJECT_TYPES)

_OBJECT_TYPE_TYPES: Mapping[str, tuple[str, ...]] = {
    "Asset Build": ("Character", "Creature", "Environment", "Prop", "Vehicle"),
    "Episode": ("Episode",),
    "Folder": ("Folder",),
    "Milestone": ("Delivery", "Review", "Deadline"),
    "Sequence": ("Sequence",),
    "Shot": ("Shot", "Plate", "Element"),
}

_OBJECT_TYPE_WORKFLOWS: Mapping[str, str] = {
    "Asset Build": "Shot",
    "Episode": "Container",
    "Folder": "Container",
    "Milestone": "Milestone",
    "Sequence": "Container",
    "Shot": "Shot",
}


def _project_schema(name: str, templates: Mapping[str, tuple[str, ...]]) -> SeedProjectSchema:
    """Return the project schema *name* over the task types of that name."""
    return SeedProjectSchema(
        name,
        _OBJECT_TYPES,
        name,
        "Task",
        "Version",
        {"Deliverable": "Delivery"},
        _OBJECT_TYPE_TYPES,
        _OBJECT_TYPE_WORKFLOWS,
        templates,
    )


PROJECT_SCHEMAS = (
    _project_schema(
        "VFX",
        {
            "Shot, full CG": ("Layout", "Animation", "FX", "Lighting", "Compositing"),
            "Shot, cleanup": ("Tracking", "Rotoscoping", "Paint", "Compositing"),
            "Asset": ("Modeling", "Texture", "Rigging", "Lookdev"),
        },
    ),
    _project_schema(
        "Animation",
        {
            "Shot": ("Storyboard", "Layout", "Character animation", "Lighting", "Compositing"),
            "Character": ("Concept art", "Modeling", "Rigging", "Groom", "Texture", "Lookdev"),
            "Environment": ("Concept art", "Modeling", "Texture", "Lookdev"),
        },
    ),
)
