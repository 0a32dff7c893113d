"""The output of commands: a table on a terminal, TSV in a pipe, or JSON, JSON lines or CSV.

Rows are lists of JSON values in the order of the columns. Every format but the table prints a row
as soon as it arrives. ``rich`` draws the table if it is installed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, TextIO

from ftrack_like.cli._text import in_columns, printable, width_of

if TYPE_CHECKING:
    from ftrack_like._base.types import Json

__all__ = [
    "OUTPUT_FORMATS",
    "add_output_arguments",
    "as_json_text",
    "cell_text",
    "format_of",
    "has_colours",
    "is_terminal",
    "write_details",
    "write_rows",
]

OUTPUT_FORMATS = ("table", "tsv", "csv", "json", "jsonl")

#: Columns of a table are not made narrower than this, and have this many spaces between them.
_NARROWEST, _GAP = 6, 2
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|")
_ID_WIDTH = 36
#: A number, a duration or a size.
_NUMBER = re.compile(r"-?(\d+(\.\d+)?( (bytes|[KMG]B)|s)?|\d+h|(\d+h)?\d+m)")
#: The width of the beginning of an id, with the ellipsis. It is cut if it leaves the other columns
#: less room than they need to be readable.
_SHORT_ID_WIDTH, _READABLE = 9, 12
#: Columns that are never cut.
_WHOLE = frozenset({"path", "url"})
#: Characters that JSON leaves as they are and that could control a terminal or hide text.
_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_TSV_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the format of the output to *parser*."""
    group = parser.add_argument_group("output")
    formats = group.add_mutually_exclusive_group()
    formats.add_argument(
        "-o",
        "--output",
        choices=OUTPUT_FORMATS,
        help="format of the output (default: table on a terminal, tsv in a pipe)",
    )
    for name, words in (
        ("json", "a list of JSON objects"),
        ("jsonl", "one JSON object a line"),
        ("csv", "comma-separated values with a header"),
        ("tsv", "tab-separated values; tab, line break and backslash are \\t, \\n and \\\\"),
    ):
        formats.add_argument(
            f"--{name}", dest="output", action="store_const", const=name, help=f"print {words}"
        )
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="print the names of the columns first (default: not in TSV)",
    )


def format_of(arguments: argparse.Namespace) -> str:
    """Return the format that *arguments* choose."""
    return str(arguments.output or ("table" if is_terminal(sys.stdout) else "tsv"))


def is_terminal(stream: TextIO) -> bool:
    """Return whether *stream* is a terminal."""
    try:
        return stream.isatty()
    except ValueError:  # It is closed.
        return False


def has_colours(stream: TextIO) -> bool:
    """Return whether *stream* is a terminal that may get colours: not with NO_COLOR set."""
    terminal = os.environ.get("TERM", "")
    # Older consoles of Windows print escape sequences as they are.
    knows = terminal != "dumb" if os.name != "nt" else bool(terminal or "WT_SESSION" in os.environ)
    return knows and not os.environ.get("NO_COLOR") and is_terminal(stream)


def write_rows(
    arguments: argparse.Namespace,
    columns: Sequence[str],
    rows: Iterable[Sequence[Json]],
    *,
    short_ids: bool = False,
) -> int:
    """Write *rows* with *columns* in the format of *arguments*; return the number of rows.

    With *short_ids*, a table that is too wide for the terminal shows only the beginning of each id
    in the column ``id``, which commands accept too.
    """
    write = _WRITERS[format_of(arguments)]
    if short_ids and write is _write_table:
        write = functools.partial(_write_table, short_ids=True)
    count = 0

    def counted() -> Iterable[Sequence[Json]]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    write(columns, counted(), arguments.header)
    return count


