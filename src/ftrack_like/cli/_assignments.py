"""Assignments on the command line: ``attribute=value`` with values typed by the schema.

========================  =================================================================
``name=sh010``            text, number, true or false, date, as the schema says; nothing for
                          no value
``bid=8h``                seconds, also as a duration that ``log time`` takes
``status="In progress"``  a reference by id, name or path
``status.name=Done``      a reference by an attribute of the other entity
``custom.fstart=1001``    a custom attribute; ``custom_attributes.fstart`` is the same
``metadata.shelf=12``     an entry of the metadata
``description=@note.txt`` the text of a file; ``@-`` reads standard input
``bid:=28800``            a JSON value
========================  =================================================================
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like._values.units import SECONDS, seconds_in
from ftrack_like.cli._choices import check_choice
from ftrack_like.cli._entities import NAMING, identifying, is_id, schema_of
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entities, reference_by
from ftrack_like.cli._known_names import custom_name_hint
from ftrack_like.cli._unknown import unknown_attribute, unknown_custom_attribute

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = [
    "Assignment",
    "apply_keyed",
    "assignments_of",
    "assignments_of_several",
    "is_form",
    "plain_values",
    "projections_to_set",
]

_FORM = re.compile(r"(?P<path>[A-Za-z_][A-Za-z0-9_.:\- ]*?)(?P<sign>:=|=)(?P<value>.*)", re.DOTALL)
#: The attributes by which the configuration of a custom attribute is chosen.
_OF_CONFIGURATIONS = ("object_type_id", "project_id")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Assignment(NamedTuple):
    """``attribute=value``: the names of *path*, and the *text* or the JSON *value* to set."""

    source: str
    path: tuple[str, ...]
    text: str
    value: Json = None
    is_json: bool = False

    @property
    def attribute(self) -> str:
        """The attribute of the entity."""
        first = self.path[0]
        return "custom_attributes" if first == "custom" and len(self.path) > 1 else first

    @property
    def rest(self) -> str:
        """The path after the attribute: a key, or an attribute of a reference."""
        return ".".join(self.path[1:])


def is_form(word: str) -> bool:
    """Return whether *word* has the form of an assignment."""
    return _FORM.fullmatch(word) is not None


def assignments_of(arguments: Iterable[str]) -> list[Assignment]:
    """Return the assignments in *arguments*.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` for another form, for invalid JSON, and for
    an attribute that is set twice.
    """
    shared, names = assignments_of_several(arguments)
    if len(names) > 1:
        raise UsageMistake(f"{'.'.join(names[0].path)!r} is set twice.")
    return shared


def assignments_of_several(
    arguments: Iterable[str],
) -> tuple[list[Assignment], list[Assignment]]:
    """Return the assignments in *arguments*: those of all entities, and the name of each entity.

    The second list has several assignments if the arguments repeat the attribute by which people
    name entities, as in ``name=sh010 name=sh020``; else it is empty. Raise
    :exc:`~ftrack_like.cli._errors.UsageMistake` as :func:`assignments_of` does, and for a name
    that is repeated.
    """
    found: dict[tuple[str, ...], list[Assignment]] = {}
    before = ""
    for argument in arguments:
        assignment = _assignment_of(argument, before)
        found.setdefault(assignment.path, []).append(assignment)
        before = argument
    repeated = [path for path, each in found.items() if len(each) > 1]
    for number, path in enumerate(repeated):
        if number or path[0] not in NAMING or len(path) > 1:
            raise UsageMistake(f"{'.'.join(path)!r} is set twice.")
    names = [each for path in repeated for each in found[path]]
    texts = [each.text.lower() for each in names]
    for each in names:
        if texts.count(each.text.lower()) > 1:
            raise UsageMistake(f"{each.source!r} is there twice.")
    shared = [each for path, some in found.items() for each in some if path not in repeated]
    return shared, names


def _assignment_of(argument: str, before: str) -> Assignment:
    """Return the assignment in *argument*, which follows the argument *before*."""
    match = _FORM.fullmatch(argument)
    if match is None:
        raise UsageMistake(f"{argument!r} is not an assignment. {_form_advice(argument, before)}")
    path, text = tuple(match["path"].split(".")), match["value"]
    if not all(path):
        raise UsageMistake(f"{argument!r} has an empty name before or after a dot.")
    if match["sign"] == "=":
        return Assignment(argument, path, _given_text(argument, text))
    try:
        return Assignment(argument, path, text, json.loads(text), True)
    except ValueError as error:
        raise UsageMistake(f"{argument!r} has no valid JSON after ':=': {error}.") from error


def _form_advice(argument: str, before: str) -> str:
    """Return the sentence about *argument*, which has no form of assignment, after *before*."""
    if "/" in argument or is_id(argument):
        return f"Write ids and paths before the assignments, or attribute=value: parent={argument}"
    if is_form(before):  # The shell has split a value of several words.
        import shlex  # lazy: only for mistakes

        return f"Put a value of several words in quotes: {shlex.quote(f'{before} {argument}')}"
    example = argument if re.fullmatch(r"[\w-]+", argument) else "sh010"
    return f"Write attribute=value, such as name={example}, or attribute:=JSON."


def _given_text(argument: str, text: str) -> str:
    """Return *text*, or the contents of the file that it names after ``@``."""
    if not text.startswith("@"):
        return text
    try:
        if text == "@-":
            return sys.stdin.read().rstrip("\n")
        with open(text[1:], encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise UsageMistake(
            f"{argument!r}: the file {text[1:]!r} cannot be read: {reason}. "
            "For text that begins with '@' use attribute:='\"@…\"'."
        ) from error


def projections_to_set(
    session: Session, entity_type: str, assignments: Sequence[Assignment]
) -> list[str]:
    """Return the projections that *assignments* need, and that show the old values in a plan."""
    properties = schema_of(session, entity_type)["properties"]
    found = []
    for each in assignments:
        found.append(each.attribute)
        if each.attribute == "custom_attributes":
            found += [name for name in _OF_CONFIGURATIONS if name in properties]
        target = properties.get(each.attribute, {}).get("$ref")
        name = identifying(schema_of(session, target)) if target else None
        if name is not None:
            found.append(f"{each.attribute}.{name}")
    return list(dict.fromkeys(found))


def plain_values(
    session: Session, entity_type: str, assignments: Sequence[Assignment]
) -> dict[str, Value]:
    """Return ``{attribute: value}`` for *assignments* of an *entity_type*, without keyed ones.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` for an unknown attribute, a value of the
    wrong type, and a reference that does not name exactly one entity.
    """
    properties = schema_of(session, entity_type)["properties"]
    found: dict[str, Value] = {}
    for each in assignments:
        fragment = _property(session, entity_type, properties, each.attribute)
        if fragment.get("type") == "mapped_array":
            if not each.rest:
                raise CommandError(
                    f"{each.source!r}: {each.attribute} has keys. Write {each.attribute}.KEY=value."
                )
        elif each.attribute in found:
            raise CommandError(f"{each.attribute!r} is set twice.")
        else:
            found[each.attribute] = value = _typed(session, each, fragment)
            if isinstance(value, str):
                check_choice(session, entity_type, each.attribute, value, repr(each.source))
    return found


def _property(
    session: Session, entity_type: str, properties: Mapping[str, Any], name: str
) -> Mapping[str, Any]:
    """Return the schema of the attribute *name*."""
    if name not in properties:
        meant = custom_name_hint(session, entity_type, name)
        raise unknown_attribute(entity_type, name, properties, meant)
    fragment: Mapping[str, Any] = properties[name]
    return fragment


def _typed(session: Session, each: Assignment, fragment: Mapping[str, Any]) -> Value:
    """Return the value of the assignment *each* for an attribute with the schema *fragment*."""
    target = fragment.get("$ref") or fragment.get("items", {}).get("$ref")
    is_list = fragment.get("type") == "array"
    if target is None:
        if each.rest:
            raise CommandError(f"{each.source!r}: {each.attribute} is not a reference.")
        return each.value if each.is_json else _scalar(each, fragment)
    if each.is_json:
        return _from_json(session, each, target)
    if is_list and not each.rest:
        names = [name.strip() for name in each.text.split(",") if name.strip()]
        return _referenced_by(session, each, target, names)
    if is_list:
        raise CommandError(f"{each.source!r}: {each.attribute} is a list. Write ids or names.")
    return None if each.text == "" else _referenced_by(session, each, target, [each.text])[0]


def _referenced_by(
    session: Session, each: Assignment, target: str, texts: Sequence[str]
) -> list[Entity]:
    """Return the entities of the type *target* that *texts* name."""
    try:
        if each.rest:
            return [reference_by(session, target, each.rest, text) for text in texts]
        return find_entities(session, target, texts)
    except CommandError as error:
        raise error.about(repr(each.source)) from error


def _from_json(session: Session, each: Assignment, target: str) -> Value:
    """Return the entities for the ids or names in the JSON value of *each*."""
    if each.value is None:
        return None
    values = each.value if isinstance(each.value, list) else [each.value]
    found = _referenced_by(session, each, target, list(map(str, values)))
    return found if isinstance(each.value, list) else found[0]


def _scalar(each: Assignment, fragment: Mapping[str, Any]) -> Value:
    """Return the text of *each* as the type in *fragment*."""
    kind = fragment.get("type")
    if fragment.get("format") in ("date", "date-time"):
        return _date_in(each)
    if kind in ("string", None):
        return each.text
    if each.text == "":
        return None
    if kind == "boolean":
        return _truth_in(each)
    if each.attribute in SECONDS:
        return _seconds_in(each)
    if kind in ("number", "integer", "float"):
        return _number_in(each, whole=kind == "integer")
    raise CommandError(f"{each.source!r}: write a value of the type {kind} as JSON, with ':='.")


def _truth_in(each: Assignment) -> bool:
    """Return the truth value in the text of *each*."""
    word = each.text.lower()
    if word not in (*_TRUE, *_FALSE):
        raise CommandError(f"{each.source!r}: {each.text!r} is neither true nor false.")
    return word in _TRUE


def _number_in(each: Assignment, whole: bool = False) -> float:
    """Return the number in the text of *each*."""
    try:
        return int(each.text)
    except ValueError:
        pass
    try:
        number = float(each.text)
    except ValueError:
        number = float("nan")
    if whole or not math.isfinite(number):
        kind = "a whole number" if whole else "a number"
        raise CommandError(f"{each.source!r}: {each.text!r} is not {kind}.")
    return number


def _seconds_in(each: Assignment) -> float:
    """Return the seconds in the text of *each*, a number or a duration."""
    try:
        return float(_number_in(each))  # As servers send it, so that an equal value is no change.
    except CommandError:
        try:
            return seconds_in(each.text)
        except ValueError:
            raise CommandError(
                f"{each.source!r}: {each.text!r} is not a number of seconds. {each.attribute} is "
                "in seconds: write seconds, such as 28800, or a duration, such as 8h, 1h30m, 45m "
                "or 1:30. Write days in hours."
            ) from None


def _date_in(each: Assignment) -> Value:
    """Return the date in the text of *each*, in UTC if it has no time zone; None for no text."""
    import arrow  # lazy: "--help" answers at once

    word = each.text.strip().lower()
    if not word:
        return None
    if word in ("now", "today"):
        now = arrow.utcnow()
        return now if word == "now" else now.floor("day")
    try:
        return arrow.get(each.text.strip())
    except (arrow.parser.ParserError, ValueError, OverflowError):
        raise CommandError(
            f"{each.source!r}: {each.text!r} is not a date. Write 2026-03-09 or "
            "2026-03-09T18:00+01:00."
        ) from None


def apply_keyed(
    session: Session, entities: Sequence[Entity], assignments: Sequence[Assignment]
) -> None:
    """Set the custom attributes and metadata in *assignments* on *entities*."""
    for each in assignments:
        if each.attribute == "custom_attributes":
            _set_custom(session, entities, each)
            continue
        for entity in entities:
            if isinstance(entity[each.attribute], Mapping) and each.rest:
                entity[each.attribute][each.rest] = each.value if each.is_json else each.text


def _set_custom(session: Session, entities: Sequence[Entity], each: Assignment) -> None:
    """Set the custom attribute in *each* on *entities*, which may have several configurations."""
    values: dict[str, Value] = {}
    for entity in entities:
        configuration = _configuration_of(entity, each)
        key = str(configuration["id"])
        if key not in values:
            values[key] = _custom_value(session, configuration, each)
        entity["custom_attributes"][each.rest] = values[key]


def _configuration_of(entity: Entity, each: Assignment) -> Entity:
    """Return the configuration of the custom attribute in *each* for *entity*."""
    from ftrack_like._values.custom_attributes import applicable  # lazy: "--help" answers at once

    try:
        known = applicable(entity)
    except ValueError as error:
        raise CommandError(f"{each.source!r}: {error}") from error
    if each.rest not in known:
        raise unknown_custom_attribute(entity.entity_type, each.rest, known).about(
            repr(each.source)
        )
    return known[each.rest]


def _custom_value(session: Session, configuration: Entity, each: Assignment) -> Value:
    """Return the value of *each* as the type of the custom attribute that it sets."""
    if each.is_json:
        return each.value
    session.populate(configuration, "type.name, config")
    kind = configuration["type"]["name"]
    if kind == "expression":
        raise CommandError(f"{each.source!r}: the server computes {each.rest!r}.")
    if kind in ("enumerator", "dynamic enumerator"):
        return _choice(each, configuration["config"])
    if kind == "date":
        return _date_in(each)
    if kind in ("number", "boolean"):
        if each.text == "":
            return None
        return _truth_in(each) if kind == "boolean" else _number_in(each)
    return each.text


def _choice(each: Assignment, config: Optional[str]) -> Value:
    """Return the choices in the text of *each*, which the *config* of an enumerator lists."""
    from ftrack_like._base.suggest import did_you_mean  # lazy: "--help" answers at once

    try:
        settings: Any = json.loads(config or "{}")
        data: Any = settings.get("data") or "[]"
        options = json.loads(data) if isinstance(data, str) else data
        values = {str(option["value"]): str(option.get("menu", "")) for option in options}
    except (ValueError, TypeError, KeyError, AttributeError):
        return each.text  # The server knows better what it has stored.
    many = bool(settings.get("multiSelect"))
    chosen = []
    for word in each.text.split(",") if many else [each.text]:
        text = word.strip()
        named = [value for value, menu in values.items() if menu.lower() == text.lower()]
        if text in values or not values:
            chosen.append(text)
        elif len(named) == 1:
            chosen.append(named[0])
        elif text:
            hint = did_you_mean(text, values) or f"Choose from: {', '.join(values)}."
            raise CommandError(f"{each.source!r}: {text!r} is not one of the choices. {hint}")
    return chosen
