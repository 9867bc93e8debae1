"""Disputes: a card holder takes a payment back through the bank, and the bank decides later.

While it is open, and when it is lost, the money is gone; a dispute that is won brings it back. It
is a fact, so the wallet may fall below zero: no new call starts then, and running ones go on.

Source: docs/refunds.md, "Disputes".
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting_steps import step
from billing.domain.declines import DeclineGroup
from billing.domain.drafting import Draft
from billing.domain.errors import InvalidInputError
from billing.domain.ledger import WALLET, EntryKind
from billing.domain.records import (
    Dispute,
    DisputeState,
    Event,
    EventType,
    FundingSource,
    Operation,
    Payment,
    SourceState,
)
from billing.domain.refund_shown import dispute_json
from billing.domain.refunding import gateway_account
from billing.domain.source_shown import told_json

BLOCKED_CODE = "disputed"
"""Why automatic recharge leaves a source alone whose payment was disputed."""


def dispute_account(payment: Payment) -> str:
    """Holds what banks have taken back and not decided on yet."""
    return f"disputes:{payment.gateway}"


def open_dispute(
    account: Account,
    payment: Payment,
    dispute_id: str,
    amount_micros: int,
    code: str,
    now: datetime,
    source: FundingSource | None = None,
) -> Change | None:
    """A payment is disputed: what is disputed leaves the wallet.

    A dispute that is heard of by its end alone is opened first, and then closed.

    Args:
        payment: Read after the account.
        amount_micros: What is disputed; of a payment that was given back in part, perhaps less.
        code: Why, in the gateway's words.
        source: Who had paid. Automatic recharge never asks it again: every further payment would
            be a further dispute.

    Returns:
        The Change; None: it was opened before.

    Raises:
        InvalidInputError: The amount is not positive.
    """
    assert payment.account == account.ref, "a dispute is its payment's account's"
    if dispute_id in payment.disputes:
        return None
    if amount_micros <= 0:
        raise InvalidInputError("a dispute is about a positive amount", field="amount")
    dispute = Dispute(
        account=account.ref,
        gateway=payment.gateway,
        payment_id=payment.payment_id,
        dispute_id=dispute_id,
        amount_micros=amount_micros,
        currency=payment.currency,
        state=DisputeState.OPEN,
        code=code,
        opened_at=now,
    )
    disputed = replace(
        payment,
        disputed_micros=payment.disputed_micros + amount_micros,
        disputes=(*payment.disputes, dispute_id),
        revision=payment.revision + 1,
    )
    operation = _step(account, dispute, "opened", [amount_micros], now)
    draft = Draft(account, account.recharging, operation, now)
    draft.move(EntryKind.DISPUTE, WALLET, dispute_account(payment), amount_micros)
    events: tuple[Event, ...] = (_told(operation, EventType.PAYMENT_DISPUTED, dispute, now),)
    blocked = _blocked(source)
    if blocked is None:
        return draft.change(records=(dispute, disputed), events=events)
    type_ = EventType.FUNDING_SOURCE_BLOCKED
    data: dict[str, Json] = {**told_json(account, blocked), "failure_code": BLOCKED_CODE}
    told = Event(f"{operation.operation_id}/{type_}", type_, account.ref, now, data)
    return draft.change(records=(dispute, disputed, blocked), events=(*events, told))


def close_dispute(
    account: Account, payment: Payment, dispute: Dispute, now: datetime, *, is_won: bool
) -> Change | None:
    """The bank has decided: for us, and the money is back; or for the customer, and it is gone.

    Args:
        payment: Read after the account.
        dispute: As it is recorded.

    Returns:
        The Change; None: it was decided before.
    """
    if dispute.state is not DisputeState.OPEN:
        return None
    state = DisputeState.WON if is_won else DisputeState.LOST
    closed = replace(dispute, state=state, closed_at=now)
    operation = _step(account, dispute, "closed", [is_won], now)
    draft = Draft(account, account.recharging, operation, now)
    events = (_told(operation, EventType.PAYMENT_DISPUTE_CLOSED, closed, now),)
    amount_micros = dispute.amount_micros
    if not is_won:
        held, gone = dispute_account(payment), gateway_account(payment)
        draft.move(EntryKind.DISPUTE, held, gone, amount_micros)
        return draft.change(records=(closed,), events=events)
    draft.move(EntryKind.DISPUTE_RETURNED, dispute_account(payment), WALLET, amount_micros)
    freed = replace(
        payment,
        disputed_micros=payment.disputed_micros - amount_micros,
        revision=payment.revision + 1,
    )
    return draft.change(records=(closed, freed), events=events)


def _blocked(source: FundingSource | None) -> FundingSource | None:
    """The source as it is blocked from now on; None: nobody can ask it any more, or it is."""
    if source is None or source.state is SourceState.REMOVED:
        return None
    if source.blocked_code == BLOCKED_CODE:
        return None
    return replace(source, blocked_code=BLOCKED_CODE, blocked_group=DeclineGroup.NEVER)


def _step(
    account: Account, dispute: Dispute, what: str, body: list[Json], now: datetime
) -> Operation:
    return step(account, f"dispute/{dispute.gateway}/{dispute.dispute_id}/{what}", body, now)


def _told(operation: Operation, type_: EventType, dispute: Dispute, now: datetime) -> Event:
    return Event(
        f"{operation.operation_id}/{type_}", type_, dispute.account, now, dispute_json(dispute)
    )
