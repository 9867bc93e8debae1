"""A catalogue with one of everything, for tests to change a part of."""

from typing import Any

from billing.domain.account import PlanFeatures
from billing.domain.catalog import Catalog, Plan
from billing.domain.catalog_rules import make_catalog
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.selling import (
    Bundle,
    Contact,
    Contacts,
    LicenceKind,
    LicenceMode,
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
from billing.domain.units import Direction, Unit

MAJOR = 1_000_000


def price(usd: int, eur: int | None = None, tax: str = "vat") -> Price:
    """Whole dollars and, where it is sold in them, euros."""
    amounts = (("USD", usd * MAJOR),)
    return Price(amounts if eur is None else (*amounts, ("EUR", eur * MAJOR)), tax)


def monthly(usd: int, usd_a_year: int | None = None, tax: str = "vat") -> RecurringPrice:
    year = None if usd_a_year is None else price(usd_a_year, tax=tax)
    return RecurringPrice(price(usd, tax=tax), year)


MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 60_000, rollover_limit=6_000)
TOLL_FREE = RecurringGrant(
    "toll-free", Unit.VOICE_SECONDS, 30_000, 50, scope=Scope(Direction.INBOUND, ("1800",))
)
DOMESTIC = RecurringGrant(
    "domestic", Unit.VOICE_SECONDS, 0, scope=Scope(Direction.OUTBOUND, ("1",)), unlimited=True
)
STARTER = Plan("starter", "Starter", (MINUTES,))
GROWTH = Plan(
    "growth",
    "Growth",
    (MINUTES,),
    PlanFeatures(10, 5),
    RecurringPrice(price(99, 89), price(990, 890)),
    (
        UnitTerms("crm", 1, 3, RecurringPrice(price(25, 23), price(250, 230))),
        UnitTerms("qa", price=RecurringPrice(price(15, 14))),
        UnitTerms("dialler", included=2, price=RecurringPrice(price(40, 36))),
    ),
    numbers_included=1,
    most_numbers=50,
)

LISTED: dict[str, Any] = {
    "terms_version": "2026-01",
    "plans": (STARTER, GROWTH),
    "licences": (
        LicenceKind("crm", "CRM seat", on_invite=OnInvite.ADD_UNIT),
        LicenceKind("qa", "QA seat", on_invite=OnInvite.LOCK_OUT),
        LicenceKind("dialler", "Dialler port", LicenceMode.POOLED),
        LicenceKind("flex", "Flex port", LicenceMode.POOLED, needs_assignment=True),
    ),
    "bundles": (
        Bundle("minutes-300", "300 minutes", Unit.VOICE_SECONDS, 18_000, price(10), 90),
        Bundle(
            "uk-100",
            "100 minutes to the United Kingdom",
            Unit.VOICE_SECONDS,
            6_000,
            price(5),
            priority=20,
            scope=Scope(None, ("44",)),
        ),
    ),
    "packages": (
        Package("toll-free-500", "500 toll-free minutes", (TOLL_FREE,), monthly(20, 200)),
        Package("domestic", "Unlimited domestic", (DOMESTIC,), monthly(49)),
    ),
    "products": (Product("training", "Training, one day", price(500, tax="services")),),
    "number_types": (NumberType("local", "Local number", ("voice", "sms"), price(5), price(2)),),
    "tax_rates": (TaxRate("vat", "VAT 20 %", 200_000), TaxRate("services", "8.875 %", 88_750)),
    "storage": StorageRule(price=price(30, 28)),
    "contacts": Contacts(
        sales=Contact("Sales desk", "sales@example.com", "+1 212 555 0100"),
        account_manager=Contact(name="Dolores Ipsum", url="https://example.com/dolores"),
    ),
    "terms_url": "https://example.com/terms/2026-01",
}


def a_catalog(**changes: Any) -> Catalog:
    """The catalogue, with some of it replaced; fields as ``make_catalog`` has them."""
    return make_catalog(**(LISTED | changes))
