"""Tell that funding sources are about to expire."""

from contextlib import suppress
from datetime import datetime

from billing.domain import funding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.ports import AlreadyRecordedError, Book
from billing.services.change_account import ChangeAccount


class NoticeSources:
    """Gives every notice that is due, and leaves the timer at the next one."""

    def __init__(self, book: Book, change_account: ChangeAccount) -> None:
        self._book = book
        self._change_account = change_account

    def notice(self, ref: AccountRef) -> None:
        """Give what is due now, once each, however often and late this is called.

        Raises:
            NotFoundError: There is no such account.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            sources = {source.source_id: source for source in self._book.funding_sources(ref)}
            return funding.noticed(account, sources, now)

        # A notice of every source at once is the most there can be; twice that is a bound.
        for _ in range(2 * funding.MAX_SOURCES):
            # Another worker may give this very notice; there may be others.
            with suppress(AlreadyRecordedError):
                if self._change_account(ref, decide) is None:
                    return
