"""How automatic recharge stands, in one word and one sentence: the worst first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.account import Account
from billing.domain.recharge_balance import is_below_threshold, next_cycle_at
from billing.domain.recharging import DueReason, RechargeMode, SuspendedReason


class RechargeStanding(StrEnum):
    """In order of what a person should know first."""

    SUSPENDED = "suspended"
    UNKNOWN = "unknown"
    ACTION_NEEDED = "action_needed"
    RETRYING = "retrying"
    LIMITED = "limited"
    PROCESSING = "processing"
    COLLECTING = "collecting"
    SCHEDULED = "scheduled"
    NO_SOURCE = "no_source"
    OFF = "off"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class RechargeStatus:
    """What the billing page says of it.

    Args:
        reason: Why, where the standing has several causes.
        until: When something will happen by itself; None: nothing will, or at any moment.
        message: One sentence for people, with what they can do.
    """

    standing: RechargeStanding
    message: str
    reason: str | None = None
    until: datetime | None = None


_SUSPENDED = {
    SuspendedReason.DECLINED: "Every retry was declined. Pay once, or save the settings again.",
    SuspendedReason.NEW_SOURCE_NEEDED: "No saved card can be charged. Add another one.",
    SuspendedReason.CUSTOMER_ACTION_NEEDED: (
        "The bank wants the card holder to approve payments. Pay once, or add another card."
    ),
}


def recharge_status(account: Account, now: datetime) -> RechargeStatus:
    """How automatic recharge stands at an instant (aware UTC)."""
    found = (_suspended(account), _open(account), _due(account, now), _idle(account))
    worst_first = list(RechargeStanding)
    return min(filter(None, found), key=lambda status: worst_first.index(status.standing))


def _suspended(account: Account) -> RechargeStatus | None:
    recharging = account.recharging
    if recharging.suspended_at is None:
        return None
    reason = recharging.suspended_reason or SuspendedReason.DECLINED
    message = f"Automatic recharge is suspended. {_SUSPENDED[reason]}"
    return RechargeStatus(RechargeStanding.SUSPENDED, message, reason)


def _open(account: Account) -> RechargeStatus | None:
    opened = [one for one in account.recharging.opened if not one.is_for_bill]
    if any(one.is_unknown for one in opened):
        return RechargeStatus(
            RechargeStanding.UNKNOWN,
            "We do not know yet whether a payment went through. Do not pay again: it will be "
            "credited once, or not charged.",
        )
    waiting = [one for one in opened if one.is_waiting]
    if waiting:
        return RechargeStatus(
            RechargeStanding.ACTION_NEEDED,
            "A payment waits for your approval.",
            until=waiting[0].check_at,
        )
    slow = [one.expected_at for one in opened if one.expected_at]
    if slow:
        return RechargeStatus(
            RechargeStanding.PROCESSING, "A bank debit is on its way.", until=min(slow)
        )
    if opened:
        return RechargeStatus(RechargeStanding.COLLECTING, "A payment is being collected.")
    return None


def _due(account: Account, now: datetime) -> RechargeStatus | None:
    recharging = account.recharging
    due_at, reason = recharging.due_at, recharging.due_reason
    if due_at is None or reason is None:
        return None
    # A sweep at the very instant finds it already.
    collected_at = next_cycle_at(max(now, due_at - timedelta.resolution))
    match reason:
        case DueReason.RETRY:
            message = "The last payment was declined. It will be tried again."
            return RechargeStatus(RechargeStanding.RETRYING, message, reason, collected_at)
        case DueReason.MONTHLY_CAP:
            message = "The monthly cap is reached. Raise it, or pay once."
            return RechargeStatus(RechargeStanding.LIMITED, message, reason, due_at)
        case DueReason.NO_HISTORY:
            message = "There is no usage to compute an amount from. Set a minimum, or pay once."
            return RechargeStatus(RechargeStanding.LIMITED, message, reason, due_at)
        case DueReason.EARLY:
            message = "The balance would not last until the next cycle: collecting at once."
            return RechargeStatus(RechargeStanding.SCHEDULED, message, reason, now)
        case _:
            is_low = is_below_threshold(account, now)
            message = "The balance is low. A payment is collected in the next cycle."
            if not is_low:
                message = "A payment will be collected."
            return RechargeStatus(RechargeStanding.SCHEDULED, message, reason, collected_at)


def _idle(account: Account) -> RechargeStatus:
    recharging = account.recharging
    if recharging.policy.mode is RechargeMode.OFF:
        return RechargeStatus(RechargeStanding.OFF, "Automatic recharge is off.")
    if recharging.default_source_id is None:
        return RechargeStatus(RechargeStanding.NO_SOURCE, "Add a card or mandate to collect from.")
    return RechargeStatus(RechargeStanding.OK, "The balance is above what is kept in reserve.")
