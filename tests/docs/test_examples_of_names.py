"""Every public name has an example: a reader who searches for it finds code that uses it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

DOCS = Path(__file__).resolve().parents[2] / "docs"
MODULE = re.compile(r"^\.\. automodule:: (\S+)$", re.MULTILINE)
CODE = re.compile(
    r"^( *)\.\. code-block:: (?:python|console|sh)\n((?:\1 +.*\n|\s*\n)+)", re.MULTILINE
)

#: Classes whose methods have an example each: objects that programs hold all the time.
HELD = (
    "ftrack_like.session.Session",
    "ftrack_like.session.PendingChanges",
    "ftrack_like.aio.AsyncSession",
    "ftrack_like.query.QueryResult",
    "ftrack_like.query.builder.AttributePath",
    "ftrack_like.entity.user.User",
    "ftrack_like.entity.location.Location",
    "ftrack_like.event.hub.EventHub",
    "ftrack_like.testing.EventRecorder",
    "ftrack_like.testing.ProjectFactory",
)

#: Classes that programs get from an expression of an example, and do not name.
GOT = {
    "AssertPublished": "assert_published(",
    "AssertRequests": "assert_requests(",
    "AsyncEntity": "await session.query(",
    "AsyncEvents": "session.events(",
    "AsyncQuery": "session.query(",
    "AsyncSelection": "session.select(",
    "AttributePath": "attr.",
    "BuiltQuery": "session.select(",
    "CommitReport": "on_commit",
    "CreateNoteMixin": ".create_note(",
    "CreateThumbnailMixin": ".create_thumbnail(",
    "Discovery": "plugin.discover(",
    "EventHub": "session.event_hub",
    "EventRecorder": "ftrack_events",
    "Observation": "on_request",
    "PendingChanges": "session.pending()",
    "ProjectFactory": "ftrack_project",
    "Publication": "publish_reviewable(",
    "QueryCondition": ".where(",
    "QueryResult": "session.query(",
    "RequestReport": "on_request",
    "SandboxServer": "Sandbox(",
    "ServerFile": "accessor.open(",
    "ServerLocationMixin": "ftrack.server",
    "OriginLocationMixin": "ftrack.origin",
    "UnmanagedLocationMixin": "symbol.UNMANAGED_LOCATION_ID",
    "AutoPopulatingContext": "auto_populating(",
    "OperationRecordingContext": "operation_recording(",
    "Ordering": ".order_by(",
    "Subscriber": ".subscribe(",
}

#: Names without an example, by the reason.
WITHOUT = {
    "a type for annotations, which no program calls": {
        "Aggregate",
        "AnyEntity",
        "Callback",
        "Condition",
        "Edits",
        "EventData",
        "Expression",
        "OperationPayload",
        "PlannedChange",
        "ServerDetails",
        "SocketIoSession",
    },
    "a base class of classes that have an example": {
        "AbstractCollectionAttribute",
        "All",
        "Any",
        "Attribute",
        "CustomAttributeCollectionAttribute",
        "CustomAttributeCollectionProxy",
        "DynamicEntityTypeMetaclass",
        "Factory",
        "KeyValueMappedCollectionAttribute",
        "MemoryLocationMixin",
        "Operation",
        "Operations",
        "PerSessionDefaultKeyMaker",
    },
    "its arguments come from the client: an object of an action": {
        "Selected",
        "Selection",
        "check_items",
    },
    "a value that programs only read": {
        "BUFFER_LIMIT",
        "CONNECT_LOCATION_ID",
        "JOB_SYNC_USERS_LDAP",
        "PLAIN",
        "PROFILES",
        "QUEUE_LIMIT",
        "REQUEST_LOGGER",
    },
    "an object that an example gets, and does not name": {"Frozen"},
    "a step of the client, which its modules share": {
        "level_in_use",
        "Pages",
        "QueryRequests",
        "RowPage",
        "Wording",
        "availabilities",
        "bind",
        "bind_pieces",
        "check_progress",
        "check_size",
        "chunked",
        "count_expression",
        "deprecation_warning",
        "error_handler",
        "find_all",
        "find_media",
        "finds_entities",
        "identity_text",
        "line_with_caret",
        "listed",
        "load_first_pages",
        "load_source",
        "logger",
        "measured_size",
        "memoise",
        "memoise_defaults",
        "memoise_session",
        "merge_references",
        "projections_of",
        "pytest_addoption",
        "pytest_configure",
        "pytest_runtest_call",
        "pytest_unconfigure",
        "receive",
        "record_update",
        "remaining_size",
        "restate",
        "restate_projections",
        "restate_values",
        "set_up_logging",
        "topics_of",
    },
    # Methods of the classes in HELD.
    "a method that a class of a plugin may replace": {
        "adds_data_in_threads",
        "begin_page",
        "deregister_components",
        "find_places",
        "find_taken",
        "init_connection",
        "pick_places",
        "removes_data_in_threads",
        "take_page",
        "use_credentials",
    },
    "like its neighbour, which has an example": {
        "fail_on_errors",
        "avg",
        "deletes",
        "min",
        "session_of",
        "to_polars",
    },
}
REASONED = {name for names in WITHOUT.values() for name in names}


def code() -> str:
    """Return the code of all pages but those of the API reference."""
    pages = [DOCS.parent / "README.rst", *sorted(DOCS.rglob("*.rst"))]
    texts = [page.read_text(encoding="utf-8") for page in pages if page.parent.name not in {"api"}]
    return "\n".join(found[1] for text in texts for found in CODE.findall(text))


def public_names() -> Iterator[str]:
    """Yield the names that the modules of the API reference offer."""
    for page in sorted((DOCS / "api").glob("*.rst")):
        for name in MODULE.findall(page.read_text(encoding="utf-8")):
            module = importlib.import_module(name)
            offered = getattr(module, "__all__", None) or [
                key
                for key, value in vars(module).items()
                if not key.startswith("_") and getattr(value, "__module__", None) == name
            ]
            yield from offered


def methods_held() -> Iterator[str]:
    """Yield the names of the public methods and properties of the classes in HELD."""
    for name in HELD:
        module, _, attribute = name.rpartition(".")
        for key, value in vars(getattr(importlib.import_module(module), attribute)).items():
            if not key.startswith("_") and (
                inspect.isfunction(value) or isinstance(value, property)
            ):
                yield key


def without_example(names: set[str], text: str) -> set[str]:
    """Return those of *names* that the examples in *text* neither use nor get."""
    used = set(re.findall(r"[A-Za-z_]\w*", text))
    return {name for name in names if name not in used and GOT.get(name, "\0") not in text}


def test_every_public_name_has_an_example() -> None:
    """A name of the API reference is used on another page, or has a reason not to be."""
    missing = without_example({*public_names(), *methods_held()}, code())
    assert sorted(missing - REASONED) == []


def test_reasons_are_needed() -> None:
    """No name has a reason although it has an example, or does not exist."""
    names = {*public_names(), *methods_held()}
    assert sorted(REASONED - without_example(names, code())) == []


def test_a_name_without_example_is_found() -> None:
    """A name is found missing unless the code uses it or the expression that returns it."""
    assert without_example({"Absent", "session", "QueryResult"}, "session.query('User')") == {
        "Absent"
    }
