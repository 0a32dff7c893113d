"""Generate a studio of any size quickly, for benchmarks.

The data is the same each time. Ids look random, like real ones, so that rows are scattered over
indexes as on a real site.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from ftrack_like.sandbox.seed.contexts import add_ancestry, add_context
from ftrack_like.sandbox.seed.data import site
from ftrack_like.sandbox.seed.data.project_schemas import TASK_STATUSES
from ftrack_like.sandbox.seed.ids import row_id
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment

__all__ = ["SEQUENCES", "SHOTS", "TASK_TYPES", "USERS", "fill"]

#: The number of sequences in a project.
SEQUENCES = 10

#: The number of shots in a sequence.
SHOTS = 20

#: The types of the tasks of a shot. There is one task for each.
TASK_TYPES = ("Layout", "Animation", "FX", "Lighting", "Compositing")

#: The number of users.
USERS = 50

_STATUSES = TASK_STATUSES
_BIRTH = datetime(2024, 1, 1)
_SERVER_LOCATION_ID = next(one.id for one in site.LOCATIONS if one.name == "ftrack.server")


def fill(connection: Connection, tasks: int = 100_000) -> Mapping[str, int]:
    """Add projects with *tasks* tasks in total to a seeded database, in one transaction.

    A project has up to 1,000 tasks in sequences and shots. Each task has an assignment. Each shot
    has an asset with two versions and their components, and also notes, time logs, metadata and
    custom attribute values. Return the number of added rows by table. Call this once for a
    database.
    """
    studio = _Studio(tasks)
    counts: Counter[str] = Counter()
    studio.add_people()
    for number in range(-(-tasks // (SEQUENCES * SHOTS * len(TASK_TYPES)))):
        studio.add_project(number)
        counts.update(studio.rows.insert(connection))
    # The query planners choose indexes by statistics about the rows.
    connection.exec_driver_sql("ANALYZE")
    return dict(counts)


class _Studio:
    """Collects the rows project by project, until all tasks are made."""

    def __init__(self, tasks: int) -> None:
        self.rows = RowSet()
        self._left = tasks
        self._random = random.Random(tasks)
        self._user_ids: list[str] = []
        self._type_ids = [row_id("Type", name) for name in TASK_TYPES]
        self._status_ids = [row_id("Status", name) for name in _STATUSES]

    def add_people(self) -> None:
        """Add the users."""
        for number in range(USERS):
            username = f"artist{number:03d}"
            self._user_ids.append(add_user(self.rows, username, "Artist", str(number), "User"))

    def add_project(self, number: int) -> None:
        """Add a project. The last project has only the remaining tasks."""
        project_id = self._id()
        name = f"project{number:03d}"
        self.rows.add(
            "Project",
            id=project_id,
            name=name,
            full_name=f"Project number {number}",
            status="active",
            project_id=project_id,
            project_schema_id=row_id("ProjectSchema", "VFX"),
            created_at=as_moment(_BIRTH),
            start_date=as_moment(_BIRTH),
            end_date=self._day(365),
        )
        add_ancestry(self.rows, [project_id])
        for sequence in range(SEQUENCES):
            if self._left:
                self._add_sequence([project_id], f"sq{sequence:03d}")

    # The parts of a project. A path contains the ids from the project down to a context.

    def _add_sequence(self, parents: Sequence[str], name: str) -> None:
        path = self._add_context("Sequence", name, parents)
        for number in range(SHOTS):
            if self._left:
                self._add_shot(path, f"{name}_sh{number * 10:04d}", number)

    def _add_shot(self, parents: Sequence[str], name: str, number: int) -> None:
        path = self._add_context("Shot", name, parents, status="In progress")
        self.rows.add(
            "Metadata", parent_id=path[-1], parent_type="Shot", key="cut", value=str(number)
        )
        for key, value in (("fstart", 1001.0), ("fend", 1001.0 + self._random.randrange(300))):
            self.rows.add(
                "ContextCustomAttributeValue",
                configuration_id=row_id("CustomAttributeConfiguration", "task", "Shot", key),
                entity_id=path[-1],
                number=value,
            )
        task_id = ""
        for sort in range(min(len(TASK_TYPES), self._left)):
            task_id = self._add_task(path, sort)
        self._add_asset(path, name, task_id)

    def _add_task(self, parents: Sequence[str], sort: int) -> str:
        self._left -= 1
        start = self._random.randrange(300)
        path = self._add_context(
            "Task",
            TASK_TYPES[sort].lower(),
            parents,
            type_id=self._type_ids[sort],
            status_id=self._random.choice(self._status_ids),
            sort=float(sort),
            bid=8.0 * 3600,
            start_date=self._day(start),
            end_date=self._day(start + 5),
        )
        user_id = self._random.choice(self._user_ids)
        self.rows.add(
            "Appointment",
            id=self._id(),
            type="assignment",
            context_id=path[-1],
            resource_id=user_id,
        )
        if sort == 0:
            self.rows.add(
                "Timelog",
                id=self._id(),
                context_id=path[-1],
                user_id=user_id,
                start=self._day(start),
                duration=3600.0 * self._random.randrange(1, 9),
            )
        return path[-1]

    def _add_asset(self, path: Sequence[str], name: str, task_id: str) -> None:
        asset_id = self.rows.add(
            "Asset",
            id=self._id(),
            name=f"{name}_comp",
            context_id=path[-1],
            project_id=path[0],
            type_id=row_id("AssetType", "Comp"),
        )
        for version in (1, 2):
            user_id = self._random.choice(self._user_ids)
            version_id = self.rows.add(
                "AssetVersion",
                id=self._id(),
                asset_id=asset_id,
                project_id=path[0],
                version=version,
                date=self._day(200 + version),
                status_id=row_id("Status", "Pending Review"),
                task_id=task_id,
                user_id=user_id,
            )
            self._add_component(version_id)
            if version == 1:
                self._add_note(path[0], version_id, user_id)

    def _add_component(self, version_id: str) -> None:
        component_id = self.rows.add(
            "FileComponent",
            id=self._id(),
            file_type=".mov",
            size=self._random.randrange(10**6, 10**9),
            version_id=version_id,
        )
        self.rows.add(
            "ComponentLocation",
            id=self._id(),
            component_id=component_id,
            location_id=_SERVER_LOCATION_ID,
            resource_identifier=component_id,
        )

    def _add_note(self, project_id: str, version_id: str, user_id: str) -> None:
        self.rows.add(
            "Note",
            id=self._id(),
            content="Looks good, a little darker towards the end.",
            date=self._day(201),
            thread_activity=self._day(201),
            user_id=user_id,
            parent_id=version_id,
            parent_type="AssetVersion",
            project_id=project_id,
        )

    # Parts

    def _add_context(
        self, type_name: str, name: str, parents: Sequence[str], **values: Any
    ) -> list[str]:
        values["created_at"] = as_moment(_BIRTH)
        return add_context(self.rows, type_name, self._id(), name, parents, **values)

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _day(self, days: int) -> str:
        return as_moment(_BIRTH + timedelta(days=days))
