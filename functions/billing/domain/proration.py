"""Proration: what part of a term's price, or of a period's quota, is for the days that are left.

Days are the account's local days, as many as the term really has; the day of a change belongs to
what it changes to.

Source: docs/subscriptions.md, "Proration".
"""

from dataclasses import replace
from datetime import date, datetime

from billing.domain.money import ceil_div, minor_unit_micros
from billing.domain.periods import Period, local_day, period_at


def full_term(term: Period, billing_day: int, time_zone: str) -> Period:
    """The term as long as it would be, had it begun when its first period did.

    Only an account's very first term begins in the middle of a period: a price is for the whole of
    it all the same.
    """
    return replace(term, start_at=period_at(term.start_at, billing_day, time_zone).start_at)


def term_days(term: Period, time_zone: str) -> tuple[date, date]:
    """The term's first local day, and the day after its last."""
    return local_day(term.start_at, time_zone), local_day(term.end_at, time_zone)


def prorated_micros(
    fee_micros: int, term: Period, from_at: datetime, time_zone: str, currency: str
) -> int:
    """What of a fee pays for the days from an instant's local day on, that day included.

    It is the fee less the rounded share of the days before, so that what is charged for the parts
    of a term always sums to the fee.

    Args:
        fee_micros: For the whole term; whole minor units, zero or more.
        term: A whole one; see ``full_term``.

    Returns:
        Whole minor units. Halves of a minor unit fall to the days before.
    """
    elapsed, total = _days(term, from_at, time_zone)
    unit = minor_unit_micros(currency)
    # Half a minor unit rounds up.
    before = (2 * fee_micros * elapsed + total * unit) // (2 * total * unit) * unit
    return fee_micros - before


def prorated_up(quantity: int, term: Period, from_at: datetime, time_zone: str) -> int:
    """The same of something that is granted, in whole units and rounded up."""
    elapsed, total = _days(term, from_at, time_zone)
    return ceil_div(quantity * (total - elapsed), total)


def _days(term: Period, from_at: datetime, time_zone: str) -> tuple[int, int]:
    """How many days are over, and how many the term has."""
    first, end = term_days(term, time_zone)
    total = (end - first).days
    assert total > 0, "a term has days"
    elapsed = (local_day(from_at, time_zone) - first).days
    return min(max(0, elapsed), total), total
