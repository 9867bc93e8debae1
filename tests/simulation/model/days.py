"""Local days and periods (docs/architecture.md, "Period roll")."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo


class Calendar:
    """An account's local days, and its periods, each named by the month in which it begins.

    A period runs between local midnights of the billing day; a shorter month has it on its last.
    """

    def __init__(self, time_zone: str, billing_day: int) -> None:
        self._zone = ZoneInfo(time_zone)
        self._billing_day = billing_day
        self.first_day = cache(self._first_day)
        self.starts_at = cache(self._starts_at)

    def day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def period_of_day(self, day: date) -> int:
        month = 12 * day.year + day.month - 1
        return month if self.first_day(month) <= day else month - 1

    def period_of(self, at: datetime) -> int:
        return self.period_of_day(self.day(at))

    def _first_day(self, period: int) -> date:
        year, month = divmod(period, 12)
        after = date(year + (month == 11), (month + 1) % 12 + 1, 1)
        last = (after - timedelta(days=1)).day
        return date(year, month + 1, min(self._billing_day, last))

    def _starts_at(self, period: int) -> datetime:
        return self.midnight(self._first_day(period))
