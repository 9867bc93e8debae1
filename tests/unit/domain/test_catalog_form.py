"""Any catalogue that can be sold from is stored, and reads back as it was."""

import json
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import PlanFeatures
from billing.domain.catalog import Catalog, Plan
from billing.domain.catalog_form import from_json, to_json
from billing.domain.catalog_rules import make_catalog
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.selling import (
    Bundle,
    Contact,
    Contacts,
    DowngradePolicy,
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
from billing.domain.selling_form import contacts_json
from billing.domain.units import Direction, Unit
from catalogs import LISTED, a_catalog

TAXES = (TaxRate("vat", "VAT", 200_000), TaxRate("none", "Exempt", 0))
KINDS = ("seat", "port")

ids = st.text("abzABZ019_-", min_size=1, max_size=20)
names = st.text("aß漢字 ☎é&'\"", min_size=1, max_size=12).map(str.strip).filter(bool)
taxes = st.sampled_from(("", "vat", "none"))
minor = st.integers(0, 10**6).map(lambda units: units * 10_000)


@st.composite
def prices(draw: st.DrawFn, tax: str | None = None) -> Price:
    """In dollars and euros, either way round, or free."""
    currencies = draw(st.sampled_from(((), ("USD", "EUR"), ("EUR", "USD"))))
    return Price(tuple((one, draw(minor)) for one in currencies), tax or draw(taxes))


@st.composite
def recurring_prices(draw: st.DrawFn) -> RecurringPrice:
    month = draw(prices())
    if not month.amounts or draw(st.booleans()):
        return RecurringPrice(month)
    return RecurringPrice(
        month, Price(tuple((c, draw(minor)) for c, _ in month.amounts), month.tax)
    )


scopes = st.none() | st.builds(
    Scope, st.none() | st.sampled_from(Direction), st.lists(st.sampled_from(("1", "44"))).map(tuple)
)


def grants(ids: st.SearchStrategy[str]) -> st.SearchStrategy[RecurringGrant]:
    return st.builds(
        RecurringGrant,
        ids,
        st.sampled_from((*Unit, Unit("recordings"))),
        st.integers(1, 10**12),
        st.integers(0, 1_000),
        st.integers(0, 10**12),
        scopes,
    ) | st.builds(
        RecurringGrant, ids, st.just(Unit.VOICE_SECONDS), st.just(0), unlimited=st.just(True)
    )


plans = st.builds(
    Plan,
    ids,
    names,
    st.lists(grants(ids), max_size=2, unique_by=lambda one: one.recurring_id).map(tuple),
    st.builds(PlanFeatures, st.none() | st.integers(1, 100), st.integers(0, 100)),
    recurring_prices(),
    st.lists(
        st.builds(
            UnitTerms,
            st.sampled_from(KINDS),
            st.integers(5, 9),
            st.integers(0, 5),
            recurring_prices(),
        ),
        max_size=2,
        unique_by=lambda unit: unit.kind,
    ).map(tuple),
    st.integers(0, 5),
    st.none() | st.integers(5, 9),
)
seats = st.builds(
    LicenceKind, st.just("seat"), names, st.just(LicenceMode.NAMED), st.sampled_from(OnInvite)
)
ports = st.builds(
    LicenceKind, st.just("port"), names, st.just(LicenceMode.POOLED), needs_assignment=st.booleans()
)
bundles = st.builds(
    Bundle,
    ids,
    names,
    st.sampled_from(Unit),
    st.integers(1, 10**12),
    prices(),
    st.none() | st.integers(1, 365),
    st.integers(0, 200),
    scopes,
)
packages = st.builds(
    Package,
    ids,
    names,
    # No plan's grant begins so.
    grants(ids.map("of-package-{}".format)).map(lambda grant: (grant,)),
    recurring_prices(),
)
number_types = st.builds(
    NumberType,
    ids,
    names,
    st.sampled_from((("voice",), ("voice", "sms"))),
    prices("vat"),
    prices("vat"),
)
rising = st.lists(st.integers(1, 29), min_size=1, max_size=4, unique=True).map(sorted).map(tuple)
contacts = st.builds(
    Contact,
    st.just("") | names,
    st.sampled_from(("", "sales@example.com")),
    st.sampled_from(("", "+49 30 1234-567")),
    st.sampled_from(("", "https://example.com/sales?from=billing")),
)


def listed(one: st.SearchStrategy[Any], name: str) -> st.SearchStrategy[Any]:
    return st.lists(one, max_size=2, unique_by=lambda found: getattr(found, name)).map(tuple)


catalogs = st.builds(
    make_catalog,
    st.text("aZ9-. é", min_size=1, max_size=64),
    st.lists(plans, min_size=1, max_size=2, unique_by=lambda plan: plan.plan_id),
    licences=st.tuples(seats, ports),
    bundles=listed(bundles, "bundle_id"),
    packages=st.just(()) | packages.map(lambda one: (one,)),
    products=listed(st.builds(Product, ids, names, prices()), "product_id"),
    number_types=listed(number_types, "type_id"),
    tax_rates=st.just(TAXES),
    storage=st.builds(
        StorageRule, st.integers(0, 999), st.integers(0, 9), st.integers(0, 99), prices()
    ),
    dunning=st.builds(DunningRule, rising, st.integers(0, 30), st.booleans()),
    number_rule=st.builds(NumberRule, st.integers(30, 90), rising.map(lambda days: days[::-1])),
    downgrade=st.sampled_from(DowngradePolicy),
    contacts=st.builds(Contacts, contacts, contacts, contacts),
    terms_url=st.sampled_from(("", "https://example.com/terms")),
    terms_text=st.sampled_from(("", "1. Be fair.\n2. Pay.\n")),
    existing_from=st.none() | st.dates(date(2026, 1, 1), date(2030, 12, 31)),
    quote_minutes=st.integers(1, 1_440),
)


@settings(max_examples=60, deadline=None)
@given(catalogs)
def test_what_is_stored_reads_back_the_same_in_the_same_order(catalog: Catalog) -> None:
    read = from_json(json.loads(json.dumps(to_json(catalog))))
    assert read == catalog
    for name in ("plans", "bundles", "products", "number_types"):
        assert list(getattr(read, name)) == list(getattr(catalog, name))


def test_one_of_everything_reads_back_the_same() -> None:
    catalog = a_catalog(existing_from=date(2026, 5, 1), quote_minutes=60)
    assert from_json(json.loads(json.dumps(to_json(catalog)))) == catalog


def test_what_says_nothing_is_left_out() -> None:
    assert to_json(make_catalog("1", (Plan("free", "Free"),))) == {
        "terms_version": "1",
        "plans": [{"plan": "free", "name": "Free", "grants": []}],
    }


BEFORE = {
    "terms_version": "2025-12",
    "plans": [
        {
            "plan": "growth",
            "name": " Growth ",
            "grants": [
                {
                    "grant": "minutes",
                    "unit": "voice_seconds",
                    "quantity": 600,
                    "priority": 100,
                    "rollover_limit": 60,
                }
            ],
            "features": {"concurrent_calls": None, "queue_priority": 3},
        }
    ],
}


def test_a_document_from_before_there_were_prices_reads_and_stays_as_it_is() -> None:
    catalog = from_json(BEFORE)
    minutes = RecurringGrant("minutes", Unit.VOICE_SECONDS, 600, rollover_limit=60)
    growth = Plan("growth", " Growth ", (minutes,), PlanFeatures(queue_priority=3))
    assert catalog == Catalog("2025-12", {"growth": growth})
    assert to_json(catalog) == BEFORE


def test_contacts_are_shown_as_far_as_they_are_known() -> None:
    assert contacts_json(LISTED["contacts"]) == {
        "sales": {
            "name": "Sales desk",
            "email": "sales@example.com",
            "phone": "+1 212 555 0100",
        },
        "account_manager": {"name": "Dolores Ipsum", "url": "https://example.com/dolores"},
    }
    assert contacts_json(Contacts()) == {}
