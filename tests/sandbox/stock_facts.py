"""The stock rows of real sites, as ``site-facts.md`` records them in its rows A1 to A10.

The tables are kept apart from the data of the seed, so that a mistake there is found.
"""

from __future__ import annotations

#: A1: sort, name, id, colour and state.
STATUSES = [
    (0, "Completed", "9bb65936-88e7-11e3-9264-04011030cf01", "#1cbc90", "done"),
    (1, "Omitted", "a0bc3f24-15e2-11e1-b21a-0019bb4983d8", "#E74C3C", "blocked"),
    (2, "On Hold", "a0bc2444-15e2-11e1-b21a-0019bb4983d8", "#E74C3C", "blocked"),
    (3, "Revise", "2286947e-a2d4-11e9-825d-d27cf242b68b", "#FF6600", "in progress"),
    (4, "Client approved", "d5d6d8ca-ebb2-11e2-aef9-f23c91dfaa16", "#1CBC90", "done"),
    (5, "Approved", "44de097a-4164-11df-9218-0019bb4983d8", "#1cbc90", "done"),
    (6, "Pending Review", "44dded64-4164-11df-9218-0019bb4983d8", "#F1C40F", "in progress"),
    (7, "In progress", "44ddd0fe-4164-11df-9218-0019bb4983d8", "#3498DB", "in progress"),
    (8, "WIP", "cadb9a06-acb5-11e1-8668-f23c91df1211", "#CC99FF", "not started"),
    (9, "Ready to start", "9078de1a-40ce-11ed-a028-8e70b81a65da", "#00FFFF", "not started"),
    (10, "Not started", "44dd9fb2-4164-11df-9218-0019bb4983d8", "#CACACA", "not started"),
]

#: A2: the short word and the id of each state, with the name in A1.
STATES = [
    ("NOT_STARTED", "cea0ba04-acb5-11e1-8668-f23c91df1211", "not started"),
    ("DONE", "cea116d4-acb5-11e1-8668-f23c91df1211", "done"),
    ("IN_PROGRESS", "cea0efc4-acb5-11e1-8668-f23c91df1211", "in progress"),
    ("BLOCKED", "5709c04e-2f4b-11e2-b663-0019bb4983d8", "blocked"),
]

#: A3: name, id, colour and whether it is billable, in this order by sort.
TYPES = [
    ("Concept Art", "56807358-a0f4-11e9-9843-d27cf242b68b", "#33CCCC", True),
    ("Modeling", "44dc53c8-4164-11df-9218-0019bb4983d8", "#935ba2", True),
    ("Rigging", "44dd5868-4164-11df-9218-0019bb4983d8", "#58592d", True),
    ("Texture", "a750a84f-b253-11eb-ad41-1e003a0c2434", "#f1c40f", True),
    ("Lookdev", "44dc8cd0-4164-11df-9218-0019bb4983d8", "#a3635d", True),
    ("Character", "66d145f0-13c6-11e3-abf2-f23c91dfaa16", "#3a2d5a", True),
    ("Prop", "66d1aedc-13c6-11e3-abf2-f23c91dfaa16", "#f39c12", True),
    ("Furniture", "0e996e82-6662-11ed-a73a-92ba0fc0dc3d", "#008000", False),
    ("Vehicle", "8c39f908-8b4c-11eb-9cdb-c2ffbce28b68", "#ABABAB", True),
    ("Environment", "66d1daba-13c6-11e3-abf2-f23c91dfaa16", "#5da35e", True),
    ("Matte Painting", "66d2038c-13c6-11e3-abf2-f23c91dfaa16", "#5da35e", True),
    ("Production", "b628a004-ad7d-11e1-896c-f23c91df1211", "#bdc3c7", False),
    ("Editing", "cc46c4c6-13d2-11e3-8915-f23c91dfaa16", "#f1c40f", True),
    ("Conform", "a3ead45c-ae42-11e9-9454-d27cf242b68b", "#ABABAB", True),
    ("Tracking", "44dd3ed2-4164-11df-9218-0019bb4983d8", "#27ae60", True),
    ("Rotoscoping", "c3bcfdb4-ad7d-11e1-a444-f23c91df1211", "#3498db", True),
    ("Previz", "44dc6ffc-4164-11df-9218-0019bb4983d8", "#27ae60", True),
    ("Layout", "ffaebf7a-9dca-11e9-8346-d27cf242b68b", "#3a2d5a", True),
    ("Animation", "44dc3636-4164-11df-9218-0019bb4983d8", "#35592d", True),
    ("FX", "44dcea86-4164-11df-9218-0019bb4983d8", "#9b59b6", True),
    ("Lighting", "44dd08fe-4164-11df-9218-0019bb4983d8", "#5b5ba3", True),
    ("Rendering", "262225e8-9dcb-11e9-82b8-d27cf242b68b", "#5ba3a3", True),
    ("Compositing", "44dd23b6-4164-11df-9218-0019bb4983d8", "#2d5959", True),
    ("Deliverable", "ae1e2480-f24e-11e2-bd1f-f23c91dfaa16", "#2980b9", True),
]

