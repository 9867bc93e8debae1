"""What an account wants to be told of, as it carries it.

Every posting decides by it, so it is part of the account state; what says nothing other than the
defaults is left out of the stored form.
"""

from dataclasses import dataclass
from datetime import date

from billing.domain.errors import InvalidInputError
from billing.domain.money import Money

DEFAULT_PERCENTS = (80, 100)
"""The contract, "Events out"."""

MAX_PERCENTS = 5
"""Thresholds of one grant: every posting that crosses some of them tells each."""

MAX_RUNWAY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Alerting:
    """The settings, and as of when they were last looked at.

    Args:
        grant_percents: How much of a grant's total is used, ascending; none: grants tell nothing.
        balance_micros: A balance strictly below it is low; None: no amount is.
        runway_days: A balance strictly below so many average days is low; None: none is.
        looked_on: The local day as of which the account was last looked at, where that is later
            than its last ledger entry and says something else. None: the day of that entry.
    """

    grant_percents: tuple[int, ...] = DEFAULT_PERCENTS
    balance_micros: int | None = None
    runway_days: int | None = None
    looked_on: date | None = None


def checked_alerting(alerting: Alerting, currency: str) -> Alerting:
    """The settings with each percentage once, ascending.

    Raises:
        InvalidInputError: Names the field: more percentages than allowed, one that is not 1 to 100,
            an amount that is not positive money, days that are not 1 to 90.
    """
    percents = tuple(sorted(set(alerting.grant_percents)))
    if len(alerting.grant_percents) > MAX_PERCENTS:
        raise InvalidInputError(
            f"at most {MAX_PERCENTS} percentages are told of", field="grant_percents"
        )
    if percents and not 1 <= percents[0] <= percents[-1] <= 100:
        raise InvalidInputError("a percentage is 1 to 100", field="grant_percents")
    if alerting.balance_micros is not None:
        if alerting.balance_micros <= 0:
            raise InvalidInputError(
                "the amount is positive; an empty wallet is told anyway", field="low_balance"
            )
        Money(alerting.balance_micros, currency)
    if alerting.runway_days is not None and not 1 <= alerting.runway_days <= MAX_RUNWAY_DAYS:
        raise InvalidInputError(f"days are 1 to {MAX_RUNWAY_DAYS}", field="runway_days")
    return Alerting(percents, alerting.balance_micros, alerting.runway_days, alerting.looked_on)
