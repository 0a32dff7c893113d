"""Every public name that studio code imports or calls exists, with a signature that fits.

``api_surface.json`` beside this file lists them by module:
``{module: {name: {"class": [bases]} | {"function": signature} | {"property": …} | …}}``.
"""

from __future__ import annotations

import abc
import builtins
import importlib
import inspect
import json
import os
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

import ftrack_like

SURFACE: dict[str, dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("api_surface.json").read_text(encoding="utf-8")
)
NAMES = [(module, name) for module, names in SURFACE.items() for name in names]
#: Names of parts that are not served yet, by the start of ``module:name``, and what they belong to.
#: One that exists already is checked like all the others.
LATER: dict[str, str] = {}


def reach(module: str) -> Any:
    """Return our module for the name *module* of the list (empty for the package itself)."""
    return importlib.import_module(f"ftrack_like.{module}".rstrip("."))


def find(module: str, name: str) -> Any:
    """Return what *name* (dotted for members of classes) is in *module*, without binding it.

    Skip the test when it belongs to a part that is not there yet.
    """
    owner: Any = reach(module)
    for part in name.split("."):
        try:
            # Modules may load what they name when it is asked for.
            look_up = getattr if inspect.ismodule(owner) else inspect.getattr_static
            owner = look_up(owner, part)
        except AttributeError:
            for start, reason in LATER.items():
                if f"{module}:{name}".startswith(start):
                    pytest.skip(f"comes with {reason}")
            pytest.fail(f"ftrack_like.{module} has no {name}")
    return owner


def entries(kind: str) -> list[Any]:
    """Return ``(module, name, entry)`` as parameters for every entry that has *kind*."""
    return [
        pytest.param(module, name, SURFACE[module][name], id=f"{module}:{name}")
        for module, name in NAMES
        if kind in SURFACE[module][name]
    ]


def evaluate(text: str) -> Any:
    """Return the value of a default or base that is written as *text* in the list."""
    names = {"ftrack_like": ftrack_like, "os": os, "abc": abc}
    for dotted in (
        "symbol",
        "cache",
        "collection",
        "entity.base",
        "accessor.base",
        "structure.base",
    ):
        importlib.import_module(f"ftrack_like.{dotted}")
    return eval(text, names)


def expected_signature(text: str) -> inspect.Signature:
    """Return the signature that *text*, such as ``(self, limit=None)``, writes down."""
    scope: dict[str, Any] = {"ftrack_like": ftrack_like, "os": os}
    importlib.import_module("ftrack_like.symbol")
    exec(f"def function{text}: pass", scope)
    return inspect.signature(scope["function"])


def differences(expected: inspect.Signature, found: inspect.Signature, named: bool) -> list[str]:
    """Return in words why a call that fits *expected* might not fit *found*.

    *named* says whether parameters may be passed by name, so that names matter.
    """
    kinds = inspect.Parameter
    problems = []
    positional = [p for p in found.parameters.values() if p.kind <= kinds.POSITIONAL_OR_KEYWORD]
    wanted = [p for p in expected.parameters.values() if p.kind == kinds.POSITIONAL_OR_KEYWORD]
    has_keywords = any(p.kind == kinds.VAR_KEYWORD for p in found.parameters.values())
    for position, parameter in enumerate(wanted):
        if position >= len(positional):
            problems.append(f"{parameter.name} is missing")
        elif named and positional[position].name != parameter.name:
            problems.append(f"{positional[position].name} stands where {parameter.name} belongs")
        elif positional[position].default != parameter.default:
            problems.append(f"{parameter} has the default {positional[position].default!r}")
    problems += [f"{extra.name} is an extra positional" for extra in positional[len(wanted) :]]
    for parameter in found.parameters.values():
        if parameter.kind == kinds.KEYWORD_ONLY and parameter.default is kinds.empty:
            problems.append(f"{parameter.name} is required")
    if any(p.kind == kinds.VAR_KEYWORD for p in expected.parameters.values()) and not has_keywords:
        problems.append("arbitrary keywords are not accepted")
    return problems


