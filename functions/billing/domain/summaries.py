"""Summaries: what an account used, by hour, direction and destination country.

A projection of the ledger: every entry adds what its calls came to, and a reversal takes away what
it gives back. Nothing is summed that the ledger does not say, so summaries can be thrown away and
made again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta

from billing.domain.ledger import EntryKind, LedgerEntry
from billing.domain.periods import local_day, start_of_day
from billing.domain.units import Direction, Metered, metered_plus
from billing.domain.usage import Call

UNKNOWN_COUNTRY = "ZZ"
"""What belongs to no country, or to none that is known (ISO 3166 leaves it to its users)."""

CountryOf = Callable[[str], str]
"""The ISO 3166 code of the country a number is in, ``UNKNOWN_COUNTRY`` where there is none."""

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What some calls and messages came to. Quantities are billed ones, after increments.

    Args:
        calls: Answered or not.
        metered: Units other than seconds and messages.
        other_micros: Of ``wallet_micros``, what was paid for anything but seconds.
    """

    calls: int = 0
    voice_seconds: int = 0
    granted_voice_seconds: int = 0
    messages: int = 0
    granted_messages: int = 0
    wallet_micros: int = 0
    metered: Metered = ()
    # Last, as the stored form leaves out zeros at the end: most days have none of it.
    other_micros: int = 0

    def plus(self, other: "Figures") -> "Figures":
        sums = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return Figures(**sums, metered=metered_plus(self.metered, *other.metered))

    def negated(self) -> "Figures":
        metered = tuple((unit, -quantity, -granted) for unit, quantity, granted in self.metered)
        return Figures(**{name: -getattr(self, name) for name in _NUMBERS}, metered=metered)

    @staticmethod
    def of(call: Call) -> "Figures":
        granted = sum(quantity for _, quantity in call.granted)
        unit = call.event.unit
        paid = call.wallet_micros
        if unit.is_own:
            metered = metered_plus((), (unit, call.billed_quantity, granted))
            return Figures(wallet_micros=paid, metered=metered, other_micros=paid)
        if unit.is_timed:
            return Figures(1, call.billed_quantity, granted, 0, 0, paid)
        return Figures(0, 0, 0, call.billed_quantity, granted, paid, other_micros=paid)

    @staticmethod
    def total(parts: "Iterable[Figures]") -> "Figures":
        total = Figures()
        for part in parts:
            total = total.plus(part)
        return total

    def minutes_for(self, micros: int) -> int | None:
        """How many whole minutes of calls so much buys, at the average that the wallet paid for
        those in here; None: it has paid for none. Minutes that a grant paid for have no price.
        """
        paid_seconds = self.voice_seconds - self.granted_voice_seconds
        paid_micros = self.wallet_micros - self.other_micros
        if paid_seconds <= 0 or paid_micros <= 0:
            return None
        return max(0, micros) * paid_seconds // (paid_micros * 60)


_NUMBERS = tuple(field.name for field in fields(Figures) if field.name != "metered")


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """What is counted together within a day.

    Args:
        hour: Whole hours since the day began, 0 to 24: where clocks go back, a day has 25.
        direction: Seen from the tenant.
        country: Of the called number, in both directions.
    """

    hour: int
    direction: Direction
    country: str


DaySummary = Mapping[Bucket, Figures]
"""One local day of an account. A bucket in which everything is zero is left out."""


def begins_at(day: date, hour: int, time_zone: str) -> datetime:
    """The first instant of an hour of a day (aware UTC)."""
    return start_of_day(day, time_zone) + hour * HOUR


def hours_of(day: date, time_zone: str) -> int:
    """How many hours a day has, begun ones included: 24, or one more or less as clocks change."""
    length = start_of_day(day + timedelta(days=1), time_zone) - start_of_day(day, time_zone)
    return -(-length // HOUR)


def summarised(
    entry: LedgerEntry, calls: Iterable[Call], time_zone: str, country_of: CountryOf
) -> dict[date, DaySummary]:
    """What one ledger entry adds to each day; a reversal adds negative figures.

    Usage counts where it *ended*: on its own day and in its own hour, however late it is posted.

    Args:
        entry: Any. One that names no calls adds nothing.
        calls: The records of the calls it names, as this entry charged them or gives them back.
        time_zone: The account's.
    """
    days: dict[date, DaySummary] = {}
    for call in calls:
        event = call.event
        day = local_day(event.ended_at, time_zone)
        hour = (event.ended_at.astimezone(UTC) - start_of_day(day, time_zone)) // HOUR
        bucket = Bucket(hour, event.direction, country_of(event.to_number))
        figures = Figures.of(call)
        added = {bucket: figures.negated() if is_reversal(entry) else figures}
        days[day] = merged(days.get(day, {}), added)
    return days


def is_reversal(entry: LedgerEntry) -> bool:
    """Whether an entry gives back what another has charged."""
    return entry.kind is EntryKind.REVERSAL


def merged(day: DaySummary, added: DaySummary) -> DaySummary:
    """Both together."""
    cells = dict(day)
    for bucket, figures in added.items():
        cells[bucket] = cells.get(bucket, Figures()).plus(figures)
    return {bucket: cells[bucket] for bucket in sorted(cells) if cells[bucket] != Figures()}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one generation of an account's summaries has come.

    Args:
        generation: 1 and up; a rebuild makes the next one while the present one is read.
        sequence: The last ledger entry in it; 0 before the first.
        posted_at: When that was posted.
    """

    generation: int
    sequence: int = 0
    posted_at: datetime | None = None

    def after(self, entry: LedgerEntry) -> "Progress":
        assert entry.sequence == self.sequence + 1, "an entry is summarised once, in its turn"
        return replace(self, sequence=entry.sequence, posted_at=entry.posted_at)


@dataclass(frozen=True, slots=True)
class SummaryHead:
    """Where an account's summaries stand.

    Args:
        version: Rises by one with every write of head or days; 0: nothing is written yet.
        live: What is read.
        rebuilding: What a rebuild has made so far.
    """

    version: int = 0
    live: Progress = Progress(1)
    rebuilding: Progress | None = None

    def next_generation(self) -> "SummaryHead":
        """Begin a rebuild, from nothing; what an earlier one has made is given up."""
        last = max(self.live.generation, self.rebuilding.generation if self.rebuilding else 0)
        return SummaryHead(self.version + 1, self.live, Progress(last + 1))

    def advanced(self, progress: Progress) -> "SummaryHead":
        """One of the two has come further. A rebuild that has caught up takes the other's place."""
        if progress.generation == self.live.generation:
            return SummaryHead(self.version + 1, progress, self.rebuilding)
        if progress.sequence >= self.live.sequence:
            return SummaryHead(self.version + 1, progress)
        return SummaryHead(self.version + 1, self.live, progress)
