"""Entities and results as HTML for notebooks, made of loaded values only."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

from ftrack_like._values.labels import known_values, name_of, short_text
from ftrack_like.symbol import NOT_SET

__all__ = [
    "MOST_ROWS",
    "entity_table",
    "entries_table",
    "members_table",
    "rows_table",
    "thumbnail_of",
    "unread_note",
]

#: The most rows of a table.
MOST_ROWS = 20

#: The most columns of a table of members.
_MOST_COLUMNS = 12

#: Parameters of an address that are secrets: a notebook with them gives the key away.
_SECRETS = frozenset({"apikey", "api_key", "key", "password", "token"})

_CELL = "text-align:left;vertical-align:top"

#: The mark behind a value that the server does not have yet.
_NOT_COMMITTED = " <small>(not committed)</small>"


def thumbnail_of(values: Mapping[str, Any]) -> Optional[str]:
    """Return the address of the picture in the loaded *values*, None if there is none.

    An address with a key of the user is left out.
    """
    found = values.get("thumbnail_url")
    address = found.get("url") or found.get("value") if isinstance(found, Mapping) else found
    if not isinstance(address, str) or len(address) > 2_000:
        return None
    try:
        parts = urlsplit(address)
        names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        return None
    is_safe = parts.scheme in ("http", "https") and not parts.password and not names & _SECRETS
    return address if is_safe else None


def entity_table(
    title: str,
    values: Mapping[str, Any],
    names: Iterable[str],
    changed: Collection[str] = (),
) -> str:
    """Return a table of the loaded *values* in the order of *names*, with *title* above.

    *changed* are the names of the values that the server does not have yet.
    """
    shown = [name for name in names if name in values and name != "thumbnail_url"]
    rows = "".join(
        f"<tr><th style='{_CELL}'>{_html_text(name)}</th>"
        f"<td style='{_CELL}'>{_html_text(short_text(values[name]))}"
        f"{_NOT_COMMITTED if name in changed else ''}</td></tr>"
        for name in shown[:MOST_ROWS]
    )
    more = _more(len(shown) - MOST_ROWS, "loaded value")
    head = f"<code>{_html_text(title)}</code><br>{_image(values, 160)}"
    return f"<div>{head}<table>{rows}</table>{more}</div>"


def rows_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Sequence[object], Mapping[str, Any]]],
    hidden: int,
) -> str:
    """Return a table with *columns*.

    Each of *rows* is the list of its cells, and its loaded values, for the thumbnail. *title* is
    above the table. Below it is the number of *hidden* rows that are loaded as well.
    """
    pictures = [_image(values, 48) for _, values in rows]
    has_pictures = any(pictures)
    head = "".join(f"<th style='{_CELL}'>{_html_text(name)}</th>" for name in columns)
    body = ""
    for (cells, _), picture in zip(rows, pictures):
        first = f"<td>{picture}</td>" if has_pictures else ""
        texts = [f"<td style='{_CELL}'>{_html_text(short_text(cell))}</td>" for cell in cells]
        body += f"<tr>{first}{''.join(texts)}</tr>"
    corner = "<th></th>" if has_pictures else ""
    table = f"<table><thead><tr>{corner}{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div><code>{_html_text(title)}</code>{table}{_more(hidden, 'loaded row')}</div>"


def unread_note(title: str, note: str) -> str:
    """Return *title*, of a result of which nothing is read, with *note* below."""
    return f"<div><code>{_html_text(title)}</code><br><small>{_html_text(note)}</small></div>"


def members_table(title: str, members: Sequence[object]) -> str:
    """Return a table of the loaded values of *members*, entities, with *title* above."""
    values = [known_values(each) for each in members[:MOST_ROWS]]
    names = list(dict.fromkeys(name for each in values for name in each))
    names.sort(key=_column_rank)
    columns = [name for name in names if name != "thumbnail_url"][:_MOST_COLUMNS]
    rows = [([each.get(name, "") for name in columns], each) for each in values]
    return rows_table(title, columns, rows, len(members) - len(values))


def _column_rank(name: str) -> int:
    """Return the position of the column *name*: what names the entity comes first."""
    return 0 if name_of("", {name: name}) else 1


def entries_table(title: str, entries: Sequence[tuple[str, object]]) -> str:
    """Return a table of the keys and values *entries*, with *title* above."""
    shown = entries[:MOST_ROWS]
    rows: list[tuple[list[object], Mapping[str, Any]]] = [
        ([key, "…" if value is NOT_SET else value], {}) for key, value in shown
    ]
    return rows_table(title, ["key", "value"], rows, len(entries) - len(shown))


def _image(values: Mapping[str, Any], width: int) -> str:
    address = thumbnail_of(values)
    if address is None:
        return ""
    return f'<img src="{_html_text(address)}" alt="" style="max-width:{width}px" loading="lazy">'


def _more(count: int, noun: str) -> str:
    return f"<small>… {count} more {noun}{'' if count == 1 else 's'}</small>" if count > 0 else ""


def _html_text(text: str) -> str:
    """Return *text* for HTML, without characters that a document cannot contain."""
    clean = "".join([c if c.isprintable() or c == " " else "\ufffd" for c in text])
    return html.escape(clean, quote=True)
