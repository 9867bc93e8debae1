"""Billing a period: one invoice for what a term renews and for what has been put on it.

A bill is named by the period it is for, so billing twice changes nothing, and periods that nobody
billed in time are billed in their order, each as it would have been.

Source of the rules: docs/billing.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account, PlanTerms
from billing.domain.canonical import digest
from billing.domain.catalog_versions import CatalogVersion, Versions, plan_of
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import DocumentNumbers, Line, sums, tax_micros
from billing.domain.effects import Effect
from billing.domain.holdings import held_terms, with_terms
from billing.domain.invoicing import billing_timers, raised
from billing.domain.ordering import subscription_changed
from billing.domain.periods import Period, local_day, period_at
from billing.domain.proration import full_term, prorated_micros
from billing.domain.records import Operation, OperationState
from billing.domain.renewing import begun, next_term, renewal_lines, with_next_plan
from billing.domain.subscription import Subscription, first_subscription


@dataclass(frozen=True, slots=True)
class Begun:
    """A period that has begun, as its bill finds it.

    Args:
        subscription: On the term that the period belongs to, with scheduled changes done.
        sold: The version it goes on under.
        renewal: What the term is billed, where it begins with the period.
        has_changed: Something that was scheduled has been done.
    """

    period: Period
    subscription: Subscription
    sold: CatalogVersion
    renewal: tuple[Line, ...] = ()
    has_changed: bool = False


def period_to_bill(account: Account, subscription: Subscription) -> Period | None:
    """The first period that has begun and that no invoice pays for; None: all are billed.

    Args:
        account: With its period current.
    """
    start_at = subscription.billed_until
    if start_at > account.period.start_at:
        return None
    # Only an account's first period begins within one of the calendar's.
    period = period_at(start_at, account.billing_day, account.time_zone)
    return replace(period, start_at=start_at)


def bill_id(account: Account, period: Period) -> str:
    """The operation that bills a period."""
    return f"{account.ref.account_id}/bill/{period.start_at:%Y%m%dT%H%MZ}"


def begin(
    account: Account, subscription: Subscription, versions: Versions, period: Period
) -> Begun:
    """What a period begins with: where the term has turned, the next one, and what it costs.

    Args:
        versions: As of the subscription's term.
        period: From ``period_to_bill``.
    """
    if period.start_at >= subscription.term.end_at:
        coming = next_term(account, subscription, versions)
        has_changed = _asked_for(coming.subscription) != _asked_for(subscription)
        lines = coming.lines(account)
        return Begun(period, coming.subscription, coming.sold, lines, has_changed)
    sold = versions.sold
    if period.start_at > subscription.term.start_at:
        return Begun(period, subscription, sold)
    plan = plan_of(sold.catalog, subscription.plan_id)
    first = replace(
        begun(account, subscription, plan, sold, subscription.interval, subscription.term),
        next_plan=subscription.next_plan,
    )
    lines = renewal_lines(account, first, plan, sold.catalog, first.term)
    return Begun(period, first, sold, _for_its_days(account, lines, first.term))


def bill(
    account: Account,
    begun: Begun,
    numbers: DocumentNumbers,
    following: Versions,
    now: datetime,
) -> Change:
    """Bill the period: an invoice of what its term renews and of what is pending, if there is any.

    The account holds from then on what the subscription says. The roll has seen to that already
    where it was known in time; where it was not, it is made up for in the period that runs.

    Args:
        account: With its period current.
        following: As of the term that the period belongs to.
        now: Aware UTC. It dates the invoice; the period decides everything else.
    """
    operation = _operation(account, bill_id(account, begun.period), now)
    subscription = replace(
        begun.subscription.revised(), billed_until=begun.period.end_at, pending=()
    )
    lines = (*begun.renewal, *begun.subscription.pending)
    if sums(lines).total_micros < 0:
        # More is given back than there is to pay: the rest waits for the next invoice.
        lines, subscription = (
            begun.renewal,
            replace(subscription, pending=begun.subscription.pending),
        )
    held = account
    if begun.period.end_at == account.period.end_at:
        held = _holding(account, subscription, begun, following)
    starts_on = local_day(begun.period.start_at, account.time_zone)
    effect = Effect(held, records=(subscription,))
    if lines:
        made = raised(
            held, subscription, numbers, lines, operation.operation_id, now, period=starts_on
        )
        effect = effect.then(made)
    else:
        set_, cleared = billing_timers(subscription, now)
        effect = replace(effect, timers_set=set_, timers_cleared=cleared)
    if begun.has_changed:
        told = subscription_changed(subscription, "", operation.operation_id, now)
        effect = replace(effect, events=(*effect.events, told))
    return effect_change(account, effect, operation=operation, now=now)


def subscribed(account: Account, now: datetime) -> Change:
    """Write the subscription of an account that was opened before there were any: what it holds
    counts as billed for the period it is in."""
    subscription = first_subscription(account)
    set_, cleared = billing_timers(subscription, now)
    effect = Effect(account, records=(subscription,), timers_set=set_, timers_cleared=cleared)
    return effect_change(account, effect, operation=step(account, "subscribed", [], now), now=now)


def _asked_for(subscription: Subscription) -> tuple[object, ...]:
    """What people have chosen, and may have scheduled to change."""
    units = tuple((one.kind, one.created) for one in subscription.units if one.created)
    packages = tuple((one.kind, one.created) for one in subscription.packages)
    return (subscription.plan_id, subscription.interval, units, packages)


def _holding(
    account: Account, subscription: Subscription, begun: Begun, following: Versions
) -> Account:
    """The account on the subscription's terms, and on those of the term that follows once the
    period is the last of its own."""
    terms = held_terms(begun.sold, subscription.plan_id, subscription.packages)
    held = account
    if terms != account.plan:
        held = with_terms(_rolled_over(account, terms), terms, account.period.start_at)
    return with_next_plan(held, subscription, following)


def _rolled_over(account: Account, terms: PlanTerms) -> Account:
    """The account with no more carried into its period than the terms that hold in it carry.

    Where they carry as much as was carried by, nothing is too much: a correction may have given
    something back since.
    """
    carried_by, limits = _limits(account.plan), _limits(terms)
    lots = []
    for lot in account.grants:
        name = lot.recurring_id or ""
        limit = limits.get(name, 0)
        is_carried = lot.rolled_over and lot.expires_at == account.period.end_at
        if is_carried and limit < carried_by.get(name, 0):
            if not limit:
                lot = replace(lot, expires_at=account.period.start_at)
            elif lot.remaining > limit:
                # What was used before the turn is in its total, and says nothing of what was
                # carried.
                lot = replace(lot, total=lot.total - lot.remaining + limit, remaining=limit)
        lots.append(lot)
    return replace(account, grants=tuple(lots))


def _limits(terms: PlanTerms) -> dict[str, int]:
    return {one.recurring_id: one.rollover_limit for one in terms.recurring_grants}


def _for_its_days(account: Account, lines: tuple[Line, ...], term: Period) -> tuple[Line, ...]:
    """Prices are for whole terms; the first one is paid for from the day the account was opened."""
    whole = full_term(term, account.billing_day, account.time_zone)
    prorated = []
    for one in lines:
        # Unit by unit, as a change of the plan credits them.
        amount_micros = one.quantity * prorated_micros(
            one.unit_price_micros, whole, term.start_at, account.time_zone, account.currency
        )
        tax = tax_micros(amount_micros, one.tax_millionths, account.currency)
        if amount_micros:
            prorated.append(replace(one, amount_micros=amount_micros, tax_micros=tax))
    return tuple(prorated)


def _operation(account: Account, operation_id: str, now: datetime) -> Operation:
    return Operation(
        operation_id=operation_id,
        body_hash=digest(operation_id),
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )
