"""The settings of automatic recharge: what a person may set."""

from billing.domain.errors import InvalidInputError
from billing.domain.money import Money, step_micros
from billing.domain.recharging import Every, RechargeMode, RechargePolicy
from billing.domain.spend import MAX_LOOKBACK_DAYS

MAX_DAYS = 90
"""The most days one usage-based recharge may pay for, or keep in reserve."""


def validate_policy(policy: RechargePolicy, currency: str) -> RechargePolicy:
    """Check a policy a person has set.

    Raises:
        InvalidInputError: Names the field: a negative threshold; an amount, target, minimum,
            maximum or monthly cap that is no positive whole number of minor units; a target that is
            not above the threshold; a maximum below the amount or the minimum; a monthly cap below
            the amount or the minimum; days out of bounds; a day that the week or the month does
            not have.
    """
    if policy.mode is RechargeMode.OFF:
        return policy
    _check_amounts(policy, currency)
    _check_limits(policy)
    if policy.mode is RechargeMode.USAGE:
        _check_days(policy)
    if policy.mode is RechargeMode.CALENDAR:
        last = 7 if policy.every is Every.WEEK else 31
        if not 1 <= policy.day <= last:
            raise InvalidInputError(f"day is 1 to {last}", field="day")
    return policy


def _check_amounts(policy: RechargePolicy, currency: str) -> None:
    if policy.threshold_micros < 0:
        raise InvalidInputError("the threshold is not negative", field="threshold")
    given: dict[str, int | None] = {
        "maximum": policy.maximum_micros,
        "minimum": policy.minimum_micros or None,
        "monthly_cap": policy.monthly_cap_micros,
    }
    if policy.mode in (RechargeMode.FIXED, RechargeMode.CALENDAR):
        given["amount"] = policy.amount_micros
    if policy.mode is RechargeMode.TARGET:
        given["target"] = policy.target_micros
    for name, micros in given.items():
        if micros is not None and (micros <= 0 or micros % step_micros(currency)):
            raise InvalidInputError(
                f"{name} is a positive whole number of the currency's minor unit", field=name
            )
    # What the wallet can reach must be money, before a gateway has any of it.
    largest = max(policy.amount_micros, policy.target_micros, policy.minimum_micros)
    Money(policy.threshold_micros + largest, currency)
    if policy.mode is RechargeMode.TARGET and policy.target_micros <= policy.threshold_micros:
        raise InvalidInputError("the target is above the threshold", field="target")


def _check_limits(policy: RechargePolicy) -> None:
    """Every limit leaves room for one payment, or nothing would ever be collected."""
    least = max(policy.amount_micros, policy.minimum_micros)
    what = "amount" if policy.amount_micros >= policy.minimum_micros else "minimum"
    for name, micros in (
        ("maximum", policy.maximum_micros),
        ("monthly_cap", policy.monthly_cap_micros),
    ):
        if micros is not None and micros < least:
            raise InvalidInputError(f"{name} is at least the {what}", field=name)


def _check_days(policy: RechargePolicy) -> None:
    for name, days, most in (
        ("lookback_days", policy.lookback_days, MAX_LOOKBACK_DAYS),
        ("recharge_days", policy.recharge_days, MAX_DAYS),
        ("reserve_days", policy.reserve_days, MAX_DAYS),
        # More than the lookback counts as the lookback; its default must not refuse a short one.
        ("minimum_history_days", policy.minimum_history_days, MAX_LOOKBACK_DAYS),
    ):
        if not 1 <= days <= most:
            raise InvalidInputError(f"{name} is 1 to {most}", field=name)
