"""When automatic recharge is due: its timer is a level, and stands while there is a reason."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import collecting
from billing.domain.account import Account
from billing.domain.collecting import Intent
from billing.domain.periods import start_of_day
from billing.domain.recharge import WAITING, Due, TimerChange, due, level, reason_of
from billing.domain.recharge_amount import Limit, amount_to_collect, cap_left_micros
from billing.domain.recharge_balance import (
    CYCLE,
    SETTLING,
    covered_micros,
    empties_at,
    is_below_threshold,
    is_early,
    next_cycle_at,
    threshold_micros,
)
from billing.domain.recharge_calendar import next_calendar_day
from billing.domain.recharging import (
    Collected,
    DueReason,
    Every,
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    RechargeReason,
    Recharging,
)
from billing.domain.records import EventType, TimerKind
from billing.domain.spend import with_spend
from builders import NOON, USD, a_source, an_account

FEW = settings(max_examples=60, deadline=None)
TODAY = NOON.date()
MICRO = timedelta(microseconds=1)
FIXED = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD)
TARGET = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
USAGE = RechargePolicy(RechargeMode.USAGE)
MONTHLY = RechargePolicy(RechargeMode.CALENDAR, amount_micros=50 * USD, every=Every.MONTH, day=31)
WEEKLY = replace(MONTHLY, every=Every.WEEK, day=1)
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"]


def account(
    policy: RechargePolicy,
    wallet: int = 0,
    *,
    a_day: int = 0,
    opened: Sequence[OpenRecharge] = (),
    zone: str = "UTC",
    now: datetime = NOON,
    **recharging: Any,
) -> Account:
    """Years old, with a card, and the same spend on every remembered day but today."""
    today = now.date()
    return an_account(
        time_zone=zone,
        created_at=NOON - timedelta(days=900),
        wallet_micros=wallet,
        daily_spend=tuple((today - timedelta(days=age), a_day) for age in range(30, 0, -1))
        if a_day
        else (),
        recharging=Recharging(policy, default_source_id="card", opened=tuple(opened), **recharging),
    )


def slow(amount: int, hours: int) -> OpenRecharge:
    expected_at = NOON + timedelta(hours=hours)
    return OpenRecharge(1, amount, "upi", NOON, expected_at=expected_at, check_at=expected_at)


def burning(state: Account, micros: int, now: datetime = NOON) -> Account:
    return with_spend(state, now, micros, now)


# When a balance fires


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        pytest.param(FIXED, 20 * USD, id="fixed: its threshold"),
        pytest.param(TARGET, 10 * USD, id="target: its threshold"),
        pytest.param(USAGE, 7 * USD, id="usage: the reserve"),
        pytest.param(replace(USAGE, reserve_days=5), 5 * USD, id="usage: five days of reserve"),
    ],
)
def test_strictly_below_the_threshold_fires_and_equal_does_not(
    policy: RechargePolicy, line: int
) -> None:
    assert threshold_micros(account(policy, a_day=USD), NOON) == line
    assert due(account(policy, line, a_day=USD), NOON) is None
    assert due(account(policy, line - 1, a_day=USD), NOON) == Due(NOON, DueReason.LOW)
    half = OpenRecharge(1, line // 2, "card", NOON)
    assert due(account(policy, line - line // 2, a_day=USD, opened=[half]), NOON) is None
    assert due(account(policy, line - line // 2 - 1, a_day=USD, opened=[half]), NOON) is not None


@pytest.mark.parametrize(
    "stopped",
    [
        pytest.param({"policy": RechargePolicy()}, id="off"),
        pytest.param({"policy": RechargePolicy(is_early=True)}, id="off, and was early before"),
        pytest.param({"suspended_at": NOON}, id="suspended"),
        pytest.param({"default_source_id": None}, id="without a source"),
    ],
)
def test_nothing_is_due_while_recharge_is(stopped: dict[str, Any]) -> None:
    state = burning(account(replace(FIXED, is_early=True), a_day=USD), 10 * USD)
    assert due(state, NOON) is not None
    state = replace(state, recharging=replace(state.recharging, **stopped))
    assert due(state, NOON) is None


@pytest.mark.parametrize(
    ("at", "cycle"),
    [
        pytest.param(datetime(2026, 3, 14, tzinfo=UTC), datetime(2026, 3, 14, 4, tzinfo=UTC),
                     id="at a cycle, the one after it"),
        pytest.param(datetime(2026, 3, 14, tzinfo=UTC) - MICRO, datetime(2026, 3, 14, tzinfo=UTC),
                     id="just before a cycle, that one"),
        pytest.param(NOON + timedelta(hours=3), datetime(2026, 3, 14, 16, tzinfo=UTC),
                     id="between two, the next"),
    ],
)  # fmt: skip
def test_cycles_come_every_four_hours_from_midnight_utc(at: datetime, cycle: datetime) -> None:
    assert next_cycle_at(at) == cycle


# What is on its way


@pytest.mark.parametrize(
    ("opened", "counts"),
    [
        pytest.param(OpenRecharge(1, USD, "card", NOON), True, id="being collected"),
        pytest.param(OpenRecharge(1, USD, "card", NOON, is_unknown=True), True, id="unknown"),
        pytest.param(OpenRecharge(1, USD, "", NOON, is_waiting=True), False, id="for its customer"),
        pytest.param(slow(USD, 24), True, id="slow, and the wallet lasts"),
        pytest.param(slow(USD, 240), False, id="slow, and the wallet does not last"),
        pytest.param(slow(USD, -1), True, id="slow, and late already"),
    ],
)
def test_a_payment_on_its_way_counts(opened: OpenRecharge, counts: bool) -> None:
    state = account(FIXED, 5 * USD, a_day=USD, opened=[opened])
    assert covered_micros(state, NOON) == 5 * USD + (USD if counts else 0)


def test_a_slow_payment_counts_until_the_micro_the_wallet_would_be_empty_when_it_comes() -> None:
    for wallet, counts in ((USD + 1, True), (USD, False)):
        state = account(FIXED, wallet, a_day=USD, opened=[slow(30 * USD, 24)])
        assert covered_micros(state, NOON) == wallet + (30 * USD if counts else 0)


def test_a_source_with_a_notice_is_asked_earlier_by_what_is_spent_meanwhile() -> None:
    """Seven days in reserve, and a day and a half until the money comes."""
    line = 8_500_000
    assert due(account(USAGE, line, a_day=USD, notice_hours=36), NOON) is None
    low = account(USAGE, line - 1, a_day=USD, notice_hours=36)
    assert due(low, NOON) == Due(NOON, DueReason.LOW)
    assert due(account(USAGE, line - 1, a_day=USD), NOON) is None


def test_a_balance_at_its_target_has_nothing_to_collect_even_where_a_notice_is_due() -> None:
    full = account(replace(TARGET, minimum_micros=5 * USD), 50 * USD, a_day=40 * USD)
    noticed = replace(full, recharging=replace(full.recharging, notice_hours=36))
    assert is_below_threshold(noticed, NOON)
    assert amount_to_collect(noticed, NOON).limited_by is Limit.TARGET
    assert amount_to_collect(noticed, NOON).micros == 0
    assert due(noticed, NOON) is None
    # A micro less, and the minimum is collected.
    short = replace(noticed, wallet_micros=50 * USD - 1)
    assert amount_to_collect(short, NOON).micros == 5 * USD


def test_a_payment_after_a_notice_reaches_the_threshold_when_it_comes() -> None:
    small = replace(FIXED, amount_micros=5 * USD)
    state = account(small, 20 * USD, a_day=10 * USD, notice_hours=36)
    assert amount_to_collect(state, NOON).micros == 15 * USD


# The level


@st.composite
def states(draw: st.DrawFn) -> Account:
    """Accounts that may stand anywhere, their marks included."""
    policy = draw(st.sampled_from([FIXED, TARGET, USAGE, MONTHLY, WEEKLY, RechargePolicy()]))
    policy = replace(
        policy,
        is_early=draw(st.booleans()),
        monthly_cap_micros=draw(st.sampled_from([None, 50 * USD, 120 * USD])),
        minimum_micros=draw(st.sampled_from([0, 5 * USD])) if policy.mode is USAGE.mode else 0,
    )
    opened = draw(
        st.lists(
            st.builds(
                OpenRecharge,
                st.integers(1, 9),
                st.integers(1, 60).map(lambda n: n * USD),
                st.just("card"),
                st.just(NOON),
                is_waiting=st.booleans(),
                expected_at=st.sampled_from([None, NOON, NOON + timedelta(hours=24)]),
            ),
            max_size=2,
        )
    )
    moments = st.sampled_from([None, NOON - CYCLE, NOON, NOON + CYCLE, NOON + timedelta(days=9)])
    due_at = draw(moments)
    state = account(
        policy,
        draw(st.one_of(st.integers(-20, 90).map(lambda n: n * USD), st.integers(0, 30 * USD))),
        a_day=draw(st.sampled_from([0, USD, 4 * USD])),
        zone=draw(st.sampled_from(ZONES)),
        opened=opened,
        due_at=due_at,
        due_reason=draw(st.sampled_from(DueReason)) if due_at else None,
        retry_at=draw(moments),
        suspended_at=draw(st.sampled_from([None, None, None, NOON])),
        calendar_after=TODAY - timedelta(days=draw(st.integers(0, 70))),
        collected=draw(st.sampled_from([None, Collected(TODAY.replace(day=1), 80 * USD)])),
    )
    return burning(state, draw(st.sampled_from([0, USD, 25 * USD])))


def agrees(state: Account, now: datetime) -> bool:
    """Whether the mark says what is due: the very reason to come, or one that has come."""
    at, reason = state.recharging.due_at, state.recharging.due_reason
    wanted = due(state, now)
    if wanted is None or at is None:
        return wanted is None and at is None and reason is None
    if wanted.at > now:
        return (at, reason) == (wanted.at, wanted.reason)
    is_urgent = wanted.reason is not DueReason.EARLY or reason is DueReason.EARLY
    return at <= now and reason not in WAITING and is_urgent


@settings(max_examples=400, deadline=None)
@given(states())
def test_the_timer_stands_exactly_while_something_is_due(state: Account) -> None:
    leveled = level(state, NOON)
    assert agrees(leveled.account, NOON)
    assert level(leveled.account, NOON) == TimerChange(leveled.account)
    set_at = [timer.due_at for timer in leveled.timers_set]
    if leveled.account == state:
        assert (leveled.timers_set, leveled.timers_cleared, leveled.events) == ((), (), ())
    elif leveled.account.recharging.due_at is None:
        assert (set_at, leveled.timers_cleared) == ([], (TimerKind.RECHARGE,))
    else:
        assert (set_at, leveled.timers_cleared) == ([leveled.account.recharging.due_at], ())


@FEW
@given(states())
def test_what_is_collectable_collects_something(state: Account) -> None:
    wanted = due(state, NOON)
    if wanted is not None and wanted.is_collectable(NOON):
        assert amount_to_collect(state, NOON).micros > 0
    if wanted is not None and wanted.reason in WAITING:
        assert wanted.at > NOON


Step = tuple[str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["spend", "give_back", "credit", "open", "close", "set", "wait"]),
        st.integers(1, 40),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from(ZONES))
def test_whatever_has_happened_the_stored_timer_is_what_the_state_says(
    history: list[Step], zone: str
) -> None:
    now = NOON
    state = level(account(USAGE, 30 * USD, a_day=USD, zone=zone), now).account
    stored = state.recharging.due_at
    for what, size in history:
        now, changed = HAPPENINGS[what](state, now, size)
        leveled = level(changed, now)
        for timer in leveled.timers_set:
            stored = timer.due_at
        if leveled.timers_cleared:
            stored = None
        state = leveled.account
        assert stored == state.recharging.due_at
        assert agrees(state, now)


Happening = Callable[[Account, datetime, int], tuple[datetime, Account]]


def _spend(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    micros = size * USD // 4
    spent = with_spend(state, now - timedelta(hours=size), micros, now)
    return now, replace(spent, wallet_micros=state.wallet_micros - micros)


def _give_back(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    micros = size * USD // 8
    spent = with_spend(state, now - timedelta(days=size % 9), -micros, now)
    return now, replace(spent, wallet_micros=state.wallet_micros + micros)


def _credit(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    return now, replace(state, wallet_micros=state.wallet_micros + size * USD)


def _open(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    opened = (*state.recharging.opened, OpenRecharge(size, size * USD, "card", now))
    return now, replace(state, recharging=replace(state.recharging, opened=opened))


def _close(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    opened = state.recharging.opened[1:]
    return now, replace(state, recharging=replace(state.recharging, opened=opened))


def _set(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    policies = [FIXED, TARGET, USAGE, MONTHLY, RechargePolicy(), replace(USAGE, is_early=True)]
    changed = replace(
        state.recharging, policy=policies[size % len(policies)], calendar_after=now.date()
    )
    return now, replace(state, recharging=changed)


def _wait(state: Account, now: datetime, size: int) -> tuple[datetime, Account]:
    return now + timedelta(hours=size), state


HAPPENINGS: dict[str, Happening] = {
    "spend": _spend,
    "give_back": _give_back,
    "credit": _credit,
    "open": _open,
    "close": _close,
    "set": _set,
    "wait": _wait,
}


@pytest.mark.parametrize(
    ("marked", "wallet", "told"),
    [
        pytest.param((None, None), 0, [EventType.RECHARGE_SCHEDULED], id="falling below it"),
        pytest.param((NOON - CYCLE, DueReason.LOW), 0, [], id="still below it"),
        pytest.param((NOON - CYCLE, DueReason.LOW), 30 * USD, [], id="above it again"),
        pytest.param(
            (NOON + CYCLE, DueReason.TOMORROW), 0, [EventType.RECHARGE_SCHEDULED],
            id="below it before the day has turned",
        ),
    ],
)  # fmt: skip
def test_people_are_told_once(
    marked: tuple[datetime | None, DueReason | None], wallet: int, told: list[EventType]
) -> None:
    due_at, reason = marked
    state = account(FIXED, wallet, due_at=due_at, due_reason=reason)
    assert [event.type for event in level(state, NOON).events] == told


def test_a_refusal_by_a_limit_is_told_and_its_reason_too_when_that_changes() -> None:
    last_of_march = datetime(2026, 3, 31, 12, tzinfo=UTC)
    capped = account(replace(USAGE, monthly_cap_micros=60 * USD), -USD, now=last_of_march)
    first = level(capped, last_of_march)
    assert [(e.type, e.data["reason"]) for e in first.events] == [
        (EventType.RECHARGE_LIMITED, "no_history")
    ]
    used_up = Collected(last_of_march.date().replace(day=1), 60 * USD)
    spent = account(
        replace(FIXED, monthly_cap_micros=60 * USD),
        now=last_of_march,
        collected=used_up,
        due_at=first.account.recharging.due_at,
        due_reason=DueReason.NO_HISTORY,
    )
    # Both wait for the same midnight, where the month turns too.
    second = level(spent, last_of_march)
    assert second.account.recharging.due_at == first.account.recharging.due_at
    assert [(e.type, e.data["reason"]) for e in second.events] == [
        (EventType.RECHARGE_LIMITED, "monthly_cap")
    ]


# The turn of the day


def test_the_midnight_whose_turn_alone_brings_it_below_is_foreseen() -> None:
    """Seven dollars in reserve today; today's thirty dollars make it fourteen tomorrow."""
    state = with_spend(account(USAGE, 10 * USD, a_day=USD), NOON, 31 * USD, NOON)
    assert due(state, NOON) == Due(datetime(2026, 3, 15, tzinfo=UTC), DueReason.TOMORROW)
    assert level(state, NOON).events == ()
    in_kolkata = replace(state, time_zone="Asia/Kolkata")
    midnight = datetime(2026, 3, 14, 18, 30, tzinfo=UTC)
    assert due(in_kolkata, NOON) == Due(midnight, DueReason.TOMORROW)
    assert due(in_kolkata, midnight) == Due(midnight, DueReason.LOW)


