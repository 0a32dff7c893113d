"""The webhooks of a site: selects the changes to send, and starts and stops the deliveries."""

from __future__ import annotations

import functools
import json
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.information import server_information
from ftrack_like.sandbox.actions.permissions import projects_of
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.webhooks.deliveries import DELAYS, Deliveries
from ftrack_like.sandbox.webhooks.events import EntityEvent, entity_events, metadata_of
from ftrack_like.sandbox.webhooks.filters import Filter, parse_filter
from ftrack_like.sandbox.webhooks.queue import Waiting, enqueue
from ftrack_like.sandbox.webhooks.rules import check_number, is_concerned, rules

__all__ = ["Webhooks"]

_LOGGER = logging.getLogger(__name__)

#: Whether any webhook is enabled. A plain text costs a third of a compiled statement, and each
#: commit on PostgreSQL runs it.
_ANY = (
    "SELECT 1 FROM action JOIN automation ON automation.id = action.automation_id"
    " WHERE action.action_type = 'webhook' AND automation.enabled LIMIT 1"
)


@dataclass(frozen=True)
class _Webhook:
    """An enabled webhook, with the creator of its automation and the filters of its triggers."""

    action_id: str
    creator_id: Optional[str]
    filters: tuple[Filter, ...]


class Webhooks:
    """The webhooks of the site in *database*.

    With *loopback*, addresses may begin with http:// if they lead to this machine. *delays* are
    the seconds before each repetition of a failed delivery.
    """

    def __init__(
        self, database: Database, loopback: bool = False, delays: Sequence[float] = DELAYS
    ) -> None:
        """Nothing is read or sent before :meth:`start`."""
        self.hooks: Mapping[str, tuple[Hooks, ...]] = rules(loopback)
        self._deliveries = Deliveries(database, loopback, delays)
        #: The enabled webhooks of an SQLite database, None if they must be read again. Only one
        #: server uses such a database, and only a batch with the lock for writers uses the value.
        self._known: Optional[tuple[_Webhook, ...]] = None

    def start(self) -> None:
        """Start to deliver, first what an earlier server left."""
        self._deliveries.start()

    def stop(self) -> None:
        """Stop to deliver; the next start continues."""
        self._deliveries.stop()

    def forget(self) -> None:
        """Read the webhooks again; call this after all data have been replaced."""
        self._known = None
        self._deliveries.check()

    def waiting(self) -> Mapping[str, Waiting]:
        """Return the waiting deliveries by the id of their webhook."""
        return self._deliveries.queue.waiting()

    def before_commit(self, batch: Batch) -> None:
        """Store the deliveries for the changes of *batch* in its transaction.

        Raise :exc:`~ftrack_like.sandbox.errors.ValidationError` if the batch enables too many
        webhooks.
        """
        if is_concerned(batch):
            self._known = None
            check_number(batch)
            batch.store.flush()
            webhooks = _read_webhooks(batch.store.connection)
        elif not batch.changes or batch.context.background:
            return
        else:
            webhooks = self._enabled(batch.store.connection)
        if webhooks and not batch.context.background:
            self._store_deliveries(batch, webhooks)

    def _enabled(self, connection: Connection) -> tuple[_Webhook, ...]:
        """Return the enabled webhooks that other batches have committed."""
        if connection.dialect.name != "sqlite":  # another server may have changed them
            there = connection.exec_driver_sql(_ANY).first() is not None
            return _read_webhooks(connection) if there else ()
        known = self._known
        if known is None:
            known = self._known = _read_webhooks(connection)
        return known

    def _store_deliveries(self, batch: Batch, webhooks: Sequence[_Webhook]) -> None:
        deliveries = list(_deliveries(batch, webhooks))
        if not deliveries:
            return
        batch.store.flush()
        enqueue(batch.store.connection, deliveries)
        action_ids = {one["action_id"] for one in deliveries}
        batch.after_commit.append(functools.partial(self._deliveries.wake, action_ids))


def _deliveries(batch: Batch, webhooks: Sequence[_Webhook]) -> Iterator[dict[str, Any]]:
    """Yield a delivery for each change of *batch* and each webhook that selects it."""
    moment = datetime.now(timezone.utc)
    metadata = metadata_of(batch, moment, _configuration_hash(batch.store.connection))
    granted: dict[Optional[str], frozenset[str]] = {}
    for event in entity_events(batch.changes, batch.model):
        event_id = str(uuid.uuid4())
        body = event.body(event_id, metadata)
        selecting = [one for one in webhooks if any(each.matches(body) for each in one.filters)]
        private = _private_projects(batch, event) if selecting else frozenset()
        text = ""
        for webhook in selecting:
            creator = webhook.creator_id
            if private and creator not in granted:
                granted[creator] = _granted_projects(batch, creator)
            if private and not private <= granted[creator]:
                continue
            text = text or json.dumps(body, separators=(",", ":"))
            yield {
                "action_id": webhook.action_id,
                "event_id": event_id,
                "summary": event.summary,
                "body": text,
            }


def _configuration_hash(connection: Connection) -> str:
    """Return the hash of the schemas. How sites make this value is unknown."""
    return str(server_information(connection)["schema_hash"])


def _private_projects(batch: Batch, event: EntityEvent) -> frozenset[str]:
    """Return the ids of the private projects of the entity of *event*."""
    projects = projects_of(batch, event.type.table, event.row)
    rows = {one: batch.store.get("context", (one,)) for one in projects}
    return frozenset(one for one, row in rows.items() if row is not None and row["is_private"])


def _granted_projects(batch: Batch, user_id: Optional[str]) -> frozenset[str]:
    """Return the ids of the projects for which a user has a role by name.

    A role for all open projects does not include the private ones. This is also true for the role
    of an administrator.
    """
    held, project = TABLES["user_security_role"], TABLES["user_security_role_project"]
    statement = (
        sqlalchemy.select(project.c.project_id)
        .select_from(held.join(project, project.c.user_security_role_id == held.c.id))
        .where(held.c.user_id == user_id)
    )
    return frozenset(batch.store.execute(statement).scalars())


def _read_webhooks(connection: Connection) -> tuple[_Webhook, ...]:
    """Return the enabled webhooks, each with the filters of its triggers."""
    found: dict[str, tuple[Optional[str], list[Filter]]] = {}
    for row in connection.execute(_webhooks_statement()):
        filters = found.setdefault(row.id, (row.created_by, []))[1]
        parsed = _parsed(row.filter, row.trigger_id)
        if parsed is not None:
            filters.append(parsed)
    return tuple(_Webhook(id_, creator, tuple(all_)) for id_, (creator, all_) in found.items())


@functools.cache
def _webhooks_statement() -> Any:
    action, automation, trigger = TABLES["action"], TABLES["automation"], TABLES["trigger"]
    joined = action.join(automation, automation.c.id == action.c.automation_id)
    return (
        sqlalchemy.select(
            action.c.id, automation.c.created_by, trigger.c.id.label("trigger_id"), trigger.c.filter
        )
        .select_from(joined.join(trigger, trigger.c.automation_id == automation.c.id))
        .where(action.c.action_type == "webhook", automation.c.enabled)
        .order_by(action.c.id, trigger.c.id)
    )


@functools.lru_cache(maxsize=256)
def _parsed(text: Optional[str], trigger_id: str) -> Optional[Filter]:
    """Return the filter *text*, None if it is invalid: older versions stored any text."""
    try:
        return parse_filter(text or "")
    except ExpressionError as error:
        _LOGGER.warning("Trigger %s selects nothing. Correct its filter: %s", trigger_id, error)
        return None
