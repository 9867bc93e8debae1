"""Which catalogues cannot be sold from, and what is said of them."""

from dataclasses import replace
from typing import Any

import pytest

from billing.domain.catalog import Plan
from billing.domain.catalog_checks import MAX_PRICE_MICROS, MAX_TERMS_TEXT
from billing.domain.catalog_rules import InvalidCatalogError, make_catalog
from billing.domain.checked_fields import Fault
from billing.domain.grants import RecurringGrant
from billing.domain.selling import (
    Bundle,
    Contact,
    Contacts,
    DunningRule,
    LicenceKind,
    LicenceMode,
    NumberRule,
    NumberType,
    OnInvite,
    Package,
    Price,
    Product,
    RecurringPrice,
    StorageRule,
    TaxRate,
    UnitTerms,
)
from billing.domain.units import Unit
from catalogs import GROWTH, LISTED, MAJOR, MINUTES, STARTER, TOLL_FREE, a_catalog, monthly, price

VAT = TaxRate("vat", "VAT", 200_000)
SEAT = LicenceKind("seat", "Seat")
SEATS = UnitTerms("seat", price=RecurringPrice(price(20, 18)))
BASIC = Plan("basic", "Basic", price=RecurringPrice(price(99, 89)), units=(SEATS,))
BUNDLE = Bundle("300", "300 minutes", Unit.VOICE_SECONDS, 18_000, price(10))
LOCAL = NumberType("local", "Local", ("voice", "sms"), price(5), price(2))
PACKAGE = Package("toll-free", "Toll-free", (TOLL_FREE,), monthly(20))


def faults(plan: Plan = BASIC, **listed: Any) -> list[str]:
    """Where a catalogue is wrong: a small one that is right, with some of it replaced."""
    given = {"plans": (plan,), "licences": (SEAT,), "tax_rates": (VAT,), **listed}
    try:
        make_catalog(given.pop("terms_version", "1"), given.pop("plans"), **given)
    except InvalidCatalogError as refused:
        return [fault.pointer for fault in refused.faults]
    return []


def test_one_of_everything_can_be_sold_from() -> None:
    assert list(a_catalog().plans) == ["starter", "growth"]
    assert faults() == []


def test_two_plans_may_grant_under_one_name() -> None:
    assert GROWTH.recurring_grants == STARTER.recurring_grants == (MINUTES,)


def test_every_fault_is_named_at_once() -> None:
    seats = UnitTerms("seats", included=-1, price=RecurringPrice(Price((("USD", -1),), "gst")))
    with pytest.raises(InvalidCatalogError) as refused:
        make_catalog(
            "",
            (replace(BASIC, units=(seats,)),),
            tax_rates=(VAT,),
            terms_url="http://example.com",
            noted=[Fault("/plans/7", "was wrong before")],
        )
    assert [fault.pointer for fault in refused.value.faults] == [
        "/plans/7",
        "/terms_version",
        "/terms_url",
        "/plans/0/units/0/licence",
        "/plans/0/units/0/included",
        "/plans/0/units/0/price/month/USD",
        "/plans/0/units/0/tax",
        "/plans/0/units/0/price/month",
        "/plans/0/units/0/price/year",
    ]
    assert refused.value.field == "plans/7"
    assert refused.value.code == "invalid_input"


@pytest.mark.parametrize(
    ("listed", "pointer"),
    [
        pytest.param({"terms_version": ""}, "terms_version", id="terms without a version"),
        pytest.param({"terms_version": "v" * 65}, "terms_version", id="a version too long"),
        pytest.param({"terms_version": "1\n2"}, "terms_version", id="a version of two lines"),
        pytest.param({"plans": ()}, "plans", id="no plan"),
        pytest.param({"plans": (BASIC, BASIC)}, "plans/1/plan", id="a plan twice"),
        pytest.param({"plan": replace(BASIC, plan_id="")}, "plans/0/plan", id="no id"),
        pytest.param({"licences": (SEAT, SEAT)}, "licences/1/licence", id="a licence twice"),
        pytest.param({"bundles": (BUNDLE, BUNDLE)}, "bundles/1/bundle", id="a bundle twice"),
        pytest.param({"tax_rates": (VAT, VAT)}, "tax_rates/1/tax", id="a tax rate twice"),
        pytest.param(
            {"products": (Product("a/b", "A", Price()),)}, "products/0/product", id="a slash"
        ),
        pytest.param(
            {"number_types": (replace(LOCAL, type_id="a#b"),)},
            "number_types/0/number_type",
            id="the separator of keys",
        ),
        pytest.param(
            {"packages": (replace(PACKAGE, package_id="x" * 65),)},
            "packages/0/package",
            id="an id of 65 characters",
        ),
        pytest.param(
            {"plan": replace(BASIC, recurring_grants=(MINUTES, MINUTES))},
            "plans/0/grants/1/grant",
            id="a grant twice",
        ),
        pytest.param(
            {"plan": replace(BASIC, recurring_grants=(replace(MINUTES, recurring_id="a:b"),))},
            "plans/0/grants/0/grant",
            id="the separator of lots",
        ),
        pytest.param({"plan": replace(BASIC, name=" ")}, "plans/0/name", id="a blank name"),
        pytest.param({"plan": replace(BASIC, name="a\nb")}, "plans/0/name", id="two lines"),
        pytest.param(
            {"plan": replace(BASIC, name="x" * 201)}, "plans/0/name", id="a name too long"
        ),
    ],
)
def test_ids_and_names_are_fit_to_be_used(listed: dict[str, Any], pointer: str) -> None:
    assert faults(**listed) == [f"/{pointer}"]


