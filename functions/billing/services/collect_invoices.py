"""Collect open invoices from the account's sources, one after the other. Every step may crash or
run twice."""

from collections.abc import Container
from datetime import datetime

from billing.domain import dunning
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.documents import Invoice
from billing.domain.errors import IdConflictError
from billing.domain.records import Recharge
from billing.domain.subscription import Subscription
from billing.domain.things import numbered
from billing.ports import AlreadyRecordedError, Book, Catalogs
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge


class CollectInvoices:
    """Begins a payment for the oldest open invoice that is due, and sees it through.

    Args:
        gateways: Names of those in use: nobody else's sources can be asked.
        collect_recharge: Knows what a payment of an invoice is spent on.
    """

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        gateways: Container[str],
        change_account: ChangeAccount,
        collect_recharge: CollectRecharge,
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._gateways = gateways
        self._change_account = change_account
        self._collect_recharge = collect_recharge

    def collect(self, ref: AccountRef) -> None:
        """Collect what is due, the oldest first, until something has to be waited for.

        Raises:
            PaymentUnknownError: A gateway did not answer; the payment stays open as unknown.
            BookBusyError: Try later.
        """
        while True:
            try:
                change = self._change_account(ref, self._decide)
            except (AlreadyRecordedError, IdConflictError):
                # Another worker has begun it, and sees it through.
                return
            if change is None:
                return
            begun = [one for one in change.records if isinstance(one, Recharge)]
            for one in begun:
                self._collect_recharge.finish(ref, one.ordinal)

    def _decide(self, account: Account, now: datetime) -> Change | None:
        subscription = self._book.thing(account.ref, Subscription)
        if subscription is None:
            return None
        due = dunning.to_collect(account, subscription, now)
        if due is None:
            return None
        invoice = self._book.thing(account.ref, Invoice, numbered(due.number))
        assert invoice is not None, "an open invoice is in the book"
        catalog = self._catalogs.version(subscription.catalog_version).catalog
        sources = {
            source.source_id: source
            for source in self._book.funding_sources(account.ref)
            if source.gateway in self._gateways
        }
        return dunning.collected(account, subscription, invoice, sources, catalog.dunning, now)
