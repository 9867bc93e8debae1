"""Events as the stream brings them, and gone once they are published."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.dynamodb.outbox import (
    DynamoDBOutbox,
    Outgoing,
    is_event,
    is_parked,
    outgoing,
    quarantined,
)
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.domain.quarantine import posting_id
from billing.domain.records import Event, EventType
from billing.ports import Parked
from builders import ACME, NOON, a_touch, a_usage_event, an_account, an_opening
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


def parked(**overrides: Any) -> Parked:
    """What posting parks of an event that has no price."""
    event = a_usage_event(1)
    item = Parked(
        parked_id=posting_id(ACME, "destination_not_rated", event),
        reason="destination_not_rated",
        detail="no rate for +999",
        connection_id=event.connection_id,
        account=ACME,
        event=event.to_json(),
        parked_at=NOON,
    )
    return replace(item, **overrides)


def told(bed: Bed, *items: Parked) -> list[Event]:
    """What the stream's images of parked usage tell, in the order of the table."""
    quarantine = DynamoDBQuarantine(Table(bed.table_name))
    for item in items:
        quarantine.park(item)
    found = [quarantined(image) for image in bed.contents() if is_parked(image)]
    return [event for event in found if event is not None]


def test_whose_usage_is_parked_is_told_so(bed: Bed) -> None:
    item = parked()
    # Delivered once more it is the item that stands already: the stream brings no new one.
    (event,) = told(bed, item, replace(item, parked_at=NOON + timedelta(hours=1)))
    assert event.event_id == f"main/quarantine/{item.parked_id}/usage.quarantined"
    assert (event.type, event.account, event.occurred_at) == ("usage.quarantined", ACME, NOON)
    key = a_usage_event(1).key
    assert event.data == {
        "item": item.parked_id,
        "reason": "destination_not_rated",
        "detail": "no rate for +999",
        "call": {
            "provider": key.provider,
            "provider_account": key.provider_account,
            "call_id": key.call_id,
        },
    }


def test_what_cannot_be_read_is_told_without_a_call(bed: Bed) -> None:
    (event,) = told(bed, parked(reason="unreadable", event={"CallSid": "CA1"}))
    assert (event.data["reason"], event.data["call"]) == ("unreadable", None)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({"account": None, "reason": "account_not_mapped"}, id="of no known account"),
        pytest.param({"reason": "not_found"}, id="of an account that does not exist"),
    ],
)
def test_what_is_nobodys_is_the_operators_alone_to_see(bed: Bed, overrides: dict[str, Any]) -> None:
    assert told(bed, parked(**overrides)) == []
