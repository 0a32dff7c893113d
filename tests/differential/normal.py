"""Write answers, errors and states so that those of two runs can be compared.

Ids become numbers by the order in which a step shows them, the present becomes ``<now>``, paths and
addresses of one run become names, entities become their type and id.
"""

from __future__ import annotations

import datetime
import inspect
import itertools
import re
from typing import Any

IDS = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"
    r"|\b[0-9a-f](?:/[0-9a-f]){3}/[0-9a-f]{4}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # as folders
)
MOMENTS = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?")
A_WHILE = datetime.timedelta(minutes=30)
#: Bases that every exception has and that nobody chooses to catch by.
COMMON = {"object", "BaseException", "Exception"}


class Normaliser:
    """Normalises what one step shows. *words* maps texts of this run to what stands for them."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words
        self.ids: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Return *value* without ids, moments and texts of this run."""
        for word, name in self.words.items():
            value = value.replace(word, name)
        value = IDS.sub(lambda found: self.number(found[0]), value)
        return MOMENTS.sub(lambda found: self.moment(found[0]), value)

    def number(self, text: str) -> str:
        """Return the name that stands for the id *text* in this step."""
        return self.ids.setdefault(text, f"<id {len(self.ids) + 1}>")

    def moment(self, text: str) -> str:
        """Return *text*, or ``<now>`` when the moment it names is about now."""
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "T"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        now = datetime.datetime.now(datetime.timezone.utc)
        return "<now>" if abs(now - moment) < A_WHILE else text

    def value(self, value: Any) -> Any:
        """Return *value* in terms of JSON."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return {"bytes": self.text(value.decode("utf-8", "replace"))}
        if hasattr(value, "primary_key_attributes"):
            return self.entity(value)
        if hasattr(value, "isoformat"):
            return {"date": self.text(value.isoformat())}
        return self.container(value)

    def entity(self, entity: Any) -> str:
        """Return the type and key of *entity*."""
        with entity.session.auto_populating(False):
            keys = [self.text(str(entity[name])) for name in entity.primary_key_attributes]
        return f"<{entity.entity_type} {' '.join(keys)}>"

    def container(self, value: Any) -> Any:
        """Return *value* as a list or mapping; of anything else, the name of its class."""
        if hasattr(value, "keys"):
            return {
                self.text(str(key)): self.value(value[key]) for key in sorted(value.keys(), key=str)
            }
        if isinstance(value, (set, frozenset)):
            return sorted((self.value(item) for item in value), key=str)
        if isinstance(value, (list, tuple)) or hasattr(value, "insert") or hasattr(value, "one"):
            return [self.value(item) for item in value]
        if inspect.isclass(value):
            return f"<class {value.__name__}>"
        if type(value).__name__ == "Symbol":
            return self.text(str(value))
        return f"<{type(value).__name__}>"


def caught_by(error: BaseException, module_name: str) -> list[str]:
    """Return the names of the classes by which callers catch *error*, without their modules."""
    public = (f"{module_name}.exception", "builtins", "requests.exceptions")
    return sorted(
        {
            f"{kind.__module__.replace(module_name + '.', '')}.{kind.__name__}"
            for kind in type(error).__mro__
            if kind.__module__ in public and kind.__name__ not in COMMON
        }
    )


def operation(value: Any) -> str:
    """Return one recorded operation in words."""
    words = [type(value).__name__, value.entity_type, getattr(value, "attribute_name", "")]
    return " ".join(filter(None, words))


def state(session: Any) -> dict[str, Any]:
    """Return what *session* is about to do: entity types by state, and its operations in order.

    Operations that say the same one after the other are named once: a commit sends the last.
    """
    operations = [operation(item) for item in session.recorded_operations]
    return {
        "created": sorted(entity.entity_type for entity in session.created),
        "modified": sorted(entity.entity_type for entity in session.modified),
        "deleted": sorted(entity.entity_type for entity in session.deleted),
        "operations": [words for words, _ in itertools.groupby(operations)],
    }
