"""The rows of a generated studio, project by project.

The rows are the same each time for the same size and seed. Ids look random, like real ones, so that
rows are scattered over indexes as on a real site. The rows are those that the API would have stored
for the same entities: a test creates a small studio by the API and compares all tables.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ftrack_like.sandbox.schema.contexts import DEFAULT_PRIORITY_ID
from ftrack_like.sandbox.seed.contexts import add_ancestry, add_context
from ftrack_like.sandbox.seed.data import site
from ftrack_like.sandbox.seed.data.project_schemas import TASK_STATUSES, VERSION_STATUSES
from ftrack_like.sandbox.seed.ids import row_id
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment, named_id

__all__ = ["BUILD_TASKS", "SHOTS", "SHOT_TASKS", "GeneratedStudio", "StudioSize", "project_name"]

#: The number of shots in a sequence.
SHOTS = 20

#: The types of the tasks of a shot and of an asset build. There is one task for each.
SHOT_TASKS = ("Layout", "Animation", "FX", "Lighting", "Compositing")
BUILD_TASKS = ("Modeling", "Texture", "Rigging")

#: One task in so many belongs to an asset build; the others belong to shots.
_BUILDS = 10

#: The number of users: at least *_FEWEST*, and one for so many tasks.
_FEWEST = 50
_TASKS_OF_USER = 400

#: The most items in a list.
_LISTED = 20

_BIRTH = datetime(2024, 1, 1)
_DAY = 8 * 3600.0
_LOCATION_ID = next(one.id for one in site.LOCATIONS if one.name == "ftrack.unmanaged")
_WORDS = ("Looks good.", "A little darker towards the end, please.", "The timing is still off.")


@dataclass(frozen=True)
class StudioSize:
    """The size of a studio: *tasks* in all *projects* together, and *versions* of each asset.

    Each shot and each asset build has one asset. *seed* varies the random values.
    """

    projects: int
    tasks: int
    versions: int
    seed: int = 0

    def tasks_of(self, number: int) -> int:
        """Return the number of tasks in the project *number*, which counts from 0."""
        return self.tasks // self.projects + (number < self.tasks % self.projects)


def project_name(size: StudioSize, number: int) -> str:
    """Return the name of the project *number*. Studios with different seeds have other names."""
    return f"film_{size.seed}_{number:03d}"


class GeneratedStudio:
    """Adds the rows of a studio of *size* to :attr:`rows`; the caller inserts and removes them.

    *known* are the names of users that exist already. Call :meth:`add_people` first, then
    :meth:`add_project` for each number in order.
    """

    def __init__(self, size: StudioSize, known: Mapping[str, str]) -> None:
        self.rows: RowSet = RowSet()
        self._size = size
        self._known = known
        self._random = random.Random(size.seed)
        self._user_ids: list[str] = []
        self._created: dict[str, Any] = {}
        self._listed: dict[str, list[str]] = {}

    def add_people(self) -> None:
        """Add the users, and a group for each type of task."""
        groups = [*SHOT_TASKS, *BUILD_TASKS]
        for number in range(max(_FEWEST, self._size.tasks // _TASKS_OF_USER)):
            name = f"artist{number:03d}"
            if name in self._known:
                self._user_ids.append(self._known[name])
                continue
            user_id = add_user(self.rows, name, "Artist", str(number), "User")
            self._user_ids.append(user_id)
            group = groups[number % len(groups)]
            if number < len(groups):
                self.rows.add("Group", id=named_id("Group", group), name=group, local=False)
            self.rows.add(
                "Membership",
                id=named_id("Membership", name),
                user_id=user_id,
                group_id=named_id("Group", group),
            )

    def add_project(self, number: int) -> None:
        """Add the project *number* with all that belongs to it."""
        project_id = self._id()
        self._created = {"created_at": as_moment(_BIRTH), "created_by_id": self._user_ids[0]}
        self._listed = {"context": [], "asset_version": []}
        self.rows.add(
            "Project",
            id=project_id,
            name=project_name(self._size, number),
            full_name=f"Film {number}",
            status="active",
            project_id=project_id,
            project_schema_id=row_id("ProjectSchema", "VFX"),
            start_date=as_moment(_BIRTH),
            end_date=self._day(365),
            **self._created,
        )
        add_ancestry(self.rows, [project_id])
        tasks = self._size.tasks_of(number)
        self._add_builds([project_id], tasks // _BUILDS)
        self._add_sequences([project_id], tasks - tasks // _BUILDS)
        self._add_lists(project_id)

    # The parts of a project. A path contains the ids from the project down to a context.

    def _add_builds(self, parents: Sequence[str], tasks: int) -> None:
        """Add asset builds with *tasks* tasks in all."""
        if not tasks:
            return
        path = self._add_context("Folder", "assets", parents)
        types = ("Character", "Prop", "Environment")
        for number, start in enumerate(range(0, tasks, len(BUILD_TASKS))):
            type_ = types[number % len(types)]
            name = f"{type_.lower()}_{number:04d}"
            build = self._add_context("AssetBuild", name, path, type=type_, status="In progress")
            self._add_work(build, name, BUILD_TASKS[: tasks - start], "Geometry")

    def _add_sequences(self, parents: Sequence[str], tasks: int) -> None:
        """Add sequences and shots with *tasks* tasks in all."""
        path: Sequence[str] = parents
        for number, start in enumerate(range(0, tasks, len(SHOT_TASKS))):
            sequence, shot = divmod(number, SHOTS)
            if shot == 0:
                path = self._add_context("Sequence", f"sq{sequence:03d}", parents)
            name = f"sq{sequence:03d}_sh{(shot + 1) * 10:04d}"
            self._add_shot(path, name, SHOT_TASKS[: tasks - start])

    def _add_shot(self, parents: Sequence[str], name: str, tasks: Sequence[str]) -> None:
        path = self._add_context("Shot", name, parents, status="In progress")
        length = self._random.randrange(24, 300)
        self._add_metadata(path[-1], "Shot", "cut", str(length))
        for key, value in (("fstart", 1001.0), ("fend", 1000.0 + length)):
            self.rows.add(
                "ContextCustomAttributeValue",
                configuration_id=row_id("CustomAttributeConfiguration", "task", "Shot", key),
                entity_id=path[-1],
                number=value,
            )
        self._add_work(path, name, tasks, "Comp")

    def _add_work(
        self, path: Sequence[str], name: str, tasks: Sequence[str], asset_type: str
    ) -> None:
        """Add the tasks of a shot or build, and its asset, made by the last task."""
        task_ids = [self._add_task(path, sort, type_) for sort, type_ in enumerate(tasks)]
        for from_id, to_id in zip(task_ids, task_ids[1:]):
            self.rows.add("TypedContextLink", id=self._id(), from_id=from_id, to_id=to_id, lag=0.0)
        self._add_asset(path, name, task_ids[-1], asset_type)

    def _add_task(self, parents: Sequence[str], sort: int, type_: str) -> str:
        start = self._random.randrange(300)
        path = self._add_context(
            "Task",
            type_.lower(),
            parents,
            type=type_,
            status=self._random.choice(TASK_STATUSES),
            sort=float(sort),
            bid=_DAY * self._random.randrange(1, 10),
            start_date=self._day(start),
            end_date=self._day(start + 5),
        )
        task_id = path[-1]
        user_id = self._random.choice(self._user_ids)
        self.rows.add(
            "Appointment",
            id=self._id(),
            type="assignment",
            context_id=task_id,
            resource_id=user_id,
        )
        if sort % 2 == 0:
            self.rows.add(
                "Timelog",
                id=self._id(),
                context_id=task_id,
                user_id=user_id,
                start=self._day(start),
                duration=3600.0 * self._random.randrange(1, 9),
            )
        self._list("context", task_id)
        return task_id

    def _add_asset(self, path: Sequence[str], name: str, task_id: str, asset_type: str) -> None:
        asset_id = self.rows.add(
            "Asset",
            id=self._id(),
            name=f"{name}_{asset_type.lower()}",
            context_id=path[-1],
            project_id=path[0],
            type_id=row_id("AssetType", asset_type),
        )
        for version in range(1, self._size.versions + 1):
            user_id = self._random.choice(self._user_ids)
            date = self._day(100 + version)
            version_id = self.rows.add(
                "AssetVersion",
                id=self._id(),
                asset_id=asset_id,
                project_id=path[0],
                version=version,
                comment=f"Version {version}",
                date=date,
                status_id=row_id("Status", self._random.choice(VERSION_STATUSES)),
                task_id=task_id,
                user_id=user_id,
                is_published=True,
            )
            self._add_component(version_id, f"/mnt/projects/{name}_v{version:03d}.mov")
            if version == 1:
                self._add_note(path[0], version_id, user_id, date)
        if self._size.versions:
            self._add_metadata(version_id, "AssetVersion", "source", f"{name}.nk")
            self._list("asset_version", version_id)

    def _add_component(self, version_id: str, file: str) -> None:
        component_id = self.rows.add(
            "FileComponent",
            id=self._id(),
            name="main",
            file_type=".mov",
            size=self._random.randrange(10**6, 10**9),
            version_id=version_id,
        )
        self.rows.add(
            "ComponentLocation",
            id=self._id(),
            component_id=component_id,
            location_id=_LOCATION_ID,
            resource_identifier=file,
        )

    def _add_note(self, project_id: str, version_id: str, user_id: str, date: str) -> None:
        note_id, label_id = self._id(), row_id("NoteCategory", "Internal")
        self.rows.add(
            "Note",
            id=note_id,
            content=self._random.choice(_WORDS),
            date=date,
            thread_activity=date,
            user_id=user_id,
            parent_id=version_id,
            parent_type="AssetVersion",
            project_id=project_id,
            category_id=label_id,
        )
        self.rows.add("NoteLabelLink", note_id=note_id, label_id=label_id)
        self.rows.add("Recipient", note_id=note_id, resource_id=user_id)

    def _add_metadata(self, parent_id: str, parent_type: str, key: str, value: str) -> None:
        self.rows.add(
            "Metadata", parent_id=parent_id, parent_type=parent_type, key=key, value=value
        )

    # Lists

    def _list(self, table: str, id_: str) -> None:
        """Choose the row *id_* of *table* for a list of the project, if the list has space."""
        if len(self._listed[table]) < _LISTED:
            self._listed[table].append(id_)

    def _add_lists(self, project_id: str) -> None:
        for type_name, table, name, category in (
            ("TypedContextList", "context", "Next week", "Default"),
            ("AssetVersionList", "asset_version", "Monday", "Dailies"),
        ):
            if not self._listed[table]:
                continue
            list_id = self.rows.add(
                type_name,
                id=self._id(),
                name=name,
                date=as_moment(_BIRTH),
                is_open=True,
                category_id=row_id("ListCategory", category),
                user_id=self._user_ids[0],
                project_id=project_id,
            )
            for id_ in self._listed[table]:
                self.rows.add("ListObject", id=self._id(), list_id=list_id, entity_id=id_)

    # Values

    def _add_context(
        self, type_name: str, name: str, parents: Sequence[str], **values: Any
    ) -> list[str]:
        values = {**self._created, **values}
        if type_name == "Task":
            values["priority_id"] = DEFAULT_PRIORITY_ID
        return add_context(self.rows, type_name, self._id(), name, parents, **values)

    def _id(self) -> str:
        """Return a random UUID of version 4. The class of the standard library is slower."""
        digits = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )

    def _day(self, days: int) -> str:
        return as_moment(_BIRTH + timedelta(days=days))
