"""Texts of errors that programs compare keep the words by which they recognise them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import data, exception
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.attribute import Attribute, Attributes
from ftrack_like.session import Session
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.origin import OriginStructure
from ftrack_like.structure.standard import StandardStructure


class Pipe(data.Data):
    """Data without a position."""

    def read(self, limit: Any = None) -> Any:
        """Return nothing."""

    def write(self, content: Any) -> None:
        """Write nothing."""


def user_of(session: Any) -> Any:
    """Return a user."""
    return session.query("User").first()


def immutable(session: Any) -> Any:
    """Return an empty collection that may not change."""
    found = user_of(session)["assignments"]
    found.mutable = False
    return found


def start_twice(session: Any) -> None:
    """Start the timer of a user who has one."""
    user = user_of(session)
    user.start_timer()
    user.start_timer()


CALLS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "seek": (lambda s: Pipe().seek(0), NotImplementedError, "Seek not supported"),
    "tell": (lambda s: Pipe().tell(), NotImplementedError, "Tell not supported"),
    "one with a limit": (
        lambda s: s.query("Task limit 1").one(),
        ValueError,
        "already contains a limit clause",
    ),
    "first with a limit": (
        lambda s: s.query("Task limit 1").first(),
        ValueError,
        "already contains a limit clause",
    ),
    "one with an offset": (
        lambda s: s.query("Task offset 1").one(),
        ValueError,
        "contains an offset clause",
    ),
    "a key of two values": (
        lambda s: s.get("Task", ["a", "b"]),
        ValueError,
        "Incompatible entity_key",
    ),
    "half a key": (
        lambda s: s.get("Metadata", {"parent_id": "x"}),
        ValueError,
        "Incompatible entity_key",
    ),
    "an unknown type": (
        lambda s: s.create("Nope", {}),
        exception.UnrecognisedEntityTypeError,
        'Entity type "Nope" not recognised',
    ),
    "nothing to ensure": (lambda s: s.ensure("Task", {}), ValueError, "identifying data"),
    "an unknown strategy": (
        lambda s: s.encode({}, entity_attribute_strategy="bad"),
        ValueError,
        'Unsupported entity_attribute_strategy "bad"',
    ),
    "a value that JSON lacks": (
        lambda s: s.encode(object()),
        TypeError,
        "is not JSON serializable",
    ),
    "media of a wrong type": (lambda s: s.encode_media(5), ValueError, "Unable to encode media"),
    "several sources": (
        lambda s: s.get("Location", s.query("Location").first()["id"]).add_components(
            [user_of(s)], [1, 2]
        ),
        ValueError,
        "sources must be either a single source",
    ),
    "a place for a user": (
        lambda s: StandardStructure().get_resource_identifier(user_of(s)),
        NotImplementedError,
        "unsupported entity",
    ),
    "a place by id for a user": (
        lambda s: IdStructure().get_resource_identifier(user_of(s)),
        NotImplementedError,
        "unsupported entity",
    ),
    "no source": (
        lambda s: OriginStructure().get_resource_identifier(None),
        ValueError,
        "no source resource identifier",
    ),
    "a number for a collection": (
        lambda s: user_of(s).__setitem__("assignments", 5),
        NotImplementedError,
        "Cannot convert 5 to collection",
    ),
    "an item of an immutable collection": (
        lambda s: immutable(s).__setitem__(0, None),
        exception.ImmutableCollectionError,
        "Cannot modify value of immutable collection",
    ),
    "no item of an immutable collection": (
        lambda s: immutable(s).__delitem__(0),
        exception.ImmutableCollectionError,
        "Cannot modify value of immutable collection",
    ),
    "statuses of an unknown type": (
        lambda s: s.query("ProjectSchema").first().get_statuses("Nope"),
        ValueError,
        "Schema Nope does not exist",
    ),
    "a second timer": (start_twice, exception.NotUniqueError, "timer is already running"),
    "a hub that is not connected": (
        lambda s: s.event_hub.wait(0),
        exception.EventHubConnectionError,
        "does not have a connection to the event server",
    ),
    "two attributes of one name": (
        lambda s: Attributes([Attribute("a"), Attribute("a")]),
        exception.NotUniqueError,
        "already added as",
    ),
    "no address": (lambda s: Session(), TypeError, 'Required "server_url" not specified'),
}


@pytest.mark.parametrize("name", CALLS)
def test_errors_keep_their_words(session: Any, name: str) -> None:
    """An error text has the words of the published client by which programs tell it."""
    call, kind, words = CALLS[name]
    with pytest.raises(kind) as caught:
        call(session)
    assert words in str(caught.value)


def test_paths_outside_keep_their_words(tmp_path: Path) -> None:
    """An accessor says that a path is outside of the configured prefix."""
    accessor = DiskAccessor(prefix=str(tmp_path))
    with pytest.raises(exception.AccessorFilesystemPathError) as caught:
        accessor.get_filesystem_path("/etc/passwd")
    assert "outside of configured prefix" in str(caught.value)
    with pytest.raises(exception.AccessorParentResourceNotFoundError) as missing:
        accessor.get_container(str(tmp_path))
    assert "outside of configured prefix" in str(missing.value)


def test_a_hub_names_the_unexpected_status(sandbox: Any) -> None:
    """A refused connection names the status code of the answer."""
    from ftrack_like.event.hub import EventHub

    hub = EventHub(sandbox.server_url, "admin", "wrong")
    with pytest.raises(exception.EventHubConnectionError) as caught:
        hub.connect()
    assert "unexpected status code 401" in str(caught.value)
