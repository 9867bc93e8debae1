"""The quarantine as people use it: see, fix, replay, dismiss; and the count that raises alarms."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.domain.errors import (
    AccountNotMappedError,
    ConflictError,
    InvalidInputError,
    InvalidUsageError,
    ItemClosedError,
    NotFoundError,
)
from billing.domain.quarantine import Parked, ParkedState
from billing.domain.usage import UsageEvent
from billing.ports import Connection
from billing.services.age_quarantine import AgeQuarantine, QuarantineAge
from billing.services.fix_parked import FixParked
from billing.services.read_quarantine import MAX_READ, ReadQuarantine, Wanted
from billing.services.replay_parked import MAX_REPLAYED, ReplayParked
from builders import ACME, GLOBEX, TWILIO_ACCOUNT, a_usage_event, an_account, an_opening
from fakes.stores import InMemoryConnections, InMemoryQuarantine
from fakes.world import RecordingUsageQueue
from unit.world import OPENED, World
from usage_ingest.age_quarantine import handle

UNRATED = "+4930123456"
WHOLE = OPENED + timedelta(days=3)


class Quarantined(World):
    """A world with a queue in front of posting, and the people who look after the quarantine."""

    def __init__(self) -> None:
        super().__init__(WHOLE)
        self.open()
        self.upload(effective_at=OPENED)
        self.connections = InMemoryConnections()
        self.queue = RecordingUsageQueue()
        self.read = ReadQuarantine(self.quarantine, self.book)
        self.fixing = FixParked(self.quarantine, self.book, self.clock)
        self.replaying = ReplayParked(
            quarantine=self.quarantine,
            book=self.book,
            connections=self.connections,
            queue=self.queue,
            clock=self.clock,
        )
        self.aging = AgeQuarantine(self.quarantine, self.book, self.clock)

    def report(self, number: int = 1, **overrides: Any) -> UsageEvent:
        """Post a call; what is special about it may park it."""
        event = a_usage_event(number, WHOLE, **overrides)
        self.post_usage.post(ACME, [event])
        return event

    def only(self, reason: str) -> Parked:
        (found,) = self.read.find(Wanted(reason=reason), None, 100).items
        return found

    def fix(self, parked: Parked, **changes: Any) -> Parked:
        return self.fixing.fix(parked, changes, "kim")

    def replay(self, parked: Parked) -> Parked:
        return self.replaying.replay(parked.parked_id, "kim")

    def work(self) -> None:
        """Post what waits in the queue."""
        self.clock.advance(timedelta(seconds=1))
        for ref, events in self.queue.take():
            self.post_usage.post(ref, events)

    def park_unmapped(self, number: int = 1, **overrides: Any) -> Parked:
        event = a_usage_event(number, WHOLE, **overrides)
        parked = Parked(
            parked_id=digest([number])[:32],
            reason="account_not_mapped",
            detail="the connection maps it to no account",
            connection_id="acme-twilio",
            account=None,
            event=event.to_json(),
            parked_at=self.clock.now(),
        )
        self.quarantine.park(parked)
        return parked

    def connect(self, account: AccountRef | None = None, **accounts: AccountRef) -> None:
        seen = next(iter(self.connections.all()), None)
        version = seen.version if seen else 0
        connection = Connection(
            "acme-twilio", "twilio", ("s",), account, accounts, version + 1, OPENED
        )
        self.connections.save(connection, version)

    @property
    def posted(self) -> int:
        return self.account.totals.calls


@pytest.fixture
def world() -> Quarantined:
    return Quarantined()


# From parked to posted


def test_a_fixed_and_replayed_call_is_posted_once_and_resolved(world: Quarantined) -> None:
    world.report(to_number=UNRATED)
    parked = world.fix(world.only("destination_not_rated"), to="+14155550123")
    assert parked.state is ParkedState.FIXED
    assert world.replay(parked).state is ParkedState.REPLAYED
    assert world.posted == 0
    world.work()
    assert world.posted == 1
    found = world.read.get(parked.parked_id)
    assert (found.state, found.closed_at) == (ParkedState.RESOLVED, world.clock.now())
    assert world.is_proven()


def test_replaying_again_is_harmless(world: Quarantined) -> None:
    world.report(to_number=UNRATED)
    world.upload("prefix,destination,rate\n1,US,0.6\n49,Germany,0.6\n", version=2)
    parked = world.only("destination_not_rated")
    for _ in range(3):
        world.replay(parked)
    # Each is a message of its own: none is mistaken for the one before it.
    assert len(world.queue.waiting) == 3
    world.work()
    assert world.posted == 1
    resolved = world.replay(parked)
    assert (resolved.state, resolved.attempts) == (ParkedState.RESOLVED, 3)
    assert world.queue.waiting == []


def test_what_still_cannot_be_posted_says_that_it_was_replayed_in_vain(world: Quarantined) -> None:
    world.report(to_number=UNRATED)
    for attempt in (1, 2):
        parked = world.only("destination_not_rated")
        world.replay(parked)
        world.work()
        found = world.only("destination_not_rated")
        assert (found.state, found.attempts) == (ParkedState.PARKED, attempt)
        assert found.returned_at == world.clock.now()
        assert found.parked_at == parked.parked_at


def test_an_item_that_is_parked_for_another_reason_names_its_successor(world: Quarantined) -> None:
    world.connect(ACME)
    parked = world.park_unmapped(to_number=UNRATED)
    world.replay(parked)
    world.work()
    successor = world.only("destination_not_rated")
    found = world.read.get(parked.parked_id)
    assert (found.state, found.parked_as) == (ParkedState.RESOLVED, successor.parked_id)
    assert successor.state is ParkedState.PARKED
    assert world.aging.age().waiting == 1


def test_a_successor_that_was_dismissed_before_settles_nothing(world: Quarantined) -> None:
    world.connect(ACME)
    event = world.report(to_number=UNRATED)
    dismissed = world.only("destination_not_rated")
    world.fixing.dismiss(dismissed.parked_id, "a test call", "kim")
    world.clock.advance(timedelta(minutes=1))
    parked = world.park_unmapped(to_number=UNRATED)
    assert parked.usage().key == event.key
    world.replay(parked)
    world.work()
    # Nobody has decided about this one.
    assert world.read.get(parked.parked_id).state is ParkedState.REPLAYED


def test_usage_that_was_posted_some_other_way_waits_for_nobody(world: Quarantined) -> None:
    event = world.report(to_number=UNRATED)
    world.upload("prefix,destination,rate\n1,US,0.6\n49,Germany,0.6\n", version=2)
    world.post_usage.post(ACME, [event])
    assert world.only("destination_not_rated").state is ParkedState.RESOLVED


def test_a_replayed_conflict_stays_a_conflict(world: Quarantined) -> None:
    recorded = world.report()
    world.post_usage.post(ACME, [replace(recorded, quantity=62)], redelivered=True)
    balance = world.account.wallet_micros
    for _ in range(2):
        world.replay(world.only("conflicting_report"))
        world.work()
    found = world.only("conflicting_report")
    assert (found.state, found.attempts) == (ParkedState.PARKED, 2)
    assert world.account.wallet_micros == balance
    assert world.book.calls("acme", [recorded.key])[recorded.key].event.quantity == 61


def test_a_conflict_fixed_to_what_is_recorded_is_over(world: Quarantined) -> None:
    recorded = world.report()
    world.post_usage.post(ACME, [replace(recorded, quantity=62)], redelivered=True)
    fixed = world.fix(world.only("conflicting_report"), quantity=61)
    assert world.read.get(fixed.parked_id).state is ParkedState.RESOLVED
    assert world.posted == 1


# Whose it is


def test_the_mapping_is_looked_up_again(world: Quarantined) -> None:
    parked = world.park_unmapped()
    with pytest.raises(AccountNotMappedError):
        world.replay(parked)
    world.connect()
    with pytest.raises(AccountNotMappedError):
        world.replay(parked)
    assert world.quarantine.get(parked.parked_id) == parked
    world.connect(None, **{TWILIO_ACCOUNT: ACME})
    assert world.replay(parked).account == ACME
    assert [ref for ref, _ in world.queue.waiting] == [ACME]
    world.work()
    assert world.posted == 1


def test_a_fixed_account_is_stronger_than_the_mapping(world: Quarantined) -> None:
    sales = AccountRef("acme", "sales")
    world.book.commit(an_opening(an_account(sales, OPENED)))
    world.connect(ACME)
    parked = world.fix(world.park_unmapped(), account=["acme", "sales"])
    assert world.replay(parked).account == sales


def test_an_account_that_does_not_exist_is_no_fix(world: Quarantined) -> None:
    parked = world.park_unmapped()
    with pytest.raises(InvalidInputError) as refused:
        world.fix(parked, account=["acme", "nobodys"])
    assert refused.value.field == "account"


@pytest.mark.parametrize("account", [["globex", "main"], None])
def test_a_recorded_call_is_not_moved_to_another_tenant(
    world: Quarantined, account: list[str] | None
) -> None:
    """A call is its own guard within its tenant; moved, it would be billed twice."""
    world.open(GLOBEX)
    recorded = world.report()
    world.post_usage.post(ACME, [replace(recorded, quantity=62)], redelivered=True)
    with pytest.raises(InvalidInputError) as refused:
        world.fix(world.only("conflicting_report"), account=account)
    assert refused.value.field == "account"


def test_what_is_not_recorded_may_go_to_another_tenant(world: Quarantined) -> None:
    world.open(GLOBEX)
    world.report(to_number=UNRATED)
    moved = world.fix(world.only("destination_not_rated"), account=["globex", "main"])
    assert moved.account == GLOBEX


# Refusals


def test_what_cannot_be_read_is_fixed_before_it_is_replayed(world: Quarantined) -> None:
    parked = replace(world.park_unmapped(), parked_id="1" * 32, event={"CallSid": "CA1"})
    world.quarantine.park(parked)
    with pytest.raises(InvalidUsageError):
        world.replay(parked)
    assert world.quarantine.get("1" * 32) == parked


def test_what_was_dismissed_is_not_replayed(world: Quarantined) -> None:
    world.report(to_number=UNRATED)
    parked = world.only("destination_not_rated")
    world.fixing.dismiss(parked.parked_id, "a test call", "kim")
    with pytest.raises(ItemClosedError):
        world.replay(parked)
    world.report(to_number=UNRATED)
    assert world.only("destination_not_rated").state is ParkedState.DISMISSED


def test_what_is_not_there_is_not_found(world: Quarantined) -> None:
    for ask in (world.read.get, lambda id_: world.replaying.replay(id_, "kim")):
        with pytest.raises(NotFoundError):
            ask("0" * 32)


def test_a_fix_of_what_has_changed_since_is_refused(world: Quarantined) -> None:
    world.report(to_number=UNRATED)
    seen = world.only("destination_not_rated")
    world.fix(seen, quantity=60)
    with pytest.raises(ConflictError):
        world.fix(seen, quantity=59)


def test_an_item_is_marked_before_it_is_sent(world: Quarantined) -> None:
    """Otherwise posting could park it again before anybody knew that it was replayed."""
    world.report(to_number=UNRATED)
    parked = world.only("destination_not_rated")

    class Broken(RecordingUsageQueue):
        def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
            assert world.quarantine.get(parked.parked_id).state is ParkedState.REPLAYED
            raise ConnectionError

    world.replaying = ReplayParked(
        quarantine=world.quarantine,
        book=world.book,
        connections=world.connections,
        queue=Broken(),
        clock=world.clock,
    )
    with pytest.raises(ConnectionError):
        world.replay(parked)
    assert world.aging.age().waiting == 1


# Many at once


def test_many_are_replayed_in_bounded_steps(world: Quarantined) -> None:
    world.connect(ACME)
    for number in range(1, MAX_REPLAYED + 31):
        world.park_unmapped(number)
    world.report(9999, to_number=UNRATED)
    first = world.replaying.replay_many("account_not_mapped", None, None, "kim")
    assert (first.replayed, first.skipped) == (MAX_REPLAYED, ())
    assert first.after is not None
    second = world.replaying.replay_many("account_not_mapped", None, first.after, "kim")
    assert (second.replayed, second.after) == (30, None)
    world.work()
    assert world.posted == MAX_REPLAYED + 30
    again = world.replaying.replay_many("account_not_mapped", None, None, "kim")
    assert (again.replayed, again.skipped, again.after) == (0, (), None)


def test_what_cannot_be_replayed_is_skipped_and_named(world: Quarantined) -> None:
    world.connect(None, **{TWILIO_ACCOUNT: ACME})
    world.park_unmapped(1)
    stranger = world.park_unmapped(2, key=replace(a_usage_event(2).key, provider_account="AC9"))
    done = world.replaying.replay_many("account_not_mapped", None, None, "kim")
    assert done.replayed == 1
    assert [(one.parked_id, one.code) for one in done.skipped] == [
        (stranger.parked_id, "account_not_mapped")
    ]


def test_one_connection_can_be_replayed_alone(world: Quarantined) -> None:
    world.connect(ACME)
    world.park_unmapped(1)
    done = world.replaying.replay_many("account_not_mapped", "another", None, "kim")
    assert done.replayed == 0
    done = world.replaying.replay_many("account_not_mapped", "acme-twilio", None, "kim")
    assert done.replayed == 1


def test_connections_are_read_once_for_many(world: Quarantined) -> None:
    asked: list[str] = []

    class Counted(InMemoryConnections):
        def get(self, connection_id: str) -> Connection:
            asked.append(connection_id)
            return super().get(connection_id)

    world.connections = Counted()
    world.connect(ACME)
    world.replaying._connections = world.connections
    for number in range(1, 6):
        world.park_unmapped(number)
    world.replaying.replay_many("account_not_mapped", None, None, "kim")
    assert asked == ["acme-twilio"]


# Finding


def test_lists_are_filtered_by_how_items_stand_now(world: Quarantined) -> None:
    world.connect(ACME)
    unmapped = [world.park_unmapped(number) for number in range(1, 4)]
    world.report(10, to_number=UNRATED)
    world.replay(unmapped[0])
    world.work()
    world.fixing.dismiss(unmapped[1].parked_id, "fraud", "kim")

    def found(**wanted: Any) -> int:
        return len(world.read.find(Wanted(**wanted), None, 100).items)

    assert found() == 4
    assert found(reason="account_not_mapped") == 3
    for state, count in (("resolved", 1), ("dismissed", 1), ("parked", 2), ("replayed", 0)):
        assert found(states=frozenset({ParkedState(state)})) == count
    assert found(tenant_id="acme") == 2
    assert found(tenant_id="globex") == found(account_id="sales") == 0
    assert found(tenant_id="acme", account_id="main") == 2
    assert found(connection_id="acme-twilio") == 4
    assert found(connection_id="another") == 0


@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_pages_hold_everything_once_and_in_order(world: Quarantined, limit: int) -> None:
    for number in range(25):
        world.park_unmapped(number)
    ids: list[str] = []
    after: str | None = None
    while True:
        page = world.read.find(Wanted(), after, limit)
        assert len(page.items) <= limit
        ids += [parked.parked_id for parked in page.items]
        after = page.after
        if after is None:
            break
    assert ids == sorted(ids)
    assert len(ids) == 25


def test_one_request_reads_so_many_items_and_no_more(world: Quarantined) -> None:
    for number in range(MAX_READ + 50):
        world.park_unmapped(number)
    page = world.read.find(Wanted(reason="no_rate_deck"), None, 100)
    assert (page.items, page.after is None) == ((), False)
    assert world.read.find(Wanted(reason="no_rate_deck"), page.after, 100).after is None


# The count


def test_the_count_closes_what_was_posted_and_ages_the_rest(world: Quarantined) -> None:
    world.connect(ACME)
    old = world.park_unmapped(1)
    world.clock.advance(timedelta(hours=10))
    young = world.park_unmapped(2)
    world.clock.advance(timedelta(hours=39))
    assert world.aging.age() == QuarantineAge(2, 0, timedelta(hours=49))
    world.replay(old)
    world.work()
    assert world.aging.age() == QuarantineAge(1, 1, timedelta(hours=39, seconds=1))
    assert world.quarantine.get(old.parked_id).state is ParkedState.RESOLVED
    # Run again it says the same, and closes nothing twice.
    assert world.aging.age() == QuarantineAge(1, 0, timedelta(hours=39, seconds=1))
    world.fixing.dismiss(young.parked_id, "fraud", "kim")
    assert world.aging.age() == QuarantineAge(0, 0, timedelta(0))


def test_the_count_leaves_to_others_what_they_are_at(world: Quarantined) -> None:
    world.connect(ACME)
    parked = world.park_unmapped(1)
    world.replay(parked)
    world.work()

    class Raced(InMemoryQuarantine):
        def save(self, parked: Parked, seen_version: int) -> None:
            raise ConflictError("it was changed since it was read; read it again")

    raced = Raced()
    raced._parked = world.quarantine._parked
    found = AgeQuarantine(raced, world.book, world.clock).age()
    assert (found.waiting, found.settled) == (0, 0)


def test_the_metrics_name_no_tenant(world: Quarantined, capsys: pytest.CaptureFixture[str]) -> None:
    world.park_unmapped(1)
    world.clock.advance(timedelta(hours=49))
    metrics = Metrics(namespace="Talktime", service="usage_ingest.age_quarantine")
    metrics.set_default_dimensions(stage="test")
    answer = handle(world.aging, metrics)
    assert answer == {"waiting": 1, "settled": 0, "oldest_seconds": 49 * 3600}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (emitted,) = [line for line in lines if "_aws" in line]
    (declared,) = emitted["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == "Talktime"
    assert {tuple(sorted(names)) for names in declared["Dimensions"]} == {("service", "stage")}
    assert emitted["QuarantineWaiting"] == [1]
    assert emitted["QuarantineOldestAge"] == [49 * 3600]
    assert "acme" not in json.dumps(emitted)
