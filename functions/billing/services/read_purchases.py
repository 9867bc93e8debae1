"""Read what an account has bought, from its documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from billing.domain.account import AccountRef
from billing.domain.documents import CreditNote, Invoice, Receipt
from billing.domain.errors import InvalidInputError
from billing.domain.periods import local_day, start_of_day
from billing.domain.purchases import Purchases, purchases
from billing.domain.records import Payment
from billing.ports import Book, Clock

MAX_DAYS = 366
DEFAULT_DAYS = 365

PAGE = 100

SKEW = timedelta(hours=1)
"""Documents are numbered in the order of their Changes, and dated by whoever wrote them: clocks
differ by less than this."""

Dated = TypeVar("Dated", Invoice, CreditNote, Receipt)


@dataclass(frozen=True, slots=True)
class PurchasesView:
    """What was bought in ``[begin, end)``, days of the account's zone."""

    begin: date
    end: date
    time_zone: str
    currency: str
    bought: Purchases


class ReadPurchases:
    """Sums up when it is asked; nothing is kept."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def read(self, ref: AccountRef, begin: date | None, end: date | None) -> PurchasesView:
        """What was bought on some days.

        Args:
            begin: The first day; None: a year before ``end``.
            end: The day after the last; None: tomorrow.

        Raises:
            NotFoundError: No such account.
            InvalidInputError: The days run backwards, or are more than a year.
        """
        account = self._book.account(ref)
        zone = account.time_zone
        last = end or local_day(self._clock.now(), zone) + timedelta(days=1)
        first = begin or last - timedelta(days=DEFAULT_DAYS)
        if not first < last or last - first > timedelta(days=MAX_DAYS):
            raise InvalidInputError(f"ask for 1 to {MAX_DAYS} days", field="from")
        since, until = start_of_day(first, zone), start_of_day(last, zone)
        bought = purchases(
            self._issued(ref, Invoice, since, until),
            self._issued(ref, CreditNote, since, until),
            (
                (receipt, self._payment(receipt))
                for receipt in self._issued(ref, Receipt, since, until)
            ),
            zone,
        )
        return PurchasesView(first, last, zone, account.currency, bought)

    def _issued(
        self, ref: AccountRef, kind: type[Dated], since: datetime, until: datetime
    ) -> Iterator[Dated]:
        before = ""
        while True:
            page = self._book.things(ref, kind, before=before, limit=PAGE)
            yield from (one for one in page if since <= one.issued_at < until)
            if len(page) < PAGE or page[-1].issued_at < since - SKEW:
                return
            before = page[-1].thing_name

    def _payment(self, receipt: Receipt) -> Payment | None:
        if not receipt.gateway:
            return None
        return self._book.payment(receipt.account, receipt.gateway, receipt.payment_id)