@settings(max_examples=150, deadline=None)
@given(
    wallet=st.integers(0, 60 * USD),
    days=st.lists(st.integers(0, 8 * USD), min_size=31, max_size=31),
    age=st.integers(0, 40),
    notice=st.sampled_from([0, 36]),
    opened=st.sampled_from([(), (slow(10 * USD, 10),), (slow(10 * USD, 30),)]),
    zone=st.sampled_from(ZONES),
)
def test_no_day_turns_an_account_low_that_nobody_looks_at(
    wallet: int,
    days: list[int],
    age: int,
    notice: int,
    opened: tuple[OpenRecharge, ...],
    zone: str,
) -> None:
    """Without any further use, on whichever midnight it is low, its timer is due by then."""
    spend = tuple((TODAY - timedelta(days=30 - n), micros) for n, micros in enumerate(days))
    state = account(USAGE, wallet, zone=zone, opened=opened, notice_hours=notice)
    state = replace(state, daily_spend=spend, created_at=NOON - timedelta(days=age))
    timer_at = level(state, NOON).account.recharging.due_at
    for later in range(35):
        midnight = start_of_day(TODAY + timedelta(days=later), zone)
        if midnight > NOON and is_below_threshold(state, midnight):
            assert timer_at is not None
            assert timer_at <= midnight


