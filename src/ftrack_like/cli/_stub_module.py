"""The text of a module with the types of a site, for type checkers.

The module declares a class for each entity type, a mapping with the values that ``create`` accepts,
and a session whose methods return the class for the name of a type. The names in the schemas are
data from a server. They are written only as quoted texts, or as names that are made safe.

All other names in the module begin with an underscore, so that they differ from those of types.
"""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Optional

from ftrack_like._values.catalogue import Catalogue, Property
from ftrack_like.cli._stub_attributes import Configuration, attribute_types

__all__ = ["stub_module"]

_HEADER = '''\
"""The entity types of a site.

Written by "ftrack-like stubs". Do not edit: run the command again after changes on the site.
This module does not exist when a program runs: import it in an ``if TYPE_CHECKING`` block.
"""

# The entities narrow the types of their base classes on purpose.
# mypy: disable-error-code="override, overload-overlap, misc, assignment"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportOverlappingOverload=false, reportGeneralTypeIssues=false
# ruff: noqa

import datetime as _datetime
import enum as _enum
from typing import Any as _Any
from typing import Generic as _Generic
from typing import Iterable as _Iterable
from typing import Iterator as _Iterator
from typing import Literal as _Literal
from typing import Mapping as _Mapping
from typing import MutableMapping as _MutableMapping
from typing import NoReturn as _Never
from typing import Sequence as _Sequence
from typing import TypedDict as _TypedDict
from typing import TypeVar as _TypeVar
from typing import overload as _overload

from arrow import Arrow as _Arrow

import ftrack_like as _ftrack_like
import ftrack_like.query.builder as _builder
from ftrack_like.collection import Collection as _Collection
from ftrack_like.entity import asset_version as _asset_version
from ftrack_like.entity import component as _component
from ftrack_like.entity import job as _job
from ftrack_like.entity import location as _location
from ftrack_like.entity import note as _note
from ftrack_like.entity import project_schema as _project_schema
from ftrack_like.entity import user as _user
from ftrack_like.entity.base import Entity as _Entity
from ftrack_like.query import QueryResult as _QueryResult

_Member = _TypeVar("_Member", bound=_Entity)
_Moment = _datetime.datetime | _datetime.date | _Arrow | str

# No program makes one of these texts: their names are only for readable errors.
class _TypeOfTheSite(str): ...
class _TypeOfTheSiteAndItsData(str): ...
class _AttributeOfTheType(str): ...
class _AttributeOfTheTypeAndItsValue(str): ...

# A literal beside them lets mypy name the wrong text: 'incompatible type "Literal['Taks']"'.
class _Name(_enum.Enum):
    of_the_schema = 1

_NameOfTheSchema = _Literal[_Name.of_the_schema]

class _Members(_Collection, _Generic[_Member]):
    @_overload
    def __getitem__(self, index: int) -> _Member: ...
    @_overload
    def __getitem__(self, index: slice) -> list[_Member]: ...
    def __iter__(self) -> _Iterator[_Member]: ...
    def append(self, value: _Member) -> None: ...
    def extend(self, values: _Iterable[_Member]) -> None: ...
    def insert(self, index: int, item: _Member) -> None: ...
    def remove(self, value: _Member) -> None: ...
'''

#: The classes with the behaviour of some types; see the factory of entity classes.
_SPECIAL = {
    "AssetVersion": "_asset_version.AssetVersion",
    "Component": "_component.Component",
    "Job": "_job.Job",
    "Location": "_location.Location",
    "Note": "_note.Note",
    "ProjectSchema": "_project_schema.ProjectSchema",
    "User": "_user.User",
}

#: The types of plain values, to read and to write.
_SCALARS = {
    "string": ("str", "str"),
    "integer": ("int", "int"),
    "number": ("float", "float"),
    "boolean": ("bool", "bool"),
    "datetime": ("_Arrow", "_Moment"),
}

#: The parameters of forms for mistakes; see :func:`_wrong_form`.
_WRONG_KEY = "key: _Sequence[_AttributeOfTheType] | _NameOfTheSchema"
_WRONG_VALUE = "key: _Sequence[_AttributeOfTheTypeAndItsValue] | _NameOfTheSchema, value: object"

#: Attributes whose schema calls them text, although they are lists.
_LINKS = frozenset({"link", "_link"})


#: The names of attributes by the type of their values. None stands for any name.
_Groups = dict[str, list[Optional[str]]]


def stub_module(catalogue: Catalogue, configurations: Iterable[Configuration]) -> str:
    """Return the text of the module for the types of *catalogue*, the same for the same types.

    *configurations* are the custom attributes of the site. The text does not have the address of
    the site, so that a check against a copy of the site succeeds.
    """
    return _StubWriter(catalogue, configurations).text()


