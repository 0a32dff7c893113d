"""Queries: their text, and their results, which are loaded page by page on demand."""

from __future__ import annotations

from ftrack_like._values.literals import bind, bind_pieces
from ftrack_like.query._result import QueryResult, load_first_pages
from ftrack_like.query._rows import Pages
from ftrack_like.query._source import QueryRequests, RowPage, check_progress
from ftrack_like.query._text import (
    Outline,
    count_expression,
    finds_entities,
    outline,
    prepare,
    projections_of,
)
from ftrack_like.query._wording import (
    Wording,
    line_with_caret,
    restate,
    restate_projections,
    restate_values,
)

__all__ = [
    "Outline",
    "Pages",
    "QueryRequests",
    "QueryResult",
    "RowPage",
    "Wording",
    "bind",
    "bind_pieces",
    "check_progress",
    "count_expression",
    "finds_entities",
    "line_with_caret",
    "load_first_pages",
    "outline",
    "prepare",
    "projections_of",
    "restate",
    "restate_projections",
    "restate_values",
]
