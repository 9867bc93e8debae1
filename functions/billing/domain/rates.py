"""Rates: what destinations cost, and the packed table that finds them by prefix."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

from billing.domain.destinations import MAX_PREFIX_DIGITS, SHORT, dialled
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.windows import Window, minute_of_week

RATES_KEPT = 4096
"""Rates of one deck that are kept ready: a few megabytes, and most calls go to few destinations."""


class Treatment(StrEnum):
    """What a destination is to its callers."""

    CHARGED = "charged"
    FREE = "free"  # Costs nothing and burns no grant.
    BLOCKED = "blocked"  # Not to be called; a call that happened all the same has a price.
    UNPRICED = "unpriced"  # Blocked, and what happened all the same waits in the quarantine.


class Tier(NamedTuple):
    """From a billed second on, the rest of a call has another price."""

    after_seconds: int
    rate_micros: int


class Terms(NamedTuple):
    """A Rate without its prefix, so that the prefixes of one destination can share it.

    Args:
        windows: Parts of the week, apart from each other, that have terms of their own; those
            terms have no windows.
    """

    destination: str
    rate_micros: int
    connect_fee_micros: int
    first_increment_seconds: int
    next_increment_seconds: int
    tiers: tuple[Tier, ...] = ()
    cap_micros: int | None = None
    treatment: Treatment = Treatment.CHARGED
    windows: tuple[tuple[Window, "Terms"], ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """What one prefix costs.

    Args:
        prefix: Digits without the plus sign, or ``short:`` and digits; empty matches every number
            but short codes.
        destination: Its name for people.
        rate_micros: Per minute of voice, up to the first tier; per message; per piece of another
            unit.
        connect_fee_micros: Once per answered call; 0 for messages.
        first_increment_seconds: The least an answered call is billed; no meaning for messages.
        next_increment_seconds: What the time after that is rounded up to.
        tiers: Prices of the billed seconds further on, by rising ``after_seconds``.
        cap_micros: The most the wallet pays for one call; None sets no limit.
        treatment: Whether it is charged, free, or blocked.
        window: The part of the week it was found in; None outside all of them.
    """

    prefix: str
    destination: str
    rate_micros: int
    connect_fee_micros: int
    first_increment_seconds: int
    next_increment_seconds: int
    tiers: tuple[Tier, ...] = ()
    cap_micros: int | None = None
    treatment: Treatment = Treatment.CHARGED
    window: Window | None = None

    @property
    def is_blocked(self) -> bool:
        return self.treatment in (Treatment.BLOCKED, Treatment.UNPRICED)


DirectionOrAny = Direction | None  # None is the deck's "any".
Prices = Mapping[str, Terms]
TableKey = tuple[Unit, DirectionOrAny]


def table_order(key: TableKey) -> tuple[bool, bool, str, int]:
    """Calls, messages, then other units by name; each inbound, outbound, any."""
    unit, way = key
    ways = (*Direction, None)
    return not unit.is_timed, unit.is_own, unit.value, ways.index(way)


class Rows(Protocol):
    """The distinct terms of a table; what is not asked for need not have been read."""

    def __getitem__(self, row: int, /) -> Terms: ...

    def __len__(self) -> int: ...


class PrefixIndex(NamedTuple):
    """Prefixes in order, 12 bytes each, and the row of each one's terms.

    A key holds the 16 digits of a prefix (a first one for its space, zeros behind it) and its
    length in the last four bits. Keys in order are prefixes in alphabetical order.
    """

    keys: "array[int]"
    rows: "array[int]"

    def longest(self, padded: int, length: int) -> int:
        """Where the longest prefix of some digits is, or -1.

        Between a prefix and the digits it begins stand only longer prefixes with the same
        beginning. So the last key up to the digits is the answer or shares more digits with them
        than the answer has, and those digits can be asked for next.
        """
        while length >= 0:
            place = bisect_right(self.keys, padded << 4 | length) - 1
            if place < 0:
                return -1
            found, size = self.keys[place] >> 4, self.keys[place] & 15
            if size <= length and padded - padded % _POWERS[size] == found:
                return place
            length = min(length, size)
            while length >= 0 and padded // _POWERS[length] != found // _POWERS[length]:
                length -= 1
            padded -= padded % _POWERS[length]
        return -1


class RateTable:
    """Prices by unit, direction and prefix. Never changes once built.

    Prefixes are packed, and a row of terms becomes a Rate when a number asks for it: a deck of
    250,000 prices is held in a few tens of bytes each.

    Args:
        prices: Prefixes as in ``Rate``, and their terms.
        time_zone: IANA name; whose clocks the windows mean.
    """

    __slots__ = ("_indexes", "_paths", "_rates", "_rows", "time_zone")

    def __init__(self, prices: Mapping[TableKey, Prices], time_zone: str = "UTC") -> None:
        numbered: dict[Terms, int] = {}
        indexes = {key: _packed(table, numbered) for key, table in prices.items()}
        self._fill(indexes, tuple(numbered), time_zone)

    @classmethod
    def packed(
        cls, indexes: Mapping[TableKey, PrefixIndex], rows: Rows, time_zone: str
    ) -> "RateTable":
        """A table from what a loader has packed already."""
        table = cls.__new__(cls)
        table._fill(indexes, rows, time_zone)
        return table

    def _fill(self, indexes: Mapping[TableKey, PrefixIndex], rows: Rows, time_zone: str) -> None:
        self.time_zone = time_zone
        self._indexes = {
            key: indexes[key] for key in sorted(indexes, key=table_order) if indexes[key].keys
        }
        self._rows = rows
        self._rates = _rates_reader(rows)
        self._paths = {
            (unit, direction): tuple(
                index
                for way in (direction, None)  # The named direction beats "any" at equal length.
                if (index := self._indexes.get((unit, way)))
            )
            for unit in {unit for unit, _ in self._indexes}
            for direction in Direction
        }

    def find(
        self, unit: Unit, direction: Direction, e164: str, answered_at: datetime | None = None
    ) -> Rate | None:
        """The rate of the longest prefix of a number, or None.

        Args:
            answered_at: Aware; decides between the windows of the rate.

        Raises:
            InvalidUsageError: The rate depends on the time, and none is given.
        """
        padded, length = _digits(dialled(e164))
        key, row = -1, -1
        for index in self._paths.get((unit, direction), ()):
            place = index.longest(padded, length)
            if place >= 0 and (key < 0 or index.keys[place] & 15 > key & 15):
                key, row = index.keys[place], index.rows[place]
        if key < 0:
            return None
        base, *timed = self._rates(key, row)
        if not timed:
            return base
        if answered_at is None:
            raise InvalidUsageError("the price depends on the time of answer", field="answered_at")
        minute = minute_of_week(answered_at, self.time_zone)
        return next((rate for rate in timed if rate.window and rate.window.holds(minute)), base)

    def indexes(self) -> Mapping[TableKey, PrefixIndex]:
        """The packed prefixes, for whoever compares whole tables."""
        return self._indexes

    def terms(self, row: int) -> Terms:
        return self._rows[row]

    def __iter__(self) -> Iterator[tuple[Unit, DirectionOrAny, str, Terms]]:
        read: dict[int, Terms] = {}
        for (unit, direction), index in self._indexes.items():
            for key, row in zip(index.keys, index.rows, strict=True):
                terms = read.get(row)
                if terms is None:
                    terms = read[row] = self._rows[row]
                yield unit, direction, prefix_of(key), terms

    def __len__(self) -> int:
        return sum(len(index.keys) for index in self._indexes.values())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RateTable)
            and len(self) == len(other)
            and self.time_zone == other.time_zone
            and all(one == another for one, another in zip(self, other, strict=True))
        )


def prefix_key(prefix: str) -> int:
    """A prefix as an index holds it."""
    padded, length = _digits(prefix)
    return padded << 4 | length


def prefix_of(key: int) -> str:
    """The prefix that a key of an index stands for."""
    space, digits = divmod(key >> 4, _SPACE)
    prefix = f"{digits:0{MAX_PREFIX_DIGITS}d}"[: key & 15]
    return SHORT + prefix if space else prefix


_SPACE = 10**MAX_PREFIX_DIGITS
_POWERS = tuple(10 ** (MAX_PREFIX_DIGITS - length) for length in range(MAX_PREFIX_DIGITS + 1))


def _digits(text: str) -> tuple[int, int]:
    """Up to 15 digits with the digit of their space in front, zeros behind, and how many."""
    space, digits = 0, text
    if text.startswith(SHORT):
        space, digits = _SPACE, text[len(SHORT) :]
    digits = digits[:MAX_PREFIX_DIGITS]
    return space + int(digits.ljust(MAX_PREFIX_DIGITS, "0")), len(digits)


def _packed(prices: Prices, numbered: dict[Terms, int]) -> PrefixIndex:
    pairs = sorted(
        (prefix_key(prefix), numbered.setdefault(terms, len(numbered)))
        for prefix, terms in prices.items()
    )
    return PrefixIndex(array("Q", (key for key, _ in pairs)), array("I", (row for _, row in pairs)))


def _rates_reader(rows: Rows) -> Callable[[int, int], tuple[Rate, ...]]:
    # Holds the rows and not the table, which would then refer to itself and outlive its last use.
    @lru_cache(RATES_KEPT)
    def rates(key: int, row: int) -> tuple[Rate, ...]:
        terms, prefix = rows[row], prefix_of(key)
        timed = (Rate(prefix, *own[:-1], window) for window, own in terms.windows)
        return Rate(prefix, *terms[:-1]), *timed

    return rates
