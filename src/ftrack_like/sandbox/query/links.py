"""The attribute ``link`` of contexts, versions and groups.

A link is a list of ``{"type", "id", "name"}``, from the project (or top group) to the entity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ftrack_like.sandbox.database.sql import Expression, keys_parameter
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.sources import RowSource

__all__ = [
    "context_link_text",
    "context_links",
    "group_links",
    "version_link_text",
    "version_links",
]

#: The most groups in a link. The limit also ends the loop if groups contain each other.
_GROUP_DEPTH = 50

LinkEntries = list[dict[str, Any]]


def context_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, LinkEntries]:
    """Return the links of the contexts *ids* by id. This needs one statement."""
    rows = connection.execute(_context_statement(catalogue), {"keys": ids})
    return _gather((owner, _context_entry(*entry)) for owner, *entry in rows)


def _context_statement(catalogue: Catalogue) -> Select[Any]:
    ancestry = catalogue.tables["context_ancestry"]
    contexts = catalogue.tables["context"]
    return (
        select(ancestry.c.descendant_id, contexts.c.context_type, contexts.c.id, contexts.c.name)
        .select_from(ancestry.join(contexts, contexts.c.id == ancestry.c.ancestor_id))
        .where(keys_parameter(ancestry.c.descendant_id, "keys"))
        .order_by(ancestry.c.descendant_id, ancestry.c.depth.desc())
    )


def _context_entry(context_type: str, id_: str, name: str) -> dict[str, Any]:
    type_ = "Project" if context_type == "show" else "TypedContext"
    return {"type": type_, "id": id_, "name": name}


def _gather(pairs: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, LinkEntries]:
    links: dict[str, LinkEntries] = {}
    for owner, entry in pairs:
        links.setdefault(owner, []).append(entry)
    return links


def version_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, LinkEntries]:
    """Return the links of the versions *ids* by id. This needs two statements."""
    versions, assets = catalogue.tables["asset_version"], catalogue.tables["asset"]
    statement = (
        select(versions.c.id, versions.c.version, assets.c.name, assets.c.context_id)
        .select_from(versions.outerjoin(assets, assets.c.id == versions.c.asset_id))
        .where(keys_parameter(versions.c.id, "keys"))
    )
    rows = connection.execute(statement, {"keys": ids}).all()
    above = context_links(connection, catalogue, sorted({row[3] for row in rows if row[3]}))
    return {
        id_: [
            *above.get(context_id, ()),
            {"type": "AssetVersion", "id": id_, "name": version_name(name, version)},
        ]
        for id_, version, name, context_id in rows
    }


def version_name(asset: Any, version: Any) -> str:
    """Return the name of a version: ``main - v001`` for version 1 of the asset ``main``."""
    return f"{asset or ''} - v{int(version or 0):03d}"


def group_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, LinkEntries]:
    """Return the links of the groups *ids* by id. A site has few groups, so this reads all."""
    groups = catalogue.tables["resource"]
    statement = select(groups.c.id, groups.c.name, groups.c.parent_id).where(
        groups.c.resource_type == "group"
    )
    known = {id_: (name, parent) for id_, name, parent in connection.execute(statement)}
    return {id_: _group_link(known, id_) for id_ in ids}


def _group_link(known: Mapping[str, tuple[Any, Any]], id_: str) -> LinkEntries:
    link: LinkEntries = []
    current: Any = id_
    while current in known and len(link) < _GROUP_DEPTH:
        name, parent = known[current]
        link.append({"type": "Group", "id": current, "name": name})
        current = parent
    return link[::-1]


# The text that criteria compare: the names from the project down, separated by " / "


def context_link_text(catalogue: Catalogue, source: RowSource) -> Expression:
    """Return the names from the project to the context: ``project / sequence / shot``."""
    return _names(catalogue, source, source.column("id"))


def version_link_text(catalogue: Catalogue, source: RowSource) -> Expression:
    """Return the names from the project to the version's asset, in the same format."""
    above = _names(catalogue, source, _asset(catalogue, source, "context_id"))
    return func.coalesce(above, "") + " / " + func.coalesce(_asset(catalogue, source, "name"), "")


def _asset(catalogue: Catalogue, source: RowSource, column: str) -> Expression:
    assets = catalogue.tables["asset"].alias()
    return (
        select(assets.c[column])
        .where(assets.c.id == source.column("asset_id"))
        .correlate(source.from_)
        .scalar_subquery()
    )


def _names(catalogue: Catalogue, source: RowSource, context_id: Expression) -> Expression:
    ancestry = catalogue.tables["context_ancestry"].alias()
    contexts = catalogue.tables["context"].alias()
    ordered = (
        select(contexts.c.name)
        .select_from(ancestry.join(contexts, contexts.c.id == ancestry.c.ancestor_id))
        .where(ancestry.c.descendant_id == context_id)
        .order_by(ancestry.c.depth.desc())
        # Needed because SQLAlchemy does not correlate a sub-query in FROM automatically.
        .correlate(source.from_)
        .subquery()
    )
    return select(func.aggregate_strings(ordered.c.name, " / ")).scalar_subquery()
