"""Collecting a recharge: a saga of Changes, each repeatable. Intend, ask the gateway, settle.

Every attempt is committed, with the idempotency key it is made under, before the gateway is asked;
whoever finds it open later goes on from there with the same key. How it ends: ``settling``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Account, AccountRef
from billing.domain.alerts import is_moved_by_time
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting_steps import (
    CHECK_AFTER,
    change_of,
    finished_operation,
    newly_open,
    recharge_events,
    step,
    with_counted,
    with_open,
)
from billing.domain.payments import NextAction, PaymentMethod
from billing.domain.periods import local_day
from billing.domain.recharge import due, level, reason_of
from billing.domain.recharge_amount import amount_to_collect
from billing.domain.recharge_balance import CYCLE
from billing.domain.recharge_calendar import last_calendar_day
from billing.domain.recharge_shown import recharge_json
from billing.domain.recharging import DueReason, RechargeReason, Recharging, SuspendedReason
from billing.domain.records import (
    Attempt,
    AuditRecord,
    Event,
    EventType,
    FundingSource,
    Operation,
    Purpose,
    Recharge,
    RechargeState,
    Record,
)
from billing.domain.sources import Askable, askable

KEY_KEPT = timedelta(hours=23)
"""How long the same idempotency key is safe to repeat: gateways keep it for 24 hours."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment about to be collected.

    Args:
        amount_micros: A positive whole number of minor units.
        sources: Who is asked, in order; empty: the customer pays once, and nothing is saved.
        gateway: Who collects, where no source says so.
        method: How, where no source says so.
    """

    amount_micros: int
    reason: RechargeReason
    sources: tuple[FundingSource, ...]
    gateway: str = ""
    method: PaymentMethod = PaymentMethod.CARD


def automatic(
    account: Account, sources: Mapping[str, FundingSource], now: datetime
) -> Intent | Askable | None:
    """What automatic recharge would collect now, and from whom.

    Returns:
        The intent; None where nothing is due; who can be asked, where that is nobody.
    """
    wanted = due(account, now)
    if wanted is None or not wanted.is_collectable(now):
        return None
    found = askable(
        account,
        sources,
        amount_micros=amount_to_collect(account, now).micros,
        is_urgent=wanted.reason is DueReason.EARLY,
        now=now,
    )
    if not found.sources:
        return found
    reason = reason_of(account.recharging.policy, wanted.reason)
    return Intent(found.amount_micros, reason, found.sources)


def intend(
    account: Account,
    intent: Intent,
    now: datetime,
    *,
    requested: Operation | None = None,
    audit: AuditRecord | None = None,
    purpose: Purpose | None = None,
    records: tuple[Record, ...] = (),
    numbers_claimed: tuple[str, ...] = (),
) -> Change:
    """Commit to collecting, before anybody is asked for money: the recharge, its first attempt.

    Args:
        now: Aware UTC.
        requested: The pending operation of whoever asked; None for automatic recharge.
        audit: Who asked, where a person did.
        purpose: What it pays for; None: it fills the wallet.
        records: Of what it pays for.
        numbers_claimed: Phone numbers that nobody else may have meanwhile.
    """
    ordinal = account.recharging.ordinal + 1
    first = intent.sources[0] if intent.sources else None
    recharge = Recharge(
        account=account.ref,
        ordinal=ordinal,
        amount_micros=intent.amount_micros,
        currency=account.currency,
        reason=intent.reason,
        state=RechargeState.PENDING,
        started_at=now,
        attempts=(new_attempt(account.ref, ordinal, 1, first or intent, now),),
        source_ids=tuple(source.source_id for source in intent.sources[1:]),
        requested_by=requested.operation_id if requested else None,
        requested_body=requested.body_hash if requested else None,
        purpose=purpose,
    )
    operation = requested or step(
        account, f"recharge/{ordinal}/intend", [intent.amount_micros, intent.reason], now
    )
    recharging = replace(
        account.recharging,
        ordinal=ordinal,
        opened=(*account.recharging.opened, newly_open(recharge, now)),
    )
    if recharge.is_automatic:
        recharging = _begun(account, recharging, intent, now)
    change = change_of(
        account,
        recharging,
        operation=replace(operation, answer=recharge_json(recharge)),
        records=(recharge, *((audit,) if audit else ()), *records),
        now=now,
    )
    return replace(change, numbers_claimed=numbers_claimed)


def _begun(account: Account, recharging: Recharging, intent: Intent, now: datetime) -> Recharging:
    """Automatic recharge has begun a payment: it counts in its month, and its day is done."""
    begun = replace(with_counted(account, recharging, intent.amount_micros, now), retry_at=None)
    if intent.reason is not RechargeReason.CALENDAR or recharging.calendar_after is None:
        return begun
    today = local_day(now, account.time_zone)
    done = last_calendar_day(recharging.policy, recharging.calendar_after, today)
    return replace(begun, calendar_after=done)


def new_attempt(
    ref: AccountRef, ordinal: int, number: int, asked: FundingSource | Intent, now: datetime
) -> Attempt:
    """An attempt as it is committed before its gateway is asked; its key says which one it is.

    Args:
        asked: The source; an intent, where the customer pays once.
    """
    return Attempt(
        number=number,
        source_id=asked.source_id if isinstance(asked, FundingSource) else "",
        gateway=asked.gateway,
        method=asked.method,
        idempotency_key=f"recharge/{ref.tenant_id}/{ref.account_id}/{ordinal}/{number}",
        started_at=now,
    )


def leave_open(
    account: Account,
    recharge: Recharge,
    now: datetime,
    *,
    state: RechargeState,
    payment_id: str | None = None,
    expected_at: datetime | None = None,
    next_action: NextAction | None = None,
) -> Change | None:
    """The outcome is not known yet, and why; None: the book says so already.

    Args:
        account: With this recharge open.
        state: Unknown: the gateway did not answer. Processing: it is slow. Action needed: the
            customer has to approve it.
        expected_at: Processing: when it should be known. Action needed: until when it can be done.
    """
    standing = account.recharging.open_recharge(recharge.ordinal)
    assert standing is not None, "only an open recharge is left open"
    attempt = replace(
        recharge.attempt,
        state=state,
        payment_id=payment_id or recharge.attempt.payment_id,
        expected_at=expected_at,
        next_action=next_action,
    )
    is_unknown = state is RechargeState.UNKNOWN
    # A slow payment that is late is asked after once a cycle.
    late = standing.check_at or now + CHECK_AFTER if is_unknown else now + CYCLE
    check_at = expected_at if expected_at and expected_at > now else late
    opened = replace(
        standing,
        is_unknown=is_unknown,
        expected_at=expected_at if state is RechargeState.PROCESSING else None,
        is_waiting=state is RechargeState.ACTION_NEEDED,
        check_at=check_at,
    )
    if opened == standing and attempt == recharge.attempt:
        return None
    left = replace(recharge, state=state, attempts=(*recharge.attempts[:-1], attempt))
    told: tuple[EventType, ...] = (_TOLD[state],) if state is not recharge.state else ()
    operation = step(
        account, f"recharge/{recharge.ordinal}/{attempt.number}/{state}/v{account.version}", [], now
    )
    return change_of(
        account,
        with_open(account.recharging, opened),
        operation=operation,
        finished=finished_operation(account, left, now),
        records=(left,),
        events=recharge_events(account, left, operation, told, now),
        now=now,
    )


_TOLD = {
    RechargeState.UNKNOWN: EventType.RECHARGE_UNKNOWN,
    RechargeState.PROCESSING: EventType.RECHARGE_PROCESSING,
    RechargeState.ACTION_NEEDED: EventType.RECHARGE_ACTION_NEEDED,
}


def suspend_hopeless(account: Account, now: datetime) -> Change:
    """No source can be charged before a person acts: say so, rather than try for ever."""
    recharging = replace(
        account.recharging,
        suspended_at=now,
        suspended_reason=SuspendedReason.NEW_SOURCE_NEEDED,
    )
    operation = step(account, f"recharge/suspended/v{account.version}", [], now)
    type_ = EventType.RECHARGE_SUSPENDED
    data: dict[str, Json] = {"suspended_reason": SuspendedReason.NEW_SOURCE_NEEDED.value}
    event = Event(f"{operation.operation_id}/{type_}", type_, account.ref, now, data)
    return change_of(account, recharging, operation=operation, events=(event,), now=now)


def relevel(account: Account, now: datetime) -> Change | None:
    """Set or clear the recharge timer where time alone has changed what it should say.

    What time has changed of the alerts is a Change as well, though nothing of the recharge moves.
    """
    timers = level(account, now)
    if timers.account == account and not is_moved_by_time(account, now):
        return None
    operation = step(account, f"recharge/leveled/v{account.version}", [], now)
    return change_of(account, account.recharging, operation=operation, now=now)


def is_open(account: Account, recharge: Recharge) -> bool:
    """Whether the account still waits for this recharge's outcome."""
    return account.recharging.open_recharge(recharge.ordinal) is not None
