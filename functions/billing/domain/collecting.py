"""Collecting a recharge: a saga of Changes — intend, ask the gateway, settle — each repeatable.

The intent is committed before the gateway is asked, under an ordinal that names the payment for
ever; whoever finds it open later goes on from there with the same idempotency key.
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.money import Money
from billing.domain.recharge import (
    close_failed,
    close_succeeded,
    level,
    mark_unknown,
    open_recharge,
)
from billing.domain.records import (
    AuditRecord,
    Event,
    EventType,
    FundingSource,
    Operation,
    OperationState,
    Payment,
    Recharge,
    RechargeState,
)


def intend(
    account: Account,
    *,
    amount_micros: int,
    source: FundingSource,
    now: datetime,
    requested: Operation | None = None,
    audit: AuditRecord | None = None,
) -> Change:
    """Commit to collecting, before anybody is asked for money.

    Args:
        account: None of its recharges is open.
        amount_micros: A positive whole number of minor units.
        source: Who pays.
        now: Aware UTC.
        requested: The pending operation of whoever asked; None for automatic recharge.
        audit: Who asked, where a person did.
    """
    opened = open_recharge(
        account,
        amount_micros=amount_micros,
        source_id=source.source_id,
        now=now,
    )
    ordinal = opened.recharging.ordinal
    operation = requested or Operation(
        operation_id=saga_id(account, ordinal, "intend"),
        body_hash=digest([amount_micros, source.source_id]),
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )
    recharge = Recharge(
        account=account.ref,
        ordinal=ordinal,
        amount_micros=amount_micros,
        currency=account.currency,
        reason="requested" if requested else "automatic",
        source_id=source.source_id,
        gateway=source.gateway,
        state=RechargeState.PENDING,
        started_at=now,
        requested_by=requested.operation_id if requested else None,
        requested_body=requested.body_hash if requested else None,
    )
    timers = level(opened, now)
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=replace(operation, answer=recharge_json(recharge)),
        records=(recharge, audit) if audit else (recharge,),
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
    )


def leave_unknown(account: Account, recharge: Recharge, now: datetime) -> Change | None:
    """The gateway did not answer. The payment stays open, and says so; None: it says so already."""
    assert account.recharging.open is not None
    if account.recharging.open.is_unknown:
        return None
    unknown = replace(recharge, state=RechargeState.UNKNOWN)
    operation_id = saga_id(account, recharge.ordinal, "unknown")
    return Change(
        before=account,
        after=mark_unknown(account).next_version(),
        operation=_step(account, operation_id, [], now),
        finished=_finished(account, unknown, OperationState.UNKNOWN, now),
        records=(unknown,),
        events=(_event(account, unknown, EventType.RECHARGE_UNKNOWN, now),),
    )


def settle_captured(account: Account, recharge: Recharge, payment_id: str, now: datetime) -> Change:
    """The gateway has the money: credit it, once, by the gateway's own payment id.

    That holds whatever the saga thought. A capture that comes to light after its recharge was given
    up is credited all the same; what is open by then is left open.
    """
    settled = replace(
        recharge,
        state=RechargeState.SUCCEEDED,
        payment_id=payment_id,
        failure_code=None,
        settled_at=now,
    )
    operation_id = saga_id(account, recharge.ordinal, "captured")
    closed, entry = post(
        close_succeeded(account) if is_open(account, recharge) else account,
        kind=EntryKind.RECHARGE,
        cause=operation_id,
        debit=f"gateway:{recharge.gateway}",
        credit=WALLET,
        amount_micros=recharge.amount_micros,
        now=now,
    )
    payment = Payment(
        account=account.ref,
        gateway=recharge.gateway,
        payment_id=payment_id,
        amount_micros=recharge.amount_micros,
        currency=recharge.currency,
        ordinal=recharge.ordinal,
        captured_at=now,
    )
    timers = level(closed, now)
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=_step(account, operation_id, [payment_id], now),
        finished=_finished(account, settled, OperationState.SUCCEEDED, now),
        entries=(entry,),
        records=(settled, payment),
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=(_event(account, settled, EventType.RECHARGE_SUCCEEDED, now),),
    )


def settle_declined(account: Account, recharge: Recharge, code: str, now: datetime) -> Change:
    """The gateway definitely did not charge. Nothing moves.

    A decline of an automatic recharge counts towards its suspension; one that a person asked for is
    that person's to see.

    Args:
        account: With this recharge open.
        code: Why, in the gateway's words.
    """
    assert is_open(account, recharge), "only an open recharge can fail"
    settled = replace(recharge, state=RechargeState.FAILED, failure_code=code, settled_at=now)
    is_counted = recharge.requested_by is None
    timers = level(close_failed(account, now, is_counted=is_counted), now)
    events = [_event(account, settled, EventType.RECHARGE_FAILED, now)]
    if timers.account.recharging.suspended_at is not None and (
        account.recharging.suspended_at is None
    ):
        events.append(_event(account, settled, EventType.RECHARGE_SUSPENDED, now))
    operation_id = saga_id(account, recharge.ordinal, "declined")
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=_step(account, operation_id, [code], now),
        finished=_finished(account, settled, OperationState.FAILED, now),
        records=(settled,),
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=tuple(events),
    )


def is_open(account: Account, recharge: Recharge) -> bool:
    """Whether the account still waits for this recharge's outcome."""
    opened = account.recharging.open
    return opened is not None and opened.ordinal == recharge.ordinal


def saga_id(account: Account, ordinal: int, step: str) -> str:
    """The operation of one step of one recharge."""
    return f"{account.ref.account_id}/recharge/{ordinal}/{step}"


def recharge_json(recharge: Recharge) -> dict[str, Json]:
    """A recharge as it is shown, and as its operation's answer is kept."""
    money = Money(recharge.amount_micros, recharge.currency)
    settled = recharge.settled_at
    return {
        "recharge": recharge.ordinal,
        "state": recharge.state,
        "amount": {"amount": money.amount, "currency": money.currency},
        "reason": recharge.reason,
        "source": recharge.source_id,
        "gateway": recharge.gateway,
        "payment_id": recharge.payment_id,
        "failure_code": recharge.failure_code,
        "started_at": recharge.started_at.isoformat(),
        "settled_at": settled.isoformat() if settled else None,
    }


def _step(account: Account, operation_id: str, body: list[Json], now: datetime) -> Operation:
    return Operation(
        operation_id=operation_id,
        body_hash=digest(body),
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )


def _finished(
    account: Account, recharge: Recharge, state: OperationState, now: datetime
) -> Operation | None:
    """The requester's operation with its answer; None for automatic recharge."""
    if recharge.requested_by is None or recharge.requested_body is None:
        return None
    return Operation(
        operation_id=recharge.requested_by,
        body_hash=recharge.requested_body,
        account=account.ref,
        state=state,
        answer=recharge_json(recharge),
        recorded_at=now,
    )


def _event(account: Account, recharge: Recharge, type_: EventType, now: datetime) -> Event:
    return Event(
        event_id=f"{account.ref.account_id}/recharge/{recharge.ordinal}/{type_}",
        type=type_,
        account=account.ref,
        occurred_at=now,
        data=recharge_json(recharge),
    )
