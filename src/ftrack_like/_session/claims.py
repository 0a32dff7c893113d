"""One process at a time works on a version: claims that survive a killed process.

A claim is two rows of metadata of the version. The first row has a fixed key. The server refuses a
second row with that key, so only one of several processes can create it. The second row has the
owner's token in its key, and its value describes the work. The owner updates it every few seconds.
Another process takes over a claim whose owner is gone. It sends one batch that deletes the second
row and creates another. If several processes try this, only one finds the row to delete.

The owner proves its ownership at the end of the work: the commit that completes the work deletes
both rows. If another process has taken over the claim, the owner's row is gone, and the server
refuses the whole commit. So a process that slept too long cannot damage the work of another.

The owner also keeps a locked file on its machine. Other processes there test the lock and know at
once whether the owner runs. They need not wait for an update of the row.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._values.literals import quoted
from ftrack_like.accessor import _temporary
from ftrack_like.operation import CreateEntityOperation

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session

__all__ = ["Abandoned", "Claim", "claiming"]

_KEY = "ftrack_like.publishing"

_TOKEN = re.compile(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

#: Seconds between two updates of the owner's row, and seconds without an update until another
#: process takes over the claim.
_BEAT = 5.0
_LEASE = 30.0

#: Seconds between two looks at the claim of another process, at first and at most.
_FIRST_LOOK, _LONGEST_LOOK = 0.1, 2.0


class Abandoned(NamedTuple):
    """A claim whose owner is gone: its *token*, and the *content*, which describes the work."""

    token: str
    content: str


class _Owner(NamedTuple):
    """The row of an owner: its *key*, and its value as *text* and parsed as *value*."""

    key: str
    text: str
    value: Mapping[str, Any]


class Claim:
    """The claim of this process on a version.

    *token* is a new UUID. The ids of all entities made under the claim are derived from it, so a
    process that takes over the claim can find them. *abandoned* are the claims that this process
    took over. Their unfinished work may still be on the server.
    """

    def __init__(self, session: Session, version_id: str, token: str, content: str) -> None:
        """Prepare a claim; *content* is a text that describes the work."""
        self.token = token
        self.abandoned: list[Abandoned] = []
        self._session = session
        self._version_id = version_id
        self._content = content
        self._beats = 0
        self._ended = threading.Event()
        #: Whether no rows are on the server: not yet, or not any more.
        self._is_over = True
        #: Whether the next process has to find out how the work ended, and clean up.
        self.is_abandoned: bool = False

    def forget_abandoned(self) -> None:
        """Record on the server that the work of abandoned claims is cleaned up."""
        if self.abandoned:
            self.abandoned = []
            self._session.call([self._write("update")])

    def is_held(self) -> bool:
        """Return whether this process still owns the claim on the server."""
        return any(owner.key == self._key for owner in self._look()[1])

    @contextlib.contextmanager
    def ending(self, *component_ids: str) -> Generator[None, None, None]:
        """Delete the rows of the claim with the commit inside the context.

        The commit fails if the claim was lost. Then the context discards the pending operations for
        the components *component_ids* and for the rows.
        """
        session = self._session
        known = len(session.recorded_operations)
        for key in self._keys():
            values = {"parent_id": self._version_id, "key": key}
            session.delete(session.create("Metadata", values, reconstructing=True))
        try:
            yield
        except BaseException:
            # Otherwise every later commit would fail: it would delete rows that do not exist.
            recent = list(session.recorded_operations)[known:]
            own = _about(recent, {*component_ids, *self._keys()})
            session.recorded_operations.discard(own)
            raise
        self._is_over = True

    def acquire(self, deadline: Optional[float]) -> None:
        """Create the claim as soon as no other process has one.

        Raise :exc:`~ftrack_like.exception.MediaError` if another process still has it at
        *deadline*, a time of the monotonic clock in seconds. None waits without a limit.
        """
        seen: tuple[str, float] = ("", 0.0)
        wait = _FIRST_LOOK
        while True:
            is_claimed, owners = self._look()
            if all(self._is_gone(owner, seen) for owner in owners):
                if self._take(is_claimed, owners):
                    return
                continue
            text = "".join(owner.text for owner in owners)
            now = time.monotonic()
            if text != seen[0]:
                seen = (text, now)
            if deadline is not None and now >= deadline:
                raise exception.MediaError(
                    f"Another process publishes for the version {self._version_id} and did not "
                    "finish in the time given. Call again later."
                )
            left = _LONGEST_LOOK if deadline is None else max(deadline - now, 0.0)
            time.sleep(min(wait, left) * random.uniform(0.8, 1.2))
            wait = min(wait * 1.5, _LONGEST_LOOK)

    def keep_alive(self) -> None:
        """Update the owner's row regularly until the claim ends. Run this in a separate thread."""
        while not self._ended.wait(_BEAT):
            self._beats += 1
            try:
                self._session.call([self._write("update")])
            except exception.NotFoundError:
                return  # The claim ended or was lost. The final commit finds that out.
            except Exception as error:
                self._session.logger.debug("Could not update the claim: %s", error)

    def abandon(self) -> None:
        """Keep the rows on the server, so that the next process cleans up after this one."""
        self.is_abandoned = True

    def release(self) -> None:
        """Delete the rows unless a commit did, or the claim is abandoned. Ignore errors."""
        self._ended.set()
        if not self._is_over and not self.is_abandoned:
            with contextlib.suppress(Exception):
                self._session.call([self._payload("delete", key) for key in self._keys()])

    def _is_gone(self, owner: _Owner, seen: tuple[str, float]) -> bool:
        """Return whether the *owner* of a claim has stopped, as far as this process can know.

        *seen* is the value of its row at the last change, and the time when that value was first
        seen, in seconds of the monotonic clock.
        """
        # Other clients can write any text to the server. So the path comes from the token, and only
        # if the token is a UUID.
        token = owner.key[len(_KEY) + 1 :]
        lock = _lock_path(token)
        if _TOKEN.match(token) and os.path.isfile(lock):
            with contextlib.suppress(OSError):
                taken = _temporary.claim_existing(lock)
                if taken is not None:
                    taken.discard()
                return taken is not None
        return owner.text == seen[0] and time.monotonic() - seen[1] > _LEASE

    def _take(self, is_claimed: bool, owners: Sequence[_Owner]) -> bool:
        """Try to replace the claims of *owners*, which are gone; return whether it worked."""
        self.abandoned = [each for owner in owners for each in _abandoned_of(owner)]
        batch = [self._payload("delete", owner.key) for owner in owners]
        if not owners:
            # A first row without a second is left over from a broken claim. Delete it and create
            # both.
            batch = [self._payload("delete", _KEY)] if is_claimed else []
            batch.append(self._write("create", _KEY))
        batch.append(self._write("create"))
        self._is_over = False  # An interruption may come between the call and its answer.
        try:
            self._session.call(batch)
        except (exception.NotFoundError, exception.NotUniqueError):
            self._is_over = True
            return False  # Another process was faster.
        return True

    def _look(self) -> tuple[bool, list[_Owner]]:
        """Return whether the version has a first row, and the rows of owners."""
        expression = (
            "select key, value from Metadata "
            f"where parent_id is {quoted(self._version_id)} and key like {quoted(_KEY + '%')}"
        )
        found = self._session.call([{"action": "query", "expression": expression}])[0]["data"]
        rows = {str(each["key"]): str(each["value"]) for each in found}
        owners = [
            _Owner(key, text, _value_of(text))
            for key, text in rows.items()
            if key.startswith(f"{_KEY}.")
        ]
        return _KEY in rows, owners

    @property
    def _key(self) -> str:
        """The key of this owner's row."""
        return f"{_KEY}.{self.token}"

    def _keys(self) -> list[str]:
        """Return the keys of both rows, this owner's first."""
        return [self._key, _KEY]

    def _write(self, action: str, key: Optional[str] = None) -> dict[str, Any]:
        """Return the payload for *action* on the row *key*, by default on this owner's row."""
        value: dict[str, Any] = {}
        if key is None:
            value = {
                "content": self._content,
                "beat": self._beats,
                "abandoned": self.abandoned,
            }
        data: dict[str, Any] = {"__entity_type__": "Metadata", "value": json.dumps(value)}
        payload = self._payload(action, key or self._key)
        if action == "create":
            data.update(parent_id=self._version_id, parent_type="AssetVersion")
            data["key"] = payload["entity_key"][1]
        return {**payload, "entity_data": data}

    def _payload(self, action: str, key: str) -> dict[str, Any]:
        """Return the payload for *action* on the row *key*, without data."""
        return {
            "action": action,
            "entity_type": "Metadata",
            "entity_key": [self._version_id, key],
        }


