"""Taking events in from a tenant's own systems: each is answered for, and none is lost."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.usage import MAX_CLOCK_AHEAD, CallKey, UsageEvent
from billing.services.ingest_events import Ingested, IngestedStatus, IngestEvents
from builders import ACME, GLOBEX, NOON, an_account, an_opening
from fakes.book import InMemoryBook
from fakes.stores import InMemoryQuarantine
from fakes.world import FixedClock, RecordingUsageQueue

SALES = AccountRef("acme", "sales")
ENDED_AT = NOON - timedelta(seconds=1)
ACCEPTED = Ingested(IngestedStatus.ACCEPTED)
DUPLICATE = Ingested(IngestedStatus.DUPLICATE_IN_BATCH)
CONFLICT = Ingested(IngestedStatus.PARKED, "conflicting_report")


def an_event(call_id: str = "c-1", source: str = "urn:dialler:1", **changes: Any) -> dict[str, Any]:
    data = {
        "call_id": call_id,
        "account": "main",
        "direction": "outbound",
        "from": "+14155550100",
        "to": "+14155550123",
        "answered_at": (ENDED_AT - timedelta(seconds=61)).isoformat(),
        "ended_at": ENDED_AT.isoformat(),
        "billable_seconds": 61,
        "status": "completed",
    }
    return {
        "specversion": "1.0",
        "id": f"event of {call_id}",
        "source": source,
        "type": "call.ended",
        "data": data | changes,
    }


class World:
    """Three accounts of two tenants, and everything around them in memory."""

    def __init__(self) -> None:
        self.book = InMemoryBook()
        for ref in (ACME, SALES, GLOBEX):
            self.book.commit(an_opening(an_account(ref)))
        self.quarantine = InMemoryQuarantine()
        self.queue = RecordingUsageQueue()
        self.clock = FixedClock(NOON)
        self.service = IngestEvents(
            book=self.book, quarantine=self.quarantine, queue=self.queue, clock=self.clock
        )
        self.first: AccountRef | None = ACME

    def ingest(self, *events: object, tenant: str = "acme") -> list[Ingested]:
        return self.service.ingest(tenant, events, self.first_account)

    def first_account(self) -> AccountRef:
        if self.first is None:
            raise NotFoundError("the tenant has no account")
        return self.first

    @property
    def queued(self) -> list[tuple[AccountRef, str]]:
        return [(ref, event.key.call_id) for ref, events in self.queue.waiting for event in events]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_accepted_waits_for_its_account(world: World) -> None:
    events = [an_event("c-1"), an_event("c-2", account="sales"), an_event("c-3")]
    assert world.ingest(*events) == [ACCEPTED] * 3
    assert world.queued == [(ACME, "c-1"), (ACME, "c-3"), (SALES, "c-2")]
    assert len(world.queue.waiting) == 2, "one message for each account"


def test_the_source_and_the_usages_own_id_name_it(world: World) -> None:
    world.ingest(an_event("c-1"))
    ((_, (usage,)),) = world.queue.waiting
    assert usage.key == CallKey("api", "urn:dialler:1", "c-1")
    assert (usage.quantity, usage.ended_at, usage.connection_id) == (61, ENDED_AT, "api")


def test_the_same_id_of_two_sources_is_two_calls(world: World) -> None:
    assert world.ingest(an_event(source="one"), an_event(source="two")) == [ACCEPTED] * 2


def test_a_separator_within_a_part_makes_no_other_key() -> None:
    keys = [CallKey("api", "a#b", "c"), CallKey("api", "a", "b#c"), CallKey("api", "a%23b", "c")]
    assert len({str(key) for key in keys}) == 3


def test_default_is_the_tenants_first_account(world: World) -> None:
    world.first = SALES
    assert world.ingest(an_event(account="default")) == [ACCEPTED]
    assert world.queued == [(SALES, "c-1")]


def test_a_batch_again_is_the_same_messages(world: World) -> None:
    batch = [an_event("c-1"), an_event("c-2", account="sales")]
    assert world.ingest(*batch) == world.ingest(*batch) == [ACCEPTED] * 2
    assert world.queued == [(ACME, "c-1"), (SALES, "c-2")]


def test_no_events_are_no_results(world: World) -> None:
    assert world.ingest() == []
    assert world.queue.waiting == []


# One batch says it twice


def test_the_same_call_again_is_a_duplicate(world: World) -> None:
    again = an_event() | {"id": "delivered again"}
    assert world.ingest(an_event(), again, an_event()) == [ACCEPTED, DUPLICATE, DUPLICATE]
    assert world.queued == [(ACME, "c-1")]
    assert world.quarantine.parked(None, 9) == []


def test_default_and_its_name_are_one_account(world: World) -> None:
    assert world.ingest(an_event(), an_event(account="default")) == [ACCEPTED, DUPLICATE]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"billable_seconds": 60}, id="other seconds"),
        pytest.param({"to": "+14155550124"}, id="another number"),
        pytest.param({"direction": "inbound"}, id="another direction"),
        pytest.param({"account": "sales"}, id="another account"),
    ],
)
def test_the_same_call_with_other_content_is_parked_in_sight(
    world: World, changes: dict[str, Any]
) -> None:
    batch = [an_event(), an_event(**changes)]
    assert world.ingest(*batch) == [ACCEPTED, CONFLICT]
    assert world.queued == [(ACME, "c-1")]
    assert world.ingest(*batch) == [ACCEPTED, CONFLICT]
    (parked,) = world.quarantine.parked(None, 9)
    assert (parked.reason, parked.parked_at) == ("conflicting_report", NOON)
    assert parked.account == (SALES if "account" in changes else ACME)
    assert UsageEvent.from_json(parked.event).key.call_id == "c-1"


def test_a_refused_event_stands_in_nobodys_way(world: World) -> None:
    found = world.ingest(an_event(account="nowhere"), an_event())
    assert [ingested.status for ingested in found] == ["rejected", "accepted"]


# What is rejected


def pointers(world: World, event: object, tenant: str = "acme") -> set[str]:
    before = world.queue.waiting
    (ingested,) = world.ingest(event, tenant=tenant)
    assert ingested.status is IngestedStatus.REJECTED
    assert world.queue.waiting == before
    assert world.quarantine.parked(None, 9) == []
    return {fault.pointer for fault in ingested.faults}


@pytest.mark.parametrize("name", ["nowhere", "globex", "globex#main", "MAIN", "main ", "..", "a/b"])
def test_an_account_the_tenant_does_not_have_is_not_found(world: World, name: str) -> None:
    assert pointers(world, an_event(account=name)) == {"/data/account"}


def test_anothers_account_looks_like_none(world: World) -> None:
    theirs = an_event(account="sales")
    nobodys = an_event(account="nowhere")
    assert world.ingest(theirs, tenant="globex") == world.ingest(nobodys, tenant="globex")
    (found,) = world.ingest(theirs, tenant="globex")
    assert found.code == "not_found"
    assert world.queue.waiting == []


def test_a_tenant_without_an_account_has_no_default(world: World) -> None:
    world.first = None
    assert pointers(world, an_event(account="default")) == {"/data/account"}


@pytest.mark.parametrize(
    ("ahead", "status"),
    [
        pytest.param(MAX_CLOCK_AHEAD, "accepted", id="as far as a clock may be ahead"),
        pytest.param(MAX_CLOCK_AHEAD + timedelta(microseconds=1), "rejected", id="further"),
    ],
)
def test_usage_does_not_end_in_the_future(world: World, ahead: timedelta, status: str) -> None:
    (found,) = world.ingest(an_event(ended_at=(NOON + ahead).isoformat()))
    assert found.status == status
    assert {fault.pointer for fault in found.faults} <= {"/data/ended_at"}


def test_a_message_in_the_future_names_its_own_field(world: World) -> None:
    data = {
        "message_id": "m-1",
        "account": "main",
        "to": "+14155550123",
        "occurred_at": (NOON + timedelta(days=1)).isoformat(),
    }
    event = an_event() | {"type": "message.sent", "data": data}
    assert pointers(world, event) == {"/data/occurred_at"}


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2000-01-01T00:00:00Z", set()), ("1999-12-31T23:59:59.999999Z", {"/data/ended_at"})],
)
def test_a_clock_that_was_not_set_is_seen(world: World, at: str, expected: set[str]) -> None:
    event = an_event(answered_at=None, ended_at=at, billable_seconds=0, status="busy")
    (found,) = world.ingest(event)
    assert {fault.pointer for fault in found.faults} == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s" * 128, set()),
        ("s" * 129, {"/source"}),
        ("", {"/source"}),
        ("a source", {"/source"}),
        ("köln", {"/source"}),
        (5, {"/source"}),
    ],
)
def test_a_source_names_usage_for_ever(world: World, source: Any, expected: set[str]) -> None:
    (found,) = world.ingest(an_event(source=source))
    assert {fault.pointer for fault in found.faults} == expected


@pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"data": {}}, {"type": []}])
def test_whatever_is_no_event_is_refused(world: World, event: object) -> None:
    assert pointers(world, event)


def test_every_fault_is_named_and_the_others_go_on(world: World) -> None:
    wrong = an_event(billable_seconds=-1, to="", surprise=1) | {"specversion": "0.3"}
    first, second, third = world.ingest(an_event("c-1"), wrong, an_event("c-3"))
    assert (first, third) == (ACCEPTED, ACCEPTED)
    assert second.code == "invalid_usage"
    assert {fault.pointer for fault in second.faults} == {
        "/specversion",
        "/data/billable_seconds",
        "/data/to",
        "/data/surprise",
    }
    assert world.queued == [(ACME, "c-1"), (ACME, "c-3")]


# Nothing is lost


class FailingQueue(RecordingUsageQueue):
    """A queue that is full after so many messages."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self._left = takes

    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        if not self._left:
            raise ConnectionError("the queue is gone")
        self._left -= 1
        super().send(ref, events, cause)


@pytest.mark.parametrize("takes", [0, 1])
def test_a_queue_that_fails_is_no_answer(world: World, takes: int) -> None:
    queue = FailingQueue(takes)
    failing = IngestEvents(
        book=world.book, quarantine=world.quarantine, queue=queue, clock=world.clock
    )
    batch = [an_event("c-1"), an_event("c-2", account="sales")]
    with pytest.raises(ConnectionError):
        failing.ingest("acme", batch, world.first_account)
    assert len(queue.waiting) == takes
    assert world.ingest(*batch) == [ACCEPTED] * 2