def plain_function(value: Any) -> Callable[..., Any]:
    """Return the function inside a static or class method, or *value* itself."""
    return getattr(value, "__func__", value)


def test_the_list_is_whole() -> None:
    """The list holds all 690 names of 44 modules, so nothing was lost from it."""
    assert len(SURFACE) == 44
    assert len(NAMES) + len(SURFACE) == 690


@pytest.mark.parametrize("module", sorted(SURFACE))
def test_module_can_be_imported(module: str) -> None:
    """Every public module path of the published client can be imported here."""
    assert reach(module).__name__ == f"ftrack_like.{module}".rstrip(".")


@pytest.mark.parametrize(("module", "name", "entry"), entries("function"))
def test_signature_is_compatible(module: str, name: str, entry: dict[str, Any]) -> None:
    """A function takes every call that the published one takes."""
    function = plain_function(find(module, name))
    assert callable(function)
    if entry.get("abstract"):
        assert getattr(function, "__isabstractmethod__", False)
    last = name.rsplit(".", 1)[-1]
    if function is object.__init__:
        assert entry["function"] == "(self)"
    elif entry["function"] is not None:
        special = last.startswith("__") and last not in ("__init__", "__call__")
        found = inspect.signature(function)
        expected = expected_signature(entry["function"])
        assert differences(expected, found, named=not special) == []


@pytest.mark.parametrize(("module", "name", "entry"), entries("class"))
def test_class_has_its_bases(module: str, name: str, entry: dict[str, Any]) -> None:
    """A class is there, under the public bases that callers test or catch it by."""
    found = find(module, name)
    assert inspect.isclass(found)
    if entry.get("abstract"):
        assert isinstance(found, abc.ABCMeta)
    for base in entry["class"]:
        owner, _, last = base.rpartition(".")
        if last.startswith("_"):
            continue
        namespace = importlib.import_module(owner) if owner else reach(module)
        assert issubclass(found, getattr(namespace, last, None) or getattr(builtins, last))


@pytest.mark.parametrize(("module", "name", "entry"), entries("property"))
def test_property_is_one(module: str, name: str, entry: dict[str, Any]) -> None:
    """A property can be read from an object, and set where the published one can."""
    found = find(module, name)
    assert hasattr(found, "__get__")
    if entry["property"] == "settable":
        assert getattr(found, "fset", None) is not None


@pytest.mark.parametrize(("module", "name", "entry"), [*entries("attribute"), *entries("constant")])
def test_value_is_there(module: str, name: str, entry: dict[str, Any]) -> None:
    """A constant or class attribute is there, and the well-known values are the published ones."""
    found = find(module, name)
    if "value" in entry:
        assert found == evaluate(entry["value"])
    if name.endswith("default_message"):
        assert isinstance(found, str)


@pytest.mark.parametrize(("module", "name", "entry"), entries("same_as"))
def test_top_level_name_is_the_same_object(module: str, name: str, entry: dict[str, Any]) -> None:
    """What the package offers at its top is the object of the module it comes from."""
    assert find(module, name) is find(entry["same_as"].lstrip("."), name)