#: A3: name and id of the types of a later starter site.
LATER_TYPES = [
    ("Audio Mix", "a557384c-a5b5-4aec-b192-2049db0975d1"),
    ("Brand Assets", "bec6a235-717f-4225-8d9f-bde3a7fd2667"),
    ("Color", "d410af88-73e9-4a2f-be54-dabb3fd09f50"),
    ("Long Form", "20b1c08e-dea7-468c-a72d-0817ee2ed6ec"),
    ("Music", "8233270a-14ac-4802-9e47-2e7a774563c0"),
    ("News", "387efc10-d040-4cb4-bfdd-47e8995f0cef"),
    ("Short Form", "d1aa3488-299e-45d1-8469-51fa1b10cebe"),
    ("Social", "a566a954-ee06-487f-a1db-3103cfb62ec2"),
    ("Sports", "32617c36-dc40-4bd2-8ae0-375194ae8616"),
    ("Video Shoot", "b7df1bd9-9268-42ea-8be2-6b99abc1730f"),
    ("Voice Over", "2ea3363d-8617-4e45-ad23-ae678ec50b43"),
]

#: A4: sort, name, id, colour and value.
PRIORITIES = [
    (0, "Urgent", "847fb90e-ead3-11e2-846c-f23c91dfaa16", "#E74C3C", 0),
    (1, "High", "847f9cda-ead3-11e2-846c-f23c91dfaa16", "#E67E22", 0),
    (2, "Medium", "847f8146-ead3-11e2-846c-f23c91dfaa16", "#F1C40F", 0),
    (3, "Low", "847f663e-ead3-11e2-846c-f23c91dfaa16", "#1CBC90", 0),
    (4, "None", "9661b320-3a0c-11e2-81c1-0800200c9a66", "#CACACA", 0),
]

#: A5: name, id and flags: leaf, taskable, statusable, typeable, prioritizable, schedulable, time
#: reportable.
OBJECT_TYPES = [
    ("Folder", "3c133785-51cb-11e3-980a-20c9d0831e59", "-x--x--"),
    ("Asset Build", "4be63b64-5010-42fb-bf1f-428af9d638f0", "-xxxx--"),
    ("Episode", "22139355-61da-4c8f-9db4-3abc870166bc", "-xx-x--"),
    ("Scene", "34b122f0-bd5c-11eb-96ea-d6270330280e", "-xx----"),
    ("Sequence", "e5139355-61da-4c8f-9db4-3abc870166bc", "-x--x--"),
    ("Shot", "bad911de-3bd6-47b9-8b46-3476e237cb36", "-xx-x--"),
    ("Milestone", "01decdd1-51cb-11e3-9d5b-20c9d0831e59", "x-xxxx-"),
    ("Task", "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c", "x-xxxxx"),
    ("Image", "4721f72a-bd5c-11eb-a3da-d6270330280e", "-x-----"),
    ("Information", "efb7d34c-bd5b-11eb-86a7-d6270330280e", "-x-----"),
]

_VFX_OBJECT_TYPES = {"Milestone", "Task", "Episode", "Folder", "Asset Build", "Shot", "Sequence"}
_NOT_FOR_TASKS = {
    "Character",
    "Prop",
    "Furniture",
    "Vehicle",
    "Environment",
    "Matte Painting",
    "Deliverable",
}
_VFX_TYPES = {name for name, *_ in TYPES} - _NOT_FOR_TASKS
_ANIMATION_TYPES = _VFX_TYPES - {"Conform", "Tracking", "Rotoscoping"}
_MEDIA_TYPES = {"Modeling", "Texture", "Lookdev", "Production", "Rendering", "Deliverable"}
_SHORT = ["Not started", "In progress", "Completed"]
_LONG = [*_SHORT, "On Hold", "Omitted"]
_BUILDS = {"Character", "Prop", "Environment"}

