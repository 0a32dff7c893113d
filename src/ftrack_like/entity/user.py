"""The behaviour of users."""

from __future__ import annotations

from typing import Optional

from ftrack_like import exception
from ftrack_like._collaborators import unit_of_work_of
from ftrack_like.entity.base import Entity

__all__ = ["User"]

#: How often a timer is stopped and started while other sessions start one as well.
_ATTEMPTS = 5


class User(Entity):
    """Somebody who works here."""

    def start_timer(
        self,
        context: Optional[Entity] = None,
        comment: str = "",
        name: Optional[str] = None,
        force: bool = False,
    ) -> Entity:
        """Start the user's timer, commit, and return the timer.

        It counts time spent on *context* and carries *comment* and *name*. A user has one timer:
        raise :exc:`~ftrack_like.exception.NotUniqueError` if it runs already, unless *force*,
        which stops it first and keeps its time as a time log.

        Whatever else was to be committed is committed too.
        """
        session = self.session
        if session.in_doubt:
            session.commit()  # It may be about this timer.
        for attempt in range(_ATTEMPTS):
            if force:
                self._stop_running_timer()
            data = {"user": self, "context": context, "name": name, "comment": comment}
            timer = session.create("Timer", data)
            try:
                session.commit()
            except exception.ServerError as error:
                if "DuplicateEntry" not in str(error) and not isinstance(
                    error, exception.NotUniqueError
                ):
                    raise
                unit_of_work_of(session).take_back([timer])
                if force and attempt < _ATTEMPTS - 1:
                    continue  # Another session has started one since.
                raise exception.NotUniqueError(
                    f"A timer is already running for {self}, maybe started by another session: "
                    "stop the timer first, or start with force=True."
                ) from error
            return timer
        raise AssertionError("unreachable")

    def _stop_running_timer(self) -> None:
        """Stop the user's timer if it runs."""
        try:
            self.stop_timer()
        except exception.NoResultFoundError:
            self.logger.debug("No timer of %s runs.", self)

    def stop_timer(self) -> Entity:
        """Stop the user's timer, commit, and return the new time log of what it counted.

        Raise :exc:`~ftrack_like.exception.NoResultFoundError` if it does not run, also if another
        session stops it at the same time: there is one time log. Whatever else was to be
        committed is committed too.
        """
        import arrow  # lazy: it is slow to import, and most scripts stop no timer

        session = self.session
        if session.in_doubt:
            session.commit()  # It may be about this timer.
        user_id = str(self["id"]).replace('"', '\\"')
        timer = session.query(
            "select id, user_id, context_id, start, name, comment "
            f'from Timer where user_id is "{user_id}"'
        ).one()
        elapsed = arrow.utcnow() - timer["start"]
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
        """Send the user a mail that invites to the site."""
        self.session.send_user_invite(self)

    def reset_api_key(self) -> str:
        """Give the user a new API key and return it. The old one stops working."""
        answer = self.session.reset_remote("api_key", entity=self)
        key: str = answer["api_key"]
        return key
