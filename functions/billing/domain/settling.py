"""Settling a recharge: its gateway has the money, or has definitely not charged.

What is credited already is not credited again, and a capture counts whatever the saga thought of
its attempt. Another source is asked only after a definite decline, and that decline and the next
attempt are one Change.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.collecting import is_open, new_attempt
from billing.domain.collecting_steps import (
    effect_change,
    finished_operation,
    newly_open,
    recharge_events,
    step,
    with_counted,
    with_open,
)
from billing.domain.declines import NEVER_CHARGED, DeclineGroup, retry_at
from billing.domain.effects import Effect, Spend
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.recharging import DueReason, RechargeReason, Recharging, SuspendedReason
from billing.domain.records import (
    EventType,
    FundingSource,
    OperationState,
    Payment,
    Recharge,
    RechargeState,
    Record,
)
from billing.domain.sources import declined, has_paid, is_free, is_usable


def settle_captured(
    account: Account,
    recharge: Recharge,
    number: int,
    payment_id: str,
    now: datetime,
    source: FundingSource | None = None,
    spend: Spend | None = None,
) -> Change | None:
    """The gateway has the money: credit it, once, by the gateway's own payment id.

    That holds whatever the saga thought. A capture that comes to light after its attempt was given
    up is credited all the same, even beside another of the same recharge: the gateway has both.

    Args:
        number: Which attempt was captured.
        source: Who paid; what had blocked it is over.
        spend: What the money is for; done in the same Change, with the money in the wallet.

    Returns:
        The Change, or None where this payment is credited already.
    """
    attempt = recharge.attempts[number - 1]
    if attempt.state is RechargeState.SUCCEEDED and attempt.payment_id == payment_id:
        return None
    paid = replace(attempt, state=RechargeState.SUCCEEDED, payment_id=payment_id, failure_code=None)
    attempts = (*recharge.attempts[: number - 1], paid, *recharge.attempts[number:])
    is_the_open_one = is_open(account, recharge) and number == recharge.attempt.number
    is_closed = is_the_open_one or not is_open(account, recharge)
    # The money has come: nobody else is asked for it.
    settled = replace(recharge, attempts=attempts, source_ids=())
    if is_closed:
        settled = replace(settled, state=RechargeState.SUCCEEDED, settled_at=now)
    recharging = account.recharging.resumed()
    if is_the_open_one:
        recharging = _closed(recharging, recharge.ordinal)
    elif recharge.is_automatic:
        # It comes on top of what the month has counted.
        recharging = with_counted(account, recharging, recharge.amount_micros, now)
    operation = step(
        account,
        f"payment/{attempt.gateway}/{payment_id}",
        [recharge.ordinal, recharge.amount_micros],
        now,
    )
    credited, entry = post(
        replace(account, recharging=recharging),
        kind=EntryKind.RECHARGE,
        cause=operation.operation_id,
        debit=f"gateway:{attempt.gateway}",
        credit=WALLET,
        amount_micros=recharge.amount_micros,
        now=now,
    )
    payment = Payment(
        account=account.ref,
        gateway=attempt.gateway,
        payment_id=payment_id,
        amount_micros=recharge.amount_micros,
        currency=recharge.currency,
        ordinal=recharge.ordinal,
        captured_at=now,
        source_id=attempt.source_id,
        credited_by=operation.operation_id,
    )
    freed = has_paid(source) if source else None
    told = recharge_events(account, settled, operation, (EventType.RECHARGE_SUCCEEDED,), now)
    came = Effect(
        credited,
        entries=(entry,),
        records=(settled, payment, freed) if freed and freed != source else (settled, payment),
        events=told,
    )
    effect = came.then(spend(credited)) if spend else came
    finished = finished_operation(account, settled, now) if is_closed else None
    if finished is not None and effect.is_refused:
        finished = replace(finished, state=OperationState.FAILED)
    return effect_change(account, effect, operation=operation, finished=finished, now=now)


def settle_declined(
    account: Account,
    recharge: Recharge,
    code: str,
    group: DeclineGroup,
    sources: Mapping[str, FundingSource],
    now: datetime,
    given_up: Spend | None = None,
) -> Change:
    """The gateway definitely did not charge. The next source is asked, or the recharge has failed.

    Nothing moves. A failed automatic recharge is tried again after a growing gap; after the last,
    or where no source can be charged before a person acts, automatic recharge is suspended. One
    that a person asked for is that person's to see.

    Args:
        account: With this recharge open.
        code: Why the last attempt was declined, in the gateway's words.
        sources: All of the account's, by id.
        given_up: What becomes of what it was for, once nobody is left to ask.
    """
    assert is_open(account, recharge), "only an open recharge can be declined"
    number = recharge.attempt.number
    refused = replace(
        recharge.attempt, state=RechargeState.FAILED, failure_code=code, failure_group=group
    )
    asked = sources.get(refused.source_id)
    now_known = dict(sources)
    records: list[Record] = []
    if asked is not None and code != NEVER_CHARGED:
        now_known[asked.source_id] = declined(asked, code, group, now)
        records.append(now_known[asked.source_id])
    operation = step(account, f"recharge/{recharge.ordinal}/{number}/declined", [code], now)
    so_far = replace(recharge, attempts=(*recharge.attempts[:-1], refused))
    following, left = _next_source(account, so_far, now_known, now)
    if following is not None:
        attempt = new_attempt(account.ref, recharge.ordinal, number + 1, following, now)
        after = replace(
            so_far,
            state=RechargeState.PENDING,
            attempts=(*so_far.attempts, attempt),
            source_ids=left,
        )
        recharging = with_open(account.recharging, newly_open(after, now))
        types: list[EventType] = []
    elif any(one.state is RechargeState.SUCCEEDED for one in so_far.attempts):
        # An attempt that had been given up was captured after all: nothing has failed.
        after = replace(so_far, state=RechargeState.SUCCEEDED, settled_at=now)
        recharging = _closed(account.recharging, recharge.ordinal)
        types = []
        if recharge.is_automatic:
            recharging = _taken_back(account, recharging, recharge)
    else:
        after = replace(so_far, state=RechargeState.FAILED, settled_at=now, source_ids=())
        recharging = _closed(account.recharging, recharge.ordinal)
        types = [EventType.RECHARGE_FAILED]
        if recharge.is_automatic:
            recharging = _failed(account, recharging, after, now_known, now)
    if asked is not None and group.blocks_source:
        types.append(EventType.FUNDING_SOURCE_BLOCKED)
    if recharging.suspended_at is not None and account.recharging.suspended_at is None:
        types.append(EventType.RECHARGE_SUSPENDED)
    went = Effect(
        replace(account, recharging=recharging),
        records=(after, *records),
        events=recharge_events(account, after, operation, tuple(types), now, recharging),
    )
    is_given_up = given_up is not None and after.state is RechargeState.FAILED
    effect = went.then(given_up(went.account)) if given_up and is_given_up else went
    finished = finished_operation(account, after, now)
    return effect_change(account, effect, operation=operation, finished=finished, now=now)


def _next_source(
    account: Account, recharge: Recharge, sources: Mapping[str, FundingSource], now: datetime
) -> tuple[FundingSource | None, tuple[str, ...]]:
    """The next of those who may still be asked, and who is left after it."""
    for place, source_id in enumerate(recharge.source_ids, 1):
        source = sources.get(source_id)
        if source and is_usable(account, source, now) and is_free(account, source, now):
            return source, recharge.source_ids[place:]
    return None, ()


def _failed(
    account: Account,
    recharging: Recharging,
    recharge: Recharge,
    sources: Mapping[str, FundingSource],
    now: datetime,
) -> Recharging:
    """Try again after a gap; or wait for a person, and say what for."""
    back = _taken_back(account, recharging, recharge)
    if all(attempt.failure_code == NEVER_CHARGED for attempt in recharge.attempts):
        # The gateway was out of reach for a day. That is nobody's decline: the next cycle tries,
        # and what a calendar's day has missed is due until then.
        is_missed = recharge.reason is RechargeReason.CALENDAR
        return replace(back, retry_at=now) if is_missed else back
    failures = recharging.declines + 1
    failed = replace(back, declines=failures)
    known = [sources[name] for name in recharging.source_ids if name in sources]
    if not any(is_usable(account, source, now) for source in known):
        groups = {source.blocked_group for source in known}
        reason = SuspendedReason.NEW_SOURCE_NEEDED
        if DeclineGroup.CUSTOMER_ACTION in groups:
            reason = SuspendedReason.CUSTOMER_ACTION_NEEDED
        return replace(failed, suspended_at=now, suspended_reason=reason)
    again_at = retry_at(failures, now)
    if again_at is None:
        return replace(failed, suspended_at=now, suspended_reason=SuspendedReason.DECLINED)
    return replace(failed, retry_at=again_at)


def _taken_back(account: Account, recharging: Recharging, recharge: Recharge) -> Recharging:
    """What its month had counted of a payment that did not come."""
    return with_counted(account, recharging, -recharge.amount_micros, recharge.started_at)


def _closed(recharging: Recharging, ordinal: int) -> Recharging:
    """One payment less on its way. What was urgent has to be said again, if it still is: the worker
    that was called may have found every source busy."""
    is_urgent = recharging.due_reason is DueReason.EARLY
    return replace(
        recharging,
        opened=tuple(one for one in recharging.opened if one.ordinal != ordinal),
        due_reason=None if is_urgent else recharging.due_reason,
    )
