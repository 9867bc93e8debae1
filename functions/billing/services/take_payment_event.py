"""Do what a gateway's event says of a captured payment: refunds, disputes, and how both ended."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from billing.domain import disputing, refunding
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.errors import (
    NotFoundError,
    PaymentMismatchError,
    PaymentNotCreditedError,
)
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.gateway_metadata import named_account, named_number
from billing.domain.money import minor_unit_micros
from billing.domain.records import Dispute, FundingSource, Payment, Refund
from billing.ports import AlreadyRecordedError, Book, Refunded
from billing.services.change_account import ChangeAccount
from billing.services.refund_payment import RefundPayment

Decide = Callable[[Account, Payment, datetime], Change | None]


class TakePaymentEvent:
    """Takes one event of a payment; taking it again changes nothing."""

    def __init__(
        self, *, book: Book, change_account: ChangeAccount, refund_payment: RefundPayment
    ) -> None:
        self._book = book
        self._change_account = change_account
        self._refund_payment = refund_payment

    def take(self, gateway: str, event: GatewayEvent) -> bool:
        """Whether the payment is ours.

        Whose it is, the book says: what its gateway has captured is credited by the gateway's own
        id. A payment that only its metadata calls ours will be.

        Raises:
            PaymentNotCreditedError: It is ours, and not in the book yet.
            PaymentMismatchError: It was paid in another currency.
            BookBusyError: Try later.
        """
        ref = self._book.payment_account(gateway, event.payment_id)
        if ref is None:
            self._require_strange(event)
            return False
        payment = self._book.payment(ref, gateway, event.payment_id)
        if event.currency != payment.currency:
            raise PaymentMismatchError(
                f"{ref}, payment {payment.payment_id}: the gateway tells of {event.currency}, the"
                f" book of {payment.currency}"
            )
        match event.kind:
            case GatewayEventKind.REFUNDED:
                self._refunded(payment, event)
            case GatewayEventKind.REFUND_FAILED:
                self._refund_failed(payment, event)
            case _:
                self._disputed(payment, event)
        return True

    def _require_strange(self, event: GatewayEvent) -> None:
        """
        Raises:
            PaymentNotCreditedError: The metadata names an account of ours.
        """
        ref = named_account(event.metadata)
        if ref is None:
            return
        try:
            self._book.account(ref)
        except NotFoundError:
            return
        raise PaymentNotCreditedError(f"{ref}: payment {event.payment_id} is not credited yet")

    def _refunded(self, payment: Payment, event: GatewayEvent) -> None:
        """One of ours by its number, and whatever else the running total says."""
        refund = self._own_refund(payment, event)
        if refund is not None:
            self._refund_payment.settle(refund, Refunded(event.reference))
        total_minor = event.refunded_total_minor
        if total_minor is not None:
            total_micros = total_minor * minor_unit_micros(payment.currency)
            self._change(
                payment,
                lambda account, current, now: refunding.refunded_elsewhere(
                    account, current, total_micros, now, told_at=event.occurred_at
                ),
            )

    def _refund_failed(self, payment: Payment, event: GatewayEvent) -> None:
        refund = self._own_refund(payment, event)
        amount_micros = _micros(event)

        def decide(account: Account, current: Payment, now: datetime) -> Change | None:
            if refund is None:
                return refunding.returned_elsewhere(
                    account,
                    current,
                    event.reference,
                    amount_micros,
                    event.code,
                    now,
                    failed_at=event.occurred_at,
                )
            standing = self._refund(refund)
            return refunding.refund_failed(
                account, current, standing, event.code, now, failed_at=event.occurred_at
            )

        self._change(payment, decide)

    def _own_refund(self, payment: Payment, event: GatewayEvent) -> Refund | None:
        """The refund of ours that the metadata names; None: it was made at the gateway."""
        number = named_number(event.metadata, "refund")
        if number is None or event.metadata.get("payment") != payment.payment_id:
            return None
        refunds = self._book.refunds(payment.account, payment.gateway, payment.payment_id)
        return next((refund for refund in refunds if refund.number == number), None)

    def _disputed(self, payment: Payment, event: GatewayEvent) -> None:
        """Opened in any case: its end may be heard of first, and says what it was about."""
        amount_micros = _micros(event)
        self._change(
            payment,
            lambda account, current, now: disputing.open_dispute(
                account,
                current,
                event.reference,
                amount_micros,
                event.code,
                now,
                self._payer(current),
            ),
        )
        if event.kind is not GatewayEventKind.DISPUTED:
            is_won = event.kind is GatewayEventKind.DISPUTE_WON
            self._change(
                payment,
                lambda account, current, now: disputing.close_dispute(
                    account, current, self._dispute(current, event.reference), now, is_won=is_won
                ),
            )

    def _payer(self, payment: Payment) -> FundingSource | None:
        if not payment.source_id:
            return None
        return self._book.funding_source(payment.account, payment.source_id)

    def _dispute(self, payment: Payment, dispute_id: str) -> Dispute:
        found = self._book.dispute(payment.account, payment.gateway, dispute_id)
        assert found is not None, "it was opened before"
        return found

    def _refund(self, refund: Refund) -> Refund:
        return self._book.refund(refund.account, refund.gateway, refund.payment_id, refund.number)

    def _change(self, payment: Payment, decide: Decide) -> None:
        """Decide on the payment as it stands: whoever changed it in between moved the account."""

        def decide_current(account: Account, now: datetime) -> Change | None:
            current = self._book.payment(account.ref, payment.gateway, payment.payment_id)
            return decide(account, current, now)

        # The same event, delivered to another worker as well.
        with suppress(AlreadyRecordedError):
            self._change_account(payment.account, decide_current)


def _micros(event: GatewayEvent) -> int:
    return event.amount_minor * minor_unit_micros(event.currency)
