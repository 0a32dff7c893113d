"""Large answers travel compressed to other machines that take them so."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from ftrack_like.sandbox import compression
from ftrack_like.sandbox.compression import MINIMUM, compressed

BODY = b"x" * MINIMUM
TAKES = {"accept-encoding": "deflate, gzip;q=0.8, br"}


def test_another_machine_that_takes_gzip_gets_it() -> None:
    """The body comes back whole from its compressed form."""
    smaller = compressed(BODY, TAKES, "192.0.2.7")
    assert smaller is not None
    assert len(smaller) < len(BODY)
    assert gzip.decompress(smaller) == BODY


@pytest.mark.parametrize(
    ("body", "headers", "client"),
    [
        (BODY[1:], TAKES, "192.0.2.7"),
        (BODY, TAKES, "127.0.0.1"),
        (BODY, TAKES, "::1"),
        (BODY, TAKES, None),
        (BODY, TAKES, "testclient"),
        (BODY, {}, "192.0.2.7"),
        (BODY, {"accept-encoding": "identity"}, "192.0.2.7"),
        (BODY, {"accept-encoding": "gzip; q=0.0"}, "192.0.2.7"),
    ],
)
def test_others_get_it_as_it_is(body: bytes, headers: dict[str, str], client: Any) -> None:
    """Short answers, this machine, and who does not take gzip get plain bytes."""
    assert compressed(body, headers, client) is None


def test_a_session_reads_compressed_answers(
    sandbox: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session takes gzip: the values are the same, and fewer bytes travel."""
    query = [{"action": "query_schemas"}]
    received = []
    answers = []
    for far in (False, True):
        monkeypatch.setattr(compression, "is_far", lambda client, far=far: far)
        before = session.statistics.bytes_received
        answers.append(session.call(query))
        received.append(session.statistics.bytes_received - before)
    assert answers[0] == answers[1]
    assert received[1] * 4 < received[0]