# Calendar


@pytest.mark.parametrize(
    ("policy", "after", "following"),
    [
        pytest.param(MONTHLY, date(2026, 1, 31), date(2026, 2, 28), id="February has no 31st"),
        pytest.param(MONTHLY, date(2028, 1, 31), date(2028, 2, 29), id="nor in a leap year"),
        pytest.param(MONTHLY, date(2026, 2, 28), date(2026, 3, 31), id="the 31st is kept"),
        pytest.param(MONTHLY, date(2026, 3, 30), date(2026, 3, 31), id="the day before it"),
        pytest.param(MONTHLY, date(2026, 12, 31), date(2027, 1, 31), id="over the new year"),
        pytest.param(
            replace(MONTHLY, day=15), date(2026, 1, 15), date(2026, 2, 15), id="on it, the next"
        ),
        pytest.param(WEEKLY, date(2026, 3, 16), date(2026, 3, 23), id="a Monday, the next one"),
        pytest.param(WEEKLY, date(2026, 3, 15), date(2026, 3, 16), id="a Sunday, the day after"),
        pytest.param(
            replace(WEEKLY, day=7), date(2026, 12, 28), date(2027, 1, 3), id="Sunday, over a year"
        ),
    ],
)
def test_the_calendars_next_day(policy: RechargePolicy, after: date, following: date) -> None:
    assert next_calendar_day(policy, after) == following