@contextlib.contextmanager
def claiming(
    session: Session, version_id: str, content: str, deadline: Optional[float]
) -> Generator[Claim, None, None]:
    """Yield the only claim on the version, as soon as no other process has one.

    *content* describes the work, for a process that has to take over. *deadline* is as for
    :meth:`Claim.acquire`, which raises when it passes. The claim ends with the context at the
    latest.
    """
    token = str(uuid.uuid4())
    lock = _temporary.claim_new(_lock_path(token))
    claim = Claim(session, version_id, token, content)
    thread = threading.Thread(target=claim.keep_alive, name="ftrack-like-claim", daemon=True)
    try:
        claim.acquire(deadline)
        thread.start()
        yield claim
    finally:
        claim.release()
        if thread.ident is not None:
            thread.join(_BEAT)
        if lock is not None and claim.is_abandoned:
            lock.leave()  # The next process on this machine then sees that the owner is gone.
        elif lock is not None:
            lock.discard()


def _about(operations: Sequence[Operation], ids: set[Any]) -> list[Operation]:
    """Return those of *operations* for the entities *ids*, and for new entities that refer to them.

    A new row that refers to a component may have changes of its own.
    """
    named = set(ids)
    for each in operations:
        if isinstance(each, CreateEntityOperation):
            values = {value for value in each.entity_data.values() if isinstance(value, str)}
            if not ids.isdisjoint(values):
                named |= set(each.entity_key.values())
    return [each for each in operations if not named.isdisjoint(each.entity_key.values())]


def _lock_path(token: str) -> str:
    """Return the path of the file that the owner with *token* keeps locked."""
    return os.path.join(tempfile.gettempdir(), f"ftrack-like-{token}.lock")


def _value_of(text: Json) -> Mapping[str, Any]:
    """Return the mapping that *text*, the value of a row, contains; an empty one for other text."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _abandoned_of(owner: _Owner) -> list[Abandoned]:
    """Return the claim of *owner*, and the claims that it took over before."""
    token = owner.key[len(_KEY) + 1 :]
    earlier = owner.value.get("abandoned")
    found = [(token, owner.value.get("content")), *(earlier if isinstance(earlier, list) else ())]
    return [Abandoned(str(one), str(what)) for one, what in found if _TOKEN.match(str(one))]
