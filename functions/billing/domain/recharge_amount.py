"""What one automatic payment would be: the mode's amount, and the limits that make it less.

Source of the rules: docs/recharge.md.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.account import Account
from billing.domain.money import MAX_MICROS, ceil_div, step_micros, up_to_minor_unit
from billing.domain.periods import local_day
from billing.domain.recharge_balance import covered_micros, missing_micros
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.spend import average_now


class Limit(StrEnum):
    """Why less is collected than would be, or nothing."""

    MAXIMUM = "maximum"
    MONTHLY_CAP = "monthly_cap"
    NO_HISTORY = "no_history"
    TARGET = "target"


@dataclass(frozen=True, slots=True)
class Amount:
    """What one automatic payment would be.

    Args:
        micros: A whole number of minor units; 0: nothing is collected.
        limited_by: What kept it from being more.
    """

    micros: int
    limited_by: Limit | None = None


def amount_to_collect(account: Account, now: datetime) -> Amount:
    """What one automatic payment would be, if one were made now.

    Target pays what is missing to the target. Fixed and usage-based pay the smallest whole multiple
    of their amount that brings the balance, with what is on its way, to the threshold, and one at
    the least. Calendar pays its amount. An early payment is the smallest multiple that also lasts
    until the next cycle's payment at the burn it was fired by, so that one is enough. The maximum
    and what the month has left allow fewer multiples; an amount that is computed (target, usage) is
    cut to what they leave, if that is no less than the minimum.

    Returns:
        A whole number of minor units: a computed amount is rounded up, what limits it down.
    """
    policy = account.recharging.policy
    if policy.mode is RechargeMode.OFF:
        return Amount(0)
    left = cap_left_micros(account, now)
    if policy.mode is RechargeMode.TARGET:
        gap = up_to_minor_unit(
            policy.target_micros - covered_micros(account, now), account.currency
        )
        if gap <= 0:
            return Amount(0, Limit.TARGET)
        return _cut(max(gap, policy.minimum_micros), policy, left, account.currency)
    one = policy.amount_micros
    if policy.mode is RechargeMode.USAGE:
        computed = average_now(account, now).over_micros(policy.recharge_days)
        one = up_to_minor_unit(max(computed, policy.minimum_micros), account.currency)
    if not one:
        return Amount(0, Limit.NO_HISTORY)
    wanted = max(1, ceil_div(missing_micros(account, now), one))
    allowed, limit = _multiples(one, policy.maximum_micros, left)
    if allowed >= wanted:
        return Amount(wanted * one)
    if allowed == 0 and policy.mode is RechargeMode.USAGE:
        return _cut(one, policy, left, account.currency)
    return Amount(allowed * one, limit)


def _multiples(one: int, maximum: int | None, left: int | None) -> tuple[int, Limit]:
    """How many multiples the limits allow, rounded down, and which of them is the narrower."""
    by_maximum = MAX_MICROS if maximum is None else maximum // one
    by_cap = MAX_MICROS if left is None else left // one
    return (by_cap, Limit.MONTHLY_CAP) if by_cap < by_maximum else (by_maximum, Limit.MAXIMUM)


def _cut(micros: int, policy: RechargePolicy, left: int | None, currency: str) -> Amount:
    limit: Limit | None = None
    for bound, name in ((policy.maximum_micros, Limit.MAXIMUM), (left, Limit.MONTHLY_CAP)):
        if bound is not None and bound < micros:
            micros, limit = bound - bound % step_micros(currency), name
    return Amount(0 if micros < policy.minimum_micros else micros, limit)


def cap_left_micros(account: Account, now: datetime) -> int | None:
    """What automatic recharge may still collect in this month of the account's zone."""
    cap = account.recharging.policy.monthly_cap_micros
    return None if cap is None else max(0, cap - collected_this_month_micros(account, now))


def collected_this_month_micros(account: Account, now: datetime) -> int:
    """What automatic recharge has collected, or is collecting, in this month."""
    collected = account.recharging.collected
    month = local_day(now, account.time_zone).replace(day=1)
    return collected.amount_micros if collected and collected.month == month else 0
