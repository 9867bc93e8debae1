"""Giving money back: refunds asked for here, and refunds made at the gateway.

A refund is a saga. Its intent takes the money out of the wallet at once, so that nobody can spend
it while the gateway is asked; a refusal puts it back. A refund of the gateway's own is a fact, and
may leave a debt.

Source: docs/refunds.md.
"""

from dataclasses import replace
from datetime import datetime

from billing.domain import given_back
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.collecting_steps import CHECK_AFTER, step
from billing.domain.drafting import Draft
from billing.domain.errors import ExceedsPaymentError, InsufficientBalanceError, InvalidInputError
from billing.domain.ledger import WALLET, EntryKind
from billing.domain.money import Money, minor_units, step_micros
from billing.domain.recharging import OpenRefund, Recharging
from billing.domain.records import (
    AuditRecord,
    Event,
    EventType,
    Operation,
    OperationState,
    Payment,
    Record,
    Refund,
    RefundState,
    ReturnedRefund,
)
from billing.domain.refund_shown import refund_json
from billing.domain.reservations import Holds
from billing.domain.spendable import spendable_micros

PENDING = "refunds:pending"
"""Holds what has left the wallet and is not known to have left the gateway."""

FINAL = (RefundState.SUCCEEDED, RefundState.FAILED)

ELSEWHERE = 0
"""The number of the record that sums what was given back at the gateway."""


def is_same_payment(payment: Payment, recorded: Payment) -> bool:
    """Whether a payment is the one that is recorded, whatever was given back of it since."""
    return (
        payment.account == recorded.account
        and payment.amount_micros == recorded.amount_micros
        and payment.currency == recorded.currency
        and payment.ordinal == recorded.ordinal
    )


def gateway_account(payment: Payment) -> str:
    """The ledger account of the gateway that has the payment's money."""
    return f"gateway:{payment.gateway}"


def intend_refund(
    account: Account,
    payment: Payment,
    amount_micros: int,
    operation: Operation,
    now: datetime,
    audit: AuditRecord | None = None,
    holds: Holds | None = None,
) -> Change:
    """Commit to giving back, before the gateway is asked: the wallet pays at once.

    Args:
        payment: Read after the account.
        amount_micros: What is given back, of the payment's currency.
        operation: Of whoever asked, pending.
        now: Aware UTC.
        audit: Who asked.
        holds: Read after the account; None: nothing is set aside, and no call can be authorised
            meanwhile.

    Raises:
        InvalidInputError: The amount is not positive, or no whole number of minor units.
        ExceedsPaymentError: More than is left of the payment; it says what is.
        InsufficientBalanceError: The tenant has used it up, or calls in progress may; it says what
            can be given back.
    """
    assert payment.account == account.ref, "a payment is given back to whom it was credited"
    if amount_micros <= 0:
        raise InvalidInputError("the amount is positive", field="amount")
    minor_units(amount_micros, payment.currency)
    spendable = spendable_micros(account, holds or Holds(account.ref), now)
    _refuse_too_much(account, payment, amount_micros, spendable)
    number = payment.refunds + 1
    refund = Refund(
        account=account.ref,
        gateway=payment.gateway,
        payment_id=payment.payment_id,
        number=number,
        amount_micros=amount_micros,
        currency=payment.currency,
        state=RefundState.PENDING,
        idempotency_key=(
            f"refund/{account.ref.tenant_id}/{account.ref.account_id}"
            f"/{payment.gateway}/{payment.payment_id}/{number}"
        ),
        started_at=now,
        requested_by=operation.operation_id,
        requested_body=operation.body_hash,
    )
    reduced = replace(
        payment, refunds=number, refunded_micros=payment.refunded_micros + amount_micros
    )
    opened = OpenRefund(payment.gateway, payment.payment_id, number, now + CHECK_AFTER)
    refunds = (*account.recharging.refunds, opened)
    asked = replace(operation, answer=refund_json(refund))
    draft = Draft(account, replace(account.recharging, refunds=refunds), asked, now)
    draft.move(EntryKind.REFUND, WALLET, PENDING, amount_micros)
    return draft.change(
        records=(refund, *_revised(payment, reduced), *((audit,) if audit else ())),
        holds=holds,
    )


def _refuse_too_much(
    account: Account, payment: Payment, amount_micros: int, spendable: int
) -> None:
    left = payment.refundable_micros
    if amount_micros > left:
        rest = Money(left, payment.currency)
        raise ExceedsPaymentError(f"of this payment {rest} can still be given back", field="amount")
    if amount_micros > spendable:
        refundable = min(left, spendable - spendable % step_micros(payment.currency))
        is_used = amount_micros > account.wallet_micros
        why = "the rest was used" if is_used else "calls in progress have set some of it aside"
        raise InsufficientBalanceError(
            f"the wallet holds {account.wallet}, {why}:"
            f" {Money(refundable, payment.currency)} can be given back",
            field="amount",
        )


