"""Mail of the sandbox: messages as files, and their way to a mail server."""

from __future__ import annotations

import email
import email.policy
import logging
import queue
import socketserver
import threading
from datetime import datetime, timezone

import pytest

from ftrack_like.sandbox.mail import SENDER, MailOutbox, compose, deliver

LINK = "https://sandbox.test/review?invitee=" + "a" * 200


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    """Return an outbox in a folder of its own, with no mail server set."""
    monkeypatch.delenv("SMTP_URL", raising=False)
    return MailOutbox(tmp_path / "outbox")


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server that takes everything and keeps it in *received*."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer="250 Thanks"):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.answer = answer
        self.received = []
        self.arrived = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self):
        self.say("220 test")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say("354 Go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.received.append(b"".join(lines))
                self.say(self.server.answer)
                self.server.arrived.set()
            elif verb == b"QUIT":
                self.say("221 Bye")
                return
            else:
                self.say("250 Fine")


@pytest.fixture
def mail_server():
    """Return a running mail server that is stopped afterwards."""
    server = MailServer()
    yield server
    server.shutdown()
    server.server_close()


def parsed(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def test_a_message_says_from_whom_to_whom_and_when():
    """A composed message has the headers that mail programs show."""
    message = compose("mira@example.com", "Überprüfung", "Hello")
    assert message["From"] == SENDER
    assert message["To"] == "mira@example.com"
    assert message["Subject"] == "Überprüfung"
    assert message["Date"].datetime is not None
    assert message["Message-ID"].endswith("@sandbox.localhost>")


def test_the_sender_can_be_chosen(monkeypatch):
    """FTRACK_LIKE_MAIL_FROM says who messages are from."""
    monkeypatch.setenv("FTRACK_LIKE_MAIL_FROM", "Studio <review@studio.test>")
    assert compose("a@b.test", "s", "t")["From"] == "Studio <review@studio.test>"


@pytest.mark.parametrize(
    ("to", "subject"), [("a@b.test\nBcc: c@d.test", "s"), ("a@b.test", "x\ny")]
)
def test_nothing_breaks_out_of_a_header(to, subject):
    """A line break in address or subject is refused."""
    with pytest.raises(ValueError):
        compose(to, subject, "text")


@pytest.mark.parametrize("text", [f"Look: {LINK}\n", f"Größer: {LINK}\n"])
def test_a_long_link_stays_in_one_piece_in_the_file(outbox, text):
    """Programs that search the file for an address find all of it."""
    path = outbox.send(compose("a@b.test", "s", text))
    assert LINK.encode() in path.read_bytes()


def test_a_line_longer_than_mail_allows_survives(outbox):
    """A text with an overlong line is kept, whatever the file looks like."""
    text = "x" * 5000 + "\n"
    path = outbox.send(compose("a@b.test", "s", text))
    assert max(len(line) for line in path.read_bytes().splitlines()) <= 998
    assert outbox.messages()[0]["text"] == text


def test_messages_come_in_the_order_they_were_sent(outbox):
    """The outbox lists oldest first, with text, addresses and links."""
    outbox.send(compose("Mira Sol <mira@example.com>", "first", "See https://a.test/x and so on."))
    outbox.send(compose("b@example.com", "second", "No link."))
    first, second = outbox.messages()
    assert (first["to"], first["subject"]) == ("Mira Sol <mira@example.com>", "first")
    assert first["links"] == ["https://a.test/x"]
    assert first["date"].endswith("Z")
    assert (second["subject"], second["text"], second["links"]) == ("second", "No link.\n", [])


def test_an_outbox_goes_on_where_another_ended(outbox, tmp_path):
    """A restarted sandbox numbers its messages after those that are there."""
    outbox.send(compose("a@b.test", "old", "t"))
    outbox.send(compose("a@b.test", "newer", "t"))
    again = MailOutbox(tmp_path / "outbox")
    again.send(compose("a@b.test", "newest", "t"))
    assert [one["subject"] for one in again.messages()] == ["old", "newer", "newest"]


def test_threads_write_messages_of_their_own(outbox):
    """No message is lost when several threads send at once."""
    threads = [
        threading.Thread(target=outbox.send, args=(compose("a@b.test", str(number), "t"),))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(one["subject"]) for one in outbox.messages()) == list(range(20))


def test_clearing_removes_all_messages(outbox, tmp_path):
    """After clear() the folder holds nothing."""
    outbox.send(compose("a@b.test", "s", "t"))
    outbox.clear()
    assert outbox.messages() == []
    assert list((tmp_path / "outbox").iterdir()) == []


def test_a_mail_server_gets_what_is_kept(outbox, mail_server, monkeypatch):
    """With SMTP_URL set the message is in the folder and at the server."""
    monkeypatch.setenv("SMTP_URL", mail_server.url)
    path = outbox.send(compose("Mira <mira@example.com>", "Überprüfung", f"Größer: {LINK}\n"))
    assert mail_server.arrived.wait(10)
    sent = parsed(mail_server.received[0])
    assert sent["To"] == "Mira <mira@example.com>"
    assert sent.get_content() == parsed(path.read_bytes()).get_content()


def test_a_server_that_is_away_costs_no_message(outbox, monkeypatch):
    """A failure to send is logged without the password, and the file stays."""
    logged = queue.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: logged.put(record.getMessage())
    logger = logging.getLogger("ftrack_like.sandbox.mail")
    logger.addHandler(handler)
    monkeypatch.setenv("SMTP_URL", "smtp://user:hunter2@127.0.0.1:1")
    try:
        outbox.send(compose("a@b.test", "s", "t"))
        text = logged.get(timeout=10)
    finally:
        logger.removeHandler(handler)
    assert "127.0.0.1" in text
    assert "hunter2" not in text
    assert len(outbox.messages()) == 1


def test_a_server_that_refuses_is_an_error():
    """deliver() raises when the server does not take the message."""
    server = MailServer(answer="554 No")
    try:
        with pytest.raises(OSError, match="No"):
            deliver(server.url, compose("a@b.test", "s", "t"))
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_of_another_kind_is_named():
    """deliver() says which addresses it understands."""
    with pytest.raises(ValueError, match="smtp or smtps or smtp\\+starttls, not 'http'"):
        deliver("http://mail.test", compose("a@b.test", "s", "t"))


def test_outboxes_of_two_processes_number_their_messages_together(tmp_path):
    """Two outboxes in one folder lose no message, and keep the order of sending."""
    one, other = MailOutbox(tmp_path), MailOutbox(tmp_path)
    for number in range(6):
        text = f"message {number}"
        message = compose("a@b.test", text, text, datetime.now(timezone.utc))
        (one, other)[number % 2].send(message)
    assert [each["subject"] for each in one.messages()] == [f"message {n}" for n in range(6)]
    assert len({each["file"][:6] for each in other.messages()}) == 6


def test_the_first_message_makes_the_folder(outbox, tmp_path):
    """A server that sends no mail leaves no folder for mails."""
    assert outbox.messages() == []
    outbox.clear()
    assert not (tmp_path / "outbox").exists()
    outbox.send(compose("ines@producer.example", "Hello", "A text."))
    assert [one["subject"] for one in outbox.messages()] == ["Hello"]
