"""The webhooks of a site, as the rest of the server knows them.

Most servers have no webhooks. So this module is small, and imports the others when the first
webhook needs them.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import timezone
from typing import TYPE_CHECKING, Any, Optional

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.clock import Clock
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema.model import EntityType

if TYPE_CHECKING:
    from ftrack_like.sandbox.webhooks.deliveries import Deliveries
    from ftrack_like.sandbox.webhooks.queue import Waiting
    from ftrack_like.sandbox.webhooks.rules import Rules
    from ftrack_like.sandbox.webhooks.selection import Webhook

__all__ = ["Webhooks"]

_LOGGER = logging.getLogger(__name__)

#: The key of the note of a batch that changes automations, triggers or webhooks.
_CONCERNED = "webhooks"

#: Whether any webhook is enabled, and whether any delivery waits. A plain text costs a third of a
#: compiled statement, and each commit on PostgreSQL runs the first one.
_ANY_ENABLED = (
    "SELECT 1 FROM action JOIN automation ON automation.id = action.automation_id"
    " WHERE action.action_type = 'webhook' AND automation.enabled LIMIT 1"
)
_ANY_WAITING = "SELECT 1 FROM webhook_delivery LIMIT 1"

#: Seconds between two looks for deliveries of killed servers, and seconds after which a delivery
#: is overdue.
_INHERITANCE = 20.0
_OVERDUE = 2.0


class Webhooks:
    """The webhooks of the site in *database*; threads may share the object.

    With *loopback*, addresses may begin with http:// if they lead to this machine.
    """

    def __init__(
        self, database: Database, loopback: bool = False, clock: Optional[Clock] = None
    ) -> None:
        """Nothing is read or sent before :meth:`start`. *clock* tells the time of events."""
        self._clock = clock or Clock()
        self._database = database
        self._loopback = loopback
        #: The rules for automations, triggers and webhooks, by the name of the type.
        self.hooks: Mapping[str, tuple[Hooks, ...]] = self._make_hooks()
        self._lock = threading.Lock()
        self._sending: Optional[Deliveries] = None
        self._ended = threading.Event()
        #: The enabled webhooks of an SQLite database, None if they must be read again. Only one
        #: server uses such a database, and only a batch with the lock for writers uses the value.
        self._known: Optional[Sequence[Webhook]] = None

    def start(self) -> None:
        """Continue with the deliveries that an earlier server left.

        On PostgreSQL, also look from time to time for deliveries of a server that was killed.
        """
        if self._is_any_waiting():
            self._deliveries().start()
        if not self._database.is_sqlite:
            threading.Thread(target=self._inherit, name="sandbox-webhooks", daemon=True).start()

    def _is_any_waiting(self) -> bool:
        with self._database.read() as connection:
            return connection.exec_driver_sql(_ANY_WAITING).first() is not None

    def _inherit(self) -> None:
        """Deliver what is overdue, because the server that should deliver it is gone or busy."""
        while not self._ended.wait(_INHERITANCE):
            try:
                if self._is_any_waiting():
                    deliveries = self._deliveries()
                    deliveries.wake(deliveries.queue.overdue(_OVERDUE))
            except SQLAlchemyError as error:
                _LOGGER.warning("Waiting webhooks could not be looked up: %s", error)

    def stop(self) -> None:
        """Stop to deliver; the next start continues."""
        self._ended.set()
        if self._sending is not None:
            self._sending.stop()

    def forget(self) -> None:
        """Read the webhooks again; call this after all data have been replaced."""
        self._known = None
        if self._sending is not None:
            self._sending.check()

    def waiting(self) -> Mapping[str, Waiting]:
        """Return the waiting deliveries by the id of their webhook."""
        return self._deliveries().queue.waiting()

    def before_commit(self, batch: Batch) -> None:
        """Store the deliveries for the changes of *batch* in its transaction.

        Raise :exc:`~ftrack_like.sandbox.errors.ValidationError` if the batch enables too many
        webhooks.
        """
        connection = batch.store.connection
        if batch.notes.get(_CONCERNED):
            self._known = None
            self._rules.check_number(batch)
            batch.store.flush()
            webhooks = _read(connection)
        elif not batch.changes or batch.context.background:
            return
        else:
            webhooks = self._enabled(connection)
        if webhooks and not batch.context.background:
            self._store_deliveries(batch, webhooks)

    def _enabled(self, connection: Connection) -> Sequence[Webhook]:
        """Return the enabled webhooks that other batches have committed."""
        if not self._database.is_sqlite:
            return _read(connection)  # another server may have changed them
        known = self._known
        if known is None:
            known = self._known = _read(connection)
        return known

    def _store_deliveries(self, batch: Batch, webhooks: Sequence[Webhook]) -> None:
        # lazy: see the module.
        from ftrack_like.sandbox.webhooks.queue import enqueue
        from ftrack_like.sandbox.webhooks.selection import deliveries_of

        found = list(deliveries_of(batch, webhooks, self._clock.now().replace(tzinfo=timezone.utc)))
        if found:
            batch.store.flush()
            enqueue(batch.store.connection, found)
            action_ids = {one["action_id"] for one in found}
            batch.after_commit.append(functools.partial(self._deliveries().wake, action_ids))

    def _deliveries(self) -> Deliveries:
        """Return the deliveries; the first call makes them."""
        # lazy: see the module.
        from ftrack_like.sandbox.webhooks.deliveries import Deliveries

        with self._lock:
            if self._sending is None:
                self._sending = Deliveries(self._database, self._loopback, now=self._clock.now)
            return self._sending

    # -- rules -------------------------------------------------------------------------------

    @functools.cached_property
    def _rules(self) -> Rules:
        # lazy: see the module.
        from ftrack_like.sandbox.webhooks.rules import Rules

        return Rules(self._loopback)

    def _make_hooks(self) -> dict[str, tuple[Hooks, ...]]:
        automation = Hooks(
            creating=self._create, changing=self._change, deleting=self._delete_others
        )
        webhook = Hooks(creating=self._create, changing=self._change)
        return {
            "Automation": (automation,),
            "Trigger": (automation,),
            "Action": (Hooks(deleting=self._delete_actions),),
            "WebhookAction": (webhook,),
        }

    def _create(self, batch: Batch, type_: EntityType, row: Row) -> None:
        batch.notes[_CONCERNED] = True
        self._rules.create(batch, type_, row)

    def _change(self, batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
        batch.notes[_CONCERNED] = True
        self._rules.change(batch, type_, row, changes)

    def _delete_others(self, batch: Batch, rows: Sequence[Row]) -> None:
        batch.notes[_CONCERNED] = True

    def _delete_actions(self, batch: Batch, rows: Sequence[Row]) -> None:
        batch.notes[_CONCERNED] = True
        self._rules.delete_actions(batch, rows)


def _read(connection: Connection) -> Sequence[Webhook]:
    """Return the enabled webhooks in the database."""
    if connection.exec_driver_sql(_ANY_ENABLED).first() is None:
        return ()
    # lazy: see the module.
    from ftrack_like.sandbox.webhooks.selection import read_webhooks

    return read_webhooks(connection)
