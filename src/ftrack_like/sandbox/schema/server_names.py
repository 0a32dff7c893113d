"""The server-side names of types and attributes, as events use them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["server_columns", "server_type"]


@functools.cache
def server_type(name: str) -> str:
    """Return the server-side name of the type *name*: `task`, `show`, `assetversion`, …"""
    type_ = stock_type(name)
    alias = type_.alias_for
    if isinstance(alias, Mapping):
        alias = alias.get("id")
    if alias is None and "Component" in type_.bases:
        alias = "Component"
    return str(alias or type_.name).lower()


@functools.cache
def server_columns(name: str) -> Mapping[str, str]:
    """Return the columns of the type *name* by the server-side names of its attributes."""
    return {one.alias: one.column for one in _stored(stock_type(name)) if one.column is not None}


def _stored(type_: EntityType) -> list[Scalar]:
    return [one for one in type_.properties.values() if isinstance(one, Scalar)]
