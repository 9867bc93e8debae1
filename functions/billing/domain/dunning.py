"""Dunning: who is asked for an open invoice, when again, and what becomes of who does not pay.

The first failure makes the account past due, and is told; it is tried again on the days that the
catalogue names. Once no try is left and the days are over, outbound calls are suspended. Inbound
calls, and calls that are going on, never are.

Source of the rules: docs/billing.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from billing.domain.account import Account, Standing
from billing.domain.change import Change
from billing.domain.collecting import Intent, intend
from billing.domain.collecting_steps import CHECK_AFTER, effect_change, step
from billing.domain.documents import Invoice
from billing.domain.effects import Effect
from billing.domain.invoicing import billing_timers, invoice_event, standing_event
from billing.domain.periods import zone
from billing.domain.recharging import RechargeReason
from billing.domain.records import EventType, FundingSource, Purpose, PurposeKind
from billing.domain.selling import DunningRule
from billing.domain.sources import allowing, is_busy, is_free, is_somebody_new, is_usable
from billing.domain.subscription import Dunning, OpenInvoice, Subscription

BUSY_AFTER = CHECK_AFTER
"""When it is looked again where every source has another payment open."""

NO_SOURCE = "no_funding_source"
"""Why an invoice is past due that nobody could be asked for."""


def to_collect(account: Account, subscription: Subscription, now: datetime) -> OpenInvoice | None:
    """The oldest open invoice, if it is to be collected now; None: nothing is to be done yet.

    One payment at a time is on its way for invoices, so that nothing is collected twice. Somebody
    new who can be asked, or another who is asked first, need not wait for a day of dunning.
    """
    if not subscription.open_invoices or is_on_its_way(account):
        return None
    dunning = subscription.dunning
    tries = [subscription.collect_at, dunning.next_try_at if dunning else None]
    is_due = any(at is not None and at <= now for at in tries)
    is_new = dunning is not None and is_somebody_new(account.recharging.source_ids, dunning.sources)
    return subscription.open_invoices[0] if is_due or is_new else None


def is_on_its_way(account: Account) -> bool:
    """Whether a payment of an invoice is open, other than one that waits for its customer."""
    return any(
        one.is_for_bill and one.reason is RechargeReason.INVOICE and not one.is_waiting
        for one in account.recharging.opened
    )


@dataclass(frozen=True, slots=True)
class Askables:
    """Who can be asked for an invoice now.

    Args:
        sources: In their order; empty: nobody.
        is_busy: Somebody could be asked, once another payment has come to its end.
    """

    sources: tuple[FundingSource, ...]
    is_busy: bool = False


def askables(
    account: Account,
    sources: Mapping[str, FundingSource],
    amount_micros: int,
    now: datetime,
) -> Askables:
    """The default, then the backups: whoever may be charged that much, and has nothing open."""
    known = [sources[name] for name in account.recharging.source_ids if name in sources]
    usable = [one for one in known if is_usable(account, one, now)]
    allowed = allowing(usable, amount_micros)
    free = tuple(one for one in allowed if is_free(account, one, now))
    return Askables(free, not free and any(is_busy(account, one) for one in allowed))


def collected(
    account: Account,
    subscription: Subscription,
    invoice: Invoice,
    sources: Mapping[str, FundingSource],
    rule: DunningRule,
    now: datetime,
) -> Change:
    """Begin to collect an open invoice; where nobody can be asked, that is a failure.

    A source that is busy with another payment is none: it is looked again when that may be over.
    """
    amount_micros = invoice.sums.total_micros
    found = askables(account, sources, amount_micros, now)
    if found.sources:
        asked = replace(subscription, collect_at=None)
        if asked.dunning is not None:
            dunning = replace(
                asked.dunning, next_try_at=None, sources=account.recharging.source_ids
            )
            asked = replace(asked, dunning=dunning)
        change = intend(
            account,
            Intent(amount_micros, RechargeReason.INVOICE, found.sources),
            now,
            purpose=Purpose(PurposeKind.INVOICE, str(invoice.number)),
            records=(asked,),
        )
        set_, cleared = billing_timers(asked, now)
        return replace(
            change,
            timers_set=(*change.timers_set, *set_),
            timers_cleared=(*change.timers_cleared, *cleared),
        )
    name = f"invoice/{invoice.number}/uncollectable/v{account.version}"
    operation = step(account, name, [], now)
    if found.is_busy:
        effect = put_off(account, subscription, now + BUSY_AFTER, now)
    else:
        effect = failed(
            account, subscription, invoice, rule, now, cause=operation.operation_id, why=NO_SOURCE
        )
    return effect_change(account, effect, operation=operation, now=now)


def failed(
    account: Account,
    subscription: Subscription,
    invoice: Invoice,
    rule: DunningRule,
    now: datetime,
    *,
    cause: str,
    why: str,
) -> Effect:
    """An open invoice could not be collected: it is past due, and tried again on the next day that
    the rule names.

    Args:
        rule: Of the catalogue that the subscription is under.
        cause: The operation that found out.
        why: A code, for whoever is told.
    """
    standing = subscription.dunning
    first_at = standing.first_failed_at if standing else now
    tries = (_days_after(account, first_at, days) for days in rule.retry_days)
    dunning = Dunning(
        first_failed_at=first_at,
        failures=(standing.failures if standing else 0) + 1,
        next_try_at=min((at for at in tries if at > now), default=None),
        suspend_at=(
            standing.suspend_at
            if standing
            else _days_after(account, first_at, rule.suspend_after_days)
        ),
        sources=account.recharging.source_ids,
    )
    known = next(one for one in subscription.open_invoices if one.number == invoice.number)
    after = replace(
        subscription,
        open_invoices=tuple(
            replace(one, is_past_due=True) if one.number == invoice.number else one
            for one in subscription.open_invoices
        ),
        collect_at=None,
        dunning=dunning,
    )
    is_first = account.standing is Standing.GOOD
    set_, cleared = billing_timers(after, now)
    told = invoice_event(
        invoice,
        EventType.INVOICE_PAST_DUE,
        now,
        cause=cause,
        more={
            "reason": why,
            "next_try_at": dunning.next_try_at.isoformat() if dunning.next_try_at else None,
            "on_hold_at": dunning.suspend_at.isoformat() if dunning.suspend_at else None,
        },
    )
    return Effect(
        replace(account, standing=Standing.PAST_DUE) if is_first else account,
        records=(after,),
        timers_set=set_,
        timers_cleared=cleared,
        events=() if known.is_past_due else (told,),
    )


def suspended(account: Account, subscription: Subscription, now: datetime) -> Change | None:
    """Suspend outbound calls, where no try is left and the days are over; None: not now."""
    dunning = subscription.dunning
    if dunning is None or dunning.suspend_at is None or dunning.suspend_at > now:
        return None
    is_tried = dunning.next_try_at is not None or subscription.collect_at is not None
    if is_tried or is_on_its_way(account):
        return None
    after = replace(subscription, dunning=replace(dunning, suspend_at=None))
    operation = step(account, f"on-hold/v{account.version}", [], now)
    set_, cleared = billing_timers(after, now)
    effect = Effect(
        replace(account, standing=Standing.SUSPENDED),
        records=(after,),
        timers_set=set_,
        timers_cleared=cleared,
        events=(standing_event(account, EventType.ACCOUNT_ON_HOLD, operation.operation_id, now),),
    )
    return effect_change(account, effect, operation=operation, now=now)


def put_off(account: Account, subscription: Subscription, until: datetime, now: datetime) -> Effect:
    """Nobody could be asked, and nobody has declined: it is tried again later."""
    dunning = subscription.dunning
    after = replace(
        subscription,
        collect_at=until,
        dunning=replace(dunning, next_try_at=None, sources=account.recharging.source_ids)
        if dunning
        else None,
    )
    set_, cleared = billing_timers(after, now)
    return Effect(account, records=(after,), timers_set=set_, timers_cleared=cleared)


def _days_after(account: Account, at: datetime, days: int) -> datetime:
    """So many local days later, at the same time of day."""
    return (at.astimezone(zone(account.time_zone)) + timedelta(days=days)).astimezone(UTC)
