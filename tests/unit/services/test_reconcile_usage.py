"""Comparing the provider's own list with ours: what is lost is found, and found once."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing.adapters.telephony.json_rest import JsonRest
from billing.adapters.telephony.twilio_rest import TwilioRecords
from billing.domain.account import AccountRef
from billing.domain.errors import (
    InvalidInputError,
    NotFoundError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from billing.domain.provider_records import Place, Reconciliation, RecordsPage
from billing.domain.quarantine import dismiss
from billing.domain.reconciled import MAX_DIFFERENCES, Finding, Reconciled
from billing.domain.usage import UsageEvent
from billing.ports import Connection
from billing.services.plan_reconciliations import PlanReconciliations
from billing.services.reconcile_usage import ReconcileUsage
from builders import ACME, GLOBEX, a_sid
from fakes.stores import InMemoryConnections
from fakes.twilio_rest import Answer, TwilioRest, a_listed_call, a_listed_message, listed_time
from fakes.world import RecordingUsageQueue
from unit.world import OPENED, World

SID = "AC" + "0" * 31 + "1"
OTHER_SID = "AC" + "0" * 31 + "2"
DAY = date(2026, 3, 14)
MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
NIGHT = MIDNIGHT + timedelta(days=1, hours=3, minutes=30)
SECOND = timedelta(seconds=1)
WORK = Reconciliation("acme", DAY)
CONNECTION = Connection("acme", "twilio", ("token",), None, {SID: ACME}, 1, OPENED)


class Bed:
    """An account, a connection, and a Twilio that lists calls."""

    def __init__(self, twilio: TwilioRest) -> None:
        self.twilio = twilio
        self.twilio.add_account(SID, "token")
        self.world = World()
        self.world.open()
        self.world.upload()
        self.world.clock.advance(NIGHT - OPENED)
        self.connections = InMemoryConnections()
        self.connections.save(CONNECTION, 0)
        self.queue = RecordingUsageQueue()
        self.records = TwilioRecords(JsonRest(twilio.url, lambda _: None))
        self.service = self.serving()

    def serving(self, *, replay: bool = False) -> ReconcileUsage:
        return ReconcileUsage(
            connections=self.connections,
            providers={"twilio": self.records},
            book=self.world.book,
            quarantine=self.world.quarantine,
            queue=self.queue,
            clock=self.world.clock,
            replay=replay,
        )

    def map(self, **changes: Any) -> None:
        seen = self.connections.get("acme")
        self.connections.save(replace(seen, version=seen.version + 1, **changes), seen.version)

    def usage(self, record: dict[str, Any]) -> UsageEvent:
        """What our own reader makes of a record; tests of that reader are elsewhere."""
        apart = TwilioRest()
        apart.add_account(record["account_sid"], "token")
        apart.add("Calls" if "duration" in record else "Messages", record)
        with apart.serving():
            records = TwilioRecords(JsonRest(apart.url))
            begin_at, end_at = MIDNIGHT - timedelta(days=9), MIDNIGHT + timedelta(days=9)
            cursor = None
            while True:
                page = records.page(CONNECTION, record["account_sid"], begin_at, end_at, cursor)
                for one in page.records:
                    assert isinstance(one.content, UsageEvent)
                    return one.content
                cursor = page.next

    def record(self, *records: dict[str, Any], ref: AccountRef = ACME) -> None:
        """We have these, as they are listed."""
        self.world.post_usage.post(ref, [self.usage(record) for record in records])

    def at_twilio(self, *records: dict[str, Any]) -> None:
        """Twilio has these."""
        for record in records:
            self.twilio.add("Calls" if "duration" in record else "Messages", record)

    def reconcile(self, work: Reconciliation = WORK) -> Reconciled:
        return self.service.reconcile(work)

    def counts(self, work: Reconciliation = WORK) -> dict[str, int]:
        return {name: count for name, count in self.reconcile(work).counts.items() if count}

    def parked(self) -> list[tuple[str, int]]:
        return sorted(
            (parked.reason, UsageEvent.from_json(parked.event).quantity)
            for parked in self.world.parked
        )


@pytest.fixture
def bed() -> Iterator[Bed]:
    with TwilioRest().serving() as twilio:
        yield Bed(twilio)


def call(number: int = 1, ended_at: datetime = NOON, **overrides: Any) -> dict[str, Any]:
    return a_listed_call(SID, a_sid(number), ended_at, **overrides)


def message(number: int = 1, sent_at: datetime = NOON, **overrides: Any) -> dict[str, Any]:
    return a_listed_message(SID, a_sid(number, "SM"), sent_at, **overrides)


# What is found


def test_what_both_sides_know_alike_is_fine(bed: Bed) -> None:
    bed.world.upload(
        "unit,prefix,destination,rate,first_increment_seconds,next_increment_seconds\n"
        "voice,1,North America,0.60,1,1\nmessage,1,North America,0.01,,\n",
        version=2,
    )
    bed.record(call(1), message(1))
    bed.at_twilio(call(1), message(1))
    assert bed.counts() == {"agrees": 2}
    assert bed.parked() == []


def test_what_waits_in_the_quarantine_already_is_not_parked_beside_itself(bed: Bed) -> None:
    nowhere = call(1, to="+442071838750")
    bed.record(nowhere)
    assert bed.parked() == [("destination_not_rated", 61)]
    bed.at_twilio(nowhere)
    assert bed.counts() == {"in_quarantine": 1}
    assert bed.parked() == [("destination_not_rated", 61)]


def test_a_call_whose_callback_was_lost_is_parked_whole(bed: Bed) -> None:
    bed.record(call(1))
    bed.at_twilio(call(1), call(2, duration="90"))
    found = bed.reconcile()
    assert (found.counts[Finding.AGREES], found.counts[Finding.MISSING]) == (1, 1)
    (parked,) = bed.world.parked
    assert (parked.reason, parked.account) == ("missing_callback", ACME)
    assert (parked.connection_id, parked.parked_at) == ("acme", NIGHT)
    assert "0.02800 USD" in parked.detail
    (difference,) = found.differences
    assert (difference.finding, difference.call_id) == ("missing_callback", a_sid(2))


def test_what_is_parked_can_be_posted_as_it_is_and_is_then_fine(bed: Bed) -> None:
    bed.at_twilio(call(1, duration="90"), message(1, num_segments="3"))
    bed.reconcile()
    events = [UsageEvent.from_json(parked.event) for parked in bed.world.parked]
    # Messages have no price in this deck; they come back, and the call is billed.
    bed.world.post_usage.post(ACME, [one for one in events if one.quantity == 90])
    assert bed.world.account.wallet_micros == -900_000
    assert bed.counts() == {"agrees": 1, "missing_callback": 1}


def test_a_call_with_another_quantity_is_parked_as_the_carrier_has_it(bed: Bed) -> None:
    bed.record(call(1))
    bed.at_twilio(call(1, duration="62"))
    assert bed.counts() == {"differs_from_carrier": 1}
    assert bed.parked() == [("differs_from_carrier", 62)]
    assert "61 voice_seconds, the carrier says 62" in bed.world.parked[0].detail


@pytest.mark.parametrize("changed", [{"to": "+14155550199"}, {"direction": "inbound"}])
def test_a_call_to_elsewhere_differs_as_well(bed: Bed, changed: dict[str, Any]) -> None:
    bed.record(call(1))
    bed.at_twilio(call(1, **changed))
    assert bed.counts() == {"differs_from_carrier": 1}


def test_a_call_of_ours_that_the_carrier_does_not_know_is_told_and_stays(bed: Bed) -> None:
    bed.record(call(1), call(2))
    bed.at_twilio(call(1))
    found = bed.reconcile()
    assert found.counts == Counter({Finding.AGREES: 1, Finding.UNKNOWN: 1})
    (difference,) = found.differences
    assert (difference.finding, difference.call_id) == ("unknown_to_carrier", a_sid(2))
    assert bed.parked() == []


def test_ours_of_another_connection_or_day_is_not_looked_for(bed: Bed) -> None:
    elsewhere = replace(bed.usage(call(1)), connection_id="other")
    bed.world.post_usage.post(ACME, [elsewhere])
    bed.record(call(2, ended_at=NOON - timedelta(days=1)), call(3, ended_at=NIGHT))
    assert bed.counts() == {}


def test_unanswered_calls_are_compared_too(bed: Bed) -> None:
    unanswered: dict[str, Any] = {"status": "no-answer", "duration": "", "price": None}
    bed.record(call(1, **unanswered))
    bed.at_twilio(call(1, **unanswered), call(2, **unanswered))
    assert bed.counts() == {"agrees": 1, "missing_callback": 1}
    assert bed.parked() == [("missing_callback", 0)]


def test_a_record_that_cannot_be_read_is_parked_with_its_reason(bed: Bed) -> None:
    bed.at_twilio(call(1, direction="sideways"), call(2, duration="-5"))
    assert bed.counts() == {"unreadable": 2}
    assert sorted(parked.reason for parked in bed.world.parked) == [
        "invalid_direction",
        "invalid_quantity",
    ]
    bed.twilio.accounts[SID].records["Calls"][0]["date_updated"] = listed_time(NIGHT)
    assert bed.counts() == {"unreadable": 2}
    assert len(bed.world.parked) == 2


def test_what_the_carrier_charges_is_added_up_by_currency(bed: Bed) -> None:
    bed.at_twilio(
        call(1, price="-0.1"),
        call(2, price="-0.20000"),
        call(3, price="-3", price_unit="EUR"),
        message(1, price="-0.00790", price_unit="usd"),
    )
    shown = bed.reconcile().to_json()["carrier_cost"]
    assert shown == {"EUR": "3", "USD": "0.30790"}


def test_the_result_names_the_first_differences_and_counts_all(bed: Bed) -> None:
    bed.at_twilio(*(call(number) for number in range(MAX_DIFFERENCES + 5)))
    found = bed.reconcile()
    assert found.counts[Finding.MISSING] == MAX_DIFFERENCES + 5
    assert len(found.differences) == MAX_DIFFERENCES
    assert len(bed.world.parked) == MAX_DIFFERENCES + 5


# What is not ready


def test_a_call_that_goes_on_or_is_not_rated_is_left_for_the_next_night(bed: Bed) -> None:
    late = MIDNIGHT + timedelta(hours=23)
    bed.at_twilio(
        call(1, status="in-progress", duration=None, end_time=None, price=None),
        call(2, ended_at=late, price=None),
        message(1, status="sending", price=None),
    )
    assert bed.counts() == {"skipped": 3}
    bed.world.clock.advance(timedelta(days=1))
    # What the carrier has not rated by then it never will.
    assert bed.counts() == {"skipped": 2, "missing_callback": 1}


def test_what_ended_a_moment_ago_may_still_be_on_its_way(bed: Bed) -> None:
    start = MIDNIGHT + timedelta(hours=23, minutes=50)
    ended = NIGHT - timedelta(minutes=59)
    seconds = int((ended - start).total_seconds())
    bed.at_twilio(call(1, ended_at=ended, duration=str(seconds)))
    assert bed.counts() == {"skipped": 1}
    bed.world.clock.advance(timedelta(minutes=1))
    assert bed.counts() == {"missing_callback": 1}


# Days and clocks


def test_a_call_belongs_to_the_utc_day_it_began_in(bed: Bed) -> None:
    end = MIDNIGHT + timedelta(days=1)
    for number, began in enumerate([MIDNIGHT - SECOND, MIDNIGHT, end - SECOND, end]):
        bed.at_twilio(call(number, ended_at=began + 61 * SECOND))
    assert bed.counts() == {"missing_callback": 2}
    assert bed.counts(replace(WORK, day=date(2026, 3, 13))) == {"missing_callback": 1}
    assert bed.counts(replace(WORK, day=date(2026, 3, 15))) == {"missing_callback": 1}
    assert len(bed.world.parked) == 4


def test_a_zone_in_a_record_does_not_move_its_day(bed: Bed) -> None:
    bed.at_twilio(
        call(
            1,
            start_time="Fri, 13 Mar 2026 16:10:00 -0800",
            end_time="Sat, 14 Mar 2026 05:41:01 +0530",
        )
    )
    assert bed.counts() == {"missing_callback": 1}
    assert bed.counts(replace(WORK, day=date(2026, 3, 13))) == {}


def test_clocks_that_disagree_around_midnight_make_no_call_unknown(bed: Bed) -> None:
    """Its callback says it ended two seconds later than the list does."""
    listed = call(1, ended_at=MIDNIGHT + 60 * SECOND, duration="61")
    bed.at_twilio(listed)
    bed.record(listed | {"end_time": listed_time(MIDNIGHT + 62 * SECOND)})
    assert bed.counts(replace(WORK, day=date(2026, 3, 13))) == {"agrees": 1}
    assert bed.counts() == {}


# Twice, in parts, and in any order


def test_parking_twice_is_parking_once(bed: Bed) -> None:
    bed.record(call(1))
    bed.at_twilio(call(1, duration="62"), call(2), message(1))
    first = bed.reconcile()
    parked = bed.world.parked
    bed.world.clock.advance(timedelta(hours=5))
    again = bed.reconcile()
    assert again.counts == first.counts
    assert bed.world.parked == parked
    assert len(parked) == 3


def test_a_huge_day_is_compared_page_by_page_and_goes_on_where_it_stopped(bed: Bed) -> None:
    bed.twilio.page_size = 100
    dice = random.Random(7)
    listed = [call(number, ended_at=NOON + number * SECOND) for number in range(1050)]
    bed.at_twilio(*listed, *(message(number) for number in range(250)))
    ours = [number for number in range(1050) if dice.random() < 0.9]
    template = bed.usage(listed[0])
    bed.world.post_usage.post(
        ACME,
        [replace(template, key=replace(template.key, call_id=a_sid(number))) for number in ours],
    )
    whole = bed.reconcile()
    assert whole.next is None
    assert whole.counts[Finding.AGREES] == len(ours)
    assert whole.counts[Finding.MISSING] == 1050 - len(ours) + 250
    parked = bed.world.parked

    counts: Counter[Finding] = Counter()
    work: Reconciliation | None = WORK
    slices = 0
    uncompared: list[str] = []
    while work is not None:
        # As it travels, through a queue or a terminal.
        work = Reconciliation.from_json(work.to_json())
        budget = itertools.chain([True, True], itertools.repeat(False))
        part = bed.service.reconcile(work, lambda budget=budget: next(budget))  # type: ignore[misc]
        counts.update(part.counts)
        uncompared += part.uncompared
        work, slices = part.next, slices + 1
    assert slices == 5
    assert counts == whole.counts
    assert uncompared == [SID]
    assert bed.world.parked == parked


def test_a_page_that_fails_loses_nothing_of_those_before(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.twilio.page_size = 2
    bed.at_twilio(*(call(number) for number in range(4)))
    original = bed.records.page

    def failing(*args: Any) -> RecordsPage:
        if args[-1] is not None:
            bed.twilio.instead = [Answer(500)] * 5
        return original(*args)

    monkeypatch.setattr(bed.records, "page", failing)
    with pytest.raises(ProviderUnavailableError):
        bed.reconcile()
    assert len(bed.world.parked) == 2
    monkeypatch.undo()
    bed.reconcile()
    assert len(bed.world.parked) == 4


def test_being_told_to_slow_down_changes_nothing(bed: Bed) -> None:
    bed.at_twilio(call(1))
    bed.twilio.instead = [Answer(429, headers={"Retry-After": "1"}), Answer(503)]
    assert bed.counts() == {"missing_callback": 1}


def test_pages_in_a_circle_end(bed: Bed) -> None:
    bed.at_twilio(call(1))
    uri = f"/2010-04-01/Accounts/{SID}/Calls.json?Page=1"
    body = f'{{"calls": [], "next_page_uri": "{uri}"}}'.encode()
    bed.twilio.instead = [Answer(200, body)] * 10
    with pytest.raises(ProviderUnavailableError, match="circle"):
        bed.reconcile()
    assert len(bed.twilio.asked) == 2


# Accounts


def test_every_sub_account_is_compared_with_its_own_account(bed: Bed) -> None:
    bed.world.open(GLOBEX)
    bed.twilio.add_account(OTHER_SID, "another", parent=SID)
    bed.map(accounts={SID: ACME, OTHER_SID: GLOBEX})
    theirs = a_listed_call(OTHER_SID, a_sid(2), NOON)
    bed.record(call(3))
    bed.record(theirs, ref=GLOBEX)
    bed.at_twilio(call(1), theirs, a_listed_call(OTHER_SID, a_sid(4), NOON))
    assert bed.counts() == {"agrees": 1, "missing_callback": 2, "unknown_to_carrier": 1}
    assert {parked.account for parked in bed.world.parked} == {ACME, GLOBEX}


def test_a_mapped_account_that_was_never_opened_is_said_not_to_be_compared(bed: Bed) -> None:
    nobody = AccountRef("acme", "nobody")
    bed.map(accounts={SID: nobody})
    bed.at_twilio(call(1))
    found = bed.reconcile()
    assert found.counts == Counter({Finding.MISSING: 1})
    assert found.uncompared == (SID,)


def test_time_that_is_up_between_two_accounts_leaves_the_second(bed: Bed) -> None:
    bed.twilio.add_account(OTHER_SID, "token")
    bed.map(accounts={SID: ACME, OTHER_SID: ACME})
    bed.at_twilio(call(1), a_listed_call(OTHER_SID, a_sid(2), NOON))
    # Two lists of the first account, then nothing more.
    answers = iter([True, False, False])
    part = bed.service.reconcile(WORK, lambda: next(answers))
    assert part.next == replace(WORK, place=Place(OTHER_SID, None))
    rest = bed.reconcile(part.next)
    assert rest.next is None
    assert rest.counts == Counter({Finding.MISSING: 1})
    assert len(bed.world.parked) == 2


def test_a_wrong_secret_is_told_and_parks_nothing(bed: Bed) -> None:
    bed.map(secrets=("wrong",))
    bed.at_twilio(call(1))
    with pytest.raises(ProviderRefusedError):
        bed.reconcile()
    assert bed.world.parked == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda bed: bed.connections.delete("acme"), NotFoundError),
        (lambda bed: bed.map(provider="plivo"), InvalidInputError),
        (lambda bed: bed.map(accounts={}, account=ACME), InvalidInputError),
    ],
)
def test_what_cannot_be_compared_is_refused(
    bed: Bed, change: Callable[[Bed], None], error: type[Exception]
) -> None:
    change(bed)
    with pytest.raises(error):
        bed.reconcile()
    assert bed.twilio.asked == []


def test_a_day_that_has_not_begun_is_refused(bed: Bed) -> None:
    with pytest.raises(InvalidInputError):
        bed.reconcile(replace(WORK, day=date(2026, 3, 16)))


# Replaying by itself


def test_what_is_missing_can_be_billed_at_once(bed: Bed) -> None:
    bed.service = bed.serving(replay=True)
    bed.record(call(1))
    bed.at_twilio(call(1, duration="62"), call(2), call(3))
    assert bed.counts() == {"differs_from_carrier": 1, "queued": 2}
    assert bed.parked() == [("differs_from_carrier", 62)]
    for ref, events in bed.queue.take():
        bed.world.post_usage.post(ref, events)
    assert bed.counts() == {"differs_from_carrier": 1, "agrees": 2}
    assert bed.queue.waiting == []


def test_what_ended_under_another_mapping_is_for_a_person_to_decide(bed: Bed) -> None:
    bed.service = bed.serving(replay=True)
    bed.map(updated_at=NOON)
    bed.at_twilio(call(1, ended_at=NOON), call(2, ended_at=NOON + SECOND))
    assert bed.counts() == {"missing_callback": 1, "queued": 1}


def test_what_a_person_has_before_him_is_never_billed_by_itself(bed: Bed) -> None:
    bed.at_twilio(call(1))
    bed.reconcile()
    (parked,) = bed.world.parked
    dismissed = dismiss(parked, "the other leg is billed", "operator", NIGHT)
    bed.world.quarantine.save(dismissed, parked.version)
    bed.service = bed.serving(replay=True)
    assert bed.counts() == {"missing_callback": 1}
    assert bed.queue.waiting == []
    assert bed.world.parked == [dismissed]


# Work as it travels


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"connection": "", "day": "2026-03-14"},
        {"connection": 7, "day": "2026-03-14"},
        {"connection": "acme"},
        {"connection": "acme", "day": "14.3.2026"},
        {"connection": "acme", "day": "20260314"},
        {"connection": "acme", "day": "2026-W11-6"},
        {"connection": "acme", "day": "2026-02-30"},
        {"connection": "acme", "day": "9999-12-31"},
        {"connection": "acme", "day": 20260314},
        {"connection": "acme", "day": "2026-03-14", "account": 7},
        {"connection": "acme", "day": "2026-03-14", "account": "AC1", "cursor": 7},
    ],
)
def test_work_that_names_no_connection_or_day_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        Reconciliation.from_json(asked)


class RecordingReconciliationQueue:
    def __init__(self) -> None:
        self.sent: list[Reconciliation] = []

    def send(self, work: Any) -> None:
        self.sent += work


def test_every_night_the_last_two_days_of_every_connection_are_planned(bed: Bed) -> None:
    for name, change in {
        "globex": {},
        "nobody-mapped": {"accounts": {}, "account": ACME},
        "plivo": {"provider": "plivo"},
    }.items():
        bed.connections.save(replace(CONNECTION, connection_id=name, **change), 0)  # type: ignore[arg-type]
    queue = RecordingReconciliationQueue()
    plan = PlanReconciliations(
        connections=bed.connections, providers={"twilio"}, queue=queue, clock=bed.world.clock
    )
    assert plan.plan() == 4
    days = [DAY, date(2026, 3, 13)]
    assert queue.sent == [Reconciliation(name, day) for name in ("acme", "globex") for day in days]
