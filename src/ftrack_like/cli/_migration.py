"""Find places in code for ``ftrack_api`` that work differently here, by their syntax.

A rule examines one node of a syntax tree and yields findings. Rules only report differences that
the text shows. Other differences appear when a program runs, for example whether a new value equals
the server's value. The numbers in findings refer to ``docs/differences.rst``.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any, Optional

__all__ = ["CheckedModule", "Finding", "check"]

PUBLISHED, OWN = "ftrack_api", "ftrack_like"

#: Usual names of sessions and hubs, because the text does not show types.
_SESSIONS = frozenset({"session", "_session", "ftrack_session", "api_session"})
_HUBS = frozenset({"event_hub", "_event_hub"})

#: Attributes of sessions that their class does not have.
_SESSION_ATTRIBUTES = frozenset(
    [
        "_api_key",
        "_api_user",
        "_auto_populate",
        "_closed",
        "_event_hub",
        "_managed_request",
        "_record_operations",
        "_schema_cache_path",
        "_server_information",
        "_server_url",
    ]
)
_PRIVATE = re.compile(r"_(?!_)")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """A place where code uses something that is different here.

    *kind* is ``"breaks"`` if the code does not work here, and ``"differs"`` if it works
    differently. *number* is the number of the deliberate difference, or None. *subject* is the name
    that the code uses. *advice* is the remedy or the consequence.
    """

    path: str
    line: int
    kind: str
    number: Optional[int]
    subject: str
    advice: str


class CheckedModule:
    """A module to check: its syntax tree, and the library's names that it imports.

    *defined* are the names of attributes and functions that the module defines. A caller may add
    the names that other modules of the code base define.
    """

    def __init__(self, path: str, text: str) -> None:
        """Initialise from the *text* of the file at *path*; raise :exc:`SyntaxError` if invalid."""
        self.path = path
        self.tree = ast.parse(text, path)
        self.imports = 0
        self.names: dict[str, str] = {}
        self.defined: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.defined.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                self.defined.add(node.attr)
            elif isinstance(node, ast.Import):
                self._read_import(node)
            elif isinstance(node, ast.ImportFrom):
                self._read_import_from(node)

    def _read_import(self, node: ast.Import) -> None:
        """Record the names that ``import …`` binds."""
        for alias in node.names:
            if _is_ours(alias.name):
                self.imports += 1
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                self.names[alias.asname or target] = target

    def _read_import_from(self, node: ast.ImportFrom) -> None:
        """Record the names that ``from … import …`` binds."""
        if node.level or not _is_ours(node.module or ""):
            return
        self.imports += 1
        for alias in node.names:
            self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def dotted(self, node: Any) -> Optional[str]:
        """Return the full name of the expression *node*, None if it is not in the library."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    def finding(
        self, node: Any, kind: str, number: Optional[int], subject: str, advice: str
    ) -> Finding:
        """Return a finding at *node*."""
        return Finding(self.path, node.lineno, kind, number, subject, advice)


def check(source: CheckedModule) -> list[Finding]:
    """Return the findings in *source*, sorted by line; each only once per line."""
    found: set[Finding] = set()
    for node in ast.walk(source.tree):
        for kind, rule in _RULES:
            if isinstance(node, kind):
                found.update(rule(source, node))
    return sorted(found, key=lambda each: (each.line, each.subject, each.advice))


def _is_ours(name: str) -> bool:
    """Return whether the module *name* belongs to the library, under either of its names."""
    return name.partition(".")[0] in (PUBLISHED, OWN)


@functools.cache
def reach(name: str) -> Any:
    """Return the object that the dotted *name*, of either library, has here.

    Raise :exc:`LookupError` with the first part of the name that does not exist.
    """
    parts = name.split(".")
    found: Any = importlib.import_module(OWN)
    for length, part in enumerate(parts[1:], 2):
        path = ".".join([OWN, *parts[1:length]])
        if hasattr(found, part):
            found = getattr(found, part)
        elif isinstance(found, types.ModuleType):
            try:
                found = importlib.import_module(path)
            except ImportError:
                raise LookupError(".".join(parts[:length])) from None
        else:
            raise LookupError(".".join(parts[:length]))
    return found


def _missing_part(name: str) -> Optional[str]:
    """Return the first part of the dotted *name* that does not exist, None if it exists."""
    try:
        reach(name)
    except LookupError as error:
        return str(error)
    return None


# The rules