#: Names that the published client does not have, with their signatures; None for other objects.
OWN: dict[str, Optional[str]] = {
    ":attr": None,
    "session:Session.select": "(self, entity_type, page_size=500)",
    "query:QueryResult.to_dicts": "(self, columns=None)",
    "query:QueryResult.to_pandas": "(self, columns=None)",
    "query:QueryResult.to_polars": "(self, columns=None)",
    "query.builder:attr": None,
    "query.builder:Aggregate": None,
    "query.builder:AttributePath": None,
    "query.builder:AttributePath.any": "(self, *conditions)",
    "query.builder:AttributePath.as_": "(self, entity_type)",
    "query.builder:AttributePath.asc": "(self)",
    "query.builder:AttributePath.avg": "(self)",
    "query.builder:AttributePath.between": "(self, low, high)",
    "query.builder:AttributePath.contains": "(self, text)",
    "query.builder:AttributePath.count": "(self)",
    "query.builder:AttributePath.desc": "(self)",
    "query.builder:AttributePath.endswith": "(self, text)",
    "query.builder:AttributePath.has": "(self, *conditions)",
    "query.builder:AttributePath.in_": "(self, values)",
    "query.builder:AttributePath.is_none": "(self)",
    "query.builder:AttributePath.is_not_none": "(self)",
    "query.builder:AttributePath.like": "(self, pattern)",
    "query.builder:AttributePath.max": "(self)",
    "query.builder:AttributePath.min": "(self)",
    "query.builder:AttributePath.not_in": "(self, values)",
    "query.builder:AttributePath.not_like": "(self, pattern)",
    "query.builder:AttributePath.startswith": "(self, text)",
    "query.builder:AttributePath.sum": "(self)",
    "query.builder:BuiltQuery": None,
    "query.builder:BuiltQuery.all": "(self)",
    "query.builder:BuiltQuery.columns": "(self, *columns)",
    "query.builder:BuiltQuery.count": "(self)",
    "query.builder:BuiltQuery.expression": None,
    "query.builder:BuiltQuery.first": "(self)",
    "query.builder:BuiltQuery.group_by": "(self, *paths)",
    "query.builder:BuiltQuery.iterate": "(self, *, keep=False, prefetch=False, stable=False)",
    "query.builder:BuiltQuery.limit": "(self, count)",
    "query.builder:BuiltQuery.offset": "(self, count)",
    "query.builder:BuiltQuery.one": "(self)",
    "query.builder:BuiltQuery.order_by": "(self, *paths)",
    "query.builder:BuiltQuery.result": "(self)",
    "query.builder:BuiltQuery.to_dicts": "(self, columns=None)",
    "query.builder:BuiltQuery.to_pandas": "(self, columns=None)",
    "query.builder:BuiltQuery.to_polars": "(self, columns=None)",
    "query.builder:BuiltQuery.where": "(self, *conditions, **values)",
    "query.builder:Ordering": None,
    "query.builder:QueryCondition": None,
}


def bare(signature: inspect.Signature) -> str:
    """Return *signature* without annotations."""
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(inspect.Signature(plain))


@pytest.mark.parametrize("name", OWN)
def test_own_names_stay(name: str) -> None:
    """A name that only this client has is there, with the signature that programs call."""
    module, _, member = name.partition(":")
    found = find(module, member)
    if OWN[name] is not None:
        assert bare(inspect.signature(found)) == OWN[name]


def test_own_names_are_all_listed() -> None:
    """Each public method of the query builder is in the list."""
    builder = reach("query.builder")
    assert {f"query.builder:{name}" for name in builder.__all__} <= set(OWN)
    assert {f"query.builder:AttributePath.{name}" for name in dir(builder.attr)} <= set(OWN)
    methods = {
        name
        for name, value in vars(builder.BuiltQuery).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }
    internal = {"entity_type", "sub_query"}
    assert {f"query.builder:BuiltQuery.{name}" for name in methods - internal} <= set(OWN)


