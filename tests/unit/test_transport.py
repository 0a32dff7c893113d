"""Addresses, masks, waits and pages: the pure parts of reaching a server."""

from __future__ import annotations

import itertools
import logging
import os
import zlib
from typing import Any

import pytest
import requests
import urllib3

from ftrack_like import exception
from ftrack_like._transport import answers, http
from ftrack_like._transport.authentication import SessionAuthentication, leaves_host
from ftrack_like._transport.body import Decompressor
from ftrack_like._transport.connection_settings import (
    ConnectionSettings,
    checked_server_url,
    is_this_machine,
)
from ftrack_like._transport.limits import total_for
from ftrack_like._transport.redaction import MASK, mask_urllib3_logs, masked
from ftrack_like._transport.retry import RetryBudget, RetryPolicy, retry_after


@pytest.mark.parametrize(
    ("address", "target", "leaves"),
    [
        ("https://a.com/x", "/y", False),
        ("https://a.com/x", "https://A.com/y", False),
        ("https://a.com/x", "https://a.com:443/y", False),
        ("http://a.com/x", "https://a.com/y", False),
        ("https://a.com/x", "http://a.com/y", True),
        ("https://a.com/x", "https://b.com/y", True),
        ("https://a.com/x", "https://a.com.evil.com/y", True),
        ("https://a.com/x", "https://a.com@evil.com/y", True),
        ("https://a.com/x", "//evil.com/y", True),
        ("http://a.com/x", "http://a.com:81/y", True),
        ("http://a.com:81/x", "https://a.com:82/y", True),
        ("http://a.com:81/x", "y", False),
    ],
)
def test_which_redirects_leave_the_host(address: str, target: str, leaves: bool) -> None:
    """Host and port decide, and the way from https to http counts as leaving."""
    assert leaves_host(address, target) is leaves


def test_authentication_sets_headers_and_hides_the_key() -> None:
    """A prepared request carries both headers; the repr shows the user alone."""
    authentication = SessionAuthentication("the-key", "jane")
    assert isinstance(authentication, requests.auth.AuthBase)
    request = requests.Request("GET", "http://localhost", auth=authentication).prepare()
    assert request.headers["ftrack-api-key"] == "the-key"
    assert request.headers["ftrack-user"] == "jane"
    assert "the-key" not in repr(authentication)
    assert "jane" in repr(authentication)


@pytest.mark.parametrize(
    "text",
    [
        "http://a/component/get?id=1&username=u&apiKey=the%2Bkey&x=1",
        "ftrack-api-key: the+key",
        "'ftrack-api-key': 'the+key', 'a'",
        "api_key=the+key",
        "something the+key something",
        "something the%2Bkey something",
    ],
)
def test_keys_are_masked(text: str) -> None:
    """A key is masked in addresses, headers and plain text; the rest stays."""
    clean = masked(text, "the+key")
    assert "the+key" not in clean
    assert "the%2Bkey" not in clean
    assert MASK in clean
    assert len(clean) > len(MASK)


def test_masking_needs_a_secret_worth_it() -> None:
    """Nothing is masked for an empty or very short secret."""
    assert masked("a fine text", None, "", "a") == "a fine text"


def test_urllib3_logs_are_masked_once(caplog: pytest.LogCaptureFixture) -> None:
    """What urllib3 logs of addresses shows no key, however often that is set up."""
    mask_urllib3_logs()
    mask_urllib3_logs()
    logger = logging.getLogger("urllib3.connectionpool")
    assert len([each for each in logger.filters if "Mask" in type(each).__name__]) == 1
    caplog.set_level(logging.DEBUG)
    logger.debug('"GET %s HTTP/1.1" %s', "/component/get?apiKey=secret&id=1", 200)
    logger.debug("%s", "plain")
    assert [record.getMessage() for record in caplog.records] == [
        f'"GET /component/get?apiKey={MASK}&id=1 HTTP/1.1" 200',
        "plain",
    ]


