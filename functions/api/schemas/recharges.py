"""Recharges: collected payments that refill the wallet, and what was recorded of asking."""

from typing import Any, Literal

from api.schemas.base import Acceptance, Id, Instant, MoneyIn, MoneyOut, Schema
from api.schemas.orders import OrderOut
from api.schemas.refunds import RefundOut
from billing.domain.canonical import canonical_json
from billing.domain.orders import Order
from billing.domain.recharge_shown import recharge_json
from billing.domain.records import Operation, Recharge


class PayWith(Schema):
    """Who pays: a saved ``source``; or ``upi``, once, approved in an app, with nothing saved."""

    source: Id | None = None
    method: Literal["upi"] | None = None


class RechargeIn(Schema):
    """One immediate recharge: from the default funding source and then its backups, unless
    ``pay_with`` says otherwise."""

    amount: MoneyIn
    pay_with: PayWith | None = None
    acceptance: Acceptance | None = None


State = Literal["pending", "processing", "action_needed", "unknown", "succeeded", "failed"]


class NextActionOut(Schema):
    """What the customer has to do: open the link, or scan the code."""

    type: Literal["upi", "redirect"]
    url: str
    qr: str | None


class AttemptOut(Schema):
    """One source that was asked, and what it said; ``source`` is null where none is saved."""

    source: str | None
    gateway: str
    state: State
    payment_id: str | None
    failure_code: str | None
    failure_group: str | None
    started_at: Instant


class RechargeOut(Schema):
    """One recharge. What its last attempt says stands beside the attempts.

    One that is for an ``order`` or an ``invoice`` is spent on it as it comes.
    """

    recharge: int
    state: State
    amount: MoneyOut
    reason: Literal["automatic", "early", "calendar", "requested", "order", "invoice", "numbers"]
    order: str | None = None
    invoice: int | None = None
    source: str | None
    gateway: str
    method: Literal["card", "upi"]
    payment_id: str | None
    failure_code: str | None
    expected_at: Instant | None
    next_action: NextActionOut | None
    next_action_expires_at: Instant | None
    attempts: list[AttemptOut]
    started_at: Instant
    settled_at: Instant | None

    @staticmethod
    def of(recharge: Recharge) -> "RechargeOut":
        return RechargeOut.recorded(recharge_json(recharge))

    @staticmethod
    def recorded(answer: Any) -> "RechargeOut":
        """As it was kept with the operation: a replay is rendered from the same record."""
        return RechargeOut.model_validate_json(canonical_json(answer))


class OperationOut(Schema):
    """Where a request stands whose outcome was not known at once."""

    operation: str
    state: Literal["pending", "unknown", "succeeded", "failed"]
    updated_at: Instant
    recharge: RechargeOut | None = None
    refund: RefundOut | None = None
    order: OrderOut | None = None

    @staticmethod
    def of(operation: Operation, order: Order | None = None) -> "OperationOut":
        """
        Args:
            order: What it placed, where it did.
        """
        answer = operation.answer
        shown: dict[str, Any] = {"order": OrderOut.of(order)} if order else {}
        if isinstance(answer, dict) and "recharge" in answer:
            shown |= {"recharge": RechargeOut.recorded(answer)}
        elif isinstance(answer, dict) and "refund" in answer:
            shown |= {"refund": RefundOut.recorded(answer)}
        return OperationOut(
            operation=operation.operation_id,
            state=operation.state.value,
            updated_at=operation.recorded_at,
            **shown,
        )
