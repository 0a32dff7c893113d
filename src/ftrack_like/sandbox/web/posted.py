"""Read forms with files, without keeping the files in memory.

A browser sends such a form as ``multipart/form-data``. Large files go to temporary files on the
disk while they arrive.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ftrack_like.sandbox.errors import MalformedRequestError, RequestTooLargeError
from ftrack_like.sandbox.limits import option_of

__all__ = ["MAXIMUM_FILES", "Posted", "PostedFile", "is_multipart", "posted_form"]

#: The most files in one form.
MAXIMUM_FILES = 50

#: Bytes that the server reads and drops after a form that is too large. A browser that is still
#: sending does not read the answer.
_DROPPED = 64 * 1024 * 1024


@dataclass(frozen=True)
class PostedFile:
    """A file in a form: the *name* that the browser sent, and the *size* in bytes."""

    name: str
    size: int
    file: BinaryIO


@dataclass(frozen=True)
class Posted:
    """The content of a form."""

    values: Mapping[str, str]
    files: Sequence[PostedFile]


def is_multipart(request: Request) -> bool:
    """Return whether the body of *request* is a form that can contain files."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


@contextlib.asynccontextmanager
async def posted_form(request: Request, form_bytes: int, file_bytes: int) -> AsyncIterator[Posted]:
    """Yield the form in *request*, and close its files at the end.

    *form_bytes* limits each value, and *file_bytes* the whole form. Raise
    :exc:`RequestTooLargeError` beyond *file_bytes*, and :exc:`MalformedRequestError` if the body is
    not a valid form.
    """
    parser = MultiPartParser(
        request.headers,
        _limited(request, file_bytes + form_bytes),
        max_files=MAXIMUM_FILES,
        max_fields=20,
        max_part_size=form_bytes,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise MalformedRequestError(f"The form could not be read: {error.message}") from error
    try:
        items = form.multi_items()
        values = {name: value for name, value in items if isinstance(value, str)}
        files = [
            PostedFile(one.filename, one.size or 0, one.file)
            for _, one in items
            if isinstance(one, UploadFile) and one.filename
        ]
        yield Posted(values, files)
    finally:
        await form.close()


async def _limited(request: Request, maximum: int) -> AsyncGenerator[bytes, None]:
    """Yield the body of *request*; raise :exc:`RequestTooLargeError` beyond *maximum* bytes."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > maximum + _DROPPED:
            break
        if size <= maximum:
            yield chunk
    if size > maximum:
        raise RequestTooLargeError(
            f"The files of the note are larger than {maximum} bytes together. Attach smaller "
            f"files, or start the sandbox with a larger {option_of('note_bytes')}."
        )