def _imported_names(source: CheckedModule, node: Any) -> Iterator[Finding]:
    """Look for imports of missing names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif node.level:
        return
    else:
        names = [f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"]
    for name in names:
        if _is_ours(name):
            yield from _absent(source, node, name)


def _absent(source: CheckedModule, node: Any, name: str) -> Iterator[Finding]:
    """Yield a finding if *name* does not exist."""
    missing = _missing_part(name)
    if missing is not None:
        advice = "This is not a public name of ftrack_api 3.1, and does not exist here. Replace it."
        yield source.finding(node, "breaks", None, missing, advice)


def _attributes(source: CheckedModule, node: ast.Attribute) -> Iterator[Finding]:
    """Look for names of modules and classes that are missing or different."""
    name = source.dotted(node)
    if name is not None:
        if name.endswith(".__version__"):
            advice = "This is the version of ftrack_like; do not compare it with one of ftrack_api."
            yield source.finding(node, "differs", None, name, advice)
        else:
            yield from _absent(source, node, name)
    if name is not None and name.rpartition(".")[2] in _DIFFERING_NAMES:
        yield from _differing_name(source, node, name)
    elif source.names and _PRIVATE.match(node.attr):
        yield from _private_attribute(source, node)


#: Names with a slightly different meaning, with the number of the difference and advice.
_DIFFERING_NAMES = {
    "ObjectKeyMaker": (
        24,
        "Tuples, bytes and lambdas have other keys now: a stored cache computes their values "
        "again.",
    ),
}


def _differing_name(source: CheckedModule, node: Any, name: str) -> Iterator[Finding]:
    """Yield the finding for *name*."""
    number, advice = _DIFFERING_NAMES[name.rpartition(".")[2]]
    yield source.finding(node, "differs", number, name, advice)


def _plain_names(source: CheckedModule, node: ast.Name) -> Iterator[Finding]:
    """Look for imported names with a slightly different meaning."""
    name = source.names.get(node.id)
    if name is not None and name.rpartition(".")[2] in _DIFFERING_NAMES:
        yield from _differing_name(source, node, name)


def _private_attribute(source: CheckedModule, node: ast.Attribute) -> Iterator[Finding]:
    """Look for private attributes that sessions and hubs do not have."""
    owner = node.value
    label = getattr(owner, "attr", getattr(owner, "id", None))
    if label in _HUBS:
        known, what = _hub_names(), "event hubs"
    elif label in _SESSIONS:
        known, what = _session_names(), "sessions"
    else:
        return
    if node.attr not in known | source.defined and isinstance(node.ctx, ast.Load):
        advice = f"A private name that {what} do not have here, and that this code does not set."
        yield source.finding(node, "breaks", None, f"{label}.{node.attr}", advice)


@functools.cache
def _session_names() -> frozenset[str]:
    """Return the names of the attributes of sessions."""
    return frozenset(dir(reach("ftrack_like.session.Session"))) | _SESSION_ATTRIBUTES


@functools.cache
def _hub_names() -> frozenset[str]:
    """Return the names of the attributes of event hubs."""
    hub = reach("ftrack_like.event.hub.EventHub")("http://localhost", "nobody", "no-key")
    return frozenset(dir(hub))


def _classes(source: CheckedModule, node: ast.ClassDef) -> Iterator[Finding]:
    """Look for attributes that subclasses read with ``super()`` and that do not exist here."""
    bases = [source.dotted(base) for base in node.bases]
    if not bases or any(base is None or _missing_part(base) for base in bases):
        return  # the attribute may come from another library's class
    known = {name for base in bases for name in dir(reach(str(base)))}
    for inner in ast.walk(node):
        if not (isinstance(inner, ast.Attribute) and _is_super(inner.value)):
            continue
        if inner.attr not in known:
            subject = f"super().{inner.attr}"
            advice = f"{bases[0]} has no {inner.attr} here."
            yield source.finding(inner, "breaks", None, subject, advice)


def _is_super(node: Any) -> bool:
    """Return whether *node* is a call of ``super``."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "super"


def _text_argument(node: ast.Call) -> Optional[str]:
    """Return the first argument of the call *node* if it is a literal text."""
    if node.args and isinstance(node.args[0], ast.Constant):
        value = node.args[0].value
        return value if isinstance(value, str) else None
    return None


_QUOTED_LIMIT = re.compile(r"""(["'])[^"']*\b(?:limit|offset)\s+\d[^"']*\1""", re.IGNORECASE)
_NUMBER_COMPARED = re.compile(r"[<>]=?\s*\"?-?\d")


