"""The stream's new images, as the publisher takes them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from billing.adapters.dynamodb import items, quarantine
from billing.domain.quarantine import posting_id
from billing.domain.records import Event, EventType
from billing.ports import Parked
from billing.services.publish_events import PublishEvents
from builders import ACME, NOON, a_usage_event
from events.publish import handle
from fakes.world import RecordingWorkQueue


class Bus:
    """Keeps what it takes, and is out of order when told to be."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.forgotten: list[str] = []
        self.refuses = False

    def publish(self, events: Sequence[Event]) -> None:
        if self.refuses:
            raise OSError("the bus is gone")
        self.published += [event.type for event in events]

    def forget(self, events: Sequence[Event]) -> None:
        self.forgotten += [event.type for event in events]


def image_of(parked: Parked) -> Mapping[str, Any]:
    return quarantine._item(parked).serialize()


def a_record(image: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
    dynamodb = {"NewImage": image, "SequenceNumber": str(number)}
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": dynamodb}


USAGE = a_usage_event(1)
PARKED = Parked(
    parked_id=posting_id(ACME, "destination_not_rated", USAGE),
    reason="destination_not_rated",
    detail="no rate for +999",
    connection_id=USAGE.connection_id,
    account=ACME,
    event=USAGE.to_json(),
    parked_at=NOON,
)
UNMAPPED = Parked("0" * 32, "account_not_mapped", "not mapped", "twilio", None, {}, NOON)
METRICS = Metrics(namespace="Talktime", service="events.publish")
LOW = Event("main/1/balance.low", EventType.BALANCE_LOW, ACME, NOON, {})


def test_events_are_published_and_forgotten_and_parked_usage_is_told() -> None:
    bus = Bus()
    images = [items.event_item(7, LOW).serialize(), image_of(PARKED), image_of(UNMAPPED)]
    event = {"Records": [a_record(image, number) for number, image in enumerate(images)]}
    assert handle(event, PublishEvents(bus, RecordingWorkQueue()), METRICS) == {
        "batchItemFailures": []
    }
    assert bus.published == ["balance.low", "usage.quarantined"]
    assert bus.forgotten == ["balance.low"]


def test_parked_usage_that_the_bus_does_not_take_is_named_and_comes_again() -> None:
    bus = Bus()
    bus.refuses = True
    publish = PublishEvents(bus, RecordingWorkQueue())
    event = {"Records": [a_record(image_of(PARKED), 9)]}
    assert handle(event, publish, METRICS) == {"batchItemFailures": [{"itemIdentifier": "9"}]}
    bus.refuses = False
    assert handle(event, publish, METRICS) == {"batchItemFailures": []}
    assert bus.published == ["usage.quarantined"]


def test_outcomes_of_recharges_are_counted_once_they_are_published(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = [EventType.RECHARGE_SUCCEEDED, EventType.RECHARGE_FAILED, EventType.RECHARGE_SUCCEEDED]
    happened = [Event(f"main/{n}", kind, ACME, NOON, {}) for n, kind in enumerate(kinds)]
    images = [items.event_item(n, event).serialize() for n, event in enumerate(happened)]
    event = {"Records": [a_record(image, number) for number, image in enumerate(images)]}
    bus = Bus()
    bus.refuses = True
    handle(event, PublishEvents(bus, RecordingWorkQueue()), METRICS)
    assert counted(capsys) == []
    bus.refuses = False
    handle(event, PublishEvents(bus, RecordingWorkQueue()), METRICS)
    (emitted,) = counted(capsys)
    assert (sum(emitted["RechargesSucceeded"]), emitted["RechargesFailed"]) == (2, [1])
    assert "acme" not in json.dumps(emitted)


def counted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]
