"""The outbox: events as the table's stream brings them, and gone from the table once published."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import Raw
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.quarantine import parked_of
from billing.adapters.dynamodb.table import Table
from billing.domain.quarantine_told import quarantined_event
from billing.domain.records import Event


@dataclass(frozen=True, slots=True)
class Outgoing(Event):
    """An event that knows where in the outbox it lies."""

    key: Key


def is_event(image: Raw) -> bool:
    """Whether a new image is of an event; the stream's filter lets nothing else through."""
    return keys.is_event(str(image["pk"]["S"]))


def outgoing(image: Raw) -> Outgoing:
    """The event of a stream record's new image."""
    event = items.record_of(Event, image)
    return Outgoing(
        event_id=event.event_id,
        type=event.type,
        account=event.account,
        occurred_at=event.occurred_at,
        data=event.data,
        key=Key(str(image["pk"]["S"]), str(image["sk"]["S"])),
    )


def is_parked(image: Raw) -> bool:
    """Whether a new image is of usage that was parked, which the stream brings as it brings events:
    whoever parks writes one item, and needs no key to any account's outbox."""
    return keys.is_quarantine(str(image["pk"]["S"]))


def quarantined(image: Raw) -> Event | None:
    """What is told of it; None: nothing."""
    return quarantined_event(parked_of(image))


class DynamoDBOutbox:
    """Forgets what was published. Deleting what is gone already changes nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def forget(self, events: Sequence[Event]) -> None:
        for event in events:
            assert isinstance(event, Outgoing), "events are forgotten as they came from the stream"
            self._table.delete(event.key)
