"""Lots: what grants hold, in which order they burn, what a turn leaves of them.

docs/ledger.md ("Grants", "Corrections"), docs/rating.md ("Which grant"), docs/subscriptions.md
("Grants at a change").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import cast

from simulation.model.days import Calendar
from simulation.model.facts import Lot, Use

GRACE = timedelta(hours=72)
NEVER = datetime.max.replace(tzinfo=UTC)
USUAL_PRIORITY = 100


def spoken_unit(name: str) -> str:
    """What a call reports; the catalogue names some units otherwise."""
    return {"voice_seconds": "voice", "messages": "message"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Scope:
    """Args: direction: empty: both; prefixes: of the called number; none: every one."""

    direction: str = ""
    prefixes: tuple[str, ...] = ()

    def covers(self, use: Use) -> bool:
        called = use.called.removeprefix("+")
        return self.direction in ("", use.direction) and (
            not self.prefixes or called.startswith(self.prefixes)
        )

    @property
    def width(self) -> Fraction:
        """How much of all numbers, in one direction or both; no prefix is within another."""
        numbers = sum((Fraction(1, 10 ** len(one)) for one in self.prefixes), Fraction(0))
        return (numbers if self.prefixes else Fraction(1)) * (1 if self.direction else 2)


@dataclass(frozen=True, slots=True)
class Grant:
    name: str
    unit: str
    quantity: int
    priority: int = USUAL_PRIORITY
    rollover_limit: int = 0
    scope: Scope = Scope()
    is_unlimited: bool = False


@dataclass(slots=True, eq=False)
class Held:
    """One lot.

    Args:
        period: Whose quota it is; None: of none, such as a bundle, or rolled over.
        gone_at: When no late usage may burn it any more.
    """

    grant: Grant
    size: int
    used: int
    starts_at: datetime
    expires_at: datetime
    gone_at: datetime
    period: int | None = None
    exists: bool = True

    @property
    def remaining(self) -> int:
        return max(0, self.size - self.used)

    @property
    def has_any(self) -> bool:
        return self.grant.is_unlimited or self.remaining > 0

    def give(self, wanted: int) -> int:
        """Up to as much as is wanted."""
        given = wanted if self.grant.is_unlimited else min(wanted, self.remaining)
        self.used += 0 if self.grant.is_unlimited else given
        return given

    def take_back(self, given: int) -> int:
        """As much of it as there is room for: none in what exists no more."""
        if self.exists and self.grant.is_unlimited:
            return given
        back = min(given, self.used) if self.exists else 0
        self.used -= back
        return back

    def order(self) -> tuple[int, bool, Fraction, datetime, datetime, str]:
        grant = self.grant
        return (
            grant.priority,
            not grant.is_unlimited,
            grant.scope.width,
            self.expires_at,
            self.starts_at,
            grant.name,
        )


class Lots:
    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._held: list[Held] = []
        # The account's present period.
        self._present = 0

    def shown(self, now: datetime) -> tuple[Lot, ...]:
        left = sorted(
            (lot.expires_at, lot.grant.name, lot.grant.unit, lot.remaining)
            for lot in self._held
            if lot.has_any and now < lot.gone_at
        )
        return tuple(
            Lot(name, unit, remaining, None if expires_at == NEVER else expires_at)
            for expires_at, name, unit, remaining in left
        )

    def forget(self, now: datetime) -> None:
        """Drop what has expired: at once what is empty, and 72 hours later what is not.

        What is empty and would never expire goes, too.
        """
        for lot in self._held:
            is_over = lot.expires_at <= (now - GRACE if lot.has_any else now)
            lot.exists = not is_over and (lot.has_any or lot.expires_at != NEVER)
        self._held = [lot for lot in self._held if lot.exists]

    def add(
        self,
        grant: Grant,
        starts_at: datetime,
        expires_at: datetime,
        period: int | None = None,
    ) -> Held:
        lot = Held(
            grant,
            grant.quantity,
            0,
            starts_at,
            expires_at,
            self._gone_at(expires_at),
            period,
        )
        self._held.append(lot)
        return lot

    def serving(self, use: Use, posted_at: datetime) -> Iterator[Held]:
        """Lots that serve it, in burning order.

        Usage reported within 72 hours of the end of its own period burns what was valid when it
        ended; later, or before its own period has begun, what is valid when it is posted.
        """
        own = self._calendar.period_of(use.ended_at)
        is_in_time = posted_at < self._calendar.starts_at(own + 1) + GRACE
        at = use.ended_at if is_in_time and own <= self._present else posted_at
        return iter(
            sorted(
                (
                    lot
                    for lot in self._held
                    if lot.grant.unit == use.unit
                    and lot.grant.scope.covers(use)
                    and lot.starts_at <= at < lot.expires_at
                    and lot.has_any
                ),
                key=Held.order,
            )
        )

    def turn(self, period: int, coming: dict[str, Grant]) -> None:
        """Let the period's quotas end; what may roll over is the same lot with a later expiry.

        The limit is that of what holds from the turn on; a grant that it does not have ends.
        """
        self._present = period + 1
        ends_at, next_ends_at = (self._calendar.starts_at(period + n) for n in (1, 2))
        for lot in tuple(self._held):
            if lot.period != period or lot.expires_at != ends_at:
                continue
            lot.period = None
            grant = coming.get(lot.grant.name)
            if grant and grant.rollover_limit and lot.remaining:
                beyond = max(0, lot.remaining - grant.rollover_limit)
                if beyond:
                    behind = self.add(lot.grant, lot.starts_at, ends_at)
                    behind.size = beyond
                    lot.size -= beyond
                lot.expires_at = next_ends_at
                lot.gone_at = self._gone_at(next_ends_at)

    def refill(self, grants: dict[str, Grant], period: int, at: datetime) -> None:
        self._present = period
        for grant in grants.values():
            self.add(grant, at, self._calendar.starts_at(period + 1), period)

    def weigh(
        self,
        old: dict[str, Grant],
        new: dict[str, Grant],
        period: int,
        days: tuple[int, int],
        starts_at: datetime,
    ) -> None:
        """The old quota's share of the days before, and the new one's of the rest, less use.

        What is left of the old one, after several changes too, is what there is less its share
        of the days left; shares of the days left are rounded up.
        """
        before, total = days
        lots = {lot.grant.name: lot for lot in self._held if lot.period == period}
        for name in old | new:
            was, will = old.get(name), new.get(name)
            if was == will:
                continue
            lot = lots.get(name) or self.add(
                cast(Grant, will or was), starts_at, self._calendar.starts_at(period + 1), period
            )
            if will is None and lot.grant.is_unlimited:
                # Up to this day all of its calls were free.
                lot.expires_at, lot.period = max(lot.starts_at, starts_at), None
                lot.gone_at = self._gone_at(lot.expires_at)
                continue
            lot.grant = will or lot.grant
            held = lot.size if name in lots else 0
            less, more = (
                -(-grant.quantity * (total - before) // total) if grant else 0
                for grant in (was, will)
            )
            lot.size = max(0, held - less + more)
            lot.used = min(lot.used, lot.size)

    def names_of(self, period: int) -> set[str]:
        """What was granted for that period, ended or not."""
        return {lot.grant.name for lot in self._held if lot.period == period}

    def become(self, grants: dict[str, Grant], period: int) -> None:
        """The period's lots become those of these grants, less what was used."""
        lots = {lot.grant.name: lot for lot in self._held if lot.period == period}
        for name, grant in grants.items():
            if name in lots:
                lots[name].grant, lots[name].size = grant, grant.quantity
            else:
                self.refill({name: grant}, period, self._calendar.starts_at(period))
        for name in lots.keys() - grants.keys():
            self._held.remove(lots[name])

    def _gone_at(self, expires_at: datetime) -> datetime:
        """72 hours after the period that held its last moment."""
        if expires_at == NEVER:
            return NEVER
        last = self._calendar.period_of(expires_at - timedelta(microseconds=1))
        return self._calendar.starts_at(last + 1) + GRACE
