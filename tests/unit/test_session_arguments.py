"""Settings, thread flags and counters of a session, each by itself."""

from __future__ import annotations

import collections
import threading
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._session import arguments
from ftrack_like._session.flags import ThreadFlag, thread_flag
from ftrack_like._session.on_demand import OnDemand
from ftrack_like._session.statistics import Statistics

ALL = {
    "FTRACK_SERVER": "https://environment",
    "FTRACK_API_KEY": "key",
    "FTRACK_APIKEY": "older",
    "FTRACK_API_USER": "user",
}


def test_arguments_come_before_the_environment() -> None:
    """What is passed counts, what is not comes from the environment."""
    found = arguments.credentials("https://given/", None, "me", ALL)
    assert (found.server_url, found.api_key, found.api_user) == ("https://given", "key", "me")
    assert "key" not in repr(found).replace("api_key", "")


def test_older_variable_comes_last() -> None:
    """FTRACK_APIKEY counts where FTRACK_API_KEY is not set."""
    without = {name: value for name, value in ALL.items() if name != "FTRACK_API_KEY"}
    assert arguments.credentials(None, None, None, without).api_key == "older"


@pytest.mark.parametrize("variable", ["FTRACK_SERVER", "FTRACK_API_KEY"])
def test_what_is_missing_is_named(variable: str) -> None:
    """The error names the argument and the variable."""
    environment = {k: v for k, v in ALL.items() if k not in (variable, "FTRACK_APIKEY")}
    with pytest.raises(exception.ConfigurationError, match=variable):
        arguments.credentials(None, None, None, environment)


@pytest.mark.parametrize("argument", ["api_key", "api_user"])
@pytest.mark.parametrize("value", ["secret-1\n", "secret-1\r\nx: y", "secret-1\0", "secret-1 鍵"])
def test_what_no_request_can_carry_is_refused(argument: str, value: str) -> None:
    """A key or a user that fits no header is named, and a key is not shown."""
    given = {"api_key": "key", "api_user": "user", argument: value}
    with pytest.raises(exception.ConfigurationError, match=argument) as caught:
        arguments.credentials("https://a", environment={}, **given)
    assert isinstance(caught.value, ValueError)
    assert "secret-1" not in str(caught.value)


def test_letters_of_western_names_are_taken() -> None:
    """What a header can hold may be the name of a user."""
    assert arguments.credentials("https://a", "key", "jürgen", {}).api_user == "jürgen"


def test_machine_without_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is logged in, the variable of the user is named."""

    def fail() -> str:
        raise KeyError("uid 4711")

    monkeypatch.setattr("getpass.getuser", fail)
    with pytest.raises(exception.ConfigurationError, match="FTRACK_API_USER"):
        arguments.credentials("https://a", "key", None, {})


@pytest.mark.parametrize(
    ("given", "folders"),
    [(["/a", "/b"], ["/a", "/b"]), ("/a", ["/a"]), (Path("/a"), ["/a"]), ((), [])],
)
def test_plugin_folders(given: Any, folders: list[str]) -> None:
    """Folders come as a list; one alone may come as it is."""
    assert arguments.plugin_folders(given) == folders


def test_plugin_folders_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable holds several folders, parted as the system parts paths."""
    monkeypatch.setattr("os.pathsep", ";")
    found = arguments.plugin_folders(None, {"FTRACK_EVENT_PLUGIN_PATH": "/a;/b"})
    assert found == ["/a", "/b"]


class Holder:
    """Something that holds flags, as a session does."""


@pytest.mark.parametrize(
    ("kept", "here", "elsewhere"),
    [
        (None, True, True),
        (False, False, False),
        (collections.defaultdict(lambda: False), False, False),
        ({threading.get_ident(): False}, False, True),
        ({}, True, True),
    ],
)
def test_flags_take_over_what_was_set(kept: Any, here: bool, elsewhere: bool) -> None:
    """Mappings by thread and plain values of copied constructors become flags of a thread."""
    holder = Holder()
    if kept is not None:
        holder.__dict__["_flag"] = kept
    assert thread_flag(holder, "_flag").value is here
    seen = []
    thread = threading.Thread(target=lambda: seen.append(thread_flag(holder, "_flag").value))
    thread.start()
    thread.join()
    assert seen == [elsewhere]
    assert isinstance(holder.__dict__["_flag"], ThreadFlag)


def test_counters_add_up_over_threads() -> None:
    """No count is lost when threads count at once."""
    statistics = Statistics()

    def work() -> None:
        for _ in range(1000):
            statistics.count(requests=1, bytes_sent=2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statistics.requests, statistics.bytes_sent) == (4000, 8000)
    assert statistics.as_dict()["requests"] == 4000


class Lazy:
    """Something with an attribute that is made on demand."""

    made = 0

    def _make(self) -> Any:
        type(self).made += 1
        return object()

    part = OnDemand(_make, "A part.")


def test_on_demand_attributes_are_made_once() -> None:
    """The attribute is made when first looked at, and can be set before."""
    lazy = Lazy()
    assert Lazy.made == 0
    assert lazy.part is lazy.part
    assert Lazy.made == 1
    other = Lazy()
    other.part = "set"
    assert other.part == "set"
    assert Lazy.made == 1
    assert Lazy.part.__doc__ == "A part."
