"""A posting burns grants first, charges the wallet the rest, and keeps a record of every call."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import alerts, rolling, turning
from billing.domain.account import Account, PlanTerms
from billing.domain.change import Change
from billing.domain.grants import LATE_USAGE_GRACE, Grant, RecurringGrant, burn, first_lots
from billing.domain.ledger import USAGE_REVENUE, WALLET, LedgerEntry, UsageSubtotals, prove
from billing.domain.periods import period_at
from billing.domain.posting import MAX_CALLS, RatedUsage, post_usage
from billing.domain.rating import RateDeck, RateTable, Rounding, Terms, rate_usage
from billing.domain.recharging import DueReason, RechargeMode, RechargePolicy, Recharging
from billing.domain.records import EventType, Timer, TimerKind
from billing.domain.units import Unit
from billing.domain.usage import CallStatus, UsageEvent
from builders import NOON, USD, a_call_key, a_deck, a_usage_event, an_account

FEW = settings(max_examples=40, deadline=None)
MARCH = period_at(NOON, 1, "UTC")
SECOND = timedelta(seconds=1)


def deck(
    rate_micros: int,
    fee_micros: int = 0,
    first: int = 1,
    step: int = 1,
    rounding: Rounding = Rounding.UP,
    decimals: int = 6,
) -> RateDeck:
    terms = {"": Terms("World", rate_micros, fee_micros, first, step)}
    table = RateTable({(Unit.VOICE_SECONDS, None): terms})
    return replace(a_deck(), rates=table, rounding=rounding, decimals=decimals)


STANDARD = a_deck(60_000)
A_CENT_A_SECOND = deck(600_000)


def account(
    seconds: int = 0, wallet_micros: int = 0, time_zone: str = "UTC", **overrides: Any
) -> Account:
    """Open since its March began, with so many seconds of the plan's left."""
    recurring = (RecurringGrant("minutes", Unit.VOICE_SECONDS, seconds),) if seconds else ()
    period = period_at(NOON, 1, time_zone)
    opened = an_account(
        now=period.start_at,
        wallet_micros=wallet_micros,
        time_zone=time_zone,
        plan=PlanTerms("starter", 1, recurring),
        period=period,
        grants=first_lots(recurring, period),
        **overrides,
    )
    return opened.next_version()


def watched(threshold_micros: int, wallet_micros: int, due_at: datetime | None = None) -> Account:
    policy = RechargePolicy(RechargeMode.FIXED, threshold_micros, amount_micros=20 * USD)
    recharging = Recharging(
        policy=policy,
        due_at=due_at,
        due_reason=DueReason.LOW if due_at else None,
        default_source_id="card-1",
    )
    return account(wallet_micros=wallet_micros, recharging=recharging)


def call(number: int, seconds: int, ended_at: datetime = NOON) -> UsageEvent:
    answered_at = ended_at - timedelta(seconds=seconds) if seconds else None
    return a_usage_event(number, quantity=seconds, answered_at=answered_at, ended_at=ended_at)


def posting(
    before: Account, events: Sequence[UsageEvent], now: datetime = NOON, deck: RateDeck = STANDARD
) -> Change:
    usage = [
        RatedUsage(e, rate_usage(deck, e.unit, e.direction, e.to_number, e.quantity))
        if e.quantity
        else RatedUsage(e, None)
        for e in events
    ]
    return post_usage(before, usage, now)


def the_entry(change: Change) -> LedgerEntry:
    (entry,) = change.entries
    return entry


def seconds_left(grants: tuple[Grant, ...], at: datetime) -> int:
    return burn(grants, Unit.VOICE_SECONDS, 10**9, at).granted


# Who pays


def test_grants_pay_first_and_the_wallet_pays_the_rest() -> None:
    change = posting(account(60, wallet_micros=USD), [call(1, 100)], deck=A_CENT_A_SECOND)
    (record,) = change.calls
    assert record.granted == (("minutes:20260301T0000Z", 60),)
    assert (record.billed_quantity, record.cost_micros, record.wallet_micros) == (
        100, USD, 400_000,
    )  # fmt: skip
    assert change.after.wallet_micros == 600_000
    assert seconds_left(change.after.grants, NOON) == 0


