"""Commit and rollback: once, as a whole, and only what was recorded."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest

from ftrack_like import exception, inspection, operation, symbol
from ftrack_like.session import OperationPayload, Session


@pytest.fixture
def plain(server: Any, open_session: Any) -> Any:
    """Return a session on the canned server, with the requests of its start forgotten."""
    made = open_session(server)
    del server.requests[:]
    return made


@pytest.fixture
def proxied(proxy: Any, sandbox: Any, open_session: Any) -> Any:
    """Return a session on a sandbox behind a proxy that can fail."""
    made = open_session(
        proxy, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
    )
    del proxy.requests[:]
    return made


def names_on(sandbox: Any, prefix: str) -> list[str]:
    """Return the names of the users that begin with *prefix*, as another session sees them."""
    with sandbox.session() as other:
        found = other.query(f'select username from User where username like "{prefix}%"')
        return sorted(user["username"] for user in found)


def make_user(session: Any, name: str) -> Any:
    """Return a new user with the username *name*, not committed yet."""
    return session.create("User", {"username": name, "first_name": "x"})


def test_nothing_recorded_sends_nothing(plain: Any, server: Any) -> None:
    """A commit without changes is no request."""
    plain.commit()
    assert server.requests == []


def test_commit_sends_one_batch(plain: Any, server: Any) -> None:
    """Everything recorded goes in one request, in order and optimised."""
    status = plain.create("Status", {"id": "s", "name": "Done"})
    task = plain.create("Task", {"id": "t", "name": "a"})
    task["name"] = "b"
    task["status"] = status
    plain.delete(plain.create("User", {"id": "u"}))
    plain.commit()
    assert server.batches == [
        [
            {
                "action": "create",
                "entity_type": "Status",
                "entity_key": ["s"],
                "entity_data": {"__entity_type__": "Status", "id": "s", "name": "Done"},
            },
            {
                "action": "create",
                "entity_type": "Task",
                "entity_key": ["t"],
                "entity_data": {
                    "__entity_type__": "Task",
                    "id": "t",
                    "name": "b",
                    "status": {"__entity_type__": "Status", "id": "s"},
                },
            },
        ]
    ]
    assert (task["name"], task["status"]) == ("b", status)
    assert not plain.recorded_operations


def test_plan_can_be_looked_at(plain: Any, server: Any) -> None:
    """What a commit is about to do can be seen without being done."""
    plain.create("Task", {"id": "t", "name": "a"})
    plan = plain._unit_of_work.plan()
    assert str(plan) == "create Task(t): id, name"
    assert [each["action"] for each in plan.payloads] == ["create"]
    assert len(plan.operations) == 1
    assert server.requests == []
    plain.rollback()
    assert str(plain._unit_of_work.plan()) == "nothing to commit"


def test_created_modified_deleted(plain: Any) -> None:
    """The session tells what is created, modified and deleted, until it is committed."""
    old, gone = (
        plain.create("Task", {"id": key, "name": "old"}, reconstructing=True) for key in "12"
    )
    new = plain.create("Task", {"id": "3"})
    new["name"] = "x"
    old["name"] = "new"
    gone["name"] = "y"
    plain.delete(gone)
    assert (plain.created, plain.modified, plain.deleted) == ([new], [old], [gone])
    assert [inspection.state(each) for each in (new, old, gone)] == [
        symbol.CREATED,
        symbol.MODIFIED,
        symbol.DELETED,
    ]
    plain.commit()
    assert (plain.created, plain.modified, plain.deleted) == ([], [], [])


def test_cost_of_a_commit_follows_what_changed(plain: Any, server: Any) -> None:
    """With thousands of entities loaded, a commit looks at those that changed."""
    task = [
        plain.create("Task", {"id": str(number), "name": "a"}, reconstructing=True)
        for number in range(2000)
    ][7]
    task["name"] = "b"
    seen = []
    with mock.patch.object(
        type(task), "forget_local_values", autospec=True, side_effect=seen.append
    ):
        plain.commit()
        assert plain.modified == []
    assert seen == [task]


def test_answer_is_merged_by_what_it_carries(plain: Any, server: Any) -> None:
    """What the server adds on its own is known afterwards."""
    server.answer = lambda batch: [
        {
            "action": "create",
            "data": {
                "__entity_type__": "Task",
                "id": "t",
                "name": "given by the server",
                "status": {"__entity_type__": "Status", "id": "s", "name": "Open"},
            },
        }
    ]
    task = plain.create("Task", {"id": "t", "name": "mine"})
    plain.commit()
    with plain.auto_populating(False):
        assert task["name"] == "given by the server"
        assert task["status"]["name"] == "Open"


def test_refused_batch_stays_recorded(session: Any) -> None:
    """What the server refuses stays recorded, can be corrected and committed again."""
    first = session.create("Group", {"name": "crew"})
    second = session.create("Folder", {"name": "no parent"})
    with pytest.raises(exception.ServerValidationError) as caught:
        session.commit()
    assert "'no parent'" in str(caught.value)
    assert session.created == [first, second]
    assert session.query('Group where name is "crew"').first() is None
    session.delete(second)
    session.commit()
    assert session.query('Group where name is "crew"').one() is first


def test_failing_operation_is_named_at_the_end_of_a_batch(session: Any) -> None:
    """The error names the operation that failed, and its place, though its text names no id."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    for name in ("one", "two", "three", "TWO", "four"):
        session.create("Folder", {"name": name, "parent": project})
    with pytest.raises(exception.ServerNotUniqueError) as caught:
        session.commit()
    assert caught.value.operation == 4
    assert "The failing operation: create Folder 'TWO' (" in str(caught.value)


