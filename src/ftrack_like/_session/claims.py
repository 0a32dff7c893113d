"""One process at a time works on a version: claims that survive kills.

A claim is two rows of metadata of the version. The first has a fixed key: the server refuses a
second one, so only one of several processes makes it. The second has the owner's token in its key
and states what the owner does; the owner changes it every few seconds. A claim whose owner is gone
is taken over by one batch, which deletes the second row and makes another. Of several processes
that try it, only one finds the row to delete.

Ownership is proven at the end, not assumed: the commit that completes the work deletes both rows.
If another process took the claim over, the owner's row is gone, and the server refuses the whole
commit. So a process that slept too long spoils nothing.

The owner also holds a locked file on its machine. Other processes there see at once, by the lock,
whether the owner still runs, and need not wait for signs of life.
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
from ftrack_like._literals import quoted
from ftrack_like.accessor import _temporary

if TYPE_CHECKING:
    from ftrack_like._types import Json
    from ftrack_like.session import Session

__all__ = ["Abandoned", "Claim", "claiming"]

_KEY = "ftrack_like.publishing"

_TOKEN = re.compile(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

#: Seconds between two signs of life, and after how many without one a claim is taken over.
_BEAT = 5.0
_LEASE = 30.0

#: Seconds between two looks at the claim of somebody else, at first and at most.
_FIRST_LOOK, _LONGEST_LOOK = 0.1, 2.0


class Abandoned(NamedTuple):
    """A claim whose owner is gone: its *token*, and the *content* that the owner worked on."""

    token: str
    content: str


class _Owner(NamedTuple):
    """The row of an owner: its *key*, and what it states as *text* and as *value*."""

    key: str
    text: str
    value: Mapping[str, Any]


class Claim:
    """The claim that this process has on a version.

    *token* is a new UUID that belongs to it alone: ids of what is made under the claim follow
    from it, so that whoever takes the claim over finds what was left. *abandoned* are the claims
    that were taken over and whose left-overs may still be there.
    """

    def __init__(self, session: Session, version_id: str, token: str, content: str) -> None:
        """Initialise for the *content*, a text."""
        self.token = token
        self.abandoned: list[Abandoned] = []
        self._session = session
        self._version_id = version_id
        self._content = content
        self._beats = 0
        self._ended = threading.Event()
        #: Whether there is nothing to end: not yet, or not any more.
        self._is_over = True
        #: Whether the next process has to find out what became of the work, and clean up.
        self.is_abandoned: bool = False

    def forget_abandoned(self) -> None:
        """Take note on the server that nothing of abandoned claims is left."""
        if self.abandoned:
            self.abandoned = []
            self._session.call([self._write("update")])

    def is_held(self) -> bool:
        """Return whether the claim still belongs to this process; ask the server."""
        return any(owner.key == self._key for owner in self._look()[1])

    @contextlib.contextmanager
    def ending(self, component_id: str) -> Generator[None, None, None]:
        """Let the commit within the context end the claim; it fails if the claim was lost.

        What is recorded about the component *component_id* is taken back when it fails.
        """
        session = self._session
        known = len(session.recorded_operations)
        for key in self._keys():
            values = {"parent_id": self._version_id, "key": key}
            session.delete(session.create("Metadata", values, reconstructing=True))
        try:
            yield
        except BaseException:
            # Else every later commit would delete what is not there.
            about = {component_id, *self._keys()}
            recent = list(session.recorded_operations)[known:]
            own = [each for each in recent if not about.isdisjoint(each.entity_key.values())]
            session.recorded_operations.discard(own)
            raise
        self._is_over = True

    def acquire(self, deadline: Optional[float]) -> None:
        """Make the claim, once no other process has one.

        Raise :exc:`~ftrack_like.exception.MediaError` if that takes until *deadline*, a time of
        the monotonic clock.
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
                    f"Another process publishes for the version {self._version_id} and is not done "
                    "in the time given. Call again later."
                )
            left = _LONGEST_LOOK if deadline is None else max(deadline - now, 0.0)
            time.sleep(min(wait, left) * random.uniform(0.8, 1.2))
            wait = min(wait * 1.5, _LONGEST_LOOK)

    def keep_alive(self) -> None:
        """Give signs of life until the claim ends. Run in a thread of its own."""
        while not self._ended.wait(_BEAT):
            self._beats += 1
            try:
                self._session.call([self._write("update")])
            except exception.NotFoundError:
                return  # The claim ended, or was lost: the commit at the end finds that out.
            except Exception as error:
                self._session.logger.debug("A sign of life could not be sent: %s", error)

    def abandon(self) -> None:
        """Leave the claim as it is, for the next process to clean up after this one."""
        self.is_abandoned = True

    def release(self) -> None:
        """End the claim, if it did not end by a commit; say nothing if that fails."""
        self._ended.set()
        if not self._is_over and not self.is_abandoned:
            with contextlib.suppress(Exception):
                self._session.call([self._payload("delete", key) for key in self._keys()])

    def _is_gone(self, owner: _Owner, seen: tuple[str, float]) -> bool:
        """Return whether the *owner* of a claim runs no longer, as far as can be told.

        *seen* is the text that was last seen there, and when it was first seen.
        """
        # The path follows from the token, for others may write what they like to the server.
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
        """Return whether the claim could be made in place of *owners*, which are gone."""
        self.abandoned = [each for owner in owners for each in _abandoned_of(owner)]
        batch = [self._payload("delete", owner.key) for owner in owners]
        if not owners:
            # A first row without the second is no claim: one of those who see it makes it anew.
            batch = [self._payload("delete", _KEY)] if is_claimed else []
            batch.append(self._write("create", _KEY))
        batch.append(self._write("create"))
        try:
            self._session.call(batch)
        except (exception.NotFoundError, exception.NotUniqueError):
            return False  # Another process was quicker.
        self._is_over = False
        return True

    def _look(self) -> tuple[bool, list[_Owner]]:
        """Return whether the version is claimed, and by whom."""
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
        """Return the key of the row of this owner."""
        return f"{_KEY}.{self.token}"

    def _keys(self) -> list[str]:
        """Return the keys of both rows, that of this owner first."""
        return [self._key, _KEY]

    def _write(self, action: str, key: Optional[str] = None) -> dict[str, Any]:
        """Return the payload of *action* on the row with *key*, by default that of this owner."""
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
        """Return the payload of *action* on the row with *key*."""
        return {
            "action": action,
            "entity_type": "Metadata",
            "entity_key": [self._version_id, key],
        }


@contextlib.contextmanager
def claiming(
    session: Session, version_id: str, content: str, deadline: Optional[float]
) -> Generator[Claim, None, None]:
    """Yield the only claim on the version, made when no other process has one.

    *content* says what is worked on, for whoever has to take over. *deadline* is as for
    :meth:`Claim.acquire`. The claim ends with the context at the latest.
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
            lock.leave()  # So the next process on this machine sees that the owner is gone.
        elif lock is not None:
            lock.discard()


def _lock_path(token: str) -> str:
    """Return the path of the file that the owner with the *token* holds locked."""
    return os.path.join(tempfile.gettempdir(), f"ftrack-like-{token}.lock")


def _value_of(text: Json) -> Mapping[str, Any]:
    """Return what the *text* of a claim states, nothing if it is no claim of ours."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _abandoned_of(owner: _Owner) -> list[Abandoned]:
    """Return the claim of *owner*, and those that it took over before."""
    token = owner.key[len(_KEY) + 1 :]
    earlier = owner.value.get("abandoned")
    found = [(token, owner.value.get("content")), *(earlier if isinstance(earlier, list) else ())]
    return [Abandoned(str(one), str(what)) for one, what in found if _TOKEN.match(str(one))]