def test_a_batch_burns_one_after_the_other() -> None:
    change = posting(account(60), [call(1, 50), call(2, 50)], deck=A_CENT_A_SECOND)
    assert [record.wallet_micros for record in change.calls] == [0, 400_000]


def test_usage_may_drive_the_wallet_negative() -> None:
    assert posting(account(), [call(1, 5)], deck=A_CENT_A_SECOND).after.wallet_micros == -50_000


@pytest.mark.parametrize(
    "status", [status for status in CallStatus if status is not CallStatus.COMPLETED]
)
def test_a_call_that_was_not_answered_is_kept_and_costs_nothing(status: CallStatus) -> None:
    event = replace(call(1, 0), status=status)
    change = posting(account(60, wallet_micros=7), [event], deck=A_CENT_A_SECOND)
    (record,) = change.calls
    assert (record.event, record.billed_quantity, record.cost_micros) == (event, 0, 0)
    assert (record.deck_id, record.deck_version, record.prefix) == ("", 0, "")
    assert (the_entry(change).amount_micros, change.after.wallet_micros) == (0, 7)
    assert seconds_left(change.after.grants, NOON) == 60
    assert change.after.daily_spend == ()


def test_the_connect_fee_is_the_wallets_even_where_grants_cover_every_second() -> None:
    change = posting(account(600), [call(1, 60)], deck=deck(600_000, fee_micros=30_000))
    (record,) = change.calls
    assert record.granted == (("minutes:20260301T0000Z", 60),)
    assert (record.wallet_micros, change.after.wallet_micros) == (30_000, -30_000)


def test_grants_burn_the_billed_seconds_after_increments() -> None:
    change = posting(account(600), [call(1, 61)], deck=deck(6_000, first=60, step=60))
    assert seconds_left(change.after.grants, NOON) == 480


def test_messages_burn_no_seconds() -> None:
    message = a_usage_event(1, unit=Unit.MESSAGES, quantity=3)
    change = posting(account(600), [message], deck=a_deck(60_000))
    assert seconds_left(change.after.grants, NOON) == 600
    assert change.after.wallet_micros == -180_000
    assert (change.after.totals.messages, change.after.totals.calls) == (3, 0)


# What is written


def test_one_entry_names_the_calls_with_their_subtotals() -> None:
    message = a_usage_event(3, unit=Unit.MESSAGES, quantity=3)
    before = account(100)
    change = posting(before, [call(1, 90), call(2, 30), message])
    entry = the_entry(change)
    keys = (a_call_key(1), a_call_key(2), a_call_key(3))
    assert entry.usage == UsageSubtotals(keys, 120, 100, 3, 0)
    assert (entry.debit, entry.credit) == (WALLET, USAGE_REVENUE)
    assert entry.amount_micros == sum(record.wallet_micros for record in change.calls) == 200_000
    assert {record.sequence for record in change.calls} == {entry.sequence}
    assert prove(change.after, [entry]).is_sound


def test_the_periods_totals_grow_by_what_was_posted() -> None:
    once = posting(account(100), [call(1, 90)]).after
    totals = posting(once, [call(2, 30)]).after.totals
    assert (totals.calls, totals.voice_seconds) == (2, 120)
    assert (totals.granted_voice_seconds, totals.wallet_micros) == (100, 20_000)


def test_calls_carry_the_entrys_time_even_where_the_clock_is_behind() -> None:
    ahead = posting(account(), [call(1, 1)], NOON + SECOND).after
    change = posting(ahead, [call(2, 1)], NOON)
    assert change.calls[0].posted_at == the_entry(change).posted_at == NOON + SECOND


def test_a_postings_name_derives_from_its_calls_and_nothing_else() -> None:
    one = posting(account(), [call(1, 1)])
    later = posting(account(wallet_micros=9), [call(1, 1)], NOON + SECOND)
    other = posting(account(), [call(1, 1), call(2, 1)])
    assert the_entry(one).cause == the_entry(later).cause != the_entry(other).cause


