"""Why a payment was declined, and what that allows: try again, ask for another card, or stop."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum


class DeclineGroup(StrEnum):
    """What a decline asks for. Gateways' own codes are sorted into these by their adapters."""

    RETRY_LATER = "retry_later"
    NEW_SOURCE = "new_source"
    NEVER = "never"
    CUSTOMER_ACTION = "customer_action"

    @property
    def blocks_source(self) -> bool:
        """Whether automatic recharge leaves the source alone until its customer has acted."""
        return self is not DeclineGroup.RETRY_LATER


RETRY_GAPS = (timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""How long automatic recharge waits after its first, second … failure in a row. After one more it
is suspended until a person acts."""

NEVER_CHARGED = "never_charged"
"""The code of an attempt that never reached its gateway. Nobody has declined anything."""

SCHEME_WINDOW = timedelta(days=30)
SCHEME_DECLINES = 15
"""Declines of one card in 30 days after which it is left alone: card schemes charge a fee for every
further one (Visa: 15 in 30 days, the strictest; Mastercard: 35)."""

SCHEME_DAY = timedelta(days=1)
SCHEME_DECLINES_A_DAY = 10
"""Declines of one card in 24 hours (Mastercard's limit)."""


def retry_at(failures: int, now: datetime) -> datetime | None:
    """When to try again after so many failures in a row; None: no more."""
    return now + RETRY_GAPS[failures - 1] if failures <= len(RETRY_GAPS) else None


def is_at_scheme_limit(declined_at: Sequence[datetime], now: datetime) -> bool:
    """Whether one more decline would be above what the card schemes allow.

    Args:
        declined_at: When the source was declined, in any order (aware UTC).
    """
    month = sum(at > now - SCHEME_WINDOW for at in declined_at)
    day = sum(at > now - SCHEME_DAY for at in declined_at)
    return month >= SCHEME_DECLINES or day >= SCHEME_DECLINES_A_DAY


def with_decline(declined_at: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """One decline more, and those forgotten that no limit counts any longer."""
    kept = [at for at in declined_at if at > now - SCHEME_WINDOW]
    return (*kept[-(SCHEME_DECLINES - 1) :], now)
