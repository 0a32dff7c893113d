"""Keys, roles, and what a user without a right sees."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from tests.conformance.clients import Problem
from tests.conformance.facts import differs, fact, live, row, writes
from tests.conformance.site import Person, Site

pytestmark = writes


@pytest.fixture(scope="session")
def private(site: Site) -> dict[str, str]:
    """Return the ids of a private project and of a shot in it."""
    name = site.name("private")
    project = site.create("Project", name=name, full_name=name, is_private=True)["id"]
    site.remove_later("Project", project)
    shot = site.create("Shot", name="sh010", parent_id=project)["id"]
    return {"project": project, "shot": shot}


@pytest.fixture(scope="session")
def worker(site: Site) -> Person:
    """Return a user with the role User."""
    return site.person("User")


@pytest.fixture(scope="session")
def as_worker(worker: Person) -> Site:
    """Return the server as a user with the role User sees it."""
    return worker.log_in()


@pytest.fixture(scope="session")
def as_guest(site: Site) -> Site:
    """Return the server as a user with the role Restricted user sees it."""
    return site.person("Restricted user").log_in()


def _refused(site: Site, *operations: dict[str, Any]) -> Problem:
    """Return the error of *operations*, which *site* has no right to."""
    problem = site.problem(*operations)
    if site.client.tells_names:
        assert problem.name == "PermissionError"
    assert problem.text
    return problem


def _granted(site: Site, user: str) -> list[str]:
    """Return the ids of the projects for which *user* has a role."""
    rows = site.rows(
        "select project_id from UserSecurityRoleProject "
        f'where user_security_role.user_id is "{user}"'
    )
    return [each["project_id"] for each in rows]


# Keys


@fact("protocol 1", "protocol")
def test_a_new_key_lets_its_user_in(site: Site, worker: Person) -> None:
    """The answer of reset_remote has the key of the user."""
    key = site.call(site.new_key(worker.id))[0]["data"]["api_key"]
    assert site.other(worker.name, key).rows(f'select id from User where id is "{worker.id}"')


@live
@fact("protocol 1", "protocol")
def test_each_reset_makes_a_new_key(site: Site) -> None:
    """Each reset_remote makes a new key."""
    user = site.person("User").id
    keys = {site.call(site.new_key(user))[0]["data"]["api_key"] for _ in range(2)}
    assert len(keys) == 2


@fact("protocol 1", "protocol")
def test_an_old_key_is_not_valid(site: Site) -> None:
    """After reset_remote the old key of the user is wrong."""
    person = site.person("User")
    old = person.log_in()
    site.call(site.new_key(person.id))
    assert "API key" in old.query_problem("select id from Status limit 1").text


@fact("protocol 1", "protocol")
def test_other_resets_are_errors(site: Site, worker: Person) -> None:
    """Only keys are reset with reset_remote."""
    assert site.problem(site.new_key(worker.id, reset_type="password")).text


@fact("site-facts G", "P")
def test_a_key_is_for_its_user(site: Site, worker: Person) -> None:
    """The key of one user does not let another user in, unless it is a global key."""
    other = site.person("User")
    key = site.call(site.new_key(other.id))[0]["data"]["api_key"]
    with pytest.raises(Problem, match="API key"):
        site.other(worker.name, key).rows("select id from Status limit 1")


# Users


@fact("site-facts C", "M")
@pytest.mark.parametrize(
    "key",
    ["is_otp_enabled", "is_totp_enabled", "require_details_update", "user_type_id"],
)
def test_a_new_user_has_an_attribute(site: Site, key: str) -> None:
    """The answer to the create of a user has attributes beyond those that were sent."""
    created = site.create("User", username=site.name("user"))
    site.remove_later("User", created["id"])
    assert key in created


@fact("site-facts C", "M")
def test_a_new_user_is_not_active(site: Site) -> None:
    """A user who is created without is_active is not active."""
    created = site.create("User", username=site.name("user"))
    site.remove_later("User", created["id"])
    assert created["is_active"] is False


@fact("site-facts A10", "M")
def test_a_new_user_has_the_usual_type(site: Site) -> None:
    """A created user gets the stock type of users."""
    user = site.get("User", site.person().id, "user_type_id")
    assert user["user_type_id"] == "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"


@live
@fact("site-facts A10", "D")
@differs("a new user has no role until somebody gives one; docs/permissions.rst")
def test_a_new_user_has_the_role_user(site: Site) -> None:
    """A new user has the role User, unless a setting says otherwise."""
    rows = site.rows(
        f'select security_role.name from UserSecurityRole where user_id is "{site.person().id}"'
    )
    assert [each["security_role"]["name"] for each in rows] == ["User"]


# Roles


@fact("protocol 1", "protocol")
def test_a_role_is_added_and_removed(site: Site) -> None:
    """Two actions add a role to a user and remove it."""
    user, role = site.person("User").id, site.role("Project manager")
    query = (
        f'select id from UserSecurityRole where user_id is "{user}" '
        f'and security_role_id is "{role}"'
    )
    site.change_role("add_user_security_role", user, role)
    assert len(site.rows(query)) == 1
    site.change_role("remove_user_security_role", user, role)
    assert site.rows(query) == []


@fact("protocol 1", "protocol")
def test_a_role_is_exchanged(site: Site) -> None:
    """One action puts a new role in the place of another."""
    user = site.person("User").id
    old, new = site.role("User"), site.role("Project manager")
    site.change_role("update_user_security_role", user, old, new_role_id=new)
    rows = site.rows(f'select security_role_id from UserSecurityRole where user_id is "{user}"')
    assert [each["security_role_id"] for each in rows] == [new]


@fact("protocol 1", "protocol")
def test_a_role_for_one_project(site: Site) -> None:
    """Two actions give a role for one project and take it away."""
    user, role = site.person("User").id, site.role("User")
    project = site.project["id"]
    site.change_role("grant_user_security_role_project", user, role, project_id=project)
    assert _granted(site, user) == [project]
    site.change_role("revoke_user_security_role_project", user, role, project_id=project)
    assert _granted(site, user) == []


@fact("site-facts C", "D")
def test_a_role_for_all_open_projects(site: Site) -> None:
    """The action that gives a role for a project may give it for all open ones."""
    user, role = site.person("User").id, site.role("User")
    project = site.project["id"]
    site.change_role("grant_user_security_role_project", user, role, project_id=project)
    site.change_role("grant_user_security_role_project", user, role, all_open_projects=True)
    found = site.one(f'select is_all_open_projects from UserSecurityRole where user_id is "{user}"')
    assert found["is_all_open_projects"] is True


@fact("site-facts C", "D")
def test_a_role_row_is_not_updated(site: Site) -> None:
    """The row of a user's role cannot be updated; the actions change roles."""
    user = site.person("User").id
    found = site.one(f'select id from UserSecurityRole where user_id is "{user}"')
    role = site.role("Administrator")
    site.problem(site.update_of("UserSecurityRole", found["id"], security_role_id=role))


