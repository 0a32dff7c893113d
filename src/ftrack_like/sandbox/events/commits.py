"""The events of a commit, stored in the transaction of the commit."""

from __future__ import annotations

import json
import logging

from sqlalchemy.exc import SQLAlchemyError

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.events.audience import decides_rights
from ftrack_like.sandbox.events.exchange import completed
from ftrack_like.sandbox.events.outbox import EVENT, RESTRICTED, RIGHTS, append
from ftrack_like.sandbox.events.postgresql import PostgresExchange
from ftrack_like.sandbox.events.speakers import users_to_dismiss
from ftrack_like.sandbox.events.update import events_of

__all__ = ["CommitEvents"]

_LOGGER = logging.getLogger(__name__)


class CommitEvents:
    """Stores the events of a batch in the outbox of *exchange*, as the last step of the batch.

    If the process is killed after the commit, other processes still publish the events.
    """

    def __init__(self, exchange: PostgresExchange) -> None:
        self._exchange = exchange

    def __call__(self, batch: Batch) -> None:
        """Store the events of *batch* in its transaction.

        An error of the database ends the batch. Any other error is only logged, because the
        changes are more important than their event.
        """
        rows = []
        leaving = users_to_dismiss(batch)
        if leaving or decides_rights(batch):
            rows.append((RIGHTS, json.dumps(leaving)))
        if batch.changes:
            try:
                events = events_of(batch, batch.store.connection)
                rows += [(RESTRICTED, completed(one).text) for one in events]
                rows += [(EVENT, completed(one).text) for one in batch.events]
            except SQLAlchemyError:
                raise
            except Exception:
                _LOGGER.exception("The event for a batch could not be made.")
        if rows:
            append(batch.store.connection, rows)
            batch.after_commit.append(self._exchange.wake)