#: A6: name, id, ids of the task workflow, the version workflow and the task type schema, object
#: types, task types, statuses in order and types by object type.
PROJECT_SCHEMAS = [
    (
        "VFX",
        "caddd816-acb5-11e1-8668-f23c91df1211",
        "cadb0afa-acb5-11e1-8668-f23c91df1211",
        "cadb4c0e-acb5-11e1-8668-f23c91df1211",
        "cadd9e5a-acb5-11e1-8668-f23c91df1211",
        _VFX_OBJECT_TYPES,
        _VFX_TYPES,
        {"Shot": _LONG, "Episode": _LONG, "Milestone": _SHORT, "Asset Build": _SHORT},
        {
            "Asset Build": _BUILDS | {"Matte Painting", "Vehicle"},
            "Milestone": _VFX_TYPES | {"Deliverable"},
        },
    ),
    (
        "Animation",
        "9c77018e-6af0-11eb-b045-169be7b6c453",
        "9c7709f4-6af0-11eb-b045-169be7b6c453",
        "9c771b42-6af0-11eb-b045-169be7b6c453",
        "9c772d44-6af0-11eb-b045-169be7b6c453",
        _VFX_OBJECT_TYPES,
        _ANIMATION_TYPES,
        {"Shot": _LONG, "Episode": _LONG, "Milestone": _SHORT, "Asset Build": _SHORT},
        {"Asset Build": _BUILDS, "Milestone": _ANIMATION_TYPES | {"Deliverable"}},
    ),
    (
        "Model production",
        "05dece3c-40cd-11ed-a028-8e70b81a65da",
        "05ded38c-40cd-11ed-a028-8e70b81a65da",
        "05deda8a-40cd-11ed-a028-8e70b81a65da",
        "05dee0c0-40cd-11ed-a028-8e70b81a65da",
        {"Milestone", "Task", "Folder", "Asset Build"},
        {"Modeling", "Texture"},
        {"Milestone": _SHORT, "Asset Build": _LONG},
        {
            "Asset Build": _BUILDS | {"Furniture", "Concept Art"},
            "Milestone": {"Deliverable"},
        },
    ),
    (
        "Media production",
        "d735496c-bd5b-11eb-8fe6-d6270330280e",
        "d7354f98-bd5b-11eb-8fe6-d6270330280e",
        "d7355858-bd5b-11eb-8fe6-d6270330280e",
        "d7355e70-bd5b-11eb-8fe6-d6270330280e",
        {
            "Milestone",
            "Task",
            "Scene",
            "Folder",
            "Image",
            "Asset Build",
            "Shot",
            "Information",
        },
        _MEDIA_TYPES,
        {
            "Shot": _LONG,
            "Scene": ["Not started", "Ready to start", *_LONG[1:]],
            "Milestone": _SHORT,
            "Asset Build": _SHORT,
        },
        {"Asset Build": _BUILDS, "Milestone": _MEDIA_TYPES},
    ),
]

#: A8: name and id of each type of custom attribute.
CUSTOM_ATTRIBUTE_TYPES = [
    ("text", "6268aef0-381c-11e0-acff-0019bb49847a"),
    ("enumerator", "6ff9c812-ead3-11e2-846c-f23c91dfaa16"),
    ("date", "79968e9e-381c-11e0-acff-0019bb49847a"),
    ("dynamic enumerator", "882e4aee-fae6-11e3-b623-20c9d0831e59"),
    ("number", "92009b00-381c-11e0-acff-0019bb49847a"),
    ("expression", "d2e6a530-357f-11e2-bd73-0019bb4985b8"),
    ("boolean", "ad1034d8-15e2-11e1-b21a-0019bb4983d8"),
    ("url", "ec616dcd-56e2-4147-99f8-7e4a4f040cf9"),
]

#: A9: key, label, what it is on, type, default and id. The id of ``duration`` differs by site.
CUSTOM_ATTRIBUTES = [
    ("fstart", "Frame start", "Shot", "number", 1, "acd86546-4082-11e2-95b1-0019bb4983d8"),
    ("fend", "Frame end", "Shot", "number", 1, "432bc746-4087-11e2-8250-0019bb4983d8"),
    ("handles", "Frame handles", "Shot", "number", 0, "432bdfa6-4087-11e2-8250-0019bb4983d8"),
    ("duration", "Frame duration", "Shot", "expression", "{self.fend - self.fstart + 1}", None),
    ("fps", "fps", "show", "number", 24, "d25219d6-acb5-11e1-8668-f23c91df1211"),
    ("fps", "fps", "Sequence", "number", 25, "d25532e2-acb5-11e1-8668-f23c91df1211"),
    ("fps", "fps", "Shot", "number", 25, "d25907a0-acb5-11e1-8668-f23c91df1211"),
]

#: A10: the entity type and the id of other stock rows.
OTHER_ROWS = [
    ("AssetType", "8f4144e0-a8e6-11e2-9e96-0800200c9a66"),
    ("ListCategory", "77b9ab82-07c2-11e4-ba66-04011030cf01"),
    ("ListCategory", "712f0fee-ead3-11e2-846c-f23c91dfaa16"),
    ("NoteCategory", "42983ba0-53b0-11e4-916c-0800200c9a66"),
    ("UserType", "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"),
]
