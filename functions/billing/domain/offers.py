"""What of a catalogue can be bought in one currency, and what can be held on under it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from billing.domain.catalog import Catalog, Plan
from billing.domain.selling import Interval, Price, RecurringPrice
from billing.domain.subscription import Subscription, UnitItem

Sold = TypeVar("Sold")


def is_sold(price: Price, currency: str) -> bool:
    """Whether it can be bought in a currency; what has no price can, in any."""
    return not price.amounts or any(one == currency for one, _ in price.amounts)


def sold_in(catalog: Catalog, currency: str) -> Catalog:
    """The catalogue without what is not sold in a currency."""
    return replace(
        catalog,
        plans={
            plan_id: _with_units(plan, currency)
            for plan_id, plan in catalog.plans.items()
            if is_sold(plan.price.month, currency)
        },
        bundles=_sold(catalog.bundles, lambda one: one.price, currency),
        packages=_sold(catalog.packages, lambda one: one.price.month, currency),
        products=_sold(catalog.products, lambda one: one.price, currency),
        number_types={
            type_id: one
            for type_id, one in catalog.number_types.items()
            if is_sold(one.up_front, currency) and is_sold(one.recurring, currency)
        },
    )


def sells_on(catalog: Catalog, subscription: Subscription, currency: str) -> bool:
    """Whether a version sells all that is held on, for its terms and in its currency.

    One that does not cannot say what the next term costs; reductions that are scheduled count as
    done.
    """
    plan = catalog.plans.get(subscription.plan_id)
    if plan is None:
        return False
    units = {unit.kind: unit.price for unit in plan.units}
    packages = {key: package.price for key, package in catalog.packages.items()}
    prices = [
        plan.price,
        *(units.get(item.kind) for item in subscription.units if _is_held_on(item)),
        *(packages.get(item.kind) for item in subscription.packages if _is_held_on(item)),
    ]
    return all(price and _is_sold_for(price, subscription.interval, currency) for price in prices)


def _is_held_on(item: UnitItem) -> bool:
    return bool(item.created if item.next_created is None else item.next_created)


def _is_sold_for(price: RecurringPrice, interval: Interval, currency: str) -> bool:
    is_year = interval is Interval.YEAR and price.year is not None
    return is_sold((price.year if is_year else None) or price.month, currency)


def _sold(
    listed: Mapping[str, Sold], price_of: Callable[[Sold], Price], currency: str
) -> dict[str, Sold]:
    return {key: one for key, one in listed.items() if is_sold(price_of(one), currency)}


def _with_units(plan: Plan, currency: str) -> Plan:
    """A plan that is free names no currencies, and its units may be sold in few."""
    return replace(
        plan, units=tuple(one for one in plan.units if is_sold(one.price.month, currency))
    )
