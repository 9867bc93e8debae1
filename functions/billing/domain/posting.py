"""Posting: one usage batch of one account becomes one ledger entry and its call records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account, PeriodTotals
from billing.domain.canonical import digest
from billing.domain.change import Change
from billing.domain.errors import CurrencyMismatchError
from billing.domain.grants import LATE_USAGE_GRACE, UsageKey, burn
from billing.domain.ledger import USAGE_REVENUE, WALLET, EntryKind, UsageSubtotals, post
from billing.domain.periods import period_at
from billing.domain.rating import Rated, RateDeck, rate_remaining, rate_usage
from billing.domain.recharge import level
from billing.domain.spend import with_spend
from billing.domain.usage import Call, UsageEvent

MAX_CALLS = 25
"""Calls in one posting. Their keys must fit the one kilobyte that a ledger entry pays for; beyond
25 calls a larger batch saves less than a tenth of a write unit per call (docs/table.md)."""


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """An event and its price. None: nothing was used, so nothing had to be priced."""

    event: UsageEvent
    rated: Rated | None


def rate_event(deck: RateDeck, account: Account, event: UsageEvent) -> RatedUsage:
    """Price one event at one version of a deck, before any grant is burned.

    Raises:
        CurrencyMismatchError: The deck is in another currency than the account.
        DestinationNotRatedError: It has no price for the number.
        DestinationBlockedError: It blocks the number, and has no price for it.
    """
    if event.quantity == 0 or event.answered_at is None:
        return RatedUsage(event, None)
    if deck.currency != account.currency:
        raise CurrencyMismatchError(
            f"deck {deck.deck_id} is in {deck.currency}, the account in {account.currency}"
        )
    rated = rate_usage(
        deck, event.unit, event.direction, event.to_number, event.quantity, event.answered_at
    )
    return RatedUsage(event, rated)


def post_usage(account: Account, usage: Sequence[RatedUsage], now: datetime) -> Change:
    """Charge a batch: grants first, the wallet for the rest.

    Each event burns the grants that were valid when it ended. One that comes in later than the
    grace counts as used now. Usage may drive the wallet negative: the call has happened.

    Args:
        account: Current as of ``now`` (its period is not over).
        usage: 1 to ``MAX_CALLS`` events with distinct keys, none of them recorded.
        now: Aware UTC.

    Returns:
        A Change with one entry, a record per call, and the recharge timer levelled.
    """
    assert 0 < len(usage) <= MAX_CALLS, len(usage)
    assert now < account.period.end_at, "bring the account current first"
    cause = posting_id(usage)
    state = account
    calls: list[Call] = []
    # As of when it is posted: a worker whose clock is behind burns what a correction will find.
    at = max(now, account.head.posted_at)
    for item in usage:
        state, call = charge(state, item, at)
        calls.append(call)
    wallet_micros = sum(call.wallet_micros for call in calls)
    state, entry = post(
        state,
        kind=EntryKind.USAGE,
        cause=cause,
        debit=WALLET,
        credit=USAGE_REVENUE,
        amount_micros=wallet_micros,
        now=now,
        usage=subtotals(calls),
    )
    timers = level(state, entry.posted_at)
    return Change(
        before=account,
        after=timers.account.next_version(),
        entries=(entry,),
        calls=tuple(
            replace(call, sequence=entry.sequence, posted_at=entry.posted_at) for call in calls
        ),
        timers_set=timers.timers_set,
        timers_cleared=timers.timers_cleared,
        events=timers.events,
    )


def posting_id(usage: Sequence[RatedUsage]) -> str:
    """The batch's name: derived from the calls in it."""
    return "usage:" + digest([str(item.event.key) for item in usage])[:24]


def charge(account: Account, item: RatedUsage, now: datetime) -> tuple[Account, Call]:
    """Charge one piece of usage, outside any entry yet: grants first, the wallet for the rest.

    Returns:
        The account with its grants, totals and daily spend, its wallet untouched; and the call.
    """
    event, rated = item.event, item.rated
    billed = rated.billed_quantity if rated else 0
    burned_at = _burned_at(account, event, now)
    key = UsageKey(event.direction, event.to_number)
    burned = burn(account.grants, event.unit, billed, burned_at, key)
    wallet_micros = rate_remaining(rated, burned.granted).wallet_micros if rated else 0
    call = Call(
        event=event,
        account=account.ref,
        fingerprint=event.fingerprint,
        deck_id=rated.deck_id if rated else "",
        deck_version=rated.deck_version if rated else 0,
        prefix=rated.rate.prefix if rated else "",
        billed_quantity=billed,
        granted=burned.parts,
        cost_micros=rated.cost_micros if rated else 0,
        wallet_micros=wallet_micros,
        sequence=account.head.sequence + 1,
        posted_at=now,
    )
    state = replace(
        account,
        grants=burned.grants,
        totals=account.totals.plus(event.unit, billed, burned.granted, wallet_micros),
    )
    return with_spend(state, event.ended_at, wallet_micros, now), call


def _burned_at(account: Account, event: UsageEvent, now: datetime) -> datetime:
    """When the event burns grants: its own end, unless that period is over for good.

    A provider's clock ahead of ours may stamp a call into a period that has not begun, whose grants
    do not exist yet: it counts as used now.
    """
    if event.ended_at >= account.period.end_at:
        return now
    own = period_at(event.ended_at, account.billing_day, account.time_zone)
    return event.ended_at if now < own.end_at + LATE_USAGE_GRACE else now


def subtotals(calls: Sequence[Call]) -> UsageSubtotals:
    """What an entry says of the calls it names."""
    totals = PeriodTotals()
    for call in calls:
        granted = sum(quantity for _, quantity in call.granted)
        totals = totals.plus(call.event.unit, call.billed_quantity, granted, 0)
    return UsageSubtotals(
        calls=tuple(call.event.key for call in calls),
        voice_seconds=totals.voice_seconds,
        granted_voice_seconds=totals.granted_voice_seconds,
        messages=totals.messages,
        granted_messages=totals.granted_messages,
        metered=totals.metered,
    )
