"""Build queries from Python expressions: ``session.select("Task").where(attr.bid > 1)``.

:meth:`Session.select <ftrack_like.session.Session.select>` starts a selection. :data:`attr` makes
the paths for its conditions, columns and order.
"""

from __future__ import annotations

from ftrack_like.query._built import BuiltQuery
from ftrack_like.query._conditions import QueryCondition
from ftrack_like.query._paths import Aggregate, AttributePath, Ordering, attr

__all__ = ["Aggregate", "AttributePath", "BuiltQuery", "Ordering", "QueryCondition", "attr"]
