"""The types of custom attributes, and configurations that most studios have."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Optional

__all__ = [
    "CUSTOM_ATTRIBUTE_CONFIGURATIONS",
    "CUSTOM_ATTRIBUTE_GROUPS",
    "CUSTOM_ATTRIBUTE_TYPES",
    "Configuration",
]


class Configuration(NamedTuple):
    """A custom attribute. *object_type* is the name of an object type if *entity_type* is ``task``.

    Without it, the attribute applies to all object types.
    """

    key: str
    label: str
    type: str
    entity_type: str
    default: Any
    object_type: Optional[str] = None
    group: Optional[str] = None
    is_hierarchical: bool = False
    config: str = "{}"


def _choices(*names: str) -> str:
    """Return the configuration of an enumerator with the choices *names*."""
    data = [{"menu": name, "value": name.lower()} for name in names]
    return json.dumps({"multiSelect": False, "data": json.dumps(data)})


_WHOLE = json.dumps({"isdecimal": False})
_DECIMAL = json.dumps({"isdecimal": True})
_PLAIN = json.dumps({"markdown": False})

CUSTOM_ATTRIBUTE_TYPES = (
    "text",
    "boolean",
    "date",
    "enumerator",
    "dynamic enumerator",
    "number",
    "expression",
    "url",
)

CUSTOM_ATTRIBUTE_GROUPS = ("Editorial", "Format")

CUSTOM_ATTRIBUTE_CONFIGURATIONS = (
    Configuration(
        "fstart", "Frame start", "number", "task", 1001, "Shot", "Editorial", config=_WHOLE
    ),
    Configuration("fend", "Frame end", "number", "task", 1100, "Shot", "Editorial", config=_WHOLE),
    Configuration("handles", "Handles", "number", "task", 8, "Shot", "Editorial", config=_WHOLE),
    Configuration(
        "fps", "Frames per second", "number", "task", 24, "Shot", "Editorial", config=_DECIMAL
    ),
    Configuration(
        "resolution",
        "Resolution",
        "text",
        "show",
        "1920x1080",
        group="Format",
        is_hierarchical=True,
        config=_PLAIN,
    ),
    Configuration(
        "colorspace",
        "Colour space",
        "enumerator",
        "show",
        ["acescg"],
        group="Format",
        is_hierarchical=True,
        config=_choices("ACEScg", "ACES2065-1", "Linear", "Rec709", "sRGB"),
    ),
    Configuration("code", "Project code", "text", "show", "", config=_PLAIN),
    Configuration("delivery_date", "Delivery date", "date", "task", None, "Milestone"),
    Configuration("is_hero", "Hero asset", "boolean", "task", False, "Asset Build"),
    Configuration("approved_for_client", "Approved for client", "boolean", "assetversion", False),
    Configuration("employee_number", "Employee number", "text", "user", "", config=_PLAIN),
)