@FEW
@given(st.dates(date(2024, 1, 1), date(2030, 1, 1)), st.integers(1, 31))
def test_every_month_has_one_calendar_day_and_every_week_too(after: date, day: int) -> None:
    monthly = next_calendar_day(replace(MONTHLY, day=day), after)
    assert 1 <= (monthly - after).days <= 31
    assert monthly.day == day or (monthly + timedelta(days=1)).day == 1
    weekly = next_calendar_day(replace(WEEKLY, day=day % 7 + 1), after)
    assert 1 <= (weekly - after).days <= 7
    assert weekly.isoweekday() == day % 7 + 1


@pytest.mark.parametrize("zone", ZONES)
def test_a_calendars_day_begins_at_midnight_where_the_account_lives(zone: str) -> None:
    state = account(MONTHLY, 500 * USD, zone=zone, calendar_after=TODAY)
    midnight = start_of_day(date(2026, 3, 31), zone)
    assert due(state, NOON) == Due(midnight, DueReason.CALENDAR)
    assert amount_to_collect(state, NOON).micros == 50 * USD


def test_days_that_were_missed_are_collected_for_once() -> None:
    state = account(WEEKLY, 500 * USD, calendar_after=TODAY - timedelta(days=40))
    wanted = due(state, NOON)
    assert wanted is not None
    assert wanted.is_collectable(NOON)
    intent = Intent(50 * USD, RechargeReason.CALENDAR, (a_source(),))
    begun = collecting.intend(state, intent, NOON).after
    assert due(begun, NOON) == Due(datetime(2026, 3, 16, tzinfo=UTC), DueReason.CALENDAR)
    assert begun.recharging.calendar_after == date(2026, 3, 9)


