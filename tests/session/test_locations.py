"""Locations: what is where, and how data gets there, whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys

import pytest

import ftrack_like
from ftrack_like import exception, symbol
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.data import Data
from ftrack_like.entity.location import Location
from ftrack_like.resource_identifier_transformer.base import ResourceIdentifierTransformer
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.standard import StandardStructure


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


@pytest.fixture
def make_location(session, tmp_path):
    """Make a location on disk."""

    def make(name, priority=50):
        location = session.create("Location", {"name": name})
        session.commit()
        folder = tmp_path / f"location-{name}"
        folder.mkdir()
        location.accessor = DiskAccessor(str(folder))
        location.structure = IdStructure()
        location.priority = priority
        return location

    return make


@pytest.fixture
def one(make_location):
    """A location on disk."""
    return make_location("one")


@pytest.fixture
def other(make_location):
    """Another location on disk, which comes after most."""
    return make_location("other", priority=200)


@pytest.fixture
def file(session, tmp_path):
    """A new file component, known to the origin location only."""
    (tmp_path / "source.mov").write_bytes(b"content")
    return session.create_component(str(tmp_path / "source.mov"), location=None)


@pytest.fixture
def sequence(session, tmp_path):
    """A new sequence of four files, known to the origin location only."""
    for number in range(1, 5):
        (tmp_path / f"frame.{number:04d}.exr").write_bytes(b"frame")
    return session.create_component(str(tmp_path / "frame.%04d.exr [1-4]"), location=None)


@pytest.fixture
def published(session):
    """The events about locations that are published in this test."""
    events = []
    publish = session.event_hub.publish

    def record(event, *arguments, **options):
        if event["topic"].startswith("ftrack.location"):
            data = event["data"]
            events.append((event["topic"], data["component_id"], data["location_id"], options))
        return publish(event, *arguments, **options)

    session.event_hub.publish = record
    return events


def _stored(location):
    """Return the files that lie in a location on disk, sorted."""
    found = []
    for folder, _, names in os.walk(location.accessor.prefix):
        found += [os.path.join(folder, name) for name in names]
    return sorted(found)


# The built-in locations


def test_built_in_locations(session):
    """Every session configures four locations, by priority."""
    found = [(each.priority, each["name"]) for each in session._get_locations()]
    assert found == [
        (90, "ftrack.unmanaged"),
        (100, "ftrack.origin"),
        (110, "ftrack.review"),
        (150, "ftrack.server"),
    ]
    everything = session._get_locations(filter_inaccessible=False)
    assert {each["name"] for each in everything} > {"ftrack.connect"}
    assert str(everything[0]) == (
        f'<UnmanagedLocation("ftrack.unmanaged", {symbol.UNMANAGED_LOCATION_ID})>'
    )


def test_configuring_again_is_harmless(session):
    """The same objects stay, with the same classes."""
    before = {each["id"]: (each, type(each)) for each in session._get_locations()}
    session._configure_locations()
    assert {each["id"]: (each, type(each)) for each in session._get_locations()} == before


def test_plugins_are_asked_to_configure(sandbox, tmp_path):
    """A plugin gets the session, whose built-in locations stand."""
    (tmp_path / "plugin.py").write_text(
        "def register(session):\n"
        "    def configure(event):\n"
        "        session = event['data']['session']\n"
        "        session.get('Location', '" + symbol.REVIEW_LOCATION_ID + "').priority = 1\n"
        "    session.event_hub.subscribe(\n"
        "        'topic=ftrack.api.session.configure-location', configure)\n"
    )
    with sandbox.session(plugin_paths=[str(tmp_path)]) as session:
        assert session.pick_location()["name"] == "ftrack.review"


def test_locations_are_created_through_the_session(sandbox):
    """A session class may take part in making its locations."""
    made = []

    class Session(ftrack_like.Session):
        def create(self, entity_type, data=None, reconstructing=False):
            made.append((entity_type, data["name"], reconstructing))
            return super().create(entity_type, data, reconstructing)

    Session(
        server_url=sandbox.server_url, api_key=sandbox.api_key, api_user=sandbox.api_user
    ).close()
    assert made[0] == ("Location", "ftrack.origin", True)
    assert len(made) == 4


def test_new_location(session):
    """A location that nobody configured can do nothing yet."""
    location = session.create("Location", {"name": "new"})
    assert location.accessor is location.structure is symbol.NOT_SET
    assert location.resource_identifier_transformer is symbol.NOT_SET
    assert location.priority == 95
    assert str(location) == f'<Location("new", {location["id"]})>'


def test_text_of_a_location_asks_nobody(session):
    """A location whose name is not loaded is shown without it."""
    location_id = symbol.CONNECT_LOCATION_ID
    location = session.query(f'select id from Location where id is "{location_id}"').one()
    before = session.statistics.requests
    assert str(location) == f"<Location({location_id})>"
    assert session.statistics.requests == before


# Adding


def test_file_is_added(session, one, origin, file, published):
    """The data is copied, the place registered, an event published."""
    one.add_component(file, origin)
    path = one.get_filesystem_path(file)
    assert path.startswith(one.accessor.prefix)
    assert path == os.path.join(one.accessor.prefix, one.get_resource_identifier(file))
    with open(path, "rb") as stored:
        assert stored.read() == b"content"
    assert one.get_component_availability(file) == 100.0
    assert published == [
        ("ftrack.location.component-added", file["id"], one["id"], {"on_error": "ignore"})
    ]
    assert not session.recorded_operations
    entry = session.query(
        f'select resource_identifier from ComponentLocation where component_id is "{file["id"]}"'
    ).one()
    assert entry["resource_identifier"] == one.get_resource_identifier(file)


def test_sequence_is_added_with_its_members(session, one, other, origin, sequence, published):
    """Members come before their container; from there the sequence can be copied on."""
    one.add_component(sequence, origin)
    assert len(_stored(one)) == 4
    members = list(sequence["members"])
    assert [event[1] for event in published] == [each["id"] for each in [*members, sequence]]
    other.add_component(sequence, one)
    assert other.get_component_availability(sequence) == 100.0
    assert [os.path.basename(path) for path in other.get_filesystem_paths(members)] == [
        f"file.{number:04d}.exr" for number in range(1, 5)
    ]
    assert other.get_filesystem_path(sequence).endswith("file.%04d.exr")


def test_container_alone(one, origin, sequence):
    """Without its members a sequence is registered, and nothing of it is there."""
    one.add_component(sequence, origin, recursive=False)
    assert one.get_resource_identifier(sequence)
    assert _stored(one) == []
    assert one.get_component_availability(sequence) == 0.0


def test_containers_in_containers(session, one, origin, file, sequence):
    """All that is in a container goes with it."""
    container = session.create("ContainerComponent", {"name": "delivery"})
    container["members"] = [file, sequence]
    one.add_component(container, origin)
    assert len(_stored(one)) == 5
    one.remove_component(sequence["members"][0])
    assert one.get_component_availability(sequence) == 75.0
    assert one.get_component_availability(container) == 87.5


def test_empty_container(session, one, other, origin):
    """A container without members is where it is registered."""
    container = session.create("ContainerComponent", {"name": "empty"})
    one.add_component(container, origin)
    assert one.get_component_availability(container) == 100.0
    assert other.get_component_availability(container) == 0.0


def test_several_components(session, one, other, origin, file, sequence):
    """One source for all, or one for each; another number of them is an error."""
    one.add_components([file], origin)
    one.add_components([sequence], [origin])
    other.add_components([sequence, file], [one, origin])
    assert other.get_component_availabilities([file, sequence]) == [100.0, 100.0]
    with pytest.raises(ValueError, match="3 sources for 2 components"):
        other.add_components([sequence, file], [one, one, origin])


def test_component_that_is_there_already(session, one, origin, file, sequence):
    """Adding again is an error of its own; a container some of whose members are there is not."""
    one.add_components([file, sequence], origin)
    with pytest.raises(exception.ComponentInLocationError, match=str(file["id"])):
        one.add_component(file, origin)
    one.remove_component(sequence, recursive=False)
    with pytest.raises(exception.LocationError, match="already exist") as caught:
        one.add_component(sequence, origin)
    assert not isinstance(caught.value, exception.ComponentInLocationError)
    one.add_component(sequence, origin, recursive=False)


def test_component_that_is_not_in_the_source(one, other, file):
    """The error names the component and both locations' trouble."""
    with pytest.raises(exception.LocationError, match="not found in location"):
        one.add_component(file, other)


