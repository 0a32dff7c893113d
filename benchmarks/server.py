"""A server with canned answers: fast enough to be no part of what is measured.

One thread a connection reads requests from the socket and answers from memory. It understands as
much of the protocol as the workloads need: server information, schemas, queries of tasks by page
or by id, creates, updates and deletes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import socket
import threading
import time
from typing import Any, Callable

from benchmarks import pages

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
WINDOW = re.compile(r"\b(offset|limit) (\d+)")
PROJECTIONS = re.compile(r"^\s*select (.*?) from ", re.DOTALL)
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Canned:
    """The answers. *total* is the number of tasks, *schemas* the list of JSON schemas."""

    def __init__(self, total: int, schemas: list[dict[str, Any]]) -> None:
        self.total = total
        self.schemas = schemas
        self.schema_hash = hashlib.md5(json.dumps(schemas, sort_keys=True).encode()).hexdigest()
        self.pages = {
            offset: pages.page(offset, pages.PAGE_SIZE, total)
            for offset in range(0, max(total, 1), pages.PAGE_SIZE)
        }
        self.numbers = {pages.make_id("task", number): number for number in range(total)}
        self.requests = 0
        self.actions: dict[str, Callable[[dict[str, Any]], Any]] = {
            "query_server_information": self.information,
            "query_schemas": lambda operation: self.schemas,
            "query": self.query,
            "create": self.echo,
            "update": self.echo,
            "delete": lambda operation: {"action": "delete", "data": True},
        }

    def information(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Return what the server says of itself."""
        return {
            "version": "25.10.1",
            "schema_hash": self.schema_hash,
            "is_timezone_support_enabled": True,
            "storage_scenario": {"scenario": "ftrack.automatic", "data": {}},
        }

    def echo(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Return a created or updated entity: its key and what was sent."""
        data = dict(operation["entity_data"])
        data.setdefault("id", operation["entity_key"][0])
        return {"action": operation["action"], "data": data}

    def query(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Return the tasks whose ids stand in the expression, with what it selects of them."""
        expression = operation["expression"]
        selected = PROJECTIONS.match(expression)
        names = [name.strip() for name in selected[1].split(",")] if selected else ["id"]
        numbers = [
            self.numbers[found] for found in IDS.findall(expression) if found in self.numbers
        ]
        return pages.result([self.pick(number, names) for number in numbers], None)

    def pick(self, number: int, names: list[str]) -> dict[str, Any]:
        """Return the task *number* with the heads of the paths *names* alone."""
        record = {"__entity_type__": "Task", "id": pages.make_id("task", number)}
        full = {**pages.scalars(number), **pages.task(number)}
        full.setdefault("priority_id", pages.make_id("priority", number % 4))
        for name in names:
            head = name.split(".")[0]
            record[head] = full.get(head)
        return record

    def answer(self, body: bytes) -> bytes:
        """Return the answer to the request *body*."""
        self.requests += 1
        operations = json.loads(body)
        if len(operations) == 1 and operations[0]["action"] == "query":
            expression = operations[0]["expression"]
            window = {word: int(number) for word, number in WINDOW.findall(expression)}
            if not IDS.search(expression) and "limit" in window:
                offset, limit = window.get("offset", 0), window["limit"]
                known = self.pages.get(offset) if limit == pages.PAGE_SIZE else None
                return known or pages.page(offset, limit, self.total)
        return json.dumps([self.actions[item["action"]](item) for item in operations]).encode()


def serve(connection: socket.socket, canned: Canned, latency: float) -> None:
    """Answer the requests of one *connection* until it is closed, *latency* seconds after each."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = b""
    while True:
        while b"\r\n\r\n" not in waiting:
            received = connection.recv(1 << 16)
            if not received:
                return
            waiting += received
        head, waiting = waiting.split(b"\r\n\r\n", 1)
        found = LENGTH.search(head)
        length = int(found[1]) if found else 0
        while len(waiting) < length:
            received = connection.recv(1 << 20)
            if not received:
                return
            waiting += received
        body, waiting = waiting[:length], waiting[length:]
        answer = canned.answer(body) if body else b'{"requests": %d}' % canned.requests
        if latency:
            time.sleep(latency)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"FTRACK_VERSION: 25.10.1\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        )


def main() -> None:
    """Serve on a free port of this machine, print the address, and go on until killed."""
    parser = argparse.ArgumentParser(description="a server with canned answers")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before answers")
    parser.add_argument("--schemas", required=True, help="a JSON file with the list of schemas")
    options = parser.parse_args()
    with open(options.schemas, encoding="utf-8") as file:
        canned = Canned(options.tasks, json.load(file))
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listener.accept()
        arguments = (connection, canned, options.latency)
        threading.Thread(target=serve, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
