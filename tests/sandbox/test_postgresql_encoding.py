"""A PostgreSQL database whose encoding is not UTF8."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from ftrack_like.sandbox import command_line

URL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = pytest.mark.skipif(URL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server")


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of an empty database in another encoding."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    assert URL is not None
    name = f"test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(URL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    try:
        url = sqlalchemy.make_url(URL).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


@pytest.mark.parametrize("word", ["start", "worker", "jobs"])
def test_database_in_another_encoding_is_refused(
    database: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command names the encoding, and the command that creates a right database."""
    port = ["--port", "0"] if word == "start" else []
    assert command_line.main([word, "--database", database, *port]) == 1
    told = capsys.readouterr().err
    assert "and a sandbox needs UTF8" in told
    assert "createdb -E UTF8 -T template0 NAME" in told
    assert "Traceback" not in told
