"""List usage in posting order: walk the ledger, and fetch the calls its entries name."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from billing.domain.account import Account, AccountRef
from billing.domain.ledger import LedgerEntry
from billing.domain.periods import start_of_day
from billing.domain.usage import Call, CallKey
from billing.ports import Book


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a call stands: the ledger entry that charges it, and its place in that entry."""

    sequence: int
    index: int


Bound = datetime | date

START = Position(0, 0)


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Calls in posting order; ``next`` is where to go on, None at the end."""

    calls: tuple[Call, ...]
    currency: str
    next: Position | None


class ListUsage:
    """No index per call is kept: posting order is the ledger's own."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def list(
        self,
        ref: AccountRef,
        *,
        begin: Bound | None,
        end: Bound | None,
        start: Position,
        limit: int,
    ) -> UsagePage:
        """One page of what was posted in ``[begin, end)``.

        Args:
            begin: An instant, or a day in the account's own time zone.
            end: The same; None: no end.
            start: From the page before, or ``START``.

        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        if start == START and begin is not None:
            start = Position(self._first_posted(account, _instant(account, begin)), 0)
        end_at = None if end is None else _instant(account, end)
        found = list(islice(self._positions(account, start, end_at), limit + 1))
        page = found[:limit]
        calls = self._book.calls(ref.tenant_id, (key for _, key in page))
        return UsagePage(
            calls=tuple(calls[key] for _, key in page),
            currency=account.currency,
            next=found[limit][0] if len(found) > limit else None,
        )

    def _positions(
        self, account: Account, start: Position, end_at: datetime | None
    ) -> Iterator[tuple[Position, CallKey]]:
        after = max(0, start.sequence - 1)
        for entry in self._book.entries(account, after_sequence=after):
            if end_at is not None and entry.posted_at >= end_at:
                return
            for index, key in enumerate(entry.usage.calls):
                position = Position(entry.sequence, index)
                if position >= start:
                    yield position, key

    def _first_posted(self, account: Account, begin_at: datetime) -> int:
        """The first sequence posted at or after an instant: time never runs back in a ledger."""
        low, high = 1, account.head.sequence + 1
        while low < high:
            middle = (low + high) // 2
            if self._entry(account, middle).posted_at < begin_at:
                low = middle + 1
            else:
                high = middle
        return low

    def _entry(self, account: Account, sequence: int) -> LedgerEntry:
        return next(self._book.entries(account, after_sequence=sequence - 1, limit=1))


def _instant(account: Account, bound: Bound) -> datetime:
    if isinstance(bound, datetime):
        return bound
    return start_of_day(bound, account.time_zone)