def test_data_is_not_overwritten(session, one, origin, file):
    """What lies at the place already is somebody's; it stays."""
    path = one.accessor.get_filesystem_path(one.structure.get_resource_identifier(file))
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as existing:
        existing.write("other")
    with pytest.raises(exception.LocationError, match="not overwritten"):
        one.add_component(file, origin)
    with open(path) as existing:
        assert existing.read() == "other"


def test_missing_parts_of_a_location_are_named(session, one, origin, file):
    """No structure, no accessor: the error says which and where."""
    bare = session.create("Location", {"name": "bare"})
    with pytest.raises(exception.LocationError, match=r'No structure defined .*"bare"'):
        bare.add_component(file, origin)
    bare.structure = IdStructure()
    with pytest.raises(exception.LocationError, match=r'No accessor .* target location .*"bare"'):
        bare.add_component(file, origin)
    one.add_component(file, origin)
    one.accessor = symbol.NOT_SET
    with pytest.raises(exception.LocationError, match=r'No accessor defined for location .*"one"'):
        one.get_filesystem_path(file)
    with pytest.raises(exception.LocationError, match="No accessor"):
        one.get_url(file)


def test_structure_error_is_told(session, one, origin, file):
    """What a structure cannot place is not added."""
    one.structure = StandardStructure()
    with pytest.raises(exception.LocationError, match="attached to a committed version") as caught:
        one.add_component(file, origin)
    assert isinstance(caught.value.__cause__, exception.StructureError)


