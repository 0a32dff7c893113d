"""Actions: entries of the actions menu, one class for each.

::

    class Publish(Action):
        identifier = "studio.publish"
        label = "Publish"

        def discover(self, request):
            return request.selection.of_type("Task")

        def launch(self, request):
            if not request.values:
                return [{"type": "text", "name": "comment", "label": "Comment"}]
            ...
            return "Published."

    Publish(session).register()
    session.event_hub.wait()

:meth:`Action.launch` returns the result for the user: a list of form items, a text, a mapping in
the format of the web client, or None.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast, overload

from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._base.types import SiteEntity, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Action", "ActionRequest", "Selected", "Selection", "check_items"]

#: The kinds of form items, and whether an item needs a name for its value.
ITEM_TYPES: dict[str, bool] = {
    "boolean": True,
    "date": True,
    "enumerator": True,
    "hidden": True,
    "label": False,
    "number": True,
    "password": True,
    "text": True,
    "textarea": True,
}


class Selected(NamedTuple):
    """A selected entity: the name of its schema, and its id."""

    entity_type: str
    entity_id: str


class Selection(Sequence[Selected]):
    """The selected entities, in the order of the event."""

    def __init__(self, session: Session, items: Value) -> None:
        """Initialise with *items* of an event: `[{"entityId": str, "entityType": str}, …]`."""
        self._session = session
        names = _schema_names(session.schemas)
        self._selected = [
            Selected(
                names.get(str(item.get("entityType", "")).lower(), str(item.get("entityType"))),
                item["entityId"],
            )
            for item in (items or ())
            if isinstance(item, Mapping) and item.get("entityId")
        ]

    @overload
    def __getitem__(self, index: int) -> Selected: ...

    @overload
    def __getitem__(self, index: slice) -> list[Selected]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Selected, list[Selected]]:
        """Return the selected entity at *index*, or a list for a slice."""
        return self._selected[index]

    def __len__(self) -> int:
        """Return the number of selected entities."""
        return len(self._selected)

    def __repr__(self) -> str:
        """Return the class and the selected entities."""
        return f"<{self.__class__.__name__} {self._selected}>"

    @property
    def ids(self) -> list[str]:
        """Return the ids of the selected entities."""
        return [entry.entity_id for entry in self._selected]

    def of_type(self, *entity_types: str) -> bool:
        """Return whether there is a selection, and every selected entity has one of *entity_types*.

        Events distinguish tasks from projects, but not tasks from shots. So for the name of an
        object type other than `TypedContext`, this method queries the selected entities.
        """
        if not self._selected:
            return False
        if all(entry.entity_type in entity_types for entry in self._selected):
            return True
        if not all(entry.entity_type in ("TypedContext", *entity_types) for entry in self):
            return False
        return all(entity.entity_type in entity_types for entity in self.entities())

    def entities(self, *projections: str) -> list[SiteEntity]:
        """Return the selected entities with *projections* loaded, with one query per type.

        Entities that no longer exist are left out.
        """
        found: dict[str, Entity] = {}
        for entity_type, ids in self._by_type().items():
            select = f"select {', '.join(projections)} from " if projections else ""
            listed = ", ".join(f'"{identifier}"' for identifier in ids)
            query = self._session.query(f"{select}{entity_type} where id in ({listed})")
            found.update((entity["id"], entity) for entity in query)
        return [found[identifier] for identifier in self.ids if identifier in found]

    def _by_type(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for entry in self._selected:
            ids.setdefault(entry.entity_type, []).append(entry.entity_id)
        return ids


class ActionRequest:
    """A request to an action: its user, its selection, and the values of a form."""

    def __init__(self, session: Session, event: Event) -> None:
        """Initialise with the *event* of the request."""
        data = event["data"] if isinstance(event["data"], Mapping) else {}
        self.session = session
        self.event = event
        self.data: Mapping[str, Any] = data
        self.selection: Selection = Selection(session, data.get("selection"))
        self.values: dict[str, Any] = dict(data.get("values") or {})
        self.variant: Optional[str] = data.get("variant")

    @property
    def username(self) -> Optional[str]:
        """Return the name of the requesting user, None if the event does not name one."""
        user = self.event["source"].get("user") or {}
        return user.get("username")


class Action:
    """An entry of the actions menu, or several variants of an entry; subclass it.

    * `identifier` distinguishes the action from all others, `label` is the text for users.
    * `variants` are shown as separate entries; `request.variant` is the chosen variant.
    * `everyone` answers the requests of all users; by default, only the session's user is answered.
    * `priority` orders the callbacks, as in :meth:`~ftrack_like.event.hub.EventHub.subscribe`.
    """

    identifier: str = ""
    label: str = ""
    variant: Optional[str] = None
    variants: Sequence[str] = ()
    description: Optional[str] = None
    icon: Optional[str] = None
    everyone: bool = False
    priority: int = 100

    def __init__(self, session: Session) -> None:
        """Initialise for *session*.

        Raise :exc:`ValueError` if the class has no `identifier` or no `label`.
        """
        for name in ("identifier", "label"):
            if not getattr(self, name):
                raise ValueError(f"The action {type(self).__name__} needs {name}, a text.")
        self.session = session
        self.logger: logging.Logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self._subscribers: list[str] = []

    # Methods to override

    def discover(self, request: ActionRequest) -> bool:
        """Return whether to show the action for *request*; by default for any selection."""
        return True

    def launch(self, request: ActionRequest) -> Value:
        """Run the action, and return the result for the user.

        * A list of items is a form. The action is launched again with the user's input in
          `request.values`.
        * A text or None reports success; False reports failure.
        * A mapping is sent as it is; `success` is True if it is missing.

        An exception reports failure with its text.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement launch().")

    # Registration.

    def register(self) -> None:
        """Subscribe to the requests; a second call does nothing."""
        if self._subscribers:
            return
        hub = self.session.event_hub
        user = "" if self.everyone else f' and source.user.username="{self._username}"'
        identifier = _quoted(self.identifier)
        subscriptions = (
            (f"topic=ftrack.action.discover{user}", self._discover),
            (
                f"topic=ftrack.action.launch and data.actionIdentifier={identifier}{user}",
                self._launch,
            ),
        )
        for expression, callback in subscriptions:
            self._subscribers.append(hub.subscribe(expression, callback, priority=self.priority))

    def unregister(self) -> None:
        """Unsubscribe from the requests; a second call does nothing."""
        while self._subscribers:
            self.session.event_hub.unsubscribe(self._subscribers.pop())

    def items(self) -> list[dict[str, Any]]:
        """Return the entries of the menu, one for each variant."""
        entry = {
            "actionIdentifier": self.identifier,
            "label": self.label,
            "variant": self.variant,
            "description": self.description,
            "icon": self.icon,
        }
        entry = {name: value for name, value in entry.items() if value is not None}
        return [{**entry, "variant": each} for each in self.variants] or [entry]

    def trigger_user_interface(
        self, request: ActionRequest, items: Sequence[Mapping[str, Any]], title: str = ""
    ) -> None:
        """Show a form to the user of *request*, at any time and not only as an answer.

        The values of the form arrive as a launch of this action.
        """
        data = {
            "type": "form",
            "items": check_items(items),
            "title": title or self.label,
            "actionIdentifier": self.identifier,
            "selection": request.data.get("selection") or [],
        }
        self._show(request, data)

    def show_message(self, request: ActionRequest, message: str, success: bool = True) -> None:
        """Show *message* to the user of *request*, at any time and not only as an answer."""
        self._show(request, {"type": "message", "success": success, "message": message})

    def _show(self, request: ActionRequest, data: dict[str, Any]) -> None:
        username = _quoted(request.username or self._username)
        self.session.event_hub.publish(
            Event(
                topic="ftrack.action.trigger-user-interface",
                data=data,
                target=f"applicationId=ftrack.client.web and user.username={username}",
            )
        )

    @property
    def _username(self) -> str:
        return str(self.session.api_user)

    def _discover(self, event: Event) -> Optional[dict[str, Any]]:
        request = ActionRequest(self.session, event)
        return {"items": self.items()} if self.discover(request) else None

    def _launch(self, event: Event) -> dict[str, Any]:
        try:
            return as_reply(self.launch(ActionRequest(self.session, event)), self.label)
        except Exception as error:
            self.logger.exception(f"The action {self.label} failed.")
            return {"success": False, "message": f"{self.label} failed: {error}"}


