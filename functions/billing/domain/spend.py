"""What an account spends: by day, for averages, and by hour, for how fast it burns now.

Only usage charged to the wallet counts, net of reversals, on the day and in the hour in which the
usage itself ended. Orders, renewals, refunds and disputes are not usage.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from billing.domain.account import Account
from billing.domain.money import ceil_div
from billing.domain.periods import local_day

SPEND_DAYS = 31
"""Days of wallet spend an account remembers: 30 whole days and today."""

MAX_LOOKBACK_DAYS = SPEND_DAYS - 1

SPEND_HOURS = 4
"""Hours of wallet spend an account remembers for early recharge, the current one included."""

HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LEAST_MINUTES = 30
"""A burn is measured over no less: the first call of an hour says little of the hour."""


def with_spend(account: Account, at: datetime, wallet_micros: int, now: datetime) -> Account:
    """Add usage charged to the wallet to its own local day and hour, and forget those gone by.

    Args:
        at: When the usage ended (aware UTC).
        wallet_micros: What the wallet paid for it; negative where it is taken back.
        now: Decides what is still remembered (aware UTC).
    """
    if not wallet_micros:
        return account
    oldest = local_day(now, account.time_zone) - timedelta(days=SPEND_DAYS - 1)
    days = {day: micros for day, micros in account.daily_spend if day >= oldest}
    day = local_day(at, account.time_zone)
    if day >= oldest:
        days[day] = days.get(day, 0) + wallet_micros
    return replace(
        account,
        daily_spend=tuple(sorted((day, micros) for day, micros in days.items() if micros)),
        hourly_spend=_hours(account, at, wallet_micros, now),
    )


def _hours(
    account: Account, at: datetime, wallet_micros: int, now: datetime
) -> tuple[tuple[int, int], ...]:
    """Kept only where somebody looks at them: every posting pays for what the state holds."""
    if not account.recharging.policy.is_early:
        return ()
    current = _hour(now)
    hours = {hour: micros for hour, micros in account.hourly_spend if hour > current - SPEND_HOURS}
    # A provider's clock may be ahead of ours; what it reports has happened.
    hour = min(_hour(at), current)
    if hour > current - SPEND_HOURS:
        hours[hour] = hours.get(hour, 0) + wallet_micros
    return tuple(sorted((hour, micros) for hour, micros in hours.items() if micros))


def _hour(at: datetime) -> int:
    return (at - _EPOCH) // HOUR


@dataclass(frozen=True, slots=True)
class Average:
    """Spend over some days, kept as a sum so that nothing is rounded before it has to be."""

    sum_micros: int
    days: int

    @property
    def per_day_micros(self) -> int:
        """Rounded down: for reading."""
        return self.sum_micros // self.days

    def over_micros(self, days: int) -> int:
        """What so many such days come to, rounded up."""
        return ceil_div(self.sum_micros * days, self.days)

    def within_micros(self, time: timedelta) -> int:
        """What is spent in that time, rounded up."""
        return ceil_div(self.sum_micros * (time // timedelta(seconds=1)), self.days * 86_400)


def average(account: Account, today: date) -> Average:
    """Wallet spend per day over the policy's lookback: whole local days immediately before today.

    Days without use count as zero. A younger account averages over the days it has existed, and
    over the policy's minimum history at the least. What was taken back can outweigh what was
    spent; the average is then zero.

    Args:
        today: In the account's zone.
    """
    policy = account.recharging.policy
    first = today - timedelta(days=policy.lookback_days)
    spent = sum(micros for day, micros in account.daily_spend if first <= day < today)
    age_days = (today - local_day(account.created_at, account.time_zone)).days
    days = min(policy.lookback_days, max(policy.minimum_history_days, age_days))
    return Average(max(0, spent), days)


def average_now(account: Account, now: datetime) -> Average:
    """The average as it is at an instant (aware UTC)."""
    return average(account, local_day(now, account.time_zone))


def burn_per_hour_micros(account: Account, now: datetime) -> int:
    """How fast the wallet is spent now, rounded up: the fastest of the last one, two, three and
    four hours, the current one as far as it has come.

    A burst shows in the last hour long before it shows in four; a steady load in all of them.
    """
    current = _hour(now)
    spent = dict(account.hourly_spend)
    begun = now - (_EPOCH + current * HOUR)
    total, fastest = 0, 0
    for back in range(SPEND_HOURS):
        total += spent.get(current - back, 0)
        minutes = max(_LEAST_MINUTES, (begun + back * HOUR) // timedelta(minutes=1))
        fastest = max(fastest, ceil_div(total * 60, minutes))
    return fastest