@pytest.mark.parametrize("count", [0, MAX_CALLS + 1])
def test_a_posting_holds_one_call_at_least_and_no_more_than_an_entry_can_name(count: int) -> None:
    with pytest.raises(AssertionError):
        posting(account(), [call(number, 1) for number in range(count)])


def test_nothing_is_posted_into_a_period_that_is_over() -> None:
    with pytest.raises(AssertionError):
        posting(account(), [call(1, 1)], MARCH.end_at)


# The recharge timer and the balance's events


@pytest.mark.parametrize(
    ("threshold_micros", "is_set"),
    [
        pytest.param(90_000, False, id="at the threshold it is quiet"),
        pytest.param(90_001, True, id="a micro below it the timer is set"),
    ],
)
def test_the_timer_is_set_strictly_below_the_threshold(threshold_micros: int, is_set: bool) -> None:
    change = posting(watched(threshold_micros, 100_000), [call(1, 1)], deck=A_CENT_A_SECOND)
    timer = Timer(TimerKind.RECHARGE, change.after.ref, NOON)
    assert change.timers_set == ((timer,) if is_set else ())
    assert change.after.recharging.due_at == (NOON if is_set else None)


def test_the_timer_is_set_once() -> None:
    first = posting(watched(2 * USD, USD), [call(1, 1)])
    second = posting(first.after, [call(2, 1)], NOON + SECOND)
    assert len(first.timers_set) == 1
    assert (second.timers_set, second.timers_cleared) == ((), ())
    assert second.after.recharging.due_at == NOON


def test_a_timer_that_stands_for_nothing_is_cleared() -> None:
    change = posting(watched(USD, 5 * USD, due_at=NOON), [call(1, 1)])
    assert change.timers_cleared == (TimerKind.RECHARGE,)
    assert change.after.recharging.due_at is None


@pytest.mark.parametrize(
    ("wallet_micros", "seconds", "told"),
    [
        pytest.param(100_000, 1, [], id="above the threshold nothing is told"),
        pytest.param(60_000, 1, [], id="at the threshold nothing is told"),
        pytest.param(
            60_000,
            2,
            [EventType.BALANCE_LOW, EventType.RECHARGE_SCHEDULED],
            id="falling below tells low, and that a payment is scheduled",
        ),
        pytest.param(40_000, 1, [], id="below already tells nothing again"),
        pytest.param(10_000, 1, [EventType.BALANCE_EXHAUSTED], id="nothing left is exhausted"),
        pytest.param(
            60_000,
            7,
            [EventType.BALANCE_LOW, EventType.BALANCE_EXHAUSTED, EventType.RECHARGE_SCHEDULED],
            id="all at once",
        ),
        pytest.param(0, 1, [], id="exhausted already tells nothing again"),
        pytest.param(-5, 1, [], id="negative already tells nothing again"),
    ],
)
def test_the_balance_is_told_once_per_crossing(
    wallet_micros: int, seconds: int, told: list[EventType]
) -> None:
    due_at = NOON if wallet_micros < 50_000 else None
    before = watched(50_000, wallet_micros, due_at)
    change = alerts.told(posting(before, [call(1, seconds)], deck=A_CENT_A_SECOND), NOON)
    assert [event.type for event in change.events] == told
    balance = {"amount": change.after.wallet.amount, "currency": "USD"}
    for event in change.events:
        assert event.data["balance"] == balance
        if event.type is not EventType.RECHARGE_SCHEDULED:
            assert str(the_entry(change).cause) in event.event_id
            reason = {"reason": "recharge", "below": {"amount": "0.05", "currency": "USD"}}
            is_low = event.type is EventType.BALANCE_LOW
            assert event.data.get("reasons") == ([reason] if is_low else None)


def test_a_payment_that_is_scheduled_is_told_with_its_reason_under_the_changes_version() -> None:
    change = posting(watched(50_000, 60_000), [call(1, 2)], deck=A_CENT_A_SECOND)
    event = change.events[-1]
    assert event.event_id == f"main/v{change.after.version}/recharge.scheduled"
    assert event.data == {
        "reason": "low",
        "due_at": NOON.isoformat(),
        "at_once": False,
        "balance": {"amount": "0.04", "currency": "USD"},
    }


