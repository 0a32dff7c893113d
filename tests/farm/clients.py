"""Clients that change a site while its processes are killed, and remember what was acknowledged."""

from __future__ import annotations

import hashlib
import pathlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like.cache import RedisCache, SerialisedCache
from ftrack_like.event.base import Event
from ftrack_like.symbol import ORIGIN_LOCATION_ID, SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["Client", "Ledger", "Site"]

#: Seconds within which an outage must be over.
PATIENCE = 180.0

#: What a client does, and how often in 20 steps.
STEPS = {"change": 10, "upload": 3, "publish": 5, "read": 2}


@dataclass
class Site:
    """What the clients share: ids of the project and the lists, and the addresses."""

    project: str
    lists: list[str]
    redis: str
    open_session: Callable[..., Session]
    folder: pathlib.Path
    clip: Optional[pathlib.Path]


@dataclass
class Ledger:
    """What the server has acknowledged to one client."""

    #: The names of created tasks by their ids, and the value of their metadata.
    tasks: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Pairs of the ids of linked tasks.
    links: set[tuple[str, str]] = field(default_factory=set)
    #: The ids of the tasks in the list.
    listed: set[str] = field(default_factory=set)
    #: The last value of the counters in the own task and in the metadata of the project.
    counter: int = 0
    #: The checksums of uploaded components by their ids.
    components: dict[str, str] = field(default_factory=dict)
    #: The ids of jobs.
    jobs: list[str] = field(default_factory=list)
    #: The numbers of published events.
    published: list[int] = field(default_factory=list)
    #: Calls that failed and were settled later, by the name of the error.
    settled: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    reads: int = 0


