"""The next step of looking after an account's numbers, one Change at a time.

What time has brought comes first: releases, notices; then renewals, each of a few numbers, until
nothing is left that can be done now. Repeating finds nothing to do.

Source of the rules: docs/numbers.md, "Renewal" and "On hold".
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain import numbers as life
from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.change import Change
from billing.domain.collecting import Intent, intend
from billing.domain.collecting_steps import CHECK_AFTER, effect_change, step
from billing.domain.documents import sums
from billing.domain.dunning import askables
from billing.domain.effects import Effect
from billing.domain.invoicing import billing_timers
from billing.domain.number_changes import (
    Numbers,
    changed,
    held_back,
    let_go,
    paid_for,
    told_of,
)
from billing.domain.number_renewing import MOST_AT_ONCE, NumberRenewal, Renewals, renewals
from billing.domain.numbers import HoldReason, NumberState, PhoneNumber
from billing.domain.recharging import RechargeReason
from billing.domain.records import EventType, FundingSource, Purpose, PurposeKind
from billing.domain.reservations import Holds
from billing.domain.spendable import spendable_micros

BUSY_AFTER: timedelta = CHECK_AFTER
"""When it is looked again where every source has another payment open."""


def next_step(
    account: Account, known: Numbers, plan: Plan, holds: Holds, now: datetime
) -> Change | None:
    """What can be done without asking anybody for money; None: nothing is left.

    Args:
        account: With its period current, and that period billed.
        plan: The subscription's, as it was sold: says how many numbers cost nothing.
        holds: What is set aside for calls; read after the account.
        now: Aware UTC.
    """
    name = f"numbers/{account.period.start_at:%Y%m%dT%H%MZ}/v{account.version}"
    operation = step(account, name, [], now)
    cause = operation.operation_id
    effect = _released(account, known, cause, now) or _noticed(account, known, cause, now)
    if effect is not None:
        return effect_change(account, effect, operation=operation, now=now)
    spendable = spendable_micros(account, holds, now)
    due = renewals(account, known.all, plan, known.catalogs, spendable)
    effect = _renewed(account, known, due, cause, now)
    if effect is None:
        return None
    is_debit = any(entry.wallet_change_micros < 0 for entry in effect.entries)
    return effect_change(
        account, effect, operation=operation, now=now, holds=holds if is_debit else None
    )


def to_collect(
    account: Account, known: Numbers, plan: Plan, holds: Holds, now: datetime
) -> Renewals:
    """What is left of the next renewals: where only ``from_sources`` has any, somebody is asked."""
    return renewals(account, known.all, plan, known.catalogs, spendable_micros(account, holds, now))


def collected(
    account: Account,
    known: Numbers,
    due: Renewals,
    sources: Mapping[str, FundingSource],
    now: datetime,
) -> Change:
    """Begin to collect what the wallet does not hold; where nobody can be asked, put on hold.

    A source that is busy with another payment is none: it is looked again when that may be over.

    Args:
        due: With something to be paid by a source.
    """
    wanted = due.from_sources
    assert wanted, "something is to be collected"
    lines = tuple(cost for _, cost in wanted)
    total = sums(lines).total_micros
    found = askables(account, sources, total, now)
    start = f"{account.period.start_at:%Y%m%dT%H%MZ}"
    operation = step(account, f"numbers/{start}/unpaid/v{account.version}", [], now)
    if found.is_busy:
        effect = changed(account, known, (), now=now, check_at=now + BUSY_AFTER)
        return effect_change(account, effect, operation=operation, now=now)
    if not found.sources:
        unpaid = [one for one, _ in wanted]
        effect = held_back(
            account, known, unpaid, HoldReason.PAYMENT_FAILED, operation.operation_id, now
        )
        return effect_change(account, effect, operation=operation, now=now)
    name = f"{start}/{account.recharging.ordinal + 1}"
    waiting = tuple(replace(one, renewal=name) for one, _ in wanted)
    renewal = NumberRenewal(
        account=account.ref,
        name=name,
        numbers=tuple(one.e164 for one in waiting),
        lines=lines,
        period_end_at=account.period.end_at,
    )
    change = intend(
        account,
        Intent(total, RechargeReason.NUMBERS, found.sources),
        now,
        purpose=Purpose(PurposeKind.NUMBERS, name),
        records=(renewal, *waiting),
    )
    set_, cleared = billing_timers(known.subscription, now)
    return replace(
        change,
        timers_set=(*change.timers_set, *set_),
        timers_cleared=(*change.timers_cleared, *cleared),
    )


def _released(account: Account, known: Numbers, cause: str, now: datetime) -> Effect | None:
    over = [
        one
        for one in known.all
        if one.state is NumberState.ON_HOLD
        and one.release_at
        and one.release_at <= now
        # Whoever pays at the last moment keeps it, however long his bank takes.
        and not one.renewal
    ]
    return let_go(account, known, over[:MOST_AT_ONCE], cause, now) if over else None


def _noticed(account: Account, known: Numbers, cause: str, now: datetime) -> Effect | None:
    due: dict[int, list[PhoneNumber]] = {}
    for one in known.all:
        days = life.notice_days(one, known.rule, account.time_zone, now)
        if days is not None:
            due.setdefault(days, []).append(replace(one, noticed_days=days))
    if not due:
        return None
    days = min(due)
    after = due[days][:MOST_AT_ONCE]
    told = told_of(account, EventType.NUMBER_RELEASE_SCHEDULED, after, cause, now, days=days)
    return changed(account, known, after, now=now, events=[told])


def _renewed(
    account: Account, known: Numbers, due: Renewals, cause: str, now: datetime
) -> Effect | None:
    if due.free:
        until = account.period.end_at
        return changed(account, known, [life.paid(one, until) for one in due.free], now=now)
    if due.leaving:
        return let_go(account, known, due.leaving, cause, now)
    if due.unpaid:
        return held_back(account, known, due.unpaid, HoldReason.AUTO_PAY_OFF, cause, now)
    if due.from_wallet:
        return paid_for(account, known, due.from_wallet, cause, now)
    return None
