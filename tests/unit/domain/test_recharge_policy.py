"""What may be set, and a small model of amount and threshold, written from docs/recharge.md."""

import math
import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from billing.domain.account import Account
from billing.domain.errors import InvalidInputError
from billing.domain.money import MAX_MICROS
from billing.domain.recharge_amount import Limit, amount_to_collect
from billing.domain.recharge_balance import covered_micros, is_below_threshold, threshold_micros
from billing.domain.recharge_policy import MAX_DAYS, validate_policy
from billing.domain.recharging import (
    Collected,
    Every,
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    Recharging,
)
from builders import NOON, USD, an_account

TODAY = NOON.date()
CENT = 10_000
FIXED = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD)
TARGET = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
USAGE = RechargePolicy(RechargeMode.USAGE)
CALENDAR = RechargePolicy(RechargeMode.CALENDAR, amount_micros=50 * USD, every=Every.MONTH, day=31)
STEPS_MICROS = {"USD": 10_000, "JPY": 1_000_000, "KWD": 10_000}
"""What gateways collect is a multiple of it: of a dinar's three decimals the last is zero."""


# What may be set


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(RechargePolicy(), id="nothing at all"),
        pytest.param(FIXED, id="fixed"),
        pytest.param(TARGET, id="target"),
        pytest.param(USAGE, id="usage, all defaults"),
        pytest.param(CALENDAR, id="calendar, the last day of every month"),
        pytest.param(replace(CALENDAR, day=1), id="calendar, the first day of every month"),
        pytest.param(replace(FIXED, threshold_micros=0), id="a threshold of nothing"),
        pytest.param(replace(FIXED, threshold_micros=1), id="a threshold of a micro"),
        pytest.param(replace(FIXED, maximum_micros=50 * USD), id="a maximum of one amount"),
        pytest.param(replace(FIXED, monthly_cap_micros=50 * USD), id="a cap of one amount"),
        pytest.param(replace(USAGE, reserve_days=5), id="five days in reserve"),
        pytest.param(replace(USAGE, recharge_days=1, reserve_days=90), id="days at their bounds"),
        pytest.param(replace(USAGE, lookback_days=1), id="a lookback below the minimum history"),
        pytest.param(replace(USAGE, minimum_micros=CENT), id="a minimum of a cent"),
    ],
)
def test_a_policy_may_be_set(policy: RechargePolicy) -> None:
    assert validate_policy(policy, "USD") is policy


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (replace(FIXED, threshold_micros=-1), "threshold"),
        (replace(FIXED, amount_micros=0), "amount"),
        (replace(FIXED, amount_micros=CENT + 1), "amount"),
        (replace(FIXED, maximum_micros=0), "maximum"),
        (replace(FIXED, maximum_micros=50 * USD - CENT), "maximum"),
        (replace(FIXED, monthly_cap_micros=50 * USD - CENT), "monthly_cap"),
        (replace(FIXED, monthly_cap_micros=-CENT), "monthly_cap"),
        (replace(FIXED, amount_micros=MAX_MICROS), "amount"),
        (replace(TARGET, target_micros=10 * USD), "target"),
        (replace(TARGET, target_micros=50 * USD + 1), "target"),
        (replace(TARGET, minimum_micros=CENT - 1), "minimum"),
        (replace(TARGET, minimum_micros=-CENT), "minimum"),
        (replace(USAGE, minimum_micros=2 * USD, maximum_micros=USD), "maximum"),
        (replace(USAGE, minimum_micros=2 * USD, monthly_cap_micros=USD), "monthly_cap"),
        (replace(USAGE, lookback_days=0), "lookback_days"),
        (replace(USAGE, lookback_days=31), "lookback_days"),
        (replace(USAGE, recharge_days=0), "recharge_days"),
        (replace(USAGE, recharge_days=MAX_DAYS + 1), "recharge_days"),
        (replace(USAGE, reserve_days=0), "reserve_days"),
        (replace(USAGE, reserve_days=MAX_DAYS + 1), "reserve_days"),
        (replace(USAGE, minimum_history_days=0), "minimum_history_days"),
        (replace(USAGE, minimum_history_days=31), "minimum_history_days"),
        (replace(CALENDAR, amount_micros=0), "amount"),
        (replace(CALENDAR, day=0), "day"),
        (replace(CALENDAR, day=32), "day"),
        (replace(CALENDAR, every=Every.WEEK, day=8), "day"),
    ],
)
def test_a_refused_setting_is_named(policy: RechargePolicy, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field) as refused:
        validate_policy(policy, "USD")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("policy", "least"),
    [
        (replace(FIXED, maximum_micros=USD), "amount"),
        (replace(FIXED, minimum_micros=50 * USD, maximum_micros=USD), "amount"),
        (replace(USAGE, minimum_micros=2 * USD, maximum_micros=USD), "minimum"),
    ],
)
def test_a_limit_that_leaves_room_for_no_payment_says_what_it_has_to_reach(
    policy: RechargePolicy, least: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"^maximum is at least the {least}$"):
        validate_policy(policy, "USD")


