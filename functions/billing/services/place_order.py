"""Place an order: exactly what was quoted, or nothing."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import placing
from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.errors import NotFoundError
from billing.domain.order_shown import asked_json, held_json
from billing.domain.ordering import check_placeable
from billing.domain.orders import Order, OrderState, Quote
from billing.domain.records import Operation
from billing.ports import Book, Catalogs, Reservations
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.pay_with import PayWith
from billing.services.spend_orders import SpendOrders


@dataclass(frozen=True, slots=True)
class OrderRequest(PayWith):
    """One order somebody asked for, and who pays what is due.

    Args:
        operation: Pending; its id derives from the idempotency key.
    """

    quote_id: str
    operation: Operation
    by: By


class PlaceOrder:
    """Places orders, and has their payments collected."""

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        reservations: Reservations,
        spend_orders: SpendOrders,
        collect_recharge: CollectRecharge,
        change_account: ChangeAccount,
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._reservations = reservations
        self._spend_orders = spend_orders
        self._collect_recharge = collect_recharge
        self._change_account = change_account

    def place(self, ref: AccountRef, request: OrderRequest) -> Order:
        """Place one order. What is refused has changed nothing.

        Returns:
            The order: delivered, failed, or waiting for its payment.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation.
            IdConflictError: The key was used for another request.
            NotFoundError: There is no such quote, or no such source.
            OrderInProgressError: Another order waits for its payment.
            QuoteExpiredError: It is too old.
            QuoteStaleError: What it was computed from has changed.
            BookBusyError: Contention, or the account's new period is not billed yet.
            InvalidInputError: Something is due, and nobody is named who pays; a one-off payment is
                not possible in this currency; a mandate does not allow as much.
            InsufficientBalanceError: The wallet does not hold as much, beside what calls in
                progress have set aside.
            NoFundingSourceError: The source cannot be charged.
            RechargeInProgressError: Another payment from the source is open.
            PaymentUnknownError: The gateway did not answer; the order waits.
        """

        def decide(account: Account, now: datetime) -> Change:
            return self._decide(account, request, now)

        operation = (request.operation.operation_id, request.operation.body_hash)
        change = self._change_account(ref, decide, operation)
        assert change is not None
        (order,) = (record for record in change.records if isinstance(record, Order))
        if order.recharge is not None:
            self._collect_recharge.finish(ref, order.recharge)
        placed = self._book.thing(ref, Order, order.order_id)
        assert placed is not None, "what was written is there"
        return placed

    def _decide(self, account: Account, request: OrderRequest, now: datetime) -> Change:
        quote = self._book.thing(account.ref, Quote, request.quote_id)
        if quote is None:
            raise NotFoundError("there is no such quote", field="quote_id")
        placing.require_no_other(account)
        operation = request.operation
        order = Order(
            account=account.ref,
            order_id=placing.order_id(operation.operation_id, now),
            quote=quote,
            state=OrderState.PENDING,
            placed_at=now,
            actor=request.by.actor,
            acceptance=request.by.acceptance,
        )
        ready = self._spend_orders.ready(account, order)
        current = self._catalogs.current().version
        check_placeable(quote, account, ready.subscription, current, now)
        audit = request.by.audit(
            account.ref,
            operation.operation_id,
            "order.placed",
            before=held_json(ready.subscription),
            after=asked_json(order),
            at=now,
        )
        total = quote.sums.total_micros
        if request.is_from_wallet or not total:
            holds = self._reservations.holds(account.ref)
            deliver = ready.deliver(operation.operation_id, now)
            return placing.place_paid(account, order, deliver, holds, operation, audit, now)
        payment = request.payment(total, operation, audit)
        intent = self._collect_recharge.intent(account, payment, now)
        return placing.place_for_payment(account, order, intent, operation, audit, now)
