"""Spend payments on the orders they were collected for, and read what an order is decided on."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import placing
from billing.domain.account import Account
from billing.domain.catalog_versions import Versions
from billing.domain.documents import DocumentNumbers
from billing.domain.effects import Effect, Spend
from billing.domain.ordering import deliver
from billing.domain.orders import Order
from billing.domain.records import Recharge
from billing.domain.subscription import Subscription
from billing.ports import Book
from billing.services.read_held import ReadHeld


@dataclass(frozen=True, slots=True)
class ReadyOrder:
    """An order, and what it is decided on beside the account.

    Args:
        versions: With the version of its quote as the one that is offered.
        numbers_held: Phone numbers that are not released.
    """

    order: Order
    subscription: Subscription
    documents: DocumentNumbers
    versions: Versions
    numbers_held: int

    def deliver(
        self,
        cause: str,
        now: datetime,
        payment: tuple[str, str] | None = None,
        source_label: str = "",
    ) -> placing.Deliver:
        """What delivers it.

        Args:
            cause: The operation that asked for it.
            payment: Gateway and id of the payment that pays; None: the wallet does.
            source_label: What the customer calls who paid.
        """

        def delivered(account: Account) -> Effect:
            return deliver(
                account,
                self.subscription,
                self.documents,
                self.order,
                self.versions,
                now,
                paid_by=payment,
                source_label=source_label,
                cause=cause,
                numbers_held=self.numbers_held,
            )

        return delivered


class SpendOrders:
    """Implements Spends: a payment that was collected for an order delivers it as it comes."""

    def __init__(self, book: Book, read_held: ReadHeld) -> None:
        self._book = book
        self._read_held = read_held

    def captured(self, recharge: Recharge, payment: tuple[str, str], now: datetime) -> Spend:
        order = self._order(recharge)
        ready = self.ready(self._book.account(recharge.account), order)
        assert recharge.requested_by is not None, "somebody asked for the order"
        deliver = ready.deliver(recharge.requested_by, now, payment, self._label(recharge))
        return lambda account: placing.paid(account, order, deliver, now)

    def given_up(self, recharge: Recharge, now: datetime) -> Spend:
        order = self._order(recharge)
        return lambda account: placing.unpaid(account, order, now)

    def ready(self, account: Account, order: Order) -> ReadyOrder:
        """Read what an order is decided on.

        Args:
            account: Read before; its version guards all of it.
        """
        subscription = self._read_held.subscription(account)
        quoted = order.quote.catalog_version
        return ReadyOrder(
            order=order,
            subscription=subscription,
            documents=self._read_held.documents(account.ref),
            versions=self._read_held.versions(account, subscription, quoted),
            numbers_held=self._read_held.numbers_held(account.ref),
        )

    def _order(self, recharge: Recharge) -> Order:
        assert recharge.purpose is not None, "it was collected for an order"
        order = self._book.thing(recharge.account, Order, recharge.purpose.name)
        assert order is not None, "an order and its payment are written together"
        return order

    def _label(self, recharge: Recharge) -> str:
        """What the customer calls who pays: an order asks one source, or once by UPI."""
        source_id = recharge.attempt.source_id
        if not source_id:
            return recharge.attempt.method.value.upper()
        return self._book.funding_source(recharge.account, source_id).label