def write_details(arguments: argparse.Namespace, values: Mapping[str, Json]) -> None:
    """Write the *values* of one object: an attribute a line, or one JSON object."""
    chosen = format_of(arguments)
    if chosen == "json":
        print(as_json_text(dict(values), indent=2))
    elif chosen == "jsonl":
        print(as_json_text(dict(values)))
    elif chosen == "csv":
        _write_csv(list(values), [list(values.values())], arguments.header)
    elif chosen == "tsv":
        _write_tsv(["attribute", "value"], list(map(list, values.items())), arguments.header)
    else:
        _write_pairs(values)


def _write_pairs(values: Mapping[str, Json]) -> None:
    """Write *values* for people: the names in one column, and values in as many lines as needed."""
    width = max(map(width_of, values), default=0)
    bold, plain = ("\x1b[1m", "\x1b[0m") if has_colours(sys.stdout) else ("", "")
    for name, value in values.items():
        lines = cell_text(value).splitlines() or [""]
        for index, line in enumerate(lines):
            label = in_columns(name if index == 0 else "", width)
            print(f"{bold}{printable(label)}{plain}  {printable(line)}".rstrip())


def cell_text(value: Json) -> str:
    """Return *value* as the text of a cell: lists with commas, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        if value and all(isinstance(each, dict) and "name" in each for each in value):
            return " / ".join(str(each["name"]) for each in value)  # The path of an entity.
        return ", ".join(map(cell_text, value))
    if isinstance(value, dict):
        return as_json_text(value)
    return str(value)


def as_json_text(value: Json, indent: Any = None) -> str:  # noqa: ANN401 - as for json.dumps
    """Return *value* as JSON that is safe on a terminal and fits the encoding of the output."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    text = json.dumps(value, ensure_ascii=not encoding.startswith("utf"), indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _write_json(columns: Sequence[str], rows: Iterable[Sequence[Json]], header: object) -> None:
    """Write a list of objects, one a line."""
    separator = "["
    for row in rows:
        print(separator)
        sys.stdout.write(f"  {as_json_text(dict(zip(columns, row)))}")
        separator = ","
    print("[]" if separator == "[" else "\n]")


def _write_jsonl(columns: Sequence[str], rows: Iterable[Sequence[Json]], header: object) -> None:
    """Write one object a line."""
    for row in rows:
        print(as_json_text(dict(zip(columns, row))))


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Json]], header: object) -> None:
    """Write CSV as spreadsheets read it, with a header by default."""
    import csv  # lazy: few commands need it

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if header is not False:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([_safe_on_terminal(cell_text(value)) for value in row])


def _write_tsv(columns: Sequence[str], rows: Iterable[Sequence[Json]], header: object) -> None:
    """Write tab-separated values, without a header by default."""
    for row in [columns, *rows] if header else rows:
        print("\t".join([_tsv_text(cell_text(value)) for value in row]))


def _tsv_text(text: str) -> str:
    """Return *text* on one line and without tabs."""
    if not text.isprintable() or "\\" in text:
        text = "".join(_TSV_ESCAPES.get(character, character) for character in text)
    return _safe_on_terminal(text)


def _safe_on_terminal(text: str) -> str:
    """Return *text*, without control characters if it goes to a terminal."""
    if text.isprintable() or not is_terminal(sys.stdout):
        return text
    return "\n".join(map(printable, text.split("\n")))


def _write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Json]],
    header: object,
    short_ids: bool = False,
) -> None:
    """Write a table that fits the terminal; in a pipe it is as wide as its longest values.

    *short_ids* is as for :func:`write_rows`.
    """
    cells = [[printable(" ".join(cell_text(each).split())) for each in row] for row in rows]
    if not cells:
        return
    right = [_are_numbers(cells, index) for index in range(len(columns))]
    widths = _widths(columns, cells, header, short_ids)
    if not (is_terminal(sys.stdout) and _write_rich_table(columns, cells, right, header, widths)):
        _write_plain_table(columns, cells, right, header, widths)


