"""Select the changes of a batch that webhooks receive."""

from __future__ import annotations

import functools
import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.information import server_information
from ftrack_like.sandbox.actions.permissions import projects_of
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.webhooks.events import (
    CONFIGURATION_HASH,
    EntityEvent,
    entity_events,
    metadata_of,
)
from ftrack_like.sandbox.webhooks.filters import Filter, parse_filter

__all__ = ["Webhook", "deliveries_of", "read_webhooks"]

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Webhook:
    """An enabled webhook, with the creator of its automation and the filters of its triggers."""

    action_id: str
    creator_id: Optional[str]
    filters: tuple[Filter, ...]


def deliveries_of(
    batch: Batch, webhooks: Sequence[Webhook], moment: datetime
) -> Iterator[dict[str, Any]]:
    """Yield a delivery for each change of *batch* and each webhook that selects it.

    *moment* is the time of the events, in UTC.
    """
    metadata = metadata_of(batch, moment)
    filters = [one for webhook in webhooks for one in webhook.filters]
    if any(one.uses(CONFIGURATION_HASH) for one in filters):
        _add_hash(batch, metadata)
    granted: dict[Optional[str], frozenset[str]] = {}
    for event in entity_events(batch.changes, batch.model):
        event_id = str(uuid.uuid4())
        body = event.body(event_id, metadata)
        selecting = [one for one in webhooks if any(each.matches(body) for each in one.filters)]
        if not selecting:
            continue
        _add_hash(batch, metadata)
        private = _private_projects(batch, event)
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


def _add_hash(batch: Batch, metadata: dict[str, Any]) -> None:
    """Add the hash of the schemas to *metadata*. How sites make this value is unknown."""
    if metadata[CONFIGURATION_HASH] is None:
        information = server_information(batch.store.connection)
        metadata[CONFIGURATION_HASH] = information["schema_hash"]


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


def read_webhooks(connection: Connection) -> tuple[Webhook, ...]:
    """Return the enabled webhooks, each with the filters of its triggers."""
    found: dict[str, tuple[Optional[str], list[Filter]]] = {}
    for row in connection.execute(_webhooks_statement()):
        filters = found.setdefault(row.id, (row.created_by, []))[1]
        parsed = _parsed(row.filter, row.trigger_id)
        if parsed is not None:
            filters.append(parsed)
    return tuple(Webhook(id_, creator, tuple(all_)) for id_, (creator, all_) in found.items())


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
