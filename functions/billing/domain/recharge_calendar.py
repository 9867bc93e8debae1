"""The days on which calendar mode collects.

Source of the rules: docs/recharge.md.
"""

from datetime import date, timedelta

from billing.domain.periods import last_of_month
from billing.domain.recharging import Every, RechargePolicy


def next_calendar_day(policy: RechargePolicy, after: date) -> date:
    """The first day after another on which calendar mode collects."""
    if policy.every is Every.WEEK:
        return after + timedelta(days=(policy.day - after.isoweekday() - 1) % 7 + 1)
    last = last_of_month(after)
    this = after.replace(day=min(policy.day, last.day))
    if this > after:
        return this
    following = last_of_month(last + timedelta(days=1))
    return following.replace(day=min(policy.day, following.day))


def last_calendar_day(policy: RechargePolicy, after: date, until: date) -> date:
    """The latest such day up to and with another: what was missed before it is not made up for."""
    while (following := next_calendar_day(policy, after)) <= until:
        after = following
    return after
