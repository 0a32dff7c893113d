"""Jobs do what the server was asked for, with the rights of who asked; nobody rewrites them.

On SQLite and, where ``FTRACK_LIKE_TEST_POSTGRES_URL`` names a server, on PostgreSQL.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("av", reason="the extra 'media' is not installed")

from tests.media.samples import movie_data

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

#: A program that acts as ffmpeg: its output is a copy of its input. While the file ``closed``
#: stands beside it, it waits.
FFMPEG = """\
#!{python}
import os, pathlib, sys, time
folder = pathlib.Path(__file__).parent
with open(folder / "calls", "a") as calls:
    print(*sys.argv[1:], file=calls)
while (folder / "closed").exists():
    time.sleep(0.01)
source = sys.argv[sys.argv.index("-i") + 1].replace("%06d", "000000").replace("file:", "")
pathlib.Path(sys.argv[-1]).write_bytes(pathlib.Path(source).read_bytes())
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(None, id="sqlite")]
    + ([pytest.param(POSTGRESQL, id="postgresql")] if POSTGRESQL else []),
)
def running_sandbox(request: Any, sandbox_on: Any) -> Any:
    """Return a sandbox on each database."""
    with sandbox_on(request.param) as running:
        yield running


class FakeFfmpeg:
    """The program in *folder* that stands in for ffmpeg."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.path = folder / "ffmpeg"
        self.path.write_text(FFMPEG.format(python=sys.executable), "utf-8")
        self.path.chmod(0o755)

    def close(self) -> None:
        """Let everything that is encoded from now on wait."""
        (self.folder / "closed").touch()

    def open(self) -> None:
        """Let it go on."""
        (self.folder / "closed").unlink(missing_ok=True)

    @property
    def calls(self) -> list[str]:
        """Return the arguments of all calls."""
        path = self.folder / "calls"
        return path.read_text("utf-8").splitlines() if path.exists() else []


@pytest.fixture
def ffmpeg(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFfmpeg]:
    """Return a program that stands in for ffmpeg, open."""
    folder = tmp_path / "program"
    folder.mkdir()
    made = FakeFfmpeg(folder)
    monkeypatch.setenv("FTRACK_FFMPEG", str(made.path))
    yield made
    made.open()


def log_in(api: Any, sandbox: Any, username: str, role: Optional[str], *projects: str) -> Any:
    """Return the bare API of a new user with *role*, for all open projects or for *projects*."""
    user_id = api.create("User", username=username, email=f"{username}@example.com")
    if role is not None:
        role_id = api.one(f'select id from SecurityRole where name is "{role}"')["id"]
        named = {"user_id": user_id, "role_id": role_id}
        api.call({"action": "add_user_security_role", **named})
        for project in projects:
            grant = {"action": "grant_user_security_role_project", "project_id": project}
            api.call({**grant, **named})
    (answer,) = api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user_id,
        }
    )
    other = type(api)(sandbox)
    other.http.headers.update(
        {"ftrack-user": username, "ftrack-api-key": answer["data"]["api_key"]}
    )
    other.user_id = user_id
    return other


class Studio:
    """An open and a private project with a version each, and what is needed to encode."""

    def __init__(self, api: Any) -> None:
        self.api = api
        schema = api.query("select id from ProjectSchema order by name")[0]["id"]
        make = api.create
        self.open = make("Project", name="open", project_schema_id=schema)
        self.private = make("Project", name="private", project_schema_id=schema, is_private=True)
        self.version = self._version(self.open)
        self.private_version = self._version(self.private)
        self.secret = self.upload(api, b"secret", version_id=self.private_version)

    def _version(self, project: str) -> str:
        asset = self.api.create("Asset", name="plate", context_id=project)
        return str(self.api.create("AssetVersion", asset_id=asset))

    def upload(self, api: Any, data: bytes, **more: Any) -> str:
        """Return the id of a new movie that contains *data*, made by the user of *api*."""
        values = {"name": "main", "file_type": ".mov", **more}
        component = api.create(values.pop("entity_type", "FileComponent"), **values)
        self.send(api, component, movie_data(data))
        return str(component)

    def send(self, api: Any, component: str, data: bytes) -> None:
        """Upload *data* of a component."""
        asked = {"action": "get_upload_metadata", "component_id": component}
        (where,) = api.call({**asked, "file_name": "x", "file_size": len(data)})
        api.http.put(where["url"], data=data, headers=where["headers"], timeout=60)

    def read(self, component: str) -> bytes:
        """Return the data of a component, as the administrator reads it."""
        address = f"{self.api.url}/component/get?id={component}"
        return bytes(self.api.http.get(address, timeout=60).content)

    def exists(self, component: str) -> bool:
        """Return whether a component is there."""
        return bool(self.api.query(f'select id from Component where id is "{component}"'))


@pytest.fixture
def studio(api: Any) -> Studio:
    """Return two projects on a fresh sandbox."""
    return Studio(api)


def encode(api: Any, component: str, version: Optional[str], **more: Any) -> str:
    """Return the id of a new job that encodes *component*."""
    asked = {"action": "encode_media", "component_id": component, "version_id": version}
    return str(api.call({**asked, **more})[0]["job_id"])


def status_of(api: Any, job: str) -> str:
    """Return the status of *job*."""
    return str(api.one(f"select status from Job where id is {job}")["status"])


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what *condition* answers as soon as that is true."""
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end, "the condition never came true"
        threading.Event().wait(0.02)
    return found


