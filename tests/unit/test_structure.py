"""Structures: where the data of entities belongs."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis.strategies import text

from ftrack_like import exception
from ftrack_like.operation import CreateEntityOperation
from ftrack_like.resource_identifier_transformer.base import ResourceIdentifierTransformer
from ftrack_like.structure.base import Structure
from ftrack_like.structure.entity_id import EntityIdStructure
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.origin import OriginStructure
from ftrack_like.structure.standard import StandardStructure


class _Session:
    """A session that knows projects by id."""

    def __init__(self, *entities):
        self.entities = {entity["id"]: entity for entity in entities}
        self.recorded_operations = []

    def get(self, entity_type, entity_id):
        return self.entities[entity_id]


class _Entity(dict):
    """An entity as far as structures look at it."""

    primary_key_attributes = ("id",)
    session = None

    def __init__(self, entity_type, **values):
        super().__init__(values)
        self.entity_type = entity_type


ID = "f0d2ecab-1234-abcd"


def _component(entity_type="FileComponent", **values):
    return _Entity(
        entity_type,
        **{"id": ID, "name": "Main Comp", "file_type": ".MOV", "container": None, **values},
    )


SEQUENCE = _component("SequenceComponent", id="5e00ecab-9", padding=4)
CONTAINER = _component("ContainerComponent", id="c0n7ecab-9", file_type="")


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (_component(), "f/0/d/2/ecab-1234-abcd.MOV"),
        (_component(file_type=""), "f/0/d/2/ecab-1234-abcd"),
        (_component(file_type=None), "f/0/d/2/ecab-1234-abcd"),
        (SEQUENCE, "5/e/0/0/ecab-9/file.%04d.MOV"),
        (_component("SequenceComponent", padding=0), "f/0/d/2/ecab-1234-abcd/file.%d.MOV"),
        (_component("SequenceComponent", padding=None), "f/0/d/2/ecab-1234-abcd/file.%d.MOV"),
        (_component(name="0012", container=SEQUENCE), "5/e/0/0/ecab-9/file.0012.MOV"),
        (_component(container=CONTAINER), f"c/0/n/7/ecab-9/{ID}.MOV"),
        (CONTAINER, "c/0/n/7/ecab-9"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "some/folder"])
def test_id_structure(component, expected, prefix):
    """Four folders from the id, the rest of it as the name, all under the prefix."""
    if prefix:
        expected = f"{prefix}/{expected}"
    assert IdStructure(prefix=prefix).get_resource_identifier(component) == expected


def test_entity_id_structure():
    """Any entity is placed by its id alone."""
    assert EntityIdStructure().get_resource_identifier(SEQUENCE) == "5e00ecab-9"
    assert EntityIdStructure().get_resource_identifier(_Entity("Task", id="task")) == "task"


def test_origin_structure():
    """Data stays where it comes from, and a missing source is an error."""
    structure = OriginStructure()
    context = {"source_resource_identifier": "/some/file.mov"}
    assert structure.get_resource_identifier(SEQUENCE, context) == "/some/file.mov"
    for nothing in (None, {}, {"source_resource_identifier": None}):
        with pytest.raises(ValueError, match="source_resource_identifier"):
            structure.get_resource_identifier(SEQUENCE, nothing)


def _version(*contexts, number=7):
    """Return a version of an asset under *contexts* of a project."""
    link = [{"type": "Project", "id": "project", "name": "Full name"}]
    link += [{"type": "TypedContext", "id": name, "name": name} for name in contexts]
    link.append({"type": "AssetVersion", "id": "version", "name": "My Asset v7"})
    version = _Entity("AssetVersion", id="version", version=number, link=link)
    version["asset"] = _Entity("Asset", id="asset", name="My Asset")
    version.session = _Session(_Entity("Project", id="project", name="My Project"))
    return version


def _published(entity_type="FileComponent", version=None, **values):
    component = _component(entity_type, version=version, **values)
    component.session = version.session if version else None
    return component


BASE = "my_project/seq_1/shot-10/my_asset/v007"
VERSION = _version("Seq 1", "Shot-10")
IN_SEQUENCE = _published("SequenceComponent", VERSION, padding=3)
IN_CONTAINER = _published("ContainerComponent", VERSION, file_type="", name="Maps")


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (_published(version=VERSION), "main_comp.mov"),
        (_published(version=VERSION, file_type=""), "main_comp"),
        (_published(version=VERSION, file_type=None), "main_comp"),
        (_published(version=VERSION, name="a/b\\c"), "a_b_c.mov"),
        (IN_SEQUENCE, "main_comp.%03d.mov"),
        (_published(name="012", container=IN_SEQUENCE), "main_comp.012.mov"),
        (IN_CONTAINER, "maps"),
        (_published(container=IN_CONTAINER), "maps/main_comp.mov"),
        (_published(version=VERSION, container=IN_CONTAINER), "maps/main_comp.mov"),
    ],
)
def test_standard_structure(component, expected):
    """The names from the project to the version, then those of the component."""
    assert StandardStructure().get_resource_identifier(component) == f"{BASE}/{expected}"


@pytest.mark.parametrize(
    ("prefix", "contexts", "expected"),
    [
        (None, (), "my_project/my_asset/v007"),
        ("Project Files", (), "my_project/project_files/my_asset/v007"),
        ("Project Files", ("Shot",), "my_project/shot/my_asset/v007"),
    ],
)
def test_versions_of_the_project_itself(prefix, contexts, expected):
    """A prefix keeps the assets of the project apart from its sequences and shots."""
    structure = StandardStructure(project_versions_prefix=prefix)
    component = _published(version=_version(*contexts))
    assert structure.get_resource_identifier(component) == f"{expected}/main_comp.mov"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain-name_1.2", "plain-name_1.2"),
        ("With Blank", "with_blank"),
        ("a/b\\c:d*e?f\tg", "a_b_c_d_e_f_g"),
        ("Äußerst é", "auerst_e"),
        ("½ ﬁ", "12_fi"),
        ("", ""),
        (5, "5"),
        (None, "none"),
    ],
)
def test_names_are_made_safe(value, expected):
    """Accents and capitals go; what may give trouble is substituted."""
    assert StandardStructure().sanitise_for_filesystem(value) == expected


#: Names of which no ASCII letter or digit is left, and how their results begin.
LOST = {
    "\u6771\u4eac": "u6771_u4eac-",
    "\u5927\u962a": "u5927_u962a-",
    "\u30b7\u30e7\u30c3\u30c8": "siyotuto-",
    "\u3057\u3087\u3063\u3068": "siyotuto-",
    "\ud55c\uad6d": "hangug-",
    "\u0421\u044a\u0451\u043c\u043a\u0430": "syomka-",
    "\u0441\u044a\u0451\u043c\u043a\u0430": "syomka-",
    "\u03a3\u03ba\u03b7\u03bd\u03ae": "skini-",
    "\u304c": "ga-",
    "\u304b\u3099": "ka-",
    "\U0001f3ac": "u1f3ac-",
    "\U0001f3a5": "u1f3a5-",
    "\U0001f469\u200d\U0001f680": "u1f469_u1f680-",
    "\U0001f469\U0001f680": "u1f469_u1f680-",
    "!": "exclamation_mark-",
    "?!": "question_mark_exclamation_mark-",
    "/": "solidus-",
    ".": "full_stop-",
    "..": "full_stop_full_stop-",
    "\u0301": "",
    "\u0300": "",
    "\u200d": "",
    " ": "",
    "  ": "",
    "\u4e2d" * 50: "u4e2d_u4e2d_",
    "\u4e2d" * 51: "u4e2d_u4e2d_",
    "\ud800": "ud800-",
}


def test_names_of_which_nothing_is_left_differ():
    """A name in another script, in emoji or in signs alone gets a readable result of its own."""
    made = {name: StandardStructure().sanitise_for_filesystem(name) for name in LOST}
    for name, begin in LOST.items():
        assert made[name].startswith(begin), ascii(name)
        assert re.fullmatch(r"[a-z0-9_-]{10,60}", made[name])
    assert len(set(made.values())) == len(LOST)


def published_result(name):
    """Return what names became before those of other scripts were spelt."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^\w.-]", "_", plain).strip().lower()


