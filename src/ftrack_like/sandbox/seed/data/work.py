"""States and statuses, types, priorities and asset types.

Names, ids, colours and order are those of a stock site. Own additions are in separate constants.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ASSET_TYPES",
    "PRIORITIES",
    "STATES",
    "STATUSES",
    "TYPES",
    "AssetType",
    "Priority",
    "State",
    "Status",
    "Type",
]


class State(NamedTuple):
    """The meaning of statuses for planning. *short* is the server's word for it."""

    name: str
    short: str
    id: str


class Status(NamedTuple):
    """A status. *state* is the name of a :class:`State`."""

    name: str
    state: str
    color: str
    id: str


class Type(NamedTuple):
    """A type of task, asset build or milestone."""

    name: str
    color: str
    id: str
    is_billable: bool = True


class Priority(NamedTuple):
    """A priority. All have the value 0; their order says which is more urgent."""

    name: str
    color: str
    id: str
    value: float = 0.0


class AssetType(NamedTuple):
    """An asset type. *component* is the usual name of its main component.

    Without an *id* it follows from the name.
    """

    name: str
    short: str
    component: str = "main"
    id: str = ""


STATES = (
    State("Not started", "NOT_STARTED", "cea0ba04-acb5-11e1-8668-f23c91df1211"),
    State("In progress", "IN_PROGRESS", "cea0efc4-acb5-11e1-8668-f23c91df1211"),
    State("Done", "DONE", "cea116d4-acb5-11e1-8668-f23c91df1211"),
    State("Blocked", "BLOCKED", "5709c04e-2f4b-11e2-b663-0019bb4983d8"),
)

#: In this order by ``sort``: from the end of the work to its start.
STATUSES = (
    Status("Completed", "Done", "#1cbc90", "9bb65936-88e7-11e3-9264-04011030cf01"),
    Status("Omitted", "Blocked", "#E74C3C", "a0bc3f24-15e2-11e1-b21a-0019bb4983d8"),
    Status("On Hold", "Blocked", "#E74C3C", "a0bc2444-15e2-11e1-b21a-0019bb4983d8"),
    Status("Revise", "In progress", "#FF6600", "2286947e-a2d4-11e9-825d-d27cf242b68b"),
    Status("Client approved", "Done", "#1CBC90", "d5d6d8ca-ebb2-11e2-aef9-f23c91dfaa16"),
    Status("Approved", "Done", "#1cbc90", "44de097a-4164-11df-9218-0019bb4983d8"),
    Status("Pending Review", "In progress", "#F1C40F", "44dded64-4164-11df-9218-0019bb4983d8"),
    Status("In progress", "In progress", "#3498DB", "44ddd0fe-4164-11df-9218-0019bb4983d8"),
    Status("WIP", "Not started", "#CC99FF", "cadb9a06-acb5-11e1-8668-f23c91df1211"),
    Status("Ready to start", "Not started", "#00FFFF", "9078de1a-40ce-11ed-a028-8e70b81a65da"),
    Status("Not started", "Not started", "#CACACA", "44dd9fb2-4164-11df-9218-0019bb4983d8"),
)

