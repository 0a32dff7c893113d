"""A base class for named tuples that are cheap to define.

``typing.NamedTuple`` compiles each annotation of a class if it is text, as in all modules of this
library. That takes half of the time to define the class, 0.25 ms instead of 0.13. A session needs a
dozen of these classes. Type checkers see ``typing.NamedTuple`` here.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    #: Names in the body of a class that the class of the tuple has itself.
    _GIVEN = frozenset({"__annotations__", "__classcell__", "__module__", "__qualname__"})

    class _Definer(type):
        """Turns the body of a class into a named tuple."""

        def __new__(mcs, name, bases, body):
            """Return a named tuple with the annotations, defaults and methods in *body*."""
            if bases == ():
                return super().__new__(mcs, name, bases, body)
            fields = body.get("__annotations__", {})
            defaults = [body[field] for field in fields if field in body]
            made = collections.namedtuple(
                name, fields, defaults=defaults, module=body["__module__"]
            )
            made.__qualname__ = body["__qualname__"]
            made.__annotations__ = dict(fields)
            for key, value in body.items():
                if key not in fields and key not in _GIVEN:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Definer):
        """A class whose annotations are the fields of a tuple, as of ``typing.NamedTuple``."""
