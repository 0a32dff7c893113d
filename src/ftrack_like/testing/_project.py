"""Data for tests: a project, and whatever a test adds to it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional, Union, cast

from ftrack_like import exception, symbol
from ftrack_like._base.suggest import did_you_mean
from ftrack_like.testing._checks import (
    SuggestsMembers,
    checked_entities,
    checked_entity,
    checked_texts,
)

if TYPE_CHECKING:
    from ftrack_like._base.types import SiteEntity, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["ProjectFactory"]

#: The type of an asset whose type a test does not name.
_ASSET_TYPE = "Geometry"


class ProjectFactory(SuggestsMembers):
    """A new project on the server of *session*, and methods that add to it.

    Each method commits and returns an entity of *session*. Texts without a value get one. *name*
    and *attributes* belong to the project.

    All methods raise :exc:`TypeError` for a text in place of a list or an entity, and
    :exc:`~ftrack_like.exception.UnknownAttributeError` for an attribute that the type does not
    have. Both leave nothing behind. If the server refuses a commit, its changes stay recorded in
    *session*, as always: call ``session.rollback()`` before the next change.
    """

    def __init__(self, session: Session, name: str = "show", **attributes: Value) -> None:
        """Create the project."""
        self.session = session
        schema = session.query("ProjectSchema order by name").first()
        values = {"name": name, "full_name": name, "project_schema": schema, **attributes}
        self.project: SiteEntity = self._create("Project", values)

    def __repr__(self) -> str:
        """Return the project and the user."""
        return f"<{type(self).__name__} {self.project!r} as {self.session.api_user!r}>"

    # Contexts

    def tree(
        self,
        sequences: int = 1,
        shots: int = 2,
        tasks: Sequence[str] = ("animation", "lighting"),
    ) -> list[SiteEntity]:
        """Create *sequences*, each with *shots*, each with *tasks*; return all shots.

        Sequences are named ``sq010``, ``sq020``, and so on, shots ``sh010``, ``sh020``.
        """
        names = checked_texts("tasks", tasks)
        made = []
        for sequence_number in range(1, sequences + 1):
            parent = self.session.create(
                "Sequence", {"name": f"sq{sequence_number:02}0", "parent": self.project}
            )
            for number in range(1, shots + 1):
                shot = self.session.create("Shot", {"name": f"sh{number:02}0", "parent": parent})
                made.append(shot)
                for name in names:
                    self.session.create("Task", self._task_values(name, shot))
        self.session.commit()
        return made

    def sequence(self, name: str = "sq010", **attributes: Value) -> SiteEntity:
        """Return a new sequence."""
        return self._create("Sequence", {"name": name, "parent": self.project, **attributes})

    def shot(
        self,
        name: str = "sh010",
        tasks: Sequence[str] = (),
        *,
        parent: Optional[Entity] = None,
        **attributes: Value,
    ) -> SiteEntity:
        """Return a new shot with *tasks*, in the project or in *parent*."""
        names = checked_texts("tasks", tasks)
        values = {"name": name, "parent": self._place(parent), **attributes}
        shot = self._record("Shot", values, ("tasks",))
        for each in names:
            self.session.create("Task", self._task_values(each, shot))
        self.session.commit()
        return shot

    def task(
        self,
        name: str = "animation",
        *,
        parent: Optional[Entity] = None,
        status: Optional[str] = None,
        assignees: Sequence[Entity] = (),
        **attributes: Value,
    ) -> SiteEntity:
        """Return a new task, in the project or in *parent*.

        Its type has the same name, if there is such a type. *status* is the name of a status.
        *assignees* are users.
        """
        people = checked_entities("assignees", assignees)
        values = {**self._task_values(name, self._place(parent)), **attributes}
        if status is not None:
            values["status"] = self._named("Status", status)
        task = self._record("Task", values, ("assignees",))
        for user in people:
            self.session.create(
                "Appointment", {"context": task, "resource": user, "type": "assignment"}
            )
        self.session.commit()
        return task

    def _task_values(self, name: str, parent: Entity) -> dict[str, Value]:
        values: dict[str, Value] = {"name": name, "parent": parent}
        quoted = _query_text(name.capitalize())
        kind = self.session.query(f"select name from Type where name is {quoted}").first()
        return {**values, "type": kind} if kind else values

    # Versions

    def version(
        self,
        context: Optional[Entity] = None,
        files: Union[Mapping[str, Union[str, os.PathLike[str]]], Sequence[str]] = (),
        *,
        asset: str = "asset",
        asset_type: str = _ASSET_TYPE,
        comment: str = "",
        **attributes: Value,
    ) -> SiteEntity:
        """Return a new version of *asset* in *context*, a task, a shot, or the project.

        *files* become components in the location ``ftrack.server``: a mapping from the names of the
        components to paths, or names alone, for components with a few bytes of data.
        """
        if not isinstance(files, Mapping):
            files = checked_texts("files", files)
        place = self._place(context, "context")
        task = place if place.entity_type == "Task" else None
        parent = place["parent"] if task is not None else place
        kind = self._named("AssetType", asset_type)
        self._check_names("AssetVersion", attributes, ("context", "files", "asset_type"))
        owner = self.session.ensure(
            "Asset",
            {"name": asset, "context_id": parent["id"], "type_id": kind["id"]},
            identifying_keys=["name", "context_id"],
        )
        values = {"asset": owner, "comment": comment, **attributes}
        version = self.session.create("AssetVersion", {**values, "task": task} if task else values)
        self.session.commit()
        self._add_files(version, files)
        return version

    def _add_files(
        self,
        version: Entity,
        files: Union[Mapping[str, Union[str, os.PathLike[str]]], Sequence[str]],
    ) -> None:
        """Add *files* to *version*; see :meth:`version`."""
        server = cast("Location", self.session.get("Location", symbol.SERVER_LOCATION_ID))
        paths = dict(files) if isinstance(files, Mapping) else {}
        with contextlib.ExitStack() as stack:
            for name in files:
                path = paths.get(name) or _small_file(name, stack)
                self.session.create_component(
                    os.fspath(path), {"name": name, "version": version}, location=server
                )
        self.session.commit()

    # People

    def user(
        self, name: str = "artist", *, role: Optional[str] = "User", **attributes: Value
    ) -> SiteEntity:
        """Return a new user with a security role; None gives no role, and so no project to see."""
        user = self._create(
            "User",
            {"username": name, "email": f"{name}@example.com", "is_active": True, **attributes},
            ("name", "role"),
        )
        if role is not None:
            found = self._named("SecurityRole", role)
            self.session.call(
                [
                    {
                        "action": "add_user_security_role",
                        "user_id": user["id"],
                        "role_id": found["id"],
                    }
                ]
            )
        return user

    def session_of(self, user: Entity, **options: Value) -> Session:
        """Return a new session of *user*; the caller must close it.

        *options* are further arguments of :class:`~ftrack_like.session.Session`. The user gets a
        new API key, which replaces the old one.
        """
        checked_entity("user", user)
        key = self.session.reset_remote("api_key", user)["api_key"]
        options.setdefault("server_url", self.session.server_url)
        # The class is that of the session, so that a studio's subclass is kept.
        return type(self.session)(api_user=user["username"], api_key=key, **options)

    # Reviews

    def review(
        self,
        versions: Sequence[Entity] = (),
        invitees: Sequence[str] = ("reviewer@example.com",),
        *,
        name: str = "review",
        **attributes: Value,
    ) -> SiteEntity:
        """Return a new open review session with *versions*, for the mail addresses *invitees*."""
        shown = checked_entities("versions", versions)
        addresses = checked_texts("invitees", invitees)
        values = {"name": name, "project": self.project, "availability": "always", **attributes}
        review = self._record("ReviewSession", values, ("versions", "invitees"))
        for version in shown:
            self.session.create(
                "ReviewSessionObject",
                {
                    "review_session": review,
                    "asset_version": version,
                    "name": str(version["asset"]["name"]),
                    "version": f"Version {version['version']}",
                },
            )
        for address in addresses:
            self.session.create(
                "ReviewSessionInvitee",
                {"review_session": review, "email": address, "name": address.partition("@")[0]},
            )
        self.session.commit()
        return review

    # Details

    def _create(
        self, entity_type: str, values: Mapping[str, Value], arguments: Iterable[str] = ()
    ) -> Entity:
        entity = self._record(entity_type, values, arguments)
        self.session.commit()
        return entity

    def _record(
        self, entity_type: str, values: Mapping[str, Value], arguments: Iterable[str] = ()
    ) -> Entity:
        """Return a new entity with *values*, whose names must exist; do not commit.

        *arguments* are further names that an error may suggest.
        """
        self._check_names(entity_type, values, arguments)
        return self.session.create(entity_type, dict(values))

    def _check_names(
        self, entity_type: str, names: Iterable[str], arguments: Iterable[str] = ()
    ) -> None:
        """Raise :exc:`~ftrack_like.exception.UnknownAttributeError` for a name without attribute.

        The error may suggest one of *arguments*, those of the method.

        A session ignores such names, as the published client does. In a test they are mistakes.
        """
        known = list(self.session.types[entity_type].attributes.keys())
        for name in names:
            if name not in known:
                meant = did_you_mean(name, [*arguments, *known])
                raise exception.UnknownAttributeError(name, entity_type, suggestion=meant)

    def _place(self, parent: Optional[Entity], name: str = "parent") -> Entity:
        """Return *parent*, the argument *name*, or the project for None."""
        return self.project if parent is None else checked_entity(name, parent)

    def _named(self, entity_type: str, name: str) -> Entity:
        """Return the entity with *name*; raise :exc:`LookupError`, which lists the names."""
        found = self.session.query(
            f"select name from {entity_type} where name is {_query_text(name)}"
        ).first()
        if found is None:
            known = sorted(
                each["name"] for each in self.session.query(f"select name from {entity_type}")
            )
            raise LookupError(
                f"There is no {entity_type} named {name!r}. The names are: {', '.join(known)}."
            )
        return found


def _query_text(text: str) -> str:
    """Return *text* as a text of a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _small_file(name: str, stack: contextlib.ExitStack) -> str:
    """Return the path of a file with data for the component *name*; *stack* removes it."""
    # lazy: most tests need no file.
    import tempfile

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ftrack-like-test-"))
    path = os.path.join(folder, re.sub(r"[^\w-]", "_", name) + ".txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"data of {name}\n")
    return path