def _calls(source: CheckedModule, node: ast.Call) -> Iterator[Finding]:
    """Look for literal texts in calls that are interpreted differently."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    text = _text_argument(node)
    rule = _CALLED.get(str(name))
    if text is not None and rule is not None:
        yield from rule(source, node, text)


def _query(source: CheckedModule, node: Any, text: str) -> Iterator[Finding]:
    """Look for limits inside quotes."""
    if source.names and _QUOTED_LIMIT.search(text):
        advice = "Quoted words are text; they no longer limit the query."
        yield source.finding(node, "differs", 8, "a limit inside quotes", advice)


def _subscribe(source: CheckedModule, node: Any, text: str) -> Iterator[Finding]:
    """Look for comparisons of numbers."""
    if _NUMBER_COMPARED.search(text):
        advice = "Numbers compare as numbers, so more events may match."
        yield source.finding(node, "differs", 7, "a number in a subscription", advice)


def _get_logger(source: CheckedModule, node: Any, text: str) -> Iterator[Finding]:
    """Look for loggers of the published library."""
    if text.partition(".")[0] == PUBLISHED:
        advice = f"Nothing logs there: loggers are named {OWN}{text[len(PUBLISHED) :]} and so on."
        yield source.finding(node, "differs", None, f"the logger {text}", advice)


def _patch(source: CheckedModule, node: Any, text: str) -> Iterator[Finding]:
    """Look for patches of missing names."""
    if text.partition(".")[0] == PUBLISHED:
        yield from _absent(source, node, text)


#: The rules for the text argument of a call, by the name of the function.
_CALLED: dict[str, Callable[[CheckedModule, Any, str], Iterator[Finding]]] = {
    "query": _query,
    "subscribe": _subscribe,
    "getLogger": _get_logger,
    "patch": _patch,
    "setattr": _patch,
}


def _subscripts(source: CheckedModule, node: ast.Subscript) -> Iterator[Finding]:
    """Look for settings by thread."""
    name = getattr(node.value, "attr", "")
    if source.names and name in ("_auto_populate", "_record_operations"):
        advice = f"Settings belong to threads and are not a mapping: use session.{name[1:]}."
        yield source.finding(node, "breaks", 13, f"{name}[…]", advice)


#: The name of the published distribution, with or without a version.
_REQUIREMENT = re.compile(r"ftrack-python-api\s*([<>=!~].*)?")


def _texts(source: CheckedModule, node: ast.Constant) -> Iterator[Finding]:
    """Look for names of files and distributions."""
    if isinstance(node.value, str) and _REQUIREMENT.fullmatch(node.value):
        advice = "This distribution is called ftrack-like; the other one may not be installed."
        yield source.finding(node, "differs", None, "the distribution ftrack-python-api", advice)
    elif isinstance(node.value, str) and re.search(r"ftrack_api_schema_cache\S*$", node.value):
        advice = "Each server has a separate schema file; do not rely on one name."
        yield source.finding(node, "differs", 15, "the schema cache file", advice)


def _assignments(source: CheckedModule, node: ast.Assign) -> Iterator[Finding]:
    """Look for dates as values of entities."""
    value = node.value
    gives_date = isinstance(value, ast.Call) and (
        (isinstance(value.func, ast.Attribute) and value.func.attr == "date")
        or ast.unparse(value.func) in ("date.today", "datetime.date.today", "date")
    )
    into_item = any(
        isinstance(target, ast.Subscript) and _is_text(target.slice) for target in node.targets
    )
    if source.names and gives_date and into_item:
        advice = "A date is sent as a date, not as a time."
        yield source.finding(node, "differs", 22, "a date as a value", advice)


def _is_text(node: Any) -> bool:
    """Return whether *node* is a literal text."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _functions(source: CheckedModule, node: ast.FunctionDef) -> Iterator[Finding]:
    """Look for plugins that receive their arguments differently."""
    if node.name != "register" or node not in source.tree.body or not source.names:
        return
    arguments = node.args
    if arguments.kwonlyargs:
        advice = "Keyword-only arguments of a plugin are passed if the session received them."
        yield source.finding(node, "differs", 14, "register with keyword-only arguments", advice)
    if not (arguments.args or arguments.posonlyargs or arguments.vararg):
        advice = "A register function without parameters is called too."
        yield source.finding(node, "differs", 14, "register without arguments", advice)


def _time_out_handlers(source: CheckedModule, node: ast.Try) -> Iterator[Finding]:
    """Look for handlers of time-outs of accessors that expect the published errors."""
    inside = [inner for statement in node.body for inner in ast.walk(statement)]
    names = {getattr(inner, "attr", getattr(inner, "id", None)) for inner in inside}
    if "accessor" not in names or not source.names:
        return
    for handler in node.handlers:
        caught = "" if handler.type is None else ast.unparse(handler.type)
        if re.search(r"\b(socket\.timeout|TimeoutError|Timeout)\b", caught):
            advice = "Time-outs of accessors are AccessorOperationFailedError, with 'timed out'."
            yield source.finding(handler, "breaks", 25, f"except {caught}", advice)


_RULES: tuple[tuple[Any, Callable[[CheckedModule, Any], Iterator[Finding]]], ...] = (
    ((ast.Import, ast.ImportFrom), _imported_names),
    (ast.Attribute, _attributes),
    (ast.Name, _plain_names),
    (ast.ClassDef, _classes),
    (ast.Call, _calls),
    (ast.Subscript, _subscripts),
    (ast.Constant, _texts),
    (ast.Assign, _assignments),
    (ast.FunctionDef, _functions),
    (ast.Try, _time_out_handlers),
)