@pytest.mark.parametrize(
    ("listed", "pointers"),
    [
        pytest.param({"licences": ()}, ["plans/0/units/0/licence"], id="a licence"),
        pytest.param(
            {"plan": replace(BASIC, units=(SEATS, SEATS))},
            ["plans/0/units/1/licence"],
            id="a licence twice",
        ),
        pytest.param(
            {"tax_rates": ()}, ["plans/0/tax", "plans/0/units/0/tax"], id="a plan's tax rate"
        ),
        pytest.param(
            {"bundles": (replace(BUNDLE, price=price(10, tax="gst")),)},
            ["bundles/0/tax"],
            id="a bundle's tax rate",
        ),
        pytest.param(
            {"storage": StorageRule(price=price(30, 28, tax="gst"))},
            ["storage/tax"],
            id="storage's",
        ),
    ],
)
def test_what_is_referred_to_exists_and_is_named_once(
    listed: dict[str, Any], pointers: list[str]
) -> None:
    assert faults(**listed) == [f"/{pointer}" for pointer in pointers]


@pytest.mark.parametrize(
    ("amounts", "currency"),
    [
        pytest.param((("USD", -10_000),), "USD", id="below zero"),
        pytest.param((("USD", 5_000),), "USD", id="half a cent"),
        pytest.param((("JPY", 10_000),), "JPY", id="a hundredth of a yen"),
        pytest.param((("KWD", 999),), "KWD", id="less than a fils"),
        pytest.param((("USD", MAX_PRICE_MICROS + MAJOR),), "USD", id="beyond any price"),
        pytest.param((("XXX", 0),), "XXX", id="no currency"),
        pytest.param((("usd", 0),), "usd", id="small letters"),
        pytest.param((("USD", 0), ("USD", 0)), "USD", id="a currency twice"),
    ],
)
def test_a_price_is_whole_minor_units_of_a_currency(
    amounts: tuple[tuple[str, int], ...], currency: str
) -> None:
    wrong = Product("training", "Training", Price(amounts))
    assert faults(products=(wrong,)) == [f"/products/0/price/{currency}"]


def test_the_least_and_the_most_a_price_can_be() -> None:
    amounts = (("USD", 0), ("JPY", MAJOR), ("KWD", 1_000), ("EUR", MAX_PRICE_MICROS))
    assert faults(products=(Product("training", "Training", Price(amounts)),)) == []


def of(month: Price, year: Price | None = None) -> Plan:
    """A plan at a price, whose seats are sold in dollars and euros by the month and the year."""
    seats = UnitTerms("seat", price=RecurringPrice(price(20, 18), price(200, 180)))
    return replace(BASIC, price=RecurringPrice(month, year), units=(seats,))


@pytest.mark.parametrize(
    ("plan", "pointers"),
    [
        pytest.param(of(price(99, 89), price(990, 890)), [], id="both by the year"),
        pytest.param(of(price(99, 89), price(990)), [], id="one of two by the year"),
        pytest.param(of(price(99), price(9, 8)), ["price/year"], id="by the year alone"),
        pytest.param(of(price(99), Price(tax="vat")), ["price/year"], id="a year in no currency"),
        pytest.param(of(price(99), price(990, tax="")), ["tax"], id="two taxes"),
        pytest.param(
            of(Price((("GBP", 99 * MAJOR),))),
            ["units/0/price/month", "units/0/price/year"],
            id="in pounds, which its units are not sold in",
        ),
        pytest.param(of(Price()), [], id="free in every currency"),
    ],
)
def test_who_can_buy_a_plan_can_buy_its_units(plan: Plan, pointers: list[str]) -> None:
    assert faults(plan) == [f"/plans/0/{pointer}" for pointer in pointers]


