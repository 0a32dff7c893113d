"""Two sessions that change the same lists at once, over connections that lose answers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrack_like import exception

#: How many commits each session makes.
ROUNDS = 8


class LossyProxies:
    """Proxies in front of one sandbox that lose or refuse about an eighth of the answers."""

    def __init__(self, kind: Any, reset: Any, url: str) -> None:
        self.lost = 0
        self.passed = 0
        self._kind, self._reset, self._url = kind, reset, url
        self._made: list[Any] = []

    def add(self, seed: int) -> Any:
        """Return a new proxy, whose faults begin when its attribute ``is_lossy`` is set."""
        made = self._kind(self._url)
        generator = random.Random(seed)
        passed_on = made._pass_on
        made.is_lossy = False

        def pass_on(*arguments: Any) -> Any:
            chance = generator.random() if made.is_lossy else 1
            answer = self._reset if chance < 0.03 else passed_on(*arguments)
            self.lost += chance < 0.15
            self.passed += made.is_lossy
            return self._reset if chance < 0.15 else answer

        made._pass_on = pass_on
        self._made.append(made)
        return made

    def close(self) -> None:
        """Stop all proxies."""
        for each in self._made:
            each.close()


@pytest.fixture
def lossy(sandbox: Any, proxy: Any, replies: Any) -> Iterator[LossyProxies]:
    """Return a maker of proxies that lose answers."""
    made = LossyProxies(type(proxy), replies.RESET, sandbox.server_url)
    yield made
    made.close()


@pytest.fixture
def project(plain: Any) -> Any:
    """Return a new project."""
    schema = plain.query("ProjectSchema").first()
    made = plain.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    plain.commit()
    return made


@pytest.fixture
def plain(sandbox: Any) -> Iterator[Any]:
    """Return a session whose connection does not fail."""
    with sandbox.session() as opened:
        yield opened


def tasks(session: Any, project: Any, count: int) -> list[Any]:
    """Return new tasks."""
    return [session.create("Task", {"name": f"t{n}", "parent": project}) for n in range(count)]


def versions(session: Any, project: Any, count: int) -> list[Any]:
    """Return new versions of one asset."""
    asset = session.create("Asset", {"name": "a", "parent": project})
    return [session.create("AssetVersion", {"asset": asset}) for _ in range(count)]


def new_list(session: Any, project: Any) -> Any:
    """Return a new list of contexts."""
    category = session.query("ListCategory").first()
    data = {"name": "l", "project": project, "category": category}
    return session.create("TypedContextList", data)


def lists(session: Any, project: Any, count: int) -> list[Any]:
    """Return new lists of contexts."""
    return [new_list(session, project) for _ in range(count)]


def memberships(session: Any, project: Any, count: int) -> list[Any]:
    """Return new memberships of new users."""
    old = session.create("Group", {"name": "old"})
    people = [session.create("User", {"username": f"u{n}"}) for n in range(count)]
    return [session.create("Membership", {"group": old, "user": each}) for each in people]


KINDS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any, int], list[Any]]]] = {
    "items": (new_list, tasks),
    "lists": (lambda session, project: tasks(session, project, 1)[0], lists),
    "uses_versions": (lambda session, project: versions(session, project, 1)[0], versions),
    "used_in_versions": (lambda session, project: versions(session, project, 1)[0], versions),
    "memberships": (lambda session, project: session.create("Group", {"name": "g"}), memberships),
}


def settled(session: Any) -> None:
    """Commit until the server has answered."""
    while True:
        try:
            session.commit()
        except exception.ServerConnectionError:
            continue
        if not session.in_doubt:
            return


def change(session: Any, owner: tuple[str, str], name: str, draw: random.Random, own: Any) -> None:
    """Append the members *own* of the session to the list and remove some, commit by commit.

    The ids of the members that must be there at the end stay in *own*.
    """
    entity = session.get(*owner)
    kept, held, waiting = own["kept"], own["held"], own["waiting"]
    for _ in range(ROUNDS):
        if draw.random() < 0.3:
            session.populate(entity, name)
        for _ in range(draw.randint(1, 2)):
            item = session.get(own["type"], waiting.pop())
            entity[name].append(item)
            kept.append(item["id"])
        if held and draw.random() < 0.5:
            item = session.get(own["type"], held.pop())
            if item in entity[name]:
                entity[name].remove(item)
                own["gone"].append(item["id"])
            else:
                own["left"].append(item["id"])
        settled(session)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", KINDS)
def test_two_sessions_never_lose_a_member(
    plain: Any, project: Any, sandbox: Any, lossy: LossyProxies, open_session: Any,
    name: str, seed: int,
) -> None:  # fmt: skip
    """What each session appended is in the list, and what it removed is not."""
    make_owner, make = KINDS[name]
    owner = make_owner(plain, project)
    members = make(plain, project, 6 + 4 * ROUNDS)
    plain.commit()
    for item in members[:6]:
        owner[name].append(item)
    plain.commit()
    ids = [item["id"] for item in members]
    running, plans = [], []
    for number in range(2):
        through = lossy.add(10 * seed + number)
        session = open_session(
            through, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
        )
        through.is_lossy = True
        start = 6 + 2 * ROUNDS * number
        own = {
            "type": members[0].entity_type,
            "held": ids[3 * number : 3 * number + 2],
            "waiting": ids[start : start + 2 * ROUNDS],
            "kept": [],
            "gone": [],
            "left": [],
        }
        plans.append(own)
        key = (owner.entity_type, owner["id"])
        arguments = (session, key, name, random.Random(100 + 10 * seed + number), own)
        running.append(threading.Thread(target=change, args=arguments))
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    with sandbox.session() as third:
        found = [item["id"] for item in third.get(owner.entity_type, owner["id"])[name]]
    gone = {each for own in plans for each in own["gone"]}
    expected = {*ids[:6], *plans[0]["kept"], *plans[1]["kept"]} - gone
    assert len(plans[0]["kept"]) >= ROUNDS
    assert len(plans[1]["kept"]) >= ROUNDS
    assert lossy.lost
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_the_same_member_from_two_sessions(sandbox: Any, plain: Any, project: Any) -> None:
    """A member that two sessions append at once is in the list once."""
    owner = new_list(plain, project)
    (task,) = tasks(plain, project, 1)
    plain.commit()
    assert len(owner["items"]) == 0
    with sandbox.session() as other:
        theirs = other.get("TypedContextList", owner["id"])
        assert len(theirs["items"]) == 0
        theirs["items"].append(other.get("Task", task["id"]))
        other.commit()
    owner["items"].append(task)
    plain.commit()
    assert [item["id"] for item in owner["items"]] == [task["id"]]
    rows = plain.query(f'ListObject where list_id is "{owner["id"]}"').all()
    assert len(rows) == 1


def test_an_older_link_stays(sandbox: Any, plain: Any, project: Any) -> None:
    """If both sessions add a member, the row of the first one stays, whatever its key is."""
    owner = new_list(plain, project)
    members = tasks(plain, project, 6)
    plain.commit()
    assert len(owner["items"]) == 0
    with sandbox.session() as other:
        theirs = other.get("TypedContextList", owner["id"])
        theirs["items"].extend([other.get("Task", item["id"]) for item in members])
        other.commit()
    expression = f'ListObject where list_id is "{owner["id"]}"'
    before = {row["id"] for row in plain.query(expression).all()}
    owner["items"].extend(members)
    plain.commit()
    assert {row["id"] for row in plain.query(expression).all()} == before


@pytest.mark.parametrize("is_sole", [False, True], ids=["several", "sole"])
def test_removal_of_a_member_that_is_gone(
    sandbox: Any, plain: Any, project: Any, is_sole: bool
) -> None:
    """Two sessions may remove the same member, and what one of them appends stays."""
    owner = new_list(plain, project)
    members = tasks(plain, project, 3)
    owner["items"] = members[: 1 if is_sole else 2]
    plain.commit()
    with sandbox.session() as other:
        theirs = other.get("TypedContextList", owner["id"])
        theirs["items"].append(other.get("Task", members[2]["id"]))
        theirs["items"].remove(other.get("Task", members[0]["id"]))
        other.commit()
    owner["items"].remove(members[0])
    plain.commit()
    expected = members[2:] if is_sole else members[1:]
    assert {item["id"] for item in owner["items"]} == {item["id"] for item in expected}


def test_row_that_goes_before_its_deletion(sandbox: Any, plain: Any, project: Any) -> None:
    """A link that another session deletes between the query and the commit is no error."""
    owner = new_list(plain, project)
    members = tasks(plain, project, 3)
    owner["items"] = members
    plain.commit()
    owner["items"].remove(members[0])
    call, done = plain.call, []
    with sandbox.session() as other:
        theirs = other.get("TypedContextList", owner["id"])

        def interposed(batch: Any) -> Any:
            if not done and any(each["action"] == "delete" for each in batch):
                done.append(True)
                theirs["items"].remove(other.get("Task", members[0]["id"]))
                other.commit()
            return call(batch)

        plain.call = interposed
        plain.commit()
    assert done
    assert len(owner["items"]) == 2


@pytest.mark.parametrize("step", ["append", "remove"])
def test_server_that_refuses_link_rows(plain: Any, project: Any, step: str) -> None:
    """The session sends the whole list to a server that does not accept its rows."""
    owner = new_list(plain, project)
    members = tasks(plain, project, 3)
    owner["items"] = members[:2]
    plain.commit()
    call, refused = plain.call, []

    def refusing(batch: Any) -> Any:
        for place, each in enumerate(batch):
            if each.get("entity_type") == "ListObject":
                refused.append(each["action"])
                raise exception.ServerPermissionDeniedError(
                    "Not allowed.", details={"operation": place}
                )
        return call(batch)

    plain.call = refusing
    for _ in range(2):
        if step == "append":
            owner["items"].append(members.pop())
            members.insert(0, members[0])
        else:
            owner["items"].remove(members.pop(0))
        plain.commit()
        if step == "append":
            break
    assert len(refused) == 1
    assert len(owner["items"]) == (3 if step == "append" else 0)


def test_server_that_ignores_link_rows(sandbox: Any, plain: Any, project: Any) -> None:
    """The session sends the whole list if the rows have no effect on it, and deletes the rows."""
    owner = new_list(plain, project)
    members = tasks(plain, project, 2)
    owner["items"] = members[:1]
    elsewhere = new_list(plain, project)
    plain.commit()
    call, sent = plain.call, []

    def astray(batch: Any) -> Any:
        for each in batch:
            sent.append((each["action"], each.get("entity_type")))
            if each["action"] == "create" and each["entity_type"] == "ListObject":
                each["entity_data"]["list_id"] = elsewhere["id"]
        return call(batch)

    owner["items"].append(members[1])
    plain.call = astray
    plain.commit()
    with sandbox.session() as third:
        found = third.get("TypedContextList", owner["id"])["items"]
        assert {item["id"] for item in found} == {item["id"] for item in members}
        assert len(third.get("TypedContextList", elsewhere["id"])["items"]) == 0
    assert ("delete", "ListObject") in sent
    assert ("update", "TypedContextList") in sent


def test_warning_for_lists_without_rows(
    proxy: Any, sandbox: Any, open_session: Any, plain: Any, project: Any, caplog: Any
) -> None:
    """A lost answer to a commit that sends a whole list is logged with the name of the list."""
    session = open_session(
        proxy, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
    )
    found = session.get("Project", project["id"])
    scopes = session.query("Scope").all()
    assert len(found["scopes"]) == 0
    found["scopes"].append(scopes[0])
    proxy.next_answers = [None, "lose"]
    session.commit()
    assert f"scopes of Project ({project['id']})" in caplog.text
