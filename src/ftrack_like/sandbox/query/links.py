"""The ``link`` of contexts, versions and groups: where they are, from the top down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ftrack_like.sandbox.database.sql import Expression, keys_parameter
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.sources import Source

__all__ = [
    "context_link_text",
    "context_links",
    "group_links",
    "version_link_text",
    "version_links",
]

#: Groups within one another that a link shows; a circle of groups ends here.
_GROUP_DEPTH = 50

Link = list[dict[str, Any]]


def context_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, Link]:
    """Return the links of the contexts *ids*, by id, with one statement."""
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


def _gather(pairs: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Link]:
    links: dict[str, Link] = {}
    for owner, entry in pairs:
        links.setdefault(owner, []).append(entry)
    return links


def version_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, Link]:
    """Return the links of the versions *ids*, by id, with two statements."""
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
    """Return ``main - v001`` for version 1 of the asset called *asset* ``main``."""
    return f"{asset or ''} - v{int(version or 0):03d}"


def group_links(
    connection: Connection, catalogue: Catalogue, ids: Sequence[str]
) -> Mapping[str, Link]:
    """Return the links of the groups *ids*, by id; groups are few, so all are read."""
    groups = catalogue.tables["resource"]
    statement = select(groups.c.id, groups.c.name, groups.c.parent_id).where(
        groups.c.resource_type == "group"
    )
    known = {id_: (name, parent) for id_, name, parent in connection.execute(statement)}
    return {id_: _group_link(known, id_) for id_ in ids}


def _group_link(known: Mapping[str, tuple[Any, Any]], id_: str) -> Link:
    link: Link = []
    current: Any = id_
    while current in known and len(link) < _GROUP_DEPTH:
        name, parent = known[current]
        link.append({"type": "Group", "id": current, "name": name})
        current = parent
    return link[::-1]


# What conditions compare: the names from the top down, between slashes


def context_link_text(catalogue: Catalogue, source: Source) -> Expression:
    """Return the names of the context and of those above it, ``project / sequence / shot``."""
    return _names(catalogue, source, source.column("id"))


def version_link_text(catalogue: Catalogue, source: Source) -> Expression:
    """Return the names above the version, and that of its asset."""
    above = _names(catalogue, source, _asset(catalogue, source, "context_id"))
    return func.coalesce(above, "") + " / " + func.coalesce(_asset(catalogue, source, "name"), "")


def _asset(catalogue: Catalogue, source: Source, column: str) -> Expression:
    assets = catalogue.tables["asset"].alias()
    return (
        select(assets.c[column])
        .where(assets.c.id == source.column("asset_id"))
        .correlate(source.from_)
        .scalar_subquery()
    )


def _names(catalogue: Catalogue, source: Source, context_id: Expression) -> Expression:
    ancestry = catalogue.tables["context_ancestry"].alias()
    contexts = catalogue.tables["context"].alias()
    ordered = (
        select(contexts.c.name)
        .select_from(ancestry.join(contexts, contexts.c.id == ancestry.c.ancestor_id))
        .where(ancestry.c.descendant_id == context_id)
        .order_by(ancestry.c.depth.desc())
        # Said by hand, since a query in FROM does not correlate by itself.
        .correlate(source.from_)
        .subquery()
    )
    return select(func.aggregate_strings(ordered.c.name, " / ")).scalar_subquery()
