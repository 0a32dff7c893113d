"""Check a server against what is known of sites.

Without options the checks run on a sandbox of their own. With ``--server URL --user U --key=K``
they run on that server: those that read, and also those that write if the server is a sandbox or
``--write`` allows it. They write in a project that they make and remove. ``--client`` chooses who
speaks: ``http``, ``ours``, ``published`` or ``javascript``; ``all`` takes each that is installed.
``--report FILE`` writes the result without secrets.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import requests
from tests.conformance.clients import CLIENTS, Client, connect, hide
from tests.conformance.listeners import Listener, connect_events
from tests.conformance.report import Outcome, Report, without_client
from tests.conformance.site import SCOPES, Site

#: The published JavaScript client.
_JAVASCRIPT = "@ftrack/api@1.11.2"

#: The header of the front page with which the servers of this library say what they are.
_HEADER = "FTRACK_LIKE"

_KIND = pytest.StashKey[str]()


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
    """Declare the markers."""
    config.addinivalue_line("markers", "fact(source, confidence): where a check comes from")
    config.addinivalue_line("markers", "writes: a check that changes data on the server")
    config.addinivalue_line("markers", "differs(why): a check that fails on the sandbox")
    config.addinivalue_line("markers", "live: a check that a recording of a server cannot answer")


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
        with request.getfixturevalue("sandbox_on")(None, loopback_webhooks=True) as sandbox:
            yield sandbox.server_url, sandbox.api_user, sandbox.api_key
        return
    user = _option(pytestconfig, "user")
    key = _option(pytestconfig, "key") or os.environ.get("FTRACK_API_KEY")
    if not user or not key:
        raise pytest.UsageError("--server needs --user, and --key or the variable FTRACK_API_KEY")
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
    words = [_option(pytestconfig, "run") or "conformance", client.name]
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    made = Site(client, "-".join([*words, worker] if worker else words))
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def listener(site: Site) -> Iterator[Listener]:
    """Return a subscriber that hears the changes on the server, and may subscribe to more."""
    made = connect_events(site.client, site.run)
    made.subscribe("topic=ftrack.update")
    yield made
    made.close()


def _kind(config: pytest.Config) -> str:
    """Return ``sandbox`` or ``replay`` for a server of this library, and ``site`` for others."""
    url = _option(config, "server")
    if url is None:
        return "sandbox"
    if _KIND not in config.stash:
        config.stash[_KIND] = requests.get(url, timeout=60).headers.get(_HEADER, "site")
    return config.stash[_KIND]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a check that writes on a site, and one that needs more than a recording.

    This comes before the fixtures of the check, which may write as well.
    """
    kind = _kind(item.config)
    marker = item.get_closest_marker
    if marker("writes") and kind != "sandbox" and not _option(item.config, "write"):
        pytest.skip("it writes, and the server is no sandbox: run with --write to let it")
    if marker("live") and kind == "replay":
        pytest.skip("a recording cannot answer it")
    known = marker("differs")
    if known and kind == "sandbox":
        reason = f"the sandbox differs: {known.kwargs['why']}"
        item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let names depend on the check that makes them."""
    client = getattr(item, "callspec", None) and item.callspec.params.get("client")  # type: ignore[attr-defined]
    SCOPES.append(f"{item.path.stem}.{without_client(item.name, str(client))}")
    yield
    SCOPES.pop()


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Iterator[None]:
    """Let names depend on the fixture that makes them, whichever check asks first."""
    if fixturedef.scope == "session":
        SCOPES.append(fixturedef.argname)
    yield
    if fixturedef.scope == "session":
        SCOPES.pop()


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
    elif getattr(told, "wasxfail", ""):
        why = str(getattr(told, "wasxfail"))
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
        why=hide(why),
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
    report = Report(_collected)
    terminalreporter.section("conformance")
    for line in report.table():
        terminalreporter.write_line(line)
    path: Optional[str] = _option(config, "report")
    if path:
        Path(path).write_text(hide(report.text()), encoding="utf-8")
        terminalreporter.write_line(f"The report is in {path}. It has no address and no key.")
