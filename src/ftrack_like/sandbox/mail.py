"""Mail that the sandbox sends: files in an outbox, and to a mail server where one is named.

Every message is kept as an ``.eml`` file, which mail programs open, so that a laptop without a
mail server shows what would have been sent. With ``SMTP_URL`` set (``smtp://host:25``,
``smtps://user:password@host``, ``smtp+starttls://…``) it is sent there as well.

The library's own mail packages are large; a server that writes to nobody runs without them.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pathlib
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

__all__ = ["SENDER", "MailOutbox", "compose", "deliver"]

#: Who the messages are from, where no ``FTRACK_LIKE_MAIL_FROM`` says otherwise.
SENDER = "ftrack-like sandbox <sandbox@localhost>"

#: Seconds to wait for a mail server.
_TIMEOUT = 20.0

#: The longest line that mail may have, in bytes, with room for its end.
_LONGEST_LINE = 990

_LINK = re.compile(r"https?://[^\s<>\"]+")

_LOGGER = logging.getLogger(__name__)


def compose(to: str, subject: str, text: str) -> EmailMessage:
    """Return a message of plain *text* to the address *to*.

    Raise :exc:`ValueError` for an address or subject that would break out of its header.
    """
    # lazy: see the module.
    import email.policy
    import email.utils
    from email.message import EmailMessage

    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = os.environ.get("FTRACK_LIKE_MAIL_FROM") or SENDER
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="sandbox.localhost")
    message.set_content(text, cte=_transfer_encoding(text))
    return message


def deliver(url: str, message: EmailMessage) -> None:
    """Send *message* to the mail server at *url*.

    Raise :exc:`OSError` if the server does not take it, :exc:`ValueError` for an address of
    another kind than those that the module names.
    """
    parts = urlsplit(url)
    if parts.scheme not in _CONNECTIONS:
        raise ValueError(f"SMTP_URL begins with {' or '.join(_CONNECTIONS)}, not {parts.scheme!r}.")
    connect = _CONNECTIONS[parts.scheme]
    with connect(parts.hostname or "localhost", parts.port or 0) as server:
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _connect(host: str, port: int) -> smtplib.SMTP:
    # lazy: see the module.
    import smtplib

    return smtplib.SMTP(host, port, timeout=_TIMEOUT)


def _connect_secure(host: str, port: int) -> smtplib.SMTP:
    # lazy: see the module.
    import smtplib
    import ssl

    context = ssl.create_default_context()
    return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)


def _connect_and_secure(host: str, port: int) -> smtplib.SMTP:
    # lazy: see the module.
    import ssl

    server = _connect(host, port)
    server.starttls(context=ssl.create_default_context())
    return server


#: How to reach a mail server, by the scheme of its address; port 0 is the usual one.
_CONNECTIONS: dict[str, Callable[[str, int], smtplib.SMTP]] = {
    "smtp": _connect,
    "smtps": _connect_secure,
    "smtp+starttls": _connect_and_secure,
}


class MailOutbox:
    """The messages in *folder*, oldest first; threads may share it."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Make the folder if need be."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        numbers = [int(path.name[:6]) for path in folder.glob("*.eml") if path.name[:6].isdigit()]
        self._numbers = itertools.count(max(numbers, default=0) + 1)
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
        """Return the messages in order.

        Each is ``{"file", "to", "from", "subject", "date", "text", "links"}``: texts, and the
        list of the addresses in the text. *date* is an ISO 8601 moment in UTC.
        """
        found = []
        for path in sorted(self._folder.glob("*.eml")):
            with contextlib.suppress(FileNotFoundError):  # cleared by another thread
                found.append(_described(path.name, path.read_bytes()))
        return found

    def clear(self) -> None:
        """Remove all messages."""
        for path in self._folder.glob("*.eml"):
            path.unlink(missing_ok=True)


def _transfer_encoding(text: str) -> str:
    """Return how *text* travels: as it is, so that addresses in a file stay in one piece."""
    if any(len(line.encode("utf-8")) > _LONGEST_LINE for line in text.splitlines()):
        return "quoted-printable"
    return "7bit" if text.isascii() else "8bit"


def _described(name: str, data: bytes) -> dict[str, Any]:
    # lazy: see the module.
    import email
    import email.policy

    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(("plain",))
    text = body.get_content().replace("\r\n", "\n") if body is not None else ""
    moment = getattr(message["Date"], "datetime", None)
    return {
        "file": name,
        "to": str(message["To"]),
        "from": str(message["From"]),
        "subject": str(message["Subject"]),
        "date": moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "",
        "text": text,
        "links": _LINK.findall(text),
    }


def _deliver_or_log(url: str, message: EmailMessage) -> None:
    try:
        deliver(url, message)
    except (OSError, ValueError) as error:
        # The address may hold a password; only the host is named.
        _LOGGER.warning(
            "The mail server %s did not take the message to %s: %s",
            urlsplit(url).hostname,
            message["To"],
            error,
        )
