"""Many hubs at once, and how long an event takes from one of them to the others."""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib
import resource
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

#: How many hubs each event is for, and how many events there are in a second.
AUDIENCE, RATE = 20, 100
#: How long to wait in the end for what is still on its way, in seconds.
PATIENCE = 15.0


class Crowd:
    """Hubs of the library *module_name*, *size* of them, that hear each other by way of a server.

    Each has a connection and a thread that waits, as in a program of its own. A group of them
    asks for the same events.
    """

    def __init__(self, module_name: str, size: int, server_url: str, user: str, key: str) -> None:
        hub: Any = importlib.import_module(f"{module_name}.event.hub")
        self._event: Any = importlib.import_module(f"{module_name}.event.base").Event
        self._groups = max(1, size // AUDIENCE)
        self._hubs = [hub.EventHub(server_url, user, key) for _ in range(size)]
        self._threads = [threading.Thread(target=self._wait, args=(each,)) for each in self._hubs]
        self._done = threading.Event()
        #: For each hub, how often it heard which event, and how long those took, in seconds.
        self._heard: list[dict[int, int]] = [{} for _ in range(size)]
        self.latencies: list[float] = []

    def __enter__(self) -> Crowd:
        """Connect all hubs, and let them wait."""
        _allow_many_files()
        _on_threads(self._enter, range(len(self._hubs)))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End all threads, then all connections."""
        self._done.set()
        for thread in self._threads:
            thread.join()
        _on_threads(lambda hub: hub.disconnect(), self._hubs)

    def talk(self, seconds: float) -> tuple[int, int]:
        """Publish for so many *seconds*; return how many deliveries are lost, and how many double.

        The hubs publish in turn, and nobody waits for anybody: an event that is due while another
        one takes long counts from when it was due.
        """
        total = round(seconds * RATE)
        begin = time.perf_counter() + 0.1
        for number in range(total):
            due = begin + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            data = {"number": number, "due": due, "group": f"g{number % self._groups}"}
            event = self._event(topic="bench.crowd", data=data)
            self._hubs[number % len(self._hubs)].publish(event)
        sizes = [len(range(group, len(self._hubs), self._groups)) for group in range(self._groups)]
        expected = sum(sizes[number % self._groups] for number in range(total))
        deadline = time.perf_counter() + PATIENCE
        while len(self.latencies) < expected and time.perf_counter() < deadline:
            time.sleep(0.05)
        different = sum(map(len, self._heard))
        return expected - different, len(self.latencies) - different

    def _enter(self, index: int) -> None:
        hub, heard = self._hubs[index], self._heard[index]

        def hear(event: Any) -> None:
            number = event["data"]["number"]
            heard[number] = heard.get(number, 0) + 1
            self.latencies.append(time.perf_counter() - event["data"]["due"])

        hub.connect()
        hub.subscribe(f"topic=bench.crowd and data.group=g{index % self._groups}", hear)
        hub.wait(0.5)  # Subscriptions travel like events.

    def _wait(self, hub: Any) -> None:
        while not self._done.is_set():
            hub.wait(0.5)


def _on_threads(function: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call *function* with each of *items*, sixteen at a time; raise what it raises."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(function, items))


def _allow_many_files() -> None:
    """Let this process have as many open files as it may: a socket is one."""
    with contextlib.suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
