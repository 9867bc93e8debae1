"""Quotes: what is wanted as one price, of packages, bundles and products too."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.catalog import QUOTE_MINUTES
from billing.domain.changing import MOST_PACKAGE_GRANTS
from billing.domain.documents import LineKind
from billing.domain.errors import (
    BookBusyError,
    InvalidInputError,
    NotSoldError,
    PlanLimitError,
    TalktimeError,
)
from billing.domain.grants import Grant, RecurringGrant
from billing.domain.once import MOST_LOTS
from billing.domain.orders import Want, WantKind
from billing.domain.selling import Interval, Package, Product
from billing.domain.turning import begin_next_period
from billing.domain.units import Unit
from billing.domain.wants import MOST_WANTS
from billing.ports import StoredCatalog
from builders import USD
from catalogs import DOMESTIC, LISTED, a_catalog, monthly, price
from purchases import MARCH, Customer, account_of, bundle, number, package, plan, product, units

MID_MARCH = MARCH + timedelta(days=16)
"""17 March: 15 of 31 days are left, that day included."""


def test_a_quote_says_what_is_due_and_what_comes_again_and_uses_nothing_up() -> None:
    customer = Customer()
    before = (customer.account, customer.subscription)
    quote = customer.quote(
        units("dialler", 3), package("toll-free-500"), product("training"), at=MID_MARCH
    )
    assert (customer.account, customer.subscription) == before
    assert [(one.kind, one.amount_micros, one.is_up_front) for one in quote.lines] == [
        (LineKind.UNITS, 19_350_000, False),
        (LineKind.PACKAGE, 9_680_000, False),
        (LineKind.PRODUCT, 500 * USD, True),
    ]
    assert quote.up_front_micros == 500 * USD
    assert quote.sums.subtotal_micros == 529_030_000
    # 20 % of 19.35 and 9.68 are 3.87 and 1.94; 8.875 % of 500 are 44.375, halves go up.
    assert [one.tax_micros for one in quote.lines] == [3_870_000, 1_940_000, 44_380_000]
    assert quote.sums.total_micros == 529_030_000 + 50_190_000
    # The plan, two of the three seats of its minimum, one port, and the package: 209, with tax.
    assert quote.next_recurring_micros == (99 + 2 * 25 + 40 + 20) * USD * 12 // 10
    assert quote.next_recurring_at == datetime(2026, 4, 1, tzinfo=UTC)


def test_a_quote_is_pinned_to_what_it_was_computed_from() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    assert quote.subscription_revision == customer.subscription.revision
    assert quote.catalog_version == 1
    assert quote.period_start_at == customer.account.period.start_at
    assert quote.quoted_at == MID_MARCH
    assert quote.expires_at == MID_MARCH + timedelta(minutes=QUOTE_MINUTES)


def test_no_quote_outlives_the_period_it_was_prorated_in() -> None:
    customer = Customer()
    end_at = customer.account.period.end_at
    quote = customer.quote(units("dialler", 3), at=end_at - timedelta(minutes=1))
    assert quote.expires_at == end_at


def test_nothing_is_quoted_between_a_turn_and_its_bill() -> None:
    customer = Customer()
    account_of(customer, period=begin_next_period(customer.account).period)
    with pytest.raises(BookBusyError):
        customer.quote(units("dialler", 3), at=customer.account.period.start_at)


def test_the_next_renewal_is_quoted_at_the_prices_that_it_will_have() -> None:
    customer = Customer()
    later = a_catalog(
        plans=(replace(LISTED["plans"][1], price=monthly(199), units=()),),
        existing_from=date(2026, 4, 1),
    )
    customer.versions = replace(customer.versions, renewing=StoredCatalog(2, later))
    quote = customer.quote(product("training"), at=MID_MARCH)
    assert quote.next_recurring_micros == 199 * USD * 12 // 10


# Packages


def test_a_package_grants_what_the_days_left_are_worth_and_the_whole_from_the_next_period_on() -> (
    None
):
    customer = Customer()
    customer.order(package("toll-free-500"), at=MID_MARCH)
    lot = customer.account.grants[-1]
    # 30,000 seconds * 15 / 31 are 14,516.1.
    assert (lot.recurring_id, lot.total, lot.remaining) == ("toll-free", 14_517, 14_517)
    assert lot.granted_at == datetime(2026, 3, 17, tzinfo=UTC)
    assert lot.scope is not None
    assert [one.what for one in customer.renews()] == ["growth", "crm", "toll-free-500"]
    assert customer.account.grants[-1].total == 30_000


def test_a_package_may_be_held_more_than_once_and_is_reduced_when_the_term_turns() -> None:
    customer = Customer()
    customer.order(package("toll-free-500", 2), at=MARCH)
    assert customer.account.grants[-1].total == 60_000
    quote = customer.quote(package("toll-free-500", 1), at=MID_MARCH)
    assert quote.lines == ()
    assert quote.scheduled == ("From 2026-04-01: 1 instead of 2 of 500 toll-free minutes.",)
    customer.order(package("toll-free-500", 1), at=MID_MARCH)
    assert customer.account.grants[-1].total == 60_000
    assert customer.account.next_plan is not None
    renewal = {one.what: one.quantity for one in customer.renews()}
    assert renewal["toll-free-500"] == 1
    assert customer.account.grants[-1].total == 30_000
    assert customer.account.next_plan is None
    assert customer.order(package("toll-free-500", 0), at=customer.account.period.start_at) == ()
    assert "toll-free-500" not in {one.what for one in customer.renews()}
    assert customer.subscription.packages == ()


def test_a_package_that_is_kept_after_all_costs_nothing() -> None:
    customer = Customer()
    customer.order(package("toll-free-500"), at=MARCH)
    customer.order(package("toll-free-500", 0), at=MID_MARCH)
    assert customer.order(package("toll-free-500"), at=MID_MARCH) == ()
    assert customer.account.next_plan is None


def test_a_package_of_an_annual_term_is_paid_for_to_its_end_and_granted_by_the_month() -> None:
    customer = Customer()
    customer.order(plan("growth", Interval.YEAR), at=MARCH)
    (line,) = customer.order(package("toll-free-500"), at=MID_MARCH)
    assert line.unit_price_micros == 200 * USD
    # 16 of 365 days of 200 are over: 8.767.
    assert line.amount_micros == 191_230_000
    assert customer.account.grants[-1].total == 14_517
    customer.order(package("toll-free-500", 0), at=MID_MARCH)
    customer.renews()
    assert customer.account.grants[-1].total == 30_000


def test_unlimited_once_is_enough() -> None:
    with pytest.raises(InvalidInputError) as refused:
        Customer().quote(package("domestic", 2), at=MARCH)
    assert refused.value.field == "wants/0/quantity"


def test_the_account_carries_so_many_grants_of_packages_and_no_more() -> None:
    many = tuple(
        Package(f"p{n}", f"Package {n}", (replace(DOMESTIC, recurring_id=f"g{n}"),), monthly(1))
        for n in range(MOST_PACKAGE_GRANTS + 1)
    )
    customer = Customer("starter", a_catalog(packages=many))
    customer.order(*(package(f"p{n}") for n in range(MOST_PACKAGE_GRANTS)), at=MARCH)
    with pytest.raises(PlanLimitError) as refused:
        customer.quote(package(f"p{MOST_PACKAGE_GRANTS}"), at=MARCH)
    assert refused.value.field == "wants/0/what"


# Bundles and products


def test_a_bundle_lasts_so_many_local_days_from_the_day_it_was_bought() -> None:
    opened_at = datetime(2026, 3, 1, 5, tzinfo=UTC)
    customer = Customer("starter", opened_at=opened_at, time_zone="America/New_York")
    bought_at = datetime(2026, 3, 8, 4, 59, tzinfo=UTC)
    customer.order(bundle("minutes-300", 2), bundle("uk-100"), at=bought_at)
    minutes, uk = customer.account.grants[-2:]
    assert (minutes.grant_id, minutes.total, minutes.remaining) == ("minutes-300:1", 36_000, 36_000)
    # 7 March is its first day, 4 June its last; summer time has begun.
    assert minutes.expires_at == datetime(2026, 6, 5, 4, tzinfo=UTC)
    assert minutes.granted_at == bought_at
    assert (uk.expires_at, uk.priority, uk.recurring_id) == (None, 20, None)
    assert uk.scope == LISTED["bundles"][1].scope


def test_bundles_and_products_cost_the_same_on_every_day_and_never_again() -> None:
    early, late = Customer("starter"), Customer("starter")
    wants = (bundle("minutes-300", 3), product("training", 2))
    assert early.order(*wants, at=MARCH) == late.order(*wants, at=MID_MARCH)
    assert early.renews() == ()


@pytest.mark.parametrize(
    ("lot", "is_counted"),
    [
        pytest.param(Grant("x", Unit.MESSAGES, 5, 1, 1, MARCH, None), True, id="some left"),
        pytest.param(Grant("x", Unit.MESSAGES, 5, 0, 1, MARCH, None), False, id="used up"),
        pytest.param(Grant("x", Unit.MESSAGES, 5, 5, 1, MARCH, MID_MARCH), False, id="expired"),
        pytest.param(Grant("x", Unit.MESSAGES, 5, 5, 1, MARCH, None, "r"), False, id="the plan's"),
    ],
)
def test_so_many_bundles_are_live_at_a_time(lot: Grant, is_counted: bool) -> None:
    customer = Customer("starter")
    lots = tuple(replace(lot, grant_id=f"b:{n}", remaining=5) for n in range(MOST_LOTS - 1))
    lots = tuple(replace(one, expires_at=None, recurring_id=None) for one in lots)
    account_of(customer, grants=(*lots, lot))
    if not is_counted:
        assert customer.quote(bundle("uk-100"), at=MID_MARCH).lines
        return
    with pytest.raises(PlanLimitError) as refused:
        customer.quote(product("training"), bundle("uk-100"), at=MID_MARCH)
    assert refused.value.field == "wants/1/what"


# Numbers


def test_a_number_costs_its_set_up_and_the_days_left_unless_the_plan_includes_it() -> None:
    customer = Customer()
    wants = (number("+14155550101"), number("+14155550100"))
    lines = customer.quote(*wants, at=MID_MARCH).lines
    # The plan includes one number: of one order, the first by E.164.
    assert [(one.kind, one.what, one.amount_micros, one.is_up_front) for one in lines] == [
        (LineKind.NUMBER_SETUP, "+14155550101", 5 * USD, True),
        (LineKind.NUMBER, "+14155550101", 970_000, False),
        (LineKind.NUMBER_SETUP, "+14155550100", 5 * USD, True),
    ]
    assert len(customer.quote(number("+14155550100"), at=MID_MARCH, numbers=1).lines) == 2


@pytest.mark.parametrize(
    ("want", "numbers", "error", "field"),
    [
        pytest.param(number("12"), 0, InvalidInputError, "e164", id="no number"),
        pytest.param(
            number("+14155550100", "voice"), 0, InvalidInputError, "capabilities", id="can do more"
        ),
        pytest.param(
            number("+14155550100", "voice", "sms", "fax"),
            0,
            InvalidInputError,
            "capabilities",
            id="can do less",
        ),
        pytest.param(
            Want(WantKind.NUMBER, "moon", e164="+14155550100"), 0, NotSoldError, "what", id="type"
        ),
        pytest.param(number("+14155550100"), 49, PlanLimitError, "what", id="one too many"),
    ],
)
def test_a_number_that_cannot_be_had_is_refused_by_its_place(
    want: Want, numbers: int, error: type[TalktimeError], field: str
) -> None:
    with pytest.raises(error) as refused:
        Customer().quote(number("+14155550199"), want, at=MARCH, numbers=numbers)
    assert refused.value.field == f"wants/1/{field}"


# What is refused


def test_an_empty_quote_is_refused() -> None:
    with pytest.raises(InvalidInputError) as refused:
        Customer().quote(at=MARCH)
    assert refused.value.field == "wants"


@pytest.mark.parametrize(
    ("wants", "field"),
    [
        pytest.param((units("crm", 4), units("crm", 5)), "1/what", id="units twice"),
        pytest.param((plan("growth"), plan("starter")), "1/what", id="two plans"),
        pytest.param((bundle("uk-100"), bundle("uk-100")), "1/what", id="a bundle twice"),
        pytest.param((units("crm", -1),), "0/quantity", id="fewer than none"),
        pytest.param((units("crm", 100_001),), "0/quantity", id="more than anybody has"),
        pytest.param((bundle("uk-100", 0),), "0/quantity", id="no bundle"),
        pytest.param((product("training", 1_001),), "0/quantity", id="too many trainings"),
        pytest.param((package("domestic", 101),), "0/quantity", id="too many packages"),
        pytest.param((Want(WantKind.PLAN, "growth", 2),), "0/quantity", id="a plan is one"),
        pytest.param(
            (Want(WantKind.UNITS, "crm", 4, Interval.YEAR),), "0/interval", id="units of a year"
        ),
        pytest.param(
            (Want(WantKind.UNITS, "crm", 4, e164="+14155550100"),), "0/e164", id="not a number"
        ),
        pytest.param(
            (Want(WantKind.PLAN, "growth", capabilities=("voice",)),),
            "0/capabilities",
            id="nor what it can do",
        ),
        pytest.param((Want(WantKind.NUMBER, "local"),), "0/e164", id="no number in particular"),
        pytest.param((number("+12"), number("+12")), "1/e164", id="a number twice"),
    ],
)
def test_what_makes_no_sense_is_named_by_its_place(wants: tuple[Want, ...], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Customer().quote(*wants, at=MARCH)
    assert refused.value.field == f"wants/{field}"


def test_nobody_reads_an_order_without_end() -> None:
    with pytest.raises(InvalidInputError) as refused:
        Customer().quote(*(bundle(f"b{n}") for n in range(MOST_WANTS + 1)), at=MARCH)
    assert refused.value.field == "wants"


@pytest.mark.parametrize(
    "want",
    [plan("x"), units("x", 1), package("x"), bundle("x"), product("x")],
    ids=lambda want: want.kind.value,
)
def test_what_nobody_sells_is_named_by_its_place(want: Want) -> None:
    with pytest.raises(NotSoldError) as refused:
        Customer().quote(product("training"), want, at=MARCH)
    assert refused.value.field == "wants/1/what"


@pytest.mark.parametrize(
    "want",
    [package("domestic"), bundle("minutes-300"), product("training")],
    ids=lambda want: want.kind.value,
)
def test_what_has_no_price_in_the_accounts_currency_is_not_sold_to_it(want: Want) -> None:
    with pytest.raises(NotSoldError) as refused:
        Customer(currency="EUR").quote(want, at=MARCH)
    assert refused.value.field == "wants/0/what"


def test_what_comes_to_more_than_any_bill_is_refused() -> None:
    gold = Product("gold", "Gold", price(10**9))
    customer = Customer("starter", a_catalog(products=(gold,)))
    assert customer.quote(product("gold", 500), at=MARCH).lines
    with pytest.raises(InvalidInputError) as refused:
        customer.quote(product("gold", 1_000), at=MARCH)
    assert refused.value.field == "wants"


def test_a_package_that_would_grant_more_than_can_be_counted_is_refused_by_its_place() -> None:
    huge = RecurringGrant("huge", Unit.MESSAGES, 10**12)
    catalog = a_catalog(packages=(Package("huge", "Huge", (huge,), monthly(1)),))
    customer = Customer("starter", catalog)
    assert customer.quote(package("huge"), at=MARCH).lines
    with pytest.raises(InvalidInputError) as refused:
        customer.quote(product("training"), package("huge", 2), at=MARCH)
    assert refused.value.field == "wants/1/quantity"
