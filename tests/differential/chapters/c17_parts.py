"""Parts of the library that are used by themselves."""

from __future__ import annotations

import io
import operator
import os
import warnings
from typing import Any

from book import Stage, step


@step()
def wrapped_file(stage: Stage) -> Any:
    """Data in a file object: read, moved in, written, flushed, closed."""
    wrapped = io.BytesIO(b"abcdef")
    data = stage.module("data").FileWrapper(wrapped)
    shown = [data.read(2), data.tell()]
    data.seek(-1, os.SEEK_END)
    shown += [data.read(), data.tell()]
    data.seek(0)
    data.write(b"X")
    data.flush()
    shown += [wrapped.getvalue(), data.closed]
    data.close()
    return [*shown, data.closed, wrapped.closed]


@step()
def data_of_ones_own(stage: Stage) -> Any:
    """What a subclass of Data has that does no more than it must."""

    class Zeros(stage.module("data").Data):  # type: ignore[misc]
        """Zeros without end."""

        def read(self, limit: Any = None) -> bytes:
            """Return zeros."""
            return b"0" * (limit or 1)

        def write(self, content: Any) -> None:
            """Forget it."""

    data = Zeros()
    shown: list[Any] = [data.read(3), data.flush(), data.closed]
    for call in (lambda: data.seek(0), data.tell):
        try:
            shown.append(call())
        except NotImplementedError:
            shown.append("not implemented")
    data.close()
    return [*shown, data.closed]


@step()
def flush_on_close(stage: Stage) -> Any:
    """Closing flushes, as subclasses that send data on rely on."""
    flushed = []

    class Sending(stage.module("data").FileWrapper):  # type: ignore[misc]
        """Data that notes when it is flushed."""

        def flush(self) -> None:
            """Note it."""
            flushed.append(self.wrapped_file.getvalue())

    data = Sending(io.BytesIO())
    data.write(b"all")
    data.close()
    return flushed


@step()
def text_data(stage: Stage) -> Any:
    """Data that starts as text."""
    data = stage.module("data").String("text")
    shown = [data.is_binary, data.read()]
    data.seek(0)
    data.write("more")
    data.seek(0)
    return [*shown, data.read(), data.tell()]


@step()
def expressions_by_hand(stage: Stage) -> Any:
    """Expressions put together by hand."""
    language = stage.module("event.expression")
    topic = language.Condition("topic", operator.eq, "a")
    kind = language.Condition("data.kind", operator.ne, "shot")
    both, either = language.All([topic, kind]), language.Any([topic, kind])
    events = [{"topic": t, "data": {"kind": k}} for t in ("a", "b") for k in ("shot", "task")]
    return [
        [each.match(event) for event in events]
        for each in (topic, kind, both, either, language.Not(both), language.Expression())
    ]


@step()
def expressions_as_text(stage: Stage) -> Any:
    """The text of expressions."""
    language = stage.module("event.expression")
    topic = language.Condition("topic", operator.eq, "a")
    parts = [topic, language.All([topic]), language.Any([topic]), language.Not(topic)]
    return [str(part) for part in [*parts, language.Expression()]]


@step()
def parsed_expression(stage: Stage) -> Any:
    """An expression that is parsed, and one that cannot be."""
    parser = stage.module("event.expression").Parser()
    parsed = parser.parse('topic=a and (data.kind="b c" or not data.kind=d)')
    answers = [parsed.match({"topic": "a", "data": {"kind": kind}}) for kind in ("b c", "d", "e")]
    try:
        parser.parse("topic=")
    except stage.error("ParseError"):
        answers.append("refused")
    return answers


@step()
def event_fields(stage: Stage) -> Any:
    """An event is a mapping whose fields can be set and removed."""
    event = stage.module("event.base").Event("topic", id="1", data={"a": 1})
    event["sent"] = "now"
    shown = dict(event)
    del event["target"]
    return [shown, sorted(event), len(event)]


