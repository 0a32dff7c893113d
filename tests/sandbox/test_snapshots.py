"""What is remembered of a state of the database ends with that state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.snapshots import remembered


@pytest.fixture
def database() -> Iterator[Database]:
    """Return a private database with one table."""
    opened = Database()
    with opened.write() as connection:
        connection.exec_driver_sql("CREATE TABLE one (id TEXT)")
    yield opened
    opened.close()


def write(database: Database) -> None:
    """Change the database."""
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES ('a')")


def test_transactions_that_see_one_state_share_what_is_remembered(database: Database) -> None:
    """A connection still knows in its next transaction what it read in the one before."""
    with database.read() as connection:
        remembered(connection)["name"] = "value"
    with database.read() as connection:
        assert remembered(connection) == {"name": "value"}


def test_own_changes_end_what_is_remembered(database: Database) -> None:
    """A connection that wrote remembers nothing of the time before, or of the middle."""
    with database.write() as connection:
        remembered(connection)["name"] = "value"
        connection.exec_driver_sql("INSERT INTO one VALUES ('a')")
    with database.read() as connection:
        assert remembered(connection) == {}


def test_changes_of_others_end_what_is_remembered(database: Database) -> None:
    """A connection remembers nothing once it sees what another one wrote."""
    with database.read() as first, database.read() as second:
        remembered(first)["name"] = remembered(second)["name"] = "value"
    with database.read():  # takes one of both, and the writer takes the other
        write(database)
    with database.read() as first, database.read() as second:
        assert [remembered(first), remembered(second)] == [{}, {}]


def test_what_is_remembered_belongs_to_the_state_of_the_transaction(database: Database) -> None:
    """A transaction remembers while it sees the old state; the next one does not."""
    with database.read() as reader:
        remembered(reader)["name"] = "value"
        write(database)
        assert remembered(reader) == {"name": "value"}
        assert reader.exec_driver_sql("SELECT count(*) FROM one").scalar() == 0
        driver = reader.connection.driver_connection
    with database.read() as reader:
        assert reader.connection.driver_connection is driver
        assert reader.exec_driver_sql("SELECT count(*) FROM one").scalar() == 1
        assert remembered(reader) == {}


def test_asking_begins_the_state_that_the_transaction_sees(database: Database) -> None:
    """A transaction does not see what is written after it asked what is remembered."""
    with database.read() as reader:
        remembered(reader)
        write(database)
        assert reader.exec_driver_sql("SELECT count(*) FROM one").scalar() == 0
