"""Billing periods: half-open, in the account's own time zone, tiling time without a gap."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.domain.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from ``start_at`` up to, and not including, ``end_at`` (aware UTC)."""

    start_at: datetime
    end_at: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start_at <= at < self.end_at


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        InvalidInputError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"{name[:64]!r} is not an IANA time zone such as Europe/Berlin", field="time_zone"
        ) from None


def local_day(at: datetime, time_zone: str) -> date:
    """The calendar day of an instant, where the account lives."""
    return at.astimezone(zone(time_zone)).date()


def start_of_day(day: date, time_zone: str) -> datetime:
    """The first instant of a local day, in UTC.

    Where clocks skip midnight, the day begins when they go on; where midnight happens twice, it
    begins the first time (``fold=0`` reads both cases so).
    """
    return datetime.combine(day, time.min, zone(time_zone)).astimezone(UTC)


def period_at(at: datetime, billing_day: int, time_zone: str) -> Period:
    """The monthly period that holds an instant.

    A period turns at local midnight of the billing day; in a month too short to have that day, of
    its last day. The anchor is kept: the 31st bills on 28 February and then on 31 March.

    Args:
        at: Aware UTC.
        billing_day: 1 to 31.
        time_zone: IANA name.

    Raises:
        InvalidInputError: The billing day is not 1 to 31, or the zone does not exist.
    """
    if not 1 <= billing_day <= 31:
        raise InvalidInputError("billing_day is 1 to 31", field="billing_day")
    today = local_day(at, time_zone)
    turn = _turn(today.year, today.month, billing_day)
    if at < start_of_day(turn, time_zone):
        year, month = _month_after(turn.year, turn.month, -1)
        start = _turn(year, month, billing_day)
    else:
        start = turn
    year, month = _month_after(start.year, start.month, 1)
    end = _turn(year, month, billing_day)
    return Period(start_of_day(start, time_zone), start_of_day(end, time_zone))


def period_after(period: Period, billing_day: int, time_zone: str) -> Period:
    """The period that begins where this one ends."""
    return period_at(period.end_at, billing_day, time_zone)


def last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _turn(year: int, month: int, billing_day: int) -> date:
    return date(year, month, min(billing_day, monthrange(year, month)[1]))


def _month_after(year: int, month: int, months: int) -> tuple[int, int]:
    index = year * 12 + (month - 1) + months
    return index // 12, index % 12 + 1