# What is seen


@fact("site-facts A10", "D")
@pytest.mark.parametrize("role", ["User", "Restricted user"])
def test_an_open_project_is_seen(site: Site, as_worker: Site, as_guest: Site, role: str) -> None:
    """Users with a role for all open projects see an open project."""
    seen = {"User": as_worker, "Restricted user": as_guest}[role]
    assert seen.rows(f'select id from Project where id is "{site.project["id"]}"')


@fact("site-facts G", "D")
@pytest.mark.parametrize(
    "expression",
    [
        row('select id from Project where id is "$P"', name="project"),
        row('select id from Shot where id is "$S"', name="shot"),
        row('select id from TypedContext where project_id is "$P"', name="base type"),
        row('select id from Context where id in ("$S", "$P")', name="in"),
        row('select id from Shot where parent.id is "$P"', name="path"),
        row('select id from Project where children any (id is "$S")', name="collection"),
    ],
)
def test_a_private_project_is_hidden(
    as_worker: Site, private: dict[str, str], expression: str
) -> None:
    """A private project and all in it are hidden from those without a grant; there is no error."""
    text = expression.replace("$P", private["project"]).replace("$S", private["shot"])
    assert as_worker.rows(text) == []


@fact("site-facts G", "D")
def test_a_grant_opens_a_private_project(site: Site, private: dict[str, str]) -> None:
    """A grant shows the private project, and its end hides it."""
    person, role = site.person("User"), site.role("User")
    seen = person.log_in()
    expression = f'select id from Shot where id is "{private["shot"]}"'
    given = {"project_id": private["project"]}
    assert seen.rows(expression) == []
    site.change_role("grant_user_security_role_project", person.id, role, **given)
    assert len(seen.rows(expression)) == 1
    site.change_role("revoke_user_security_role_project", person.id, role, **given)
    assert seen.rows(expression) == []