@given(text(), text())
def test_names_that_survive_keep_their_result(first, second):
    """A name with a letter or digit left is as before; others share no result with any name."""
    sanitise = StandardStructure().sanitise_for_filesystem
    before = published_result(first)
    if re.search("[a-z0-9]", before):
        assert sanitise(first) == before
    elif first and not re.fullmatch(r"[_-]+", first):
        assert re.fullmatch(r"[a-z0-9_-]{10,}", sanitise(first))
        assert first == second or sanitise(first) != sanitise(second)


def test_results_do_not_depend_on_the_system():
    """The result for a name is the same on every machine and with every Python."""
    made = StandardStructure().sanitise_for_filesystem("\u30b7\u30e7\u30c3\u30c8")
    assert made == "siyotuto-c1e7e14c85"


def test_file_types_of_other_scripts_keep_their_dot():
    """A file type is spelt behind its dot."""
    component = _published(version=VERSION, file_type=".\u304c", name="\u304c")
    path = StandardStructure().get_resource_identifier(component)
    assert path == f"{BASE}/ga-e3b21956ce.ga-e3b21956ce"


def test_versions_of_shots_in_japanese_lie_apart():
    """Two shots whose names have no ASCII character publish to two places."""
    paths = {
        StandardStructure().get_resource_identifier(_published(version=_version(name)))
        for name in ("\u6771\u4eac", "\u5927\u962a", "\U0001f3ac", "!!!", "???")
    }
    assert len(paths) == 5


