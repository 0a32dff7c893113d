"""Keep API keys out of logs, errors and ``repr``."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any
from urllib.parse import quote

__all__ = ["MASK", "mask_urllib3_logs", "masked"]

#: What is shown in place of a secret.
MASK = "********"

#: An API key with its name. Compiled at its first use, which most programs never come to.
_PARAMETER = (
    r"(?i)(?P<name>\b(?:api_?key|ftrack-api-key)\b[\"']?\s*[=:]\s*[\"']?)"
    r"(?P<value>[^\s&\"',;)}\]]+)"
)

#: A user name and password in an address, as proxies have them.
_LOGIN = r"(?<=//)[^\s/@]+:[^\s/@]*(?=@)"


def masked(text: Any, *secrets: str | None) -> str:
    """Return *text* with *secrets*, API key parameters and passwords in addresses masked.

    A secret is found as it stands and as an address holds it. Empty secrets are passed over, and
    so are those of fewer than four letters, which would mask half of the text.
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
        """Mask the finished text of *record* when a key stands in it; keep every record."""
        text = record.getMessage()
        clean = masked(text)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


_installing = threading.Lock()


def mask_urllib3_logs() -> None:
    """Mask API keys in what urllib3 logs about the addresses that it asks; may be repeated."""
    logger = logging.getLogger("urllib3.connectionpool")
    with _installing:
        if not any(isinstance(each, _MaskingFilter) for each in logger.filters):
            logger.addFilter(_MaskingFilter())