def ended(api: Any, job: str) -> dict[str, Any]:
    """Return the record of *job* once it has ended, its data decoded."""

    def found() -> Any:
        one = api.one(f"select status, data from Job where id is {job}")
        return one if one["status"] in {"done", "failed"} else None

    record = wait_for(found)
    return {**record, "data": json.loads(record["data"])}


def forged(studio: Studio, **more: Any) -> str:
    """Return the data of a job that reads and removes what is private, and leaves the folder."""
    output = {"name": "thumbnail", "format": "video/mp4", "component_id": "../../../../escaped"}
    data = {
        "description": "Encoding media",
        "source_component_id": studio.secret,
        "keep_original": False,
        "version_id": studio.private_version,
        "progress": 0.0,
        "output": [output],
    }
    return json.dumps({**data, **more})


@pytest.fixture
def started(api: Any, tmp_path: pathlib.Path) -> Iterator[Callable[[], Any]]:
    """Return what starts a sandbox on a folder, or starts it again, and returns its API."""
    from ftrack_like.testing import Sandbox

    with contextlib.ExitStack() as running:

        def start() -> Any:
            running.close()
            sandbox = running.enter_context(Sandbox(tmp_path / "data"))
            found = type(api)(sandbox)
            running.callback(found.http.close)
            return found, sandbox

        yield start


@pytest.mark.parametrize("role", ["User", "Restricted user", None])
def test_a_job_that_a_user_made_is_never_done(started, ffmpeg, tmp_path, role):
    """The server does what its own table says; a job that only an entity describes it ends."""
    api, sandbox = started()
    studio = Studio(api)
    mallory = log_in(api, sandbox, "mallory", role, *([studio.open] if role else []))
    values = {"type": "encode_media", "status": "queued", "data": forged(studio)}
    job = mallory.create("Job", **values)
    studio.api, _ = started()
    record = ended(studio.api, job)
    assert record["status"] == "failed"
    assert studio.exists(studio.secret)
    assert studio.read(studio.secret) == movie_data(b"secret")
    assert ffmpeg.calls == []
    assert list(tmp_path.glob("**/escaped*")) == []
    assert "Request the encoding again" in record["data"]["error"]


def test_what_a_job_does_cannot_be_rewritten(api, sandbox, studio, ffmpeg):
    """Changing data, user and status of a waiting job changes nothing of what the server does."""
    mallory = log_in(api, sandbox, "mallory", "User", studio.open)
    own = studio.upload(mallory, b"own", version_id=studio.version)
    ffmpeg.close()
    before = encode(api, studio.upload(api, b"first"), None)
    wait_for(lambda: ffmpeg.calls)
    job = encode(mallory, own, studio.version)
    outputs = json.loads(api.one(f"select data from Job where id is {job}")["data"])["output"]
    mallory.update("Job", job, data=forged(studio), status="running")
    ffmpeg.open()
    assert ended(api, before)["status"] == "done"
    record = ended(api, job)
    assert (record["status"], record["data"]["output"]) == ("done", outputs)
    assert studio.read(outputs[0]["component_id"]) == movie_data(b"own")
    assert studio.exists(own)
    assert studio.read(studio.secret) == movie_data(b"secret")


