"""Which source the server, the user and the key of a session come from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._configuration.credentials import Credentials, find_credentials
from ftrack_like._configuration.profiles import Profile, save_profile, set_default_profile

if not any(map(importlib.util.find_spec, ("tomllib", "tomli"))):
    pytest.skip("this Python cannot read TOML", allow_module_level=True)

STUDIO = Profile("studio", "https://studio", "profile-user", "profile-key")
OTHER = Profile("other", "https://other", "other-user", "other-key")
ENVIRONMENT = {
    "FTRACK_SERVER": "https://env",
    "FTRACK_API_KEY": "env-key",
    "FTRACK_API_USER": "env",
}


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment that names a profile file with two profiles; *studio* is default."""
    found = {"FTRACK_CONFIG_FILE": str(tmp_path / "config.toml")}
    save_profile(OTHER, environment=found)
    save_profile(STUDIO, environment=found)
    monkeypatch.setattr("getpass.getuser", lambda: "login")
    return found


def find(variables: dict[str, str], **arguments: Any) -> tuple[str, str, str]:
    """Return address, user and key that are found with *arguments*."""
    found = find_credentials(environment=variables, **arguments)
    return found.server_url, found.api_user, found.api_key


def test_order_of_the_sources(variables: dict[str, str]) -> None:
    """Arguments come first, then the environment, then FTRACK_PROFILE, then the default."""
    arguments = {"server_url": "https://arg", "api_user": "arg", "api_key": "arg-key"}
    chosen = {"FTRACK_PROFILE": "other"}
    everything = {**variables, **ENVIRONMENT, **chosen}
    assert find(everything, **arguments) == ("https://arg", "arg", "arg-key")
    assert find(everything) == ("https://env", "env", "env-key")
    assert find({**variables, **chosen}) == ("https://other", "other-user", "other-key")
    assert find(variables) == ("https://studio", "profile-user", "profile-key")


def test_named_profile_comes_before_the_environment(variables: dict[str, str]) -> None:
    """The argument profile is an argument: the environment does not change any part of it."""
    found = find_credentials(environment={**variables, **ENVIRONMENT}, profile="other")
    assert (found.server_url, found.api_user, found.api_key) == tuple(OTHER[1:4])
    assert found.profile == "other"
    assert len(set(found.origins)) == 1
    assert "the profile 'other' in " in found.origins.api_key


@pytest.mark.parametrize("argument", ["server_url", "api_user", "api_key"])
def test_named_profile_cannot_be_mixed(variables: dict[str, str], argument: str) -> None:
    """A profile with another part as argument is refused, and the key is not shown."""
    with pytest.raises(exception.ConfigurationError, match=argument) as caught:
        find(variables, profile="studio", **{argument: "https://mine"})
    assert "mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "environment", "missing"),
    [
        ({}, {"FTRACK_SERVER": "https://env"}, "api_key"),
        ({"server_url": "https://arg"}, {}, "api_key"),
        ({"server_url": "https://arg", "api_user": "profile-user"}, {}, "api_key"),
        ({}, {"FTRACK_API_KEY": "env-key"}, "server_url"),
        ({"api_key": "arg-key"}, {}, "server_url"),
        ({"api_user": "me"}, {}, "server_url"),
        ({"server_url": "https://studio"}, {"FTRACK_API_USER": "env"}, "api_key"),
    ],
)
def test_parts_of_a_profile_are_never_mixed(
    variables: dict[str, str], arguments: Any, environment: Any, missing: str
) -> None:
    """An address or a key from elsewhere is not completed by a profile: the rest is missing."""
    with pytest.raises(TypeError, match=f'"{missing}" not specified') as caught:
        find({**variables, **environment}, **arguments)
    assert "the profile 'studio'" in str(caught.value)
    for secret in ("profile-key", "env-key", "arg-key"):
        assert secret not in str(caught.value)


def test_profile_of_the_same_server_is_used_as_a_whole(variables: dict[str, str]) -> None:
    """FTRACK_SERVER with the address of the profile does not forbid the profile."""
    assert find({**variables, "FTRACK_SERVER": "https://studio/"}) == tuple(STUDIO[1:4])


def test_user_of_the_environment_alone(variables: dict[str, str], caplog: Any) -> None:
    """FTRACK_API_USER alone does not change the user of a profile; a warning says so."""
    assert find({**variables, "FTRACK_API_USER": "env"}) == tuple(STUDIO[1:4])
    assert "FTRACK_API_USER names the user 'env'" in caplog.text


def test_profile_comes_before_the_user_of_the_system(variables: dict[str, str]) -> None:
    """Without a user, that of the profile for the same server comes before the log-in name."""
    same = {"FTRACK_SERVER": "https://studio", "FTRACK_API_KEY": "env-key"}
    assert find({**variables, **same}) == ("https://studio", "profile-user", "env-key")
    elsewhere = {"FTRACK_SERVER": "https://env", "FTRACK_API_KEY": "env-key"}
    assert find({**variables, **elsewhere}) == ("https://env", "login", "env-key")