@fact("site-facts G", "P")
def test_a_hidden_entity_is_not_found_by_its_key(as_worker: Site, private: dict[str, str]) -> None:
    """A program that asks for an entity it may not read receives none."""
    assert as_worker.rows(f'select id from Context where id is "{private["shot"]}"') == []


@fact("site-facts G", "P")
@pytest.mark.parametrize("action", ["update", "delete"])
def test_a_hidden_entity_is_not_changed(
    site: Site, as_worker: Site, private: dict[str, str], action: str
) -> None:
    """A change of a hidden entity is an error."""
    shot = private["shot"]
    operation = (
        as_worker.update_of("Shot", shot, description="x")
        if action == "update"
        else as_worker.deletion("Shot", shot)
    )
    assert as_worker.problem(operation).text
    assert site.get("Shot", shot, "id")


# What may be changed


@fact("site-facts G", "P")
@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_restricted_user_changes_nothing(site: Site, as_guest: Site, action: str) -> None:
    """A restricted user reads contexts and cannot change them."""
    shot = site.context("Shot")
    operation = {
        "create": as_guest.creation("Shot", name="x", parent_id=site.project["id"]),
        "update": as_guest.update_of("Shot", shot, description="x"),
        "delete": as_guest.deletion("Shot", shot),
    }[action]
    _refused(as_guest, operation)


@fact("site-facts G", "P")
@pytest.mark.parametrize("entity_type", ["User", "Status", "SecurityRole", "ObjectType"])
def test_the_site_belongs_to_administrators(as_worker: Site, entity_type: str) -> None:
    """What belongs to the whole site is not created by ordinary users."""
    data = {"username": "x"} if entity_type == "User" else {"name": "x"}
    assert as_worker.problem(as_worker.creation(entity_type, **data)).text


@fact("site-facts G", "P")
def test_nothing_of_a_forbidden_batch_stays(site: Site, as_worker: Site) -> None:
    """A batch with a forbidden operation is refused whole."""
    shot = site.context("Shot")
    note = as_worker.creation("Note", content="x", parent_id=shot, parent_type="Shot")
    status = as_worker.creation("Status", name=site.name("status"))
    _refused(as_worker, note, status)
    assert site.rows(f'select id from Note where parent_id is "{shot}"') == []


@fact("protocol 1", "protocol")
def test_a_user_writes_a_note(site: Site, as_worker: Site) -> None:
    """A user writes notes; their author is the user who speaks."""
    shot = site.context("Shot")
    note = as_worker.create("Note", content="x", parent_id=shot, parent_type="Shot")
    assert site.get("Note", note["id"], "author")["author"]["id"] == as_worker.user


@fact("site-facts C", "P")
@pytest.mark.parametrize(("role", "result"), [("User", True), ("Restricted user", False)])
def test_a_dry_question_of_rights(
    site: Site, as_worker: Site, as_guest: Site, role: str, result: bool
) -> None:
    """The answer to the question for a right depends on the role."""
    speaker = {"User": as_worker, "Restricted user": as_guest}[role]
    asked = speaker.call(
        {
            "action": "_authorize_operation",
            "data": {
                "action": "create",
                "data": {"entity_type": "AssetVersion"},
                "context": {"entity_key": [site.project["id"]], "entity_type": "Project"},
            },
        }
    )
    assert asked[0]["result"] is result


@fact("protocol 1", "protocol")
def test_the_creator_is_the_user_who_speaks(site: Site, as_worker: Site) -> None:
    """A version belongs to the user who makes it."""
    asset = site.creation(
        "Asset",
        name=site.name("asset"),
        context_id=site.context("Shot"),
        type_id=site.rows("select id from AssetType order by name limit 1")[0]["id"],
    )
    site.call(asset)
    version = as_worker.create("AssetVersion", asset_id=asset["entity_key"][0])
    found = site.get("AssetVersion", version["id"], "user.id")
    assert found["user"]["id"] == as_worker.user


@fact("site-facts C", "P")
def test_an_administrator_names_another_author(site: Site, worker: Person) -> None:
    """An administrator may give the user of a note."""
    shot = site.context("Shot")
    note = site.create("Note", content="x", parent_id=shot, parent_type="Shot", user_id=worker.id)
    assert site.get("Note", note["id"], "user_id")["user_id"] == worker.id


@fact("protocol 1", "protocol")
def test_an_unknown_role_is_an_error(site: Site, worker: Person) -> None:
    """A role that does not exist is an error."""
    operation = {
        "action": "add_user_security_role",
        "user_id": worker.id,
        "role_id": str(uuid.uuid4()),
    }
    assert site.problem(operation).text