def test_unmanaged_location_leaves_data_alone(session, origin, file, tmp_path):
    """It registers where data is, and removes no more than that."""
    unmanaged = session.get("Location", symbol.UNMANAGED_LOCATION_ID)
    unmanaged.add_component(file, origin)
    assert unmanaged.get_filesystem_path(file) == str(tmp_path / "source.mov")
    unmanaged.remove_component(file)
    assert (tmp_path / "source.mov").exists()
    assert unmanaged.get_component_availability(file) == 0.0


def test_origin_forgets_on_removal(session, origin, file):
    """The origin location is kept in memory only."""
    assert origin.get_component_availability(file) == 0.0
    origin.remove_component(file)
    with pytest.raises(exception.ComponentNotInLocationError):
        origin.get_resource_identifier(file)
    origin.add_component(file, "/elsewhere/file.mov")
    assert origin.get_filesystem_path(file) == "/elsewhere/file.mov"


def test_url_needs_an_accessor_that_has_one(one, origin, file):
    """Files on disk have no address."""
    one.add_component(file, origin)
    with pytest.raises(exception.AccessorUnsupportedOperationError, match="get_url"):
        one.get_url(file)


def test_transformer_encodes_what_the_server_stores(session, one, origin, file):
    """The server sees the encoded place, the accessor the decoded one, with the component."""
    contexts = []

    class Shift(ResourceIdentifierTransformer):
        def encode(self, resource_identifier, context=None):
            contexts.append(context)
            return f"mount:{resource_identifier}"

        def decode(self, resource_identifier, context=None):
            contexts.append(context)
            return resource_identifier[len("mount:") :]

    one.resource_identifier_transformer = Shift(session)
    one.add_component(file, origin)
    assert os.path.exists(one.get_filesystem_path(file))
    assert contexts == [{"component": file}] * 2
    entry = session.query("select resource_identifier from ComponentLocation").one()
    assert entry["resource_identifier"].startswith("mount:")
    one.remove_component(file)
    assert _stored(one) == []


# Removing


def test_removing(session, one, origin, file, sequence, published):
    """Data and registration go, events are published, and again is an error."""
    one.add_components([file, sequence], origin)
    del published[:]
    one.remove_components([file, sequence])
    assert _stored(one) == []
    assert {event[0] for event in published} == {"ftrack.location.component-removed"}
    assert len(published) == 6
    assert one.get_component_availabilities([file, sequence]) == [0.0, 0.0]
    with pytest.raises(exception.ComponentNotInLocationError, match="not found in location"):
        one.remove_component(file)


