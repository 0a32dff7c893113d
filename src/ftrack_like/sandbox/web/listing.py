"""Lists that a page shows a part at a time, with the true number of entries."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Optional, TypeVar

from ftrack_like.sandbox.web.reading import PageReader, Record

__all__ = ["Listing", "count_of", "list_records", "offset_of", "part_of"]

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Listing(Generic[Entry]):
    """Some of the entries of a list, from *offset*; *total* is the number of all entries.

    *size* is the most entries on a page. *parameter* is the name of the parameter in the address
    that contains the offset, and *others* are the other parameters.
    """

    entries: Sequence[Entry]
    offset: int
    total: int
    size: int
    parameter: str = "from"
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Return whether the page shows all entries."""
        return self.offset == 0 and len(self.entries) >= self.total

    @property
    def words(self) -> str:
        """Return the numbers in words, such as "501 to 1,000 of 5,000"."""
        if self.is_whole or not self.entries:
            return f"{self.total:,}"
        if self.offset == 0:
            return f"{len(self.entries):,} of {self.total:,}"
        return f"{self.offset + 1:,} to {self.offset + len(self.entries):,} of {self.total:,}"

    @property
    def before(self) -> Optional[int]:
        """Return the offset of the page before this one, or None."""
        return max(self.offset - self.size, 0) if self.offset else None

    @property
    def after(self) -> Optional[int]:
        """Return the offset of the page after this one, or None."""
        end = self.offset + self.size
        return end if end < self.total else None

    @property
    def last(self) -> int:
        """Return the offset of the last page."""
        return max(self.total - 1, 0) // self.size * self.size

    def address(self, offset: int) -> str:
        """Return the relative address of the page at *offset*."""
        values = {**self.others, **({self.parameter: str(offset)} if offset else {})}
        return f"?{urllib.parse.urlencode(values)}"


def offset_of(query: Mapping[str, str], parameter: str, otherwise: int = 0) -> int:
    """Return the number in *parameter* of an address, or *otherwise* if it is none."""
    text = query.get(parameter, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def part_of(
    entries: Sequence[Entry], query: Mapping[str, str], size: int, parameter: str = "from"
) -> Listing[Entry]:
    """Return the part of *entries* that the address asks for."""
    offset = _within(offset_of(query, parameter), len(entries), size)
    shown = entries[offset : offset + size]
    return Listing(shown, offset, len(entries), size, parameter, _others(query, parameter))


def list_records(
    reader: PageReader,
    selection: str,
    criteria: str,
    order: str,
    query: Mapping[str, str],
    size: int,
    parameter: str = "from",
) -> Listing[Record]:
    """Return the part of the matching records that the address asks for.

    *selection* is the start of an expression, such as ``select name from Task``. *criteria* select
    the records; "" selects all. *order* must be unambiguous, or pages show records twice.
    """
    type_name = selection.rpartition(" ")[2]
    where = f" where {criteria}" if criteria else ""
    total = count_of(reader, type_name, criteria)
    offset = _within(offset_of(query, parameter), total, size)
    records = reader.query(
        f"{selection}{where} order by {order} limit {size}{f' offset {offset}' if offset else ''}"
    )
    return Listing(records, offset, total, size, parameter, _others(query, parameter))


def count_of(reader: PageReader, type_name: str, criteria: str = "") -> int:
    """Return the number of records of *type_name* that match *criteria*."""
    where = f" where {criteria}" if criteria else ""
    found = reader.query(f"select count(id) from {type_name}{where}")
    return int(found[0]["count_id"]) if found else 0


def _within(offset: int, total: int, size: int) -> int:
    """Return *offset*, or that of the last page if the list is shorter now."""
    return offset if offset < total else max(total - 1, 0) // size * size


def _others(query: Mapping[str, str], parameter: str) -> dict[str, str]:
    return {name: value for name, value in query.items() if name != parameter}
