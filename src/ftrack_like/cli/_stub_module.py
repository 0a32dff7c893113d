"""The text of a module with the types of a site, for type checkers.

The module declares a class for each entity type, a mapping with the values that ``create`` accepts,
and two sessions whose methods return the class for the name of a type. The names in the schemas are
data from a server. They are written only as quoted texts, or as names that are made safe.

All other names in the module begin with an underscore, so that they differ from those of types.
"""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ftrack_like._values.catalogue import Catalogue, Property
from ftrack_like.cli._stub_attributes import Configuration, attribute_types
from ftrack_like.cli._stub_forms import Groups, narrowed, overloads
from ftrack_like.cli._stub_sessions import SESSIONS, session_class

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
from typing import Callable as _Callable
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
from typing_extensions import ParamSpec as _ParamSpec

import ftrack_like as _ftrack_like
import ftrack_like.aio as _aio
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
_Parameters = _ParamSpec("_Parameters")
_Result = _TypeVar("_Result")
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

def _with_parameters_of(
    method: _Callable[_Parameters, object],
) -> _Callable[[_Callable[..., _Result]], _Callable[_Parameters, _Result]]: ...

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

#: The methods of these classes, and of mixins, that lead to entities.
_RESULTS = {
    "_asset_version.AssetVersion": {"create_component": "{Component}", "encode_media": "{Job}"},
    "_component.CreateThumbnailMixin": {"create_thumbnail": "{Component}"},
    "_note.CreateNoteMixin": {"create_note": "{Note}"},
    "_note.Note": {"create_reply": "{Note}"},
    "_project_schema.ProjectSchema": {
        "get_statuses": "list[{Status}]",
        "get_types": "list[{Type}]",
    },
    "_user.User": {"start_timer": "{Timer}", "stop_timer": "{Timelog}"},
}

#: The types of plain values, to read and to write.
_SCALARS = {
    "string": ("str", "str"),
    "integer": ("int", "int"),
    "number": ("float", "float"),
    "boolean": ("bool", "bool"),
    "datetime": ("_Arrow", "_Moment"),
}

#: The parameters of forms for mistakes; see :func:`wrong_form`.
_WRONG_KEY = "key: _Sequence[_AttributeOfTheType] | _NameOfTheSchema"
_WRONG_VALUE = "key: _Sequence[_AttributeOfTheTypeAndItsValue] | _NameOfTheSchema, value: object"

#: Attributes whose schema calls them text, although they are lists.
_LINKS = frozenset({"link", "_link"})


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
        taken = {each.name for each in SESSIONS}
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
        parts += [session_class(each, self._classes, self._data) for each in SESSIONS]
        return "\n".join(parts)

    # Entities

    def _entity_class(self, name: str) -> str:
        readers: Groups = defaultdict(list)
        writers: Groups = defaultdict(list)
        schema = self._catalogue.schema(name)
        fixed = {*schema.get("immutable", ()), *schema.get("computed", ())}
        for each in self._readable(name):
            read, write = self._value_types(name, each)
            readers[read].append(each.name)
            if each.name not in fixed:
                writers[write].append(each.name)
        origins = self._bases(name)
        lines = [f"class {self._classes[name]}({', '.join(origins)}):"]
        for origin in origins:
            lines += narrowed(origin, _RESULTS.get(origin, {}), self._classes)
        lines += overloads("__getitem__", "key: {key}", readers, wrong=_WRONG_KEY)
        getters: Groups = {**readers, "_Any": [*readers.get("_Any", []), None]}
        lines += overloads("get", "key: {key}, default: _Any = ...", getters)
        setters = {f"{write} | None": names for write, names in writers.items()}
        if setters:
            lines += overloads(
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
        # Both sessions share the classes. Without "await", checkers report a call of load().
        return found if bases else [*found, "_aio.AsyncEntity"]

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
        readers: Groups = defaultdict(list)
        writers: Groups = defaultdict(list)
        for key, (read, write) in sorted(self._custom[name].items()):
            readers[read].append(key)
            writers[f"{write} | None"].append(key)
        lines = [f"class {self._attributes[name]}(_MutableMapping[str, _Any]):"]
        lines += overloads("__getitem__", "key: {key}", readers, wrong=_WRONG_KEY)
        getters: Groups = {**readers, "_Any": [*readers.get("_Any", []), None]}
        lines += overloads("get", "key: {key}, default: _Any = ...", getters)
        lines += overloads(
            "__setitem__", "key: {key}, value: {type}", writers, "None", _WRONG_VALUE
        )
        return "\n".join(lines) + "\n"


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name for a class made of *name*, which is not in *taken*; add it there."""
    made = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_0123456789") or "Type"
    if keyword.iskeyword(made):
        made += "_"
    while made in taken:
        made += "_"
    taken.add(made)
    return made