def test_a_job_that_is_done_is_not_done_again(started, ffmpeg):
    """Setting a finished job back to queued makes no later start encode and delete once more."""
    api, sandbox = started()
    studio = Studio(api)
    mallory = log_in(api, sandbox, "mallory", "User", studio.open)
    own = studio.upload(mallory, b"own", version_id=studio.version)
    job = encode(mallory, own, studio.version)
    assert ended(api, job)["status"] == "done"
    calls = len(ffmpeg.calls)
    mallory.update("Job", job, status="queued", data=forged(studio))
    studio.api, _ = started()
    assert ended(studio.api, job)["status"] == "failed"
    assert len(ffmpeg.calls) == calls
    assert studio.exists(own)
    assert studio.read(studio.secret) == movie_data(b"secret")


def _deactivate(studio: Studio, mallory: Any, own: str) -> None:
    studio.api.update("User", mallory.user_id, is_active=False)


def _revoke(studio: Studio, mallory: Any, own: str) -> None:
    role = studio.api.one('select id from SecurityRole where name is "User"')["id"]
    named = {"user_id": mallory.user_id, "role_id": role}
    studio.api.call({"action": "remove_user_security_role", **named})


def _move(studio: Studio, mallory: Any, own: str) -> None:
    studio.api.update("FileComponent", own, version_id=studio.private_version)


def _make_private(studio: Studio, mallory: Any, own: str) -> None:
    studio.api.update("Project", studio.open, is_private=True)


@pytest.mark.parametrize(
    ("projects", "change"),
    [
        (True, _deactivate),
        (True, _revoke),
        (True, _move),
        (False, _make_private),
    ],
    ids=["deactivated", "role removed", "source moved", "project made private"],
)
def test_rights_are_those_when_the_job_runs(api, sandbox, studio, ffmpeg, projects, change):
    """A user who lost the right to the source while the job waited gets nothing encoded."""
    mallory = log_in(api, sandbox, "mallory", "User", *([studio.open] if projects else []))
    own = studio.upload(mallory, b"own", version_id=studio.version)
    ffmpeg.close()
    first = encode(api, studio.upload(api, b"first"), None)
    wait_for(lambda: ffmpeg.calls)
    job = encode(mallory, own, studio.version, keep_original=False)
    change(studio, mallory, own)
    ffmpeg.open()
    assert ended(api, first)["status"] == "done"
    record = ended(api, job)
    assert record["status"] == "failed"
    assert record["data"]["error"]
    assert studio.exists(own)
    assert studio.read(own) == movie_data(b"own")
    made = record["data"]["output"][0]["component_id"]
    assert studio.read(made) != movie_data(b"own")


@pytest.mark.parametrize(
    "file_type",
    [
        "/../../../../../../{folder}/escaped",
        ".png/../../{folder}/escaped",
        ".m3u8",
        ".ffconcat",
        ".txt",
        "%d.png",
        "\n.png",
        "",
        ".svg",
    ],
)
def test_a_file_type_is_no_path(api, studio, ffmpeg, tmp_path, file_type):
    """The frames of a sequence are linked by a file type only where that is one of an image."""
    outside = tmp_path / "outside"
    outside.mkdir()
    sequence = api.create("SequenceComponent", name="plate", file_type=".png", padding=4)
    named = file_type.format(folder=str(outside).lstrip("/"))
    studio.upload(api, b"frame", name="1", file_type=named, container_id=sequence)
    record = ended(api, encode(api, sequence, None))
    assert record["status"] == "failed"
    assert "cannot be encoded" in record["data"]["error"]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("id_", ["../../../../etc/hostname", "..", "a/b", "x" * 300, "%2e%2e"])
def test_an_id_that_is_no_name_becomes_no_path(api, studio, ffmpeg, id_):
    """A component may have any text as its id; none of them leads out of the folder."""
    sequence = api.create("SequenceComponent", name="plate", file_type=".png", padding=4)
    id_ = f"{id_}{uuid.uuid4().hex[:4]}" if id_ == "a/b" else id_
    api.call(
        api.make("FileComponent", [id_], id=id_, name="1", file_type=".png", container_id=sequence)
    )
    record = ended(api, encode(api, sequence, None, keep_original=False))
    assert record["status"] == "failed"
    assert "no data" in record["data"]["error"]
    with pytest.raises(api.Error) as caught:
        encode(api, id_, None)
    assert caught.value.status == 400


