"""How long a wallet lasts, and what it lacks, at the edges: exact, and in whole micros."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from billing.domain.account import Account
from billing.domain.recharge import due, level
from billing.domain.recharge_balance import (
    LONG,
    empties_at,
    is_below_tomorrow,
    missing_micros,
    next_cycle_at,
)
from billing.domain.recharging import DueReason, Every, RechargeMode, RechargePolicy, Recharging
from billing.domain.spend import with_spend
from builders import NOON, USD, an_account

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
FIXED = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD, is_early=True)
USAGE = RechargePolicy(RechargeMode.USAGE, lookback_days=7, reserve_days=7)
WEEKLY = RechargePolicy(
    RechargeMode.CALENDAR, amount_micros=50 * USD, every=Every.WEEK, day=1, is_early=True
)


def account(policy: RechargePolicy, wallet: int, **recharging: Any) -> Account:
    return an_account(
        created_at=NOON - timedelta(days=900),
        wallet_micros=wallet,
        recharging=Recharging(policy, default_source_id="card", **recharging),
    )


def burning(state: Account, an_hour: int, now: datetime = NOON) -> Account:
    """Spent it in the hour before, and nothing since."""
    return with_spend(state, now - HOUR, an_hour, now)


# How long it lasts


@pytest.mark.parametrize("an_hour", [7, USD, 10**12 + 7])
def test_a_wallet_that_lasts_for_a_year_is_not_said_to_run_empty_and_a_micro_less_is(
    an_hour: int,
) -> None:
    year = an_hour * (LONG // HOUR)
    assert empties_at(burning(account(FIXED, year), an_hour), NOON) is None
    # A micro lasts for 3,600 / an_hour seconds; whole seconds are said, rounded down.
    lasts = LONG - max(1, -(-3_600 // an_hour)) * SECOND
    assert empties_at(burning(account(FIXED, year - 1), an_hour), NOON) == NOON + lasts


@pytest.mark.parametrize("wallet", [0, -USD])
def test_an_empty_wallet_is_empty_now_however_slowly_it_burns(wallet: int) -> None:
    assert empties_at(burning(account(FIXED, wallet), 1), NOON) == NOON


# What it lacks


def test_what_is_missing_is_whole_micros_at_any_instant() -> None:
    now = NOON + timedelta(minutes=30, microseconds=500_000)
    missing = missing_micros(burning(account(FIXED, 0), 7_200 * 100, now), now)
    # To the cycle at four, its fifteen minutes, and the second that has begun: 13,500 of them.
    assert next_cycle_at(now) - NOON == 4 * HOUR
    assert (missing, type(missing)) == (20 * USD, int)
    fast = missing_micros(burning(account(FIXED, 0), 7_200 * USD, now), now)
    assert (fast, type(fast)) == (13_500 * 2 * USD, int)


# When it is looked at


def test_the_next_midnight_is_foreseen_and_not_the_one_after_it() -> None:
    """A day leaves the lookback the day after tomorrow: for tomorrow it still counts."""
    spent: tuple[tuple[date, int], ...] = (
        (NOON.date() - timedelta(days=6), 30 * USD),
        (NOON.date(), 20 * USD),
    )
    state = replace(account(USAGE, 30 * USD), daily_spend=spent)
    assert is_below_tomorrow(state, NOON)
    assert not is_below_tomorrow(replace(state, wallet_micros=50 * USD), NOON)


def test_a_calendar_that_runs_empty_after_its_retry_pays_early_and_not_once_more_as_a_retry() -> (
    None
):
    state = account(WEEKLY, USD, calendar_after=NOON.date(), retry_at=NOON - HOUR)
    wanted = due(burning(state, 90 * USD), NOON)
    assert wanted is not None
    assert wanted.reason is DueReason.EARLY


def test_a_timer_that_is_moved_for_the_same_reason_is_not_told_anew() -> None:
    first = level(account(FIXED, 0, retry_at=NOON + HOUR), NOON)
    assert len(first.events) == 1
    later = replace(first.account.recharging, retry_at=NOON + 2 * HOUR)
    moved = level(replace(first.account, recharging=later), NOON)
    assert [timer.due_at for timer in moved.timers_set] == [NOON + 2 * HOUR]
    assert moved.events == ()
