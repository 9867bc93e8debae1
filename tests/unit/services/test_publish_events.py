"""What goes out of the outbox, and what an early recharge does beside it."""

from collections.abc import Sequence

import pytest

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.records import Event, EventType
from billing.services.publish_events import PublishEvents
from builders import ACME, NOON
from fakes.world import RecordingWorkQueue


class Bus:
    """Keeps what it takes; refuses the next publication when told to."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.forgotten: list[str] = []
        self.refuses = False

    def publish(self, events: Sequence[Event]) -> None:
        if self.refuses:
            raise OSError("the bus is gone")
        self.published += [event.event_id for event in events]

    def forget(self, events: Sequence[Event]) -> None:
        self.forgotten += [event.event_id for event in events]


def scheduled(data: dict[str, Json], type_: EventType = EventType.RECHARGE_SCHEDULED) -> Event:
    return Event(f"main/v7/{type_}", type_, ACME, NOON, data)


AT_ONCE = scheduled({"reason": "early", "at_once": True})


def test_an_early_recharge_goes_to_the_worker_as_well_as_to_the_bus() -> None:
    bus, queue = Bus(), RecordingWorkQueue()
    PublishEvents(bus, queue).publish([AT_ONCE])
    assert queue.waiting == [(ACME, AT_ONCE.event_id)]
    assert bus.published == bus.forgotten == [AT_ONCE.event_id]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(scheduled({"state": "open"}, EventType.INVOICE_ISSUED), id="an invoice"),
        pytest.param(
            scheduled({"standing": "past_due"}, EventType.FUNDING_SOURCE_ADDED),
            id="who could pay one",
        ),
    ],
)
def test_what_can_be_collected_waits_for_no_sweep(event: Event) -> None:
    queue = RecordingWorkQueue()
    PublishEvents(Bus(), queue).publish([event])
    assert queue.waiting == [(ACME, event.event_id)]


def test_a_source_of_an_account_that_owes_nothing_waits_for_the_sweep() -> None:
    queue = RecordingWorkQueue()
    added = scheduled({"standing": "good"}, EventType.FUNDING_SOURCE_ADDED)
    PublishEvents(Bus(), queue).publish([added])
    assert queue.waiting == []


def test_what_lies_in_no_outbox_is_told_and_not_forgotten() -> None:
    bus = Bus()
    PublishEvents(bus, RecordingWorkQueue()).tell([scheduled({}, EventType.USAGE_QUARANTINED)])
    assert (len(bus.published), bus.forgotten) == (1, [])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(scheduled({"reason": "low", "at_once": False}), id="the next cycle's"),
        pytest.param(scheduled({}), id="one that says nothing of it"),
        pytest.param(scheduled({"at_once": "true"}), id="one that says it otherwise"),
        pytest.param(
            scheduled({"at_once": True}, EventType.RECHARGE_LIMITED), id="one that collects nothing"
        ),
        pytest.param(scheduled({"state": "paid"}, EventType.INVOICE_ISSUED), id="one that is paid"),
    ],
)
def test_every_other_event_is_published_alone(event: Event) -> None:
    bus, queue = Bus(), RecordingWorkQueue()
    PublishEvents(bus, queue).publish([event])
    assert queue.waiting == []
    assert bus.published == [event.event_id]


def test_a_bus_that_refuses_has_the_same_message_sent_again() -> None:
    bus, queue = Bus(), RecordingWorkQueue()
    publish_events = PublishEvents(bus, queue)
    bus.refuses = True
    with pytest.raises(OSError, match="the bus is gone"):
        publish_events.publish([AT_ONCE])
    assert queue.waiting == [(ACME, AT_ONCE.event_id)], "a crash never loses the payment"
    assert bus.forgotten == []
    bus.refuses = False
    publish_events.publish([AT_ONCE])
    assert queue.waiting == [(ACME, AT_ONCE.event_id)], "the queue sees one message"
    assert bus.published == [AT_ONCE.event_id]


class BrokenQueue(RecordingWorkQueue):
    def send(self, refs: object, cause: str) -> int:
        raise OSError("the queue is gone")


def test_a_queue_that_is_gone_leaves_the_event_in_the_outbox() -> None:
    bus = Bus()
    with pytest.raises(OSError, match="the queue is gone"):
        PublishEvents(bus, BrokenQueue()).publish([AT_ONCE])
    assert bus.published == bus.forgotten == []


def test_each_account_has_its_own_message() -> None:
    queue = RecordingWorkQueue()
    other = Event(AT_ONCE.event_id, AT_ONCE.type, AccountRef("globex", "main"), NOON, AT_ONCE.data)
    PublishEvents(Bus(), queue).publish([AT_ONCE, other])
    assert queue.take() == [ACME, other.account]