@step()
def operations(stage: Stage) -> Any:
    """A stack of operations."""
    module = stage.module("operation")
    stack = module.Operations()
    delete = module.DeleteEntityOperation("Task", {"id": "1"})
    update = module.UpdateEntityOperation("Task", {"id": "1"}, "name", "a", "b")
    stack.push(delete)
    stack.push(update)
    shown = [len(stack), [type(each).__name__ for each in stack], stack.pop() is update]
    stack.clear()
    try:
        stack.pop()
    except IndexError:
        shown.append("empty")
    return shown


@step()
def payloads(stage: Stage) -> Any:
    """A payload is a mapping."""
    payload = stage.module("session").OperationPayload({"action": "delete"}, entity_type="Task")
    payload["entity_key"] = ["1"]
    shown: list[Any] = [len(payload), sorted(payload), dict(payload)]
    del payload["entity_type"]
    return [*shown, sorted(payload), payload["action"]]


@step()
def transformer(stage: Stage) -> Any:
    """The transformer that hands identifiers on."""
    module = stage.module("resource_identifier_transformer.base")
    made = module.ResourceIdentifierTransformer(stage.session)
    context = {"component": None}
    return [made.encode("a/b", context), made.decode("a/b", context), made.session is stage.session]


@step()
def load_plugin(stage: Stage) -> Any:
    """A module that is loaded from a file."""
    path = stage.file("studio_plugin.py", "VALUE = 3\nNAME = __name__\n")
    module = stage.module("plugin").load_source("studio_plugin", path)
    return [module.VALUE, module.NAME]


@step()
def deprecation(stage: Stage) -> Any:
    """A function that warns when it is called."""

    @stage.module("logging").deprecation_warning("Use another one.")
    def old(value: int) -> int:
        return value + 1

    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        return old(1)


@step()
def lazy_log_message(stage: Stage) -> Any:
    """A message that is put together when it is shown."""
    message = stage.module("logging").LazyLogMessage("{0} and {name}", 1, name="two")
    return str(message)


@step()
def symbols_of_ones_own(stage: Stage) -> Any:
    """A symbol that somebody makes."""
    symbol = stage.module("symbol").Symbol("MINE", value=False)
    return [symbol.name, symbol.value, bool(symbol), str(symbol), repr(symbol)]


@step()
def attribute_tables(stage: Stage) -> Any:
    """Attributes by name."""
    module = stage.module("attribute")
    name = module.ScalarAttribute("name", data_type="string")
    parent = module.ReferenceAttribute("parent", entity_type="Task")
    table = module.Attributes([name])
    table.add(parent)
    shown = [sorted(table.keys()), len(table), name in table, table.get("parent") is parent]
    table.remove(name)
    try:
        table.add(parent)
    except stage.error("NotUniqueError"):
        shown.append("not unique")
    return [*shown, sorted(table.keys()), name in table, table.get("name")]


@step()
def attribute_values(stage: Stage) -> Any:
    """What an attribute says of an entity's values."""
    shot = stage.shot("attributed")
    name, parent = shot.attributes.get("name"), shot.attributes.get("parent")
    children = shot.attributes.get("children")
    shown = [name.is_set(shot), name.is_modified(shot), parent.is_modified(shot)]
    name.set_local_value(shot, "changed")
    shown += [name.get_local_value(shot), name.get_remote_value(shot), name.is_modified(shot)]
    name.set_remote_value(shot, "newer")
    children.set_remote_value(shot, [])
    shown += [name.get_remote_value(shot), len(children.get_value(shot))]
    return [*shown, name.name, name.mutable, name.computed, type(repr(name)).__name__]


@step()
def values_of_entities(stage: Stage) -> Any:
    """The values and items of an entity."""
    session = stage.new_session()
    with session.auto_populating(False):
        made = session.create("Status", {"id": "1", "name": "a"}, reconstructing=True)
        return [
            sorted(value for value in made.values() if isinstance(value, str)),
            sorted(key for key, value in made.items() if isinstance(value, str)),
        ]


