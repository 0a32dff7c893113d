"""The behaviour of users."""

from __future__ import annotations

from typing import Optional

from ftrack_like import exception
from ftrack_like._base.clocks import utc_now
from ftrack_like._base.collaborators import unit_of_work_of
from ftrack_like.entity.base import Entity

__all__ = ["User"]

#: The attempts to stop and start a timer while other sessions start timers.
_ATTEMPTS = 5


class User(Entity):
    """A user of the site."""

    def start_timer(
        self,
        context: Optional[Entity] = None,
        comment: str = "",
        name: Optional[str] = None,
        force: bool = False,
    ) -> Entity:
        """Start the user's timer, commit, and return the timer.

        The timer measures the time spent on *context*; it has *comment* and *name*. A user has at
        most one timer. With *force*, a running timer is stopped first and becomes a time log.
        Otherwise raise :exc:`~ftrack_like.exception.NotUniqueError` if a timer is running.

        All pending operations of the session are committed.
        """
        session = self.session
        if session.in_doubt:
            session.commit()  # The in-doubt batch may concern this timer.
        for attempt in range(_ATTEMPTS):
            if force:
                self._stop_running_timer()
            data = {"user": self, "context": context, "name": name, "comment": comment}
            timer = session.create("Timer", data)
            try:
                session.commit()
            except exception.BlockingCallError:
                unit_of_work_of(session).take_back([timer])  # Nothing was sent.
                raise
            except exception.ServerError as error:
                if "DuplicateEntry" not in str(error) and not isinstance(
                    error, exception.NotUniqueError
                ):
                    raise
                unit_of_work_of(session).take_back([timer])
                if force and attempt < _ATTEMPTS - 1:
                    continue  # Another session has started a timer since.
                raise exception.NotUniqueError(
                    f"A timer is already running for {self}; another session may have started it. "
                    "Stop the timer first, or start with force=True."
                ) from error
            return timer
        raise AssertionError("unreachable")

    def _stop_running_timer(self) -> None:
        """Stop the user's timer if it is running."""
        try:
            self.stop_timer()
        except exception.NoResultFoundError:
            self.logger.debug("No timer of %s is running.", self)

    def stop_timer(self) -> Entity:
        """Stop the user's timer, commit, and return the new time log with the measured time.

        All pending operations of the session are committed. Raise
        :exc:`~ftrack_like.exception.NoResultFoundError` if no timer is running. This includes the
        case that another session stops it at the same time; only that session creates a time log.
        """
        session = self.session
        if session.in_doubt:
            session.commit()  # The in-doubt batch may concern this timer.
        user_id = str(self["id"]).replace('"', '\\"')
        timer = session.query(
            "select id, user_id, context_id, start, name, comment "
            f'from Timer where user_id is "{user_id}"'
        ).one()
        elapsed = utc_now(session.server_url) - timer["start"]
        log = session.create(
            "Timelog",
            {
                "user_id": self["id"],
                "context_id": timer["context_id"],
                "comment": timer["comment"],
                "start": timer["start"],
                "duration": int(elapsed.total_seconds()),
                "name": timer["name"],
            },
        )
        session.delete(timer)
        try:
            session.commit()
        except exception.NotFoundError as error:
            if str(timer["id"]) not in str(error):
                raise
            unit_of_work_of(session).take_back([log, timer])
            raise exception.NoResultFoundError(
                f"The timer of {self} was stopped by another session at the same time."
            ) from error
        return log

    def send_invite(self) -> None:
        """Send the user a mail with an invitation to the site."""
        self.session.send_user_invite(self)

    def reset_api_key(self) -> str:
        """Create a new API key for the user and return it. The old key stops working."""
        answer = self.session.reset_remote("api_key", entity=self)
        key: str = answer["api_key"]
        return key
