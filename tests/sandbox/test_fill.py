"""The command that fills a site with a generated studio."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Optional

import pytest
import sqlalchemy
from tests.databases import NEEDS_POSTGRES, POSTGRES

from ftrack_like.sandbox import fill as command
from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.command_line import main
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.schema import MODEL, general_type
from ftrack_like.sandbox.schema.model import EntityType, Scalar
from ftrack_like.sandbox.seed import generate
from ftrack_like.sandbox.seed.generate import AlreadyFilledError, fill
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.values import wire_converter

#: The tables that a fill writes, in an order in which a client could create their entities.
ORDER = (
    "resource",
    "user_security_role",
    "membership",
    "context",
    "appointment",
    "typed_context_link",
    "timelog",
    "asset",
    "asset_version",
    "component",
    "component_location",
    "note",
    "metadata",
    "custom_attribute_value",
    "list",
    "list_object",
)

#: Only the server sets these, for the user and the time of the request.
STAMPS = {"created_at", "created_by_id"}

#: A client leaves these out, and the server derives them.
DERIVED = {
    "asset": {"project_id"},
    "asset_version": {"project_id", "version"},
    "context": {"project_id", "priority_id", "context_type", "object_type_id"},
    "metadata": {"parent_type"},
    "note": {"project_id", "parent_type"},
}

both = pytest.mark.parametrize(
    "url",
    [
        None,
        pytest.param(
            POSTGRES,
            id="postgresql",
            marks=NEEDS_POSTGRES,
        ),
    ],
)


def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the tables that matter, sorted by their keys."""
    found = {}
    with database.read() as connection:
        for name, table in TABLES.items():
            rows = connection.execute(sqlalchemy.select(table)).mappings()
            found[name] = sorted(map(dict, rows), key=lambda row: [str(row[k]) for k in key(name)])
    return found


def key(table: str) -> list[str]:
    """Return the columns of the primary key of *table*."""
    return [column.name for column in TABLES[table].primary_key.columns]


def operations(rows: dict[str, list[dict[str, Any]]], old: set[Any]) -> Iterator[dict[str, Any]]:
    """Yield the operations by which a client creates the entities of *rows* without *old* ones."""
    for table in ORDER:
        # Parents come first, and versions in the order of their numbers.
        by_date = {row["id"]: row.get("date") for row in rows.get(table, ()) if "id" in row}
        chosen = rows[table]
        if table == "context":
            depth = {
                row["descendant_id"]: row["depth"]
                for row in sorted(rows["context_ancestry"], key=lambda one: one["depth"])
            }
            chosen = sorted(chosen, key=lambda row: depth[row["id"]])
        elif table == "asset_version":
            chosen = sorted(chosen, key=lambda row: by_date[row["id"]])
        for row in chosen:
            if (table, *(row[name] for name in key(table))) not in old:
                yield creation(table, row)