def test_without_a_policy_only_the_end_of_the_money_is_told() -> None:
    policy = RechargePolicy(RechargeMode.OFF, threshold_micros=50_000)
    before = account(wallet_micros=60_000, recharging=Recharging(policy=policy))
    change = alerts.told(posting(before, [call(1, 7)], deck=A_CENT_A_SECOND), NOON)
    assert [event.type for event in change.events] == [EventType.BALANCE_EXHAUSTED]
    assert change.timers_set == ()


# Late and early usage


def in_april(march: Account, now: datetime) -> Account:
    return rolling.roll(march, now).after


@pytest.mark.parametrize(
    ("after_the_turn", "left_of_march", "left_of_april"),
    [
        pytest.param(SECOND, 540, 600, id="a second late burns its own period"),
        pytest.param(
            LATE_USAGE_GRACE - SECOND, 540, 600, id="a second before the grace ends it still does"
        ),
        pytest.param(LATE_USAGE_GRACE, 600, 540, id="when the grace ends it burns the current one"),
        pytest.param(LATE_USAGE_GRACE + SECOND, 600, 540, id="and a second after as well"),
    ],
)
def test_late_usage_burns_its_own_period_for_72_hours(
    after_the_turn: timedelta, left_of_march: int, left_of_april: int
) -> None:
    now = MARCH.end_at + after_the_turn
    late = call(1, 60, ended_at=MARCH.end_at - SECOND)
    change = posting(in_april(account(600), now), [late], now)
    assert seconds_left(change.after.grants, MARCH.end_at - SECOND) == left_of_march
    assert seconds_left(change.after.grants, now) == left_of_april
    assert change.after.wallet_micros == 0


def test_late_usage_counts_as_of_when_it_is_posted_even_where_the_clock_is_behind() -> None:
    """What the ledger says it was posted at decides, as it does for whoever corrects it."""
    grace_ends_at = MARCH.end_at + LATE_USAGE_GRACE
    ahead = posting(in_april(account(600), grace_ends_at), [call(1, 0)], grace_ends_at).after
    late = call(2, 60, ended_at=MARCH.end_at - SECOND)
    change = posting(ahead, [late], grace_ends_at - SECOND)
    assert change.calls[0].posted_at == grace_ends_at
    assert seconds_left(change.after.grants, MARCH.end_at - SECOND) == 600
    assert seconds_left(change.after.grants, grace_ends_at) == 540


def test_usage_that_ends_with_the_turn_burns_the_new_period() -> None:
    change = posting(
        in_april(account(600), MARCH.end_at), [call(1, 60, ended_at=MARCH.end_at)], MARCH.end_at
    )
    assert seconds_left(change.after.grants, MARCH.end_at - SECOND) == 600
    assert seconds_left(change.after.grants, MARCH.end_at) == 540


def test_late_usage_beyond_its_own_periods_grants_is_the_wallets_not_the_new_periods() -> None:
    now = MARCH.end_at + SECOND
    late = call(1, 700, ended_at=MARCH.end_at - SECOND)
    change = posting(in_april(account(600), now), [late], now, A_CENT_A_SECOND)
    assert change.after.wallet_micros == -USD
    assert seconds_left(change.after.grants, now) == 600


def test_a_providers_clock_ahead_across_the_turn_burns_what_there_is() -> None:
    now = MARCH.end_at - SECOND
    ahead = call(1, 60, ended_at=MARCH.end_at + SECOND)
    change = posting(account(600), [ahead], now, A_CENT_A_SECOND)
    assert (change.after.wallet_micros, seconds_left(change.after.grants, now)) == (0, 540)


# Daily spend


def test_spend_counts_on_the_local_day_the_call_ended() -> None:
    in_new_york = account(time_zone="America/New_York")
    just_before_midnight = datetime(2026, 3, 13, 3, 59, 59, tzinfo=NOON.tzinfo)
    events = [
        call(1, 1, ended_at=just_before_midnight),
        call(2, 2, ended_at=just_before_midnight + SECOND),
        call(3, 4, ended_at=NOON),
    ]
    change = posting(in_new_york, events, deck=A_CENT_A_SECOND)
    assert change.after.daily_spend == (
        (date(2026, 3, 12), 10_000),
        (date(2026, 3, 13), 20_000),
        (date(2026, 3, 14), 40_000),
    )


