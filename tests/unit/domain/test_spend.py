"""What an account spends: by its own days for averages, by the hour for how fast it burns."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import Account
from billing.domain.periods import start_of_day
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.spend import (
    SPEND_DAYS,
    Average,
    average,
    average_now,
    burn_per_hour_micros,
    with_spend,
)
from builders import NOON, USD, an_account

FEW = settings(max_examples=40, deadline=None)
TODAY = date(2026, 3, 14)
OLD = NOON - timedelta(days=400)
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "America/Santiago"]


def account(
    spend: dict[date, int] | None = None,
    created_at: datetime = OLD,
    zone: str = "UTC",
    **policy: int,
) -> Account:
    return an_account(
        now=created_at,
        time_zone=zone,
        recharging=Recharging(RechargePolicy(RechargeMode.USAGE, **policy)),  # type: ignore[arg-type]
        daily_spend=tuple(sorted((spend or {}).items())),
    )


def days_ago(*ages: int, micros: int = USD) -> dict[date, int]:
    return {TODAY - timedelta(days=age): micros for age in ages}


# The average


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        pytest.param(0, False, id="today does not count"),
        pytest.param(1, True, id="yesterday does"),
        pytest.param(30, True, id="the thirtieth day before today does"),
        pytest.param(31, False, id="the day before that does not"),
    ],
)
def test_the_average_counts_the_whole_days_before_today(age: int, counts: bool) -> None:
    found = average(account(days_ago(age)), TODAY)
    assert found == Average(USD if counts else 0, 30)


def test_days_without_use_count_as_zero() -> None:
    found = average(account(days_ago(3, micros=30 * USD)), TODAY)
    assert found.per_day_micros == USD


@pytest.mark.parametrize("lookback", [1, 7, 28, 30])
def test_the_lookback_is_the_policys_own(lookback: int) -> None:
    found = average(account(days_ago(*range(1, 31)), lookback_days=lookback), TODAY)
    assert found == Average(lookback * USD, lookback)


@pytest.mark.parametrize(
    ("age_days", "days"),
    [
        pytest.param(0, 7, id="on its first day, the minimum history"),
        pytest.param(6, 7, id="a day short of it, the minimum history"),
        pytest.param(7, 7, id="as old as it"),
        pytest.param(8, 8, id="older, the days it has existed"),
        pytest.param(29, 29, id="a day short of the lookback"),
        pytest.param(30, 30, id="as old as the lookback"),
        pytest.param(31, 30, id="older, the lookback"),
    ],
)
def test_a_young_account_averages_over_the_days_it_has_existed(age_days: int, days: int) -> None:
    assert average(account(created_at=NOON - timedelta(days=age_days)), TODAY).days == days


def test_the_age_is_counted_in_the_accounts_own_days() -> None:
    opened_at = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    assert average_now(account(created_at=opened_at), NOON).days == 10
    # In Kiritimati that was the fifth already, and noon in London is the fifteenth.
    assert average_now(account(created_at=opened_at, zone="Pacific/Kiritimati"), NOON).days == 10
    assert average_now(account(created_at=opened_at, zone="Asia/Kolkata"), NOON).days == 9


def test_a_minimum_history_above_the_lookback_counts_as_the_lookback() -> None:
    young = account(created_at=NOON, lookback_days=5, minimum_history_days=7)
    assert average(young, TODAY).days == 5


def test_more_taken_back_than_spent_is_an_average_of_zero() -> None:
    assert average(account(days_ago(1, micros=-USD)), TODAY).sum_micros == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(Average(100, 30).per_day_micros, 3, id="what is read is rounded down"),
        pytest.param(Average(100, 30).over_micros(14), 47, id="days of it are rounded up"),
        pytest.param(Average(100, 30).over_micros(30), 100, id="and exact where they divide"),
        pytest.param(
            Average(100, 30).within_micros(timedelta(hours=36)), 5, id="hours of it round up too"
        ),
    ],
)
def test_every_division_of_an_average_names_its_rounding(found: int, expected: int) -> None:
    assert found == expected


# Days


@pytest.mark.parametrize("zone", ZONES)
@FEW
@given(minutes=st.lists(st.tuples(st.integers(0, 60 * 24 * 45), st.integers(-5, 50)), max_size=20))
def test_the_average_is_the_sum_over_local_days_whatever_came_when(
    zone: str, minutes: Sequence[tuple[int, int]]
) -> None:
    """45 days across the turns of clocks in both hemispheres; the model knows only datetime."""
    begun = datetime(2026, 2, 20, tzinfo=UTC)
    now = begun + timedelta(days=45)
    state = account(zone=zone)
    for minute, micros in minutes:
        state = with_spend(state, begun + timedelta(minutes=minute), micros, now)
    today = now.astimezone(ZoneInfo(zone)).date()
    expected = Fraction(0)
    for minute, micros in minutes:
        day = (begun + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).date()
        if 1 <= (today - day).days <= 30:
            expected += Fraction(micros, 30)
    found = average_now(state, now)
    assert Fraction(found.sum_micros, found.days) == max(0, expected)


@FEW
@given(
    parts=st.lists(st.tuples(st.integers(0, 40 * 24), st.integers(-9, 9)), max_size=12),
    data=st.data(),
)
def test_the_order_of_what_is_charged_does_not_matter(
    parts: list[tuple[int, int]], data: st.DataObject
) -> None:
    def charged(order: list[tuple[int, int]]) -> Account:
        state = account(is_early=True)
        for hours, micros in order:
            state = with_spend(state, NOON - timedelta(hours=hours), micros, NOON)
        return state

    shuffled = data.draw(st.permutations(parts))
    assert charged(parts) == charged(shuffled)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        pytest.param(datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7), id="before"),
        pytest.param(datetime(2026, 3, 8, 5, tzinfo=UTC), date(2026, 3, 8), id="at midnight"),
        pytest.param(
            datetime(2026, 3, 9, 3, 59, tzinfo=UTC), date(2026, 3, 8), id="a day of 23 hours"
        ),
        pytest.param(
            datetime(2026, 3, 9, 4, tzinfo=UTC), date(2026, 3, 9), id="ends an hour early"
        ),
    ],
)
def test_usage_counts_on_the_local_day_it_ended(at: datetime, day: date) -> None:
    state = with_spend(account(zone="America/New_York"), at, USD, NOON)
    assert state.daily_spend == ((day, USD),)


def test_what_is_taken_back_is_taken_from_the_calls_own_day() -> None:
    state = with_spend(account(), NOON - timedelta(days=5), 3 * USD, NOON)
    state = with_spend(state, NOON - timedelta(days=1), 2 * USD, NOON)
    state = with_spend(state, NOON - timedelta(days=5), -3 * USD, NOON)
    assert state.daily_spend == ((TODAY - timedelta(days=1), 2 * USD),)


def test_days_gone_by_are_forgotten_and_too_late_a_call_is_not_remembered() -> None:
    full = account(days_ago(*range(SPEND_DAYS)))
    midnight = start_of_day(TODAY + timedelta(days=1), "UTC")
    turned = with_spend(full, midnight, USD, midnight)
    assert len(turned.daily_spend) == SPEND_DAYS
    assert turned.daily_spend[0][0] == TODAY - timedelta(days=SPEND_DAYS - 2)
    late = with_spend(full, NOON - timedelta(days=SPEND_DAYS), USD, NOON)
    assert late.daily_spend == full.daily_spend


def test_what_costs_the_wallet_nothing_changes_nothing() -> None:
    state = account(days_ago(1))
    assert with_spend(state, NOON, 0, NOON) is state


# Hours


def burning(*hours_ago_and_micros: tuple[int, int], now: datetime = NOON) -> Account:
    state = account(is_early=True)
    for hours, micros in hours_ago_and_micros:
        state = with_spend(state, now - timedelta(hours=hours), micros, now)
    return state


def test_hours_are_kept_only_where_early_recharge_looks_at_them() -> None:
    assert with_spend(account(), NOON, USD, NOON).hourly_spend == ()
    assert len(burning((0, USD)).hourly_spend) == 1


def test_hours_gone_by_are_forgotten() -> None:
    state = burning((3, USD))
    assert len(state.hourly_spend) == 1
    later = NOON + timedelta(hours=1)
    assert (
        with_spend(state, later, USD, later).hourly_spend
        == burning((0, USD), now=later).hourly_spend
    )
    assert burning((4, USD)).hourly_spend == ()


def test_a_clock_ahead_of_ours_counts_as_now() -> None:
    state = with_spend(account(is_early=True), NOON + timedelta(minutes=70), USD, NOON)
    assert state.hourly_spend == burning((0, USD)).hourly_spend


@pytest.mark.parametrize(
    ("spent", "minutes_past", "per_hour"),
    [
        pytest.param([], 0, 0, id="nothing spent, nothing burned"),
        pytest.param([(0, 60)], 0, 120, id="the first minute of an hour is measured over thirty"),
        pytest.param([(0, 60)], 30, 120, id="and so is the thirtieth"),
        pytest.param([(0, 60)], 45, 80, id="then over the hour so far"),
        pytest.param([(0, 60), (1, 120)], 0, 180, id="two hours, where they are faster"),
        pytest.param([(1, 240)], 30, 160, id="a burst that has ended fades"),
        pytest.param([(0, 100), (1, 100), (2, 100), (3, 100)], 59, 102, id="a steady load, whole"),
        pytest.param([(3, 240)], 59, 61, id="four hours at the most, rounded up"),
    ],
)  # fmt: skip
def test_the_burn_is_the_fastest_of_the_last_hours(
    spent: list[tuple[int, int]], minutes_past: int, per_hour: int
) -> None:
    now = NOON + timedelta(minutes=minutes_past)
    assert burn_per_hour_micros(burning(*spent, now=now), now) == per_hour


def test_what_was_burned_before_the_last_hours_is_not_looked_at() -> None:
    state = burning((0, USD))
    assert burn_per_hour_micros(state, NOON + timedelta(hours=3, minutes=59)) > 0
    assert burn_per_hour_micros(state, NOON + timedelta(hours=4)) == 0


def test_more_taken_back_than_burned_is_no_burn() -> None:
    state = replace(account(is_early=True), hourly_spend=burning((0, -USD)).hourly_spend)
    assert burn_per_hour_micros(state, NOON) == 0