class _StubWriter:
    """Writes the module. Use each instance once."""

    def __init__(self, catalogue: Catalogue, configurations: Iterable[Configuration]) -> None:
        self._catalogue = catalogue
        self._custom = attribute_types(catalogue, configurations)
        self._types = sorted(catalogue.names())
        taken = {"Session"}
        #: The names of the classes by the names of the types, and so on.
        self._classes = {name: _free_name(name, taken) for name in self._types}
        self._data = {name: _free_name(f"{name}Data", taken) for name in self._types}
        self._attributes = {
            name: _free_name(f"{name}CustomAttributes", taken) for name in sorted(self._custom)
        }

    def text(self) -> str:
        """Return the module."""
        parts = [_HEADER]
        parts += [self._custom_class(name) for name in sorted(self._custom)]
        for name in self._types:
            parts += [self._data_type(name), self._entity_class(name)]
        parts.append(self._session())
        return "\n".join(parts)

    # Entities

    def _entity_class(self, name: str) -> str:
        readers: _Groups = defaultdict(list)
        writers: _Groups = defaultdict(list)
        schema = self._catalogue.schema(name)
        fixed = {*schema.get("immutable", ()), *schema.get("computed", ())}
        for each in self._readable(name):
            read, write = self._value_types(name, each)
            readers[read].append(each.name)
            if each.name not in fixed:
                writers[write].append(each.name)
        lines = [f"class {self._classes[name]}({', '.join(self._bases(name))}):"]
        lines += _overloads("__getitem__", "key: {key}", readers, wrong=_WRONG_KEY)
        getters: _Groups = {**readers, "_Any": [*readers.get("_Any", []), None]}
        lines += _overloads("get", "key: {key}, default: _Any = ...", getters)
        setters = {f"{write} | None": names for write, names in writers.items()}
        if setters:
            lines += _overloads(
                "__setitem__", "key: {key}, value: {type}", setters, "None", _WRONG_VALUE
            )
        else:
            lines.append("    def __setitem__(self, key: _Never, value: _Any) -> None: ...")
        return "\n".join(lines) + "\n"

    def _readable(self, name: str) -> Iterator[Property]:
        """Yield the attributes of the type *name*, and of its sub-types, in order.

        A reference to a base type, such as ``task["parent"]``, leads to entities of its sub-types,
        so programs read their attributes too.
        """
        own = self._catalogue.properties(name)
        found = dict(own)
        for other in self._catalogue.below(name):
            for each in self._catalogue.properties(other).values():
                known = found.setdefault(each.name, each)
                if known.kind == "scalar" and each.name not in own:
                    found[each.name] = each  # Programs read on from a relation.
        for key in sorted(found):
            if found[key].is_projectable:
                yield found[key]

    def _bases(self, name: str) -> list[str]:
        """Return the base classes of the class for the type *name*."""
        names = self._catalogue.properties(name)
        bases = self._catalogue.bases(name)
        special = _SPECIAL.get(name)
        if special is None and name.endswith("Component"):
            special = _SPECIAL["Component"]
        found = [self._classes[bases[-1]]] if bases else []
        inherited = [each for base in bases for each in self._catalogue.properties(base)]
        if special is not None and not (bases and bases[-1].endswith("Component")):
            found.append(special)
        if "notes" in names and "notes" not in inherited:
            found.append("_note.CreateNoteMixin")
        if "thumbnail_id" in names and "thumbnail_id" not in inherited:
            found.append("_component.CreateThumbnailMixin")
        return found if found and "Mixin" not in found[0] else [*found, "_Entity"]

    def _value_types(self, owner: str, found: Property) -> tuple[str, str]:
        """Return the types of the values of *found*, an attribute of *owner*: to read, to write."""
        if found.kind == "scalar":
            if found.name in _LINKS and found.data_type == "string":
                return "list[dict[str, str]]", "_Any"
            return _SCALARS.get(found.data_type, ("_Any", "_Any"))
        target = self._classes.get(found.target, "_Entity")
        if found.kind == "reference":
            return target, target
        if found.kind == "collection":
            return f"_Members[{target}]", f"_Iterable[{target}]"
        if found.name == "custom_attributes":
            own = self._attributes.get(owner, "_MutableMapping[str, _Any]")
            return own, "_Mapping[str, _Any]"
        value = "str" if found.target == "Metadata" else "_Any"
        return f"_MutableMapping[str, {value}]", f"_Mapping[str, {value}]"

    def _data_type(self, name: str) -> str:
        """Return the mapping with the values that ``create`` accepts for the type *name*."""
        lines = [f'{self._data[name]} = _TypedDict("{self._data[name]}", {{']
        for found in sorted(self._catalogue.settable(name)):
            lines.append(f"    {found.name!a}: {self._value_types(name, found)[1]} | None,")
        return "\n".join([*lines, "}, total=False)"]) + "\n"

    def _custom_class(self, name: str) -> str:
        """Return the class of the custom attributes of the type *name*."""
        readers: _Groups = defaultdict(list)
        writers: _Groups = defaultdict(list)
        for key, (read, write) in sorted(self._custom[name].items()):
            readers[read].append(key)
            writers[f"{write} | None"].append(key)
        lines = [f"class {self._attributes[name]}(_MutableMapping[str, _Any]):"]
        lines += _overloads("__getitem__", "key: {key}", readers, wrong=_WRONG_KEY)
        getters: _Groups = {**readers, "_Any": [*readers.get("_Any", []), None]}
        lines += _overloads("get", "key: {key}, default: _Any = ...", getters)
        lines += _overloads(
            "__setitem__", "key: {key}, value: {type}", writers, "None", _WRONG_VALUE
        )
        return "\n".join(lines) + "\n"

    # The session

    def _session(self) -> str:
        """Return the class of the session."""
        lines = ["class Session(_ftrack_like.Session):", "    def __enter__(self) -> Session: ..."]
        methods = {
            # Without "| None", since pyright then names the wrong key of the data.
            "create": ("data: {data} = ..., reconstructing: bool = ...", "{entity}"),
            "ensure": ("data: {data}, identifying_keys: _Iterable[str] | None = ...", "{entity}"),
            "get": ("entity_key: object", "{entity} | None"),
            "select": ("page_size: int = ...", "_builder.BuiltQuery[{entity}]"),
        }
        for method, (parameters, result) in methods.items():
            for name in self._types:
                names = {"data": self._data[name], "entity": self._classes[name]}
                lines += self._overload(
                    method, name, parameters.format(**names), result.format(**names), "entity_type"
                )
            wrong = "_TypeOfTheSiteAndItsData" if "{data}" in parameters else "_TypeOfTheSite"
            lines += _wrong_form(
                method,
                f"entity_type: _Sequence[{wrong}] | _NameOfTheSchema, "
                "*others: object, **named: object",
            )
            # Pyright compares a wrong name with the type of the last form.
            names = {"data": "_Mapping[str, _Any]", "entity": "_Entity"}
            last = f"self, entity_type: _TypeOfTheSite, {parameters.format(**names)}"
            lines += ["    @_overload"]
            lines += [f"    def {method}({last}) -> {result.format(**names)}: ..."]
        more = "page_size: int = ..., *, values: _Mapping[str, _Any] | None = ..."
        for name in self._types:
            result = f"_QueryResult[{self._classes[name]}]"
            lines += self._overload("query", name, more, result, "expression")
        head = f"    def query(self, expression: str, {more})"
        lines += ["    @_overload", f"{head} -> _QueryResult[_Any]: ..."]
        return "\n".join(lines) + "\n"

    def _overload(
        self, method: str, name: str, parameters: str, result: str, first: str
    ) -> list[str]:
        """Return one form of *method* of the session, for the type *name*."""
        head = f"self, {first}: _Literal[{name!a}], {parameters}"
        return ["    @_overload", f"    def {method}({head}) -> {result}: ..."]


