"""Which funding sources may be asked for an automatic payment, and in which order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Account
from billing.domain.declines import DeclineGroup, is_at_scheme_limit, with_decline
from billing.domain.money import MICROS, step_micros
from billing.domain.payments import PaymentMethod
from billing.domain.periods import local_day
from billing.domain.records import FundingSource, SourceState
from billing.domain.spend import average_now

UPI_LIMIT_MICROS = 15_000 * MICROS
"""The most one UPI debit may be without its customer's approval (RBI, e-mandates: ₹15,000)."""

UPI_NOTICE_HOURS = 36
"""From the request for a UPI debit to its money: 24 hours' notice by law, half a day to settle."""


def is_usable(account: Account, source: FundingSource, now: datetime) -> bool:
    """Whether the source may be charged at all: saved, not blocked, not expired."""
    return (
        source.state is SourceState.ACTIVE
        and source.blocked_code is None
        and not is_expired(account, source, now)
    )


def is_expired(account: Account, source: FundingSource, now: datetime) -> bool:
    """Whether its last valid day is over where the account lives."""
    return source.expires_on is not None and source.expires_on < local_day(now, account.time_zone)


def is_free(account: Account, source: FundingSource, now: datetime) -> bool:
    """Whether it may be asked now: nothing is open from it, and card schemes allow it."""
    return not is_busy(account, source) and not is_at_scheme_limit(source.declined_at, now)


def is_busy(account: Account, source: FundingSource) -> bool:
    """Whether a payment from it is open."""
    return any(one.source_id == source.source_id for one in account.recharging.opened)


def is_somebody_new(asked: tuple[str, ...], before: tuple[str, ...]) -> bool:
    """Whether there is somebody to ask who was not there before, or another who is asked first."""
    return bool(asked) and (asked[:1] != before[:1] or not set(asked) <= set(before))


def limit_micros(source: FundingSource) -> int | None:
    """The most one debit without its customer may be; None: no limit of its own."""
    if source.method is not PaymentMethod.UPI:
        return None
    own = source.limit_micros
    return UPI_LIMIT_MICROS if own is None else min(own, UPI_LIMIT_MICROS)


@dataclass(frozen=True, slots=True)
class Askable:
    """Who may be asked for an automatic payment, and how much.

    Args:
        sources: In the order in which they are asked; empty: nobody can be asked now.
        amount_micros: What is wanted, or what the first source's mandate allows of it.
        is_hopeless: Nobody will be able to be asked before a person acts.
    """

    sources: tuple[FundingSource, ...]
    amount_micros: int
    is_hopeless: bool = False


def askable(
    account: Account,
    sources: Mapping[str, FundingSource],
    *,
    amount_micros: int,
    is_urgent: bool,
    now: datetime,
) -> Askable:
    """Default first, then each backup in order; those that pay at once first, where it is urgent.

    It is urgent where the caller says so, and where the wallet would not last until a slow debit
    comes at the average day's spend. While one slow debit is on its way, another is no help.
    """
    ordered = [sources[name] for name in account.recharging.source_ids if name in sources]
    usable = [source for source in ordered if is_usable(account, source, now)]
    if not usable:
        return Askable((), 0, is_hopeless=True)
    free = [source for source in usable if is_free(account, source, now)]
    if any(one.expected_at for one in account.recharging.opened):
        free = [source for source in free if not source.method.is_slow]
    lasts = average_now(account, now).within_micros(timedelta(hours=UPI_NOTICE_HOURS))
    if is_urgent or account.wallet_micros <= lasts:
        free.sort(key=lambda source: source.method.is_slow)
    if not free:
        # A payment that is open will come to an end; at the card schemes' limits, nothing would be
        # asked for weeks, and nobody told.
        is_limited = all(is_at_scheme_limit(source.declined_at, now) for source in usable)
        return Askable((), 0, is_hopeless=is_limited)
    limit = limit_micros(free[0])
    if limit is not None and limit < amount_micros:
        amount_micros = limit - limit % step_micros(account.currency)
    return Askable(tuple(allowing(free, amount_micros)), amount_micros)


def allowing(sources: Iterable[FundingSource], amount_micros: int) -> list[FundingSource]:
    """Those whose mandate allows a payment of that size."""
    return [
        source
        for source in sources
        if (limit := limit_micros(source)) is None or amount_micros <= limit
    ]


def declined(source: FundingSource, code: str, group: DeclineGroup, now: datetime) -> FundingSource:
    """The source after one more decline, which may block it."""
    counted = replace(source, declined_at=with_decline(source.declined_at, now))
    if not group.blocks_source:
        return counted
    return replace(counted, blocked_code=code, blocked_group=group)


def has_paid(source: FundingSource) -> FundingSource:
    """The source after a capture: whatever had blocked it is over, but for what never may be."""
    if source.blocked_group is None or source.blocked_group is DeclineGroup.NEVER:
        return source
    return replace(source, blocked_code=None, blocked_group=None)
