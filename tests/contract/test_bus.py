"""What goes out on the bus, and what happens when the bus refuses it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from billing.adapters.bus import BusEvents, EventsNotTakenError
from billing.domain.account import AccountRef
from billing.domain.records import Event, EventType
from contract.aws import NOON, moto


class RecordingOutbox:
    def __init__(self) -> None:
        self.forgotten: list[Event] = []

    def forget(self, events: Sequence[Event]) -> None:
        self.forgotten += events


class RecordingBus:
    """A bus that refuses the events named."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.requests: list[list[dict[str, Any]]] = []

    # Any: it stands in for boto3's client, made at run time.
    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803 boto3's own names
        self.requests.append(Entries)
        answers = [
            {"ErrorCode": "ThrottlingException"}
            if json.loads(entry["Detail"])["id"] in self.refused
            else {"EventId": "1"}
            for entry in Entries
        ]
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}


def event(event_id: str) -> Event:
    return Event(
        event_id=event_id,
        type=EventType.RECHARGE_SUCCEEDED,
        account=AccountRef("acme", "main"),
        occurred_at=NOON,
        data={"amount": {"amount": "25.00", "currency": "USD"}},
    )


def events_on(bus: Any, outbox: RecordingOutbox | None = None) -> BusEvents:
    return BusEvents("talktime", bus, outbox or RecordingOutbox())


def test_an_event_goes_out_as_a_cloud_event() -> None:
    bus = RecordingBus()
    events_on(bus).publish([event("recharge/1:recharge.succeeded")])
    ((entry,),) = bus.requests
    assert (entry["Source"], entry["DetailType"]) == ("talktime", "recharge.succeeded")
    assert (entry["EventBusName"], entry["Time"]) == ("talktime", NOON)
    assert json.loads(entry["Detail"]) == {
        "specversion": "1.0",
        "id": "recharge/1:recharge.succeeded",
        "source": "/talktime/tenants/acme/accounts/main",
        "type": "recharge.succeeded",
        "time": "2026-03-14T12:00:00+00:00",
        "datacontenttype": "application/json",
        "tenant": "acme",
        "account": "main",
        "data": {"amount": {"amount": "25.00", "currency": "USD"}},
    }


def test_a_real_bus_takes_more_events_than_one_request_carries() -> None:
    with moto() as aws:
        client = aws.client("events")
        client.create_event_bus(Name="talktime")
        events_on(client).publish([event(str(number)) for number in range(23)])


def test_requests_carry_ten_events_at_most_and_keep_their_order() -> None:
    bus = RecordingBus()
    events_on(bus).publish([event(str(number)) for number in range(23)])
    assert [len(request) for request in bus.requests] == [10, 10, 3]
    sent = [json.loads(entry["Detail"])["id"] for request in bus.requests for entry in request]
    assert sent == [str(number) for number in range(23)]


def test_a_refused_event_is_an_error_that_says_how_many_and_why() -> None:
    with pytest.raises(EventsNotTakenError, match="1 of 3 events: ThrottlingException"):
        events_on(RecordingBus("1")).publish([event(str(number)) for number in range(3)])


def test_what_was_published_is_forgotten_in_the_outbox_only_when_told() -> None:
    outbox = RecordingOutbox()
    events = events_on(RecordingBus(), outbox)
    events.publish([event("1")])
    assert outbox.forgotten == []
    events.forget([event("1")])
    assert outbox.forgotten == [event("1")]
