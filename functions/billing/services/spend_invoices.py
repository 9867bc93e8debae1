"""What payments for invoices are spent on: the invoice, in the very Change that credits them."""

from datetime import datetime

from billing.domain import dunning, invoicing
from billing.domain.account import Account, AccountRef
from billing.domain.declines import NEVER_CHARGED
from billing.domain.documents import DocumentNumbers, Invoice, InvoiceState
from billing.domain.effects import Effect, Spend
from billing.domain.records import Recharge
from billing.domain.selling import DunningRule
from billing.domain.subscription import Subscription
from billing.domain.things import numbered
from billing.ports import Book, Catalogs

DECLINED = "payment_declined"
"""Why an invoice is past due, where no gateway said anything closer."""


class SpendInvoices:
    """Reads the invoice and what it belongs to; a payment's purpose names its number."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._catalogs = catalogs

    def captured(self, recharge: Recharge, payment: tuple[str, str], now: datetime) -> Spend:
        """The invoice is paid; where it was paid already, the money stays in the wallet."""
        ref = recharge.account
        invoice, subscription = self._invoice(recharge), self._subscription(ref)
        numbers = self._book.thing(ref, DocumentNumbers) or DocumentNumbers(ref)
        gateway, payment_id = payment
        label = self._label(recharge, payment)

        def spend(account: Account) -> Effect:
            if invoice.state is InvoiceState.PAID:
                return Effect(account, is_refused=True)
            return invoicing.paid(
                account,
                subscription,
                numbers,
                invoice,
                now,
                cause=f"{ref.account_id}/payment/{gateway}/{payment_id}",
                payment=payment,
                source_label=label,
            )

        return spend

    def given_up(self, recharge: Recharge, now: datetime) -> Spend:
        """Dunning goes on; but one that a person asked for is that person's to see."""
        invoice, subscription = self._invoice(recharge), self._subscription(recharge.account)
        rule = self._rule(subscription)
        why = recharge.attempt.failure_code or DECLINED
        is_heard = any(one.failure_code != NEVER_CHARGED for one in recharge.attempts)

        def spend(account: Account) -> Effect:
            if recharge.requested_by is not None or invoice.state is InvoiceState.PAID:
                return Effect(account)
            if not is_heard:
                # The gateway was out of reach for a day. That is nobody's decline.
                return dunning.put_off(account, subscription, now, now)
            cause = f"{account.ref.account_id}/recharge/{recharge.ordinal}/given-up"
            return dunning.failed(account, subscription, invoice, rule, now, cause=cause, why=why)

        return spend

    def _invoice(self, recharge: Recharge) -> Invoice:
        assert recharge.purpose is not None, "it is collected for an invoice"
        name = numbered(int(recharge.purpose.name))
        invoice = self._book.thing(recharge.account, Invoice, name)
        assert invoice is not None, "what is collected for is in the book"
        return invoice

    def _subscription(self, ref: AccountRef) -> Subscription:
        subscription = self._book.thing(ref, Subscription)
        assert subscription is not None, "who has an invoice has a subscription"
        return subscription

    def _rule(self, subscription: Subscription) -> DunningRule:
        return self._catalogs.version(subscription.catalog_version).catalog.dunning

    def _label(self, recharge: Recharge, payment: tuple[str, str]) -> str:
        """What the customer calls the source that paid; empty: none is saved, or an attempt that
        was given up before its payment had an id has come to light, and there is another."""
        gateway, payment_id = payment
        asked = [one for one in recharge.attempts if one.gateway == gateway]
        named = [one for one in asked if one.payment_id == payment_id]
        unnamed = [one for one in asked if one.payment_id is None]
        found = named or unnamed
        if len(found) != 1 or not found[0].source_id:
            return ""
        return self._book.funding_source(recharge.account, found[0].source_id).label
