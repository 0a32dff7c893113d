"""Programs drawn by lot that change collections and metadata in two sessions at once."""

from __future__ import annotations

import random
from typing import Any

from book import Stage, step


class Draw:
    """Draws actions on a list of tasks, on children and on metadata."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed, self.number = seed, 0
        session = stage.session
        category = session.query("ListCategory order by name").first()
        shots = [stage.shot(f"k{seed}_{number}") for number in range(2)]
        names = [f"k{seed}_t{number}" for number in range(4)]
        tasks = [stage.task(name, parent=shots[0], id=stage.key(name)) for name in names]
        data = {"name": f"k{seed}", "project": stage.project, "category": category}
        made = session.create("TypedContextList", {**data, "items": tasks[:2]})
        session.commit()
        self.shots, self.tasks = [s["id"] for s in shots], [t["id"] for t in tasks]
        self.list = made["id"]
        self.sessions = [stage.new_session() for _ in range(2)]

    def value(self) -> str:
        """Return a text that nothing has yet."""
        self.number += 1
        return f"k{self.seed}_value{self.number}"

    def task(self, session: Any) -> Any:
        """Return a task."""
        return session.get("Task", self.random.choice(self.tasks))

    def items(self, session: Any) -> Any:
        """Return the items of the list."""
        return session.get("TypedContextList", self.list)["items"]

    def read_items(self, session: Any) -> Any:
        """Read the names of the items."""
        return sorted(item["name"] for item in self.items(session))

    def switch_item(self, session: Any) -> Any:
        """Put a task into the list, or take it out."""
        task, items = self.task(session), self.items(session)
        if task in items:
            items.remove(task)
        else:
            items.append(task)
        return len(items)

    def set_items(self, session: Any) -> Any:
        """Set all items."""
        keys = self.random.sample(self.tasks, self.random.randint(0, 3))
        tasks = [session.get("Task", key) for key in keys]
        if set(tasks) != set(self.items(session)):
            session.get("TypedContextList", self.list)["items"] = tasks

    def query_items(self, session: Any) -> Any:
        """Let a query bring the items."""
        found = session.query(f'select items from TypedContextList where id is "{self.list}"').one()
        return len(found["items"])

    def query_lists(self, session: Any) -> Any:
        """Let a query bring the lists of the tasks, and their items' names."""
        expression = f'select name, lists.name from Task where name like "k{self.seed}_t%"'
        return sum(len(task["lists"]) for task in session.query(f"{expression} order by name"))

    def read_children(self, session: Any) -> Any:
        """Read the children of a shot."""
        shot = session.get("Shot", self.random.choice(self.shots))
        return sorted(child["name"] for child in shot["children"])

    def annotate(self, session: Any) -> Any:
        """Write metadata under a key of its own, or change a value."""
        metadata = self.task(session)["metadata"]
        keys = sorted(metadata.keys())
        key = self.random.choice(keys) if keys and self.random.random() < 0.5 else self.value()
        metadata[key] = self.value()
        return len(metadata)

    def read_metadata(self, session: Any) -> Any:
        """Read the metadata of a task."""
        return sorted(self.task(session)["metadata"].items())

    def query_metadata(self, session: Any) -> Any:
        """Let a query bring the metadata."""
        expression = f'select metadata from Task where name like "k{self.seed}_t%"'
        return [len(task["metadata"]) for task in session.query(f"{expression} order by name")]

    def commit(self, session: Any) -> Any:
        """Commit, and tell what was pending."""
        pending = [len(session.created), len(session.modified)]
        session.commit()
        return pending

    def roll_back(self, session: Any) -> Any:
        """Take everything back."""
        session.rollback()

    def reset(self, session: Any) -> Any:
        """Forget everything."""
        session.reset()

    def play(self, length: int) -> list[Any]:
        """Carry *length* actions out and return what was seen on the way."""
        actions = [self.read_items, self.switch_item, self.switch_item, self.set_items]
        actions += [self.query_items, self.query_lists, self.read_children, self.annotate]
        actions += [self.read_metadata, self.query_metadata, self.commit, self.commit]
        actions += [self.roll_back, self.reset]
        log = []
        for _ in range(length):
            action, number = self.random.choice(actions), self.random.randrange(2)
            log.append([action.__name__, number, action(self.sessions[number])])
        return log


def enter(seed: int) -> None:
    """Enter the step of *seed*."""

    def drawn(stage: Stage) -> Any:
        """Forty actions drawn by lot, in two sessions."""
        draw = Draw(stage, seed)
        answer = draw.play(40)
        other = stage.new_session()
        items = other.get("TypedContextList", draw.list)["items"]
        return [answer, sorted(item["name"] for item in items)]

    drawn.__name__ = f"seed_{seed}"
    step(asks="F")(drawn)


for each in range(1, 9):
    enter(each)
