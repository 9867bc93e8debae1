"""Which licences and plans can be sold from: the part of a catalogue whose prices hang together."""

from collections.abc import Sequence

from billing.domain.catalog import Catalog, Plan
from billing.domain.catalog_checks import Faults
from billing.domain.currencies import MINOR_UNITS
from billing.domain.grants import RecurringGrant
from billing.domain.selling import (
    Interval,
    LicenceKind,
    LicenceMode,
    OnInvite,
    Price,
    RecurringPrice,
    UnitTerms,
)

MAX_UNITS = 100_000


def check_licences(licences: Sequence[LicenceKind], faults: Faults) -> None:
    """A pool does not grow with members, and what is named is assigned in any case."""
    faults.ids("licences", "licence", (one.kind for one in licences))
    for index, one in enumerate(licences):
        faults.name(one.name, f"licences/{index}/name")
        is_named = one.mode is LicenceMode.NAMED
        faults.require(
            is_named or one.on_invite is OnInvite.NOTHING,
            f"licences/{index}/on_invite",
            "is nothing, where nobody holds one by name",
        )
        faults.require(
            not (is_named and one.needs_assignment),
            f"licences/{index}/needs_assignment",
            "is for a pool: a named licence is always assigned",
        )


def check_plans(plans: Sequence[Plan], catalog: Catalog, faults: Faults) -> None:
    """Plans, and their units: each kind once, and sold to whoever can buy the plan."""
    faults.require(bool(plans), "plans", "has at least one plan")
    faults.ids("plans", "plan", (plan.plan_id for plan in plans))
    for index, plan in enumerate(plans):
        owner = f"plans/{index}"
        faults.name(plan.name, f"{owner}/name")
        faults.recurring(plan.price, catalog.tax_rates, owner)
        check_grants(plan.recurring_grants, owner, faults)
        most = MAX_UNITS if plan.most_numbers is None else max(0, plan.most_numbers)
        faults.within(plan.most_numbers, 0, MAX_UNITS, f"{owner}/most_numbers")
        faults.within(plan.numbers_included, 0, most, f"{owner}/numbers_included")
        kinds = [unit.kind for unit in plan.units]
        for place, unit in enumerate(plan.units):
            at = f"{owner}/units/{place}"
            is_new = unit.kind not in kinds[:place]
            faults.require(is_new, f"{at}/licence", f"{unit.kind!r} is there twice")
            _unit(unit, plan, catalog, at, faults)


def _unit(unit: UnitTerms, plan: Plan, catalog: Catalog, at: str, faults: Faults) -> None:
    is_known = unit.kind in catalog.licences
    faults.require(is_known, f"{at}/licence", f"there is no licence {unit.kind!r}")
    faults.within(unit.included, 0, MAX_UNITS, f"{at}/included")
    faults.within(unit.minimum, 0, MAX_UNITS, f"{at}/minimum")
    faults.recurring(unit.price, catalog.tax_rates, at)
    _sold_alike(plan, unit, at, faults)


def _sold_alike(plan: Plan, unit: UnitTerms, at: str, faults: Faults) -> None:
    """Whoever can buy the plan can pay for its units, by the month and by the year."""
    for interval in Interval:
        of_plan, of_unit = currencies(plan.price, interval), currencies(unit.price, interval)
        if of_plan and of_unit:
            missing = sorted(of_plan - of_unit)
            faults.require(
                not missing,
                f"{at}/price/{interval}",
                f"is missing for {', '.join(missing)}, in which the plan is sold",
            )
    # A minimum has to be paid, and a plan that names no currency is held in any.
    is_free = not plan.price.month.amounts
    has_to_be_paid = unit.minimum > unit.included and bool(unit.price.month.amounts)
    faults.require(
        not (is_free and has_to_be_paid),
        f"{at}/minimum",
        "has to be paid: say in which currencies the plan is sold, even for 0",
    )


def currencies(price: RecurringPrice, interval: Interval) -> set[str]:
    """In which it is sold; none: in every one. What is no currency is named where it stands."""
    is_year = interval is Interval.YEAR and price.year is not None
    sold: Price | None = price.year if is_year else price.month
    assert sold is not None
    return {currency for currency, _ in sold.amounts if currency in MINOR_UNITS}


def check_grants(grants: Sequence[RecurringGrant], owner: str, faults: Faults) -> None:
    """Their quantities are checked where they are made."""
    faults.ids(f"{owner}/grants", "grant", (grant.recurring_id for grant in grants))
