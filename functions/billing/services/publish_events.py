"""Publish what Changes have put into the outbox, then forget it."""

from collections.abc import Sequence

from billing.domain.records import Event
from billing.ports import Events


class PublishEvents:
    """Publishes at least once: a crash in between publishes again, under the same event ids."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def publish(self, events: Sequence[Event]) -> None:
        """Put the events on the bus, and only then delete them from the outbox.

        Raises:
            TalktimeError: The bus did not take all of them; all stay in the outbox.
        """
        self._events.publish(events)
        self._events.forget(events)
