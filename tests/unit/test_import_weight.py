"""What `import ftrack_like` brings with it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Modules that a session and a plain query do without; each takes a millisecond or more.
HEAVY = {
    "arrow",
    "clique",
    "concurrent.futures",
    "dbm",
    "difflib",
    "inspect",
    "pickle",
    "platformdirs",
    "redis",
    "sqlite3",
    "uuid",
    "websocket",
    "xml",
}


#: Names that programs use after importing only the package.
REACHABLE = (
    "accessor.base.Accessor",
    "accessor.disk.DiskAccessor",
    "entity.base.Entity",
    "entity.factory.StandardFactory",
    "entity.location.Location",
    "entity.user.User",
    "event.base.Event",
    "event.expression.Parser",
    "event.hub.EventHub",
    "event.subscriber.Subscriber",
    "event.subscription.Subscription",
    "resource_identifier_transformer.base.ResourceIdentifierTransformer",
    "structure.origin.OriginStructure",
    "structure.standard.StandardStructure",
)


def loaded(code: str) -> set[str]:
    """Return the names of the modules that *code* loads in a process of its own."""
    code += "; import json, sys; print(json.dumps(list(sys.modules)))"
    return set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


@pytest.fixture(scope="module")
def brought() -> set[str]:
    """Return the modules that the session brings beside those of requests."""
    return loaded("import ftrack_like; ftrack_like.Session") - loaded("import requests")


def test_heavy_modules_wait(brought: set[str]) -> None:
    """The session brings no module that a plain query does not need."""
    assert not brought & HEAVY


def test_sandbox_stays_out(brought: set[str]) -> None:
    """The client never loads the sandbox."""
    assert not [name for name in brought if name.startswith("ftrack_like.sandbox")]


def test_tables_and_builders_wait(brought: set[str]) -> None:
    """The session brings no part of building queries, tables and notebooks."""
    parts = ("query.builder", "query._built", "query._table", "query._notebook", "_values.html")
    assert not brought & {f"ftrack_like.{name}" for name in (*parts, "_values.catalogue")}


def test_paths_bring_no_session() -> None:
    """`attr` is there without a session, and without the libraries of data frames."""
    found = loaded("from ftrack_like import attr; attr.status.name == 'Done'")
    assert not found & {"ftrack_like.session", "pandas", "polars", "IPython", *HEAVY}


def test_package_alone() -> None:
    """The bare package loads nothing of the client."""
    assert "requests" not in loaded("import ftrack_like")


def test_modules_are_reachable(brought: set[str]) -> None:
    """The modules whose names programs replace are there once the session is, or when asked for."""
    assert {"ftrack_like.plugin", "ftrack_like.inspection"} <= brought
    for name in REACHABLE:
        assert "requests" in loaded(f"import ftrack_like; ftrack_like.{name}")


def test_hub_waits_for_its_use(brought: set[str]) -> None:
    """The event hub's modules come with its first use, not with the class of sessions."""
    assert not brought & {"ftrack_like.event.hub", "ftrack_like.wire.packets"}


def test_sandbox_starts_light() -> None:
    """The server of the sandbox starts without what only pages, pictures and clients need."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    assert not loaded("import ftrack_like.sandbox.server") & {"PIL", "jinja2", "requests"}


def test_missing_extra_is_named() -> None:
    """Who has not installed what the sandbox needs is told how to."""
    code = "import sys; sys.modules['uvicorn'] = None; import ftrack_like.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Install the extra 'sandbox' of ftrack-like" in done.stderr.splitlines()[-1]
