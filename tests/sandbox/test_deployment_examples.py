"""The examples in ``packaging``: their files can be read, and their very commands run."""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra sandbox is not installed")
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
SHOWN_DATABASE = "postgresql://ftrack_like@postgres:5432/ftrack_like"
SHOWN_MEDIA = "/var/lib/ftrack-like/media"


def _compose() -> dict[str, Any]:
    text = (PACKAGING / "compose.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _filled(text: str, values: dict[str, str]) -> str:
    """Return *text* with ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?error}`` replaced."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1]) or match[2] or ""

    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", value, text)


def _knows(*words: str) -> bool:
    """Return whether the help of ``sandbox start`` or the command itself knows *words*."""
    command = [sys.executable, "-m", "ftrack_like", "sandbox", *words[:-1], "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.returncode == 0 and words[-1] in found.stdout


@pytest.fixture
def database() -> Iterator[str]:
    """Return the address of a new PostgreSQL database, without its driver."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    usual = "postgresql+psycopg://postgres@127.0.0.1/postgres"
    base = sqlalchemy.engine.make_url(os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL", usual))
    engine = sqlalchemy.create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {error}")
    name = f"ops_{uuid.uuid4().hex[:12]}"
    connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    url = base.set(database=name, drivername="postgresql")
    yield url.render_as_string(hide_password=False)
    connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    connection.close()
    engine.dispose()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _run_api(arguments: list[str], probe: list[str], port: int) -> None:
    """Run the command of the API until *probe* succeeds and a request is answered, then end it."""
    for option in ("--workers", "--encoders"):  # these options are newer than the rest
        given = [each for each in arguments if each.partition("=")[0] == option]
        if given and not _knows("start", option):
            at = arguments.index(given[0])
            del arguments[at : at + (1 if "=" in given[0] else 2)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrack_like", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while subprocess.run(probe, capture_output=True, check=False).returncode:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the probe does not succeed"
            time.sleep(0.2)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=30)
    finally:
        process.terminate()
        errors = process.communicate(timeout=90)[1]
    assert process.returncode == 0, errors
    assert any(json.loads(line).get("path") == "/api" for line in errors.splitlines())


@pytest.mark.postgres
def test_the_commands_of_compose_run(database: str, tmp_path: pathlib.Path) -> None:
    """The command of the service ``api`` starts a sandbox, and its health check succeeds."""
    service = _compose()["services"]["api"]
    port = _free_port()
    exchange = {
        SHOWN_DATABASE: database,
        SHOWN_MEDIA: str(tmp_path / "media"),
        "--host=0.0.0.0": "--host=127.0.0.1",
        "5005": str(port),
    }
    arguments = [_filled(each, {}) for each in service["command"]]
    probe = service["healthcheck"]["test"]
    assert probe[0] == "CMD"
    for before, after in exchange.items():
        assert any(before in each for each in arguments), before
        arguments = [each.replace(before, after) for each in arguments]
    probe = [each.replace("5005", str(port)) for each in probe[1:]]
    _run_api(arguments, [sys.executable, *probe[1:]], port)


@pytest.mark.postgres
def test_the_command_of_the_unit_runs(database: str, tmp_path: pathlib.Path) -> None:
    """ExecStart of the systemd unit starts a sandbox that becomes ready."""
    settings = _unit(PACKAGING / "systemd" / "ftrack-like.service")["Service"]
    port = _free_port()
    values = {
        "DATABASE": database,
        "STATE_DIRECTORY": str(tmp_path),
        "PUBLIC_URL": f"http://localhost:{port}",
    }
    words = shlex.split(_filled(settings["ExecStart"], values))
    assert pathlib.Path(words[0]).name == "ftrack-like"
    arguments = [each.replace("5005", str(port)) for each in words[1:]]
    address = f"http://127.0.0.1:{port}/healthz"
    code = f"import urllib.request; urllib.request.urlopen({address!r}, timeout=3)"
    _run_api(arguments, [sys.executable, "-c", code], port)


@pytest.mark.postgres
def test_the_encode_workers_start(database: str, tmp_path: pathlib.Path) -> None:
    """The commands of the encode workers are accepted and run until they are stopped."""
    if not _knows("worker", "--database"):
        pytest.skip("this version has no command 'sandbox worker'")
    from ftrack_like.sandbox.server import SandboxServer

    media = tmp_path / "media"
    unit = _unit(PACKAGING / "systemd" / "ftrack-like-encode@.service")["Service"]["ExecStart"]
    of_unit = shlex.split(_filled(unit, {"DATABASE": database, "STATE_DIRECTORY": str(tmp_path)}))
    of_compose = [
        each.replace(SHOWN_DATABASE, database).replace(SHOWN_MEDIA, str(media))
        for each in _compose()["services"]["encode"]["command"]
    ]
    with SandboxServer(database=database, media=media):
        for arguments in (of_unit[1:], of_compose):
            process = subprocess.Popen(
                [sys.executable, "-m", "ftrack_like", *arguments, "--json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            process.terminate()
            errors = process.communicate(timeout=60)[1]
            assert isinstance(json.loads(line or "null"), dict), errors


@pytest.mark.redis
def test_the_listener_of_compose_starts(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the durable listener connects to the sandbox and to Redis."""
    redis = pytest.importorskip("redis", reason="the package redis is not installed")
    url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
    client = redis.Redis.from_url(url)
    try:
        client.ping()
    except redis.exceptions.RedisError as error:
        pytest.skip(f"no Redis server: {error}")
    from ftrack_like.sandbox.server import SandboxServer

    service = _compose()["services"]["listener"]
    name = f"test-{uuid.uuid4().hex}"
    exchange = {"redis://redis:6379/0": url, "/plugins": str(tmp_path), "studio": name}
    arguments = service["command"]
    for before, after in exchange.items():
        assert any(before in each for each in arguments)
        arguments = [each.replace(before, after) for each in arguments]
    with SandboxServer(tmp_path / "data") as server:
        known = {
            "FTRACK_SERVER": server.server_url,
            "FTRACK_API_USER": server.api_user,
            "FTRACK_API_KEY": server.api_key,
        }
        assert known.keys() == service["environment"].keys()
        for variable, value in known.items():
            monkeypatch.setenv(variable, value)
        (tmp_path / "plugin.py").write_text(
            "def register(session):\n    session.event_hub.subscribe('topic=a', print)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "ftrack_like", *arguments], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
        errors = process.communicate(timeout=60)[1]
        assert line.startswith("Listening to http"), line + errors
        assert process.returncode == 0
    keys = client.keys(f"ftrack-like:journal:{{{name}}}:*")
    assert keys
    client.delete(*keys)
    client.close()


def test_compose_is_consistent() -> None:
    """Volumes, dependencies and health checks exist, images have versions, passwords are asked."""
    found = _compose()
    services = found["services"]
    assert set(services) == {"postgres", "redis", "api", "encode", "listener"}
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in found["volumes"], (name, volume)
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[other]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"
        assert ":" in service["image"] or service["image"] == "ftrack-like"
    assert services["encode"]["deploy"]["replicas"] == 2
    assert "--workers=2" in services["api"]["command"]
    text = (PACKAGING / "compose.yaml").read_text(encoding="utf-8")
    assert "${POSTGRES_PASSWORD:?" in text
    assert not re.search(r"postgresql://\w+:\w+@", text)


def test_the_image_has_what_compose_needs() -> None:
    """The Dockerfile installs extras that exist, runs as a user, and copies no secrets."""
    text = (PACKAGING / "Dockerfile").read_text(encoding="utf-8")
    wanted = re.search(r"/tmp/source\[([a-z,]+)\]", text)
    assert wanted is not None
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in wanted[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
    assert re.search(r"^USER ftrack-like$", text, re.MULTILINE)
    assert SHOWN_MEDIA in text
    service = _compose()["services"]["api"]
    assert (PACKAGING / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def _unit(path: pathlib.Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_are_valid(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """systemd itself finds no fault in a unit, except that the program is not installed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / path.name.replace("@", "@1")
    copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    found = subprocess.run(
        [program, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    about = [line for line in found.stderr.splitlines() if copy.name in line]
    assert [line for line in about if "is not executable" not in line] == []


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_have_few_rights(path: pathlib.Path) -> None:
    """The units run as a user, and systemd rates their exposure below 3 of 10."""
    service = _unit(path)["Service"]
    assert service["User"] == "ftrack-like"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    found = subprocess.run(
        [program, "security", "--offline=yes", "--threshold=30", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "offline" in found.stderr:
        pytest.skip("this systemd-analyze has no offline mode")
    assert found.returncode == 0, found.stdout[-300:] + found.stderr


def test_the_variables_of_the_units_are_in_the_example() -> None:
    """Each variable of a command is in the environment file, or comes from systemd."""
    text = (PACKAGING / "systemd" / "ftrack-like.env").read_text(encoding="utf-8")
    known = set(re.findall(r"^(\w+)=", text, re.MULTILINE)) | {"STATE_DIRECTORY"}
    for path in UNITS:
        used = set(re.findall(r"\$\{(\w+)\}", _unit(path)["Service"]["ExecStart"]))
        assert used <= known, path.name