def test_substitute_may_be_chosen():
    """Any text substitutes, even one with a meaning in expressions; None keeps names."""
    named = StandardStructure(illegal_character_substitute="\\1-")
    assert named.sanitise_for_filesystem("A b") == "a\\1-b"
    assert StandardStructure(None, "").sanitise_for_filesystem("A b") == "ab"
    for substitute in ("", "x"):
        made = StandardStructure(None, substitute).sanitise_for_filesystem("!")
        assert made == "exclamation_mark-bb7208bc9b"
    assert StandardStructure(None, None).sanitise_for_filesystem("Ä /b") == "Ä /b"


def test_standard_structure_needs_a_version_on_the_server():
    """No version, or one without a number yet, is an error that says what to do."""
    structure = StandardStructure()
    with pytest.raises(exception.StructureError, match="attached to a committed version"):
        structure.get_resource_identifier(_published())
    component = _published(version=_version("Shot"))
    version = component["version"]
    version.session.recorded_operations.append(
        CreateEntityOperation("AssetVersion", {"id": "version"}, {})
    )
    with pytest.raises(exception.StructureError, match="commit first"):
        structure.get_resource_identifier(component)


@pytest.mark.parametrize("structure", [IdStructure(), StandardStructure()])
def test_other_entities_have_no_place(structure):
    """Only components have data."""
    with pytest.raises(NotImplementedError, match="Task"):
        structure.get_resource_identifier(_Entity("Task", id="task", name="Task"))


def test_structures_can_be_changed_in_parts():
    """Studios override the parts of the path, the frames, or the safe names."""

    class Flat(StandardStructure):
        def _get_parts(self, entity):
            return ["flat"]

        def _get_sequence_expression(self, sequence):
            return "####"

        def sanitise_for_filesystem(self, value):
            return value.upper()

    assert Flat().get_resource_identifier(IN_SEQUENCE) == "flat/MAIN COMP.####.MOV"
    separated = Flat()
    separated.path_separator = "\\"
    assert separated.get_resource_identifier(IN_CONTAINER) == "flat\\MAPS"
    with pytest.raises(TypeError):
        Structure()


def test_transformer_changes_nothing():
    """The base transformer hands identifiers on, in both directions."""
    transformer = ResourceIdentifierTransformer("session")
    assert transformer.session == "session"
    assert transformer.encode("a") == transformer.decode("a", context={}) == "a"