def test_a_calendar_collects_its_amount_whatever_the_balance() -> None:
    for wallet in (-120 * USD, 0, 500 * USD):
        state = account(MONTHLY, wallet, calendar_after=TODAY - timedelta(days=40))
        assert amount_to_collect(state, NOON).micros == 50 * USD


def test_a_payment_on_the_very_day_is_that_days() -> None:
    monday = datetime(2026, 3, 16, 4, tzinfo=UTC)
    state = account(WEEKLY, calendar_after=TODAY)
    intent = Intent(50 * USD, RechargeReason.CALENDAR, (a_source(),))
    begun = collecting.intend(state, intent, monday).after
    assert begun.recharging.calendar_after == monday.date()


def test_a_calendars_failure_is_made_up_for_at_its_retry_and_not_a_month_later() -> None:
    retry_at = NOON + timedelta(days=3)
    state = account(MONTHLY, calendar_after=TODAY, retry_at=retry_at)
    assert due(state, NOON) == Due(retry_at, DueReason.RETRY)
    wanted = due(state, retry_at)
    assert wanted is not None
    assert wanted.is_collectable(retry_at)


# Retries


def test_after_a_failure_nothing_is_tried_before_its_retry() -> None:
    retry_at = NOON + timedelta(hours=5)
    state = account(replace(FIXED, is_early=True), USD, retry_at=retry_at)
    assert due(state, NOON) == Due(retry_at, DueReason.RETRY)
    assert due(burning(state, 9 * USD), NOON) == Due(retry_at, DueReason.RETRY)
    assert due(state, retry_at) == Due(retry_at, DueReason.LOW)
    # Money has come otherwise: there is nothing to try again.
    assert due(replace(state, wallet_micros=90 * USD), NOON) is None


