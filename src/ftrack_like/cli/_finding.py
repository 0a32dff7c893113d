"""Entities by the words that people write: ids, names and paths.

Many words cost few requests: one query finds the entities for up to 500 ids, and another one those
for as many names.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.cli._entities import described, identifying, is_id, schema_of, shown_name
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._known_names import require_path
from ftrack_like.cli._review_list import review_notes
from ftrack_like.cli._text import in_columns, width_of
from ftrack_like.cli._unknown import no_entity
from ftrack_like.cli._version_paths import is_version_path, no_version, versions_at

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.query import QueryResult
    from ftrack_like.session import Session

__all__ = ["find_entities", "find_entity", "reference_by", "stored_values", "whole_ids"]

#: Types without names whose entities have one of these types.
_KINDS = {"Resource": ("User", "Group"), "BaseUser": ("User", "Collaborator")}
#: The advice for those who name an entity of a type without names.
_INSTEAD = {
    "Appointment": "To assign a task, write: ftrack-like create Appointment context=TASK "
    "resource=USER type=assignment",
}
#: The beginning of an id, as tables on narrow terminals show it.
_SHORT_ID = re.compile(r"(?P<start>[0-9a-f]{8}[0-9a-f-]{0,27})(?:…|\.\.\.)?", re.IGNORECASE)
#: How many names are compared for a suggestion, and how many candidates an error lists.
_MOST_NAMES, _LISTED = 1000, 10


def find_entity(
    session: Session, entity_type: str, text: str, projections: Iterable[str] = ()
) -> Entity:
    """Return the entity of *entity_type* that *text* names; see :func:`find_entities`."""
    return find_entities(session, entity_type, [text], projections)[0]


def find_entities(
    session: Session, entity_type: str, texts: Sequence[str], projections: Iterable[str] = ()
) -> list[Entity]:
    """Return the entities of *entity_type* that *texts* name, in their order.

    *projections* are loaded. Each text is an id (the parts of a longer key with commas), the
    beginning of an id with 8 or more characters, a name, or for contexts a path such as
    ``show/sq010/sh010``. Raise :exc:`~ftrack_like.cli._errors.CommandError` for the first text
    that names no entity, or more than one.
    """
    schema = schema_of(session, entity_type)
    wanted = list(dict.fromkeys(texts))
    search = _Search(session, schema, projections)
    if len(schema["primary_key"]) > 1:
        found = search.by_keys(wanted)
    else:
        found = search.by_ids([each for each in wanted if is_id(each)])
        names = [each for each in wanted if not is_id(each)]
        if names:
            found.update(_by_names(search, names))
    return [_only_one(session, schema, each, found.get(each, ())) for each in texts]


def _by_names(search: _Search, names: Sequence[str]) -> dict[str, list[Entity]]:
    """Return the entities by *names*; for a type without names, those of the types below it."""
    if search.entity_type == "AssetVersion":
        return search.by_version_paths(names)
    if identifying(search.schema) is not None:
        found = search.by_names(names)
        left = [each for each in names if each not in found and _SHORT_ID.fullmatch(each)]
        found.update(search.by_beginnings(left))
        return found
    kinds = [each for each in _KINDS.get(search.entity_type, ()) if each in search.session.types]
    if not kinds:
        left = [each for each in names if _SHORT_ID.fullmatch(each)]
        found = search.by_beginnings(left)
        unknown = next((each for each in names if each not in found), None)
        if unknown is not None:
            print_ids = f"Print the ids with: ftrack-like query {search.entity_type}"
            raise CommandError(
                f"{unknown!r} is not an id, and the type {search.entity_type} has no names. "
                f"{_INSTEAD.get(search.entity_type) or print_ids}"
            )
        return found
    found = {}
    for kind in kinds:
        left = [each for each in names if each not in found]
        if left:
            schema = schema_of(search.session, kind)
            found.update(_by_names(_Search(search.session, schema), left))
    return found


class _Search:
    """Queries for entities of the type of *schema*, with *projections* loaded.

    The methods return ``{text: entities}`` for the texts that name any.
    """

    def __init__(
        self, session: Session, schema: Mapping[str, Any], projections: Iterable[str] = ()
    ) -> None:
        self.session, self.schema = session, schema
        self.entity_type: str = schema["id"]
        self._keys: list[str] = list(schema["primary_key"])
        self._projections = list(projections)
        loaded = dict.fromkeys([*self._keys, *_describing(schema), *self._projections])
        self._select = f"select {', '.join(loaded)} from {self.entity_type} where "

    def _rows_in(self, name: str, texts: Iterable[str]) -> Iterator[Entity]:
        """Yield the entities whose attribute *name* is one of *texts*."""
        from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

        for some in groups(dict.fromkeys(texts)):
            yield from self._rows(f"{name} in :texts", texts=some)

    def _rows(self, condition: str, **values: object) -> QueryResult[Entity]:
        """Return the entities for *condition*, a part of a query with *values*."""
        return self.session.query(f"{self._select}{condition}", values=values)

    def by_ids(self, ids: Sequence[str]) -> dict[str, list[Entity]]:
        """Return the entities with *ids*."""
        name = self._keys[0]
        rows = {str(row[name]).lower(): row for row in self._rows_in(name, ids)}
        return {each: [rows[each.lower()]] for each in ids if each.lower() in rows}

    def by_beginnings(self, texts: Sequence[str]) -> dict[str, list[Entity]]:
        """Return the entities whose ids begin as *texts*."""
        starts = {each: str(_SHORT_ID.sub(r"\g<start>", each)).lower() for each in texts}
        found = self._rows_like(self._keys[0], [f"{start}%" for start in starts.values()])
        grouped = {
            each: [row for row in found if str(row[self._keys[0]]).lower().startswith(start)]
            for each, start in starts.items()
        }
        return {each: rows for each, rows in grouped.items() if rows}

    def by_keys(self, texts: Sequence[str]) -> dict[str, list[Entity]]:
        """Return the entities whose keys have several parts, with commas between them."""
        from ftrack_like._values.literals import groups, key_condition  # lazy: likewise

        parts = {each: each.split(",") for each in texts}
        for each in parts.values():
            if len(each) != len(self._keys):
                raise CommandError(
                    f"The key of {with_article(self.entity_type)} has {len(self._keys)} parts "
                    f"({', '.join(self._keys)}), not {len(each)}: write them with commas between "
                    "them."
                )
        texts_by_key = {tuple(each): text for text, each in parts.items()}
        conditions = [key_condition(self._keys, each) for each in texts_by_key]
        rows = {
            tuple(str(row[name]) for name in self._keys): row
            for some in groups(conditions)
            for row in self._rows(" or ".join(some))
        }
        return {text: [rows[key]] for key, text in texts_by_key.items() if key in rows}

    def by_version_paths(self, texts: Sequence[str]) -> dict[str, list[Entity]]:
        """Return the asset versions that *texts* name, paths or the beginnings of ids.

        Raise :exc:`~ftrack_like.cli._errors.CommandError` for the first that names none.
        """
        left = [each for each in texts if _SHORT_ID.fullmatch(each)]
        found = self.by_beginnings(left)
        left = [each for each in texts if each not in found]
        found.update(versions_at(self.session, left, self._projections))
        unknown = next((each for each in texts if each not in found), None)
        if unknown is not None:
            _refuse_query(unknown)
            assets = stored_values(self.session, "Asset", "name")
            raise no_version(self.session, unknown, assets)
        return found

    def by_names(self, texts: Sequence[str]) -> dict[str, list[Entity]]:
        """Return the entities with the names or paths *texts*; an exact name is best."""
        name = str(identifying(self.schema))
        steps = {each: self._steps_in(each) for each in texts}
        wanted = {each: steps[each][-1] for each in texts}
        rows: dict[str, list[Entity]] = {}
        for row in self._rows_in(name, wanted.values()):
            rows.setdefault(str(row[name]), []).append(row)
        found = {each: self._at_path(rows.get(wanted[each], ()), steps[each]) for each in texts}
        left = [each for each in texts if not found[each] and len(steps[each]) == 1]
        for row in self._rows_like(name, left):
            for each in left:
                if str(row[name]).lower() == each.lower():
                    found[each].append(row)
        return {each: entities for each, entities in found.items() if entities}

    def _steps_in(self, text: str) -> list[str]:
        """Return the names in the path *text*, only *text* itself if it is no path."""
        steps = [each for each in text.split("/") if each]
        return steps if len(steps) > 1 and "link" in self.schema["properties"] else [text]

    def _at_path(self, entities: Sequence[Entity], steps: Sequence[str]) -> list[Entity]:
        """Return those of *entities* whose path ends with *steps*.

        A complete path wins: a project and a context below it may have the same name.
        """
        if "link" not in self.schema["properties"]:
            return list(entities)
        found = [each for each in entities if _path(each)[-len(steps) :] == steps]
        return [each for each in found if _path(each) == steps] or found

    def _rows_like(self, name: str, patterns: Iterable[str]) -> list[Entity]:
        """Return the entities whose attribute *name* matches one of *patterns*."""
        from ftrack_like._values.literals import groups, quoted  # lazy: likewise

        conditions = [f"{name} like {quoted(each)}" for each in patterns]
        return [row for some in groups(conditions) for row in self._rows(" or ".join(some))]


def _describing(schema: Mapping[str, Any]) -> list[str]:
    """Return the attributes that describe an entity of *schema* in messages."""
    found = identifying(schema)
    names = [] if found is None else [found]
    return [*names, "link"] if "link" in schema["properties"] else names


def _path(entity: Entity) -> list[str]:
    """Return the names from the project to *entity*."""
    return [str(each["name"]) for each in entity["link"] or ()]


def _only_one(
    session: Session, schema: Mapping[str, Any], text: str, found: Sequence[Entity]
) -> Entity:
    """Return the only one of *found*, the entities of the type of *schema* that *text* names.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` if there is none or more than one.
    """
    entity_type, name = schema["id"], identifying(schema)
    if len(found) == 1:
        return found[0]
    if found:
        remedy = "the id, or a longer path" if "link" in schema["properties"] else "the id"
        raise _several(
            f"There are {len(found)} {entity_type} entities {text!r}:",
            found,
            f"Use {remedy}.",
            (entity_type, name or "id", str(found[0][name or "id"])),
            review_notes(session, found) if entity_type == "ReviewSession" else None,
        )
    if is_id(text) or len(schema["primary_key"]) > 1:
        raise CommandError(
            f"There is no {entity_type} with the id {text!r}. "
            f"'ftrack-like query {entity_type}' prints those that exist."
        )
    kinds = [entity_type] if name is not None else list(_KINDS[entity_type])
    wanted = text.rpartition("/")[2] if "link" in schema["properties"] else text
    known = _existing_names(session, kinds)
    if wanted != text and wanted in (known or ()):
        # The mistake is further up in the path.
        known, wanted = _paths_to(session, entity_type, wanted), text
    _refuse_query(text)
    raise CommandError(no_entity(kinds, text, known, compared=wanted))


def _refuse_query(text: str) -> None:
    """Raise an error with the form to write if *text*, which names no entity, is a query."""
    if " where " in text:
        query = shlex.quote(text)
    elif "*" in text:
        query = "'TYPE where …'"
    else:
        return
    what = "is a query, not a name" if " where " in text else "has a wildcard, as no name does"
    raise UsageMistake(
        f"{text!r} {what}. Pass the ids: ftrack-like query {query} --columns id | ftrack-like … - …"
    )


def _paths_to(session: Session, entity_type: str, name: str) -> list[str]:
    """Return the paths of *entity_type* entities with the *name*, at most 15."""
    rows = session.query(
        f"select link from {entity_type} where name is :name limit 15", values={"name": name}
    )
    return sorted("/".join(_path(each)) for each in rows)


def _several(
    message: str,
    found: Sequence[Entity],
    remedy: str,
    condition: tuple[str, str, str],
    notes: Optional[Mapping[str, str]] = None,
) -> CommandError:
    """Return the error *message* with the entities *found*, and what to do.

    *condition* is the type, the attribute and the value that all of them have. *notes* are words
    by id that tell them apart.
    """
    from ftrack_like._values.literals import quoted  # lazy: likewise

    shown = sorted(found, key=described)[:_LISTED]
    width = max(width_of(shown_name(each)) for each in shown)
    lines = []
    for each in shown:
        key = ",".join(str(part) for part in each.operation_key().values())
        line = f"{in_columns(shown_name(each), width)}  {key}  {(notes or {}).get(key, '')}"
        lines.append(line.rstrip())
    if len(found) > _LISTED:
        lines.append(f"and {len(found) - _LISTED} more")
        entity_type, attribute, value = condition
        expression = shlex.quote(f"{entity_type} where {attribute} is {quoted(value)}")
        remedy += f" Print all with: ftrack-like query {expression}"
    return CommandError(message, lines, remedy)


def stored_values(session: Session, entity_type: str, name: str) -> Optional[list[str]]:
    """Return the values of the attribute *name* of all *entity_type* entities, each once, sorted.

    Return None if there are too many entities.
    """
    rows = session.query(
        f"select {name} from {entity_type} limit {_MOST_NAMES}", page_size=_MOST_NAMES
    ).all()
    if len(rows) == _MOST_NAMES:
        return None
    return sorted({str(each[name]) for each in rows if each[name]})


def _existing_names(session: Session, entity_types: Iterable[str]) -> Optional[list[str]]:
    """Return the names of all entities of *entity_types*, sorted; None if there are too many."""
    found: list[str] = []
    for each in entity_types:
        name = identifying(schema_of(session, each)) if each in session.types else None
        values = [] if name is None else stored_values(session, each, name)
        if values is None:
            return None
        found += values
    return sorted(found)


def whole_ids(session: Session, entity_types: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Return *texts* with whole ids in place of the beginnings of ids of *entity_types*.

    If these contain ``AssetVersion``, the paths of versions are replaced too. Raise
    :exc:`~ftrack_like.cli._errors.CommandError` for the beginning of several ids, and for a path
    without a version.
    """
    short = [each for each in texts if _SHORT_ID.fullmatch(each) and not is_id(each)]
    whole: dict[str, str] = {}
    if "AssetVersion" in entity_types:
        paths = [each for each in texts if each not in short and is_version_path(each)]
        found = find_entities(session, "AssetVersion", paths) if paths else []
        whole.update({text: str(each["id"]) for text, each in zip(paths, found)})
    for entity_type in entity_types:
        schema = schema_of(session, entity_type)
        left = [each for each in short if each not in whole]
        for text, alike in _Search(session, schema).by_beginnings(left).items():
            whole[text] = str(_only_one(session, schema, text, alike)["id"])
    return [whole.get(each, each) for each in texts]


def reference_by(session: Session, entity_type: str, path: str, value: str) -> Entity:
    """Return the only entity of *entity_type* whose attribute at *path* is *value*.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` if there is none or more than one.
    """
    require_path(session, entity_type, path)
    schema = schema_of(session, entity_type)
    loaded = ", ".join([*schema["primary_key"], *_describing(schema)])
    found = session.query(
        f"select {loaded} from {entity_type} where {path} is :value", values={"value": value}
    ).all()
    if len(found) == 1:
        return found[0]
    if not found:
        known = stored_values(session, entity_type, path) if "." not in path else None
        named = None if path == identifying(schema) else path
        raise CommandError(no_entity([entity_type], value, known, path=named))
    raise _several(
        f"There are {len(found)} {entity_type} entities whose {path} is {value!r}:",
        found,
        "Use the id.",
        (entity_type, path, value),
    )
