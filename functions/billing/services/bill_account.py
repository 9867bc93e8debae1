"""Bill every period of one account that has begun, and hand on what is to be collected."""

from datetime import datetime

from billing.domain import billing, dunning
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.subscription import Subscription
from billing.ports import AlreadyRecordedError, Book, Catalogs, Clock, WorkQueue
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld


class BillAccount:
    """Bills period after period, however late, each in a Change of its own.

    Args:
        recharge_queue: The queue of the worker that collects; None: whoever calls only bills, and
            the timer that stands has it collected.
    """

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        clock: Clock,
        change_account: ChangeAccount,
        recharge_queue: WorkQueue | None = None,
    ) -> None:
        self._book = book
        self._held = ReadHeld(book, catalogs)
        self._clock = clock
        self._change_account = change_account
        self._recharge_queue = recharge_queue

    def bill(self, ref: AccountRef) -> None:
        """Bill what has begun; suspend who has not paid in time; have collected what is due.

        Where all of it is done already, nothing changes.

        Raises:
            NotFoundError: No such account, or no catalogue that it was sold under.
            NotSoldError: What it holds has no price in its currency.
            BookBusyError: Try later.
        """
        while self._moved(ref):
            pass
        if self._recharge_queue is None:
            return
        account = self._book.account(ref)
        subscription = self._held.subscription(account)
        due = dunning.to_collect(account, subscription, self._clock.now())
        if due is not None:
            self._recharge_queue.send([ref], f"invoice/{due.number}/v{account.version}")

    def _moved(self, ref: AccountRef) -> bool:
        """One step; False: there was nothing left to do."""
        try:
            return self._change_account(ref, self._decide) is not None
        except AlreadyRecordedError:
            # Somebody else billed the same period between our read and our write.
            return True

    def _decide(self, account: Account, now: datetime) -> Change | None:
        subscription = self._book.thing(account.ref, Subscription)
        if subscription is None:
            return billing.subscribed(account, now)
        period = billing.period_to_bill(account, subscription)
        if period is None:
            return dunning.suspended(account, subscription, now)
        versions = self._held.versions(account, subscription)
        begun = billing.begin(account, subscription, versions, period)
        following = self._held.versions(account, begun.subscription)
        numbers = self._held.documents(account.ref)
        return billing.bill(account, begun, numbers, following, now)