@pytest.mark.parametrize(
    ("host", "is_this"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("site.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.168.0.1", False),
        ("localhost.evil.com", False),
        ("", False),
        (None, False),
    ],
)
def test_this_machine(host: Any, is_this: bool) -> None:
    """Loopback names and addresses are this machine, others are not."""
    assert is_this_machine(host) is is_this


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://a.com", "https://a.com"),
        ("https://a.com/", "https://a.com"),
        (" http://a.com:81/sub// ", "http://a.com:81/sub"),
    ],
)
def test_addresses_are_tidied(given: str, address: str) -> None:
    """Slashes at the end and blanks around do not matter."""
    assert checked_server_url(given) == address


@pytest.mark.parametrize(
    "given",
    [
        *("a.com", "://a", "http://", "https:///path", "ws://a.com"),
        *("http://a:b", "http://a:99999", "http://[::1"),
    ],
)
def test_addresses_that_are_none(given: str) -> None:
    """What names no server is refused."""
    with pytest.raises(exception.ConfigurationError, match="https://"):
        checked_server_url(given)


def test_settings_of_the_event_hub() -> None:
    """The hub gets what HTTP gets."""
    settings = ConnectionSettings(False, "c", {"https": "p"}, 3.0, 4.0)
    assert settings.for_event_hub() == {
        "verify": False,
        "cert": "c",
        "proxies": {"https": "p"},
        "connect_timeout": 3.0,
        "deadline": 4.0,
    }


def test_budget_is_spent_and_earned_back() -> None:
    """Repetitions are spent up to a bound; an answer brings some back, giving up takes all."""
    budget = RetryBudget(capacity=3, refund=2)
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    budget.answered()
    assert [budget.take() for _ in range(3)] == [True, True, False]
    for _ in range(5):
        budget.answered()
    assert budget.take()
    budget.gave_up()
    assert not budget.take()


def test_waits_grow_and_end() -> None:
    """Waits double up to their cap, vary by half, and end with attempts or time."""
    policy = RetryPolicy(attempts=6, total_time=100, base=1, cap=8)
    waits = [policy.delay(attempt, 0, chance=lambda: 1.0) for attempt in range(1, 7)]
    assert waits == [1, 2, 4, 8, 8, None]
    assert policy.delay(3, 0, chance=lambda: 0.0) == 2
    assert policy.delay(1, 99.5, chance=lambda: 1.0) is None
    assert policy.delay(1, 0, asked=30) == 30
    assert policy.delay(1, 0, asked=101) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after(text: Any, seconds: Any) -> None:
    """Seconds and dates are understood, anything else is passed over."""
    headers = {} if text is None else {"Retry-After": text}
    assert retry_after(headers, now=lambda: 10.0) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Date": "Thu, 01 Jan 2099 00:00:00 GMT"}, 5.0),
        ({"Date": "Thu, 01 Jan 2099 00:00:09 GMT"}, 0.0),
        ({"Date": "no date"}, 4070908805.0),
    ],
)
def test_retry_after_is_reckoned_from_the_date_of_the_answer(headers: Any, seconds: float) -> None:
    """The clock here, which may be wrong, counts only when the answer has no date."""
    headers = {**headers, "Retry-After": "Thu, 01 Jan 2099 00:00:05 GMT"}
    assert retry_after(headers, now=lambda: 0.0) == seconds


@pytest.mark.parametrize(
    ("timeout", "total"),
    [
        (None, None),
        (3, 6),
        ((1, 4), 8),
        ((1, None), None),
        (urllib3.Timeout(5), 10),
        (urllib3.Timeout(connect=1, read=2), 4),
        (urllib3.Timeout(connect=1), None),
    ],
    ids=str,
)
def test_time_outs_of_all_kinds_bound_a_request(timeout: Any, total: Any) -> None:
    """A request may take twice the time-out of one read, whatever form requests takes it in."""
    assert total_for(timeout) == (None if total is None else pytest.approx(total, rel=0.5))


def test_odd_waits_are_passed_over() -> None:
    """Digits of other scripts and dates beyond the calendar are no wait."""
    for text in ("²", "٣", "Thu, 01 Jan 99999 00:00:00 GMT", "-5"):
        assert retry_after({"Retry-After": text}) is None


def test_the_longest_time_of_a_policy() -> None:
    """It is what all waits may take together, and no more than the bound."""
    assert RetryPolicy(total_time=30).longest() == 30
    assert RetryPolicy(attempts=3, base=1).longest() == 3
    assert RetryPolicy(attempts=1).longest() == 0
    assert RetryPolicy(attempts=10**9, total_time=5).longest() == 5