@pytest.mark.parametrize("version", [5, ["x"], {"a": 1}, True, 1.5])
def test_an_odd_version_is_refused(api, studio, version):
    """Something that is no id is refused as the version of an encoding, before there is a job."""
    component = studio.upload(api, b"x")
    with pytest.raises(api.Error) as caught:
        encode(api, component, version)
    assert caught.value.status == 400
    assert api.query("Job") == []


@pytest.mark.parametrize("error", [RuntimeError("broken"), ValueError("x"), MemoryError()])
def test_no_fault_leaves_a_job_running(api, studio, ffmpeg, monkeypatch, error, caplog):
    """A fault of the server ends the job and tells nothing of the fault; the next job is done."""
    from ftrack_like.sandbox.media.tools import MediaTools

    def fail(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MediaTools, "read", fail)
        record = ended(api, encode(api, studio.upload(api, b"x"), None))
    assert record["status"] == "failed"
    assert record["data"]["error"] == "The server failed; its log contains the reason."
    assert ended(api, encode(api, studio.upload(api, b"y"), None))["status"] == "done"


def test_a_job_that_was_removed_is_dropped(api, sandbox, studio, ffmpeg):
    """Deleting a job that waits is the end of it and of its upload; the next one has its turn."""
    ffmpeg.close()
    first = encode(api, studio.upload(api, b"first"), None)
    wait_for(lambda: ffmpeg.calls)
    source = studio.upload(api, b"x")
    job = encode(api, source, None, keep_original=False)
    for link in api.query(f"select component_id from JobComponent where job_id is {job}"):
        api.delete("JobComponent", link["component_id"], job)
    api.delete("Job", job)
    last = encode(api, studio.upload(api, b"last"), None)
    ffmpeg.open()
    assert [ended(api, one)["status"] for one in (first, last)] == ["done", "done"]
    # Jobs of the same second have no order, so the removed one may come after the last.
    wait_for(lambda: not studio.exists(source))


# What else clients write and the server acts on

RUBBISH = [
    "[" * 100_000,
    '{"scenario":' * 5_000,
    "NaN",
    '{"scenario": "x", "data": NaN}',
    '{"scenario": "x", "data": [1e999]}',
    '{"scenario": 5, "data": {}}',
    '"text"',
    "[]",
    "5",
    "{",
    "",
]


@pytest.mark.parametrize("text", RUBBISH)
def test_no_setting_keeps_clients_from_starting(api, text):
    """A storage scenario that is none is none: the server information is answered all the same."""
    api.update("Setting", ["storage_scenario", "STORAGE"], value=text)
    (answer,) = api.call({"action": "query_server_information"})
    assert answer["storage_scenario"] is None


@pytest.mark.parametrize("text", ["[" * 100_000, "[NaN]", "[1e999]", "[", '["a"]'])
def test_no_custom_attribute_breaks_a_query(api, studio, text):
    """A choice that looks like a list is answered as the text it is, in a list of its own."""
    type_id = api.one('CustomAttributeType where name is "dynamic enumerator"')["id"]
    words = {"key": "any", "label": "Any", "entity_type": "show", "type_id": type_id}
    key = api.create("CustomAttributeConfiguration", **words)
    api.update("ContextCustomAttributeValue", [key, studio.open], value=text)
    record = api.one(f"select custom_attributes.value from Project where id is {studio.open}")
    assert [text] in [one["value"] for one in record["custom_attributes"]]


def test_a_number_that_is_not_finite_is_refused(api, studio):
    """JSON has no infinite numbers; one that is written as 1e999 is refused like them."""
    body = (
        '[{"action": "create", "entity_type": "Timelog", "entity_key": ["t"], "entity_data":'
        f' {{"id": "t", "context_id": "{studio.open}", "duration": 1e999}}}}]'
    )
    answer = api.http.post(f"{api.url}/api", data=body, timeout=30)
    assert answer.status_code == 400
    assert "1e999" in answer.json()["content"]


def test_mail_that_cannot_be_kept_does_not_undo_what_is_committed(api, sandbox, monkeypatch):
    """What fails after a commit is logged: the answer tells of the commit, which is not undone."""

    def fail(message: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(sandbox._api.outbox, "send", fail)
    user = api.create("User", username="mira", email="mira@example.com")
    answer = api.call({"action": "send_user_invite", "user_id": user})
    assert answer == [{"action": "send_user_invite", "data": True}]