def test_units_with_a_price_by_the_year_have_it_in_the_plans_currencies() -> None:
    seats = replace(SEATS, price=RecurringPrice(price(20, 18), price(200)))
    assert faults(replace(BASIC, units=(seats,))) == ["/plans/0/units/0/price/year"]


def test_storage_is_sold_in_the_currencies_of_the_plans() -> None:
    assert faults(storage=StorageRule(price=price(30))) == ["/storage/price"]
    assert faults(storage=StorageRule(price=Price())) == []


def test_a_minimum_that_has_to_be_paid_needs_a_plan_with_currencies() -> None:
    seats = replace(SEATS, minimum=3)
    free = replace(BASIC, price=RecurringPrice(), units=(seats,))
    assert faults(free) == ["/plans/0/units/0/minimum"]
    assert faults(replace(free, price=RecurringPrice(price(0, 0)))) == []
    assert faults(replace(free, units=(replace(seats, included=3),))) == []


@pytest.mark.parametrize(
    ("listed", "pointer"),
    [
        pytest.param(
            {"plan": replace(BASIC, units=(replace(SEATS, included=-1),))},
            "plans/0/units/0/included",
            id="fewer than none included",
        ),
        pytest.param(
            {"plan": replace(BASIC, units=(replace(SEATS, minimum=100_001),))},
            "plans/0/units/0/minimum",
            id="a minimum beyond all units",
        ),
        pytest.param(
            {"plan": replace(BASIC, numbers_included=6, most_numbers=5)},
            "plans/0/numbers_included",
            id="more numbers included than allowed",
        ),
        pytest.param(
            {"plan": replace(BASIC, most_numbers=-1)}, "plans/0/most_numbers", id="fewer than none"
        ),
        pytest.param(
            {"licences": (replace(SEAT, needs_assignment=True),)},
            "licences/0/needs_assignment",
            id="a named licence that needs assignment",
        ),
        pytest.param(
            {"licences": (LicenceKind("seat", "S", LicenceMode.POOLED, OnInvite.ADD_UNIT),)},
            "licences/0/on_invite",
            id="a pool that grows with members",
        ),
        pytest.param(
            {"bundles": (replace(BUNDLE, quantity=0),)}, "bundles/0/quantity", id="of nothing"
        ),
        pytest.param(
            {"bundles": (replace(BUNDLE, expires_after_days=0),)},
            "bundles/0/expires_after_days",
            id="expired when it is bought",
        ),
        pytest.param(
            {"packages": (replace(PACKAGE, grants=()),)}, "packages/0/grants", id="of no grants"
        ),
        pytest.param(
            {"number_types": (replace(LOCAL, capabilities=()),)},
            "number_types/0/capabilities",
            id="a number that can do nothing",
        ),
        pytest.param(
            {"number_types": (replace(LOCAL, capabilities=("voice", "Voice!")),)},
            "number_types/0/capabilities/1",
            id="a capability that is no word",
        ),
        pytest.param(
            {"number_types": (replace(LOCAL, recurring=price(2, tax="")),)},
            "number_types/0/tax",
            id="a number with two taxes",
        ),
        pytest.param(
            {"number_types": (replace(LOCAL, recurring=price(2, 2)),)},
            "number_types/0/recurring",
            id="a number ordered in dollars alone and kept in euros",
        ),
        pytest.param(
            {"tax_rates": (replace(VAT, millionths=1_000_001),)},
            "tax_rates/0/percentage",
            id="more than all of it",
        ),
        pytest.param({"quote_minutes": 0}, "quote_minutes", id="a quote nobody can order"),
        pytest.param({"storage": StorageRule(-1)}, "storage/included_mb", id="less than nothing"),
    ],
)
def test_numbers_keep_to_their_bounds(listed: dict[str, Any], pointer: str) -> None:
    assert faults(**listed) == [f"/{pointer}"]


def test_packages_held_beside_a_plan_share_no_grant_with_it() -> None:
    granting = replace(BASIC, recurring_grants=(MINUTES,))
    more = replace(PACKAGE, grants=(RecurringGrant("minutes", Unit.VOICE_SECONDS, 1),))
    assert faults(granting, packages=(more,)) == ["/packages/0/grants/0/grant"]
    twice = (PACKAGE, replace(PACKAGE, package_id="another"))
    assert faults(packages=twice) == ["/packages/1/grants/0/grant"]


