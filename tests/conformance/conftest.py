"""Check a server against what is known of sites.

Without options the checks run on a sandbox of their own. With ``--server URL --user U --key K``
they run on that server: those that read, and with ``--write`` also those that write, in a project
that they make and remove. ``--client`` chooses who speaks: ``http`` (the default), ``ours``,
``published`` or ``javascript``; ``all`` takes each that is installed. ``--report FILE`` writes the
result without secrets.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from tests.conformance.clients import CLIENTS, Client, connect
from tests.conformance.report import Outcome, Report
from tests.conformance.site import Site

#: The published JavaScript client.
_JAVASCRIPT = "@ftrack/api@1.11.2"

_REPORT = pytest.StashKey[Report]()
_ADDRESS = pytest.StashKey[tuple[str, str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this suite."""
    group = parser.getgroup("conformance")
    group.addoption("--server", metavar="URL", help="the server to check (default: a sandbox)")
    group.addoption("--user", help="the user who speaks")
    group.addoption("--key", help="the user's API key (default: the variable FTRACK_API_KEY)")
    group.addoption("--write", action="store_true", help="also run the checks that write")
    group.addoption(
        "--client",
        choices=[*CLIENTS, "all"],
        default=None,
        help="the client that speaks (default: http and ours)",
    )
    group.addoption("--run", default="conformance", help="how the names of new entities begin")
    group.addoption("--report", metavar="FILE", help="write the result to this file")


def _option(config: pytest.Config, name: str) -> Any:
    """Return the option *name*; None where this suite is one of many and has no options."""
    return config.getoption(f"--{name}", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and begin a report."""
    config.addinivalue_line("markers", "fact(source, confidence): where a check comes from")
    config.addinivalue_line("markers", "writes: a check that changes data on the server")
    config.stash[_REPORT] = Report()


def _clients(config: pytest.Config) -> list[str]:
    """Return the names of the clients that speak."""
    chosen = _option(config, "client")
    if chosen == "all":
        return list(CLIENTS)
    return [chosen] if chosen else ["http", "ours"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check once for each client."""
    if "client" in metafunc.fixturenames:
        metafunc.parametrize("client", _clients(metafunc.config), indirect=True, scope="session")


@pytest.fixture(scope="session")
def address(
    pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> Iterator[tuple[str, str, str]]:
    """Return the address of the server, the user and the key."""
    url = _option(pytestconfig, "server")
    if url is None:
        with request.getfixturevalue("sandbox_on")(None) as sandbox:
            found = (sandbox.server_url, sandbox.api_user, sandbox.api_key)
            pytestconfig.stash[_ADDRESS] = found
            yield found
        return
    user = _option(pytestconfig, "user")
    key = _option(pytestconfig, "key") or os.environ.get("FTRACK_API_KEY")
    if not user or not key:
        raise pytest.UsageError("--server needs --user, and --key or the variable FTRACK_API_KEY")
    pytestconfig.stash[_ADDRESS] = (url, user, key)
    yield url, user, key


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest, address: tuple[str, str, str]) -> Iterator[Client]:
    """Return the client that speaks."""
    name = request.param
    if name == "published":
        pytest.importorskip("ftrack_api", reason="the published Python client is not installed")
    folder = request.getfixturevalue("javascript_folder") if name == "javascript" else None
    made = connect(name, *address, folder)
    yield made
    made.close()


@pytest.fixture(scope="session")
def javascript_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the published JavaScript client, or skip if it cannot be there."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js with npm is not installed")
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"private": true}')
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", _JAVASCRIPT],
        cwd=folder,
        check=True,
        timeout=240,
    )
    return folder


@pytest.fixture(scope="session")
def site(client: Client, pytestconfig: pytest.Config) -> Iterator[Site]:
    """Return the server to check."""
    run = _option(pytestconfig, "run") or "conformance"
    made = Site(client, f"{run}-{client.name}")
    yield made
    made.clean_up()


@pytest.fixture(autouse=True)
def _only_what_is_allowed(request: pytest.FixtureRequest) -> None:
    """Skip a check that writes on a server that is not a sandbox of this run."""
    config = request.config
    foreign = _option(config, "server") is not None
    if foreign and request.node.get_closest_marker("writes") and not _option(config, "write"):
        pytest.skip("it writes: run with --write to let it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note the outcome of each check."""
    result = yield
    told: pytest.TestReport = result.get_result()  # type: ignore[attr-defined]
    marker = item.get_closest_marker("fact")
    if marker is None or (told.when != "call" and told.passed):
        return
    told.user_properties.append(("conformance", _outcome(item, marker, told)._asdict()))


def _outcome(item: pytest.Item, marker: pytest.Mark, told: pytest.TestReport) -> Outcome:
    """Return what *told* says of the check *item*."""
    why = ""
    if told.failed:
        why = str(getattr(told.longrepr, "reprcrash", None) or told.longrepr)
    elif told.skipped and isinstance(told.longrepr, tuple):
        why = str(told.longrepr[2])
    parameters = dict(getattr(getattr(item, "callspec", None), "params", {}))
    client = str(parameters.pop("client", ""))
    return Outcome(
        section=item.path.stem.replace("test_", "", 1),
        name=item.name,
        client=client,
        sentence=" ".join((getattr(item, "obj").__doc__ or "").split()),
        source=marker.kwargs["source"],
        confidence=marker.kwargs["confidence"],
        outcome=told.outcome,
        why=why,
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the outcomes, also those of other processes of the run."""
    for name, value in report.user_properties:
        if name == "conformance" and isinstance(value, dict):
            _collected.append(Outcome(**value))


#: The outcomes of this process.
_collected: list[Outcome] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, and write the report."""
    if not _collected:
        return
    report = config.stash[_REPORT]
    report.outcomes = list(_collected)
    terminalreporter.section("conformance")
    for line in report.table():
        terminalreporter.write_line(line)
    path: Optional[str] = _option(config, "report")
    if path:
        secrets = config.stash.get(_ADDRESS, ("", "", ""))
        Path(path).write_text(_without(report.text(), secrets), encoding="utf-8")
        terminalreporter.write_line(f"The report is in {path}.")


def _without(text: str, secrets: tuple[str, str, str]) -> str:
    """Return *text* without the address, the user and the key in *secrets*."""
    for secret, shown in zip(secrets, ("SERVER", "USER", "KEY")):
        if secret:
            text = text.replace(secret, shown)
            text = text.replace(re.sub(r"^https?://", "", secret), shown)
    return text