def as_reply(result: Value, label: str) -> dict[str, Any]:
    """Return the reply to a launch of the action *label* that returned *result*.

    Raise :exc:`TypeError` if :meth:`Action.launch` may not return *result*, and :exc:`ValueError`
    if a form has mistakes.
    """
    if result is None or result is True:
        return {"success": True, "message": f"{label} is done."}
    if result is False:
        return {"success": False, "message": f"{label} failed."}
    if isinstance(result, str):
        return {"success": True, "message": result}
    if isinstance(result, Mapping):
        reply = {"success": True, **result}
        if "items" in reply:
            reply["items"] = check_items(reply["items"])
        return reply
    if isinstance(result, Sequence):
        return {"items": check_items(result)}
    raise TypeError(f"launch() returned {type(result).__name__}, not a text, list or mapping")


def check_items(items: object) -> list[dict[str, Any]]:
    """Return the *items* of a form as a list of new mappings.

    Raise :exc:`ValueError`, which names the item and its mistake. The web client would only show an
    empty form.
    """
    if isinstance(items, (str, bytes)) or not isinstance(items, Sequence):
        raise ValueError(f"The items of a form must be a list, not {type(items).__name__}.")
    return [dict(_checked_item(index, item)) for index, item in enumerate(items)]


def _checked_item(index: int, item: object) -> Mapping[str, Any]:
    for fault in _faults_of(item):
        raise ValueError(f"Item {index} of the form {fault}: {item!r}")
    return cast("Mapping[str, Any]", item)


def _faults_of(item: object) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield "is not a mapping"
        return
    kind = item.get("type")
    if kind not in ITEM_TYPES:
        yield f"has the type {kind!r}, which is not one of {', '.join(ITEM_TYPES)}"
    elif ITEM_TYPES[kind] and not item.get("name"):
        yield "has no name for its value"
    if kind == "enumerator":
        choices = item.get("data")
        if not isinstance(choices, Sequence) or isinstance(choices, str):
            yield "has no list of choices as its data"
        elif not all(isinstance(choice, Mapping) and "value" in choice for choice in choices):
            yield "has a choice without a value"


def _schema_names(schemas: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of *schemas* by the names in events, in lower case.

    In events, object types share the name `task` with the schema of which they are variants; the
    name refers to that schema.
    """
    names = {str(schema["id"]).lower(): str(schema["id"]) for schema in schemas}
    for schema in schemas:
        alias = schema.get("alias_for")
        if isinstance(alias, str):
            names[alias.lower()] = str(schema["id"])
    return names


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