def test_what_grants_paid_is_no_spend() -> None:
    change = posting(account(50), [call(1, 60)], deck=A_CENT_A_SECOND)
    assert change.after.daily_spend == ((date(2026, 3, 14), 100_000),)


# Any order, any batching

calls_of_march = st.lists(st.integers(0, 400), min_size=1, max_size=8)


@st.composite
def even_decks(draw: st.DrawFn) -> RateDeck:
    """Decks whose increments each cost whole deck units, the condition of docs/rating.md."""
    decimals = draw(st.integers(0, 6))
    first, step = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    # A multiple of 60 units a minute is whole units a second, hence whole per any increment.
    rate_micros = 60 * 10 ** (6 - decimals) * draw(st.integers(0, 5))
    rounding = draw(st.sampled_from(Rounding))
    return deck(rate_micros, draw(st.integers(0, 99_999)), first, step, rounding, decimals)


def post_in_batches(
    start: Account, events: Sequence[UsageEvent], chance: random.Random, priced: RateDeck
) -> tuple[Account, int]:
    """Any batches, at any time until the grace ends; also the granted seconds entries name."""
    waiting, now, state, granted = list(events), NOON, start, 0
    while waiting:
        size = chance.randint(1, len(waiting))
        change = posting(state, waiting[:size], now, priced)
        state, waiting = change.after, waiting[size:]
        granted += the_entry(change).usage.granted_voice_seconds
        # Now and then the month turns before the next batch comes.
        now = max(now, MARCH.end_at + chance.choice([-10, 0, 60]) * timedelta(hours=1))
        if turning.is_due(state, now):
            state = rolling.roll(state, now).after
    return state, granted


@FEW
@given(
    even_decks(),
    calls_of_march,
    st.integers(1, 900),
    st.integers(0, 900),
    st.randoms(use_true_random=False),
)
def test_any_order_and_any_batching_burns_the_same_seconds_and_leaves_the_same_balance(
    priced: RateDeck, durations: list[int], held: int, carried: int, chance: random.Random
) -> None:
    """Exact where each increment costs a whole number of deck units: docs/rating.md."""
    term = RecurringGrant("minutes", Unit.VOICE_SECONDS, held, rollover_limit=carried)
    start = account(held)
    start = replace(start, plan=replace(start.plan, recurring_grants=(term,)))
    events = [call(number, seconds) for number, seconds in enumerate(durations)]
    in_time = posting(start, events, deck=priced)
    april = turning.at(in_time.after, MARCH.end_at)
    chance.shuffle(events)
    state, granted = post_in_batches(start, events, chance, priced)
    state = turning.at(state, MARCH.end_at)

    assert state.wallet_micros == in_time.after.wallet_micros
    assert granted == the_entry(in_time).usage.granted_voice_seconds
    for at in (NOON, MARCH.end_at):
        assert seconds_left(state.grants, at) == seconds_left(april.grants, at)


@FEW
@given(
    st.builds(
        deck,
        st.integers(0, 2_000_000),
        st.integers(0, 99_999),
        st.integers(1, 90),
        st.integers(1, 90),
        st.sampled_from(Rounding),
        st.integers(0, 6),
    ),
    calls_of_march,
    st.integers(1, 900),
    st.randoms(use_true_random=False),
)
def test_at_any_rate_the_seconds_are_the_same_and_the_balance_within_a_unit_per_call(
    priced: RateDeck, durations: list[int], held: int, chance: random.Random
) -> None:
    start = account(held)
    events = [call(number, seconds) for number, seconds in enumerate(durations)]
    in_time = posting(start, events, deck=priced)
    chance.shuffle(events)
    state, granted = post_in_batches(start, events, chance, priced)
    difference = abs(state.wallet_micros - in_time.after.wallet_micros)
    assert granted == the_entry(in_time).usage.granted_voice_seconds
    assert seconds_left(state.grants, NOON) == seconds_left(in_time.after.grants, NOON)
    assert difference < len(events) * 10 ** (6 - priced.decimals)