class Client:
    """A session and a hub of one program; :meth:`run` works until *stop* is set."""

    def __init__(self, number: int, site: Site, stop: threading.Event) -> None:
        self.number = number
        self.ledger = Ledger()
        self.error: Optional[BaseException] = None
        self._site = site
        self._stop = stop
        self._random = random.Random(number)
        self._session = self._open()
        self._reader = self._open()
        self._project = self._session.get("Project", site.project)
        self._list = self._session.get("TypedContextList", site.lists[number % len(site.lists)])
        self._server = self._session.get("Location", SERVER_LOCATION_ID)
        self._origin = self._session.get("Location", ORIGIN_LOCATION_ID)
        self.own = self._new_task("own")
        self._asset = self._session.create(
            "Asset", {"name": f"asset-{number}", "parent": self._project}
        )
        self._session.commit()
        self.ledger.tasks[self.own["id"]] = (self.own["name"], "own")
        #: Received events: number of the client and number of its event.
        self.heard: list[tuple[int, int]] = []
        #: Ids of tasks whose creation an ``ftrack.update`` told.
        self.told: list[str] = []
        #: How often the hub has opened a lost connection again.
        self.reconnections = 0
        self._closing = threading.Event()
        hub = self._session.event_hub
        hub.connect()
        hub.subscribe("topic=chaos", self._hear)
        hub.subscribe("topic=ftrack.update", self._be_told)
        hub.subscribe("topic=ftrack.meta.reconnected", self._count_connection)
        self._waiting = threading.Thread(target=self._wait_for_events)
        self._working = threading.Thread(target=self._work)
        self._waiting.start()

    def _open(self) -> Session:
        """Return a session with a cache on Redis, shared by the sessions of this client."""

        def cache_of(session: Session) -> SerialisedCache:
            shared = RedisCache(self._site.redis, prefix=f"chaos-{self.number}:")
            return SerialisedCache(shared, session.encode, session.decode)

        return self._site.open_session(plugin_paths=[], cache=cache_of)

    # Events.

    def _hear(self, event: Event) -> None:
        self.heard.append((event["data"]["client"], event["data"]["number"]))

    def _be_told(self, event: Event) -> None:
        for entity in event["data"]["entities"]:
            if entity.get("entityType") == "task" and entity.get("action") == "add":
                self.told.append(entity["entityId"])

    def _count_connection(self, event: Event) -> None:
        self.reconnections += 1

    def _wait_for_events(self) -> None:
        while not self._closing.is_set():
            self._session.event_hub.wait(0.5)

    # Work.

    @property
    def retries(self) -> int:
        """Return how many requests the sessions have sent again."""
        return sum(one.statistics["retries"] for one in (self._session, self._reader))

    def start(self) -> None:
        """Begin to work."""
        self._working.start()

    def join(self) -> None:
        """Return when the last step of the work is settled."""
        self._working.join(2 * PATIENCE)
        assert not self._working.is_alive(), f"client {self.number} does not end"

    def close(self) -> None:
        """End the hub and the sessions."""
        self._closing.set()
        self._waiting.join(PATIENCE)
        self._session.close()
        self._reader.close()

    def _work(self) -> None:
        steps = [name for name, count in STEPS.items() for _ in range(count)]
        functions: dict[str, Callable[[], None]] = {
            "change": self._change,
            "upload": self._upload,
            "publish": self._publish,
            "read": self._read,
        }
        try:
            encoding = self._site.clip is not None and self.number < 2
            while not self._stop.is_set():
                functions[self._random.choice(steps)]()
                if encoding and self._random.random() < 0.1:
                    self._encode()
                time.sleep(0.05)
        except BaseException as error:
            self.error = error

    def _settled(self, call: Callable[[], Any]) -> Any:
        """Return the result of *call*, repeated while the server is out of reach."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return call()
            except exception.ServerConnectionError as error:
                if time.monotonic() > deadline:
                    raise
                self.ledger.settled[type(error).__name__] += 1
                time.sleep(0.2)

    def _commit(self) -> None:
        """Commit until the server has acknowledged; the session settles what is in doubt."""
        self._settled(self._session.commit)
        assert not self._session.in_doubt
        self.ledger.commits += 1

    def _new_task(self, value: str) -> Any:
        name = f"c{self.number}-{value}"
        task = self._session.create("Task", {"name": name, "parent": self._project})
        task["metadata"]["value"] = value
        return task

    def _change(self) -> None:
        """Create a task with metadata, a link and a place in a list, and raise two counters."""
        value = self.ledger.counter + 1
        task = self._new_task(str(value))
        linked, listed = value % 3 == 0, value % 4 == 0
        if linked:
            self._session.create("TypedContextLink", {"from": self.own, "to": task})
        if listed:
            self._list["items"].append(task)
        self.own["description"] = str(value)
        self._project["metadata"][f"client-{self.number}"] = str(value)
        self._commit()
        self.ledger.counter = value
        self.ledger.tasks[task["id"]] = (task["name"], str(value))
        if linked:
            self.ledger.links.add((self.own["id"], task["id"]))
        if listed:
            self.ledger.listed.add(task["id"])

    def _upload(self) -> None:
        """Create a component, and upload its file."""
        data = self._random.randbytes(self._random.randrange(1, 200_000))
        path = self._site.folder / f"{self.number}.bin"
        path.write_bytes(data)
        self._upload_file(path, "chaos")

    def _upload_file(self, path: pathlib.Path, name: str) -> Any:
        component = self._session.create_component(str(path), {"name": name}, location=None)
        self._commit()
        self._settled(lambda: self._add(component))
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        self.ledger.components[component["id"]] = checksum
        return component

    def _add(self, component: Any) -> None:
        """Add *component* to the location of the server, unless an earlier attempt has done it."""
        try:
            self._server.add_component(component, self._origin, recursive=False)
        except exception.ComponentInLocationError:
            self.ledger.settled["ComponentInLocationError"] += 1
        except exception.LocationError as error:
            raise exception.ServerConnectionError(str(error)) from error

    def _encode(self) -> None:
        """Upload a clip and ask for its encoding. A call without an answer is not acknowledged."""
        assert self._site.clip is not None
        version = self._session.create("AssetVersion", {"asset": self._asset})
        self._commit()
        component = self._upload_file(self._site.clip, "clip")
        try:
            job = self._session.encode_media(component, version["id"], keep_original=True)
        except exception.ServerConnectionError as error:
            self.ledger.settled[f"encode_media: {type(error).__name__}"] += 1
        else:
            self.ledger.jobs.append(job["id"])

    def _publish(self) -> None:
        """Publish the next event; the hub delivers it, now or after a new connection."""
        number = len(self.ledger.published)
        data = {"client": self.number, "number": number}
        self._session.event_hub.publish(Event("chaos", data=data))
        self.ledger.published.append(number)

    def _read(self) -> None:
        """Read an acknowledged task through the cache, and another one from the server."""
        known = sorted(self.ledger.tasks)
        cached, asked = self._random.choice(known), self._random.choice(known)
        task = self._settled(lambda: self._reader.get("Task", cached))
        assert task["name"] == self.ledger.tasks[cached][0]
        query = f'select name from Task where id is "{asked}"'
        found = self._settled(lambda: self._reader.query(query).one())
        assert found["name"] == self.ledger.tasks[asked][0]
        self.ledger.reads += 1
