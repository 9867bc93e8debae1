"""Units: how many there are, how many are paid for, and how many there will be.

What is paid for in a term stays available until the term ends, whether it is used or not.

Source: docs/subscriptions.md, "Units".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from billing.domain.catalog import Plan
from billing.domain.selling import LicenceKind
from billing.domain.subscription import Subscription, UnitCommitment


@dataclass(frozen=True, slots=True)
class UnitCounts:
    """Units of one licence kind, at an instant.

    Args:
        created: What exists, activated or not: held by members, or bought by number.
        included: Paid for by the plan's fee.
        contracted: Billed even where fewer exist.
        additional: Available beyond what is included and contracted.
        free: Available, and not in use.
        quantity: Available in this term.
        next_quantity: Available in the next one, as things stand.
    """

    kind: str
    created: int
    included: int
    contracted: int
    additional: int
    free: int
    quantity: int
    next_quantity: int


def counts(
    subscription: Subscription,
    kind: str,
    plan: Plan,
    day: date,
    *,
    used: int | None = None,
    renews_on: date | None = None,
) -> UnitCounts:
    """Live counts of one kind.

    Args:
        plan: The subscription's, as it was sold.
        day: Today, local.
        used: Units in use, where that is not how many were created: assigned, or out on lease.
        renews_on: The first day of the next term; None: today.
    """
    created = subscription.unit(kind).created
    quantity = available(subscription, kind, plan)
    floor = contracted(subscription, kind, plan, day)
    included = _included(kind, plan)
    return UnitCounts(
        kind=kind,
        created=created,
        included=included,
        contracted=floor,
        additional=max(0, quantity - max(included, floor)),
        free=max(0, quantity - (created if used is None else used)),
        quantity=quantity,
        next_quantity=max(included, renewal_quantity(subscription, kind, plan, renews_on or day)),
    )


def contracted(subscription: Subscription, kind: str, plan: Plan, day: date) -> int:
    """The least that is billed: by the contract in force that day, else by the catalogue."""
    contract = subscription.contract
    if contract is not None and contract.is_in_force(day):
        for one, minimum in contract.minimums:
            if one == kind:
                return minimum
    return _minimum(kind, plan)


def available(subscription: Subscription, kind: str, plan: Plan) -> int:
    """Units that may be used in this term: paid for, or included in the plan.

    Before the first bill, what the plan asks for at least counts as paid, as its fee does.
    """
    at_least = _minimum(kind, plan) if subscription.contract is None else 0
    return max(subscription.unit(kind).quantity, _included(kind, plan), at_least)


def billed(subscription: Subscription, kind: str, plan: Plan) -> int:
    """Units of this term that are paid for beside the plan's fee."""
    return available(subscription, kind, plan) - _included(kind, plan)


def is_held(subscription: Subscription, day: date) -> bool:
    """Whether a contract keeps what was added from being reduced, on the day it would be."""
    contract = subscription.contract
    return (
        contract is not None
        and contract.unit_commitment is UnitCommitment.CONTRACT
        and contract.is_in_force(day)
    )


def renewal_quantity(subscription: Subscription, kind: str, plan: Plan, day: date) -> int:
    """Units that are billed for, or included in, a term that begins on a day.

    As many as were created, after what is to be reduced; never below what is contracted; under a
    contract that holds added units, never below what there is.
    """
    item = subscription.unit(kind)
    created = item.created if item.next_created is None else item.next_created
    kept = available(subscription, kind, plan) if is_held(subscription, day) else 0
    return max(created, kept, contracted(subscription, kind, plan, day))


def with_created(
    subscription: Subscription, kind: str, plan: Plan, change: int
) -> tuple[Subscription, int]:
    """Members of a kind that is counted by them join, or leave.

    Args:
        change: How many more; negative: fewer.

    Returns:
        The subscription, and how many units had to be added: they are charged from today to the
        term's end. None are where a paid or included one is free.
    """
    item = subscription.unit(kind)
    created = item.created + change
    assert created >= 0, "nobody leaves who was not there"
    before = available(subscription, kind, plan)
    added = max(0, created - before) if change > 0 else 0
    quantity = before + added if added else item.quantity
    changed = replace(item, created=created, quantity=quantity)
    return subscription.with_unit(changed).revised(), added


def settled(subscription: Subscription, plan: Plan) -> Subscription:
    """The same with what is available written down, so that another minimum changes nothing before
    the next term: to be done before a contract begins, changes or ends."""
    for unit in plan.units:
        item = subscription.unit(unit.kind)
        quantity = available(subscription, unit.kind, plan)
        if quantity > unit.included:
            subscription = subscription.with_unit(replace(item, quantity=quantity))
    return subscription


def turned(
    subscription: Subscription, plan: Plan, licences: Mapping[str, LicenceKind], day: date
) -> Subscription:
    """The subscription with its units as they are when a term begins on a day.

    Args:
        plan: What is held from then on. Of kinds that it does not sell, none are left but those
            that members hold, which count for nothing.
    """
    units = []
    for item in subscription.units:
        kind = licences.get(item.kind)
        is_sold = plan.unit(item.kind) is not None
        is_by_members = kind is not None and kind.is_counted_by_members
        created = item.created
        if item.next_created is not None and not is_held(subscription, day):
            created = item.next_created
        if not is_sold and not is_by_members:
            created = 0
        quantity = renewal_quantity(subscription, item.kind, plan, day) if is_sold else 0
        units.append(replace(item, created=created, quantity=quantity, next_created=None))
    for unit in plan.units:
        if all(one.kind != unit.kind for one in units):
            quantity = renewal_quantity(subscription, unit.kind, plan, day)
            units.append(replace(subscription.unit(unit.kind), quantity=quantity))
    for one in units:
        subscription = subscription.with_unit(one)
    return subscription


def _included(kind: str, plan: Plan) -> int:
    terms = plan.unit(kind)
    return terms.included if terms else 0


def _minimum(kind: str, plan: Plan) -> int:
    terms = plan.unit(kind)
    return terms.minimum if terms else 0
