"""Estimate how long an account can talk for what it has."""

from datetime import datetime, timedelta

from billing.domain.account import Account
from billing.domain.periods import local_day
from billing.domain.summaries import Figures
from billing.ports import Summaries

PRICED_DAYS = 30
"""Local days, today among them, whose calls make the price."""


class EstimateMinutes:
    """Reads the account's summaries, which may be seconds behind: it is an estimate."""

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries

    def estimate(self, account: Account, micros: int, now: datetime) -> int | None:
        """Whole minutes that so much buys at the average price of the last 30 days.

        Only what the wallet paid for has a price; None: it has paid for no call in these days.
        """
        end = local_day(now, account.time_zone) + timedelta(days=1)
        begin = end - timedelta(days=PRICED_DAYS)
        head = self._summaries.head(account.ref)
        days = self._summaries.between(account.ref, head.live.generation, begin, end)
        return Figures.total(part for _, day in days for part in day.values()).minutes_for(micros)