def test_removing_what_is_not_whole_touches_nothing(session, one, origin, sequence):
    """A member that is missing is told before anything is removed."""
    one.add_component(sequence, origin)
    one.remove_component(sequence["members"][0])
    with pytest.raises(exception.ComponentNotInLocationError):
        one.remove_component(sequence)
    assert len(_stored(one)) == 3
    assert one.get_component_availability(sequence) == 75.0


def test_removal_that_fails_halfway(session, one, origin, sequence):
    """A component whose data is gone is not registered; the others are, and can be removed."""
    one.add_component(sequence, origin)
    third = one.get_filesystem_path(sequence["members"][2])
    os.rename(third, f"{third}.away")
    with pytest.raises(exception.AccessorResourceNotFoundError):
        one.remove_component(sequence)
    found = one.get_component_availabilities(sequence["members"])
    assert found[:3] == [0.0, 0.0, 100.0]
    os.rename(f"{third}.away", third)
    left = [member for member, share in zip(sequence["members"], found) if share]
    assert len(_stored(one)) == len(left)  # Another thread may have removed the last file.
    one.remove_components(left)
    with contextlib.suppress(exception.ComponentNotInLocationError):  # Likewise.
        one.remove_component(sequence, recursive=False)
    assert _stored(one) == []


# Looking


def test_availabilities(session, one, other, origin, file, sequence):
    """All locations, or those asked for; a part of a sequence counts as a part."""
    one.add_components([file, sequence], origin)
    other.add_component(sequence["members"][0], one)
    everywhere = file.get_availability()
    assert everywhere[one["id"]] == 100.0
    assert everywhere[symbol.ORIGIN_LOCATION_ID] == 0.0
    assert len(everywhere) == session.query("Location").all().__len__()
    assert session.get_component_availabilities([file, sequence], [one, other]) == [
        {one["id"]: 100.0, other["id"]: 0.0},
        {one["id"]: 100.0, other["id"]: 25.0},
    ]
    assert session.get_component_availabilities([], [one]) == []


def test_availability_follows_other_sessions(sandbox, session, one, origin, file):
    """The server is asked each time."""
    one.add_component(file, origin)
    with sandbox.session() as elsewhere:
        location = elsewhere.get("Location", one["id"])
        location.accessor, location.structure = one.accessor, one.structure
        location.remove_component(elsewhere.get("FileComponent", file["id"]))
    assert one.get_component_availability(file) == 0.0


def test_picking(session, one, other, origin, file, sequence):
    """The first location by priority that holds a part of the component."""
    assert session.pick_location() is one
    other.add_components([file, sequence], origin)
    one.add_component(sequence["members"][0], origin)
    nowhere = session.create("FileComponent", {"name": "nowhere"})
    session.commit()
    assert session.pick_locations([file, sequence, nowhere]) == [other, one, None]
    assert session.pick_location(file) is other
    assert session.pick_location(nowhere) is None
    one.accessor = symbol.NOT_SET
    assert session.pick_location(sequence) is other


def test_few_requests_for_many_components(sandbox, session, one, other, origin, tmp_path):
    """Adding, copying, asking and removing take as many requests for a thousand as for four."""
    counts = []
    for length in (4, 1000):
        (tmp_path / str(length)).mkdir()
        for number in range(length):
            (tmp_path / str(length) / f"f.{number:04d}.exr").write_bytes(b"x")
        path = tmp_path / str(length) / f"f.%04d.exr [0-{length - 1}]"
        component = session.create_component(str(path), location=None)
        before = session.statistics.requests
        one.add_component(component, origin)
        added = session.statistics.requests
        other.add_component(component, one)
        copied = session.statistics.requests
        assert one.get_component_availability(component) == 100.0
        asked = session.statistics.requests
        other.remove_component(component)
        removed = session.statistics.requests
        counts.append((added - before, copied - added, asked - copied, removed - asked))
    # A new component: registration only. A known one: what is in the target and what is in the
    # source come first. Removing: members and places.
    assert counts[1][0] == 1
    assert counts[1][1] == 3
    assert counts[1][2] <= 3
    assert counts[1][3] <= 4
    assert counts[0][:2] == counts[1][:2]
    with sandbox.session() as another:
        place = another.get("Location", other["id"])
        place.accessor, place.structure = other.accessor, other.structure
        source = another.get("Location", one["id"])
        source.accessor, source.structure = one.accessor, one.structure
        found = another.get("SequenceComponent", component["id"])
        before = another.statistics.requests
        place.add_component(found, source)
        assert another.statistics.requests - before <= 5
    assert other.get_component_availability(component) == 100.0