def objects(session: Any, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return, for each ``module:class`` with instance attributes, how to make an instance.

    *session* is a client session; *folder* may be written to. The keys follow the list's order.
    """
    project = session.create("Project", {"name": "surface"})
    scalar = project.attributes.get("name")

    def cache(name: str, *arguments: Any) -> Any:
        return getattr(reach("cache"), name)(*arguments)

    def attribute(name: str, *arguments: Any) -> Any:
        return getattr(reach("attribute"), name)(*arguments)

    def operation(name: str, *arguments: Any) -> Any:
        return getattr(reach("operation"), name)(*arguments)

    def scenario(name: str) -> Any:
        return getattr(reach("_centralized_storage_scenario"), name)()

    def subscriber() -> Any:
        return reach("event.subscriber").Subscriber("topic=test", len, {"id": "1"}, 100)

    def server_file() -> Any:
        return reach("accessor.server").ServerFile("an-id", session, mode="wb")

    return {
        "_centralized_storage_scenario:ActivateCentralizedStorageScenario": lambda: scenario(
            "ActivateCentralizedStorageScenario"
        ),
        "_centralized_storage_scenario:ConfigureCentralizedStorageScenario": lambda: scenario(
            "ConfigureCentralizedStorageScenario"
        ),
        "accessor.disk:DiskAccessor": lambda: reach("accessor.disk").DiskAccessor(str(folder)),
        "accessor.server:ServerFile": server_file,
        "attribute:Attribute": lambda: attribute("Attribute", "name"),
        "attribute:KeyValueMappedCollectionAttribute": lambda: attribute(
            "KeyValueMappedCollectionAttribute", "metadata", dict, "key", "value"
        ),
        "attribute:ReferenceAttribute": lambda: attribute("ReferenceAttribute", "status", "Status"),
        "attribute:ScalarAttribute": lambda: attribute("ScalarAttribute", "name", "string"),
        "cache:FileCache": lambda: cache("FileCache", str(folder / "cache")),
        "cache:KeyMaker": lambda: cache("StringKeyMaker"),
        "cache:LayeredCache": lambda: cache("LayeredCache", []),
        "cache:Memoiser": lambda: cache("Memoiser"),
        "cache:ObjectKeyMaker": lambda: cache("ObjectKeyMaker"),
        "cache:ProxyCache": lambda: cache("ProxyCache", cache("MemoryCache")),
        "cache:SerialisedCache": lambda: cache("SerialisedCache", cache("MemoryCache"), str, str),
        "collection:Collection": lambda: project["children"],
        "collection:CustomAttributeCollectionProxy": lambda: project["custom_attributes"],
        "collection:KeyValueMappedCollectionProxy": lambda: project["metadata"],
        "collection:MappedCollectionProxy": lambda: project["metadata"],
        "data:Data": lambda: reach("data").String(),
        "data:FileWrapper": lambda: reach("data").String(),
        "data:String": lambda: reach("data").String(),
        "entity.base:Entity": lambda: project,
        "entity.factory:Factory": lambda: reach("entity.factory").Factory(),
        "entity.location:Location": lambda: session.create("Location", {"name": "surface"}),
        "event.hub:EventHub": lambda: session.event_hub,
        "event.subscriber:Subscriber": subscriber,
        "exception:Error": lambda: reach("exception").Error(),
        "logging:LazyLogMessage": lambda: reach("logging").LazyLogMessage("{0}", 1),
        "operation:CreateEntityOperation": lambda: operation("CreateEntityOperation", "T", {}, {}),
        "operation:DeleteEntityOperation": lambda: operation("DeleteEntityOperation", "T", {}),
        "operation:UpdateEntityOperation": lambda: operation(
            "UpdateEntityOperation", "T", {}, scalar.name, 1, 2
        ),
        "resource_identifier_transformer.base:ResourceIdentifierTransformer": lambda: reach(
            "resource_identifier_transformer.base"
        ).ResourceIdentifierTransformer(session),
        "session:Session": lambda: session,
        "session:SessionAuthentication": lambda: reach("session").SessionAuthentication("k", "u"),
        "structure.base:Structure": lambda: reach("structure.id").IdStructure(),
        "structure.standard:StandardStructure": lambda: reach(
            "structure.standard"
        ).StandardStructure(),
        "symbol:Symbol": lambda: reach("symbol").NOT_SET,
    }


def test_instances_have_their_attributes(session: Any, tmp_path: Path) -> None:
    """An instance of every public class has the attributes that the published one's has."""
    makers = objects(session, tmp_path)
    missing = []
    for module, name in NAMES:
        if "instance" not in SURFACE[module][name]:
            continue
        class_name, _, member = name.rpartition(".")
        later = any(f"{module}:{name}".startswith(start) for start in LATER)
        if not later and not hasattr(makers[f"{module}:{class_name}"](), member):
            missing.append(f"{module}:{name}")
    session.rollback()
    assert missing == []
