"""What the checks use of a server: short ways to send the operations of the protocol."""

from __future__ import annotations

import re
import uuid
import zlib
from collections import Counter
from typing import Any, NamedTuple, Optional

from tests.conformance.clients import Client, Problem

__all__ = ["SCOPES", "Person", "Site"]

#: The check that runs, and the fixtures that it is making, the innermost last.
SCOPES: list[str] = []


class Person(NamedTuple):
    """A user that a check has made."""

    site: Site
    id: str
    name: str

    def log_in(self) -> Site:
        """Return the server as this user sees it, with a new key."""
        answer = self.site.call(self.site.new_key(self.id))[0]
        return self.site.other(self.name, answer["data"]["api_key"])


class Site:
    """A server as *client* sees it. *run* begins the names of all that the checks create.

    Equal runs on equal servers send equal requests but for the ids, so that a recording can answer.
    """

    def __init__(self, client: Client, run: str) -> None:
        self.client = client
        self.run = run
        self._numbers: Counter[str] = Counter()
        self._created: list[tuple[str, list[str]]] = []
        self._project: Optional[dict[str, Any]] = None
        self._schemas: Optional[dict[str, dict[str, Any]]] = None
        self._user: Optional[str] = None
        self._others: list[Client] = []

    # Reading

    @property
    def user(self) -> str:
        """The id of the user who speaks."""
        if self._user is None:
            name = self.client.user
            self._user = str(self.one(f'select id from User where username is "{name}"')["id"])
        return self._user

    def call(self, *operations: dict[str, Any]) -> list[Any]:
        """Return the results of *operations*, sent as one batch."""
        return self.client.call(list(operations))

    def rows(self, expression: str) -> list[dict[str, Any]]:
        """Return the rows of one page of the query *expression*."""
        found: list[dict[str, Any]] = self.page(expression)["data"]
        return found

    def page(self, expression: str) -> dict[str, Any]:
        """Return the result of the query *expression*: ``action``, ``data`` and ``metadata``."""
        found: dict[str, Any] = self.call({"action": "query", "expression": expression})[0]
        return found

    def one(self, expression: str) -> dict[str, Any]:
        """Return the only row of the query *expression*."""
        rows = self.rows(expression)
        assert len(rows) == 1, f"{len(rows)} rows for: {expression}"
        return rows[0]

    def get(self, entity_type: str, key: str, projections: str) -> dict[str, Any]:
        """Return the entity with the id *key*, with *projections*."""
        return self.one(f'select {projections} from {entity_type} where id is "{key}"')

    def problem(self, *operations: dict[str, Any]) -> Problem:
        """Return the error that *operations* cause; fail if they cause none."""
        try:
            results = self.client.call(list(operations))
        except Problem as problem:
            return problem
        raise AssertionError(f"no error, but {str(results)[:300]}")

    def query_problem(self, expression: str) -> Problem:
        """Return the error that the query *expression* causes."""
        return self.problem({"action": "query", "expression": expression})

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The schemas by their id."""
        if self._schemas is None:
            found = self.call({"action": "query_schemas"})[0]
            self._schemas = {schema["id"]: schema for schema in found}
        return self._schemas

    def forget_schemas(self) -> None:
        """Ask for the schemas again next time."""
        self._schemas = None

    def information(self) -> dict[str, Any]:
        """Return the server information."""
        found: dict[str, Any] = self.call({"action": "query_server_information"})[0]
        return found

    # Writing

    def name(self, word: str = "x") -> str:
        """Return a name that no other check of this run has.

        It depends on the check that asks, and not on which others have run before.
        """
        scope = SCOPES[-1] if SCOPES else ""
        self._numbers[scope] += 1
        return f"{self.run}-{word}-{zlib.crc32(scope.encode()):08x}-{self._numbers[scope]}"

    def creation(self, entity_type: str, /, **data: Any) -> dict[str, Any]:
        """Return the operation that creates an *entity_type*; ``id`` is made if it is missing."""
        primary = self.schemas[entity_type]["primary_key"]
        if primary == ["id"]:
            data.setdefault("id", str(uuid.uuid4()))
        return {
            "action": "create",
            "entity_type": entity_type,
            "entity_key": [data[name] for name in primary],
            "entity_data": {"__entity_type__": entity_type, **data},
        }

    def update_of(self, entity_type: str, key: Any, /, **data: Any) -> dict[str, Any]:
        """Return the operation that updates the entity with *key*, a text or a list."""
        keys = key if isinstance(key, list) else [key]
        primary = dict(zip(self.schemas[entity_type]["primary_key"], keys))
        return {
            "action": "update",
            "entity_type": entity_type,
            "entity_key": keys,
            "entity_data": {"__entity_type__": entity_type, **primary, **data},
        }

    @staticmethod
    def deletion(entity_type: str, key: Any) -> dict[str, Any]:
        """Return the operation that deletes the entity with *key*, a text or a list."""
        keys = key if isinstance(key, list) else [key]
        return {"action": "delete", "entity_type": entity_type, "entity_key": keys}

    def create(self, entity_type: str, /, **data: Any) -> dict[str, Any]:
        """Create an *entity_type* and return what the server answers."""
        operation = self.creation(entity_type, **data)
        found: dict[str, Any] = self.call(operation)[0]["data"]
        return found

    def update(self, entity_type: str, key: Any, /, **data: Any) -> dict[str, Any]:
        """Update the entity with *key* and return what the server answers."""
        found: dict[str, Any] = self.call(self.update_of(entity_type, key, **data))[0]["data"]
        return found

    def delete(self, entity_type: str, key: Any) -> None:
        """Delete the entity with *key*."""
        self.call(self.deletion(entity_type, key))

    def remove_later(self, entity_type: str, key: Any) -> None:
        """Delete the entity with *key* at the end of the run; for what is in no project."""
        self._created.append((entity_type, key if isinstance(key, list) else [key]))

    @property
    def project(self) -> dict[str, Any]:
        """The project in which the checks write. It is made when a check first needs it."""
        if self._project is None:
            schema = self.rows("select id from ProjectSchema where name is VFX")
            schema = schema or self.rows("select id from ProjectSchema limit 1")
            name = f"{self.run}-project"
            self._project = self.create(
                "Project",
                name=name,
                full_name=name,
                project_schema_id=schema[0]["id"],
            )
        return self._project

    def context(self, entity_type: str = "Task", parent: Optional[str] = None, **data: Any) -> str:
        """Create a context below *parent*, by default below the project; return its id."""
        data.setdefault("name", self.name(entity_type.lower()))
        parent = parent or self.project["id"]
        created = self.create(entity_type, parent_id=parent, project_id=self.project["id"], **data)
        return str(created["id"])

    def version(self, parent: Optional[str] = None, **data: Any) -> str:
        """Create an asset version below a context, by default a new shot; return its id."""
        parent = parent or self.context("Shot")
        kind = self.rows("select id from AssetType order by name limit 1")[0]["id"]
        asset = self.creation("Asset", name=self.name("asset"), context_id=parent, type_id=kind)
        version = self.creation("AssetVersion", asset_id=asset["entity_key"][0], **data)
        self.call(asset, version)
        return str(version["entity_key"][0])

    def configuration(self, type_name: str, entity_type: str = "task", **data: Any) -> str:
        """Create a configuration of a custom attribute for the time of the run; return its id.

        Everybody may read and write its values.
        """
        kind = self.one(f'select id from CustomAttributeType where name is "{type_name}"')["id"]
        data.setdefault("key", re.sub("[^a-z0-9]", "_", self.name(type_name).lower()))
        roles = [
            {"__entity_type__": "SecurityRole", "id": each["id"]}
            for each in self.rows("select id from SecurityRole order by name")
        ]
        data.setdefault("read_security_roles", roles)
        data.setdefault("write_security_roles", roles)
        data.setdefault("label", data["key"])
        data.setdefault("config", "{}")
        created = self.create(
            "CustomAttributeConfiguration", type_id=kind, entity_type=entity_type, **data
        )
        self.remove_later("CustomAttributeConfiguration", created["id"])
        return str(created["id"])

    def role(self, name: str) -> str:
        """Return the id of the security role called *name*."""
        return str(self.one(f'select id from SecurityRole where name is "{name}"')["id"])

    def person(self, role: Optional[str] = None, **data: Any) -> Person:
        """Create a user for the time of the run, with *role* for all open projects."""
        name = self.name("user")
        data = {"username": name, "first_name": "Test", "last_name": "User", **data}
        data.setdefault("is_active", True)
        user = str(self.create("User", **data)["id"])
        self.remove_later("User", user)
        if role is not None:
            for each in self.rows(
                f'select security_role_id from UserSecurityRole where user_id is "{user}"'
            ):
                self.change_role("remove_user_security_role", user, each["security_role_id"])
            self.change_role("add_user_security_role", user, self.role(role))
        return Person(self, user, name)

    def other(self, name: str, key: str) -> Site:
        """Return the same server as the user called *name* sees it, who has *key*."""
        client = self.client.of(name, key)
        self._others.append(client)
        return Site(client, self.name("other"))

    def change_role(self, action: str, user: str, role: str, **more: Any) -> Any:
        """Run *action*, which changes the roles of *user*; return its result."""
        return self.call({"action": action, "user_id": user, "role_id": role, **more})[0]

    def new_key(self, user: str, reset_type: str = "api_key") -> dict[str, Any]:
        """Return the operation that gives *user* a new key."""
        return {
            "action": "reset_remote",
            "reset_type": reset_type,
            "entity_type": "User",
            "entity_key": user,
        }

    def clean_up(self) -> None:
        """Delete what the checks created."""
        for each in self._others:
            each.close()
        for entity_type, key in reversed(self._created):
            try:
                self.call(self.deletion(entity_type, key))
            except Problem:
                pass  # A check has deleted it already.
        if self._project is not None:
            self.delete("Project", self._project["id"])
