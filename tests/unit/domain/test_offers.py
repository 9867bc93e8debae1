"""What can be bought in a currency, and held on under a later catalogue."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.offers import sells_on, sold_in
from billing.domain.periods import Period
from billing.domain.selling import Interval, Price, RecurringPrice, UnitTerms
from billing.domain.subscription import Subscription, UnitItem
from catalogs import GROWTH, STARTER, a_catalog, monthly, price

MARCH = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
HELD = Subscription(
    AccountRef("acme", "main"),
    "growth",
    1,
    Interval.MONTH,
    MARCH,
    MARCH.end_at,
    units=(UnitItem("crm", 5, 5), UnitItem("qa", 2, 2)),
    packages=(UnitItem("toll-free-500", 1, 1),),
)


def of_growth(*units: UnitTerms, price: RecurringPrice = GROWTH.price) -> dict[str, Any]:
    """Growth as a later version sells it."""
    return {"plans": (replace(GROWTH, units=units, price=price),)}


CRM, QA, DIALLER = GROWTH.units
LEAVING = replace(HELD, units=(UnitItem("crm", 5, 5), UnitItem("qa", 2, 2, next_created=0)))
YEARLY = replace(HELD, interval=Interval.YEAR, packages=())


@pytest.mark.parametrize(
    ("changes", "held", "currency", "expected"),
    [
        pytest.param({}, HELD, "USD", True, id="the same"),
        pytest.param(of_growth(CRM, QA), HELD, "USD", True, id="without what is not held"),
        pytest.param({"plans": (STARTER,)}, HELD, "USD", False, id="without the plan"),
        pytest.param(of_growth(CRM), HELD, "USD", False, id="without a licence"),
        pytest.param(of_growth(CRM), LEAVING, "USD", True, id="without one that is given up"),
        pytest.param({"packages": ()}, HELD, "USD", False, id="without a package"),
        pytest.param({}, HELD, "EUR", False, id="a package in dollars alone"),
        pytest.param({}, replace(HELD, packages=()), "EUR", True, id="the rest in euros"),
        pytest.param({}, replace(HELD, packages=()), "GBP", False, id="nothing in pounds"),
        pytest.param({}, YEARLY, "EUR", True, id="for a year"),
        pytest.param(
            of_growth(CRM, QA, price=RecurringPrice(price(99, 89), price(990))),
            YEARLY,
            "EUR",
            False,
            id="for a year in dollars alone",
        ),
    ],
)
def test_a_version_sells_on_what_is_held_or_says_nothing_of_its_price(
    changes: dict[str, Any], held: Subscription, currency: str, expected: bool
) -> None:
    assert sells_on(a_catalog(**changes), held, currency) is expected


def test_what_is_not_sold_in_a_currency_is_left_out() -> None:
    seats = replace(CRM, minimum=0, price=monthly(25))
    free = replace(GROWTH, price=RecurringPrice(), units=(seats, replace(QA, minimum=0)))
    found = sold_in(a_catalog(plans=(STARTER, free)), "EUR")
    assert [unit.kind for unit in found.plans["growth"].units] == ["qa"]
    assert list(found.plans) == ["starter", "growth"], "what is free is sold in any"
    assert not found.bundles
    assert not found.number_types


def test_a_number_that_is_free_to_order_is_sold_where_it_can_be_kept() -> None:
    (local,) = a_catalog().number_types.values()
    free_to_order = replace(local, up_front=Price(tax="vat"))
    catalog = a_catalog(number_types=(free_to_order,))
    assert list(sold_in(catalog, "USD").number_types) == ["local"]
    assert not sold_in(catalog, "EUR").number_types
