"""The clients through which the checks speak with a server: each sends batches of operations."""

from __future__ import annotations

import abc
import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any, Optional

import requests

__all__ = ["CLIENTS", "Client", "Problem", "connect", "hide"]

#: The names that ``--client`` accepts.
CLIENTS = ("http", "ours", "published", "javascript")

_SECONDS = 120

#: What a report must not show, and what it shows in its place.
_HIDDEN: dict[str, str] = {}
_SECRET_PARAMETERS = re.compile(r"\b(apiKey|api_key|username|holder|signature)=[^&\s\"']+")


def hide(text: str) -> str:
    """Return *text* without addresses of servers, names of users who speak, and their keys."""
    for secret in sorted(_HIDDEN, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN[secret])
    return _SECRET_PARAMETERS.sub(r"\1=…", text)


class Problem(Exception):
    """An error that the server answered: the *name* of its class and its *text*.

    A client that does not pass the name on gives its own name for the error.
    """

    def __init__(self, name: str, text: str, code: Optional[str] = None, status: int = 0) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text
        self.code = code
        self.status = status


class Client(abc.ABC):
    """Sends batches to the server at *url* for *user*, who has *key*."""

    #: The name of the client in reports.
    name = ""
    #: Whether a :class:`Problem` has the name and the code that the server sent.
    tells_names = False
    #: Whether the client sends batches as they are, whatever they contain.
    sends_anything = False

    def __init__(self, url: str, user: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self.key = key
        host = self.url.partition("://")[2]
        found = {self.url: "SERVER", host: "SERVER", key: "KEY"}
        _HIDDEN.update({secret: shown for secret, shown in found.items() if secret})

    @abc.abstractmethod
    def call(self, operations: list[dict[str, Any]]) -> list[Any]:
        """Return the decoded results of *operations*; raise :class:`Problem` for an error."""

    def of(self, user: str, key: str) -> Client:
        """Return a client of the same kind for *user*, who has *key*."""
        return type(self)(self.url, user, key)

    @abc.abstractmethod
    def close(self) -> None:
        """Give the connection back."""


class HttpClient(Client):
    """Sends requests without any client library."""

    name = "http"
    tells_names = True
    sends_anything = True

    def __init__(self, url: str, user: str, key: str) -> None:
        super().__init__(url, user, key)
        self.http = requests.Session()
        self.http.headers.update(
            {"ftrack-user": user, "ftrack-api-key": key, "ftrack-strict-api": "true"}
        )

    def call(self, operations: list[dict[str, Any]]) -> list[Any]:
        """Return the results of *operations*."""
        answer = self.http.post(f"{self.url}/api", json=operations, timeout=_SECONDS)
        result = answer.json()
        if isinstance(result, dict) and "exception" in result:
            raise Problem(
                result["exception"], result["content"], result.get("error_code"), answer.status_code
            )
        found: list[Any] = result
        return found

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


class SessionClient(Client):
    """Sends requests with the ``Session`` of a Python module; results stay plain JSON."""

    def __init__(self, url: str, user: str, key: str, module: str) -> None:
        super().__init__(url, user, key)
        api = importlib.import_module(module)

        class PlainSession(api.Session):  # type: ignore[misc, name-defined]
            """A session whose answers are not made into entities."""

            def decode(self, string: str) -> Any:
                """Return the JSON in *string*."""
                return json.loads(string)

        self._error = api.exception.ServerError
        try:
            self.session = PlainSession(
                server_url=url, api_key=key, api_user=user, auto_connect_event_hub=False
            )
        except self._error as error:
            raise Problem(type(error).__name__, str(error)) from error

    def call(self, operations: list[dict[str, Any]]) -> list[Any]:
        """Return the results of *operations*."""
        try:
            found: list[Any] = self.session.call(operations)
        except self._error as error:
            raise Problem(type(error).__name__, str(error)) from error
        return found

    def close(self) -> None:
        """Close the session."""
        self.session.close()


class OurClient(SessionClient):
    """Sends requests with ftrack-like."""

    name = "ours"

    def __init__(self, url: str, user: str, key: str) -> None:
        super().__init__(url, user, key, "ftrack_like")


class PublishedClient(SessionClient):
    """Sends requests with the published Python client, where it is installed."""

    name = "published"

    def __init__(self, url: str, user: str, key: str) -> None:
        super().__init__(url, user, key, "ftrack_api")


class JavaScriptClient(Client):
    """Sends requests with the published JavaScript client, in a process of Node.js.

    *folder* has the client in its ``node_modules``.
    """

    name = "javascript"

    def __init__(self, url: str, user: str, key: str, folder: Path) -> None:
        super().__init__(url, user, key)
        self._folder = folder
        script = folder / "bridge.mjs"
        script.write_text((Path(__file__).parent / "bridge.mjs").read_text(encoding="utf-8"))
        self._process = subprocess.Popen(
            ["node", str(script), url, user, key],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def of(self, user: str, key: str) -> Client:
        """Return a client in a process of its own for *user*, who has *key*."""
        return JavaScriptClient(self.url, user, key, self._folder)

    def call(self, operations: list[dict[str, Any]]) -> list[Any]:
        """Return the results of *operations*."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(operations) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process of the JavaScript client has ended"
        told = json.loads(line)
        if "problem" in told:
            raise Problem(told["problem"], told["text"], told.get("code"))
        found: list[Any] = told["results"]
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_SECONDS)


def connect(name: str, url: str, user: str, key: str, folder: Optional[Path] = None) -> Client:
    """Return the client called *name*, connected to the server at *url*."""
    if name == "javascript":
        assert folder is not None
        return JavaScriptClient(url, user, key, folder)
    kinds: dict[str, type[Client]] = {
        "http": HttpClient,
        "ours": OurClient,
        "published": PublishedClient,
    }
    return kinds[name](url, user, key)
