"""The log of slow statements."""

from __future__ import annotations

import logging
from typing import Any, Optional

import pytest
import sqlalchemy
from tests.databases import NEEDS_POSTGRES, POSTGRES

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.slow_statements import log_slow_statements
from ftrack_like.sandbox.tables.layout import TABLES, create_tables


@pytest.mark.parametrize(
    ("url", "node"),
    [
        (None, "SEARCH context USING INDEX ix_context_name"),
        pytest.param(
            POSTGRES,
            "Scan",
            marks=NEEDS_POSTGRES,
        ),
    ],
)
def test_a_slow_statement_is_logged_with_its_plan(
    url: Optional[str], node: str, namespace: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log contains statement and plan, but no values; a quick statement is not logged."""
    contexts = TABLES["context"].c
    named = sqlalchemy.select(contexts.id).where(contexts.name == "secret")
    with namespace(url) as place:
        database = Database(place)
        with database.write() as connection:
            create_tables(connection)
        log_slow_statements(database.engine, 1_000.0)
        with database.read() as connection:
            connection.execute(named).all()
        assert caplog.records == []
        log_slow_statements(database.engine, 0.0)
        with database.read() as connection:
            assert connection.execute(named).all() == []
        database.close()
    (record,) = [one for one in caplog.records if "FROM context" in one.getMessage()]
    assert record.levelno == logging.WARNING
    assert node in record.getMessage()
    assert "took" in record.getMessage()
    assert "secret" not in record.getMessage()
