"""How long a wallet lasts, and what it lacks, at the edges: exact, and in whole micros."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.domain.account import Account
from billing.domain.recharge import due
from billing.domain.recharge_amount import Amount, amount_to_collect
from billing.domain.recharge_balance import LONG, SETTLING, empties_at, missing_micros
from billing.domain.recharging import (
    Collected,
    DueReason,
    Every,
    RechargeMode,
    RechargePolicy,
    Recharging,
)
from billing.domain.spend import with_spend
from builders import NOON, USD, an_account

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
FIXED = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD, is_early=True)
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


@pytest.mark.parametrize("an_hour", [7, USD, 10**12 + 3])
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
    now = NOON + timedelta(microseconds=500_000)
    # To the money of the cycle at four, and the second that has begun as a whole one.
    seconds = (4 * HOUR + SETTLING) // SECOND
    missing = missing_micros(burning(account(FIXED, 0), 3_600 * USD, now), now)
    assert (missing, type(missing)) == (seconds * USD, int)


# Why it is due


def test_a_calendar_that_runs_empty_after_its_retry_pays_early() -> None:
    state = account(WEEKLY, USD, calendar_after=NOON.date(), retry_at=NOON - HOUR)
    wanted = due(burning(state, 90 * USD), NOON)
    assert wanted is not None
    assert wanted.reason is DueReason.EARLY


def test_a_limit_is_nothing_to_wait_for_while_nothing_is_wanted() -> None:
    used_up = Collected(NOON.date().replace(day=1), 60 * USD)
    capped = account(replace(FIXED, monthly_cap_micros=60 * USD), 90 * USD, collected=used_up)
    assert due(capped, NOON) is None
    unused = account(RechargePolicy(RechargeMode.USAGE), USD)
    assert due(unused, NOON) is None


def test_recharge_that_is_off_collects_nothing_and_names_no_limit() -> None:
    assert amount_to_collect(account(RechargePolicy(), 0), NOON) == Amount(0)