@pytest.mark.parametrize(
    ("days", "is_met"),
    [
        pytest.param((1, 3, 5, 7), True, id="rising"),
        pytest.param((), True, id="never"),
        pytest.param((365,), True, id="a year later"),
        pytest.param((366,), False, id="later than a year"),
        pytest.param((0, 1), False, id="on the day it failed"),
        pytest.param((1, 3, 3), False, id="a day twice"),
        pytest.param((3, 1), False, id="falling"),
        pytest.param(tuple(range(1, 22)), False, id="more than twenty times"),
    ],
)
def test_retries_come_on_rising_days(days: tuple[int, ...], is_met: bool) -> None:
    found = faults(dunning=DunningRule(retry_days=days))
    assert found == ([] if is_met else ["/dunning/retry_days"])


@pytest.mark.parametrize(
    ("grace_days", "notice_days", "field"),
    [
        pytest.param(14, (13, 1), None, id="below the grace, falling"),
        pytest.param(2, (1,), None, id="the shortest"),
        pytest.param(14, (14, 1), "notice_days", id="a notice before the grace"),
        pytest.param(14, (1, 7), "notice_days", id="rising"),
        pytest.param(14, (7, 0), "notice_days", id="when it is too late"),
        pytest.param(14, (), "notice_days", id="silently"),
        pytest.param(366, (7,), "grace_days", id="a grace of more than a year"),
    ],
)
def test_no_number_is_released_without_a_notice(
    grace_days: int, notice_days: tuple[int, ...], field: str | None
) -> None:
    found = faults(number_rule=NumberRule(grace_days, notice_days))
    assert found == ([f"/numbers/{field}"] if field else [])


@pytest.mark.parametrize(
    ("contact", "field"),
    [
        pytest.param(Contact("Søren O'Neill & Co."), None, id="a name with an ampersand"),
        pytest.param(Contact(email="first.last+billing@mail.example.co.uk"), None, id="an address"),
        pytest.param(Contact(phone="+44 (0)20 7946-0018"), None, id="a number as people write it"),
        pytest.param(Contact(url="https://example.com:8443/a?b=c&d=%20#e"), None, id="a link"),
        pytest.param(Contact("Sales\r\nBcc: all@example.com"), "name", id="a header"),
        pytest.param(Contact("<b>Sales</b>"), "name", id="markup"),
        pytest.param(Contact("=HYPERLINK(1)"), "name", id="a formula"),
        pytest.param(Contact("Sales\u202egnp"), "name", id="letters that run backwards"),
        pytest.param(Contact(email="sales"), "email", id="no address"),
        pytest.param(Contact(email="sales@localhost"), "email", id="no public host"),
        pytest.param(Contact(email="a@b.example\n"), "email", id="an address with a line's end"),
        pytest.param(Contact(email="a..b@example.com"), "email", id="two dots"),
        pytest.param(Contact(email="=cmd@example.com"), "email", id="an address like a formula"),
        pytest.param(Contact(email="a@example.com,b@example.com"), "email", id="two addresses"),
        pytest.param(Contact(email=f"{'a' * 250}@example.com"), "email", id="a long address"),
        pytest.param(Contact(phone="call us"), "phone", id="no number"),
        pytest.param(Contact(phone="=1+1"), "phone", id="a number like a formula"),
        pytest.param(Contact(phone="1" * 27), "phone", id="a number too long"),
        pytest.param(Contact(url="http://example.com"), "url", id="not encrypted"),
        pytest.param(Contact(url="javascript:alert(1)"), "url", id="a script"),
        pytest.param(Contact(url="https://me@example.com/"), "url", id="somebody's password"),
        pytest.param(Contact(url='https://example.com/"onclick="'), "url", id="a quote"),
        pytest.param(Contact(url="https://example.com/a b"), "url", id="a space"),
        pytest.param(Contact(url="https://localhost/"), "url", id="no public name"),
        pytest.param(Contact(url="https://example.com/" + "a" * 1_000), "url", id="too long"),
    ],
)
def test_a_contact_can_be_shown_and_sent_anywhere(contact: Contact, field: str | None) -> None:
    found = faults(contacts=Contacts(support=contact))
    assert found == ([f"/contacts/support/{field}"] if field else [])


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        pytest.param("§ 1\r\n\tPay.\n\nनमस्ते क्‍ष", True, id="lines in any script"),
        pytest.param("x" * MAX_TERMS_TEXT, True, id="the longest"),
        pytest.param("x" * (MAX_TERMS_TEXT + 1), False, id="too long"),
        pytest.param("a\x00b", False, id="a control character"),
        pytest.param("a\x1b[31mb", False, id="a terminal's escape"),
    ],
)
def test_terms_are_text(text: str, is_met: bool) -> None:
    assert faults(terms_text=text) == ([] if is_met else ["/terms_text"])


def test_what_is_listed_keeps_its_order() -> None:
    catalog = a_catalog()
    for name in ("plans", "licences", "bundles", "packages", "products", "number_types"):
        assert tuple(getattr(catalog, name).values()) == LISTED[name]
