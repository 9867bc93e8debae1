"""How the balance stands against what is wanted: the threshold, what comes, how long it lasts.

Source of the rules: docs/recharge.md.
"""

from datetime import UTC, datetime, timedelta

from billing.domain.account import Account
from billing.domain.money import ceil_div
from billing.domain.periods import local_day, start_of_day
from billing.domain.recharging import OpenRecharge, RechargeMode
from billing.domain.spend import Average, average, average_now, burn_per_hour_micros

CYCLE = timedelta(hours=4)
"""How often the sweep looks for recharges that are due, counted from midnight UTC."""

SETTLING = timedelta(minutes=15)
"""What early recharge allows for a payment, from the sweep that begins it to the money."""

LONG = timedelta(days=366)
"""A wallet that lasts longer is not said to run empty at all."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

PAID_BY_BALANCE = (RechargeMode.FIXED, RechargeMode.TARGET, RechargeMode.USAGE)
"""Modes that a low balance fires."""


def next_cycle_at(now: datetime) -> datetime:
    """The first sweep after an instant (aware UTC)."""
    return _EPOCH + ((now - _EPOCH) // CYCLE + 1) * CYCLE


def threshold_micros(account: Account, now: datetime) -> int | None:
    """A balance strictly below it fires; usage-based, the minimum reserve. None: no balance does.

    Usage-based is the average daily spend times the reserve's days, rounded up.
    """
    return _threshold_micros(account, average_now(account, now))


def _threshold_micros(account: Account, spend: Average) -> int | None:
    policy = account.recharging.policy
    if policy.mode is RechargeMode.USAGE:
        return spend.over_micros(policy.reserve_days)
    return policy.threshold_micros if policy.mode in PAID_BY_BALANCE else None


def covered_micros(account: Account, now: datetime) -> int:
    """The balance with what is on its way.

    A payment that waits for its customer counts for nothing, nor does one that pays a bill as it
    comes, and a slow one only where the wallet
    lasts until it comes: a debit that takes a day does not keep a card from helping.
    """
    return _covered_micros(account, now, average_now(account, now))


def _covered_micros(account: Account, at: datetime, spend: Average) -> int:
    opened = (one for one in account.recharging.opened if _is_counted(account, one, at, spend))
    return account.wallet_micros + sum(one.amount_micros for one in opened)


def _is_counted(account: Account, one: OpenRecharge, at: datetime, spend: Average) -> bool:
    if one.is_waiting or one.is_for_bill:
        return False
    if one.expected_at is None:
        return True
    left = max(timedelta(), one.expected_at - at)
    return account.wallet_micros > spend.within_micros(left)


def is_below_threshold(account: Account, now: datetime) -> bool:
    """Whether the balance, with what is on its way, is strictly below the threshold.

    Where the default source is debited only after a notice, what is spent meanwhile counts as
    spent: the notice goes out that much earlier.
    """
    return _is_below(account, now, average_now(account, now))


def is_below_tomorrow(account: Account, now: datetime) -> bool:
    """Whether the next day's turn alone would bring the balance below the threshold.

    Without further use an average can only rise at the next midnight, when today enters it; from
    then on it falls.
    """
    tomorrow = local_day(now, account.time_zone) + timedelta(days=1)
    midnight = start_of_day(tomorrow, account.time_zone)
    return _is_below(account, midnight, average(account, tomorrow))


def _is_below(account: Account, at: datetime, spend: Average) -> bool:
    wanted = _wanted_micros(account, spend)
    return wanted is not None and _covered_micros(account, at, spend) < wanted


def _wanted_micros(account: Account, spend: Average) -> int | None:
    """The threshold, and what is spent between a slow debit's notice and its money."""
    threshold = _threshold_micros(account, spend)
    if threshold is None:
        return None
    return threshold + spend.within_micros(timedelta(hours=account.recharging.notice_hours))


def empties_at(account: Account, now: datetime) -> datetime | None:
    """When the wallet is empty if it burns on as in the last hours; None: not for a long time.

    Payments that are about to come count, slow ones do not.
    """
    burn = burn_per_hour_micros(account, now)
    left = max(0, _soon_micros(account))
    # A full wallet and one short call would give a date beyond the calendar's end.
    if left * 3_600 >= burn * (LONG // _SECOND):
        return None
    return now + timedelta(seconds=left * 3_600 // burn)


def _soon_micros(account: Account) -> int:
    """The balance with the payments that may come at any moment."""
    fast = (
        one.amount_micros
        for one in account.recharging.opened
        if one.expected_at is None and not one.is_waiting and not one.is_for_bill
    )
    return account.wallet_micros + sum(fast)


def is_early(account: Account, now: datetime) -> bool:
    """Whether the wallet would be empty before the next cycle's payment could help it.

    Target mode waits for its threshold all the same: above it there is little to fill up, and every
    call would collect the few cents it has cost.
    """
    policy = account.recharging.policy
    if not policy.is_early:
        return False
    if policy.mode is RechargeMode.TARGET and not is_below_threshold(account, now):
        return False
    empty_at = empties_at(account, now)
    return empty_at is not None and empty_at <= next_cycle_at(now) + SETTLING


def missing_micros(account: Account, now: datetime) -> int:
    """What a payment has to bring, if it is to be the only one for now."""
    line = _wanted_micros(account, average_now(account, now))
    missing = 0 if line is None else line - covered_micros(account, now)
    if not is_early(account, now):
        return missing
    seconds = (next_cycle_at(now) + SETTLING - now) // _SECOND + 1
    burned = ceil_div(burn_per_hour_micros(account, now) * seconds, 3_600)
    return max(missing, burned - _soon_micros(account))