def test_broken_profiles_do_not_stop_other_sources(variables: dict[str, str], caplog: Any) -> None:
    """With address and key from elsewhere, a broken file gives a warning, not an error."""
    Path(variables["FTRACK_CONFIG_FILE"]).write_text("[broken")
    found = find(variables, server_url="https://arg", api_key="arg-key")
    assert found == ("https://arg", "login", "arg-key")
    assert "line 1" in caplog.text
    assert find({**variables, **ENVIRONMENT}) == ("https://env", "env", "env-key")
    with pytest.raises(exception.ConfigurationError, match="line 1"):
        find(variables)


def test_nothing_configured_is_a_type_error(tmp_path: Path) -> None:
    """Without any source, the first missing setting is named, with the ways to set it."""
    with pytest.raises(TypeError, match="FTRACK_SERVER") as caught:
        find({"FTRACK_CONFIG_FILE": str(tmp_path / "none.toml")})
    assert "ftrack-like login" in str(caught.value)


def test_home_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that may not be read counts as one without profiles: the missing setting is named."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("ftrack_like._configuration.profiles.read_profile_text", refuse)
    with pytest.raises(TypeError, match="FTRACK_SERVER") as caught:
        find({})
    assert "Permission denied" in str(caught.value)
    with pytest.raises(exception.ConfigurationError, match="cannot be read: Permission denied"):
        find({"FTRACK_PROFILE": "studio"})


@pytest.mark.parametrize("chosen", ["profile", "FTRACK_PROFILE"])
def test_unknown_profile_is_named_with_its_source(variables: dict[str, str], chosen: str) -> None:
    """An unknown name says where it comes from and which profiles there are."""
    arguments = {"profile": "stduio"} if chosen == "profile" else {}
    with pytest.raises(exception.ConfigurationError) as caught:
        find({**variables, "FTRACK_PROFILE": "stduio"}, **arguments)
    text = str(caught.value)
    assert chosen in text
    assert "other, studio" in text
    assert "Did you mean 'studio'?" in text


@pytest.mark.parametrize("name", ["", 3, ["studio"]])
def test_name_of_a_profile_is_text(variables: dict[str, str], name: Any) -> None:
    """A profile argument of another type or without text is refused."""
    with pytest.raises(exception.ConfigurationError, match="argument profile"):
        find(variables, profile=name)


def test_changed_default_counts(variables: dict[str, str]) -> None:
    """The default profile is the one that was set last."""
    set_default_profile("other", variables)
    assert find(variables) == tuple(OTHER[1:4])


# A function


def test_function_gives_user_and_key(variables: dict[str, str]) -> None:
    """The function gives user and key, and the address comes from an argument or variable."""
    arguments = {"function": lambda: ("fun", "fun-key")}
    found = find({**variables, **ENVIRONMENT}, **arguments)
    assert found == ("https://env", "fun", "fun-key")
    assert find(variables, server_url="https://arg", **arguments)[0] == "https://arg"
    assert find(variables, profile="other", **arguments) == ("https://other", "fun", "fun-key")


def test_function_needs_an_address(variables: dict[str, str]) -> None:
    """A profile that nobody named gives no address to a function; the function is not called."""
    called = []
    with pytest.raises(TypeError, match="server_url"):
        find(variables, function=lambda: called.append(1))
    assert called == []


@pytest.mark.parametrize("argument", ["api_user", "api_key"])
def test_function_cannot_be_mixed(variables: dict[str, str], argument: str) -> None:
    """A function with a user or a key as argument is refused."""
    given = {argument: "mine"}
    with pytest.raises(exception.ConfigurationError, match=argument):
        find(variables, server_url="https://a", function=lambda: ("a", "b"), **given)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "ab",
        ("me",),
        ("me", "secret-1", 3),
        ("me", None),
        ("", "secret-1"),
        ("me", "secret-1\n"),
    ],
)
def test_wrong_answers_of_the_function(variables: dict[str, str], answer: Any) -> None:
    """An answer that is not a pair of usable texts is an error that does not show it."""
    with pytest.raises(exception.ConfigurationError) as caught:
        find(variables, server_url="https://a", function=lambda: answer)
    assert "function" in str(caught.value)
    assert "secret-1" not in str(caught.value)


def test_errors_of_the_function_pass(variables: dict[str, str]) -> None:
    """An error of the function at the start reaches the program as it is."""

    def fail() -> Any:
        raise KeyError("vault")

    with pytest.raises(KeyError, match="vault"):
        find(variables, server_url="https://a", function=fail)


def test_representations_have_no_key(variables: dict[str, str]) -> None:
    """No object about credentials shows a key."""
    found: Credentials = find_credentials(
        "https://a", environment={}, function=lambda: ("me", "the-secret-key")
    )
    assert "the-secret-key" not in f"{found!r} {found} {found.renewal!r}"