# What subclasses and mixins replace


def test_replaced_methods_are_used(session, one, origin, file, sequence):
    """A mixin may change how data is added, registered, removed and deregistered."""
    calls = []

    class Recording(Location):
        def _get_context(self, component, source):
            context = super()._get_context(component, source)
            calls.append(("context", sorted(context)))
            return context

        def _add_data(self, component, resource_identifier, source):
            calls.append(("add", component.entity_type))
            super()._add_data(component, resource_identifier, source)

        def _register_components_in_location(self, components, resource_identifiers):
            calls.append(("register", len(components), len(resource_identifiers)))
            super()._register_components_in_location(components, resource_identifiers)

        def _remove_data(self, component):
            calls.append(("remove", component.entity_type))
            super()._remove_data(component)

        def _deregister_component_in_location(self, component):
            calls.append(("deregister", component.entity_type))
            super()._deregister_component_in_location(component)

    one.__class__ = type("Recording", (Recording, type(one)), {})
    one.add_component(file, origin)
    one.remove_component(file)
    assert calls == [
        ("context", ["source_resource_identifier"]),
        ("add", "FileComponent"),
        ("register", 1, 1),
        ("remove", "FileComponent"),
        ("deregister", "FileComponent"),
    ]
    assert one.get_component_availability(file) == 0.0


def test_overridden_place_in_the_source_is_used(session, one, other, origin, file, tmp_path):
    """A source that says otherwise where data is gets its way."""
    one.add_component(file, origin)
    (tmp_path / "elsewhere").write_bytes(b"elsewhere")
    one.accessor = DiskAccessor("")
    one.get_resource_identifier = lambda component: str(tmp_path / "elsewhere")
    other.add_component(file, one)
    with open(other.get_filesystem_path(file), "rb") as stored:
        assert stored.read() == b"elsewhere"


# When things go wrong


def test_failed_transfer_leaves_nothing_and_can_be_repeated(session, one, origin, sequence):
    """The third file of four cannot be read: the first two are removed again."""
    third = origin.get_filesystem_path(sequence["members"][2])
    os.rename(third, f"{third}.away")
    with pytest.raises(exception.LocationError, match="Failed to transfer") as caught:
        one.add_component(sequence, origin)
    assert isinstance(caught.value.__cause__, exception.AccessorResourceNotFoundError)
    assert _stored(one) == []
    os.rename(f"{third}.away", third)
    one.add_component(sequence, origin)
    assert one.get_component_availability(sequence) == 100.0


def test_refused_registration_removes_the_data(session, one, origin, file):
    """What the server does not register is not left lying about, nor sent by a later commit."""
    session.commit()
    session.create("Timer", {"user_id": "nobody"})
    with pytest.raises(exception.LocationError, match="Failed to register") as caught:
        one.add_component(file, origin)
    assert isinstance(caught.value.__cause__, exception.ServerError)
    assert _stored(one) == []
    session.rollback()
    assert one.get_component_availability(file) == 0.0
    one.add_component(file, origin)
    assert one.get_component_availability(file) == 100.0


def test_registrations_of_a_failed_try_are_not_sent_later(session, one, origin, file):
    """The operations of the caller stay recorded, those of the failed try do not count."""
    commit, failures = session.commit, []

    def refuse():
        failures.append(len(session.recorded_operations))
        raise exception.ServerError("refused")

    session.commit = refuse
    with pytest.raises(exception.LocationError, match="refused"):
        one.add_component(file, origin)
    session.commit = commit
    session.commit()
    assert failures
    assert session.get("FileComponent", file["id"]) is file
    assert one.get_component_availability(file) == 0.0
    assert _stored(one) == []


