"""What ``ftrack-like doctor`` finds, with servers, settings and machines that are wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftrack_like._base.schema_files import (
    fallback_schema_folder,
    schema_file_name,
    why_not_writable,
)
from ftrack_like._configuration.profiles import Profile, save_profile
from ftrack_like.cli import _checks, _machine_checks, _server_checks, _variable_checks, main

if not any(map(importlib.util.find_spec, ("tomllib", "tomli"))):
    pytest.skip("this Python cannot read TOML", allow_module_level=True)

KEY = "a-key-that-must-not-show"
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _plain_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away proxies and profiles of the machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FTRACK_CONFIG_FILE", str(tmp_path / "settings" / "config.toml"))
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "cache"))


def settle(monkeypatch: pytest.MonkeyPatch, url: str, user: str = "jane", key: str = KEY) -> None:
    """Put the server, the user and the key into the environment."""
    monkeypatch.setenv("FTRACK_SERVER", url)
    monkeypatch.setenv("FTRACK_API_USER", user)
    monkeypatch.setenv("FTRACK_API_KEY", key)


def examine(capsys: Any, *arguments: str, secrets: tuple[str, ...] = (KEY,)) -> tuple[int, Any]:
    """Return the status of the command, and its findings by name; no secret is printed."""
    status = main(["doctor", "--json", "--timeout", "20", *arguments])
    printed = capsys.readouterr()
    for secret in secrets:
        assert secret not in printed.out + printed.err
    found = json.loads(printed.out)
    assert found["ok"] is (status == 0)
    for check in found["checks"]:
        assert check["status"] in ("OK", "WARN", "FAIL")
        assert bool(check["next"]) is (check["status"] != "OK"), check
    return status, {check["name"]: SimpleNamespace(**check) for check in found["checks"]}


def test_healthy_set_up(sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """With a server that works, no check fails, and each names what it has checked."""
    settle(monkeypatch, sandbox.server_url, sandbox.api_user, sandbox.api_key)
    status, found = examine(capsys, secrets=(sandbox.api_key,))
    assert status == 0
    assert {"settings", "profiles", *_server_checks.NETWORK_CHECKS} <= set(found)
    assert {"schema cache", "ffmpeg", "ftrack-like", "Python", "packages", "extras"} <= set(found)
    for name in _server_checks.NETWORK_CHECKS:
        assert found[name].status == "OK", found[name]
    assert "the environment variable FTRACK_API_KEY" in found["settings"].text
    assert "Version " in found["server"].text
    assert repr(sandbox.api_user) in found["key"].text
    assert "requests" in found["packages"].text


def test_lines_for_people(sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Without --json each finding is a line, the advice is below it, and the last line counts."""
    settle(monkeypatch, sandbox.server_url, sandbox.api_user, KEY)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^OK    TCP +Connected to 127\.0\.0\.1", printed, re.MULTILINE)
    assert re.search(r"^FAIL  key +.*\n +Next: .*ftrack-like login", printed, re.MULTILINE)
    assert "1 failure." in printed.splitlines()[-1]
    assert "\x1b" not in printed
    assert KEY not in printed


