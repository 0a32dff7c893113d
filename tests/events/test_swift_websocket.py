"""The websocket of the hub, on one end of a pair of sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from ftrack_like.event.swift_websocket import SwiftWebSocket
from ftrack_like.wire import frames

wsproto = pytest.importorskip("wsproto")


class _Server:
    """The other end: bytes out as they are told, messages in as another library reads them."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.protocol = wsproto.Connection(wsproto.ConnectionType.SERVER)

    def received(self, count: int) -> list[Any]:
        """Return the next *count* events; those of one message are joined."""
        events: list[Any] = []
        text = ""
        while len(events) < count:
            data = self.sock.recv(65536)
            assert data, "the client hung up"
            self.protocol.receive_data(data)
            for event in self.protocol.events():
                # A message that arrives in pieces is an event for each piece.
                if isinstance(event, wsproto.events.TextMessage):
                    text += event.data
                    if not event.message_finished:
                        continue
                    event, text = wsproto.events.TextMessage(text), ""
                events.append(event)
        return events


@pytest.fixture
def pair() -> Iterator[tuple[SwiftWebSocket, _Server]]:
    """Return an open websocket and the server's end of it."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(5)
    connection = SwiftWebSocket(enable_multithread=True)
    connection.sock, connection.connected = ours, True
    yield connection, _Server(theirs)
    ours.close()
    theirs.close()


def _frame(first: int, payload: bytes) -> bytes:
    return bytes([first, len(payload)]) + payload


def test_messages_go_both_ways(pair: Any) -> None:
    """Text that is sent is what the other end reads, and the other way round."""
    connection, server = pair
    assert connection.send("ä" * 3) > 6
    assert server.received(1)[0].data == "äää"
    server.sock.sendall(server.protocol.send(wsproto.events.TextMessage("ö")))
    assert connection.recv() == "ö"


def test_all_that_has_arrived_is_read_at_once(pair: Any) -> None:
    """Messages that came together need the socket once, and are given one by one."""
    connection, server = pair
    server.sock.sendall(b"".join(_frame(0x81, b"%d" % number) for number in range(20)))
    assert connection.recv() == "0"
    assert len(connection.waiting) == 19
    assert [connection.recv() for _ in range(19)] == [str(number) for number in range(1, 20)]


def test_half_a_message_is_no_message_yet(pair: Any) -> None:
    """Receiving gives empty text as long as a message is not complete."""
    connection, server = pair
    data = _frame(0x81, b"whole")
    server.sock.sendall(data[:3])
    assert connection.recv() == ""
    server.sock.sendall(data[3:])
    assert connection.recv() == "whole"


def test_a_message_in_pieces_is_put_together(pair: Any) -> None:
    """Pieces become one message, with a ping in between that is answered."""
    connection, server = pair
    pieces = [_frame(0x01, b"on"), _frame(0x89, b"hi"), _frame(0x00, b""), _frame(0x80, b"e")]
    server.sock.sendall(b"".join(pieces))
    assert connection.recv() == "one"
    (pong,) = server.received(1)
    assert isinstance(pong, wsproto.events.Pong)
    assert pong.payload == b"hi"


def test_what_is_no_text_comes_as_bytes(pair: Any) -> None:
    """Binary messages, and text that is not UTF-8, are bytes: nobody is stopped by them."""
    connection, server = pair
    server.sock.sendall(_frame(0x82, b"\x00") + _frame(0x81, b"\xff") + _frame(0x8A, b"pong"))
    assert [connection.recv(), connection.recv()] == [b"\x00", b"\xff"]


def test_a_close_comes_after_what_was_sent_before(pair: Any) -> None:
    """The end comes behind the messages that were sent before; the server is answered."""
    connection, server = pair
    server.sock.sendall(_frame(0x81, b"last words") + _frame(0x88, b"\x03\xe8"))
    assert connection.recv() == "last words"
    assert connection.recv() == ""
    assert not connection.connected
    assert isinstance(server.received(1)[0], wsproto.events.CloseConnection)


def test_last_words_of_a_server_that_is_gone_are_read(pair: Any) -> None:
    """That a close cannot be answered any more does not matter."""
    connection, server = pair
    server.sock.sendall(_frame(0x89, b"") + _frame(0x81, b"bye") + _frame(0x88, b"\x03\xe8"))
    server.sock.close()
    assert [connection.recv(), connection.recv()] == ["bye", ""]
    assert not connection.connected


def test_hanging_up_and_rubbish_are_faults_of_the_library(pair: Any) -> None:
    """Whoever reads needs to know the errors of the websocket library only."""
    connection, server = pair
    server.sock.sendall(_frame(0x80, b"of nothing"))
    with pytest.raises(websocket.WebSocketProtocolException, match="never began"):
        connection.recv()
    server.sock.close()
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        connection.recv()
    assert not connection.connected
    connection.shutdown()
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        connection.send("x")
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        connection.recv()


def test_a_message_within_a_message_is_a_fault(pair: Any) -> None:
    """Pieces of two messages cannot be mixed."""
    connection, server = pair
    server.sock.sendall(_frame(0x01, b"one") + _frame(0x81, b"two"))
    with pytest.raises(websocket.WebSocketProtocolException, match="within another"):
        connection.recv()


def test_pieces_without_end_are_a_fault(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that never ends does not fill the memory."""
    monkeypatch.setattr(frames, "MAXIMUM_LENGTH", 10)
    connection, server = pair
    server.sock.sendall(_frame(0x01, b"12345") + _frame(0x00, b"678") * 2)
    with pytest.raises(websocket.WebSocketProtocolException, match="too long"):
        connection.recv()


def test_threads_send_whole_messages(pair: Any) -> None:
    """Messages of several threads, larger than the socket takes at once, do not mix."""
    connection, server = pair
    texts = [letter * 500_000 for letter in "abc"]
    threads = [threading.Thread(target=connection.send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    whole: list[str] = []
    part = ""
    while len(whole) < 3:
        for event in server.received(1):
            part += event.data
            if event.message_finished:
                whole.append(part)
                part = ""
    assert sorted(whole) == texts
    for thread in threads:
        thread.join()


def test_a_time_out_of_reading_is_no_message(pair: Any) -> None:
    """Where a socket turns out to have nothing after all, nothing is received."""
    connection, _ = pair
    connection.settimeout(0.01)
    assert connection.recv() == ""


def test_signal_handler_sends_while_a_frame_is_sent(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame of a handler follows the frame that it interrupts; they do not mix."""
    connection, server = pair
    interruptions = ["inner"]

    def send_one_byte(data: Any) -> int:
        if interruptions:
            connection.send(interruptions.pop())
        return int(connection.sock.send(data[:1]))

    monkeypatch.setattr(connection, "_send_some", send_one_byte)
    thread = threading.Thread(target=connection.send, args=("outer",), daemon=True)
    thread.start()
    assert [message.data for message in server.received(2)] == ["outer", "inner"]
    thread.join(30)
    assert not thread.is_alive()