def test_data_stays_when_the_registration_may_have_arrived(session, one, origin, file):
    """With the answer lost nobody knows: the error says so, and the data is kept."""

    def lose():
        raise exception.ServerConnectionError("lost")

    session.commit = lose
    with pytest.raises(exception.LocationError, match="their data is kept"):
        one.add_component(file, origin)
    assert len(_stored(one)) == 1


def test_data_that_cannot_be_removed_again_is_told(session, one, origin, sequence, caplog):
    """The first error is raised, what stays behind is logged."""

    class Stubborn(DiskAccessor):
        def remove(self, resource_identifier):
            raise exception.AccessorPermissionDeniedError(
                "remove", resource_identifier=resource_identifier
            )

    one.accessor = Stubborn(one.accessor.prefix)
    third = origin.get_filesystem_path(sequence["members"][2])
    os.remove(third)
    with caplog.at_level(logging.WARNING), pytest.raises(exception.LocationError):
        one.add_component(sequence, origin)
    stayed = [text for text in caplog.messages if "Could not remove data" in text]
    assert len(stayed) == 2


def test_wrong_size_of_a_component_does_not_matter(session, one, origin, file):
    """A transfer is compared with its own length, never with what the component claims."""
    file["size"] = 1
    one.add_component(file, origin)
    assert one.get_component_availability(file) == 100.0


def test_source_that_ends_early_is_noticed(session, one, other, origin, file):
    """A source that gives less than it held when the copy began is no whole file."""

    class Short(DiskAccessor):
        def open(self, resource_identifier, mode="rb"):
            opened = super().open(resource_identifier, mode)
            read = opened.read
            opened.read = lambda limit=None: read(3) if opened.tell() == 0 else b""
            return opened

    one.add_component(file, origin)
    one.accessor = Short(one.accessor.prefix)
    with pytest.raises(exception.LocationError, match="7 bytes were expected, but 3 arrived"):
        other.add_component(file, one)
    assert _stored(other) == []


PUBLISH_UNTIL_KILLED = """
import sys
import ftrack_like
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.data import Data
from ftrack_like.structure.id import IdStructure

url, user, key, component_id, location_id, prefix, origin_id = sys.argv[1:]

class Endless(Data):
    def read(self, limit=None):
        print("block", flush=True)
        return b"x" * limit
    def write(self, content): pass

class Source(DiskAccessor):
    def open(self, resource_identifier, mode="rb"):
        return Endless()

session = ftrack_like.Session(url, key, user, schema_cache_path=False)
component = session.get("FileComponent", component_id)
origin = session.get("Location", origin_id)
origin.add_component(component, "/source.mov")
origin.accessor = Source("")
location = session.get("Location", location_id)
location.accessor = DiskAccessor(prefix)
location.structure = IdStructure()
location.add_component(component, origin)
""".replace("ORIGIN", symbol.ORIGIN_LOCATION_ID)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_publish_can_be_repeated(sandbox, session, one, origin, file):
    """After a kill in the middle no file has its name; the next try works and cleans up."""
    session.commit()
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", PUBLISH_UNTIL_KILLED, sandbox.server_url, sandbox.api_user),
            *(sandbox.api_key, file["id"], one["id"], one.accessor.prefix, origin["id"]),
        ],
        stdout=subprocess.PIPE,
    )
    for _ in range(3):
        assert process.stdout.readline() == b"block\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [os.path.basename(path)[-12:] for path in _stored(one)] == [".ftrack-part"]
    assert one.get_component_availability(file) == 0.0
    one.add_component(file, origin)
    assert [os.path.basename(path)[-4:] for path in _stored(one)] == [".mov"]
    with open(one.get_filesystem_path(file), "rb") as stored:
        assert stored.read() == b"content"


class _Counting(Data):
    """A source of some megabytes that notes how much it gave at once."""

    def __init__(self):
        super().__init__()
        self.left = 20
        self.largest = 0

    def read(self, limit=None):
        if not self.left:
            return b""
        self.left -= 1
        self.largest = max(self.largest, limit)
        return b"x" * limit

    def write(self, content):
        raise NotImplementedError


def test_copies_hold_one_chunk_at_a_time(one):
    """A file of any length is copied in bounded memory."""
    source = _Counting()
    assert one.accessor.receive("large", source) == 20 * symbol.CHUNK_SIZE
    assert source.largest == symbol.CHUNK_SIZE
