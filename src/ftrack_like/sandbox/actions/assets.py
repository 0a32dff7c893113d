"""Assets, their versions, and the numbers of those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions import workflow
from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.contexts import project_of, record_status_change
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["HOOKS"]


# Assets


def _created_asset(batch: Batch, type_: EntityType, row: Row) -> None:
    if not _settle_asset(batch, row):
        batch.settle_later(lambda: _settle_asset(batch, row))


def _settle_asset(batch: Batch, row: Row) -> bool:
    """Give the new asset *row* the project of its context; False if that is not known yet."""
    project_id = project_of(batch, row["context_id"])
    if project_id is None:
        return False
    batch.store.update("asset", row, {"project_id": project_id})
    return True


def _change_asset(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if changes.get("context_id") is not None:
        changes["project_id"] = project_of(batch, changes["context_id"]) or row["project_id"]


def _changed_asset(batch: Batch, type_: EntityType, row: Row, old: Mapping[str, Any]) -> None:
    if "project_id" in old:
        batch.store.update_where(
            "asset_version", {"project_id": row["project_id"]}, asset_id=row["id"]
        )


# Versions


def _created_version(batch: Batch, type_: EntityType, row: Row) -> None:
    if not _settle_version(batch, row):
        batch.settle_later(lambda: _settle_version(batch, row))


def _settle_version(batch: Batch, row: Row) -> bool:
    """Give the new version *row* number, project and status; False if they are not known yet."""
    asset_id = row["asset_id"]
    asset = batch.store.get("asset", (asset_id,)) if asset_id is not None else None
    if asset is None or asset["project_id"] is None:
        return False
    found = {"project_id": asset["project_id"], "version": _number(batch, asset_id, row["version"])}
    if row["status_id"] is None:
        found["status_id"] = workflow.first_version_status(batch, asset["project_id"])
    batch.store.update("asset_version", row, found)
    return True


def _number(batch: Batch, asset_id: str, given: Optional[int]) -> int:
    """Return the number of a new version of an asset: the *given* one, or the next."""
    note = ("last version", asset_id)
    if note not in batch.notes:
        columns = TABLES["asset_version"].c
        statement = sqlalchemy.select(sqlalchemy.func.max(columns.version))
        found = batch.store.execute(statement.where(columns.asset_id == asset_id)).scalar()
        batch.notes[note] = found or 0
    number = given if given is not None else batch.notes[note] + 1
    batch.notes[note] = max(batch.notes[note], number)
    return int(number)


def _change_version(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    asset_id = changes.get("asset_id")
    asset = batch.store.get("asset", (asset_id,)) if asset_id is not None else None
    if asset is not None:
        changes["project_id"] = asset["project_id"]


def _changed_version(batch: Batch, type_: EntityType, row: Row, old: Mapping[str, Any]) -> None:
    if "asset_id" in old or "version" in old:
        batch.notes.pop(("last version", row["asset_id"]), None)
    if old.get("status_id") is not None:
        record_status_change(batch, "assetversion", row, old["status_id"])


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Asset": (Hooks(created=_created_asset, changing=_change_asset, changed=_changed_asset),),
    "AssetVersion": (
        Hooks(created=_created_version, changing=_change_version, changed=_changed_version),
    ),
}
