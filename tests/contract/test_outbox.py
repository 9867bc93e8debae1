"""Events as the stream brings them, and gone once they are published."""

import pytest

from billing.adapters.dynamodb.outbox import DynamoDBOutbox, Outgoing, is_event, outgoing
from billing.adapters.dynamodb.table import Table
from billing.domain.records import Event, EventType
from builders import NOON, a_touch, an_account, an_opening
from contract.beds import Bed

pytestmark = pytest.mark.parametrize(
    "bed", ["moto", pytest.param("cloud", marks=pytest.mark.cloud)], indirect=True
)


def fields(event: Event) -> tuple[object, ...]:
    return event.event_id, event.type, event.account, event.occurred_at, event.data


def images(bed: Bed) -> list[Outgoing]:
    return [outgoing(image) for image in bed.contents() if is_event(image)]


def test_events_come_back_from_their_images_in_order(bed: Bed) -> None:
    account = bed.commit(an_opening(an_account()))
    told = [
        Event(f"cause/{type_}", type_, account.ref, NOON, {"balance": {"amount": "-1.50"}})
        for type_ in sorted(EventType)
    ]
    account = bed.commit(a_touch(account, "first", events=tuple(told)))
    again = Event("another", EventType.BALANCE_LOW, account.ref, NOON, {})
    bed.commit(a_touch(account, "second", events=(again,)))
    assert [fields(event) for event in images(bed)] == [fields(event) for event in (*told, again)]


def test_what_is_published_is_forgotten_and_the_rest_stays(bed: Bed) -> None:
    account = bed.commit(an_opening(an_account()))
    told = tuple(Event(f"cause/{t}", t, account.ref, NOON, {}) for t in sorted(EventType))
    bed.commit(a_touch(account, "first", events=told))
    outbox = DynamoDBOutbox(Table(bed.table_name))
    first, *rest = images(bed)
    outbox.forget([first])
    outbox.forget([first])
    assert images(bed) == rest
    assert bed.book.account(account.ref).version == 2
