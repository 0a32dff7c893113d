"""The log of the sandbox process, as text or as one JSON object in each line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone

from ftrack_like.sandbox.operations.request_ids import REQUEST_ID

__all__ = ["ACCESS", "ENCODINGS", "FORMATS", "continue_logs", "set_up_logs"]

#: The values of ``--log-format``.
FORMATS = ("text", "json")
#: Tells child processes the format. It is no option for users: the command sets it.
_VARIABLE = "FTRACK_LIKE_SANDBOX_LOG_FORMAT"
#: The logger with one record for each request.
ACCESS = "ftrack_like.sandbox.access"
#: The logger with one record when an encoding begins, and one when it ends.
ENCODINGS = "ftrack_like.sandbox.encodings"


def set_up_logs(form: str) -> None:
    """Write the log of this process and its children to standard error, as ``text`` or ``json``.

    Each record has the id of its request. The access log has one record for each request, without
    the query, because queries of the protocol contain API keys.
    """
    os.environ[_VARIABLE] = form
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    handler.setFormatter(_JsonLines() if form == "json" else logging.Formatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in (ACCESS, ENCODINGS):
        logging.getLogger(name).setLevel(logging.INFO)
    # Its handler would write each record a second time, in another form.
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


def continue_logs() -> None:
    """Set up the logs as this process or its parent did, if either did.

    uvicorn adds its handlers when a server is made, so call this after that.
    """
    form = os.environ.get(_VARIABLE)
    if form in FORMATS:
        set_up_logs(form)


_TEXT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def _add_request_id(record: logging.LogRecord) -> bool:
    """Add the id of the current request to *record*, and keep the record."""
    record.request_id = REQUEST_ID.get() or "-"
    return True


class _JsonLines(logging.Formatter):
    """Formats a record as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON: time, level, logger, message, request_id and more."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        identifier = getattr(record, "request_id", "-")
        if identifier != "-":
            fields["request_id"] = identifier
        fields.update(getattr(record, "facts", {}))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)
