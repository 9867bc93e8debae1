"""The outbox: events as the table's stream brings them, and gone from the table once published."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import Raw
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.table import Table
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


class DynamoDBOutbox:
    """Forgets what was published. Deleting what is gone already changes nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def forget(self, events: Sequence[Event]) -> None:
        for event in events:
            assert isinstance(event, Outgoing), "events are forgotten as they came from the stream"
            self._table.delete(event.key)
