"""Make the rows of the demo project from :mod:`ftrack_like.sandbox.seed.data.demo`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Optional

from sqlalchemy import Connection, select

from ftrack_like.sandbox.seed.contexts import add_ancestry, add_context
from ftrack_like.sandbox.seed.data import demo
from ftrack_like.sandbox.seed.ids import row_id
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment, named_id

__all__ = ["has_demo_project", "seed_demo_project"]

#: A working day, in seconds.
_DAY = 8 * 3600


def seed_demo_project(
    connection: Connection, *, now: datetime, created_by_id: Optional[str] = None
) -> str:
    """Insert the demo project into a seeded database, and return the project's id.

    *created_by_id* is the user who appears as its creator. The dates are relative to *now*. Call
    this once for a database.
    """
    project = _DemoProject(now, created_by_id)
    project.build()
    project.rows.insert(connection)
    return project.id


def has_demo_project(connection: Connection) -> bool:
    """Return whether the database contains the demo project."""
    id_ = TABLES["context"].c.id
    return connection.execute(select(id_).where(id_ == _project_id())).scalar() is not None


def _project_id() -> str:
    return named_id("Project", demo.PROJECT_NAME)


class _DemoProject:
    """Collects the rows of the project. Call :meth:`build` once."""

    def __init__(self, now: datetime, created_by_id: Optional[str]) -> None:
        self.rows = RowSet()
        self.id = _project_id()
        self._now = now
        self._created = {"created_at": self._day(-30), "created_by_id": created_by_id}
        self._user_ids: dict[str, str] = {}

    def build(self) -> None:
        """Collect all rows."""
        self._add_people()
        self._add_project()
        builds = self._add_context("Folder", "assets", [self.id])
        for name, type_ in demo.ASSET_BUILDS.items():
            self._add_asset_build(builds, name, type_)
        for name, shots in demo.SEQUENCES.items():
            path = self._add_context("Sequence", name, [self.id])
            for shot in shots:
                self._add_shot(path, shot)
        self._add_context(
            "Milestone",
            "First cut",
            [self.id],
            type="Deliverable",
            status="Not started",
            start_date=self._day(14),
            end_date=self._day(14),
        )

    def _day(self, days: float) -> str:
        """Return the stored time *days* from now."""
        return as_moment(self._now + timedelta(days=days))

    # People

    def _add_people(self) -> None:
        for group in demo.GROUPS:
            self.rows.add("Group", id=named_id("Group", group), name=group, local=False)
        for artist in demo.ARTISTS:
            user_id = add_user(
                self.rows, artist.username, artist.first_name, artist.last_name, "User"
            )
            self._user_ids[artist.task_type] = user_id
            self.rows.add(
                "Membership",
                id=named_id("Membership", artist.username),
                user_id=user_id,
                group_id=named_id("Group", artist.group),
            )

    # Contexts. A path contains the ids from the project down to a context.

    def _add_project(self) -> None:
        self.rows.add(
            "Project",
            id=self.id,
            name=demo.PROJECT_NAME,
            full_name=demo.PROJECT_FULL_NAME,
            status="active",
            color="#3498DB",
            root="",
            project_id=self.id,
            project_schema_id=row_id("ProjectSchema", "VFX"),
            disk_id=row_id("Disk", "Projects"),
            start_date=self._day(-30),
            end_date=self._day(60),
            **self._created,
        )
        add_ancestry(self.rows, [self.id])
        self.rows.add(
            "Manager",
            id=named_id("Manager", demo.PROJECT_NAME),
            context_id=self.id,
            user_id=self._user_ids["Production"],
            type_id=row_id("ManagerType", "Producer"),
        )

    def _add_context(
        self,
        type_name: str,
        name: str,
        parents: Sequence[str],
        *,
        type: str = "",
        status: str = "",
        **values: Any,
    ) -> list[str]:
        id_ = named_id(type_name, *parents, name)
        values = {**self._created, **values}
        return add_context(
            self.rows, type_name, id_, name, parents, type=type, status=status, **values
        )

    def _add_asset_build(self, parents: Sequence[str], name: str, type_: str) -> None:
        path = self._add_context("AssetBuild", name, parents, type=type_, status="In progress")
        for sort, task_type in enumerate(demo.BUILD_TASKS):
            status = "Completed" if sort < 2 else "In progress"
            self._add_task(path, task_type, sort, status)
        self._add_asset(path, f"{name}_model", "Geometry", count=2, task_type="Modeling")

    def _add_shot(self, parents: Sequence[str], shot: demo.Shot) -> None:
        path = self._add_context(
            "Shot",
            shot.name,
            parents,
            status="In progress",
            description=shot.description,
        )
        for key, value in (("fstart", shot.first_frame), ("fend", shot.last_frame)):
            self.rows.add(
                "ContextCustomAttributeValue",
                configuration_id=row_id("CustomAttributeConfiguration", "task", "Shot", key),
                entity_id=path[-1],
                number=float(value),
            )
        reached = demo.SHOT_TASKS.index(shot.reached)
        for sort, task_type in enumerate(demo.SHOT_TASKS):
            states = ("Completed", "In progress", "Not started")
            state = states[(sort >= reached) + (sort > reached)]
            self._add_task(path, task_type, sort, state)
        self._add_links(path)
        self._add_asset(path, "layout", "Scene", count=2, task_type="Layout")
        if reached > demo.SHOT_TASKS.index("Animation"):
            self._add_asset(path, "animation", "Animation", count=3, task_type="Animation")

    def _add_task(self, parents: Sequence[str], task_type: str, sort: int, status: str) -> None:
        start = -20.0 + 7 * sort
        path = self._add_context(
            "Task",
            task_type.lower(),
            parents,
            type=task_type,
            status=status,
            sort=float(sort),
            bid=5.0 * _DAY,
            start_date=self._day(start),
            end_date=self._day(start + 5),
            priority_id=row_id("Priority", "Medium"),
        )
        user_id = self._user_ids.get(task_type)
        if user_id is None:
            return
        self.rows.add(
            "Appointment",
            id=named_id("Appointment", path[-1], user_id),
            type="assignment",
            context_id=path[-1],
            resource_id=user_id,
        )
        if status == "Completed":
            self._add_timelog(path[-1], user_id, start)

    def _add_timelog(self, task_id: str, user_id: str, start: float) -> None:
        self.rows.add(
            "Timelog",
            id=named_id("Timelog", task_id),
            context_id=task_id,
            user_id=user_id,
            start=self._day(start),
            duration=4.5 * _DAY,
            name="",
        )

    def _add_links(self, shot_path: Sequence[str]) -> None:
        """Link each task of a shot to the previous task."""
        task_ids = [named_id("Task", *shot_path, name.lower()) for name in demo.SHOT_TASKS]
        for from_id, to_id in zip(task_ids, task_ids[1:]):
            self.rows.add(
                "TypedContextLink",
                id=named_id("TypedContextLink", from_id, to_id),
                from_id=from_id,
                to_id=to_id,
                lag=0.0,
            )

    # Assets

    def _add_asset(
        self, path: Sequence[str], name: str, type_: str, *, count: int, task_type: str
    ) -> None:
        """Add an asset to the context at *path*, with *count* versions of its *task_type* task."""
        asset_id = self.rows.add(
            "Asset",
            id=named_id("Asset", path[-1], name),
            name=name,
            context_id=path[-1],
            project_id=self.id,
            type_id=row_id("AssetType", type_),
        )
        for number in range(1, count + 1):
            last = number == count
            version_id = self.rows.add(
                "AssetVersion",
                id=named_id("AssetVersion", asset_id, str(number)),
                asset_id=asset_id,
                project_id=self.id,
                version=number,
                comment="" if number == 1 else "Changes after the review.",
                date=self._day(-15 + number),
                status_id=row_id("Status", "Pending Review" if last else "Revise"),
                task_id=named_id("Task", *path, task_type.lower()),
                user_id=self._user_ids.get(task_type, self._user_ids["Production"]),
            )
            if not last:
                self._add_note(version_id)

    def _add_note(self, version_id: str) -> None:
        self.rows.add(
            "Note",
            id=named_id("Note", version_id),
            content="Please have another look at the timing.",
            date=self._day(-12),
            thread_activity=self._day(-12),
            user_id=self._user_ids["Production"],
            parent_id=version_id,
            parent_type="AssetVersion",
            project_id=self.id,
            category_id=row_id("NoteCategory", "Internal"),
        )
        self.rows.add(
            "NoteLabelLink",
            note_id=named_id("Note", version_id),
            label_id=row_id("NoteLabel", "Internal"),
        )
