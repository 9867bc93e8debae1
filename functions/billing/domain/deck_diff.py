"""What a new version of a rate deck would change: row by row, and on calls that were made."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from heapq import nlargest

from billing.domain.errors import (
    CurrencyMismatchError,
    DestinationBlockedError,
    DestinationNotRatedError,
)
from billing.domain.rates import (
    DirectionOrAny,
    PrefixIndex,
    RateTable,
    TableKey,
    Terms,
    prefix_of,
    table_order,
)
from billing.domain.rating import RateDeck, rate_usage
from billing.domain.units import Direction, Unit

MAX_EXAMPLES = 100
"""Changes that are shown; all of them are counted."""


class Difference(StrEnum):
    """How a prefix differs, or a call."""

    ADDED = "added"
    REMOVED = "removed"
    DEARER = "dearer"
    CHEAPER = "cheaper"
    OTHERWISE = "otherwise"  # The same price per minute, other terms.


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One prefix that has other terms; None on the side where it has none."""

    difference: Difference
    unit: Unit
    direction: DirectionOrAny
    prefix: str
    before: Terms | None
    after: Terms | None

    @property
    def weight(self) -> int:
        """How far the price per minute, or per message, moves; from or to 0 where there is none."""
        rates = [terms.rate_micros if terms else 0 for terms in (self.before, self.after)]
        return abs(rates[1] - rates[0])


@dataclass(frozen=True, slots=True)
class DeckDiff:
    """How one table differs from another.

    Args:
        unchanged: Prefixes with equal terms.
        counts: Prefixes by the way they differ; every way is there.
        zone_changed: Windows mean other clocks; their rows may be equal all the same.
        examples: The changes that weigh most, heaviest first.
    """

    unchanged: int
    counts: dict[Difference, int]
    zone_changed: bool
    examples: tuple[PriceChange, ...]

    @property
    def is_empty(self) -> bool:
        return not self.zone_changed and not any(self.counts.values())


def diff_decks(before: RateTable, after: RateTable, limit: int = MAX_EXAMPLES) -> DeckDiff:
    """Compare two tables prefix by prefix.

    A removed prefix is priced by a shorter one, or not at all: ``dry_run`` shows what that does.
    """
    counts = dict.fromkeys(Difference, 0)

    def counted() -> Iterator[PriceChange]:
        for change in _changes(before, after):
            counts[change.difference] += 1
            yield change

    examples = nlargest(limit, counted(), key=lambda change: change.weight)
    touched = sum(counts.values()) - counts[Difference.ADDED]
    return DeckDiff(
        unchanged=len(before) - touched,
        counts=counts,
        zone_changed=before.time_zone != after.time_zone,
        examples=tuple(examples),
    )


def _changes(before: RateTable, after: RateTable) -> Iterator[PriceChange]:
    old, new = cache(before.terms), cache(after.terms)
    for key in sorted({*before.indexes(), *after.indexes()}, key=table_order):
        one, other = (
            table.indexes().get(key, PrefixIndex(array("Q"), array("I")))
            for table in (before, after)
        )
        yield from _changes_of(key, one, other, old, new)


def _changes_of(
    key: TableKey,
    before: PrefixIndex,
    after: PrefixIndex,
    old: Callable[[int], Terms],
    new: Callable[[int], Terms],
) -> Iterator[PriceChange]:
    """Walk both indexes in order, side by side."""
    same: set[tuple[int, int]] = set()
    here = there = 0
    while here < len(before.keys) or there < len(after.keys):
        left = before.keys[here] if here < len(before.keys) else None
        right = after.keys[there] if there < len(after.keys) else None
        if right is None or (left is not None and left < right):
            assert left is not None
            yield PriceChange(
                Difference.REMOVED, *key, prefix_of(left), old(before.rows[here]), None
            )
            here += 1
        elif left is None or right < left:
            yield PriceChange(
                Difference.ADDED, *key, prefix_of(right), None, new(after.rows[there])
            )
            there += 1
        else:
            rows = before.rows[here], after.rows[there]
            if rows not in same:
                one, other = old(rows[0]), new(rows[1])
                if one == other:
                    same.add(rows)
                else:
                    yield PriceChange(_way(one, other), *key, prefix_of(left), one, other)
            here += 1
            there += 1


def _way(before: Terms, after: Terms) -> Difference:
    if before.rate_micros == after.rate_micros:
        return Difference.OTHERWISE
    return Difference.DEARER if after.rate_micros > before.rate_micros else Difference.CHEAPER


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call or message to price again; what was granted for it is left out of the comparison."""

    unit: Unit
    direction: Direction
    e164: str
    quantity: int
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class CallChange:
    """One call that would cost something else. None: it would wait in the quarantine.

    Args:
        place: Which of the given calls, from 0: numbers are personal and are not repeated here.
    """

    place: int
    before_micros: int | None
    after_micros: int | None

    @property
    def weight(self) -> int:
        return abs((self.after_micros or 0) - (self.before_micros or 0))


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one deck would have charged for calls, beside another.

    Args:
        calls: How many were priced again.
        before_micros: Price of the calls that both decks price.
        after_micros: The same calls by the other deck.
        counts: Calls by the way they differ: added and removed are those only one deck prices.
        examples: The calls whose price moves most, first.
    """

    calls: int
    before_micros: int
    after_micros: int
    counts: dict[Difference, int]
    examples: tuple[CallChange, ...]


def dry_run(
    before: RateDeck, after: RateDeck, calls: Iterable[PastCall], limit: int = MAX_EXAMPLES
) -> DryRun:
    """Price calls by two decks, whichever was in force when they were made.

    Raises:
        CurrencyMismatchError: The decks are in two currencies.
    """
    if before.currency != after.currency:
        raise CurrencyMismatchError(f"one deck is in {before.currency}, one in {after.currency}")
    counts = dict.fromkeys(Difference, 0)
    count = before_micros = after_micros = 0
    changes: list[CallChange] = []
    for place, call in enumerate(calls):
        count += 1
        one, other = _price(before, call), _price(after, call)
        if one is not None and other is not None:
            before_micros += one
            after_micros += other
        if one != other:
            counts[_call_way(one, other)] += 1
            changes.append(CallChange(place, one, other))
        if len(changes) >= 2 * limit:
            changes = nlargest(limit, changes, key=lambda change: change.weight)
    examples = nlargest(limit, changes, key=lambda change: change.weight)
    return DryRun(count, before_micros, after_micros, counts, tuple(examples))


def _price(deck: RateDeck, call: PastCall) -> int | None:
    try:
        rated = rate_usage(
            deck, call.unit, call.direction, call.e164, call.quantity, call.answered_at
        )
    except (DestinationNotRatedError, DestinationBlockedError):
        return None
    return rated.cost_micros


def _call_way(before: int | None, after: int | None) -> Difference:
    if before is None:
        return Difference.ADDED
    if after is None:
        return Difference.REMOVED
    return Difference.DEARER if after > before else Difference.CHEAPER
