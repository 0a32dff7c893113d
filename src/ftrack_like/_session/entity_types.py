"""The entity classes of a session, built from its schemas on first use."""

from __future__ import annotations

import logging
import threading
from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, Callable, Optional, cast

from ftrack_like import exception
from ftrack_like._base.suggest import did_you_mean
from ftrack_like.entity.base import DynamicEntityTypeMetaclass, Entity
from ftrack_like.entity.factory import StandardFactory

if TYPE_CHECKING:
    from ftrack_like._base.types import Schemas, Value
    from ftrack_like.session import Session

__all__ = ["EntityTypes", "build_entity_types"]

TOPIC = "ftrack.api.session.construct-entity-type"

_logger = logging.getLogger(__name__)


class EntityTypes(dict[str, type[Entity]]):
    """The entity classes by type name, in the order of the schemas.

    It behaves like a dictionary of all classes. The first access to a class builds it. If two
    threads access it at the same time, they get the same class.
    """

    def __init__(self, session: Session, schemas: Schemas) -> None:
        """Prepare to build the classes of *session* from its *schemas*."""
        super().__init__()
        self._session = session
        self._schemas = schemas
        self._pending = {schema["id"]: schema for schema in schemas}
        #: The names of all types in order, with and without a class.
        self._names: dict[str, None] = dict.fromkeys(self._pending)
        #: What to do before the first use of a class, by the name of its type.
        self._before: dict[str, Callable[[], object]] = {}
        #: Classes that only the thread with the lock can see, because it still prepares their use.
        self._hidden: dict[str, type[Entity]] = {}
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    def __missing__(self, name: str) -> type[Entity]:
        """Build and return the class for the type *name*.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError`, a :exc:`KeyError`, for a
        type without a schema.
        """
        with self._lock:
            made: Optional[type[Entity]] = dict.get(self, name) or self._hidden.get(name)
            if made is not None:
                return made
            schema = self._pending.get(name)
            if schema is None:
                raise exception.UnrecognisedEntityTypeError(
                    name, suggestion=did_you_mean(str(name), self._names)
                )
            class_ = StandardFactory().create(schema)
            class_ = self._mixed(class_)
            self._prepare(name, class_)
            self._put(name, class_)
            return class_

    def before_first_use(self, name: str, action: Callable[[], object]) -> None:
        """Call *action* before a program uses the class *name*; now, if the class is built.

        *action* itself can use the class. A later action for *name* replaces an earlier one.
        """
        with self._lock:
            if dict.get(self, name) is None:
                self._before[name] = action
                return
        action()

    def _prepare(self, name: str, class_: type[Entity]) -> None:
        """Do what must happen before the first use of *class_*, the class *name*."""
        action = self._before.pop(name, None)
        if action is None:
            return
        self._hidden[name] = class_
        try:
            action()
        except BaseException:
            self._before[name] = action
            raise
        finally:
            del self._hidden[name]

    def _mixed(self, class_: type[Entity]) -> type[Entity]:
        """Return *class_* with the mixin of the session, if it has one."""
        mixin = getattr(self._session, "entity_mixin", None)
        if mixin is None or issubclass(class_, mixin):
            return class_
        names = {"__module__": class_.__module__, "__slots__": ()}
        made = DynamicEntityTypeMetaclass(class_.__name__, (mixin, class_), names)
        return cast("type[Entity]", made)

    def _put(self, name: str, class_: type[Entity]) -> None:
        """Store *class_* under *name*, with the mixin of the session."""
        class_ = self._mixed(class_)
        self._names.setdefault(name)
        dict.__setitem__(self, name, class_)
        self._pending.pop(name, None)

    def construct(self) -> None:
        """Build all classes now, in order; publish an event for each, which plugins can answer."""
        for schema in self._schemas:
            class_ = self._ask_subscribers(schema)
            if class_ is None:
                class_ = StandardFactory().create(schema)
            self._put(class_.entity_type, class_)
            self._pending.pop(schema["id"], None)

    def _ask_subscribers(self, schema: Mapping[str, Any]) -> Optional[type[Entity]]:
        """Return the class that a subscriber made for *schema*, or None for the standard class."""
        # lazy: a session without a hub needs no events
        from ftrack_like.wire.events import Event

        results = self._session.event_hub.publish(
            Event(topic=TOPIC, data={"schema": schema, "schemas": self._schemas}),
            synchronous=True,
        )
        classes = [result for result in results or () if result is not None]
        if len(classes) > 1:
            _logger.warning(
                "%d subscribers made a class for %s; the last one is used.",
                len(classes),
                schema["id"],
            )
        return classes[-1] if classes else None

    def __setitem__(self, name: str, class_: type[Entity]) -> None:
        """Use *class_* for the type *name*."""
        with self._lock:
            self._prepare(name, class_)
            self._put(name, class_)

    def __delitem__(self, name: str) -> None:
        """Remove the type *name*. Raise :exc:`KeyError` if it is missing."""
        with self._lock:
            del self._names[name]
            self._pending.pop(name, None)
            dict.pop(self, name, None)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a type *name*."""
        return name in self._names

    def get(self, name: str, default: Value = None) -> Value:
        """Return the class for the type *name*, or *default*.

        Unlike :meth:`Mapping.get`, this makes no error with a suggestion, which takes milliseconds.
        """
        if name not in self:
            return default
        return self[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(list(self._names))

    def __len__(self) -> int:
        """Return the number of types."""
        return len(self._names)

    def __repr__(self) -> str:
        """Return a text with the number of types."""
        return f"<{type(self).__name__} of {len(self)} types>"

    def _ipython_key_completions_(self) -> list[str]:
        """Return the names of the types, which IPython offers after ``session.types["``."""
        return list(self._names)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # a view all the same
        """Return a view of the names."""
        return KeysView(self)

    def values(self) -> ValuesView[type[Entity]]:  # type: ignore[override]  # a view all the same
        """Return a view of the classes."""
        return ValuesView(self)

    def items(self) -> ItemsView[str, type[Entity]]:  # type: ignore[override]  # a view all the same
        """Return a view of the names and classes."""
        return ItemsView(self)

    def copy(self) -> dict[str, type[Entity]]:
        """Return a plain dictionary of all names and classes."""
        return dict(self)

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a mapping of the same names to the same classes."""
        return isinstance(other, Mapping) and dict(self.items()) == dict(other.items())

    __hash__ = None

    # Methods that ``dict`` implements without calling the methods above.
    pop = MutableMapping.pop
    popitem = MutableMapping.popitem
    clear = MutableMapping.clear
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault


def build_entity_types(session: Session, schemas: Schemas) -> EntityTypes:
    """Return the entity classes of *session* for *schemas*.

    A class is built on first use. But if a subscriber of the event hub takes part in building
    classes, all are built at once, in the order of the schemas, because plugins expect that.
    """
    types = EntityTypes(session, schemas)
    if has_subscriber(session, schemas):
        types.construct()
    return types


def has_subscriber(session: Session, schemas: Schemas) -> bool:
    """Return whether a subscriber wants the event that is published when a class is built."""
    hub = session.__dict__.get("_event_hub")
    subscribers = list(getattr(hub, "_subscribers", ()))
    if not subscribers:
        return False
    # lazy: a session without a hub needs no events
    from ftrack_like.wire.events import Event

    return any(
        subscriber.interested_in(Event(topic=TOPIC, data={"schema": schema, "schemas": schemas}))
        for subscriber in subscribers
        for schema in schemas
    )
