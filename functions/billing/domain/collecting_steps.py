"""What the steps of collecting share: the operation, the timers, what is on its way, what is told.

Refunds, disputes and funding sources change by such steps, too.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain.account import Account
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.effects import Effect
from billing.domain.periods import local_day
from billing.domain.recharge import TimerChange, level
from billing.domain.recharge_shown import recharge_json
from billing.domain.recharging import Collected, OpenRecharge, Recharging
from billing.domain.records import (
    Event,
    EventType,
    Operation,
    OperationState,
    Recharge,
    RechargeState,
    Record,
    Timer,
    TimerKind,
)
from billing.domain.reservations import Holds

CHECK_AFTER = timedelta(minutes=15)
"""How long an attempt may stay without an outcome before somebody looks after it."""


def step(account: Account, name: str, body: list[Json], now: datetime) -> Operation:
    """The operation of one step; its name derives from what is done."""
    return Operation(
        operation_id=f"{account.ref.account_id}/{name}",
        body_hash=digest(body),
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )


def leveled(before: Account, after: Account, now: datetime) -> TimerChange:
    """Both timers of collecting: what is wanted, and what is on its way and has to be checked."""
    timers = level(after, now)
    check_at = after.recharging.next_check_at
    if check_at == before.recharging.next_check_at:
        return timers
    if check_at is None:
        return replace(timers, timers_cleared=(*timers.timers_cleared, TimerKind.PAYMENT))
    timer = Timer(TimerKind.PAYMENT, after.ref, check_at)
    return replace(timers, timers_set=(*timers.timers_set, timer))


def change_of(
    account: Account,
    recharging: Recharging,
    *,
    operation: Operation,
    now: datetime,
    finished: Operation | None = None,
    records: tuple[Record, ...] = (),
    events: tuple[Event, ...] = (),
) -> Change:
    """What a step leaves behind where no money moves in the book; its timers are levelled.

    Args:
        recharging: As the step leaves it.
        operation: The step's own.
        finished: The pending operation that it answers.
    """
    timers = leveled(account, replace(account, recharging=recharging), now)
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=operation,
        finished=finished,
        records=records,
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=(*events, *timers.events),
    )


def effect_change(
    account: Account,
    effect: Effect,
    *,
    operation: Operation,
    now: datetime,
    finished: Operation | None = None,
    holds: Holds | None = None,
) -> Change:
    """An effect as the Change of its cause; the timers of collecting are levelled on it.

    Args:
        account: As it is before.
        operation: The effect's cause.
        finished: The pending operation that it answers.
        holds: What was set aside, where money is debited by request.
    """
    timers = leveled(account, effect.account, now)
    timed = Effect(
        timers.account,
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=timers.events,
    )
    whole = effect.then(timed)
    return Change(
        before=account,
        after=whole.account.next_version(),
        operation=operation,
        finished=finished,
        entries=whole.entries,
        records=whole.records,
        timers_set=whole.timers_set,
        timers_cleared=whole.timers_cleared,
        events=whole.events,
        holds=holds,
        numbers_claimed=whole.numbers_claimed,
        numbers_freed=whole.numbers_freed,
    )


def newly_open(recharge: Recharge, now: datetime) -> OpenRecharge:
    """A recharge whose last attempt is about to be made, as its account carries it."""
    return OpenRecharge(
        ordinal=recharge.ordinal,
        amount_micros=recharge.amount_micros,
        source_id=recharge.attempt.source_id,
        started_at=recharge.attempt.started_at,
        check_at=now + CHECK_AFTER,
        reason=recharge.reason,
        is_for_bill=recharge.purpose is not None,
    )


def with_open(recharging: Recharging, opened: OpenRecharge) -> Recharging:
    """An open recharge replaced by what it has become."""
    return replace(
        recharging,
        opened=tuple(opened if one.ordinal == opened.ordinal else one for one in recharging.opened),
    )


def with_counted(
    account: Account, recharging: Recharging, amount_micros: int, at: datetime
) -> Recharging:
    """Add to what the month has collected; a month that is over is forgotten.

    Args:
        amount_micros: Negative where a payment has failed.
        at: When the payment was intended, which says whose month it is.
    """
    month = local_day(at, account.time_zone).replace(day=1)
    collected = recharging.collected
    if collected is not None and collected.month > month:
        return recharging
    so_far = collected.amount_micros if collected and collected.month == month else 0
    counted = Collected(month, max(0, so_far + amount_micros))
    return replace(recharging, collected=counted if counted.amount_micros else None)


def finished_operation(account: Account, recharge: Recharge, now: datetime) -> Operation | None:
    """The requester's operation with its answer; None for automatic recharge."""
    if recharge.requested_by is None or recharge.requested_body is None:
        return None
    return Operation(
        operation_id=recharge.requested_by,
        body_hash=recharge.requested_body,
        account=account.ref,
        state=_OPERATION_STATES.get(recharge.state, OperationState.PENDING),
        answer=recharge_json(recharge),
        recorded_at=now,
    )


_OPERATION_STATES = {
    RechargeState.UNKNOWN: OperationState.UNKNOWN,
    RechargeState.SUCCEEDED: OperationState.SUCCEEDED,
    RechargeState.FAILED: OperationState.FAILED,
}


def recharge_events(
    account: Account,
    recharge: Recharge,
    operation: Operation,
    types: tuple[EventType, ...],
    now: datetime,
    recharging: Recharging | None = None,
) -> tuple[Event, ...]:
    """What is told of a recharge, one event of each type.

    Args:
        recharging: After a decline: tells when it is tried again, or why not.
    """
    told = recharge_json(recharge)
    if recharging is not None:
        told["retry_at"] = recharging.retry_at.isoformat() if recharging.retry_at else None
        reason = recharging.suspended_reason
        told["suspended_reason"] = reason.value if reason else None
    return tuple(
        Event(f"{operation.operation_id}/{type_}", type_, account.ref, now, told) for type_ in types
    )