@pytest.mark.parametrize("step", [1, 7, 65536])
@pytest.mark.parametrize("content", [b"x", bytes(range(256)) * 300, bytes(3_000_000)])
@pytest.mark.parametrize("wbits", [31, 15, -15])
def test_bodies_are_decompressed_in_bounded_pieces(wbits: int, content: bytes, step: int) -> None:
    """Gzip and both kinds of deflate come out as they were, however they are cut."""
    made = zlib.compressobj(wbits=wbits)
    packed = made.compress(content) + made.flush()
    reader = Decompressor("gzip" if wbits == 31 else "deflate")
    pieces = [
        piece
        for start in range(0, len(packed), step)
        for piece in reader.feed(packed[start : start + step])
    ]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 64 * 1024
    assert reader.is_complete


def test_pages_are_cut_and_named() -> None:
    """An error page is known by status and title, without its tags and scripts."""
    page = "<html><title>a\n b</title><script>evil()</script><p>Text &lt;here&gt;</p>" + "x" * 10**6
    text = str(answers.unexpected_page(404, "Not Found", page, "http://a/api"))
    assert "http://a/api answered 404 Not Found ('a b')" in text.splitlines()[0]
    assert "Text <here>" in text
    assert "evil" not in text
    assert len(text.encode()) <= 2048


def test_advice_names_the_address_without_its_path() -> None:
    """A path may be too much: the advice asks about it, and names the address without it."""
    assert answers.address_advice("http://a:80/api", "--server") == (
        "Check the server address, which comes from --server."
    )
    assert answers.address_advice("http://a:80/x/browse/api").endswith(
        "Does the path '/x/browse' belong to it? Without the path, it is 'http://a:80'."
    )


def test_wide_letters_stay_within_the_bound() -> None:
    """The bound of an error page is one of bytes, not of letters."""
    text = str(answers.unexpected_page(500, "", "☃" * 10**5, "http://a/api"))
    assert len(text.encode()) <= 2048


@pytest.mark.parametrize(
    ("fault", "class_"),
    [
        ({"exception": "X", "content": "y"}, exception.ServerError),
        (
            {"exception": "IntegrityError", "content": "(1062, DuplicateEntry 'a')"},
            exception.ServerNotUniqueError,
        ),
        ({"exception": "IntegrityError", "content": "foreign key"}, exception.ServerError),
        (
            {"exception": "X", "content": "y", "error_code": "api_credentials_invalid"},
            exception.ServerAuthenticationError,
        ),
    ],
)
def test_faults_become_errors(fault: Any, class_: type) -> None:
    """Name, code and text of a fault choose the class."""
    error = answers.server_error(fault)
    assert type(error) is class_
    assert fault["content"] in str(error)


class SlowSession(requests.Session):
    """A session that lets requests search the whole environment, what it was given first."""

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        proxies = {**self.proxies, **(proxies or {})}
        if verify is None and self.verify is not True:
            verify = self.verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"REQUESTS_CA_BUNDLE": "/first", "CURL_CA_BUNDLE": "/second"},
        {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/second"},
        {"https_proxy": "http://one:1"},
        {"ALL_PROXY": "http://all:1", "no_proxy": "studio.test"},
    ],
)
def test_settings_of_a_request_are_those_of_a_searched_environment(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way past the environment gives what requests finds there."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = (http.GuardedSession(), SlowSession())
    made[1].verify = False
    given_true = made[1].merge_environment_settings("https://studio.test", {}, None, True, None)
    # Requests before 2.28 takes a True for one request as none, if the session has False.
    wishes = (None, False, "/given") if not given_true["verify"] else (None, True, False, "/given")
    for verify, proxies, cert, trusts in itertools.product(
        (True, False, "/own"), ({}, {"https": "http://own:1"}), (None, "/cert"), (True, False)
    ):
        for given in itertools.product(
            (None, {"http": "http://given:1"}), (None, True), wishes, (None,)
        ):
            found = []
            for each in made:
                each.verify, each.proxies, each.cert = verify, dict(proxies), cert
                each.trust_env = trusts
                found.append(each.merge_environment_settings("https://studio.test/api", *given))
            assert found[0] == found[1]
