"""Every call is charged once, whatever the queue does; what cannot be placed waits in sight."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.errors import BookBusyError, BookContendedError
from billing.domain.posting import MAX_CALLS
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.usage import MAX_CLOCK_AHEAD, UsageEvent
from billing.services.racing import MAX_ATTEMPTS
from builders import ACME, GLOBEX, NOON, USD, a_call_key, a_usage_event
from unit.world import BY_THE_SECOND, OPENED, World, raising

CALL = a_usage_event(1)
CALL_MICROS = 610_000
"""61 seconds at a cent a second."""

LONDON = "+442071838750"
SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    world.upload()
    world.clock.advance(NOON - OPENED)
    return world


def calls(count: int) -> list[UsageEvent]:
    return [a_usage_event(number) for number in range(1, count + 1)]


def test_a_call_is_charged_and_kept(world: World) -> None:
    assert world.post_usage.post(ACME, [CALL]) == 1
    assert world.account.wallet_micros == -CALL_MICROS
    (kept,) = world.book.calls("acme", [CALL.key]).values()
    assert (kept.event, kept.wallet_micros, kept.deck_version) == (CALL, CALL_MICROS, 1)
    assert world.parked == []
    assert world.is_proven()


def test_an_unanswered_call_needs_no_price_and_is_kept(world: World) -> None:
    event = a_usage_event(1, quantity=0, answered_at=None, to_number=LONDON)
    assert world.post_usage.post(ACME, [event]) == 1
    assert world.account.wallet_micros == 0
    assert len(world.book.calls("acme", [event.key])) == 1


# Repetitions


def test_a_call_twice_in_one_batch_is_billed_once(world: World) -> None:
    assert world.post_usage.post(ACME, [CALL, a_usage_event(2), CALL]) == 2
    assert world.account.wallet_micros == -2 * CALL_MICROS
    assert world.parked == []


@pytest.mark.parametrize("is_known", [True, False], ids=["told as redelivered", "told as new"])
def test_a_redelivered_batch_is_billed_once(world: World, is_known: bool) -> None:
    world.post_usage.post(ACME, [CALL])
    assert world.post_usage.post(ACME, [CALL], redelivered=is_known) == 0
    assert world.account.wallet_micros == -CALL_MICROS
    assert world.account.head.sequence == 1
    assert world.parked == []


@pytest.mark.parametrize("is_known", [True, False], ids=["told as redelivered", "told as new"])
def test_what_is_new_in_a_redelivered_batch_is_billed(world: World, is_known: bool) -> None:
    world.post_usage.post(ACME, calls(3))
    assert world.post_usage.post(ACME, calls(5), redelivered=is_known) == 2
    assert world.account.wallet_micros == -5 * CALL_MICROS
    assert world.is_proven()


def test_a_redelivered_batch_cancels_no_transaction(world: World) -> None:
    world.post_usage.post(ACME, calls(3))
    tried = world.book.attempts
    world.post_usage.post(ACME, calls(3), redelivered=True)
    assert world.book.attempts == tried


def test_fifty_deliveries_in_parallel_are_billed_once(world: World) -> None:
    with ThreadPoolExecutor(8) as threads:
        posted = list(threads.map(lambda _: world.post_usage.post(ACME, [CALL]), range(50)))
    assert sum(posted) == 1
    assert world.account.wallet_micros == -CALL_MICROS
    assert world.parked == []


def test_batches_that_overlap_and_race_are_billed_once(world: World) -> None:
    world.book.races = [lambda: world.post_usage.post(ACME, calls(2))]
    assert world.post_usage.post(ACME, calls(4)) == 2
    assert world.account.wallet_micros == -4 * CALL_MICROS
    assert world.account.head.sequence == 2
    assert world.is_proven()


def test_another_delivery_of_the_same_call_with_other_times_is_the_same_call(world: World) -> None:
    world.post_usage.post(ACME, [CALL])
    again = replace(CALL, ended_at=NOON + SECOND, connection_id="other")
    assert world.post_usage.post(ACME, [again]) == 0
    assert (world.account.wallet_micros, world.parked) == (-CALL_MICROS, [])


# Conflicts


def deliver_apart(world: World, longer: UsageEvent) -> None:
    world.post_usage.post(ACME, [CALL])
    world.post_usage.post(ACME, [longer])


def deliver_apart_redelivered(world: World, longer: UsageEvent) -> None:
    world.post_usage.post(ACME, [CALL])
    world.post_usage.post(ACME, [longer], redelivered=True)


def deliver_together(world: World, longer: UsageEvent) -> None:
    world.post_usage.post(ACME, [CALL, longer])


@pytest.mark.parametrize(
    "deliver",
    [
        pytest.param(deliver_apart, id="in a later batch"),
        pytest.param(deliver_apart_redelivered, id="in a redelivered batch"),
        pytest.param(deliver_together, id="in one batch"),
    ],
)
def test_a_report_that_disagrees_is_parked_in_sight_and_not_billed(
    world: World, deliver: Callable[[World, UsageEvent], None]
) -> None:
    longer = replace(CALL, quantity=3_600)
    deliver(world, longer)
    assert world.account.wallet_micros == -CALL_MICROS
    (parked,) = world.parked
    assert (parked.reason, parked.account) == ("conflicting_report", ACME)
    assert UsageEvent.from_json(parked.event) == longer


def test_a_conflict_delivered_again_is_parked_once(world: World) -> None:
    longer = replace(CALL, quantity=3_600)
    for _ in range(3):
        world.post_usage.post(ACME, [CALL, longer])
    assert len(world.parked) == 1


def test_a_conflict_does_not_hold_up_the_rest_of_its_batch(world: World) -> None:
    world.post_usage.post(ACME, [CALL])
    assert world.post_usage.post(ACME, [replace(CALL, quantity=9), a_usage_event(2)]) == 1
    assert world.account.wallet_micros == -2 * CALL_MICROS


# Quarantine


@pytest.mark.parametrize(
    ("altered", "reason"),
    [
        pytest.param({"to_number": LONDON}, "destination_not_rated", id="no price for it"),
        pytest.param(
            {"ended_at": NOON + MAX_CLOCK_AHEAD + SECOND},
            "invalid_usage",
            id="an end further ahead than any clock",
        ),
        pytest.param(
            {"answered_at": OPENED - SECOND}, "no_rate_deck", id="an answer before any deck"
        ),
    ],
)
def test_what_cannot_be_placed_is_parked_and_the_others_are_posted(
    world: World, altered: dict[str, object], reason: str
) -> None:
    odd: UsageEvent = replace(a_usage_event(2), **altered)  # type: ignore[arg-type]
    assert world.post_usage.post(ACME, [CALL, odd, a_usage_event(3)]) == 2
    assert world.account.wallet_micros == -2 * CALL_MICROS
    (parked,) = world.parked
    assert (parked.reason, parked.account, parked.connection_id) == (reason, ACME, "acme-twilio")
    assert UsageEvent.from_json(parked.event) == odd
    assert world.book.calls("acme", [odd.key]) == {}


def test_an_end_no_further_ahead_than_a_clock_may_be_is_posted(world: World) -> None:
    assert world.post_usage.post(ACME, [replace(CALL, ended_at=NOON + MAX_CLOCK_AHEAD)]) == 1


def test_a_batch_of_nothing_that_can_be_placed_writes_nothing_and_parks_once(world: World) -> None:
    before = world.account
    for delivery in range(2):
        # Providers stamp one call differently from one delivery to the next.
        event = replace(CALL, to_number=LONDON, ended_at=NOON + delivery * SECOND)
        assert world.post_usage.post(ACME, [event]) == 0
    assert world.account == before
    assert world.parked_reasons == ["destination_not_rated"]


def test_what_was_parked_is_billed_once_its_destination_has_a_price(world: World) -> None:
    event = replace(CALL, to_number=LONDON)
    world.post_usage.post(ACME, [event])
    world.upload(BY_THE_SECOND + "44,United Kingdom,1.20,1,1\n", version=2)
    replayed = UsageEvent.from_json(world.parked[0].event)
    assert world.post_usage.post(ACME, [replayed]) == 1
    assert world.account.wallet_micros == -2 * CALL_MICROS


def test_a_deck_in_another_currency_prices_nothing() -> None:
    world = World(NOON)
    world.open()
    world.upload(currency="EUR")
    assert world.post_usage.post(ACME, [CALL]) == 0
    assert (world.account.wallet_micros, world.parked_reasons) == (0, ["currency_mismatch"])


def test_usage_of_an_account_nobody_knows_is_parked(world: World) -> None:
    assert world.post_usage.post(GLOBEX, calls(2)) == 0
    assert world.parked_reasons == ["not_found", "not_found"]
    assert {parked.account for parked in world.parked} == {GLOBEX}


def test_what_is_refused_in_a_lost_race_is_parked_once(world: World) -> None:
    world.book.races = [raising(BookContendedError("throttled"))]
    assert world.post_usage.post(ACME, [CALL, replace(a_usage_event(2), to_number=LONDON)]) == 1
    assert len(world.parked) == 1


def test_what_gets_its_price_in_a_lost_race_is_billed_and_not_parked(world: World) -> None:
    def a_price_is_uploaded() -> None:
        world.upload(BY_THE_SECOND + "44,United Kingdom,1.20,1,1\n", version=2)
        raise BookContendedError("throttled")

    world.book.races = [a_price_is_uploaded]
    assert world.post_usage.post(ACME, [CALL, replace(a_usage_event(2), to_number=LONDON)]) == 2
    assert world.account.wallet_micros == -3 * CALL_MICROS
    assert world.parked == []


# Large batches


def test_more_calls_than_a_posting_holds_are_split_and_none_is_lost(world: World) -> None:
    count = 2 * MAX_CALLS + 10
    assert world.post_usage.post(ACME, calls(count)) == count
    entries = list(world.book.entries(world.account))
    assert [len(entry.usage.calls) for entry in entries] == [MAX_CALLS, MAX_CALLS, 10]
    assert world.account.wallet_micros == -count * CALL_MICROS
    assert world.is_proven()


def test_each_part_is_complete_by_itself_when_a_later_one_fails(world: World) -> None:
    busy = [raising(BookContendedError("throttled"))] * MAX_ATTEMPTS
    world.book.races = [lambda: None, *busy]
    everything = calls(2 * MAX_CALLS + 10)
    with pytest.raises(BookBusyError):
        world.post_usage.post(ACME, everything)
    assert world.account.wallet_micros == -MAX_CALLS * CALL_MICROS
    assert len(world.book.calls("acme", [event.key for event in everything])) == MAX_CALLS
    assert world.is_proven()

    assert world.post_usage.post(ACME, everything, redelivered=True) == MAX_CALLS + 10
    assert world.account.wallet_micros == -len(everything) * CALL_MICROS
    assert world.is_proven()


# Deck versions


@pytest.mark.parametrize(
    ("answered_at", "version"),
    [
        pytest.param(NOON - SECOND, 1, id="answered before the new prices"),
        pytest.param(NOON, 2, id="answered with the new prices"),
    ],
)
def test_the_deck_in_force_when_the_call_was_answered_prices_it(
    world: World, answered_at: datetime, version: int
) -> None:
    world.upload(BY_THE_SECOND.replace("0.60", "1.20"), version=2, effective_at=NOON)
    ended_at = NOON + timedelta(minutes=5)
    world.clock.advance(timedelta(hours=1))
    world.post_usage.post(ACME, [replace(CALL, answered_at=answered_at, ended_at=ended_at)])
    assert world.book.calls("acme", [CALL.key])[CALL.key].deck_version == version
    assert world.account.wallet_micros == -CALL_MICROS * version


# Around the turn of the month


def test_a_late_batch_rolls_the_month_and_burns_the_month_it_belongs_to() -> None:
    world = World()
    world.open(seconds=100)
    world.upload()
    turn = datetime(2026, 4, 1, tzinfo=UTC)
    world.clock.advance(turn + timedelta(hours=1) - OPENED)
    late = a_usage_event(1, ended_at=turn - SECOND, answered_at=turn - 62 * SECOND)
    assert world.post_usage.post(ACME, [late]) == 1
    assert world.account.wallet_micros == 0
    assert world.account.period.start_at == turn
    left = {grant.grant_id: grant.remaining for grant in world.account.grants}
    assert left == {"minutes:20260301T0000Z": 39, "minutes:20260401T0000Z": 100}


def test_usage_below_the_threshold_makes_a_recharge_due_and_says_so() -> None:
    world = World(NOON)
    world.open()
    world.upload()
    world.credit(10 * USD)
    world.add_source()
    world.set_policy(RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD))
    assert not world.is_recharge_due()
    told_before = world.told
    world.post_usage.post(ACME, [CALL])
    assert world.is_recharge_due()
    assert world.told == [*told_before, "balance.low", "recharge.scheduled"]


def test_another_tenants_call_of_the_same_key_is_another_call(world: World) -> None:
    world.open(GLOBEX)
    world.post_usage.post(ACME, [CALL])
    assert world.post_usage.post(GLOBEX, [CALL]) == 1
    assert world.book.account(GLOBEX).wallet_micros == -CALL_MICROS
    assert world.book.calls("globex", [a_call_key(1)])[CALL.key].account == GLOBEX