#: The types of a stock site, in this order by ``sort``.
_STOCK_TYPES = (
    Type("Concept Art", "#33CCCC", "56807358-a0f4-11e9-9843-d27cf242b68b"),
    Type("Modeling", "#935ba2", "44dc53c8-4164-11df-9218-0019bb4983d8"),
    Type("Rigging", "#58592d", "44dd5868-4164-11df-9218-0019bb4983d8"),
    Type("Texture", "#f1c40f", "a750a84f-b253-11eb-ad41-1e003a0c2434"),
    Type("Lookdev", "#a3635d", "44dc8cd0-4164-11df-9218-0019bb4983d8"),
    Type("Character", "#3a2d5a", "66d145f0-13c6-11e3-abf2-f23c91dfaa16"),
    Type("Prop", "#f39c12", "66d1aedc-13c6-11e3-abf2-f23c91dfaa16"),
    Type("Furniture", "#008000", "0e996e82-6662-11ed-a73a-92ba0fc0dc3d", is_billable=False),
    Type("Vehicle", "#ABABAB", "8c39f908-8b4c-11eb-9cdb-c2ffbce28b68"),
    Type("Environment", "#5da35e", "66d1daba-13c6-11e3-abf2-f23c91dfaa16"),
    Type("Matte Painting", "#5da35e", "66d2038c-13c6-11e3-abf2-f23c91dfaa16"),
    Type("Production", "#bdc3c7", "b628a004-ad7d-11e1-896c-f23c91df1211", is_billable=False),
    Type("Editing", "#f1c40f", "cc46c4c6-13d2-11e3-8915-f23c91dfaa16"),
    Type("Conform", "#ABABAB", "a3ead45c-ae42-11e9-9454-d27cf242b68b"),
    Type("Tracking", "#27ae60", "44dd3ed2-4164-11df-9218-0019bb4983d8"),
    Type("Rotoscoping", "#3498db", "c3bcfdb4-ad7d-11e1-a444-f23c91df1211"),
    Type("Previz", "#27ae60", "44dc6ffc-4164-11df-9218-0019bb4983d8"),
    Type("Layout", "#3a2d5a", "ffaebf7a-9dca-11e9-8346-d27cf242b68b"),
    Type("Animation", "#35592d", "44dc3636-4164-11df-9218-0019bb4983d8"),
    Type("FX", "#9b59b6", "44dcea86-4164-11df-9218-0019bb4983d8"),
    Type("Lighting", "#5b5ba3", "44dd08fe-4164-11df-9218-0019bb4983d8"),
    Type("Rendering", "#5ba3a3", "262225e8-9dcb-11e9-82b8-d27cf242b68b"),
    Type("Compositing", "#2d5959", "44dd23b6-4164-11df-9218-0019bb4983d8"),
    Type("Deliverable", "#2980b9", "ae1e2480-f24e-11e2-bd1f-f23c91dfaa16"),
)

#: The colour of the types whose colour on a site is not known: the default of the schema.
_PLAIN = "#510100"

#: The types that a later starter site has as well. No project schema uses them.
_LATER_TYPES = (
    Type("Audio Mix", _PLAIN, "a557384c-a5b5-4aec-b192-2049db0975d1"),
    Type("Brand Assets", _PLAIN, "bec6a235-717f-4225-8d9f-bde3a7fd2667"),
    Type("Color", _PLAIN, "d410af88-73e9-4a2f-be54-dabb3fd09f50"),
    Type("Long Form", _PLAIN, "20b1c08e-dea7-468c-a72d-0817ee2ed6ec"),
    Type("Music", _PLAIN, "8233270a-14ac-4802-9e47-2e7a774563c0"),
    Type("News", _PLAIN, "387efc10-d040-4cb4-bfdd-47e8995f0cef"),
    Type("Short Form", _PLAIN, "d1aa3488-299e-45d1-8469-51fa1b10cebe"),
    Type("Social", _PLAIN, "a566a954-ee06-487f-a1db-3103cfb62ec2"),
    Type("Sports", _PLAIN, "32617c36-dc40-4bd2-8ae0-375194ae8616"),
    Type("Video Shoot", _PLAIN, "b7df1bd9-9268-42ea-8be2-6b99abc1730f"),
    Type("Voice Over", _PLAIN, "2ea3363d-8617-4e45-ad23-ae678ec50b43"),
)

TYPES = (*_STOCK_TYPES, *_LATER_TYPES)

#: In this order by ``sort``: the most urgent first.
PRIORITIES = (
    Priority("Urgent", "#E74C3C", "847fb90e-ead3-11e2-846c-f23c91dfaa16"),
    Priority("High", "#E67E22", "847f9cda-ead3-11e2-846c-f23c91dfaa16"),
    Priority("Medium", "#F1C40F", "847f8146-ead3-11e2-846c-f23c91dfaa16"),
    Priority("Low", "#1CBC90", "847f663e-ead3-11e2-846c-f23c91dfaa16"),
    Priority("None", "#CACACA", "9661b320-3a0c-11e2-81c1-0800200c9a66"),
)

_STOCK_ASSET_TYPES = (AssetType("Upload", "upload", id="8f4144e0-a8e6-11e2-9e96-0800200c9a66"),)

#: Asset types that no stock site is known to have.
_OWN_ASSET_TYPES = (
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
    AssetType("USD", "usd"),
)

ASSET_TYPES = (*_STOCK_ASSET_TYPES, *_OWN_ASSET_TYPES)
