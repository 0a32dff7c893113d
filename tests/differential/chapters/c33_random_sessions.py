"""More programs drawn by lot: two sessions that read, change, roll back and reset side by side."""

from __future__ import annotations

import random
from typing import Any

from book import Stage, step

NAMES = ["name", "description", "bid", "sort", "context_type", "parent_id"]
DEEP = ["parent.name", "status.name", "project.name", "priority.name", "children.name"]


class Draw:
    """Draws actions in two sessions on the same tasks, and notes what is seen."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed, self.number = seed, 0
        self.log: list[Any] = []
        self.state = stage.module("inspection").state
        shot = stage.shot(f"shot{seed}")
        names = [f"r{seed}_{number}" for number in range(4)]
        tasks = [stage.task(name, parent=shot, id=stage.key(name)) for name in names]
        self.keys = [task["id"] for task in tasks]
        self.sessions = [stage.new_session() for _ in range(2)]
        self.held: list[dict[str, Any]] = [{}, {}]

    def session(self) -> int:
        """Return the number of a session."""
        return self.random.randrange(2)

    def task(self, number: int) -> Any:
        """Return a task in the session *number*, by get or as it is held."""
        key = self.random.choice(self.keys)
        if key not in self.held[number] or self.random.random() < 0.3:
            self.held[number][key] = self.sessions[number].get("Task", key)
        return self.held[number][key]

    def value(self) -> str:
        """Return a text that nothing has yet."""
        self.number += 1
        return f"r{self.seed}_value{self.number}"

    def read(self, number: int) -> Any:
        """Read an attribute."""
        return self.task(number)[self.random.choice(NAMES)]

    def read_deep(self, number: int) -> Any:
        """Read through references."""
        task = self.task(number)
        return [task["parent"]["name"], task["status"]["name"], task["project"]["name"]]

    def change(self, number: int) -> Any:
        """Change a text."""
        self.task(number)["description"] = self.value()

    def change_status(self, number: int) -> Any:
        """Give a task another status than it has."""
        task = self.task(number)
        found = self.sessions[number].query("Status order by name").all()
        choice = self.random.choice(found[:5])
        if task["status"] is not choice:
            task["status"] = choice
        return choice["name"]

    def annotate(self, number: int) -> Any:
        """Write metadata under a key of the session's own."""
        self.task(number)["metadata"][self.value()] = str(number)

    def query(self, number: int) -> Any:
        """Query the tasks with some attributes."""
        names = self.random.sample(NAMES, 2) + self.random.sample(DEEP, 1)
        expression = f'select {", ".join(names)} from Task where name like "r{self.seed}_%"'
        found = self.sessions[number].query(f"{expression} order by id")
        return len(found.all())

    def states(self, number: int) -> Any:
        """Tell what is pending."""
        session = self.sessions[number]
        held = [self.held[number][key] for key in self.keys if key in self.held[number]]
        return [[str(self.state(task)) for task in held], len(session.modified)]

    def commit(self, number: int) -> Any:
        """Commit."""
        self.sessions[number].commit()

    def roll_back(self, number: int) -> Any:
        """Take everything back."""
        self.sessions[number].rollback()

    def reset(self, number: int) -> Any:
        """Forget everything."""
        self.sessions[number].reset()
        self.held[number].clear()

    def unrecorded(self, number: int) -> Any:
        """Change something that nobody is to know, and read it."""
        task = self.task(number)
        with self.sessions[number].operation_recording(False):
            task["bid"] = float(self.number)
        self.number += 1
        return task["bid"]

    def play(self, length: int) -> list[Any]:
        """Carry *length* actions out and return what was seen on the way."""
        actions = [self.read, self.read, self.read_deep, self.change]
        actions += [self.change, self.change_status, self.annotate, self.query, self.query]
        actions += [self.states, self.commit, self.roll_back, self.reset]
        actions += [self.unrecorded]
        for _ in range(length):
            action, number = self.random.choice(actions), self.session()
            self.log.append([action.__name__, number, action(number)])
        return self.log


def enter(seed: int) -> None:
    """Enter the step of *seed*."""

    def drawn(stage: Stage) -> Any:
        """Fifty actions drawn by lot, in two sessions."""
        draw = Draw(stage, seed)
        answer = draw.play(50)
        other = stage.new_session()
        tasks = [other.get("Task", key) for key in draw.keys]
        return [answer, [[t["description"], sorted(t["metadata"].items())] for t in tasks]]

    drawn.__name__ = f"seed_{seed}"
    step()(drawn)


for each in range(1, 13):
    enter(each)