def _are_numbers(cells: Sequence[Sequence[str]], index: int) -> bool:
    """Return whether all filled *cells* of the column *index* are numbers, or have a unit."""
    filled = [row[index] for row in cells if row[index]]
    return bool(filled) and all(map(_NUMBER.fullmatch, filled))


def _write_plain_table(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    header: object,
    widths: Sequence[int],
) -> None:
    """Write the table without ``rich``."""
    shown = [columns, *cells] if header is not False else cells
    bold, plain = ("\x1b[1m", "\x1b[0m") if has_colours(sys.stdout) else ("", "")
    for number, row in enumerate(shown):
        parts = []
        for text, width, is_right in zip(row, widths, right):
            if is_right and width_of(text) < width:
                parts.append(" " * (width - width_of(text)) + text)
            else:
                parts.append(in_columns(text, width))
        line = (" " * _GAP).join(parts).rstrip()
        print(f"{bold}{line}{plain}" if number == 0 and header is not False else line)


def _widths(
    columns: Sequence[str], cells: Sequence[Sequence[str]], header: object, short_ids: bool
) -> list[int]:
    """Return the widths of the columns, which fit a terminal if the output is one."""
    shown = [columns, *cells] if header is not False else cells
    widths = [max(width_of(row[index]) for row in shown) for index in range(len(columns))]
    if not is_terminal(sys.stdout):
        return widths
    import shutil  # lazy: takes as long to import as argparse

    available = shutil.get_terminal_size().columns
    # Part of an id, a path or an address is of no use: the terminal then wraps the lines.
    ids = [all(_ID.fullmatch(row[index]) for row in cells) for index in range(len(columns))]
    least = [_ID_WIDTH if is_id else _NARROWEST for is_id in ids]
    least = [width if name in _WHOLE else low for name, width, low in zip(columns, widths, least)]
    if _WHOLE.intersection(columns) and sum(least) + _GAP * (len(least) - 1) > available:
        return widths  # The lines do not fit anyhow, so the other columns stay whole too.
    readable = [
        low if is_id else max(low, min(width, _READABLE))
        for low, width, is_id in zip(least, widths, ids)
    ]
    if short_ids and sum(readable) + _GAP * (len(widths) - 1) > available:
        for index, name in enumerate(columns):
            if name == "id" and ids[index]:
                widths[index] = least[index] = min(widths[index], _SHORT_ID_WIDTH)
    return fit(widths, available, least)


def fit(widths: Sequence[int], available: int, least: Sequence[int]) -> list[int]:
    """Return *widths* of columns, the widest reduced, so that they fit *available* columns.

    No column is made narrower than its width in *least*.
    """
    found = [min(width, max(available, low)) for width, low in zip(widths, least)]
    excess = sum(found) + _GAP * (len(found) - 1) - available
    while excess > 0:
        reducible = [index for index, width in enumerate(found) if width > least[index]]
        if not reducible:
            break
        widest = max(reducible, key=lambda index: found[index])
        found[widest] -= 1
        excess -= 1
    return found


def _write_rich_table(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    header: object,
    widths: Sequence[int],
) -> bool:
    """Write the table with ``rich``; return False if it is not installed."""
    try:
        from rich.console import Console  # lazy: takes longer than "--help"
        from rich.table import Table  # lazy: likewise
        from rich.text import Text  # lazy: likewise
    except ImportError:
        return False
    table = Table(
        box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=header is not False
    )
    for name, is_right, width in zip(columns, right, widths):
        table.add_column(
            Text(name, "bold"),
            width=width,
            justify="right" if is_right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        table.add_row(*[Text(text) for text in row])
    console = Console(highlight=False, no_color=not has_colours(sys.stdout))
    console.width = max(console.width, sum(widths) + _GAP * (len(widths) - 1))
    console.print(table, crop=False)
    return True


_WRITERS: dict[str, Callable[[Sequence[str], Iterable[Sequence[Any]], object], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "table": _write_table,
    "tsv": _write_tsv,
}
