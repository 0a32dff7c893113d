"""Keep API keys out of logs, errors and ``repr``."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any
from urllib.parse import quote

__all__ = ["MASK", "mask_urllib3_logs", "masked"]

#: The text in place of a secret.
MASK = "********"

#: An API key with its name. It is a text and not compiled, since most programs never use it.
_PARAMETER = (
    r"(?i)(?P<name>\b(?:api_?key|ftrack-api-key)\b[\"']?\s*[=:]\s*[\"']?)"
    r"(?P<value>[^\s&\"',;)}\]]+)"
)

#: A user name and password in an address, usually of a proxy.
_LOGIN = r"(?<=//)[^\s/@]*:[^\s/@]*(?=@)"


def masked(text: Any, *secrets: str | None) -> str:
    """Return *text* with *secrets*, API key parameters and passwords in addresses masked.

    Secrets are found both in plain form and percent-encoded, as in an address. Secrets with fewer
    than four characters are ignored: they would mask half of the text.
    """
    result = str(text)
    for secret in secrets:
        if secret and len(secret) > 3:
            result = result.replace(secret, MASK).replace(quote(secret, safe=""), MASK)
    if "@" in result:
        result = re.sub(_LOGIN, MASK, result)
    return re.sub(_PARAMETER, lambda match: match["name"] + MASK, result)


class _MaskingFilter(logging.Filter):
    """Mask API keys in the records of a logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask keys in the formatted text of *record*; keep every record."""
        text = record.getMessage()
        clean = masked(text)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


_installing = threading.Lock()


def mask_urllib3_logs() -> None:
    """Mask API keys in the addresses that urllib3 logs. A second call has no effect."""
    logger = logging.getLogger("urllib3.connectionpool")
    with _installing:
        if not any(isinstance(each, _MaskingFilter) for each in logger.filters):
            logger.addFilter(_MaskingFilter())
