"""Tell the server which subscribers a hub has, and handle the server's answers."""

from __future__ import annotations

import functools
from typing import Callable

from ftrack_like import exception
from ftrack_like.event.consumers import Consumer
from ftrack_like.event.courier import Courier
from ftrack_like.event.durable import DurableSubscriptions
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.pending import PacketAnswer
from ftrack_like.event.router import Router
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.wire.events import Event, EventData

__all__ = ["Announcements"]


class Announcements:
    """Announces subscribers to the server, and withdraws them. Any thread may use it."""

    def __init__(
        self, seams: HubSeams, router: Router, courier: Courier, durable: DurableSubscriptions
    ) -> None:
        """Initialise for the hub behind *seams*, with its other parts."""
        self._seams = seams
        self._router = router
        self._courier = courier
        self._durable = durable

    def announce(self, subscriber: Subscriber) -> None:
        """Tell the server about *subscriber*.

        Raise EventHubConnectionError if the connection is broken.
        """
        if self._seams.get_subscriber(subscriber.metadata["id"]) is not subscriber:
            self._courier.answered(subscriber)  # no answer will come: it was unsubscribed
            return
        data = {"subscriber": subscriber.metadata, "subscription": str(subscriber.subscription)}
        self._send("ftrack.meta.subscribe", data, self._seams.subscribed, subscriber)

    def withdraw(self, subscriber: Subscriber) -> None:
        """Tell the server that *subscriber* was removed, if the server knows the subscriber."""
        self._durable.leave(subscriber.callback)
        if not self._courier.withdraw(subscriber) or not self._seams.connected():
            return
        data = {"subscriber": subscriber.metadata}
        try:
            self._send("ftrack.meta.unsubscribe", data, self._seams.unsubscribed, subscriber)
        except exception.EventHubConnectionError as error:
            self._seams.logger.debug(
                f"The server was not told to unsubscribe {subscriber}: {error}"
            )

    def withdraw_all(self) -> None:
        """Remove all subscribers, and tell the server."""
        for subscriber in self._router.clear():
            self.withdraw(subscriber)

    def _send(
        self,
        topic: str,
        data: EventData,
        on_answer: Callable[[Subscriber, PacketAnswer], object],
        subscriber: Subscriber,
    ) -> None:
        """Send an event about *subscriber*; *on_answer* is called with the server's answer."""
        event = Event(topic=topic, data=data)
        self._seams.prepare_event(event)
        self._seams.emit(event, functools.partial(on_answer, subscriber))

    def subscribed(self, subscriber: Subscriber, response: PacketAnswer) -> None:
        """Handle the answer *response* about a new *subscriber*."""
        self._courier.answered(subscriber)
        if response.get("success"):
            self._durable.on_subscribed(subscriber, response)
            return
        continues = isinstance(subscriber.callback, Consumer)
        retries = self._courier.retry(subscriber, continues)
        again = " It will be tried again." if retries else ""
        self._seams.logger.warning(
            f"Server failed to subscribe subscriber {subscriber.metadata['id']}: "
            f"{response.get('message')}{again}"
        )

    def unsubscribed(self, subscriber: Subscriber, response: PacketAnswer) -> None:
        """Handle the answer *response* about a removed *subscriber*."""
        if not response.get("success"):
            self._seams.logger.warning(
                f"Server failed to unsubscribe subscriber {subscriber.metadata['id']}: "
                f"{response.get('message')}"
            )