def test_refused_key(sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A refused key names both sources; the server and the clock are checked all the same."""
    settle(monkeypatch, sandbox.server_url)
    status, found = examine(capsys)
    assert status == 1
    assert found["key"].status == "FAIL"
    assert "FTRACK_API_USER" in found["key"].text
    assert found["server"].status == found["clock"].status == "OK"
    assert "Not checked" in found["websocket"].text


def test_refused_key_of_a_profile(sandbox: Any, capsys: Any) -> None:
    """For a profile, the next command is to log in again."""
    save_profile(Profile("local", sandbox.server_url, sandbox.api_user, KEY))
    status, found = examine(capsys)
    assert status == 1
    assert found["key"].next == "Run: ftrack-like login --profile local"


def test_nothing_configured(capsys: Any) -> None:
    """Without settings, the network is not checked, and the machine is."""
    status, found = examine(capsys)
    assert status == 1
    assert "Run: ftrack-like login" in found["settings"].next
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        assert name in found["settings"].next  # for a machine without a person
    assert "Not checked" in found["DNS"].text
    assert found["Python"].status == "OK"


def test_unknown_host(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A host without an address fails at DNS, and the rest of the network is not checked."""
    settle(monkeypatch, "https://no-such-host.invalid")
    status, found = examine(capsys)
    assert status == 1
    assert (found["DNS"].status, found["TCP"].status) == ("FAIL", "WARN")
    assert "no-such-host.invalid" in found["DNS"].text


def test_closed_port(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A port where nothing listens fails at TCP, with the setting to check."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        settle(monkeypatch, f"http://127.0.0.1:{bound.getsockname()[1]}")
        status, found = examine(capsys)
    assert status == 1
    assert found["TCP"].status == "FAIL"
    assert "FTRACK_SERVER" in found["TCP"].next


def test_silent_server_does_not_hang(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A server that never answers fails within the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settle(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        status, found = examine(capsys, "--timeout", "0.5")
        assert time.monotonic() - begun < 60
    assert status == 1
    assert found["server"].status == "FAIL"
    assert "Not checked" in found["websocket"].text


def test_check_that_hangs_is_given_up() -> None:
    """A check that ignores its time limit, such as a name server, is a failure with a name."""
    blocked = socket.socketpair()
    try:
        (found,) = _checks.within(0.2, "DNS", lambda: [blocked[0].recv(1)])  # type: ignore[list-item]
    finally:
        blocked[1].close()
    assert (found.name, found.status) == ("DNS", "FAIL")


def test_check_that_fails_itself_is_reported() -> None:
    """An unexpected error in a check is a finding, and the other checks go on."""
    (found,) = _checks.within(20, "TLS", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert found.status == "FAIL"
    assert "ZeroDivisionError" in found.text


def test_page_that_is_no_server(
    server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Another program at the address, and a redirect, fail at the server."""
    settle(monkeypatch, server.url)
    server.answer = lambda batch: replies.Reply(b"<title>Welcome to nginx</title>")
    status, found = examine(capsys)
    assert status == 1
    assert "nginx" in found["server"].text
    moved = {"Location": "https://elsewhere.example/api"}
    server.answer = lambda batch: replies.Reply(b"", 301, moved)
    assert "elsewhere" in examine(capsys)[1]["server"].text


def test_old_server(
    server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A server that is too old fails."""
    settle(monkeypatch, server.url)
    server.answer = lambda batch: [
        {**replies.INFORMATION, "version": "3.3.1"},
        {"action": "query", "data": []},
    ]
    assert "3.3.1" in examine(capsys)[1]["server"].text


def test_user_that_is_not_shown(server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A key that is accepted for a user whom the server does not show is a warning."""
    settle(monkeypatch, server.url)
    found = examine(capsys)[1]
    assert found["key"].status == "WARN"
    assert found["websocket"].status == "FAIL"  # This server has none.
    assert "/socket.io" in found["websocket"].next


@pytest.mark.parametrize(("skew", "status"), [(0, "OK"), (120, "WARN"), (-7200, "FAIL")])
def test_clocks_are_compared(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, skew: float, status: str
) -> None:
    """A clock that differs from the server's by a minute is a warning, by an hour a failure."""
    settle(monkeypatch, sandbox.server_url, sandbox.api_user, sandbox.api_key)
    clock = SimpleNamespace(time=lambda: time.time() + skew, monotonic=time.monotonic)
    monkeypatch.setattr(_server_checks, "time", clock)
    found = examine(capsys, secrets=(sandbox.api_key,))[1]["clock"]
    assert found.status == status
    assert ("behind" in found.text) is (skew < 0)


def test_proxy_is_named_without_its_password(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The variable of a proxy is named; its user and password are not shown."""
    settle(monkeypatch, "http://studio.invalid", key=KEY)
    monkeypatch.setenv("http_proxy", "http://me:hunter22@127.0.0.1:1")
    found = examine(capsys, secrets=(KEY, "hunter22"))[1]
    assert "http_proxy" in found["proxy"].text
    assert "the proxy" in found["DNS"].text
    assert found["TCP"].status == "FAIL"
    assert "127.0.0.1:1" in found["TCP"].text
    monkeypatch.setenv("http_proxy", "http://token-of-mine@127.0.0.1:1")
    examine(capsys, secrets=("token-of-mine",))


def test_certificate_of_an_own_authority(
    sandbox: Any, authority: Any, front: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """An unknown authority fails with the CA file in use; with REQUESTS_CA_BUNDLE it passes."""
    address = front(sandbox.server_url, authority.context()).url
    settle(monkeypatch, address, sandbox.api_user, sandbox.api_key)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    status, found = examine(capsys, secrets=(sandbox.api_key,))
    assert (status, found["TLS"].status) == (1, "FAIL")
    assert "the default of requests" in found["TLS"].text
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    status, found = examine(capsys, secrets=(sandbox.api_key,))
    assert "REQUESTS_CA_BUNDLE" in found["TLS"].text
    assert found["TLS"].status == "WARN"  # It ends within two weeks.
    assert found["websocket"].status == "OK"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    found = examine(capsys, secrets=(sandbox.api_key,))[1]["TLS"]
    assert (found.status, "/nowhere/ca.pem" in found.text) == ("FAIL", True)


def test_plain_http_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without https that is not this machine is a warning."""
    from ftrack_like._configuration.credentials import find_credentials

    credentials = find_credentials("http://studio.example", KEY, "jane", {})
    way, _ = _server_checks._check_proxy(credentials)
    (found,) = _server_checks._check_tls(way, credentials, 1)
    assert found.status == "WARN"
    assert "unencrypted" in found.text


# The variables


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("FTRACK_API_RETRY_SECONDS", "1m", "FAIL"),
        ("FTRACK_API_RETRY_SECONDS", "60", "OK"),
        ("FTRACK_API_CACHE", "reddiss://cache:6379/0", "FAIL"),
        ("FTRACK_API_CACHE", "sqlite:///{tmp}/file/cache.db", "FAIL"),
        ("FTRACK_API_CACHE", "memory://", "OK"),
        ("FTRACK_EVENT_PLUGIN_PATH", "{tmp}/missing", "WARN"),
        ("FTRACK_EVENT_PLUGIN_PATH", "{tmp}", "OK"),
        ("FTRACK_API_FILE_CHUNK_SIZE", "1 MB", "WARN"),
        ("FTRACK_EVENT_JOURNAL", "http://studio", "FAIL"),
        ("FTRACK_EVENT_JOURNAL", "{tmp}/file/below", "FAIL"),
        ("FTRACK_EVENT_JOURNAL", "{tmp}/journals", "OK"),
        ("FTRACK_MEDIA_PRESETS", "{tmp}/missing.json", "FAIL"),
        ("FTRACK_MEDIA_PRESETS", "{tmp}/presets.json", "OK"),
        ("FTRACK_LOG", "verbose", "WARN"),
        ("FTRACK_LOG", "error", "OK"),
    ],
)
def test_each_variable_is_checked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    tmp_path: Path,
    name: str,
    value: str,
    status: str,
) -> None:
    """A variable with a bad value is never OK, and no check creates anything."""
    (tmp_path / "file").touch()
    (tmp_path / "presets.json").write_text('{"*": {"quality": 30}}')
    monkeypatch.setenv(name, value.format(tmp=tmp_path))
    before = sorted(tmp_path.iterdir())
    found = examine(capsys)[1][name]
    assert (found.status, "itself failed" in found.text) == (status, False)
    if status != "OK":
        assert name in found.text + found.next
    assert sorted(tmp_path.iterdir()) == before


def test_missing_package_of_a_cache(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A Redis cache without the package fails with the extra that installs it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    monkeypatch.setenv("FTRACK_API_CACHE", "redis://127.0.0.1:1/7")
    found = examine(capsys)[1]["FTRACK_API_CACHE"]
    assert (found.status, "the extra 'redis'" in found.text) == ("FAIL", True)


def test_cache_server_that_is_down(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A Redis server that does not answer is a warning, because sessions work without it."""
    pytest.importorskip("redis")
    monkeypatch.setenv("FTRACK_API_CACHE", "redis://:hunter22@127.0.0.1:1/0")
    found = examine(capsys, secrets=("hunter22",))[1]["FTRACK_API_CACHE"]
    assert (found.status, "does not answer" in found.text) == ("WARN", True)


def test_no_variable_is_without_a_check() -> None:
    """Each FTRACK_ variable that the client reads has a check, here or among the other checks."""
    elsewhere = {
        "FTRACK_API_KEY": "settings",
        "FTRACK_APIKEY": "settings",
        "FTRACK_API_USER": "settings",
        "FTRACK_SERVER": "settings",
        "FTRACK_PROFILE": "settings",
        "FTRACK_CONFIG_FILE": "profiles",
        "FTRACK_API_SCHEMA_CACHE_PATH": "schema cache",
        "FTRACK_FFMPEG": "ffmpeg",
    }
    sources = PROJECT / "src" / "ftrack_like"
    read = set()
    for path in sources.rglob("*.py"):
        if "sandbox" not in path.relative_to(sources).parts:  # The server is another program.
            read |= set(re.findall(r'"(FTRACK_(?!LIKE\b)[A-Z_]+[A-Z])"', path.read_text("utf-8")))
    assert read == {*_variable_checks.VARIABLES, *elsewhere}


# The machine


def test_file_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """A schema file of another user is a warning with its owner."""
    settle(monkeypatch, "http://127.0.0.1:1")
    (tmp_path / "cache").mkdir()
    name = schema_file_name("http://127.0.0.1:1")
    (tmp_path / "cache" / name).write_text("[]")
    plain = open

    def refusing(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", path)
        return plain(path, *arguments, **options)

    monkeypatch.setattr("builtins.open", refusing)
    found = examine(capsys)[1]["schema cache"]
    assert found.status == "WARN"
    assert "Permission denied" in found.text
    if os.name != "nt":
        assert "It belongs to the user" in found.text


def test_system_that_refuses_a_check(tmp_path: Path) -> None:
    """A check that the system refuses names the file and its owner, and is no fault."""

    def refused() -> list[_checks.Diagnosis]:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    (found,) = _checks.within(20, "profiles", refused)
    assert found.text.startswith(f"{tmp_path} cannot be used: Permission denied.")
    assert ("It belongs to the user" in found.text) is (os.name != "nt")
    assert "fault" not in found.advice


def test_fallback_of_the_schema_cache(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """Doctor and config name the folder in use; the chosen one comes first again when it works."""
    settle(monkeypatch, sandbox.server_url, sandbox.api_user, sandbox.api_key)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    chosen = tmp_path / "blocked" / "schemas"
    chosen.parent.touch()
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(chosen))
    sandbox.session().close()
    spare = fallback_schema_folder()
    assert spare is not None
    assert len(os.listdir(spare)) == 1
    found = examine(capsys, secrets=(sandbox.api_key,))[1]["schema cache"]
    assert (found.status, spare in found.text, "up to date" in found.text) == ("WARN", True, True)
    assert main(["config", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["schema_cache_path"]
    assert (shown["value"], str(chosen) in shown["origin"]) == (spare, True)
    chosen.parent.unlink()
    sandbox.session().close()
    assert (len(os.listdir(chosen)), os.listdir(spare)) == (1, [])
    found = examine(capsys, secrets=(sandbox.api_key,))[1]["schema cache"]
    assert (found.status, "up to date" in found.text) == ("OK", True)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder of Linux")
def test_folder_that_permissions_allow_and_the_system_refuses() -> None:
    """A folder is writable only if a file can be created in it, also for root."""
    assert why_not_writable("/proc/ftrack-like/schemas") is not None


def test_broken_profile_file(capsys: Any, tmp_path: Path) -> None:
    """A file that is not TOML fails with its line, in both checks that read it."""
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "config.toml").write_text("a = 1\n[broken\n")
    found = examine(capsys)[1]
    for name in ("settings", "profiles"):
        assert found[name].status == "FAIL"
        assert "line 2" in found[name].text


@pytest.mark.skipif(os.name == "nt", reason="file modes of POSIX")
def test_loose_permissions(capsys: Any, tmp_path: Path) -> None:
    """A profile file that others can read is a warning with the command to run."""
    path = Path(save_profile(Profile("p", "http://127.0.0.1:1", "u", KEY)))
    path.chmod(0o644)
    found = examine(capsys)[1]["profiles"]
    assert (found.status, found.next) == ("WARN", f"Run: chmod 600 {path}")
    save_profile(Profile("p", "http://127.0.0.1:1", "u", None))
    path.chmod(0o644)
    assert examine(capsys)[1]["profiles"].status == "OK"  # The key is in the keyring.


def test_schema_cache(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """The cache of the server is up to date after a session, and out of date when it is not."""
    settle(monkeypatch, sandbox.server_url, sandbox.api_user, sandbox.api_key)
    secrets = (sandbox.api_key,)
    assert "will be written" in examine(capsys, secrets=secrets)[1]["schema cache"].text
    sandbox.session().close()
    assert "up to date" in examine(capsys, secrets=secrets)[1]["schema cache"].text
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text("[]")
    assert "out of date" in examine(capsys, secrets=secrets)[1]["schema cache"].text
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "file" / "cache"))
    found = examine(capsys, secrets=secrets)[1]["schema cache"]
    assert (found.status, "FTRACK_API_SCHEMA_CACHE_PATH" in found.next) == ("WARN", True)


def test_missing_ffmpeg(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    """A missing or broken ffmpeg is a warning, because only encoding needs it."""
    monkeypatch.setenv("FTRACK_FFMPEG", str(tmp_path / "nothing"))
    assert examine(capsys)[1]["ffmpeg"].status == "WARN"
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("FTRACK_FFMPEG", str(broken))
    assert examine(capsys)[1]["ffmpeg"].status == "WARN"


def test_missing_packages_for_encoding(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """Without the packages of the extra that encoding needs, ffmpeg alone is not enough."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ffmpeg version 6.0\n")
    program.chmod(0o755)
    plain = _machine_checks._version_of
    monkeypatch.setattr(
        _machine_checks, "_version_of", lambda name: None if name == "av" else plain(name)
    )
    monkeypatch.setenv("FTRACK_FFMPEG", str(program))
    found = examine(capsys)[1]["ffmpeg"]
    assert (found.status, "without av" in found.text) == ("WARN", True)
    assert found.next.startswith("Install the extra 'media' of ftrack-like: ")


@pytest.mark.parametrize("version", [None, "2.20.0"])
def test_old_or_missing_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, version: Any
) -> None:
    """A required package that is missing or too old fails, with the command to install it."""
    plain = _machine_checks._version_of
    monkeypatch.setattr(
        _machine_checks, "_version_of", lambda name: version if name == "requests" else plain(name)
    )
    found = examine(capsys)[1]["packages"]
    assert found.status == "FAIL"
    assert "pip install 'requests>=2.25.1'" in found.next


def test_required_packages_are_those_of_the_project() -> None:
    """The command checks the packages and versions that pyproject.toml requires."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    declared = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', block[1]))
    assert declared == _machine_checks.REQUIRED
    for extra, names in _machine_checks.OPTIONAL.items():
        line = re.search(rf"^{extra} = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
        assert line is not None
        for name in names:
            assert name in line[1]


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "1000"])
def test_time_limit_is_a_number(value: str, capsys: Any) -> None:
    """A time limit that is no number of seconds is a mistake with status 2."""
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--timeout", value])
    assert caught.value.code == 2
    assert "number of seconds" in capsys.readouterr().err


def test_command_as_a_process(sandbox: Any) -> None:
    """As a process, the command ends with status 1 for a wrong key, also without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "ftrack_like", "doctor", "--server", sandbox.server_url],
        env={**os.environ, "FTRACK_API_KEY": KEY, "FTRACK_API_USER": "jane"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "FAIL  key" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Wait for the threads of the checks, which end by themselves."""
    yield
    deadline = time.monotonic() + 30
    import threading

    for thread in threading.enumerate():
        if thread.name.startswith("check of "):
            thread.join(max(0.0, deadline - time.monotonic()))