# The monthly cap


def test_a_cap_that_is_used_up_waits_for_the_accounts_own_next_month() -> None:
    """In Kiritimati, 14 hours ahead, April begins on 31 March at ten in the morning."""
    policy = replace(FIXED, monthly_cap_micros=50 * USD)
    march = Collected(date(2026, 3, 1), 50 * USD)
    state = account(policy, zone="Pacific/Kiritimati", collected=march)
    turn = datetime(2026, 3, 31, 10, tzinfo=UTC)
    assert due(state, NOON) == Due(turn, DueReason.MONTHLY_CAP)
    assert due(state, turn - MICRO) == Due(turn, DueReason.MONTHLY_CAP)
    assert due(state, turn) == Due(turn, DueReason.LOW)
    assert (cap_left_micros(state, turn - MICRO), cap_left_micros(state, turn)) == (0, 50 * USD)


@pytest.mark.parametrize(
    ("policy", "collected", "amount", "limit"),
    [
        pytest.param(FIXED, 20 * USD, 50 * USD, None, id="room for one"),
        pytest.param(FIXED, 60 * USD, 0, Limit.MONTHLY_CAP, id="fixed: no room for a whole one"),
        pytest.param(USAGE, 96 * USD, 4 * USD, Limit.MONTHLY_CAP, id="usage: what is left"),
        pytest.param(
            replace(USAGE, minimum_micros=5 * USD), 96 * USD, 0, Limit.MONTHLY_CAP,
            id="usage: less than the minimum is left",
        ),
        pytest.param(TARGET, 96 * USD, 4 * USD, Limit.MONTHLY_CAP, id="target: what is left"),
        pytest.param(MONTHLY, 60 * USD, 0, Limit.MONTHLY_CAP, id="calendar: no room for it"),
    ],
)  # fmt: skip
def test_what_the_month_has_left_bounds_a_payment(
    policy: RechargePolicy, collected: int, amount: int, limit: Limit | None
) -> None:
    capped = replace(policy, monthly_cap_micros=100 * USD)
    so_far = Collected(TODAY.replace(day=1), collected)
    found = amount_to_collect(account(capped, a_day=USD, collected=so_far), NOON)
    assert (found.micros, found.limited_by) == (amount, limit)


def test_usage_without_any_history_says_so_and_looks_again_tomorrow() -> None:
    state = account(USAGE, -1)
    assert amount_to_collect(state, NOON).limited_by is Limit.NO_HISTORY
    assert due(state, NOON) == Due(datetime(2026, 3, 15, tzinfo=UTC), DueReason.NO_HISTORY)
    least = account(replace(USAGE, minimum_micros=25 * USD), -1)
    assert amount_to_collect(least, NOON).micros == 25 * USD


