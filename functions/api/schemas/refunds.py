"""Payments, what was given back of them, and what their holders have taken back."""

from typing import Any, Literal

from api.schemas.base import Id, Instant, MoneyIn, MoneyOut, Name, Query, Schema
from billing.domain.canonical import canonical_json
from billing.domain.records import Dispute, Payment, Refund
from billing.domain.refund_shown import dispute_json, refund_json


class PaymentQuery(Query):
    """``gateway`` is needed only where two of them call a payment the same."""

    gateway: Id | None = None


class RefundIn(Schema):
    """One refund: of all that is left of the payment, unless ``amount`` says less.

    ``reason`` is for the audit.
    """

    amount: MoneyIn | None = None
    reason: Name | None = None
    gateway: Id | None = None


class RefundOut(Schema):
    """One refund; number 0 sums what was given back at the gateway itself, and has stayed so."""

    refund: int
    payment: str
    gateway: str
    state: Literal["pending", "unknown", "succeeded", "failed"]
    amount: MoneyOut
    refund_id: str | None
    failure_code: str | None
    started_at: Instant
    settled_at: Instant | None

    @staticmethod
    def of(refund: Refund) -> "RefundOut":
        return RefundOut.recorded(refund_json(refund))

    @staticmethod
    def recorded(answer: Any) -> "RefundOut":
        """As it was kept with the operation: a replay is rendered from the same record."""
        return RefundOut.model_validate_json(canonical_json(answer))


class DisputeOut(Schema):
    """A payment that its holder takes back through the bank; ``code`` is the gateway's reason."""

    dispute: str
    payment: str
    gateway: str
    state: Literal["open", "won", "lost"]
    amount: MoneyOut
    code: str
    opened_at: Instant
    closed_at: Instant | None

    @staticmethod
    def of(dispute: Dispute) -> "DisputeOut":
        return DisputeOut.model_validate_json(canonical_json(dispute_json(dispute)))


class PaymentOut(Schema):
    """A captured payment.

    ``refunded`` counts refunds on their way too, ``disputed`` what open and lost disputes have
    taken back; ``refundable`` is what is left. The wallet may hold less.
    """

    payment: str
    gateway: str
    recharge: int
    source: str | None
    amount: MoneyOut
    refunded: MoneyOut
    disputed: MoneyOut
    refundable: MoneyOut
    captured_at: Instant
    refunds: list[RefundOut]
    disputes: list[DisputeOut]

    @staticmethod
    def of(payment: Payment, refunds: list[Refund], disputes: list[Dispute]) -> "PaymentOut":
        currency = payment.currency
        return PaymentOut(
            payment=payment.payment_id,
            gateway=payment.gateway,
            recharge=payment.ordinal,
            source=payment.source_id or None,
            amount=MoneyOut.of(payment.amount_micros, currency),
            refunded=MoneyOut.of(payment.refunded_micros, currency),
            disputed=MoneyOut.of(payment.disputed_micros, currency),
            refundable=MoneyOut.of(payment.refundable_micros, currency),
            captured_at=payment.captured_at,
            refunds=[RefundOut.of(refund) for refund in refunds],
            disputes=[DisputeOut.of(dispute) for dispute in disputes],
        )
