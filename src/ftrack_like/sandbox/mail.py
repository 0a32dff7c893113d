"""Mail that the sandbox sends: to files in an outbox, and to a mail server if one is configured.

Every message is stored as an ``.eml`` file, which mail programs open. So a laptop without a mail
server shows the mail that would have been sent. If ``SMTP_URL`` is set (``smtp://host:25``,
``smtps://user:password@host``, ``smtp+starttls://…``), the message is also sent to that server.

The mail packages of the standard library are large, so they are imported with the first message.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import re
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import unquote, urlsplit

from ftrack_like._base.renaming import put_into_place
from ftrack_like.sandbox.exclusive import alone

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

__all__ = ["SENDER", "MailOutbox", "compose", "deliver"]

#: The sender of the messages if ``FTRACK_LIKE_MAIL_FROM`` is not set.
SENDER = "ftrack-like sandbox <sandbox@localhost>"

#: Seconds to wait for a mail server.
_TIMEOUT = 20.0

#: The maximum length of a line in a mail, in bytes, without its end.
_LONGEST_LINE = 990

_LINK = re.compile(r"https?://[^\s<>\"]+")

_LOGGER = logging.getLogger(__name__)


def compose(to: str, subject: str, text: str, moment: Optional[datetime] = None) -> EmailMessage:
    """Return a message with the plain *text* to the address *to*, dated *moment* (now if None).

    Raise :exc:`ValueError` for an address or a subject that would break out of its header.
    """
    # lazy: see the module.
    import email.policy
    import email.utils
    from email.message import EmailMessage

    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = os.environ.get("FTRACK_LIKE_MAIL_FROM") or SENDER
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = email.utils.format_datetime(moment or datetime.now(timezone.utc))
    message["Message-ID"] = email.utils.make_msgid(domain="sandbox.localhost")
    message.set_content(text, cte=_transfer_encoding(text))
    return message


def deliver(url: str, message: EmailMessage) -> None:
    """Send *message* to the mail server at *url*.

    Raise :exc:`OSError` if the server does not accept it, and :exc:`ValueError` if *url* has an
    unknown scheme.
    """
    parts = urlsplit(url)
    if parts.scheme not in _CONNECTIONS:
        raise ValueError(
            f"SMTP_URL must begin with {' or '.join(_CONNECTIONS)}, not {parts.scheme!r}."
        )
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


#: The connections to a mail server by the scheme of its address; port 0 means the usual port.
_CONNECTIONS: dict[str, Callable[[str, int], smtplib.SMTP]] = {
    "smtp": _connect,
    "smtps": _connect_secure,
    "smtp+starttls": _connect_and_secure,
}


class MailOutbox:
    """The messages in *folder*, oldest first; threads and processes may share it.

    The first message creates the folder.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def send(self, message: EmailMessage) -> pathlib.Path:
        """Store *message*, and send it if ``SMTP_URL`` is set; return the path of its file.

        A separate thread sends the message. A failure is logged, and the file stays.
        """
        path = self._store(message.as_bytes())
        url = os.environ.get("SMTP_URL")
        if url:
            threading.Thread(
                target=_deliver_or_log, args=(url, message), name="sandbox-mail", daemon=True
            ).start()
        return path

    def _store(self, data: bytes) -> pathlib.Path:
        """Store *data* under the next number; return the path of the file."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        handle, name = tempfile.mkstemp(suffix=".part", dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        with self._lock, alone(self._folder):
            path = self._folder / f"{self._last_number() + 1:06d}-{stamp}.eml"
            put_into_place(name, path)
        return path

    def _last_number(self) -> int:
        """Return the number of the latest message, 0 if there is none."""
        names = (path.name for path in self._folder.glob("*.eml"))
        return max((int(name[:6]) for name in names if name[:6].isdigit()), default=0)

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages in order.

        Each is ``{"file", "to", "from", "subject", "date", "text", "links"}``: texts, and the list
        of the addresses in the text. *date* is an ISO 8601 time in UTC.
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
    """Return the encoding of *text*: none if possible, so that addresses in a file stay whole."""
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
        # The address may contain a password, so only the host is named.
        _LOGGER.warning(
            "The mail server %s did not accept the message to %s: %s",
            urlsplit(url).hostname,
            message["To"],
            error,
        )
