"""Signed addresses of pages, and tokens that browsers keep."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from ftrack_like.sandbox.links import (
    REVIEW_PATH,
    WIDGET_PATH,
    check_link,
    review_link,
    widget_link,
)
from ftrack_like.sandbox.media.signing import SignatureError, Signer
from ftrack_like.sandbox.network.throttle import Throttle
from ftrack_like.sandbox.web.tokens import make_token, peek, read_token


class Clock:
    """A time that stands still until it is set."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def signer(clock):
    return Signer(b"secret", clock)


def parameters(link):
    return dict(parse_qsl(link.partition("?")[2]))


WIDGET = ("name", "user", "theme", "type", "key")


def test_a_widget_opens_for_six_minutes(signer, clock):
    """An address is good for 360 seconds and no longer."""
    link = widget_link(signer, "info", "u1", theme="dark", entity=("Task", '["t1"]'))
    clock.now += 360
    assert check_link(signer, WIDGET_PATH, parameters(link), WIDGET) == {
        "name": "info",
        "user": "u1",
        "theme": "dark",
        "type": "Task",
        "key": '["t1"]',
    }
    clock.now += 1
    with pytest.raises(SignatureError, match="expired"):
        check_link(signer, WIDGET_PATH, parameters(link), WIDGET)


def test_what_a_page_adds_is_left_alone(signer):
    """Parameters beyond the signed ones neither break a link nor are believed."""
    added = {**parameters(review_link(signer, "i1")), "object": "o1"}
    assert check_link(signer, REVIEW_PATH, added, ("invitee",)) == {"invitee": "i1"}


@pytest.mark.parametrize("name", ["invitee", "expires", "signature"])
def test_a_changed_link_is_refused(signer, name):
    """Not one of the signed parameters can be changed or left out."""
    link = parameters(review_link(signer, "i1"))
    for wrong in ({**link, name: "9" + link[name][1:] + "0"}, {**link, name: ""}):
        with pytest.raises(SignatureError):
            check_link(signer, REVIEW_PATH, wrong, ("invitee",))
    del link[name]
    with pytest.raises(SignatureError):
        check_link(signer, REVIEW_PATH, link, ("invitee",))


def test_a_link_to_one_page_opens_no_other(signer):
    """A signature holds for its path alone."""
    link = parameters(signer.sign("/component/get", {"invitee": "i1"}, 100))
    with pytest.raises(SignatureError):
        check_link(signer, REVIEW_PATH, link, ("invitee",))


def test_a_token_keeps_its_values_for_its_purpose(signer, clock):
    """A token is read back until it is too old, for nothing but what it was made for."""
    token = make_token(signer, "log-in of u1: digest", 60, user="u1")
    assert peek(token)["user"] == "u1"
    assert read_token(signer, "log-in of u1: digest", token) == {"user": "u1"}
    assert "digest" not in str(peek(token))
    with pytest.raises(SignatureError):
        read_token(signer, "log-in of u1: another", token)
    clock.now += 61
    with pytest.raises(SignatureError, match="expired"):
        read_token(signer, "log-in of u1: digest", token)


@pytest.mark.parametrize("text", ["", "abc", "????", "a" * 5000, "é", "dXNlcj11MQ"])
def test_any_text_may_come_as_a_token(signer, text):
    """What is no token of ours is refused without a fault."""
    with pytest.raises(SignatureError):
        read_token(signer, "purpose", text)


def test_failures_are_counted_by_name(clock):
    """After too many failures a name has to wait until the time is over, and no other has."""
    throttle = Throttle(2, 60, clock)
    throttle.count("a")
    assert not throttle.is_exhausted("a")
    throttle.count("a")
    assert throttle.is_exhausted("a")
    assert not throttle.is_exhausted("b")
    clock.now += 61
    assert not throttle.is_exhausted("a")
