"""Renew an account's numbers, hold those nobody pays for, and let go of them in the end."""

from collections.abc import Container
from datetime import datetime

from billing.domain import number_steps
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import IdConflictError
from billing.domain.numbers import PhoneNumber
from billing.domain.records import Recharge
from billing.ports import AlreadyRecordedError, Book, Catalogs, Reservations, WorkQueue
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.read_numbers import ReadNumbers


class RenewNumbers:
    """Goes on from wherever it was left; each step is one Change.

    Args:
        gateways: Names of those in use: nobody else's sources can be asked. None: whoever calls
            asks nobody for money, and hands that on.
        collect_recharge: Sees begun payments through; None: as for ``gateways``.
        recharge_queue: The queue of the worker that asks.
    """

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        reservations: Reservations,
        change_account: ChangeAccount,
        gateways: Container[str] | None = None,
        collect_recharge: CollectRecharge | None = None,
        recharge_queue: WorkQueue | None = None,
    ) -> None:
        self._book = book
        self._reservations = reservations
        self._change_account = change_account
        self._gateways = gateways
        self._collect_recharge = collect_recharge
        self._recharge_queue = recharge_queue
        self._numbers = ReadNumbers(book, catalogs)

    def renew(self, ref: AccountRef) -> None:
        """Do what is due for the account's numbers; where that is nothing, nothing changes.

        Raises:
            PaymentUnknownError: A gateway did not answer; the payment stays open as unknown.
            BookBusyError: Try later.
        """
        if not self._book.things(ref, PhoneNumber, limit=1):
            return
        while (change := self._step(ref)) is not None:
            if self._collect_recharge is None:
                continue
            for record in change.records:
                if isinstance(record, Recharge):
                    self._collect_recharge.finish(ref, record.ordinal)

    def _step(self, ref: AccountRef) -> Change | None:
        try:
            return self._change_account(ref, self._decide)
        except (AlreadyRecordedError, IdConflictError):
            # Another worker was faster, and goes on.
            return None

    def _decide(self, account: Account, now: datetime) -> Change | None:
        known, plan = self._numbers.of(account)
        if known.subscription.billed_until <= account.period.start_at:
            # Its bill comes first: it may change what the plan includes.
            return None
        holds = self._reservations.holds(account.ref)
        change = number_steps.next_step(account, known, plan, holds, now)
        if change is not None:
            return change
        due = number_steps.to_collect(account, known, plan, holds, now)
        if not due.from_sources:
            return None
        check_at = known.subscription.numbers_due_at
        if self._gateways is None:
            if self._recharge_queue is not None:
                self._recharge_queue.send([account.ref], f"numbers/v{account.version}")
            return None
        if check_at is not None and check_at > now and _is_any_open(account):
            # Every source has another payment open; it is looked again then.
            return None
        sources = {
            source.source_id: source
            for source in self._book.funding_sources(account.ref)
            if source.gateway in self._gateways
        }
        return number_steps.collected(account, known, due, sources, now)


def _is_any_open(account: Account) -> bool:
    return bool(account.recharging.opened)
