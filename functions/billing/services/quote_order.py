"""Quote: what a purchase or change would come to now. Nothing of the account changes."""

from collections.abc import Sequence
from datetime import datetime

from billing.domain import turning
from billing.domain.account import Account, AccountRef
from billing.domain.orders import Quote, Want
from billing.domain.quoting import make_quote
from billing.domain.subscription import Subscription
from billing.ports import Book, Clock, Quotes
from billing.services.bill_account import BillAccount
from billing.services.read_held import ReadHeld


class QuoteOrder:
    """Quotes are computed on the account as it stands, and kept beside it.

    Args:
        bill_account: A period that has begun is billed first, if nobody has done so yet.
    """

    def __init__(
        self,
        *,
        book: Book,
        quotes: Quotes,
        read_held: ReadHeld,
        bill_account: BillAccount,
        clock: Clock,
    ) -> None:
        self._book = book
        self._bill_account = bill_account
        self._quotes = quotes
        self._read_held = read_held
        self._clock = clock

    def quote(self, ref: AccountRef, wants: Sequence[Want], quote_id: str) -> Quote:
        """
        Args:
            quote_id: A new one.

        Raises:
            NotFoundError: No such account, or there is no catalogue yet.
            BookBusyError: The period that has begun could not be billed yet; try again.
            InvalidInputError: A want makes no sense, or is not sold to this account; names it.
            TalktimeError: Whatever else forbids it, such as a contract or the plan's limits.
        """
        account, subscription, now = self._held(ref)
        if subscription.billed_until <= account.period.start_at:
            self._bill_account.bill(ref)
            account, subscription, now = self._held(ref)
        quote = make_quote(
            account,
            subscription,
            self._read_held.versions(account, subscription),
            wants,
            self._read_held.numbers_held(ref),
            quote_id,
            now,
        )
        self._quotes.save(quote)
        return quote

    def _held(self, ref: AccountRef) -> tuple[Account, Subscription, datetime]:
        account = self._book.account(ref)
        now = self._clock.now()
        account = turning.at(account, now)
        return account, self._read_held.subscription(account), now
