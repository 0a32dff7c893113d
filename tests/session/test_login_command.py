"""The commands that store, show and remove profiles: login, logout and config."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftrack_like._configuration.profiles import Profile, load_profiles, save_profile
from ftrack_like.cli import main
from ftrack_like.session import Session

if not any(map(importlib.util.find_spec, ("tomllib", "tomli"))):
    pytest.skip("this Python cannot read TOML", allow_module_level=True)

KEY = "a-key-that-must-not-show"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the profile file of the test; no keyring is installed."""
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv("FTRACK_CONFIG_FILE", str(path))
    monkeypatch.setitem(sys.modules, "keyring", None)
    return path


@pytest.fixture
def logged_in(place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store the profile *local* for the sandbox."""
    save_profile(Profile("local", sandbox.server_url, sandbox.api_user, sandbox.api_key))
    return place


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the command read *text* from a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def login(sandbox: Any, *more: str) -> int:
    """Log in to the sandbox; the key comes from a pipe."""
    return main(["login", "--server", sandbox.server_url, "--user", sandbox.api_user, *more])


def test_login_stores_what_a_session_uses(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """After a log-in, a session without arguments uses the profile; the key is not printed."""
    pipe(monkeypatch, sandbox.api_key + "\n")
    assert login(sandbox, "--profile", "local") == 0
    printed = capsys.readouterr()
    assert sandbox.api_key not in printed.out + printed.err
    assert "accepts the key of" in printed.err
    assert "Stored the profile 'local'" in printed.out
    if os.name != "nt":
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with Session() as session:
        assert session.server_url == sandbox.server_url
        assert session.api_key == sandbox.api_key
    with Session(profile="local") as session:
        assert session.api_user == sandbox.api_user


def test_name_of_a_profile_comes_from_the_host(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name, the profile has the first part of the host; a second server all of it."""
    for address in ("studio.ftrackapp.com", "https://studio.example.org:8443", "http://127.0.0.1"):
        pipe(monkeypatch, KEY)
        assert main(["login", "--server", address, "--user", "jane", "--no-check"]) == 0
    profiles = load_profiles()
    assert profiles.names == ["studio", "studio.example.org:8443", "127.0.0.1"]
    assert profiles.get("studio").server_url == "https://studio.ftrackapp.com"
    assert profiles.default == "127.0.0.1"


def test_default_can_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --no-default the earlier default stays."""
    save_profile(Profile("first", "https://a", "u", "k"))
    pipe(monkeypatch, KEY)
    more = ["--user", "jane", "--no-check", "--no-default"]
    assert main(["login", "--server", "https://b", *more, "--profile", "second"]) == 0
    assert load_profiles().default == "first"


def test_refused_key_stores_nothing(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A key that the server refuses is not stored, and not printed."""
    pipe(monkeypatch, KEY)
    assert login(sandbox) == 1
    printed = capsys.readouterr()
    assert "not valid" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert KEY not in printed.out + printed.err
    assert not place.exists()


def test_user_that_the_server_does_not_know(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user name that does not exist is refused by the server, and nothing is stored."""
    pipe(monkeypatch, sandbox.api_key)
    assert main(["login", "--server", sandbox.server_url, "--user", 'no"body\\']) == 1
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "--server"),
        (["--server", "https://a"], 2, "--user"),
        (["--server", "https://a", "--user", "u"], 2, "no API key"),
        (["--server", "nonsense", "--user", "u"], 1, "Did you mean"),
        (["--server", "https://a", "--user", "u\n"], 1, '"api_user" contains a line break'),
        (["--server", "https://a", "--user", "u", "--profile", "a\nb"], 2, "name of a profile"),
        (["--server", "http://127.0.0.1:1", "--user", "u"], 1, "Nothing answers"),
    ],
)
def test_wrong_input_of_login(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    """Missing or unusable input ends with one line that names it, and stores nothing."""
    pipe(monkeypatch, "" if words == "no API key" else KEY)
    assert main(["login", *arguments]) == status
    printed = capsys.readouterr()
    assert words in printed.err
    assert KEY not in printed.err
    assert not place.exists()


def test_login_names_variables_that_come_first(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """If the environment has other settings, a note says that they come before profiles."""
    monkeypatch.setenv("FTRACK_SERVER", "https://b")
    pipe(monkeypatch, KEY)
    assert main(["login", "--server", "https://a", "--user", "u", "--no-check"]) == 0
    assert "FTRACK_SERVER" in capsys.readouterr().err


def test_broken_file_is_named_before_any_question(place: Path, capsys: Any) -> None:
    """A file that cannot be read ends the log-in with its line."""
    place.parent.mkdir()
    place.write_text("[broken\n")
    assert main(["login"]) == 1
    assert "line 1" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="may write everywhere")
def test_folder_that_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A read-only home ends with one line that names the variable to set."""
    place.parent.mkdir(mode=0o500)
    pipe(monkeypatch, KEY)
    assert main(["login", "--server", "https://a", "--user", "u", "--no-check"]) == 1
    assert "FTRACK_CONFIG_FILE" in capsys.readouterr().err


# The keyring


class FakeKeyring:
    """A keyring in memory, which may be broken."""

    def __init__(self, broken: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = broken

    def get_password(self, service: str, account: str) -> Any:
        if self.broken:
            raise RuntimeError("No recommended backend was available")
        return self.kept.get((service, account))

    def set_password(self, service: str, account: str, password: str) -> None:
        if self.broken:
            raise RuntimeError("No recommended backend was available")
        self.kept[service, account] = password

    def delete_password(self, service: str, account: str) -> None:
        del self.kept[service, account]


def test_key_goes_to_the_keyring(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """With a keyring, the file has no key, a session works, and logout removes the key."""
    keyring = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    pipe(monkeypatch, sandbox.api_key)
    assert login(sandbox, "--profile", "local") == 0
    assert sandbox.api_key not in place.read_text()
    assert list(keyring.kept.values()) == [sandbox.api_key]
    with Session(profile="local") as session:
        assert session.query("User").first() is not None
    assert main(["config", "--show-origin", "--profile", "local"]) == 0
    assert "the keyring of the system" in capsys.readouterr().out
    assert main(["logout", "--profile", "local"]) == 0
    assert keyring.kept == {}


def test_broken_keyring_falls_back_to_the_file(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A keyring without a back end is named, and the key goes to the file, unless required."""
    monkeypatch.setitem(sys.modules, "keyring", FakeKeyring(broken=True))  # type: ignore[arg-type]
    pipe(monkeypatch, sandbox.api_key)
    assert login(sandbox, "--key-storage", "keyring") == 1
    assert not place.exists()
    pipe(monkeypatch, sandbox.api_key)
    assert login(sandbox) == 0
    assert "No recommended backend" in capsys.readouterr().err
    assert sandbox.api_key in place.read_text()


def test_missing_keyring_is_one_short_sentence(
    place: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """On a machine without a keyring service, the note names that and no packages to install."""

    class NoKeyringError(RuntimeError):
        """The error of the package keyring without a back end."""

    class Absent(FakeKeyring):
        def set_password(self, service: str, account: str, password: str) -> None:
            raise NoKeyringError("Install a package. See https://example.com for details.")

    monkeypatch.setitem(sys.modules, "keyring", Absent())  # type: ignore[arg-type]
    pipe(monkeypatch, sandbox.api_key)
    assert login(sandbox) == 0
    (note,) = [each for each in capsys.readouterr().err.splitlines() if "eyring" in each]
    assert note.endswith("cannot be used: this machine has no keyring service.")
    assert sandbox.api_key in place.read_text()


def test_config_does_not_open_the_keyring(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Showing settings reads no key, so no window asks for a password."""
    monkeypatch.setitem(sys.modules, "keyring", FakeKeyring(broken=True))  # type: ignore[arg-type]
    save_profile(Profile("studio", "https://a", "u", None))
    assert main(["config"]) == 0
    assert "https://a" in capsys.readouterr().out


def test_login_to_the_file_removes_an_older_key(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that moves from the keyring to the file leaves no key in the keyring."""
    keyring = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    common = ["login", "--server", "https://a", "--user", "u", "--no-check", "--profile", "p"]
    pipe(monkeypatch, KEY)
    assert main(common) == 0
    assert keyring.kept
    pipe(monkeypatch, KEY)
    assert main([*common, "--key-storage", "file"]) == 0
    assert keyring.kept == {}


def test_no_key_is_left_behind_in_the_keyring(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed user replaces the key, and a profile that cannot be written leaves none."""
    keyring = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    common = ["login", "--server", "https://a", "--no-check", "--profile", "p"]
    for user in ("one", "two"):
        pipe(monkeypatch, KEY)
        assert main([*common, "--user", user]) == 0
    assert [account for _, account in keyring.kept] == ["p: two"]
    monkeypatch.setenv("FTRACK_CONFIG_FILE", str(place / "below a file.toml"))
    pipe(monkeypatch, KEY)
    assert main([*common, "--user", "three"]) == 1
    assert [account for _, account in keyring.kept] == ["p: two"]


# Removing


def test_logout_removes_profile_and_key(logged_in: Path, sandbox: Any, capsys: Any) -> None:
    """Without a name, the default profile is removed; a second time there is none."""
    assert main(["logout"]) == 0
    assert "Removed the profile 'local'" in capsys.readouterr().out
    assert sandbox.api_key not in logged_in.read_text()
    assert main(["logout"]) == 1
    assert main(["logout", "--profile", "local"]) == 1
    assert "There is no profile 'local'" in capsys.readouterr().err


# Showing


def settings(capsys: Any, *arguments: str) -> dict[str, Any]:
    """Return the settings that ``config --json`` prints."""
    assert main(["config", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_config_shows_values_and_origins_without_keys(
    logged_in: Path, sandbox: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each setting has its value and its source; keys and passwords of proxies are masked."""
    monkeypatch.setenv("FTRACK_EVENT_PLUGIN_PATH", "/plugins")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter22@proxy:3128")
    for more in ([], ["--show-origin"], ["--json"]):
        assert main(["config", *more]) == 0
        printed = capsys.readouterr().out
        assert sandbox.server_url in printed
        assert sandbox.api_key not in printed
        assert "hunter22" not in printed
        assert ("the profile 'local' in" in printed) is bool(more)
    found = settings(capsys)
    assert found["api_key"] == {
        "value": "********",
        "origin": f"the profile 'local' in {logged_in}",
    }
    assert found["plugin_paths"]["origin"] == "the environment variable FTRACK_EVENT_PLUGIN_PATH"


def test_config_follows_arguments_and_environment(
    logged_in: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sources are those of a session: environment before profile, options before both."""
    monkeypatch.setenv("FTRACK_SERVER", "https://env")
    monkeypatch.setenv("FTRACK_API_KEY", KEY)
    monkeypatch.setenv("FTRACK_API_USER", "jane")
    assert settings(capsys)["server_url"]["value"] == "https://env"
    assert settings(capsys, "--profile", "local")["profile"]["value"] == "local"
    assert settings(capsys, "--server", "https://b")["server_url"] == {
        "value": "https://b",
        "origin": "the option --server-url",
    }


def test_config_without_any_setting(place: Path, capsys: Any) -> None:
    """Missing settings are shown as such, with the way to set them."""
    assert main(["config", "--show-origin"]) == 0
    printed = capsys.readouterr()
    assert "not set" in printed.out
    assert "ftrack-like login" in printed.err


def test_config_of_a_broken_file(place: Path, capsys: Any) -> None:
    """A file that is not TOML ends with its line and status 1."""
    place.parent.mkdir()
    place.write_text('default = "a"\n[profiles.a\n')
    for arguments in ([], ["profiles"], ["use", "a"]):
        assert main(["config", *arguments]) == 1
        assert "line 2" in capsys.readouterr().err


def test_config_path_and_profiles(logged_in: Path, sandbox: Any, capsys: Any) -> None:
    """The path is printed alone; the list marks the default, and shows no key."""
    save_profile(Profile("other", "https://b", "joan", KEY))
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{logged_in}\n"
    assert main(["config", "use", "local"]) == 0
    capsys.readouterr()
    assert main(["config", "profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["*", "local"], ["other", "https://b"]]
    assert main(["config", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["default"] for each in found] == [True, False]
    assert set(found[0]) == {"default", "name", "server_url", "api_user", "key_storage"}
    assert main(["config", "use", "nope"]) == 1


def test_profile_with_other_options_is_a_mistake(logged_in: Path, capsys: Any) -> None:
    """--profile with --server ends with status 2."""
    assert main(["config", "--profile", "local", "--server", "https://b"]) == 2
    assert "--server-url" in capsys.readouterr().err


def test_commands_use_the_profile_that_they_name(
    logged_in: Path, sandbox: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--profile comes before the environment; without it, the environment before the profile."""
    arguments = ["query", "select username from User limit 1", "--json"]
    assert main(arguments) == 0
    monkeypatch.setenv("FTRACK_SERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("FTRACK_API_KEY", KEY)
    assert main([*arguments, "--profile", "local"]) == 0
    capsys.readouterr()
    assert main(arguments) == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_user_without_a_home(tmp_path: Path) -> None:
    """Without a home, as on a farm node, the commands end in order, without a traceback."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FTRACK_", "XDG_", "HOME", "LOCALAPPDATA", "USERPROFILE"))
    }
    environment["HOME"] = str(tmp_path / "nowhere")
    (tmp_path / "nowhere").write_text("a file, not a folder")
    for arguments, status in ((["config"], 0), (["config", "path"], 0), (["logout"], 1)):
        done = subprocess.run(
            [sys.executable, "-m", "ftrack_like", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals of POSIX")
def test_login_asks_on_a_terminal(place: Path, sandbox: Any) -> None:
    """On a terminal each missing value is asked for, and the key is not echoed."""
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "ftrack_like", "login", "--profile", "p"])
    seen = b""
    answers = {b"Server address": sandbox.server_url, b"User name": sandbox.api_user}
    answers[b"API key (it is not shown): "] = sandbox.api_key
    while True:
        try:
            piece = os.read(terminal, 1000)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        for question in list(answers):
            if question in seen:
                os.write(terminal, f"{answers.pop(question)}\n".encode())
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.WEXITSTATUS(status) == 0, seen
    assert sandbox.api_key.encode() not in seen
    assert load_profiles().get("p").api_key == sandbox.api_key
