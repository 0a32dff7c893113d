"""The databases that tests of the sandbox run on: SQLite, and PostgreSQL if a server is named."""

from __future__ import annotations

import os

import pytest

__all__ = ["DATABASES", "NEEDS_POSTGRES", "POSTGRES"]

#: The address of a database on a PostgreSQL server; None without one.
POSTGRES = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

#: The marks of a test, or of a parameter, that needs PostgreSQL.
NEEDS_POSTGRES = [
    pytest.mark.postgres,
    pytest.mark.skipif(POSTGRES is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server"),
]

#: The parameters of a fixture for a site on either database.
DATABASES = ["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRES)]
