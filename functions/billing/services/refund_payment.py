"""Refund a payment: intend, ask the gateway, settle. Every step may crash or run twice."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from billing.domain import refunding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.collecting import KEY_KEPT
from billing.domain.errors import (
    ExceedsPaymentError,
    IdConflictError,
    InvalidInputError,
    PaymentUnknownError,
)
from billing.domain.money import minor_units
from billing.domain.records import AuditRecord, Operation, Refund
from billing.ports import (
    AlreadyRecordedError,
    Book,
    Clock,
    Gateway,
    Refunded,
    RefundRefused,
    RefundRequest,
    Reservations,
)
from billing.services.change_account import ChangeAccount


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """One refund somebody asked for.

    Args:
        amount_micros: Positive, a whole number of minor units; None: all that is left.
        operation: Pending; its id derives from the idempotency key.
        audit: Who asked; None for a machine.
    """

    gateway: str
    payment_id: str
    amount_micros: int | None
    operation: Operation
    audit: AuditRecord | None


class RefundPayment:
    """Runs the saga from wherever it stands.

    Args:
        gateways: By name; a payment names its own.
        reservations: What calls in progress may still need of the wallet.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: Mapping[str, Gateway],
        reservations: Reservations,
        clock: Clock,
        change_account: ChangeAccount,
    ) -> None:
        self._book = book
        self._reservations = reservations
        self._gateways = gateways
        self._clock = clock
        self._change_account = change_account

    def refund(self, ref: AccountRef, order: RefundOrder) -> Refund:
        """Give back, at once.

        Returns:
            The refund: succeeded or failed.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation, whose
                state says whether its answer is final.
            IdConflictError: The key was used for another request.
            NotFoundError: The account has no such payment.
            InvalidInputError: The amount is no positive whole number of minor units.
            ExceedsPaymentError: More than is left of the payment.
            InsufficientBalanceError: The tenant has used it up, or calls in progress may.
            PaymentUnknownError: The gateway did not answer; the refund stays open as unknown.
        """

        def decide(account: Account, now: datetime) -> Change:
            # Read after the account: who changed the payment in between moved the account on.
            payment = self._book.payment(ref, order.gateway, order.payment_id)
            amount_micros = order.amount_micros
            if amount_micros is None:
                amount_micros = payment.refundable_micros
                if not amount_micros:
                    raise ExceedsPaymentError("nothing is left of this payment", field="amount")
            return refunding.intend_refund(
                account,
                payment,
                amount_micros,
                order.operation,
                now,
                order.audit,
                self._reservations.holds(ref),
            )

        operation = (order.operation.operation_id, order.operation.body_hash)
        change = self._change_account(ref, decide, operation)
        assert change is not None
        (refund,) = (record for record in change.records if isinstance(record, Refund))
        return self._finish(refund)

    def finish_open(self, ref: AccountRef) -> None:
        """Go on with every refund that is open, whoever asked for it.

        Raises:
            PaymentUnknownError: A gateway did not answer; that refund stays open as unknown.
            BookBusyError: Try later.
        """
        unknown: PaymentUnknownError | None = None
        for one in self._book.account(ref).recharging.refunds:
            refund = self._book.refund(ref, one.gateway, one.payment_id, one.number)
            try:
                self._finish(refund)
            except PaymentUnknownError as error:
                unknown = error
        if unknown is not None:
            raise unknown

    def _finish(self, refund: Refund) -> Refund:
        if refund.state not in refunding.FINAL:
            try:
                outcome = self._ask(refund)
            except PaymentUnknownError:
                self.settle(refund, None)
                raise
            self.settle(refund, outcome)
        return self._book.refund(refund.account, refund.gateway, refund.payment_id, refund.number)

    def _ask(self, refund: Refund) -> Refunded | RefundRefused:
        """Refund under the refund's own key, or, once the gateway may have forgotten it, look."""
        gateway = self._gateways[refund.gateway]
        request = _request(refund)
        if self._clock.now() >= refund.started_at + KEY_KEPT:
            return gateway.find_refund(request) or RefundRefused("never_refunded")
        try:
            return gateway.refund(request)
        except InvalidInputError:
            # The gateway takes no such amount, and was not even asked.
            return RefundRefused("invalid_amount")

    def settle(self, refund: Refund, outcome: Refunded | RefundRefused | None) -> None:
        """Write what the gateway said of a refund, unless somebody else has done so meanwhile.

        Args:
            outcome: None: the gateway did not answer.
        """
        ref, gateway, payment_id = refund.account, refund.gateway, refund.payment_id

        def decide(account: Account, now: datetime) -> Change | None:
            current = self._book.refund(ref, gateway, payment_id, refund.number)
            payment = self._book.payment(ref, gateway, payment_id)
            match outcome:
                case Refunded():
                    return refunding.settle_refunded(
                        account, payment, current, outcome.refund_id, now
                    )
                case RefundRefused():
                    return refunding.settle_refused(account, payment, current, outcome.code, now)
                case None:
                    return refunding.leave_refund_unknown(account, current, now)

        # The same outcome of the same refund: another worker was faster.
        with suppress(AlreadyRecordedError, IdConflictError):
            self._change_account(ref, decide)


def _request(refund: Refund) -> RefundRequest:
    ref = refund.account
    return RefundRequest(
        idempotency_key=refund.idempotency_key,
        payment_id=refund.payment_id,
        amount_minor=minor_units(refund.amount_micros, refund.currency),
        currency=refund.currency,
        metadata={
            "tenant": ref.tenant_id,
            "account": ref.account_id,
            "payment": refund.payment_id,
            "refund": str(refund.number),
        },
        asked_at=refund.started_at,
    )
