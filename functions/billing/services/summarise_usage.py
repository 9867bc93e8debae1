"""Summarise usage: series for charts, added up from an account's days."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError
from billing.domain.periods import local_day
from billing.domain.summaries import (
    Bucket,
    DaySummary,
    Figures,
    begins_at,
    hours_of,
)
from billing.domain.units import Direction
from billing.ports import Book, Clock, Summaries

Name = TypeVar("Name")

DEFAULT_DAYS = 30
"""As many as automatic recharge looks back, today among them."""

MAX_DAYS = 366
MAX_DAYS_BY_HOUR = 31
"""Rows that one answer holds: a year of days, a month of hours."""


class SummaryBy(StrEnum):
    """What a row stands for."""

    HOUR = "hour"
    DAY = "day"
    DIRECTION = "direction"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """Which days, and what of them.

    Args:
        begin: The first day, in the account's zone; None: 30 days before ``end``.
        end: The day after the last; None: tomorrow.
        direction: Only this one.
        country: Only calls to numbers of this country.
    """

    by: SummaryBy
    begin: date | None = None
    end: date | None = None
    direction: Direction | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Rows in order: times as they follow, directions by name, destinations by use.

    Args:
        rows: What each stands for, and its figures. Every hour and day is there, used or not.
        begin: The first day.
        end: The day after the last.
        pending_entries: Ledger entries that are posted and not in here yet; mostly none.
    """

    rows: tuple[tuple[str, Figures], ...]
    begin: date
    end: date
    time_zone: str
    currency: str
    pending_entries: int


class SummariseUsage:
    """Reads summaries; what is posted shows within seconds."""

    def __init__(self, book: Book, summaries: Summaries, clock: Clock) -> None:
        self._book = book
        self._summaries = summaries
        self._clock = clock

    def summarise(self, ref: AccountRef, request: SummaryRequest) -> UsageSummary:
        """
        Raises:
            NotFoundError: No such account.
            InvalidInputError: The days end before they begin, or are too many.
        """
        head = self._summaries.head(ref)
        account = self._book.account(ref)
        begin, end = _range(request, local_day(self._clock.now(), account.time_zone))
        stored = self._summaries.between(ref, head.live.generation, begin, end)
        days = {day: _filtered(summary, request) for day, summary in stored}
        return UsageSummary(
            rows=tuple(_rows(request.by, days, begin, end, account.time_zone)),
            begin=begin,
            end=end,
            time_zone=account.time_zone,
            currency=account.currency,
            pending_entries=max(0, account.head.sequence - head.live.sequence),
        )


def _range(request: SummaryRequest, today: date) -> tuple[date, date]:
    end = today + timedelta(days=1) if request.end is None else request.end
    begin = end - timedelta(days=DEFAULT_DAYS) if request.begin is None else request.begin
    if end <= begin:
        raise InvalidInputError("to is the day after the last: later than from", field="to")
    most = MAX_DAYS_BY_HOUR if request.by is SummaryBy.HOUR else MAX_DAYS
    if (end - begin).days > most:
        raise InvalidInputError(f"by {request.by.value} at most {most} days at once", field="from")
    return begin, end


def _filtered(summary: DaySummary, request: SummaryRequest) -> DaySummary:
    return {
        bucket: figures
        for bucket, figures in summary.items()
        if request.direction in (None, bucket.direction)
        and request.country in (None, bucket.country)
    }


def _rows(
    by: SummaryBy, days: dict[date, DaySummary], begin: date, end: date, time_zone: str
) -> Iterator[tuple[str, Figures]]:
    match by:
        case SummaryBy.DAY:
            for day in _days(begin, end):
                yield day.isoformat(), Figures.total(days.get(day, {}).values())
        case SummaryBy.HOUR:
            for day in _days(begin, end):
                hours = _grouped([days.get(day, {})], lambda bucket: bucket.hour)
                for hour in range(hours_of(day, time_zone)):
                    at = begins_at(day, hour, time_zone)
                    yield at.isoformat().replace("+00:00", "Z"), hours.get(hour, Figures())
        case SummaryBy.DIRECTION:
            directions = _grouped(days.values(), lambda bucket: bucket.direction)
            for direction in Direction:
                yield direction.value, directions.get(direction, Figures())
        case SummaryBy.DESTINATION:
            countries = _grouped(days.values(), lambda bucket: bucket.country)
            yield from sorted(countries.items(), key=_most_used_first)


def _days(begin: date, end: date) -> Iterator[date]:
    return (begin + timedelta(days=number) for number in range((end - begin).days))


def _grouped(
    summaries: Iterable[DaySummary], name: Callable[[Bucket], Name]
) -> dict[Name, Figures]:
    groups: dict[Name, Figures] = {}
    for summary in summaries:
        for bucket, figures in summary.items():
            group = name(bucket)
            groups[group] = groups.get(group, Figures()).plus(figures)
    return groups


def _most_used_first(row: tuple[str, Figures]) -> tuple[int, int, str]:
    country, figures = row
    return -figures.voice_seconds, -figures.messages, country