@pytest.mark.parametrize("place", [7, -1, True, "0", None])
def test_place_beyond_the_batch_names_nothing(plain: Any, server: Any, place: Any) -> None:
    """A server that says nonsense about the failing operation is not believed."""
    for name in ("one", "two"):
        plain.create("Task", {"name": name})
    fault = {"exception": "ValidationError", "content": "no", "error_code": None}
    server.next_answers = [{**fault, "operation": place}, {**fault, "operation": 1}]
    with pytest.raises(exception.ServerValidationError) as caught:
        plain.commit()
    assert "failing operation" not in str(caught.value)
    with pytest.raises(exception.ServerValidationError, match="operation: create Task 'two'"):
        plain.commit()


@pytest.mark.parametrize(
    "answer", [[], [None], [{}], [{"data": None}], {}, None, [{"data": False}]]
)
def test_wrong_answers_keep_the_operations(plain: Any, server: Any, answer: Any) -> None:
    """An answer that confirms nothing is an error, and nothing is forgotten."""
    server.answer = lambda batch: answer
    task = plain.create("Task", {"name": "a"})
    with pytest.raises(exception.ServerAnswerError):
        plain.commit()
    assert plain.created == [task]
    assert task["name"] == "a"


@pytest.mark.parametrize(
    "answer", [[], [None], mock.Mock(), mock.MagicMock(), None, [{"action": "create"}]]
)
def test_replaced_call_may_answer_anything(
    plain: Any, server: Any, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """A test that replaces ``call`` gets the batch, and its answer is accepted."""
    call = mock.Mock(return_value=answer)
    task = plain.create("Task", {"id": "t", "name": "a"})
    monkeypatch.setattr(plain, "call", call)
    plain.commit()
    assert call.call_args == mock.call(
        [
            {
                "action": "create",
                "entity_type": "Task",
                "entity_key": ["t"],
                "entity_data": {"__entity_type__": "Task", "id": "t", "name": "a"},
            }
        ]
    )
    payload = call.call_args[0][0][0]
    assert isinstance(payload, OperationPayload)
    assert not plain.recorded_operations
    assert task["id"] == "t"


def test_replaced_call_may_answer_entities(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with entities in it is merged."""
    task = plain.create("Task", {"id": "t", "name": "a"})
    echo = plain._create("Task", {"id": "t", "name": "echo"}, reconstructing=True)
    monkeypatch.setattr(plain, "call", lambda batch: [{"action": "create", "data": echo}])
    plain.commit()
    assert task["name"] == "echo"


def test_session_with_its_own_merge_is_asked(server: Any) -> None:
    """A subclass that overrides ``merge`` sees the entities of a commit's answer."""
    merged = []

    class Merging(Session):
        """A session that notes what it merges."""

        def merge(self, value: Any, *others: Any) -> Any:
            merged.append(value)
            return super().merge(value, *others)

    with Merging(server.url, "secret-key-1", "jane", schema_cache_path=False) as session:
        task = session.create("Task", {"id": "t"})
        del merged[:]
        session.commit()
        assert merged[0] == task


def test_operations_of_other_threads_survive(plain: Any, server: Any, replies: Any) -> None:
    """What another thread records while a commit waits for the server is not lost."""
    task = plain.create("Task", {"id": "1", "name": "a"}, reconstructing=True)
    task["name"] = "b"

    def answer(batch: Any) -> Any:
        if len(server.requests) == 1:
            task["name"] = "meanwhile"
            plain.create("Task", {"id": "2", "name": "new"})
        return replies.plain_answer(batch)

    server.answer = answer
    plain.commit()
    assert task["name"] == "meanwhile"
    assert len(plain.recorded_operations) == 2
    assert [each["id"] for each in plain.created] == ["2"]
    plain.commit()
    sent = [(each["action"], each["entity_key"][0]) for each in server.batches[1]]
    assert sent == [("update", "1"), ("create", "2")]
    assert task["name"] == "meanwhile"


def test_sixteen_threads_create_and_commit(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """480 entities of 16 threads all arrive, each operation is sent once, without an error."""
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for index in range(30):
                name = f"many-{number}-{index}"
                make_user(proxied, name)
                if index % 10 == 9:
                    proxied.commit()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not proxied.recorded_operations
    assert len(names_on(sandbox, "many-")) == 480
    created = [
        each["entity_key"][0]
        for batch in proxy.batches
        for each in batch
        if each["action"] == "create"
    ]
    assert len(created) == len(set(created)) == 480


# Exactly once


def test_lost_answer_to_creations(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """When the answer is lost after the batch was carried out, it is not carried out again."""
    users = [make_user(proxied, f"once-{letter}") for letter in "ab"]
    users[0]["metadata"]["key"] = "value"
    proxy.next_answers = ["lose"]
    proxied.commit()
    assert names_on(sandbox, "once-") == ["once-a", "once-b"]
    assert not proxied.recorded_operations
    assert sum(any(each["action"] == "create" for each in batch) for batch in proxy.batches) == 1
    assert [each["username"] for each in users] == ["once-a", "once-b"]
    assert users[0]["metadata"]["key"] == "value"
    users[0]["first_name"] = "y"
    proxied.commit()


def test_batch_that_never_arrived_is_sent_again(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any
) -> None:
    """When the connection broke before the server saw the batch, it is sent once more."""
    make_user(proxied, "again-a")
    proxy.next_answers = [replies.RESET]
    proxied.commit()
    assert names_on(sandbox, "again-") == ["again-a"]
    assert [batch[0]["action"] for batch in proxy.batches] == ["create", "query", "create"]


def test_lost_answer_to_deletions(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """A deletion whose answer is lost is done once, and the entity is gone here too."""
    user = make_user(proxied, "gone-a")
    proxied.commit()
    del proxy.requests[:]
    proxied.delete(user)
    proxy.next_answers = ["lose"]
    proxied.commit()
    assert names_on(sandbox, "gone-") == []
    assert [batch[0]["action"] for batch in proxy.batches] == ["delete", "query"]
    assert proxied.get("User", user["id"]) is None


def test_lost_answer_to_updates(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """Updates do the same twice: they are simply sent again."""
    user = make_user(proxied, "twice-a")
    proxied.commit()
    del proxy.requests[:]
    user["first_name"] = "y"
    proxy.next_answers = ["lose"]
    proxied.commit()
    assert [batch[0]["action"] for batch in proxy.batches] == ["update", "update"]
    assert user["first_name"] == "y"
    assert not proxied.recorded_operations


def test_second_commit_after_an_outage(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any
) -> None:
    """When nobody could be asked what became of a batch, the next commit asks before it sends."""
    user = make_user(proxied, "late-a")
    proxy.next_answers = ["lose"] + [replies.RESET] * 9
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    assert proxied.created == [user]
    user["first_name"] = "y"
    make_user(proxied, "late-b")
    del proxy.requests[:]
    proxied.commit()
    assert names_on(sandbox, "late-") == ["late-a", "late-b"]
    assert not proxied.recorded_operations
    sent = [[each["action"] for each in batch] for batch in proxy.batches]
    assert sent == [["query"], ["update", "create"]]
    assert user["first_name"] == "y"
    with sandbox.session() as other:
        assert other.get("User", user["id"])["first_name"] == "y"


def test_second_commit_of_what_never_arrived(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any
) -> None:
    """What the server did not carry out is sent by the next commit."""
    make_user(proxied, "never-a")
    proxy.next_answers = [replies.RESET] * 10
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    assert names_on(sandbox, "never-") == []
    proxied.commit()
    assert names_on(sandbox, "never-") == ["never-a"]


def test_change_of_mind_after_an_outage(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any
) -> None:
    """Who deletes what may have arrived leaves nothing on the server."""
    user = make_user(proxied, "mind-a")
    proxy.next_answers = ["lose"] + [replies.RESET] * 9
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    proxied.delete(user)
    proxied.commit()
    assert names_on(sandbox, "mind-") == []


@pytest.mark.parametrize("take_back", ["rollback", "reset"])
def test_what_is_taken_back_is_in_doubt_no_more(
    proxied: Any, proxy: Any, replies: Any, take_back: str
) -> None:
    """After a rollback or a reset nobody asks what became of a batch."""
    make_user(proxied, f"doubt-{take_back}")
    proxy.next_answers = ["lose"] + [replies.RESET] * 9
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    getattr(proxied, take_back)()
    del proxy.requests[:]
    proxied.commit()
    assert proxy.batches == []


def test_interrupted_commit_is_not_carried_out_twice(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the answer is on its way leaves a session that can commit again."""
    post = proxied._request.post

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        post(*arguments, **keywords)
        raise KeyboardInterrupt

    make_user(proxied, "stop-a")
    with monkeypatch.context() as patch:
        patch.setattr(proxied._request, "post", interrupted)
        with pytest.raises(KeyboardInterrupt):
            proxied.commit()
    proxied.commit()
    assert names_on(sandbox, "stop-") == ["stop-a"]
    assert not proxied.recorded_operations


@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_once_whatever_the_network_does(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any, seed: int
) -> None:
    """With four in five answers lost, commits that are repeated until they succeed lose nothing."""
    faults = ["lose", "lose", replies.RESET, replies.Reply(b"busy", status=503), None]
    proxy.next_answers = random.Random(seed).choices(faults, k=10_000)

    def persist() -> None:
        while True:
            try:
                return proxied.commit()
            except exception.ServerConnectionError:
                continue

    def work(thread: int) -> None:
        for number in range(8):
            user = make_user(proxied, f"storm-{seed}-{thread}-{number}")
            user["first_name"] = "x"
            persist()
            if number % 4 == 3:
                proxied.delete(user)
                persist()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert len(proxy.next_answers) > 1000  # else the end was a calm one
    assert not proxied.recorded_operations
    with sandbox.session() as other:
        found = other.query(f'select first_name from User where username like "storm-{seed}-%"')
        assert [each["first_name"] for each in found] == ["x"] * 18


@pytest.mark.parametrize(
    "body",
    [
        b"<title>Bad gateway</title>",
        {"exception": "ServiceUnavailableError", "content": "busy", "error_code": None},
    ],
    ids=["page", "error report"],
)
@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_gateway_that_gives_up_on_a_commit(
    proxied: Any, proxy: Any, sandbox: Any, replies: Any, applied: bool, status: int, body: Any
) -> None:
    """An answer of a gateway does not say whether the batch was applied: the client asks."""
    make_user(proxied, "gate-a")
    gateway = replies.Reply(body, status=status)
    pass_on = proxy._pass_on

    def pass_on_once(*arguments: Any) -> Any:
        proxy._pass_on = pass_on
        if applied:
            pass_on(*arguments)
        return gateway

    proxy._pass_on = pass_on_once
    proxied.commit()
    assert names_on(sandbox, "gate-") == ["gate-a"]


def test_server_that_stays_away_keeps_the_operations(plain: Any, server: Any, replies: Any) -> None:
    """When nothing helps, the error is that of the connection, and everything stays recorded."""
    task = plain.create("Task", {"name": "a"})
    server.answer = lambda batch: (
        replies.RESET if batch[0]["action"] == "create" else replies.plain_answer(batch)
    )
    with pytest.raises(exception.ServerConnectionError):
        plain.commit()
    assert plain.created == [task]
    sent = [batch for batch in server.actions if "create" in batch]
    assert 1 < len(sent) < 10


def test_refusal_of_a_repetition_is_believed_only_if_nothing_is_there(
    plain: Any, server: Any, replies: Any
) -> None:
    """A repetition that is refused, since the first one arrived after all, is a success."""
    there = [False]

    def answer(batch: Any) -> Any:
        if batch[0]["action"] == "query":
            data = [{"__entity_type__": "Task", "id": "t"}] if there[0] else []
            return [{"action": "query", "data": data, "metadata": {"next": {"offset": None}}}]
        if not server.next_answers and len([b for b in server.actions if "create" in b]) == 1:
            return replies.RESET
        there[0] = True  # The first one arrives late, between question and repetition.
        return {"exception": "IntegrityError", "content": "duplicate key", "error_code": None}

    server.answer = answer
    task = plain.create("Task", {"id": "t", "name": "a"})
    plain.commit()
    assert not plain.recorded_operations
    assert task["name"] == "a"


# Taking back


def test_rollback_restores_what_the_server_holds(plain: Any, server: Any) -> None:
    """After a rollback, values are as loaded, and nothing is recorded."""
    task = plain.create("Task", {"id": "1", "name": "old"}, reconstructing=True)
    task["name"] = "new"
    plain.delete(task)
    new = plain.create("Task", {"id": "2", "name": "x"})
    plain.rollback()
    assert task["name"] == "old"
    assert not plain.recorded_operations
    assert (plain.created, plain.modified, plain.deleted) == ([], [], [])
    assert new["id"] == "2"
    assert str(("Task", ["2"])) not in plain.cache.keys()
    assert server.requests == []


def test_rollback_after_refusal_lets_work_go_on(session: Any) -> None:
    """After a refused commit and a rollback, the session commits other things."""
    session.create("Folder", {"name": "no parent"})
    with pytest.raises(exception.ServerError):
        session.commit()
    session.rollback()
    make_user(session, "fine")
    session.commit()
    assert session.query('User where username is "fine"').one()


def test_deleted_entity_is_gone_after_the_commit(session: Any) -> None:
    """``get`` gives None once a deletion is committed, and queries do not find it."""
    user = make_user(session, "short-lived")
    session.commit()
    session.delete(user)
    assert session.get("User", user["id"]) is user
    session.commit()
    assert session.get("User", user["id"]) is None
    assert session.query('User where username is "short-lived"').first() is None


def test_recorded_operations_can_be_replaced(plain: Any, server: Any) -> None:
    """Another stack of operations may be set, and is what is committed."""
    own = operation.Operations()
    plain.recorded_operations = own
    plain.create("Task", {"id": "t"})
    assert len(own) == 1
    plain.commit()
    assert len(own) == 0
    assert server.actions == [["create"]]


def test_delete_is_not_recorded_when_told_so(plain: Any) -> None:
    """Without recording, nothing is to be committed."""
    task = plain.create("Task", {"id": "t"}, reconstructing=True)
    with plain.operation_recording(False):
        plain.delete(task)
        plain.create("Task", {"id": "u"})
    assert not plain.recorded_operations


def test_refused_operation_is_named_in_later_commits(session: Session) -> None:
    """A later commit that fails because of an earlier refused operation says that it stayed."""
    schema = session.query("ProjectSchema").first()
    values = {"name": "twice", "full_name": "twice", "project_schema": schema}
    session.create("Project", values)
    session.commit()
    second = session.create("Project", values)
    with pytest.raises(exception.NotUniqueError) as refused:
        session.commit()
    assert "still pending" not in str(refused.value)
    session.create("User", {"username": "mira"})
    with pytest.raises(exception.NotUniqueError, match=r"still pending .* session\.rollback\(\)"):
        session.commit()
    second["name"] = "other"
    session.commit()
    session.create("User", {"username": "mira"})
    with pytest.raises(exception.ServerError) as refused:
        session.commit()
    assert "still pending" not in str(refused.value)
    session.rollback()
