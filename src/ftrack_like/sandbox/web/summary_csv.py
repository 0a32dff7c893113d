"""Write the summary of a review as CSV (RFC 4180) for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Optional

from ftrack_like.sandbox.web.summary_data import Summary, SummaryNote, SummaryObject

__all__ = ["COLUMNS", "harmless", "write_csv"]

#: The columns. Each row is an entry about one object: the object itself, a decision, a note or a
#: reply.
COLUMNS = (
    "Position",
    "Object",
    "Version",
    "Entry",
    "Person",
    "Time (UTC)",
    "Frame",
    "Decision",
    "Text",
    "Resolved",
    "Resolved by",
)

#: The start of a cell that a spreadsheet calculates instead of showing it. Invitees write the
#: texts, so that one could read other cells and send them away.
_SIGN = r"[=+\-@|%\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"\s*{_SIGN}|[\t\r\n]")

#: A sign that begins a cell where the spreadsheet separates cells by semicolons or tabs. Excel does
#: so in countries with a decimal comma, and then ignores the quotes around a text with commas.
_LATER_FORMULA = re.compile(rf"([\t\r\n;]\s*)(?={_SIGN})")

#: Excel reads a file without this mark in the code page of the machine, and shows "Zoë" as "ZoÃ«".
_BYTE_ORDER_MARK = "\ufeff"


def write_csv(summary: Summary) -> bytes:
    """Return *summary* as CSV: UTF-8 with a byte order mark, and lines that end with CR LF.

    The first row of each object has the entry "version", so that objects without decisions and
    notes are in the file too.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in summary.objects:
        for row in _rows(one):
            writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return (_BYTE_ORDER_MARK + text.getvalue()).encode("utf-8")


def harmless(text: str) -> str:
    """Return *text* as a cell that no spreadsheet takes for a formula.

    A text that could be a formula gets an apostrophe before it, as if a person had typed it. So
    does each part that a semicolon, a tab or a new line separates.
    """
    text = _LATER_FORMULA.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def _rows(one: SummaryObject) -> Iterator[Sequence[object]]:
    start = (one.position, one.name, one.version)
    yield (*start, "version", "", "", "", "", "", "", "")
    for decision in one.decisions:
        when = _moment(decision.when)
        yield (*start, "decision", decision.who, when, "", decision.words, "", "", "")
    for note in one.notes:
        yield (*start, *_note("note", note))
        for reply in note.replies:
            yield (*start, *_note("reply", reply))


def _note(entry: str, note: SummaryNote) -> Sequence[object]:
    frame = "" if note.frame is None else note.frame
    resolved = "" if entry == "reply" else _moment(note.resolved_at) or "no"
    # A frame is a number, which a spreadsheet calculates with; all other cells are texts.
    return (
        entry,
        note.author,
        _moment(note.date),
        frame,
        "",
        note.content,
        resolved,
        note.resolved_by,
    )


def _moment(value: Optional[datetime]) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"
