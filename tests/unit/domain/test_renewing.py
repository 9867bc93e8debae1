"""What a term that begins is billed, and what the account holds from it on."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import PlanFeatures
from billing.domain.catalog_versions import Versions
from billing.domain.errors import NotSoldError
from billing.domain.renewing import next_term, renewal_lines
from billing.domain.selling import DowngradePolicy, Interval
from billing.domain.subscription import UnitItem
from billing.domain.unit_counts import renewal_quantity
from billing.ports import StoredCatalog
from builders import USD
from catalogs import DOMESTIC, GROWTH, STARTER, a_catalog, monthly
from purchases import MARCH, Customer, package, plan, units

ON = MARCH + timedelta(days=16)


def test_a_renewal_is_the_fee_the_units_above_the_included_ones_and_the_packages() -> None:
    customer = Customer()
    customer.order(units("dialler", 5), package("toll-free-500", 2), at=MARCH)
    lines = customer.renews()
    assert [(one.what, one.quantity, one.unit_price_micros) for one in lines] == [
        ("growth", 1, 99 * USD),
        ("crm", 2, 25 * USD),
        ("dialler", 3, 40 * USD),
        ("toll-free-500", 2, 20 * USD),
    ]
    assert [one.amount_micros for one in lines] == [99 * USD, 50 * USD, 120 * USD, 40 * USD]
    assert {(one.starts_on, one.ends_on) for one in lines} == {(date(2026, 4, 1), date(2026, 5, 1))}
    assert {one.tax_millionths for one in lines} == {200_000}


def test_what_costs_nothing_has_no_line() -> None:
    assert Customer("starter").renews() == ()


def test_a_term_without_a_price_in_the_accounts_currency_cannot_be_billed() -> None:
    customer = Customer("starter", currency="GBP")
    held = customer.versions.sold.catalog
    with pytest.raises(NotSoldError):
        renewal_lines(
            customer.account, customer.subscription, GROWTH, held, customer.account.period
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9)), st.booleans())
def test_it_does_not_matter_whether_the_subscription_has_turned_already(
    quantity: int, created: int, wanted: int | None, is_annual: bool
) -> None:
    customer = Customer()
    held = customer.subscription
    for kind in ("dialler", "qa", "crm"):
        held = held.with_unit(UnitItem(kind, quantity, created, wanted))
    held = held.with_package(UnitItem("toll-free-500", created, created, wanted))
    held = replace(held, interval=Interval.YEAR if is_annual else Interval.MONTH)
    coming = next_term(customer.account, held, customer.versions)
    catalog, day = customer.versions.sold.catalog, date(2026, 4, 1)
    before = renewal_lines(customer.account, held, GROWTH, catalog, coming.term)
    assert coming.lines(customer.account) == before
    for kind in ("dialler", "qa", "crm"):
        turned = renewal_quantity(coming.subscription, kind, GROWTH, day)
        assert turned == renewal_quantity(held, kind, GROWTH, day)


# A later catalogue


def later(customer: Customer, catalog: StoredCatalog) -> Versions:
    return replace(customer.versions, renewing=catalog)


def test_a_term_goes_on_under_the_catalogue_whose_prices_reach_it() -> None:
    customer = Customer()
    dearer = replace(GROWTH, price=monthly(120), units=(), features=PlanFeatures(99))
    reaching = StoredCatalog(5, a_catalog(plans=(dearer,)))
    coming = next_term(customer.account, customer.subscription, later(customer, reaching))
    assert [one.amount_micros for one in coming.lines(customer.account)] == [120 * USD]
    assert (coming.terms.catalog_version, coming.terms.features) == (5, PlanFeatures(99))
    assert coming.subscription.catalog_version == 5


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"plans": (STARTER,)}, id="the plan"),
        pytest.param({"plans": (replace(GROWTH, units=()),)}, id="a licence kind"),
        pytest.param({"packages": ()}, id="a package"),
    ],
)
def test_a_catalogue_that_does_not_know_all_that_is_held_leaves_it_as_it_was_sold(
    changes: dict[str, Any],
) -> None:
    customer = Customer()
    customer.order(package("domestic"), units("dialler", 3), at=MARCH)
    reaching = StoredCatalog(5, a_catalog(**changes))
    coming = next_term(customer.account, customer.subscription, later(customer, reaching))
    assert coming.subscription.catalog_version == 1
    assert [one.what for one in coming.lines(customer.account)] == [
        "growth",
        "crm",
        "dialler",
        "domestic",
    ]
    assert DOMESTIC in coming.terms.recurring_grants


def test_what_members_hold_is_kept_and_counts_for_nothing_under_a_plan_that_does_not_sell_it() -> (
    None
):
    customer = Customer(catalog=a_catalog(downgrade=DowngradePolicy.PERIOD_END))
    customer.joins("crm", ON, 5)
    customer.order(plan("starter"), at=ON)
    coming = next_term(customer.account, customer.subscription, customer.versions)
    assert coming.subscription.units == (UnitItem("crm", 0, 5),)
    assert coming.lines(customer.account) == ()


def test_twelve_periods_are_one_term() -> None:
    customer = Customer()
    customer.order(plan("growth", Interval.YEAR), at=MARCH)
    coming = next_term(customer.account, customer.subscription, customer.versions)
    assert coming.term.start_at == customer.subscription.term.end_at
    assert coming.lines(customer.account)[0].ends_on == date(2028, 3, 1)