def settle_refunded(
    account: Account, payment: Payment, refund: Refund, refund_id: str, now: datetime
) -> Change | None:
    """The gateway gives the money back; None: the book says how it ended already.

    Args:
        refund_id: The gateway's own id of it.
    """
    if refund.state in FINAL:
        return None
    settled = replace(
        refund, state=RefundState.SUCCEEDED, refund_id=refund_id, settled_at=now, failure_code=None
    )
    operation = _step(account, refund, "succeeded", now)
    draft = Draft(account, _closed(account.recharging, refund), operation, now)
    draft.move(EntryKind.REFUND, PENDING, gateway_account(payment), refund.amount_micros)
    return draft.change(
        finished=_finished(settled, now),
        records=(settled,),
        events=(_told(operation, EventType.PAYMENT_REFUNDED, settled, now),),
    )


def settle_refused(
    account: Account, payment: Payment, refund: Refund, code: str, now: datetime
) -> Change | None:
    """The gateway definitely does not give it back; None: the book says how it ended already.

    What the gateway's total had been taken to say of this refund was then said of one of its own.

    Args:
        code: Why, in the gateway's words.
    """
    if refund.state in FINAL:
        return None
    settled = replace(refund, state=RefundState.FAILED, failure_code=code, settled_at=now)
    operation = _step(account, refund, "refused", now)
    draft = Draft(account, _closed(account.recharging, refund), operation, now)
    draft.move(EntryKind.REFUND_RETURNED, PENDING, WALLET, refund.amount_micros)
    freed = replace(payment, refunded_micros=payment.refunded_micros - refund.amount_micros)
    records, events = _catch_up(draft, operation, payment, freed, now)
    return draft.change(
        finished=_finished(settled, now),
        records=(settled, *records),
        events=(_told(operation, EventType.PAYMENT_REFUND_FAILED, settled, now), *events),
    )


def leave_refund_unknown(account: Account, refund: Refund, now: datetime) -> Change | None:
    """The gateway did not answer; None: the book says so already, or how it ended."""
    if refund.state is not RefundState.PENDING:
        return None
    left = replace(refund, state=RefundState.UNKNOWN)
    operation = _step(account, refund, "unknown", now)
    draft = Draft(account, account.recharging, operation, now)
    return draft.change(finished=_finished(left, now), records=(left,))


def refunded_elsewhere(
    account: Account,
    payment: Payment,
    total_micros: int,
    now: datetime,
    *,
    told_at: datetime | None = None,
) -> Change | None:
    """The gateway has told how much it has given back of a payment, whoever asked for it.

    What no refund of ours accounts for leaves the wallet, which may fall below zero: it is a fact.
    The total is kept even where it says nothing new yet, because a refund of ours that it seems to
    speak of may still be refused.

    Args:
        total_micros: A running total.
        told_at: When it was so, by the gateway's clock (aware UTC). Without it, a total that fell
            because a refund had come back cannot be told from one that is late.

    Returns:
        The Change; None: it was told before, or has been overtaken.
    """
    noted = given_back.with_total(payment, total_micros, told_at)
    if noted == payment:
        return None
    at = noted.gateway_told_at
    assert at is not None, "a total that is kept has its time"
    name = f"{_path(payment)}/refunded/{total_micros}/{at:%Y%m%dT%H%M%S.%fZ}"
    operation = step(account, name, [total_micros], now)
    draft = Draft(account, account.recharging, operation, now)
    records, events = _catch_up(draft, operation, payment, noted, now)
    return draft.change(records=records, events=events)


def refund_failed(
    account: Account,
    payment: Payment,
    refund: Refund,
    code: str,
    now: datetime,
    *,
    failed_at: datetime | None = None,
) -> Change | None:
    """A refund of ours that the gateway had made came back, whatever we knew of it by then.

    Args:
        refund: Of ours, in any state.
        code: Why, in the gateway's words.
        failed_at: When, by the gateway's clock (aware UTC).

    Returns:
        The Change; None: it has come back already.
    """
    assert refund.number != ELSEWHERE, "what was made at the gateway is known by its own id"
    if any(one.number == refund.number for one in payment.returned):
        return None
    was_refused = refund.state is RefundState.FAILED
    returned = ReturnedRefund(
        refund.number, refund.refund_id or "", refund.amount_micros, failed_at or now
    )
    after = given_back.with_own_returned(payment, returned, was_refused=was_refused)
    ended = replace(refund, state=RefundState.FAILED, failure_code=code, settled_at=now)
    operation = _step(account, refund, "returned", now)
    draft = Draft(account, _closed(account.recharging, refund), operation, now)
    source = gateway_account(payment) if refund.state in FINAL else PENDING
    given = payment.refunded_micros - after.refunded_micros
    draft.move(EntryKind.REFUND_RETURNED, source, WALLET, given)
    records, events = _catch_up(draft, operation, payment, after, now)
    shown = ended
    if was_refused:
        # Its end was told; what is news is that nobody had refunded at the gateway.
        shown = replace(_elsewhere(after, given, now), state=RefundState.FAILED, failure_code=code)
    failed = (_told(operation, EventType.PAYMENT_REFUND_FAILED, shown, now),) if given else ()
    return draft.change(
        # Who was answered that it succeeded is not answered otherwise afterwards.
        finished=_finished(ended, now) if refund.state not in FINAL else None,
        records=records if was_refused else (ended, *records),
        events=(*failed, *events),
    )


