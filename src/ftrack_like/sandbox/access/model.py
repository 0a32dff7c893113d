"""The model of a site, remembered for the state of the database that a connection sees."""

from __future__ import annotations

from sqlalchemy import Connection

from ftrack_like.sandbox.database.snapshots import remembered
from ftrack_like.sandbox.schema.model import Model
from ftrack_like.sandbox.tables.site_model import model_of

__all__ = ["known_model"]

_KEY = "model of the site"


def known_model(connection: Connection) -> Model:
    """Return the model of the site for the state that *connection* sees.

    A transaction that has changed object types must use
    :func:`~ftrack_like.sandbox.tables.site_model.model_of` instead.
    """
    known = remembered(connection)
    model: Model = known.get(_KEY) or known.setdefault(_KEY, model_of(connection))
    return model
