"""List usage in posting order: walk the ledger, and fetch the calls its entries name.

A corrected call stays where it was first posted, and is shown as its latest correction left it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from billing.domain.account import Account, AccountRef
from billing.domain.periods import start_of_day
from billing.domain.summaries import CountryOf
from billing.domain.units import Direction, Unit
from billing.domain.usage import Call, CallKey, CallStatus, UsageEvent
from billing.ports import Book


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a call stands: the ledger entry that charges it, and its place in that entry."""

    sequence: int
    index: int


Bound = datetime | date

START = Position(0, 0)

CALLS_PER_READ = 100
"""Keys one BatchGetItem takes (service quota)."""

MAX_READ = 2_000
"""Calls looked at for one page. A filter that few calls pass makes pages that are short, or empty,
and go on: each costs no more than about a second."""


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which calls are wanted: those for which everything given holds.

    Args:
        destination: What the called number begins with.
        country: The called number's.
    """

    unit: Unit | None = None
    direction: Direction | None = None
    status: CallStatus | None = None
    connection_id: str | None = None
    destination: str | None = None
    country: str | None = None

    def passes(self, event: UsageEvent, country_of: CountryOf) -> bool:
        return (
            self.unit in (None, event.unit)
            and self.direction in (None, event.direction)
            and self.status in (None, event.status)
            and self.connection_id in (None, event.connection_id)
            and event.to_number.startswith(self.destination or "")
            and (self.country is None or self.country == country_of(event.to_number))
        )


EVERYTHING = UsageFilter()


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Calls in posting order; ``next`` is where to go on, None at the end. A filtered page may be
    empty and not the last."""

    calls: tuple[Call, ...]
    currency: str
    next: Position | None


class ListUsage:
    """No index per call is kept: posting order is the ledger's own."""

    def __init__(self, book: Book, country_of: CountryOf) -> None:
        self._book = book
        self._country_of = country_of

    def list(
        self,
        ref: AccountRef,
        *,
        begin: Bound | None,
        end: Bound | None,
        start: Position,
        limit: int,
        only: UsageFilter = EVERYTHING,
    ) -> UsagePage:
        """One page of what was posted in ``[begin, end)``.

        Args:
            begin: An instant, or a day in the account's own time zone.
            end: The same; None: no end.
            start: From the page before, or ``START``.
            only: Which calls.

        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        if start == START and begin is not None:
            start = Position(first_posted(self._book, account, instant(account, begin)), 0)
        end_at = None if end is None else instant(account, end)
        left = positions(self._book, account, start, end_at)
        at_once = limit if only == EVERYTHING else CALLS_PER_READ
        found: list[Call] = []
        read = 0
        while read < MAX_READ and len(found) < limit:
            named = list(islice(left, at_once))
            if not named:
                break
            read += len(named)
            calls = self._book.current_calls(ref.tenant_id, (key for _, key in named))
            for position, key in named:
                if len(found) == limit:
                    return UsagePage(tuple(found), account.currency, position)
                if only.passes(calls[key].event, self._country_of):
                    found.append(calls[key])
        following = next(left, None)
        return UsagePage(tuple(found), account.currency, following[0] if following else None)


def positions(
    book: Book, account: Account, start: Position, end_at: datetime | None
) -> Iterator[tuple[Position, CallKey]]:
    """Where each call was first posted, from ``start`` on; what entries correct is not new."""
    after = max(0, start.sequence - 1)
    for entry in book.entries(account, after_sequence=after):
        if end_at is not None and entry.posted_at >= end_at:
            return
        if entry.usage.revisions:
            continue
        for index, key in enumerate(entry.usage.calls):
            position = Position(entry.sequence, index)
            if position >= start:
                yield position, key


def first_posted(book: Book, account: Account, begin_at: datetime) -> int:
    """The first sequence posted at or after an instant: time never runs back in a ledger."""
    low, high = 1, account.head.sequence + 1
    while low < high:
        middle = (low + high) // 2
        entry = next(book.entries(account, after_sequence=middle - 1, limit=1))
        if entry.posted_at < begin_at:
            low = middle + 1
        else:
            high = middle
    return low


def instant(account: Account, bound: Bound) -> datetime:
    """The instant a bound means to this account."""
    if isinstance(bound, datetime):
        return bound
    return start_of_day(bound, account.time_zone)
