"""The pytest plugin, in a process of its own."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import pytest

from ftrack_like.testing import Sandbox

Run = Callable[..., pytest.RunResult]

has_sandbox = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None, reason="the extra 'sandbox' is not installed"
)

TWO_TESTS = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_each_starts_fresh(ftrack_session, number):
        assert len(ftrack_session.query("User")) == 1
        ftrack_session.create("User", {"username": f"artist{number}"})
        ftrack_session.commit()
        assert len(ftrack_session.query("User")) == 2
"""


@has_sandbox
def test_each_test_starts_with_a_new_site(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A test does not see the data of the test before it."""
    pytester.makepyfile(TWO_TESTS)
    run_pytest().assert_outcomes(passed=4)


@has_sandbox
def test_environment_leads_to_the_sandbox(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code under test that creates its own session meets the sandbox, not the studio's site."""
    monkeypatch.setenv("FTRACK_SERVER", "https://studio.example")
    monkeypatch.setenv("FTRACK_API_KEY", "the key of the studio")
    monkeypatch.setenv("FTRACK_PROFILE", "production")
    monkeypatch.setenv("FTRACK_EVENT_PLUGIN_PATH", "/studio/plugins")
    pytester.makepyfile(
        """
        import os
        import ftrack_like

        def test_session(ftrack_sandbox):
            with ftrack_like.Session() as session:
                assert session.server_url == ftrack_sandbox.server_url
                assert session.server_url.startswith("http://127.0.0.1:")
            assert "FTRACK_PROFILE" not in os.environ
            assert "FTRACK_EVENT_PLUGIN_PATH" not in os.environ

        def test_afterwards():
            assert os.environ["FTRACK_SERVER"] == "https://studio.example"
            assert os.environ["FTRACK_PROFILE"] == "production"
        """
    )
    run_pytest().assert_outcomes(passed=2)


@has_sandbox
def test_workers_have_their_own_sandboxes(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """Under xdist, each process has a sandbox on its own port."""
    pytest.importorskip("xdist")
    pytester.makepyfile(
        TWO_TESTS
        + """
    import pathlib

    @pytest.mark.parametrize("number", range(6))
    def test_address(ftrack_sandbox, number, worker_id, testrun_uid):
        path = pathlib.Path(__file__).with_name(f"{worker_id}.address")
        known = path.read_text() if path.exists() else ftrack_sandbox.server_url
        assert known == ftrack_sandbox.server_url
        path.write_text(known)
    """
    )
    run_pytest("-n", "2").assert_outcomes(passed=10)
    addresses = [path.read_text() for path in pytester.path.glob("gw*.address")]
    assert len(set(addresses)) == len(addresses)


@has_sandbox
def test_scope_keeps_data(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """With the scope of a class, all tests of the class share session, project and data."""
    pytester.makeini("[pytest]\nftrack_scope = class\n")
    pytester.makepyfile(
        """
        class TestOne:
            def test_create(self, ftrack_session, ftrack_project, ftrack_events):
                ftrack_project.shot("sh010")
                ftrack_events.assert_published("ftrack.update")

            def test_find(self, ftrack_session):
                assert ftrack_session.query("Shot").one()["name"] == "sh010"

        class TestOther:
            def test_none(self, ftrack_session):
                assert len(ftrack_session.query("Shot")) == 0
        """
    )
    run_pytest().assert_outcomes(passed=3)


def test_unknown_scope_is_named(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A scope that pytest does not have is an error with the possible ones, without a traceback."""
    pytester.makeini("[pytest]\nftrack_scope = galaxy\n")
    pytester.makepyfile("def test_it(ftrack_session): pass")
    result = run_pytest()
    assert result.ret != 0
    text = "\n".join([*result.outlines, *result.errlines])
    assert (
        "ftrack_scope must be one of function, class, module, package, session, not 'galaxy'"
        in (text)
    )
    assert "INTERNALERROR" not in text
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_plugin_can_be_switched_off(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """With -p no:ftrack_like there are no fixtures, and other tests run."""
    pytester.makepyfile("def test_a(): pass\ndef test_b(ftrack_session): pass")
    result = run_pytest("-p", "no:ftrack_like")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'ftrack_session' not found*"])


def test_plugin_imports_nothing(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A project that does not use the fixtures gets three small modules, and no client."""
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            brought = {name for name in sys.modules if name.startswith("ftrack_like")}
            assert brought == {
                "ftrack_like", "ftrack_like._version", "ftrack_like.pytest_plugin"
            }
            assert not {"requests", "uvicorn", "sqlalchemy", "unittest.mock"} & set(sys.modules)
        """
    )
    run_pytest("-W", "error").assert_outcomes(passed=1)


def test_plugin_is_quiet(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A run without the fixtures prints what a run without the plugin prints, up to its name."""
    pytester.makepyfile("def test_a(): pass")

    def lines(*arguments: str) -> list[str]:
        result = run_pytest("-W", "error", *arguments)
        dropped = ("plugins:", "===")
        return [line for line in result.outlines if not line.startswith(dropped)]

    assert lines() == lines("-p", "no:ftrack_like")


def test_client_is_not_rewritten(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """pytest imports the client as it is, without rewriting assertions, which takes a second."""
    pytester.makepyfile(
        """
        import ftrack_like.session

        def test_loader():
            assert type(ftrack_like.session.__spec__.loader).__name__ == "SourceFileLoader"
        """
    )
    run_pytest().assert_outcomes(passed=1)


WITHOUT_EXTRA = "import sys\nsys.modules['uvicorn'] = None\n"


def test_without_the_extra(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """Without the extra, other tests run, and a fixture fails with the name of the extra."""
    pytester.makeconftest(WITHOUT_EXTRA)
    pytester.makepyfile("def test_a(): pass\ndef test_b(ftrack_session): pass")
    result = run_pytest("-W", "error")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["The sandbox needs the package 'uvicorn'. Install the extra 'sandbox' of ftrack-like: *"]
    )
    assert "Traceback" not in result.stdout.str()


@has_sandbox
def test_own_fixtures_have_precedence(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A project with a fixture of the same name keeps its own."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def ftrack_session():
            return "ours"

        @pytest.fixture
        def assert_requests():
            return "ours too"
        """
    )
    pytester.makepyfile(
        """
        def test_it(ftrack_session, assert_requests):
            assert (ftrack_session, assert_requests) == ("ours", "ours too")
        """
    )
    run_pytest().assert_outcomes(passed=1)


@has_sandbox
def test_errors_of_listeners_fail_tests(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """An exception of a listener fails the test that caused it, unless the test takes it."""
    pytester.makepyfile(
        """
        import pytest

        def register(session):
            def fail(event):
                raise ValueError("No such shot")
            session.event_hub.subscribe("topic=studio.start", fail)

        @pytest.fixture
        def started(ftrack_events):
            ftrack_events.listen(register)
            ftrack_events.publish("studio.start")

        def test_unseen(started):
            pass

        def test_expected(started, ftrack_events):
            assert len(ftrack_events.take_errors()) == 1

        def test_other_failure(started):
            assert False
        """
    )
    result = run_pytest()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["A listener raised ValueError: No such shot", "Traceback*"])
    result.stdout.fnmatch_lines(["*assert False*", "*Captured ftrack listeners call*", "A list*"])


@has_sandbox
def test_failures_list_requests_and_events(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A failed check prints the requests or the events that there were."""
    pytester.makepyfile(
        """
        def test_requests(ftrack_session, assert_requests):
            with assert_requests(at_most=1):
                ftrack_session.query("select username from User").all()
                ftrack_session.create("User", {"username": "mira"})
                ftrack_session.commit()

        def test_published(ftrack_events, assert_published):
            ftrack_events.publish("studio.rendered", {"shot": "sh010"})
            assert_published("studio.rendered", shot="sh020", timeout=0.1)
        """
    )
    result = run_pytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*2 requests, but at most 1 expected:*",
            "*1. POST /api: query 'select*username*from User*",
            "*2. POST /api: create User*",
            '*studio.rendered with {"shot": "sh020"} was not published within 0.1 s.*',
            '*studio.rendered {"shot": "sh010"}*',
        ]
    )


@has_sandbox
def test_reset_is_fast(sandbox: Sandbox) -> None:
    """A reset takes less than 20 ms, also after a test that wrote a lot.

    The processor's time is measured, because other processes may use the machine.
    """
    sandbox.reset()  # keeps a copy of the data
    taken = []
    for _ in range(10):
        with sandbox.session() as session:
            for number in range(50):
                session.create("User", {"username": f"artist{number}"})
            session.commit()
        begun = time.thread_time()
        sandbox.reset()
        taken.append(time.thread_time() - begun)
    assert min(taken) < 0.02


def test_plugin_is_documented(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """The list of fixtures of pytest describes each of them."""
    result = run_pytest("--fixtures")
    for name in ("ftrack_sandbox", "ftrack_session", "ftrack_events", "ftrack_project"):
        assert any(line.startswith(name) for line in result.outlines), name
    assert "_ftrack_server" not in result.stdout.str()


def test_failed_checks_show_the_lines_of_the_test(
    pytester: pytest.Pytester, run_pytest: Run
) -> None:
    """The report of a failed check has the line of the test and the message, not the kit's code."""
    pytester.makepyfile(
        """
        def test_event(ftrack_events):
            ftrack_events.assert_published("studio.missing", timeout=0.1)

        def test_requests(ftrack_sandbox, ftrack_session):
            with ftrack_sandbox.assert_requests(exactly=3):
                ftrack_session.query("Task").all()
        """
    )
    result = run_pytest()
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert "studio.missing" in text
    assert "exactly 3" in text
    assert "ftrack_like/testing" not in text.replace("\\", "/")
