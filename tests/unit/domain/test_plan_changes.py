"""Plans: up at once and by the day, down by the catalogue's policy."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing.domain.account import PlanFeatures
from billing.domain.catalog import Catalog, Plan
from billing.domain.errors import (
    ContactSalesError,
    InvalidInputError,
    NotSoldError,
    PlanLimitError,
    TalktimeError,
)
from billing.domain.grants import RecurringGrant
from billing.domain.scheduled import without
from billing.domain.selling import DowngradePolicy, Interval, RecurringPrice, UnitTerms
from billing.domain.units import Unit
from builders import USD
from catalogs import GROWTH, MINUTES, STARTER, a_catalog, monthly, price
from purchases import MARCH, Customer, package, plan, units

MID_MARCH = MARCH + timedelta(days=16)
"""17 March: 15 of 31 days are left, that day included."""

SMALL = Plan("small", "Small", (MINUTES,), PlanFeatures(2), monthly(31, 310), most_numbers=2)
LARGE = Plan(
    "large",
    "Large",
    (RecurringGrant("minutes", Unit.VOICE_SECONDS, 600_000),),
    PlanFeatures(100, 9),
    monthly(310, 3_100),
    (
        UnitTerms("crm", 5, 5, RecurringPrice(price(20), price(200))),
        UnitTerms("dialler", included=2, price=RecurringPrice(price(40, 36))),
    ),
)
LESS = DowngradePolicy.PERIOD_END


def sold(**changes: Any) -> Catalog:
    return a_catalog(plans=(STARTER, SMALL, GROWTH, LARGE), **changes)


def amounts(lines: Any) -> list[tuple[str, str, int, int]]:
    return [(one.kind.value, one.what, one.quantity, one.amount_micros) for one in lines]


# Up


def test_an_upgrade_credits_the_old_plan_and_charges_the_new_one_from_that_day_on() -> None:
    customer = Customer("small", sold())
    lines = customer.order(plan("large"), at=MID_MARCH)
    assert amounts(lines) == [
        ("plan", "small", 1, -15 * USD),
        ("plan", "large", 1, 150 * USD),
    ]
    assert {(one.starts_on, one.ends_on) for one in lines} == {
        (date(2026, 3, 17), date(2026, 4, 1))
    }
    assert customer.spent_micros == 135 * USD * 12 // 10
    assert customer.account.plan.plan_id == "large"
    assert customer.account.plan.features == PlanFeatures(100, 9)
    assert customer.subscription.term == customer.account.period


def test_the_day_of_an_upgrade_belongs_to_the_new_plan_only() -> None:
    first_thing, last_thing = Customer("small", sold()), Customer("small", sold())
    first_thing.order(plan("large"), at=MID_MARCH)
    last_thing.order(plan("large"), at=MID_MARCH + timedelta(hours=23, minutes=59))
    assert first_thing.spent_micros == last_thing.spent_micros
    next_day = Customer("small", sold())
    next_day.order(plan("large"), at=MID_MARCH + timedelta(days=1))
    assert first_thing.spent_micros - next_day.spent_micros == 9 * USD * 12 // 10


def test_an_upgrade_weighs_the_minutes_by_days() -> None:
    customer = Customer("small", sold())
    customer.order(plan("large"), at=MID_MARCH)
    (lot,) = customer.account.grants
    assert lot.total == 60_000 * 16 // 31 + 1 + 600_000 * 15 // 31
    assert customer.account.plan.recurring_grants == LARGE.recurring_grants


def test_another_plan_for_as_much_waits_or_its_quota_could_be_had_over_and_over() -> None:
    twin = replace(SMALL, plan_id="twin", name="Twin")
    catalog = a_catalog(plans=(SMALL, twin), downgrade=DowngradePolicy.PERIOD_END)
    customer = Customer("small", catalog)
    granted = customer.account.grants
    assert customer.order(plan("twin"), at=MID_MARCH) == ()
    assert customer.subscription.plan_id == "small"
    assert customer.subscription.next_plan is not None
    assert customer.account.grants == granted


def test_the_plan_of_a_later_catalogue_is_had_at_once_and_for_nothing_where_it_costs_as_much() -> (
    None
):
    customer = Customer("small", a_catalog(plans=(SMALL,)))
    customer.publishes(plans=(SMALL,))
    assert customer.order(plan("small"), at=MID_MARCH) == ()
    assert customer.subscription.catalog_version == 2
    assert customer.subscription.next_plan is None
    assert (customer.documents.invoices, customer.documents.receipts) == (0, 0)


def test_units_that_were_paid_for_go_along_at_the_new_plans_price() -> None:
    customer = Customer("growth", sold())
    customer.joins("crm", MARCH, 8)
    customer.joins("crm", MARCH, -2)
    lines = customer.order(plan("large"), at=MARCH)
    # Seven of eight were paid for; three are, above the five that the new plan includes.
    assert ("units", "crm", 7, -175 * USD) in amounts(lines)
    assert ("units", "crm", 3, 60 * USD) in amounts(lines)
    assert customer.counts("crm", MARCH).quantity == 8
    assert customer.counts("crm", MARCH).next_quantity == 6


def test_units_that_were_included_and_that_nobody_has_do_not_go_along() -> None:
    bare = replace(LARGE, units=(UnitTerms("crm"), UnitTerms("dialler", price=monthly(40))))
    customer = Customer("growth", a_catalog(plans=(GROWTH, bare)))
    assert customer.counts("dialler", MARCH).quantity == 2
    lines = customer.order(plan("large"), at=MARCH)
    assert "dialler" not in {one.what for one in lines}
    assert customer.counts("dialler", MARCH).quantity == 0


def test_units_of_the_same_price_are_neither_credited_nor_charged() -> None:
    customer = Customer("growth", sold())
    customer.order(units("dialler", 6), at=MARCH)
    lines = customer.order(plan("large"), at=MID_MARCH)
    assert "dialler" not in {one.what for one in lines}


def test_more_units_may_come_with_the_new_plan() -> None:
    customer = Customer("small", sold())
    lines = customer.order(units("dialler", 4), plan("large"), at=MID_MARCH)
    assert ("units", "dialler", 2, 2 * 19_350_000) in amounts(lines)


def test_months_become_a_year_from_the_present_period_on() -> None:
    customer = Customer("small", sold())
    lines = customer.order(plan("small", Interval.YEAR), at=MID_MARCH)
    # 349 of 365 days of 310 are left.
    assert amounts(lines) == [
        ("plan", "small", 1, -15 * USD),
        ("plan", "small", 1, 310 * USD - 13_590_000),
    ]
    term = customer.subscription.term
    assert term.start_at == MARCH
    assert term.end_at == datetime(2027, 3, 1, tzinfo=UTC)
    assert customer.account.period.end_at == datetime(2026, 4, 1, tzinfo=UTC)


def test_a_whole_year_costs_the_years_price_and_is_renewed_once() -> None:
    customer = Customer("starter", sold())
    customer.order(plan("small", Interval.YEAR), at=MARCH)
    assert customer.spent_micros == 310 * USD * 12 // 10
    renewals = [customer.renews() for _ in range(12)]
    assert renewals[:11] == [()] * 11
    assert amounts(renewals[11]) == [("plan", "small", 1, 310 * USD)]


@pytest.mark.parametrize(
    ("opened", "days"),
    [
        pytest.param(datetime(2028, 2, 29, tzinfo=UTC), 366 - 1, id="from a leap day to the 28th"),
        pytest.param(datetime(2027, 2, 28, tzinfo=UTC), 366, id="to a leap day"),
    ],
)
def test_years_are_as_long_as_they_are(opened: datetime, days: int) -> None:
    customer = Customer("starter", sold(), opened, billing_day=29)
    customer.order(plan("small", Interval.YEAR), at=opened)
    term = customer.subscription.term
    assert (term.end_at - term.start_at).days == days


def test_more_than_is_given_back_is_never_charged_below_zero() -> None:
    # A year costs little more than a month, of which nearly all is left.
    odd = replace(SMALL, price=monthly(31, 12))
    customer = Customer("small", a_catalog(plans=(odd,), downgrade=LESS))
    assert customer.quote(plan("small", Interval.YEAR), at=MARCH).lines == ()
    assert customer.quote(plan("small", Interval.YEAR), at=MID_MARCH).scheduled == (
        "From 2026-04-01: Small instead of Small, billed by the year.",
    )


def test_the_same_plan_of_a_later_catalogue_is_another_plan() -> None:
    customer = Customer("small", sold())
    dearer = replace(SMALL, price=monthly(62))
    customer.publishes(plans=(STARTER, dearer, GROWTH, LARGE))
    quote = customer.quote(plan("small"), at=MID_MARCH)
    assert quote.next_recurring_micros == 62 * USD * 12 // 10
    lines = customer.order(plan("small"), at=MID_MARCH)
    assert amounts(lines) == [
        ("plan", "small", 1, -15 * USD),
        ("plan", "small", 1, 30 * USD),
    ]
    assert customer.subscription.catalog_version == 2
    assert amounts(customer.renews()) == [("plan", "small", 1, 62 * USD)]


def test_what_is_sold_keeps_its_version() -> None:
    customer = Customer("growth", sold())
    dearer = replace(GROWTH, units=(UnitTerms("dialler", 0, 0, RecurringPrice(price(400, 390))),))
    customer.publishes(plans=(STARTER, SMALL, dearer, LARGE))
    (line,) = customer.order(units("dialler", 3), at=MARCH)
    assert line.amount_micros == 40 * USD
    assert customer.subscription.catalog_version == 1


# Down


def test_a_downgrade_is_sales_business_where_the_catalogue_says_so() -> None:
    with pytest.raises(ContactSalesError) as refused:
        Customer("large", sold()).quote(plan("small"), at=MID_MARCH)
    assert refused.value.field == "wants/0/what"
    contacts = refused.value.members["contacts"]
    assert isinstance(contacts, dict)
    assert contacts["sales"] == {
        "name": "Sales desk",
        "email": "sales@example.com",
        "phone": "+1 212 555 0100",
    }


def test_a_downgrade_is_made_when_the_term_turns_and_costs_nothing_before() -> None:
    customer = Customer("large", sold(downgrade=LESS))
    quote = customer.quote(plan("small"), at=MID_MARCH)
    assert quote.lines == ()
    assert quote.scheduled == ("From 2026-04-01: Small instead of Large.",)
    assert quote.next_recurring_micros == 31 * USD * 12 // 10
    customer.order(plan("small"), at=MID_MARCH)
    assert customer.account.plan.plan_id == "large"
    assert customer.account.next_plan is not None
    assert customer.account.next_plan.plan_id == "small"
    assert amounts(customer.renews()) == [("plan", "small", 1, 31 * USD)]
    assert customer.account.plan.plan_id == "small"
    assert customer.account.next_plan is None
    assert customer.spent_micros == 0


def test_an_annual_plan_goes_down_when_its_year_ends() -> None:
    customer = Customer("starter", sold(downgrade=LESS))
    customer.order(plan("large", Interval.YEAR), at=MARCH)
    customer.order(plan("small", Interval.MONTH), at=MID_MARCH)
    for _ in range(10):
        assert customer.account.next_plan is None
        assert customer.renews() == ()
    customer.renews()
    assert customer.account.next_plan is not None
    assert amounts(customer.renews()) == [("plan", "small", 1, 31 * USD)]
    assert customer.subscription.interval is Interval.MONTH


def test_a_year_never_becomes_months_before_it_ends_however_dear_they_are() -> None:
    customer = Customer("starter", sold(downgrade=LESS))
    customer.order(plan("small", Interval.YEAR), at=MARCH)
    for _ in range(11):
        customer.renews()
    # Nothing worth speaking of would be given back.
    last_day = customer.account.period.end_at - timedelta(days=1)
    assert customer.quote(plan("large", Interval.MONTH), at=last_day).lines == ()


def test_a_cheaper_plan_by_the_year_is_a_cheaper_plan() -> None:
    customer = Customer("large", sold(downgrade=LESS))
    quote = customer.quote(plan("small", Interval.YEAR), at=MARCH + timedelta(days=30))
    assert quote.lines == ()
    assert quote.next_recurring_micros == 310 * USD * 12 // 10


def test_it_is_what_recurs_that_makes_a_downgrade() -> None:
    """Units that nobody holds any more would go along at a dearer price, and are gone next term."""
    fewer = replace(SMALL, units=(UnitTerms("crm", price=monthly(60)),))
    customer = Customer("growth", a_catalog(plans=(GROWTH, fewer), downgrade=LESS))
    customer.joins("crm", MARCH, 8)
    customer.joins("crm", MARCH, -7)
    quote = customer.quote(plan("small"), at=MARCH)
    assert quote.lines == ()
    assert quote.next_recurring_micros == (31 + 60) * USD * 12 // 10


def test_a_scheduled_plan_is_taken_back_by_wanting_the_present_one_or_overtaken_by_an_upgrade() -> (
    None
):
    customer = Customer("large", sold(downgrade=LESS))
    customer.order(plan("small"), at=MID_MARCH)
    with pytest.raises(InvalidInputError, match="nothing would change"):
        customer.quote(plan("small"), at=MID_MARCH)
    customer.order(plan("large"), at=MID_MARCH)
    assert customer.subscription.next_plan is None
    assert customer.account.next_plan is None
    customer.order(plan("small"), at=MID_MARCH)
    customer.order(plan("large", Interval.YEAR), at=MID_MARCH)
    assert customer.subscription.next_plan is None
    assert customer.spent_micros > 0


def test_a_scheduled_plan_is_cancelled_by_name() -> None:
    customer = Customer("large", sold(downgrade=LESS))
    customer.order(plan("small"), at=MID_MARCH)
    kept, _ = without(customer.subscription, "plan")
    customer.holds(kept)
    assert customer.renews()[0].what == "large"


def test_a_downgrade_may_go_with_what_makes_it_possible() -> None:
    customer = Customer("growth", sold(downgrade=LESS))
    customer.order(units("dialler", 4), at=MARCH)
    with pytest.raises(NotSoldError) as refused:
        customer.quote(plan("small"), at=MID_MARCH)
    assert refused.value.field == "wants/0/what"
    customer.order(plan("small"), units("dialler", 0), at=MID_MARCH)
    assert [one.what for one in customer.renews()] == ["small"]


def test_what_a_scheduled_plan_does_not_have_is_not_bought_back() -> None:
    customer = Customer("growth", sold(downgrade=LESS))
    customer.order(units("dialler", 4), at=MARCH)
    customer.order(plan("small"), units("dialler", 0), at=MID_MARCH)
    with pytest.raises(NotSoldError) as refused:
        customer.quote(units("dialler", 4), at=MID_MARCH)
    assert refused.value.field == "wants"


# What is refused


def test_nothing_that_was_bought_is_lost_by_an_upgrade() -> None:
    bare = replace(LARGE, units=())
    customer = Customer("growth", a_catalog(plans=(GROWTH, bare)))
    customer.order(units("dialler", 3), at=MARCH)
    # That they are to be reduced later does not help today.
    customer.order(units("dialler", 0), at=MARCH)
    with pytest.raises(NotSoldError, match="Large has no licence dialler"):
        customer.quote(plan("large"), at=MID_MARCH)
    holder = Customer("growth", sold())
    holder.order(package("domestic"), at=MARCH)
    holder.publishes(plans=(GROWTH, LARGE), packages=())
    with pytest.raises(NotSoldError, match="package domestic"):
        holder.quote(plan("large"), at=MID_MARCH)


@pytest.mark.parametrize(
    ("wanted", "currency", "numbers", "error"),
    [
        pytest.param("gold", "USD", 0, NotSoldError, id="there is no such plan"),
        pytest.param("growth", "GBP", 0, NotSoldError, id="not in this currency"),
        pytest.param("small", "USD", 3, PlanLimitError, id="more numbers than it allows"),
    ],
)
def test_a_plan_that_cannot_be_had_is_refused_by_its_place(
    wanted: str, currency: str, numbers: int, error: type[TalktimeError]
) -> None:
    customer = Customer("starter", sold(), currency=currency)
    with pytest.raises(error) as refused:
        customer.quote(plan(wanted), at=MARCH, numbers=numbers)
    assert refused.value.field == "wants/0/what"
