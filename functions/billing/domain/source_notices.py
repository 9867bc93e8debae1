"""Notices that a funding source is about to expire: 30 and 7 days before its last valid day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.domain.account import Account
from billing.domain.periods import local_day, start_of_day
from billing.domain.records import FundingSource, SourceState, Timer, TimerKind

NOTICE_DAYS = (30, 7)
"""How many days before the last valid day a notice is given, in the account's zone."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to be given now.

    Args:
        step: Which of ``NOTICE_DAYS`` it stands for, and all before it.
        days_left: To the last valid day; negative where the notice is so late that it is over.
    """

    source: FundingSource
    step: int
    days_left: int


def notice_due(account: Account, sources: Iterable[FundingSource], now: datetime) -> Notice | None:
    """The next notice that is due; None: none is.

    Each step is given once. Whoever looks late gives one notice, for the latest step alone.

    Args:
        now: Aware UTC.
    """
    today = local_day(now, account.time_zone)
    for source in sources:
        steps = [step for step, day in _left(source) if day <= today]
        if steps and source.expires_on is not None:
            return Notice(source, steps[-1], (source.expires_on - today).days)
    return None


def next_notice_at(account: Account, sources: Iterable[FundingSource]) -> datetime | None:
    """When the nearest notice of any active source is due: its local midnight, perhaps past."""
    days = [day for source in sources for _, day in _left(source)]
    return start_of_day(min(days), account.time_zone) if days else None


def notice_timer(
    account: Account, before: Iterable[FundingSource], after: Iterable[FundingSource]
) -> tuple[tuple[Timer, ...], tuple[TimerKind, ...]]:
    """The account's one notice timer, set or cleared where a change of sources moves it."""
    stands, wanted = next_notice_at(account, before), next_notice_at(account, after)
    if stands == wanted:
        return (), ()
    if wanted is None:
        return (), (TimerKind.SOURCE_NOTICE,)
    return (Timer(TimerKind.SOURCE_NOTICE, account.ref, wanted),), ()


def _left(source: FundingSource) -> list[tuple[int, date]]:
    """The steps not given yet, each with its day, in their order."""
    if source.state is not SourceState.ACTIVE or source.expires_on is None:
        return []
    given = source.noticed_days
    return [
        (step, source.expires_on - timedelta(days=step))
        for step in NOTICE_DAYS
        if given is None or step < given
    ]