def creation(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the operation that creates the entity of *row* in *table*."""
    type_ = concrete_type(table, row)
    data: dict[str, Any] = {"__entity_type__": type_.name}
    for one in type_.properties.values():
        if not isinstance(one, Scalar) or one.column is None or row[one.column] is None:
            continue
        if one.column in STAMPS | DERIVED.get(table, set()) | set(type_.classifier):
            continue
        convert = wire_converter(one)
        data[one.name] = row[one.column] if convert is None else convert(row[one.column])
    if table == "custom_attribute_value":
        data["value"] = row["number"]
    return {
        "action": "update" if table == "custom_attribute_value" else "create",
        "entity_type": type_.name,
        "entity_key": [row[name] for name in type_.primary_key],
        "entity_data": data,
    }


def concrete_type(table: str, row: dict[str, Any]) -> EntityType:
    """Return the type of the entity of *row* in *table*."""
    if table == "custom_attribute_value":
        return MODEL.types["ContextCustomAttributeValue"]
    return MODEL.type_of_row(general_type(table), row)


@both
def test_a_filled_site_equals_one_that_clients_made(
    url: Optional[str], namespace: Any, tmp_path: Any
) -> None:
    """A filled site has the same rows as one whose entities were created by the API."""
    with namespace(url) as place, closing(SiteData(url=place, media=tmp_path)) as data:
        database = data.open()
        before = contents(database)
        with database.load() as connection:
            fill(connection, 25, projects=2, versions=2, seed=3)
        filled = contents(database)
        data.reset()
        reset = contents(database)
        old = {(t, *(row[k] for k in key(t))) for t, rows in before.items() for row in rows}
        api = Api(database, MediaService(database, tmp_path))
        with database.read() as connection:
            users = TABLES["resource"].c
            admin = connection.execute(
                sqlalchemy.select(users.id).where(users.username == "admin")
            ).scalar_one()
        authors = {row["id"]: row["user_id"] for row in filled["note"]}
        for one in operations(filled, old):
            author = authors.get(one["entity_key"][0]) if one["entity_type"] == "Note" else None
            # The author of a note becomes a recipient.
            user = RequestUser(author or admin, "somebody", unrestricted=True)
            answer = api.answer(json.dumps([one]).encode(), user, "http://x", bulk=True)
            assert answer.body.startswith(b"["), (one, answer.body)
        made = contents(database)
        api.close()
    different = {
        table: differences(without_stamps(filled[table]), without_stamps(made[table]))
        for table in TABLES
        if without_stamps(filled[table]) != without_stamps(made[table])
        and table not in ("server_value", "user_api_key")
    }
    assert different == {}
    assert len(made["context"]) > len(reset["context"]) + 25


def differences(filled: list[dict[str, Any]], made: list[dict[str, Any]]) -> Any:
    """Return the first rows that differ, reduced to the values that do, and both numbers."""
    for one, other in zip(filled, made):
        if one != other:
            return {name: (one[name], other[name]) for name in one if one[name] != other[name]}
    return len(filled), len(made)


def without_stamps(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *rows* without what depends on the time and the user of the request."""
    return [{name: row[name] for name in row if name not in STAMPS} for row in rows]


@both
def test_a_large_fill_makes_all_indexes_again(
    url: Optional[str], namespace: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A fill without indexes leaves the indexes and foreign keys of a new site, and valid rows."""
    monkeypatch.setattr(generate, "_FEW_TASKS", 1)
    with namespace(url) as place, closing(SiteData(url=place, media=tmp_path)) as data:
        database = data.open()
        before = structure(database)
        with database.load() as connection:
            fill(connection, 25, projects=1)
        assert structure(database) == before
        if database.is_sqlite:
            with database.read() as connection:
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def structure(database: Database) -> tuple[set[Any], set[Any]]:
    """Return the indexes and the foreign keys of *database*, by table and name."""
    with warnings.catch_warnings(), database.read() as connection:
        warnings.simplefilter("ignore")  # not all expressions of indexes can be read
        inspector = sqlalchemy.inspect(connection)
        indexes = inspector.get_multi_indexes()
        keys = inspector.get_multi_foreign_keys()
    return (
        {(table, one["name"]) for (_, table), some in indexes.items() for one in some},
        {
            (table, tuple(one["constrained_columns"]), str(one["options"]))
            for (_, table), some in keys.items()
            for one in some
        },
    )


def test_a_second_fill_needs_another_seed() -> None:
    """A site takes several studios of different seeds, which share users, but not one twice."""
    with closing(SiteData()) as data:
        database = data.open()
        with database.load() as connection:
            fill(connection, 5, seed=1)
        with database.load() as connection:
            fill(connection, 5, seed=2)
        with pytest.raises(AlreadyFilledError, match="seed 1"), database.load() as connection:
            fill(connection, 5, seed=1)
        with database.read() as connection:
            contexts = TABLES["context"].c
            projects = sqlalchemy.select(contexts.name).where(contexts.context_type == "show")
            assert sorted(connection.execute(projects).scalars()) == ["film_1_000", "film_2_000"]


@both
def test_a_running_sandbox_is_not_filled(
    url: Optional[str], namespace: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command refuses data that a running server uses, and fills them after its end."""
    with namespace(url) as place:
        options = ["--data", str(tmp_path)] if place is None else ["--database", place]
        folder = tmp_path if place is None else None
        with closing(SiteData(folder, url=place, media=tmp_path / "media")) as data:
            data.open()
            assert main(["fill", "--tasks", "5", *options]) == 1
            assert "Stop it, or choose another" in capsys.readouterr().err
        assert main(["fill", "--tasks", "5", *options]) == 0
        assert "entities" in capsys.readouterr().out


@both
def test_an_interrupted_fill_adds_nothing(
    url: Optional[str],
    namespace: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C during a fill leaves the site as it was, and the command says so."""

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_draw_bar", interrupt)
    monkeypatch.setattr(generate, "_FEW_TASKS", 1)
    with namespace(url) as place:
        options = ["--data", str(tmp_path)] if place is None else ["--database", place]
        assert main(["fill", "--tasks", "30", "--projects", "3", *options]) == 130
        assert "No project was added" in capsys.readouterr().err
        folder = tmp_path if place is None else None
        with closing(SiteData(folder, url=place, media=tmp_path / "media")) as data:
            database = data.open()
            assert contents(database)["context"] == []
            assert ("context", "ix_context_name") in structure(database)[0]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="mounts a file system as Linux does")
@pytest.mark.parametrize("mebibytes", [2, 4, 6, 8, 10, 12, 14])
def test_a_fill_on_a_full_disk_adds_all_or_nothing(
    mebibytes: int, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the disk becomes full, the command says so, and no part of a studio stays."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-o", f"size={mebibytes}m", "-t", "tmpfs", "tmpfs", str(place)]
    mounted = subprocess.run(mount, stderr=subprocess.PIPE, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a file system: {mounted.stderr.strip()}")
    try:
        status = main(["fill", "--tasks", "1000", "--projects", "1", "--data", str(place)])
        told = capsys.readouterr().err.strip()
        if status:
            assert len(told.splitlines()) == 1, told
            assert "full" in told or "free space" in told
            return
        copy = tmp_path / "copy"
        shutil.copytree(place, copy)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
    with closing(SiteData(copy)) as data:
        filled = [one for one in contents(data.open())["context"] if one["name"] == "animation"]
        assert len(filled) > 50


@pytest.mark.parametrize(
    "options", [["--tasks", "0"], ["--tasks", "-1"], ["--projects", "0"], ["--seed", "x"]]
)
def test_senseless_sizes_are_refused(options: list[str], tmp_path: Any) -> None:
    """A size that is no number above zero is an error, and no site is made."""
    with pytest.raises(SystemExit) as raised:
        sys.exit(main(["fill", "--data", str(tmp_path / "new"), *options]))
    assert raised.value.code in (1, 2)
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_the_progress(tmp_path: Any) -> None:
    """On a terminal the command draws a bar, and removes it at the end."""
    reader, writer = os.openpty()
    command_line = [sys.executable, "-m", "ftrack_like.sandbox", "fill", "--tasks", "8"]
    subprocess.run(
        [*command_line, "--projects", "2", "--data", str(tmp_path)],
        stderr=writer,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    os.close(writer)
    shown = os.read(reader, 65_536).decode()
    os.close(reader)
    assert "1 of 2 projects" in shown
    assert shown.endswith("\r\x1b[K")
