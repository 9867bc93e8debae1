"""Three customers: what each would talk in a year, if the wallet let them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGUN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
MICROS_PER_SECOND = 100
"""A second of talk costs a hundredth of a cent: 0.006 a minute."""

STEADY_SECONDS = 42_857
"""A steady day: 4.2857, which is a hundredth of a cent short of 30.00 a week."""

QUIET_SECONDS = 10_000
BURST_SECONDS = 10_000
"""In five minutes of a burst: 12.00 an hour, on some thirty lines."""


@dataclass(frozen=True, slots=True)
class Talk:
    """So many seconds of talk, on one line or on several, during so many minutes."""

    at: datetime
    minutes: int
    seconds: int

    @property
    def ends_at(self) -> datetime:
        """A second early: what ends at midnight would be the next day's."""
        return self.at + timedelta(minutes=self.minutes, seconds=-1)


Spender = Callable[[int], Iterator[Talk]]
"""What somebody wants to talk in the first so many days, in order."""


def steady(days: int) -> Iterator[Talk]:
    """The same every half-hour, day and night."""
    for day in range(days):
        yield from _spread(day, STEADY_SECONDS, first_slot=0, slots=48)


def seasonal(days: int) -> Iterator[Talk]:
    """Around the clock too, from two fifths of the steady spend in winter to four times as much."""
    for day in range(days):
        from_new_year = min(day % DAYS, DAYS - day % DAYS)
        per_mille = 400 + 1_200 * 2 * from_new_year // DAYS
        yield from _spread(day, STEADY_SECONDS * per_mille // 1_000, first_slot=0, slots=48)


def bursty(days: int) -> Iterator[Talk]:
    """A dollar a day in office hours, and every other week a campaign that spends it in minutes."""
    dice = random.Random(2025)
    next_burst = dice.randrange(6, 19)
    for day in range(days):
        if day < next_burst:
            yield from _spread(day, QUIET_SECONDS, first_slot=18, slots=16)
            continue
        begins_at = BEGUN + timedelta(days=day, minutes=15 * dice.randrange(32, 56))
        for number in range(12 * dice.randrange(2, 8)):
            yield Talk(begins_at + timedelta(minutes=5 * number), 5, BURST_SECONDS)
        next_burst = day + dice.randrange(6, 19)


def _spread(day: int, seconds: int, *, first_slot: int, slots: int) -> Iterator[Talk]:
    """A day's talk, evenly over so many half-hours; not a second is lost to rounding."""
    for number in range(slots):
        at = BEGUN + timedelta(days=day, minutes=30 * (first_slot + number))
        share = seconds * (number + 1) // slots - seconds * number // slots
        yield Talk(at, 30, share)


SPENDERS: dict[str, Spender] = {"steady": steady, "seasonal": seasonal, "bursty": bursty}
