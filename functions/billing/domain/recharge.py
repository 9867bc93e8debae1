"""Automatic recharge: when it is due, why, and what is told of it.

The trigger is a level, not an edge: whatever changes an account sets or clears the recharge timer
to agree with the state it leaves behind.

Source of the rules: docs/recharge.md.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.money import Money
from billing.domain.periods import last_of_month, local_day, start_of_day
from billing.domain.recharge_amount import Limit, amount_to_collect
from billing.domain.recharge_balance import is_below_threshold, is_below_tomorrow, is_early
from billing.domain.recharge_calendar import next_calendar_day
from billing.domain.recharging import DueReason, RechargeMode, RechargePolicy, RechargeReason
from billing.domain.records import Event, EventType, Timer, TimerKind

WAITING = (DueReason.TOMORROW, DueReason.MONTHLY_CAP, DueReason.NO_HISTORY)
"""Reasons for a timer that only looks again."""


@dataclass(frozen=True, slots=True)
class Due:
    """When to look again, and why. ``at`` may be past: then the next cycle collects."""

    at: datetime
    reason: DueReason

    def is_collectable(self, now: datetime) -> bool:
        """Whether there is something to collect, rather than something to wait for."""
        return self.at <= now and self.reason not in WAITING


def due(account: Account, now: datetime) -> Due | None:
    """When automatic recharge has something to do, if nothing else happens; None: nothing.

    In order of precedence: off, suspended or without a source, nothing; a wallet about to empty, at
    once; a balance below the threshold, the next cycle; a calendar's day; the next midnight, where
    that alone would bring it below. A failure moves any of them to its retry, and a monthly cap
    that leaves no room to the next month.

    Args:
        now: Aware UTC.
    """
    recharging = account.recharging
    is_off = recharging.policy.mode is RechargeMode.OFF
    is_stopped = recharging.suspended_at is not None or recharging.default_source_id is None
    if is_off or is_stopped:
        return None
    wanted = _put_off(_wanted(account, now), recharging.retry_at)
    if wanted is None or not wanted.is_collectable(now):
        return wanted
    return _if_anything(account, wanted, now)


def _put_off(wanted: Due | None, retry_at: datetime | None) -> Due | None:
    """After a failure nothing is tried before its retry; what a calendar's day missed, then."""
    if wanted is None or retry_at is None:
        return wanted
    is_missed = wanted.reason is DueReason.CALENDAR
    return Due(retry_at, DueReason.RETRY) if is_missed or wanted.at < retry_at else wanted


def _wanted(account: Account, now: datetime) -> Due | None:
    if is_early(account, now) and amount_to_collect(account, now).limited_by is not Limit.TARGET:
        return Due(now, DueReason.EARLY)
    if is_below_threshold(account, now):
        return Due(now, DueReason.LOW)
    today = local_day(now, account.time_zone)
    if account.recharging.policy.mode is RechargeMode.CALENDAR:
        day = next_calendar_day(account.recharging.policy, _calendar_after(account, now))
        return Due(start_of_day(day, account.time_zone), DueReason.CALENDAR)
    if is_below_tomorrow(account, now):
        tomorrow = start_of_day(today + timedelta(days=1), account.time_zone)
        return Due(tomorrow, DueReason.TOMORROW)
    return None


def _if_anything(account: Account, wanted: Due, now: datetime) -> Due | None:
    """Where a limit leaves nothing to collect: when that may change, and why."""
    amount = amount_to_collect(account, now)
    if amount.micros:
        return wanted
    if amount.limited_by is Limit.TARGET:
        # The balance is there already; the next call brings it below.
        return None
    today = local_day(now, account.time_zone)
    if amount.limited_by is Limit.MONTHLY_CAP:
        next_month = last_of_month(today) + timedelta(days=1)
        return Due(start_of_day(next_month, account.time_zone), DueReason.MONTHLY_CAP)
    tomorrow = today + timedelta(days=1)
    return Due(start_of_day(tomorrow, account.time_zone), DueReason.NO_HISTORY)


def _calendar_after(account: Account, now: datetime) -> date:
    return account.recharging.calendar_after or local_day(now, account.time_zone)


def reason_of(policy: RechargePolicy, wanted: DueReason) -> RechargeReason:
    """What a payment is called that is collected for it."""
    if wanted is DueReason.EARLY:
        return RechargeReason.EARLY
    is_calendar = policy.mode is RechargeMode.CALENDAR
    return RechargeReason.CALENDAR if is_calendar else RechargeReason.AUTOMATIC


@dataclass(frozen=True, slots=True)
class TimerChange:
    """What a level trigger asks for: the account with its mark, the timer, and who is told."""

    account: Account
    timers_set: tuple[Timer, ...] = ()
    timers_cleared: tuple[TimerKind, ...] = ()
    events: tuple[Event, ...] = ()


def level(account: Account, now: datetime) -> TimerChange:
    """Set or clear the recharge timer to agree with the state: a level, not an edge.

    It costs a write only when that changes, which the account's own mark tells: a timer that is due
    already stays as it is, unless it has become urgent.

    Args:
        account: As the Change would leave it, before its version rises.
        now: Aware UTC.
    """
    recharging = account.recharging
    wanted = due(account, now)
    if wanted is None:
        if recharging.due_at is None:
            return TimerChange(account)
        cleared = replace(recharging, due_at=None, due_reason=None)
        return TimerChange(
            replace(account, recharging=cleared), timers_cleared=(TimerKind.RECHARGE,)
        )
    if _stands(recharging.due_at, recharging.due_reason, wanted, now):
        return TimerChange(account)
    marked = replace(recharging, due_at=wanted.at, due_reason=wanted.reason)
    return TimerChange(
        replace(account, recharging=marked),
        timers_set=(Timer(TimerKind.RECHARGE, account.ref, wanted.at),),
        events=() if wanted.reason is recharging.due_reason else _told(account, wanted, now),
    )


def _stands(due_at: datetime | None, reason: DueReason | None, wanted: Due, now: datetime) -> bool:
    if wanted.at > now:
        return (due_at, reason) == (wanted.at, wanted.reason)
    is_due_already = due_at is not None and due_at <= now and reason not in WAITING
    is_as_urgent = (wanted.reason is DueReason.EARLY) == (reason is DueReason.EARLY)
    return is_due_already and reason is not None and is_as_urgent


def _told(account: Account, wanted: Due, now: datetime) -> tuple[Event, ...]:
    """A payment is announced, and so is a refusal by a limit. A look ahead is nobody's news."""
    if wanted.reason is DueReason.TOMORROW:
        return ()
    type_ = EventType.RECHARGE_SCHEDULED
    if wanted.reason in WAITING:
        type_ = EventType.RECHARGE_LIMITED
    wallet = Money(account.wallet_micros, account.currency)
    data: dict[str, Json] = {
        "reason": wanted.reason.value,
        "due_at": wanted.at.isoformat(),
        "at_once": wanted.reason is DueReason.EARLY,
        "balance": {"amount": wallet.amount, "currency": wallet.currency},
    }
    # The version names the Change that says so, and no other.
    event_id = f"{account.ref.account_id}/v{account.version + 1}/{type_}"
    return (Event(event_id, type_, account.ref, now, data),)