def returned_elsewhere(
    account: Account,
    payment: Payment,
    refund_id: str,
    amount_micros: int,
    code: str,
    now: datetime,
    *,
    failed_at: datetime | None = None,
) -> Change | None:
    """A refund made at the gateway, without us, came back; perhaps before its total was told.

    Args:
        refund_id: The gateway's own id of it.

    Returns:
        The Change; None: it has come back already.
    """
    if any(one.number == ELSEWHERE and one.refund_id == refund_id for one in payment.returned):
        return None
    returned = ReturnedRefund(ELSEWHERE, refund_id, amount_micros, failed_at or now)
    after = given_back.with_elsewhere_returned(payment, returned)
    operation = step(account, f"{_path(payment)}/returned/{refund_id}", [amount_micros], now)
    draft = Draft(account, account.recharging, operation, now)
    given = payment.refunded_micros - after.refunded_micros
    draft.move(EntryKind.REFUND_RETURNED, gateway_account(payment), WALLET, given)
    records, events = _catch_up(draft, operation, payment, after, now)
    made = _elsewhere(after, amount_micros, now)
    failed = replace(made, refund_id=refund_id, state=RefundState.FAILED, failure_code=code)
    told = _told(operation, EventType.PAYMENT_REFUND_FAILED, failed, now)
    return draft.change(records=records, events=(told, *events))


def _catch_up(
    draft: Draft, operation: Operation, before: Payment, after: Payment, now: datetime
) -> tuple[tuple[Record, ...], tuple[Event, ...]]:
    """Take what turns out to have been given back at the gateway out of the wallet.

    Args:
        before: The payment as it is recorded.
        after: As the Change leaves it so far.

    Returns:
        The records to write, and who is told.
    """
    current = given_back.caught_up(after)
    gone = current.refunded_micros - after.refunded_micros
    draft.move(EntryKind.REFUND, WALLET, gateway_account(after), gone)
    records: tuple[Record, ...] = _revised(before, current)
    left = given_back.elsewhere_left_micros(current)
    if left != given_back.elsewhere_left_micros(before):
        records = (*records, _elsewhere(current, left, now))
    if not gone:
        return records, ()
    refunded = _elsewhere(current, gone, now)
    return records, (_told(operation, EventType.PAYMENT_REFUNDED, refunded, now),)


def _revised(before: Payment, after: Payment) -> tuple[Payment, ...]:
    """The payment's next revision, where there is anything new to it."""
    return (replace(after, revision=before.revision + 1),) if after != before else ()


def _closed(recharging: Recharging, refund: Refund) -> Recharging:
    name = (refund.gateway, refund.payment_id, refund.number)
    left = (one for one in recharging.refunds if (one.gateway, one.payment_id, one.number) != name)
    return replace(recharging, refunds=tuple(left))


def _elsewhere(payment: Payment, amount_micros: int, now: datetime) -> Refund:
    """What was given back at the gateway; the record of it sums what has stayed so."""
    return Refund(
        account=payment.account,
        gateway=payment.gateway,
        payment_id=payment.payment_id,
        number=ELSEWHERE,
        amount_micros=amount_micros,
        currency=payment.currency,
        state=RefundState.SUCCEEDED if amount_micros else RefundState.FAILED,
        idempotency_key="",
        started_at=payment.gateway_told_at or now,
        settled_at=now,
    )


def _path(payment: Payment | Refund) -> str:
    return f"payment/{payment.gateway}/{payment.payment_id}"


def _step(account: Account, refund: Refund, what: str, now: datetime) -> Operation:
    return step(account, f"{_path(refund)}/refund/{refund.number}/{what}", [], now)


def _finished(refund: Refund, now: datetime) -> Operation | None:
    """The requester's operation with its answer."""
    if refund.requested_by is None or refund.requested_body is None:
        return None
    return Operation(
        operation_id=refund.requested_by,
        body_hash=refund.requested_body,
        account=refund.account,
        state=OperationState(refund.state),
        answer=refund_json(refund),
        recorded_at=now,
    )


def _told(operation: Operation, type_: EventType, refund: Refund, now: datetime) -> Event:
    return Event(
        f"{operation.operation_id}/{type_}", type_, refund.account, now, refund_json(refund)
    )