def _overloads(
    method: str,
    parameters: str,
    groups: _Groups,
    result: str = "",
    wrong: str = "",
) -> list[str]:
    """Return the forms of *method*, one for each type in *groups*.

    *groups* maps types to the names of attributes. A name None stands for any text. *parameters*
    has places for the key and the type. *result* replaces the type as the result. *wrong* has the
    parameters of the form for mistakes, see :func:`_wrong_form`.
    """
    forms = []
    for type_name in sorted(groups):
        names = [name for name in groups[type_name] if name is not None]
        literal = f"_Literal[{', '.join(map(ascii, sorted(names)))}]"
        keys = [literal] if names else []
        if None in groups[type_name]:
            keys.append("str")
        for key in keys:
            filled = parameters.format(key=key, type=type_name)
            form = f"    def {method}(self, {filled}) -> {result or type_name}: ..."
            forms.append((key == "str", form))
    forms.sort(key=lambda each: each[0])  # A form for any text must come last.
    texts = [form for _, form in forms]
    if len(texts) == 1:
        return texts
    lines = [line for form in texts for line in ("    @_overload", form)]
    return [*lines[:-2], *(_wrong_form(method, wrong) if wrong else ()), *lines[-2:]]


def _wrong_form(method: str, parameters: str) -> list[str]:
    """Return the form of *method* with *parameters*, which no call fits, to keep errors short.

    If no form fits a call, mypy lists all forms, unless one fits when the arguments of generic
    types are left out. A text is a sequence, so the form for a sequence of another type does. Then
    mypy compares the call with this form only. A protocol, such as ``Iterable``, takes six lines.
    The form is not the last one, because pyright compares the call with that.
    """
    return ["    @_overload", f"    def {method}(self, {parameters}) -> _Any: ..."]


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name for a class made of *name*, which is not in *taken*; add it there."""
    made = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_0123456789") or "Type"
    if keyword.iskeyword(made):
        made += "_"
    while made in taken:
        made += "_"
    taken.add(made)
    return made
