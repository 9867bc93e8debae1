"""Publish what Changes have put into the outbox, then forget it."""

from collections.abc import Sequence

from billing.domain.account import Standing
from billing.domain.documents import InvoiceState
from billing.domain.records import Event, EventType
from billing.ports import Events, WorkQueue


class PublishEvents:
    """Publishes at least once: a crash in between publishes again, under the same event ids.

    Args:
        recharge_queue: The queue of the worker that collects: an early recharge waits for no sweep,
            nor does an invoice, or who can be asked for one that is past due.
    """

    def __init__(self, events: Events, recharge_queue: WorkQueue) -> None:
        self._events = events
        self._recharge_queue = recharge_queue

    def publish(self, events: Sequence[Event]) -> None:
        """Hand on what is to be collected at once, put all on the bus, and only then delete them.

        The queue comes first, so that a crash before the bus repeats both. The event's id makes a
        repetition within minutes the same message, and a later one finds nothing to collect.

        Raises:
            TalktimeError: The queue or the bus did not take all of them; all stay in the outbox.
        """
        for event in events:
            if is_at_once(event):
                self._recharge_queue.send([event.account], event.event_id)
        self._events.publish(events)
        self._events.forget(events)

    def tell(self, events: Sequence[Event]) -> None:
        """Put on the bus what lies in no outbox: there is nothing to forget.

        Raises:
            TalktimeError: The bus did not take all of them; tell them again.
        """
        self._events.publish(events)


def is_at_once(event: Event) -> bool:
    """Whether the event announces a recharge that the wallet cannot wait a cycle for, an invoice,
    or a source that one has been waiting for."""
    if event.type is EventType.RECHARGE_SCHEDULED:
        return event.data.get("at_once") is True
    if event.type is EventType.INVOICE_ISSUED:
        return event.data.get("state") == InvoiceState.OPEN
    is_owing = event.data.get("standing") in (Standing.PAST_DUE, Standing.SUSPENDED)
    return event.type is EventType.FUNDING_SOURCE_ADDED and is_owing
