"""Mail that the sandbox sends: files in an outbox, and to a mail server where one is named.

Every message is kept as an ``.eml`` file, which mail programs open, so that a laptop without a
mail server shows what would have been sent. With ``SMTP_URL`` set (``smtp://host:25``,
``smtps://user:password@host``, ``smtp+starttls://…``) it is sent there as well.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import itertools
import logging
import os
import pathlib
import smtplib
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["SENDER", "Outbox", "compose", "deliver"]

#: Who the messages are from, where no ``FTRACK_LIKE_MAIL_FROM`` says otherwise.
SENDER = "ftrack-like sandbox <sandbox@localhost>"

#: Seconds to wait for a mail server.
_TIMEOUT = 20.0

_LOGGER = logging.getLogger(__name__)


def compose(to: str, subject: str, text: str) -> EmailMessage:
    """Return a message of plain *text* to the address *to*.

    Raise :exc:`ValueError` for an address or subject that would break out of its header.
    """
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = os.environ.get("FTRACK_LIKE_MAIL_FROM") or SENDER
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="sandbox.localhost")
    message.set_content(text)
    return message


def deliver(url: str, message: EmailMessage) -> None:
    """Send *message* to the mail server at *url*; raise :exc:`OSError` if it does not take it."""
    parts = urlsplit(url)
    make: Callable[..., smtplib.SMTP] = (
        smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
    )
    with make(parts.hostname or "localhost", parts.port or 0, timeout=_TIMEOUT) as server:
        if parts.scheme == "smtp+starttls":
            server.starttls()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


class Outbox:
    """The messages in *folder*, newest last; threads may share it."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Make the folder if need be."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(len(list(folder.glob("*.eml"))) + 1)
        self._lock = threading.Lock()

    def send(self, message: EmailMessage) -> pathlib.Path:
        """Keep *message*, and send it where ``SMTP_URL`` is set; return its file.

        Sending happens on a thread of its own; a failure is logged, the file stays.
        """
        with self._lock:
            number = next(self._numbers)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        path = self._folder / f"{number:06d}-{stamp}.eml"
        part = path.with_suffix(".part")
        part.write_bytes(message.as_bytes())
        part.replace(path)
        url = os.environ.get("SMTP_URL")
        if url:
            threading.Thread(
                target=_deliver_or_log, args=(url, message), name="sandbox-mail", daemon=True
            ).start()
        return path

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages, ``{"file", "to", "from", "subject", "date", "text"}``, in order."""
        found = []
        for path in sorted(self._folder.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = message.get_body(("plain",))
            found.append(
                {
                    "file": path.name,
                    "to": str(message["To"]),
                    "from": str(message["From"]),
                    "subject": str(message["Subject"]),
                    "date": str(message["Date"]),
                    "text": body.get_content() if body is not None else "",
                }
            )
        return found

    def clear(self) -> None:
        """Remove all messages."""
        for path in self._folder.glob("*.eml"):
            path.unlink()


def _deliver_or_log(url: str, message: EmailMessage) -> None:
    try:
        deliver(url, message)
    except OSError as error:
        # The address may hold a password; only the host is named.
        _LOGGER.warning(
            "The mail server %s did not take the message to %s: %s",
            urlsplit(url).hostname,
            message["To"],
            error,
        )
