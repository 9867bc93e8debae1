"""Placing an order: paid from the wallet in one Change, or by a payment that delivers as it comes.

Nothing is delivered without its money, and nothing twice: delivering is one Change of the account,
and a payment is credited once. Money that comes when the order can no longer be placed as it was
quoted stays in the wallet.

Source: docs/subscriptions.md, "Orders".
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.domain import collecting
from billing.domain.account import Account
from billing.domain.canonical import digest
from billing.domain.change import Change
from billing.domain.collecting import Intent
from billing.domain.collecting_steps import effect_change
from billing.domain.effects import Effect
from billing.domain.errors import InsufficientBalanceError, OrderInProgressError, TalktimeError
from billing.domain.money import Money
from billing.domain.number_orders import numbers_wanted
from billing.domain.orders import Order, OrderState
from billing.domain.recharging import RechargeReason
from billing.domain.records import AuditRecord, Operation, OperationState, Purpose, PurposeKind
from billing.domain.reservations import Holds
from billing.domain.spendable import spendable_micros

DECLINED = "payment_declined"
"""Why an order failed whose payment did not come."""

ORDER_PREFIX = "ord_"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_DIGITS = 12
_CAUSE_DIGITS = 20

Deliver = Callable[[Account], Effect]
"""Delivers an order on an account whose wallet holds what it costs.

Raises:
    TalktimeError: It can no longer be placed as it was quoted.
"""


def order_id(operation_id: str, now: datetime) -> str:
    """The id of an order: it begins with the time, so that orders sort as they were placed, and
    ends with its cause."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    cause = digest(["order", operation_id])[:_CAUSE_DIGITS]
    return f"{ORDER_PREFIX}{milliseconds:0{_TIME_DIGITS}x}{cause}"


def require_no_other(account: Account) -> None:
    """
    Raises:
        OrderInProgressError: Another order waits for its payment.
    """
    if any(one.reason is RechargeReason.ORDER for one in account.recharging.opened):
        raise OrderInProgressError("another order waits for its payment; wait for its outcome")


def place_paid(
    account: Account,
    order: Order,
    deliver: Deliver,
    holds: Holds,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """Deliver at once: the wallet pays, or nothing is due.

    Args:
        holds: Read after the account.
        operation: Of whoever asked.
        audit: The same.

    Raises:
        InsufficientBalanceError: The wallet does not hold as much, beside what calls in progress
            have set aside; it says what it holds.
        TalktimeError: It can no longer be placed as it was quoted.
    """
    total = order.quote.sums.total_micros
    free = spendable_micros(account, holds, now)
    if total > free:
        raise InsufficientBalanceError(
            f"{Money(total, account.currency)} are due, and the wallet can spend"
            f" {Money(free, account.currency)}",
            field="pay_with",
        )
    delivered = deliver(account)
    answered = replace(operation, state=OperationState.SUCCEEDED, answer={"order": order.order_id})
    return effect_change(
        account,
        replace(delivered, records=(*delivered.records, audit)),
        operation=answered,
        now=now,
        holds=holds if total > 0 else None,
    )


def place_for_payment(
    account: Account,
    order: Order,
    intent: Intent,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """Commit to collecting what the order costs, before anybody is asked; it waits for the money.

    Args:
        intent: Who is asked for how much.
        operation: Of whoever asked, pending.
        audit: The same.
    """
    waiting = replace(order, recharge=account.recharging.ordinal + 1)
    return collecting.intend(
        account,
        replace(intent, reason=RechargeReason.ORDER),
        now,
        requested=operation,
        audit=audit,
        purpose=Purpose(PurposeKind.ORDER, order.order_id),
        records=(waiting,),
        numbers_claimed=numbers_wanted(order.quote),
    )


def paid(account: Account, order: Order, deliver: Deliver, now: datetime) -> Effect:
    """The order's money has come, and is in the wallet: deliver, if that is still what was quoted.

    An order that is delivered or has failed already stays as it is: a second payment of it, or one
    that came to light after it was given up, is the wallet's.
    """
    if order.state is not OrderState.PENDING:
        return Effect(account, is_refused=order.state is OrderState.FAILED)
    try:
        return deliver(account)
    except TalktimeError as error:
        failed = _failed(order, error.code, f"{error.detail} The money is in the wallet.", now)
        freed = numbers_wanted(order.quote)
        return Effect(account, records=(failed,), numbers_freed=freed, is_refused=True)


def unpaid(account: Account, order: Order, now: datetime) -> Effect:
    """Nobody is left to ask for the order's money; its recharge says why."""
    if order.state is not OrderState.PENDING:
        return Effect(account)
    detail = "The payment was declined. Nothing was ordered."
    failed = _failed(order, DECLINED, detail, now)
    return Effect(account, records=(failed,), numbers_freed=numbers_wanted(order.quote))


def _failed(order: Order, code: str, detail: str, now: datetime) -> Order:
    return replace(
        order,
        state=OrderState.FAILED,
        settled_at=now,
        failure_code=code,
        failure_detail=detail,
    )
