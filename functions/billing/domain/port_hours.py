"""How many ports were out, hour by hour: kept when an hour is over, so that leases stay cheap.

The running hour stands in the holds. Whoever changes them in a later hour first keeps what the
earlier ones came to; hours in which nothing changed follow from what was out as they began.

Source of the rules: docs/licences.md, "How many are enough".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from billing.domain.account import AccountRef
from billing.domain.pooling import Peak, hour_of, hour_start
from billing.domain.reservations import Holds

HOURS = 24
DAYS_KEPT = 90

_FORGOTTEN_AFTER = timedelta(days=DAYS_KEPT + 7)
_NONE = (0,) * HOURS


@dataclass(frozen=True, slots=True)
class PortDay:
    """One kind's day (UTC), by the hour.

    Args:
        version: Rises with every change; 0: there is nothing of that day yet.
        most: The most ports that were out at once.
        quantity: How many there were.
        refused: Hours in which somebody was refused one because all were out.
    """

    account: AccountRef
    kind: str
    day: date
    version: int = 0
    most: tuple[int, ...] = _NONE
    quantity: tuple[int, ...] = _NONE
    refused: tuple[int, ...] = ()

    @property
    def forgotten_at(self) -> datetime:
        return datetime.combine(self.day, time(), UTC) + _FORGOTTEN_AFTER

    def raised(self, peak: Peak) -> "PortDay":
        """With an hour's peak; the same day where it knows one as high."""
        hour = peak.hour % HOURS
        if peak.most <= self.most[hour]:
            return self
        return replace(
            self,
            version=self.version + 1,
            most=_with(self.most, hour, peak.most),
            quantity=_with(self.quantity, hour, peak.quantity),
        )

    def with_refusal(self, hour: int) -> "PortDay":
        """With a refusal in an hour since 1970; the same day where it knows of one."""
        if self.is_refused(hour):
            return self
        refused = tuple(sorted({*self.refused, hour % HOURS}))
        return replace(self, version=self.version + 1, refused=refused)

    def is_refused(self, hour: int) -> bool:
        return hour % HOURS in self.refused


@dataclass(frozen=True, slots=True)
class PortHour:
    """What is told of one hour.

    Args:
        at: When it began.
        is_refused: Somebody was refused a port because all were out.
    """

    at: datetime
    most: int
    quantity: int
    is_refused: bool


def day_of(hour: int) -> date:
    return hour_start(hour).date()


def finished(before: Holds, after: Holds) -> Iterator[Peak]:
    """The hours that are over for the holds as they are after a change, and were not before it."""
    running = {peak.kind: peak.hour for peak in after.peaks}
    for peak in before.peaks:
        if running.get(peak.kind) != peak.hour:
            yield peak
            yield from _quiet(before, peak, running.get(peak.kind))


def unkept(holds: Holds, now: datetime) -> Iterator[Peak]:
    """The hours that no day knows of yet, the running one with them."""
    for peak in holds.peaks:
        yield peak
        yield from _quiet(holds, peak, hour_of(now) + 1)


def series(
    days: Iterable[PortDay], latest: Iterable[Peak], since: int, until: int
) -> tuple[PortHour, ...]:
    """The hours in which ports were out or refused, in order.

    Args:
        latest: See ``unkept``; of the one kind.
        since: First hour.
        until: The hour after the last.
    """
    hours: dict[int, PortHour] = {}
    for day in days:
        first = hour_of(datetime.combine(day.day, time(), UTC))
        for place in range(HOURS):
            if day.most[place] or place in day.refused:
                hours[first + place] = PortHour(
                    hour_start(first + place),
                    day.most[place],
                    day.quantity[place],
                    place in day.refused,
                )
    for peak in latest:
        known = hours.get(peak.hour)
        if known is None or known.most < peak.most:
            is_refused = known is not None and known.is_refused
            at = hour_start(peak.hour)
            hours[peak.hour] = PortHour(at, peak.most, peak.quantity, is_refused)
    return tuple(hours[hour] for hour in sorted(hours) if since <= hour < until)


def by_day(peaks: Iterable[Peak]) -> Mapping[tuple[str, date], list[Peak]]:
    """Peaks by the day they are kept with."""
    found: dict[tuple[str, date], list[Peak]] = {}
    for peak in peaks:
        found.setdefault((peak.kind, day_of(peak.hour)), []).append(peak)
    return found


def _quiet(holds: Holds, peak: Peak, until: int | None) -> Iterator[Peak]:
    """The hours after a peak in which nothing was taken or given back: as many were out as when
    each began, until all were back."""
    hour = peak.hour + 1
    while until is None or hour < until:
        most = holds.ports_out(hour_start(hour)).get(peak.kind, 0)
        if not most:
            return
        yield replace(peak, hour=hour, most=most)
        hour += 1


def _with(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])
