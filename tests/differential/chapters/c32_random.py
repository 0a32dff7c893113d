"""Programs that nobody wrote: actions drawn by lot, the same for both libraries."""

from __future__ import annotations

import random
from typing import Any

from book import Stage, step


class Draw:
    """Draws actions on shots, tasks, a list and metadata of one project, and carries them out.

    No value is given twice, so that every change is one (difference 10).
    """

    def __init__(self, stage: Stage, seed: int) -> None:
        self.random, self.key = random.Random(seed), stage.key
        self.session = stage.new_session()
        self.project = self.session.get("Project", stage.project["id"])
        self.seed, self.number = seed, 0
        self.log: list[Any] = []
        self.shots: list[Any] = []
        self.tasks: list[Any] = []
        self.statuses = self.session.query("Status order by name").all()[:4]
        category = self.session.query("ListCategory order by name").first()
        data = {"name": f"list{seed}", "project": self.project, "category": category}
        self.list = self.session.create("TypedContextList", data)
        self.create_shot()
        self.create_task()
        self.session.commit()

    def name(self) -> str:
        """Return a text that nothing has yet."""
        self.number += 1
        return f"v{self.seed}_{self.number}"

    def create_shot(self) -> Any:
        """Create a shot."""
        data = {"name": self.name(), "parent": self.project, "description": self.name()}
        self.shots.append(self.session.create("Shot", data))

    def create_task(self) -> Any:
        """Create a task below a shot."""
        name = self.name()
        data = {"id": self.key(name), "name": name, "parent": self.random.choice(self.shots)}
        if self.random.random() < 0.5:
            data["status"] = self.random.choice(self.statuses)
        self.tasks.append(self.session.create("Task", data))

    def describe(self) -> Any:
        """Change a text, once or twice."""
        entity = self.random.choice(self.shots + self.tasks)
        for _ in range(self.random.randint(1, 2)):
            entity["description"] = self.name()

    def bid(self) -> Any:
        """Change a number."""
        self.random.choice(self.tasks)["bid"] = float(self.number)
        self.number += 1

    def rename(self) -> Any:
        """Change a name."""
        self.random.choice(self.shots + self.tasks)["name"] = self.name()

    def metadata(self) -> Any:
        """Set, change or remove a key of metadata.

        A key that is gone does not come back, and one that is not committed does not go: the
        published client cannot do that.
        """
        metadata = self.random.choice(self.shots + self.tasks)["metadata"]
        keys = sorted(metadata.keys())
        lot = self.random.random()
        if keys and lot < 0.3 and not self.session.created:
            del metadata[self.random.choice(keys)]
        elif keys and lot < 0.6:
            metadata[self.random.choice(keys)] = self.name()
        else:
            metadata[self.name()] = self.name()

    def collect(self) -> Any:
        """Put a task into the list, or take one out."""
        task = self.random.choice(self.tasks)
        if task in self.list["items"]:
            self.list["items"].remove(task)
        else:
            self.list["items"].append(task)

    def move(self) -> Any:
        """Give a task another parent."""
        task, shot = self.random.choice(self.tasks), self.random.choice(self.shots)
        if task["parent"] is not shot:
            task["parent"] = shot

    def delete(self) -> Any:
        """Delete a task that is committed, but not the last one.

        What is created and deleted again is not for the published client (difference 27).
        """
        committed = [task for task in self.tasks if task not in self.session.created]
        if len(committed) > 1:
            task = self.random.choice(committed)
            self.tasks.remove(task)
            if task in self.list["items"]:
                self.list["items"].remove(task)
            self.session.delete(task)

    def read(self) -> Any:
        """Read something, loaded or not."""
        entity = self.random.choice(self.shots + self.tasks)
        name = self.random.choice(["name", "description", "sort", "context_type"])
        return [entity.entity_type, name, entity[name]]

    def query(self) -> Any:
        """Query what the server has of the tasks."""
        names = f'select name, description from Task where name like "v{self.seed}_%"'
        return sorted(task["name"] for task in self.session.query(names))

    def commit(self) -> Any:
        """Commit, and tell what was pending."""
        counts = [len(self.session.created), len(self.session.modified), len(self.session.deleted)]
        self.session.commit()
        return counts

    def play(self, length: int) -> list[Any]:
        """Carry *length* actions out, commit, and return what was seen on the way."""
        actions = [self.create_shot, self.create_task, self.describe, self.bid, self.rename]
        actions += [self.metadata, self.metadata, self.collect, self.move, self.delete]
        actions += [self.read, self.query, self.commit]
        for _ in range(length):
            action = self.random.choice(actions)
            self.log.append([action.__name__, action()])
        self.session.commit()
        return self.log


def seen_by_others(stage: Stage, draw: Draw) -> list[Any]:
    """Return what another session finds of what was made."""
    other, found = stage.new_session(), []
    for entity in draw.shots + draw.tasks:
        twin = other.get(entity.entity_type, entity["id"])
        values = [twin[name] for name in ("name", "description", "bid")]
        found.append([*values, twin["parent"]["name"], sorted(twin["metadata"].items())])
    items = other.get("TypedContextList", draw.list["id"])["items"]
    return [sorted(found, key=str), sorted(item["name"] for item in items)]


def play(stage: Stage, seed: int) -> Any:
    """Play with *seed* and return what came out."""
    draw = Draw(stage, seed)
    return [draw.play(40), seen_by_others(stage, draw)]


def enter(seed: int) -> None:
    """Enter the step of *seed*."""

    def drawn(stage: Stage) -> Any:
        """Forty actions drawn by lot."""
        return play(stage, seed)

    drawn.__name__ = f"seed_{seed}"
    step(asks="F")(drawn)


for each in range(1, 17):
    enter(each)
