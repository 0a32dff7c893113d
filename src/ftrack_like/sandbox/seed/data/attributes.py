"""The types and configurations of custom attributes: those of a stock site, and own additions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

__all__ = [
    "CUSTOM_ATTRIBUTE_CONFIGURATIONS",
    "CUSTOM_ATTRIBUTE_GROUPS",
    "CUSTOM_ATTRIBUTE_TYPES",
    "OWN_CONFIGURATIONS",
    "STOCK_CONFIGURATIONS",
    "Configuration",
]


class Configuration(NamedTuple):
    """A custom attribute. *object_type* is the name of an object type if *entity_type* is ``task``.

    Without it, the attribute applies to all object types. Without an *id*, that follows from the
    names.
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
    id: str = ""


def _choices(*names: str) -> str:
    """Return the configuration of an enumerator with the choices *names*."""
    data = [{"menu": name, "value": name.lower()} for name in names]
    return json.dumps({"multiSelect": False, "data": json.dumps(data)})


_WHOLE = json.dumps({"isdecimal": False})
_DECIMAL = json.dumps({"isdecimal": True})
_PLAIN = json.dumps({"markdown": False})

#: The ids of the types of custom attributes by name. The last one is for the server's own use; its
#: id is not known and follows from the name.
CUSTOM_ATTRIBUTE_TYPES: Mapping[str, str] = {
    "text": "6268aef0-381c-11e0-acff-0019bb49847a",
    "boolean": "ad1034d8-15e2-11e1-b21a-0019bb4983d8",
    "date": "79968e9e-381c-11e0-acff-0019bb49847a",
    "enumerator": "6ff9c812-ead3-11e2-846c-f23c91dfaa16",
    "dynamic enumerator": "882e4aee-fae6-11e3-b623-20c9d0831e59",
    "number": "92009b00-381c-11e0-acff-0019bb49847a",
    "expression": "d2e6a530-357f-11e2-bd73-0019bb4985b8",
    "url": "ec616dcd-56e2-4147-99f8-7e4a4f040cf9",
    "notificationtype": "",
}

#: Own additions: no groups of a stock site are known.
CUSTOM_ATTRIBUTE_GROUPS = ("Format",)

#: The custom attributes of a stock site. One key can have several, one for each object type.
STOCK_CONFIGURATIONS = (
    Configuration(
        "fstart",
        "Frame start",
        "number",
        "task",
        1,
        "Shot",
        config=_WHOLE,
        id="acd86546-4082-11e2-95b1-0019bb4983d8",
    ),
    Configuration(
        "fend",
        "Frame end",
        "number",
        "task",
        1,
        "Shot",
        config=_WHOLE,
        id="432bc746-4087-11e2-8250-0019bb4983d8",
    ),
    Configuration(
        "handles",
        "Frame handles",
        "number",
        "task",
        0,
        "Shot",
        config=_WHOLE,
        id="432bdfa6-4087-11e2-8250-0019bb4983d8",
    ),
    Configuration(
        "duration",
        "Frame duration",
        "expression",
        "task",
        "{self.fend - self.fstart + 1}",
        "Shot",
    ),
    Configuration(
        "fps",
        "fps",
        "number",
        "show",
        24,
        config=_DECIMAL,
        id="d25219d6-acb5-11e1-8668-f23c91df1211",
    ),
    Configuration(
        "fps",
        "fps",
        "number",
        "task",
        25,
        "Sequence",
        config=_DECIMAL,
        id="d25532e2-acb5-11e1-8668-f23c91df1211",
    ),
    Configuration(
        "fps",
        "fps",
        "number",
        "task",
        25,
        "Shot",
        config=_DECIMAL,
        id="d25907a0-acb5-11e1-8668-f23c91df1211",
    ),
)

#: Custom attributes of many studios that no stock site is known to have.
OWN_CONFIGURATIONS = (
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

CUSTOM_ATTRIBUTE_CONFIGURATIONS = (*STOCK_CONFIGURATIONS, *OWN_CONFIGURATIONS)