@pytest.mark.parametrize("name", ["amount_micros", "target_micros", "minimum_micros"])
def test_what_would_bring_the_wallet_beyond_money_is_refused(name: str) -> None:
    of_mode = TARGET if name == "target_micros" else FIXED
    largest: dict[str, Any] = {name: MAX_MICROS}
    with pytest.raises(InvalidInputError):
        validate_policy(replace(of_mode, **largest), "USD")


@pytest.mark.parametrize(
    ("currency", "step"),
    [
        pytest.param("USD", 10_000, id="dollars by the cent"),
        pytest.param("JPY", 1_000_000, id="yen whole"),
        pytest.param("KWD", 10_000, id="dinars by ten fils"),
    ],
)
def test_an_amount_is_one_that_gateways_collect(currency: str, step: int) -> None:
    validate_policy(replace(FIXED, amount_micros=step), currency)
    with pytest.raises(InvalidInputError):
        validate_policy(replace(FIXED, amount_micros=step + step // 10), currency)


def test_what_a_mode_does_not_use_does_not_stand_in_its_way() -> None:
    validate_policy(replace(FIXED, lookback_days=99, day=99), "USD")
    validate_policy(RechargePolicy(threshold_micros=-1, day=99), "USD")


# The model: exact fractions, from the rules in docs/recharge.md


class Model:
    """What the rules say, in whole currency units. No code of the domain's is used."""

    def __init__(self, account: Account) -> None:
        self.policy = account.recharging.policy
        self.step = _units(STEPS_MICROS[account.currency])
        opened = sum(one.amount_micros for one in account.recharging.opened)
        self.covered = _units(account.wallet_micros + opened)
        age = (TODAY - account.created_at.date()).days
        window = {TODAY - timedelta(days=back) for back in range(1, self.policy.lookback_days + 1)}
        spent = sum(
            (_units(micros) for day, micros in account.daily_spend if day in window), Fraction(0)
        )
        floor = max(self.policy.minimum_history_days, age)
        self.average = max(Fraction(0), spent) / min(self.policy.lookback_days, floor)
        cap = self.policy.monthly_cap_micros
        collected = account.recharging.collected
        is_this_month = collected is not None and collected.month == TODAY.replace(day=1)
        so_far = collected.amount_micros if collected and is_this_month else 0
        self.left = None if cap is None else max(Fraction(0), _units(cap - so_far))
        maximum = self.policy.maximum_micros
        bounds = [self.left, None if maximum is None else _units(maximum)]
        self.bound = min((bound for bound in bounds if bound is not None), default=None)

    @property
    def threshold(self) -> Fraction:
        if self.policy.mode is RechargeMode.USAGE:
            return self.average * self.policy.reserve_days
        return _units(self.policy.threshold_micros)

    @property
    def fires(self) -> bool:
        return self.covered < self.threshold

    def amount(self) -> Fraction:
        if self.policy.mode is RechargeMode.TARGET:
            gap = self._rounded(_units(self.policy.target_micros) - self.covered, math.ceil)
            return self._cut(max(gap, _units(self.policy.minimum_micros))) if gap > 0 else gap * 0
        one = _units(self.policy.amount_micros)
        if self.policy.mode is RechargeMode.USAGE:
            exact = self.average * self.policy.recharge_days
            one = self._rounded(max(exact, _units(self.policy.minimum_micros)), math.ceil)
        if not one:
            return Fraction(0)
        times = max(1, math.ceil((self.threshold - self.covered) / one))
        if self.bound is not None:
            times = min(times, math.floor(self.bound / one))
        if not times and self.policy.mode is RechargeMode.USAGE:
            return self._cut(one)
        return times * one

    def _cut(self, wanted: Fraction) -> Fraction:
        if self.bound is not None:
            wanted = min(wanted, self._rounded(self.bound, math.floor))
        return wanted if wanted >= _units(self.policy.minimum_micros) else Fraction(0)

    def _rounded(self, value: Fraction, to_whole: Callable[[Fraction], int]) -> Fraction:
        return to_whole(value / self.step) * self.step


def _units(micros: int) -> Fraction:
    return Fraction(micros, 10**6)


def a_case(dice: random.Random) -> Account:
    """Any account whose automatic recharge may stand anywhere, of a round or an odd amount."""
    currency = dice.choice(list(STEPS_MICROS))
    step = STEPS_MICROS[currency]

    def amount(most: int) -> int:
        return step * dice.choice([1, 7, dice.randrange(1, most), 100 * dice.randrange(1, most)])

    def perhaps(value: int) -> int | None:
        return value if dice.random() < 0.5 else None

    one = amount(2_000)
    threshold = dice.choice([0, amount(2_000), dice.randrange(3_000 * step)])
    mode = dice.choice([RechargeMode.FIXED, RechargeMode.TARGET, RechargeMode.USAGE])
    minimum = 0 if mode is RechargeMode.FIXED else dice.choice([0, 0, amount(500)])
    is_fixed = mode is RechargeMode.FIXED
    least = max(one if is_fixed else 0, minimum)
    policy = RechargePolicy(
        mode=mode,
        threshold_micros=threshold,
        amount_micros=one if is_fixed else 0,
        target_micros=-(-(threshold + one) // step) * step if mode is RechargeMode.TARGET else 0,
        minimum_micros=minimum,
        maximum_micros=perhaps(least + amount(3_000)),
        monthly_cap_micros=perhaps(least + amount(3_000)),
        lookback_days=dice.choice([1, 7, 28, 30]),
        recharge_days=dice.choice([1, 14, 90]),
        reserve_days=dice.choice([1, 5, 7]),
        minimum_history_days=dice.choice([1, 7, 30]),
    )
    validate_policy(policy, currency)
    most = 20 * step
    spend = {TODAY - timedelta(days=dice.randrange(31)): dice.randrange(-most // 10, most)
             for _ in range(dice.choice([0, 1, 5, 40]))}  # fmt: skip
    month = dice.choice([TODAY.replace(day=1), date(2026, 2, 1)])
    cap = policy.monthly_cap_micros
    opened = tuple(
        OpenRecharge(number, amount(1_000), f"card-{number}", NOON)
        for number in range(dice.choice([0, 0, 1, 2]))
    )
    account = an_account(
        currency=currency,
        created_at=NOON - timedelta(days=dice.choice([0, 3, 7, 12, 30, 99])),
        daily_spend=tuple(sorted(spend.items())),
        recharging=Recharging(
            policy,
            opened=opened,
            default_source_id="card",
            collected=Collected(month, step * dice.randrange(cap // step + 1)) if cap else None,
        ),
    )
    line = threshold_micros(account, NOON) or 0
    wallet = dice.choice([line, line - 1, line + 1, line - amount(3_000), dice.randrange(line + 1)])
    return replace(account, wallet_micros=wallet - sum(one.amount_micros for one in opened))


def test_amount_and_threshold_agree_with_a_model_of_the_rules() -> None:
    cases = int(os.environ.get("RECHARGE_MODEL_CASES", "4000"))
    dice = random.Random(4)
    fired = limited = 0
    for number in range(cases):
        account = a_case(dice)
        model = Model(account)
        found = amount_to_collect(account, NOON)
        named = f"case {number}: {account.recharging.policy} {account.wallet_micros}"
        assert is_below_threshold(account, NOON) is model.fires, named
        assert _units(found.micros) == model.amount(), named
        assert found.micros % STEPS_MICROS[account.currency] == 0, named
        # A wallet is whole micros, so a threshold rounded up to one fires for the same balances.
        line = threshold_micros(account, NOON)
        assert line is not None
        assert 0 <= _units(line) - model.threshold < Fraction(1, 10**6), named
        fired += model.fires
        limited += found.limited_by is not None
    assert fired > cases // 3
    assert limited > cases // 20


def test_no_payment_is_above_its_maximum_or_what_the_month_has_left() -> None:
    dice = random.Random(5)
    for _ in range(1_000):
        account = a_case(dice)
        policy, collected = account.recharging.policy, account.recharging.collected
        found = amount_to_collect(account, NOON)
        assert policy.maximum_micros is None or found.micros <= policy.maximum_micros
        if policy.monthly_cap_micros is not None:
            is_this_month = collected is not None and collected.month == TODAY.replace(day=1)
            so_far = collected.amount_micros if collected and is_this_month else 0
            assert so_far + found.micros <= policy.monthly_cap_micros
        # What falls short of the threshold was limited, and says by what.
        short = covered_micros(account, NOON) + found.micros < (
            threshold_micros(account, NOON) or 0
        )
        assert not short or found.limited_by in (
            Limit.MAXIMUM,
            Limit.MONTHLY_CAP,
            Limit.NO_HISTORY,
        )