# Early


EARLY = replace(USAGE, is_early=True)


@pytest.mark.parametrize(
    ("burned", "is_urgent"),
    [
        # Half an hour's worth is counted at least, so an hour burns twice what noon has seen; until
        # the cycle at four has its money it takes four hours and a quarter.
        pytest.param(10 * USD, True, id="85 dollars until the next payment could help"),
        pytest.param(9 * USD, False, id="76.50"),
        pytest.param(0, False, id="nothing"),
    ],
)
def test_a_wallet_that_would_be_empty_before_the_next_payment_is_filled_at_once(
    burned: int, is_urgent: bool
) -> None:
    state = burning(account(EARLY, 80 * USD, a_day=USD), burned)
    assert is_early(state, NOON) is is_urgent
    assert (due(state, NOON) == Due(NOON, DueReason.EARLY)) is is_urgent
    off = replace(state, recharging=replace(state.recharging, policy=USAGE))
    assert not is_early(off, NOON)


def test_the_last_instant_that_helps_is_the_next_cycles_payment() -> None:
    state = burning(account(EARLY, 0, a_day=USD), 10 * USD)
    horizon = next_cycle_at(NOON) + SETTLING
    seconds = (horizon - NOON) // timedelta(seconds=1)
    just = replace(state, wallet_micros=20 * USD * seconds // 3_600)
    assert empties_at(just, NOON) == horizon
    assert is_early(just, NOON)
    more = replace(state, wallet_micros=20 * USD * (seconds + 1) // 3_600 + 1)
    assert not is_early(more, NOON)


def test_a_payment_that_may_come_at_any_moment_helps_and_a_slow_one_does_not() -> None:
    fast = OpenRecharge(1, 200 * USD, "card", NOON)
    state = account(EARLY, 10 * USD, a_day=USD)
    for opened, is_urgent in (
        ((fast,), False),
        ((slow(200 * USD, 24),), True),
        ((replace(fast, is_waiting=True),), True),
    ):
        with_open = replace(state, recharging=replace(state.recharging, opened=opened))
        assert is_early(burning(with_open, 10 * USD), NOON) is is_urgent


@FEW
@given(
    policy=st.sampled_from([EARLY, replace(FIXED, is_early=True), replace(WEEKLY, is_early=True)]),
    wallet=st.integers(-5 * USD, 60 * USD),
    burned=st.integers(1, 90 * USD),
    minutes=st.integers(0, 239),
)
def test_one_early_payment_is_enough_until_the_next_cycle(
    policy: RechargePolicy, wallet: int, burned: int, minutes: int
) -> None:
    now = NOON + timedelta(minutes=minutes)
    state = burning(account(policy, wallet, a_day=USD, calendar_after=TODAY), burned, now)
    if is_early(state, now):
        amount = amount_to_collect(state, now).micros
        paid = replace(state, wallet_micros=wallet + amount)
        assert not is_early(paid, now)
        one = 14 * USD if policy is EARLY else 50 * USD
        assert amount % one == 0
        less = replace(state, wallet_micros=wallet + amount - one)
        # One multiple less would not do.
        assert amount == one or is_early(less, now) or is_below_threshold(less, now)


def test_a_payment_that_lasts_to_the_very_instant_is_not_enough() -> None:
    """Twenty dollars an hour for four hours and a quarter are 85 exactly."""
    for one, amount in ((85 * USD, 170 * USD), (85 * USD + 10_000, 85 * USD + 10_000)):
        policy = RechargePolicy(RechargeMode.FIXED, amount_micros=one, is_early=True)
        state = burning(account(policy), 10 * USD)
        assert amount_to_collect(state, NOON).micros == amount


def test_early_above_the_threshold_pays_one_multiple_at_the_least() -> None:
    state = burning(account(EARLY, 80 * USD, a_day=USD), 10 * USD)
    assert threshold_micros(state, NOON) == 7 * USD
    assert amount_to_collect(state, NOON).micros == 14 * USD


def test_target_mode_waits_for_its_threshold_and_then_pays_at_once() -> None:
    """Above it every call would be followed by a payment of what it has cost."""
    policy = replace(TARGET, is_early=True)
    above = burning(account(policy, 49 * USD), 40 * USD)
    assert due(above, NOON) is None
    below = replace(above, wallet_micros=10 * USD - 1)
    assert due(below, NOON) == Due(NOON, DueReason.EARLY)
    assert amount_to_collect(below, NOON).micros == 40 * USD + 10_000


def test_a_full_wallet_that_hardly_burns_does_not_run_empty() -> None:
    state = burning(account(EARLY, 10**15), 1)
    assert empties_at(state, NOON) is None
    assert not is_early(state, NOON)


def test_becoming_urgent_is_told_and_stays_told_once() -> None:
    low = level(account(EARLY, 5 * USD, a_day=USD), NOON).account
    assert low.recharging.due_reason is DueReason.LOW
    urgent = level(burning(low, 10 * USD), NOON)
    assert [event.data["at_once"] for event in urgent.events] == [True]
    assert [timer.due_at for timer in urgent.timers_set] == [NOON]
    again = level(burning(urgent.account, 10 * USD), NOON)
    assert again.events == ()


# What it is called, and whom it tells


@pytest.mark.parametrize(
    ("policy", "wanted", "reason"),
    [
        (FIXED, DueReason.LOW, RechargeReason.AUTOMATIC),
        (FIXED, DueReason.EARLY, RechargeReason.EARLY),
        (MONTHLY, DueReason.CALENDAR, RechargeReason.CALENDAR),
        (MONTHLY, DueReason.RETRY, RechargeReason.CALENDAR),
    ],
)
def test_a_payment_is_called_by_what_it_is_collected_for(
    policy: RechargePolicy, wanted: DueReason, reason: RechargeReason
) -> None:
    assert reason_of(policy, wanted) is reason


def test_what_is_told_names_its_account_and_its_time() -> None:
    low = account(FIXED, 0)
    (event,) = level(low, NOON).events
    assert (event.account, event.occurred_at) == (low.ref, NOON)


def test_a_calendar_that_nobody_began_begins_today_in_the_accounts_zone() -> None:
    # Just before midnight UTC it is tomorrow in Tokyo already.
    late = datetime(2026, 3, 30, 23, 30, tzinfo=UTC)
    wanted = due(account(MONTHLY, zone="Asia/Tokyo", now=late), late)
    assert wanted is not None
    assert wanted.at == start_of_day(date(2026, 4, 30), "Asia/Tokyo")


def test_nothing_is_collected_where_recharge_is_off_or_the_target_is_there() -> None:
    assert amount_to_collect(account(RechargePolicy()), NOON).micros == 0
    full = amount_to_collect(account(TARGET, 50 * USD), NOON)
    assert (full.micros, full.limited_by) == (0, Limit.TARGET)


def test_of_two_limits_that_allow_as_much_the_maximum_is_named() -> None:
    high = replace(FIXED, threshold_micros=90 * USD)
    both = account(replace(high, maximum_micros=50 * USD, monthly_cap_micros=50 * USD))
    assert amount_to_collect(both, NOON).limited_by is Limit.MAXIMUM


def test_an_amount_that_a_limit_just_allows_is_not_limited_by_it() -> None:
    just = account(replace(TARGET, maximum_micros=50 * USD))
    amount = amount_to_collect(just, NOON)
    assert (amount.micros, amount.limited_by) == (50 * USD, None)


def test_a_timer_that_moves_for_the_same_reason_tells_nobody_again() -> None:
    later: dict[str, Any] = {
        "due_at": NOON + timedelta(days=40),
        "due_reason": DueReason.CALENDAR,
    }
    moved = level(account(MONTHLY, calendar_after=TODAY, **later), NOON)
    assert moved.timers_set
    assert moved.events == ()


def test_the_look_ahead_is_to_the_next_midnight_and_not_beyond_it() -> None:
    # With a lookback of a day only today counts tomorrow, and nothing the day after.
    shortest = replace(USAGE, lookback_days=1, minimum_history_days=1, reserve_days=3)
    spent = burning(account(shortest, 80 * USD), 30 * USD)
    assert spent.wallet_micros < 3 * 30 * USD
    wanted = due(spent, NOON)
    assert wanted == Due(start_of_day(TODAY + timedelta(days=1), "UTC"), DueReason.TOMORROW)
