"""The action ``get_widget_url``: returns the addresses of pages that programs embed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.attributes import columns_of_key, find_row, read_key, required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.values import shown
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.language import did_you_mean
from ftrack_like.sandbox.links import widget_link
from ftrack_like.sandbox.media.signing import Signer

__all__ = ["THEMES", "WIDGETS", "WidgetActions"]

#: The widgets, and the types of entities that each can show; None means any type.
WIDGETS: Mapping[str, Optional[tuple[str, ...]]] = {
    "info": None,
    "review_action": None,
    "review_navigation": (
        *("Asset", "AssetVersion", "AssetVersionList", "Context", "List"),
        *("ReviewSession", "ReviewSessionObject", "TempData"),
    ),
    "tasks": ("Context", "User"),
    "tasks_browser": ("Context", "User"),
}

THEMES = ("dark", "light")


class WidgetActions:
    """The action; *signer* signs the addresses."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def actions(self) -> tuple[ApiAction, ...]:
        """Return the API action."""
        return (ApiAction("get_widget_url", self.get_widget_url, reads=True),)

    def get_widget_url(self, operation: Operation, batch: Batch) -> Any:
        """Return the address of a widget, which works without headers for six minutes."""
        name = _one_of("widget", required_key(operation, "name"), WIDGETS)
        theme = operation.get("theme")
        if theme is not None:
            theme = _one_of("theme", theme, THEMES)
        link = widget_link(
            self._signer,
            name,
            batch.user_id,
            theme=theme,
            entity=_entity(name, operation, batch),
        )
        return {"widget_url": batch.context.server_url + link}


def _entity(name: str, operation: Operation, batch: Batch) -> Optional[tuple[str, str]]:
    """Return type and key of the entity in *operation*, None if it names none."""
    if operation.get("entity_type") is None:
        return None
    asked = batch.entity_type(operation["entity_type"])
    allowed = WIDGETS[name]
    if allowed is not None and not {asked.name, *asked.bases}.intersection(allowed):
        raise ValidationError(
            f"The widget {name!r} shows data of {', '.join(allowed)}, not of "
            f"{with_article(asked.name)}."
        )
    columns = read_key(asked, operation) or columns_of_key(asked, {})
    batch.settle()
    row = find_row(batch, asked, columns)
    type_ = batch.model.type_of_row(asked.name, row)
    return type_.name, json.dumps(list(columns.values()))


def _one_of(what: str, value: Any, known: Any) -> str:
    if isinstance(value, str) and value in known:
        return value
    near = did_you_mean(str(value), known)
    names = ", ".join(map(repr, known))
    raise ValidationError(f"There is no {what} {shown(value)}.{near} The sandbox has {names}.")