@step()
def accessor_defaults(stage: Stage) -> Any:
    """What an accessor says that has no files and no addresses."""
    base = stage.module("accessor.base").Accessor
    removed = []

    def nothing(self: Any, *arguments: Any, **options: Any) -> Any:
        removed.append(arguments)

    names = ["list", "exists", "is_file", "is_container", "is_sequence", "open", "remove"]
    members = dict.fromkeys([*names, "make_container", "get_container"], nothing)
    accessor = type("Nothing", (base,), members)()
    accessor.remove_container("a")
    shown: list[Any] = [removed]
    for call in (accessor.get_filesystem_path, accessor.get_url):
        try:
            shown.append(call("a"))
        except stage.error("AccessorUnsupportedOperationError") as error:
            shown.append(type(error).__name__)
    return shown


@step()
def sequences_on_disk(stage: Stage) -> Any:
    """An accessor on disk does not know of sequences."""
    accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(stage.folder))
    return accessor.is_sequence("a.%04d.exr")


@step()
def errors_of_accessors(stage: Stage) -> Any:
    """Which error says what on a disk."""
    accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(stage.folder))
    path = os.path.relpath(stage.file("plain.txt"), str(stage.folder))
    os.makedirs(stage.folder / "filled" / "inner")
    calls: list[Any] = [
        lambda: accessor.list(path),
        lambda: accessor.list("absent"),
        lambda: accessor.open("absent", "rb"),
        lambda: accessor.open("absent/inner", "wb"),
        lambda: accessor.remove("absent"),
        lambda: accessor.remove("filled"),
        lambda: accessor.make_container("missing/inner", recursive=False),
        lambda: accessor.get_filesystem_path("../outside"),
    ]
    shown = []
    for call in calls:
        try:
            shown.append(type(call()).__name__)
        except stage.error("AccessorError") as error:
            shown.append(type(error).__name__)
    return shown


@step()
def storage_scenario_is_activated(stage: Stage) -> Any:
    """A site with a central storage gives sessions a location on it."""
    module = stage.module("_centralized_storage_scenario")
    event = stage.module("event.base").Event
    session = stage.new_session()
    location = session.create("Location", {"name": "central"})
    session.commit()
    folder = str(stage.folder)
    data = {
        "location_id": location["id"],
        "location_name": "central",
        "accessor": {"mount_points": {"linux": folder, "osx": folder, "windows": folder}},
    }
    about = {"scenario": module.scenario_name, "data": data}
    session.event_hub.publish(
        event("ftrack.storage-scenario.activate", data={"storage_scenario": about}),
        synchronous=True,
    )
    return [type(location.accessor).__name__, location.accessor.prefix, location.priority]


@step()
def storage_scenario(stage: Stage) -> Any:
    """The scenario of a central storage: what is offered and asked first."""
    module = stage.module("_centralized_storage_scenario")
    event = stage.module("event.base").Event
    session = stage.session
    module.register_configuration(session)
    about = {"source": {"user": {"username": session.api_user}}}
    discover = event("ftrack.storage-scenario.discover", **about)
    asked_for = {"scenario_id": module.scenario_name}
    configure = event("ftrack.storage-scenario.configure", data=asked_for, **about)
    offered = session.event_hub.publish(discover, synchronous=True)
    asked = session.event_hub.publish(configure, synchronous=True)
    return [
        [sorted(each) if each else each for each in offered],
        [sorted(each) if each else each for each in asked],
    ]


@step()
def errors_that_are_raised_by_others(stage: Stage) -> Any:
    """Errors that programs of others raise are errors of the library."""
    errors = stage.module("exception")
    made = [
        errors.AccessorPermissionDeniedError(resource_identifier="a"),
        errors.ComponentNotInAnyLocationError(),
        errors.EventHubPacketError("no packet"),
        errors.ImmutableCollectionError("a collection"),
        errors.InvalidStateError("no state"),
        errors.OperationError("no operation"),
        errors.PermissionDeniedError("not you"),
        errors.ServerCompatibilityError("too old"),
    ]
    return [[isinstance(error, errors.Error), type(error).__name__] for error in made]


@step()
def payload_as_text(stage: Stage) -> Any:
    """The text of a payload."""
    return str(stage.module("session").OperationPayload({"action": "delete"}))


@step()
def attribute_of_a_mapping(stage: Stage) -> Any:
    """Metadata know which attribute they are, and whether they may be changed."""
    metadata = stage.project["metadata"]
    return [metadata.attribute.name, metadata.mutable, len(metadata.collection)]
