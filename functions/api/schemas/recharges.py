"""Recharges: collected payments that refill the wallet, and what was recorded of asking."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Acceptance, Id, Instant, MoneyIn, MoneyOut, Name, Schema
from billing.domain.canonical import canonical_json
from billing.domain.collecting import recharge_json
from billing.domain.records import Operation, Recharge


class RechargeIn(Schema):
    """One immediate recharge, collected from the default funding source."""

    amount: MoneyIn
    acceptance: Acceptance | None = None


class RechargeOut(Schema):
    recharge: int
    state: Literal["pending", "unknown", "succeeded", "failed"]
    amount: MoneyOut
    reason: Literal["automatic", "requested"]
    source: str
    gateway: str
    payment_id: str | None
    failure_code: str | None
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

    @staticmethod
    def of(operation: Operation) -> "OperationOut":
        answer = operation.answer
        is_recharge = isinstance(answer, dict) and "recharge" in answer
        shown: dict[str, Any] = {"recharge": RechargeOut.recorded(answer)} if is_recharge else {}
        return OperationOut(
            operation=operation.operation_id,
            state=operation.state.value,
            updated_at=operation.recorded_at,
            **shown,
        )


class AutoRechargeIn(Schema):
    """When automatic recharge fires, and what it collects.

    It fires while the balance, with what is on its way, is strictly below ``threshold``. ``fixed``
    collects the smallest whole multiple of ``amount`` that reaches the threshold; ``target`` fills
    up to ``target``. Neither collects more than ``maximum`` at once.
    """

    mode: Literal["off", "fixed", "target"]
    threshold: MoneyIn | None = None
    amount: MoneyIn | None = None
    target: MoneyIn | None = None
    maximum: MoneyIn | None = None
    acceptance: Acceptance | None = None


class AutoRechargeOut(Schema):
    """The settings, and what they would do now; ``next_cycle_by`` is the latest it will act."""

    mode: Literal["off", "fixed", "target"]
    threshold: MoneyOut | None = None
    amount: MoneyOut | None = None
    target: MoneyOut | None = None
    maximum: MoneyOut | None = None
    would_collect: MoneyOut
    is_suspended: bool
    suspended_at: Instant | None
    declines: int
    next_cycle_by: Instant | None


class FundingSourceIn(Schema):
    """The payment gateway's token for a card or mandate. Card numbers are refused."""

    gateway: Literal["sandbox"]
    token: Annotated[str, Field(pattern=r"^tok_[A-Za-z0-9_]{1,128}$")]
    label: Name
    acceptance: Acceptance | None = None


class FundingSourceOut(Schema):
    source: Id
    gateway: str
    label: str
    is_default: bool
    created_at: Instant
