"""The catalogue through the API: all of it, every version of it, and what one account sees."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from billing.domain.catalog import Catalog
from billing.domain.selling import Interval
from catalogs import a_catalog
from integration.api.client import (
    ADMIN,
    CATALOG,
    MEMBER,
    OPERATOR,
    Reply,
    World,
    a_tenant_body,
    seeded,
)
from local.demo_catalog import CATALOG as DEMO

PRICED = {
    "plan": "priced",
    "name": "Priced",
    "price": {"month": {"USD": "99.00", "EUR": "89.5"}, "year": {"USD": "990"}},
    "tax": "vat",
    "units": [
        {
            "licence": "seat",
            "included": 1,
            "price": {"month": {"USD": "25.00", "EUR": "23.00"}},
            "tax": "vat",
        }
    ],
}
FULL: dict[str, Any] = {
    **CATALOG,
    "plans": [*CATALOG["plans"], PRICED],
    "tax_rates": [{"tax": "vat", "name": "VAT 20 %", "percentage": "20.0"}],
    "licences": [{"licence": "seat", "name": "Seat", "mode": "named", "on_invite": "add_unit"}],
    "bundles": [
        {"bundle": "b", "name": "B", "unit": "messages", "quantity": 5, "price": {"EUR": "1.00"}}
    ],
    "contacts": {"sales": {"email": "sales@example.com"}},
}


@pytest.fixture
def world() -> World:
    return seeded()


def put(world: World, catalog: dict[str, Any], seen_version: int = 1) -> Reply:
    headers = {"If-Match": f'"{seen_version}"'}
    return world.call("PUT", "/v1/catalog", catalog, token=OPERATOR, headers=headers)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full catalogue, with one value of it replaced."""
    catalog = deepcopy(FULL)
    *parents, last = path.split("/")
    place: Any = catalog
    for part in parents:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(last) if isinstance(place, list) else last] = value
    return catalog


PAGE = (Path(__file__).parents[3] / "docs/catalog.md").read_text()
(EXAMPLE,) = (json.loads(block) for block in re.findall("```json\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize(
    "catalog", [FULL, DEMO, EXAMPLE], ids=["small", "the demo's", "the documentation's"]
)
def test_what_is_put_is_read_and_can_be_put_again(world: World, catalog: dict[str, Any]) -> None:
    saved = put(world, catalog)
    assert saved.status == 200, saved.text
    read = world.call("GET", "/v1/catalog", token=OPERATOR)
    assert read.body == saved.body
    again = {name: value for name, value in read.body.items() if name != "version"}
    kept = world.talktime.catalogs.current().catalog
    assert put(world, again, 2).body == {**read.body, "version": 3}
    assert world.talktime.catalogs.current().catalog == kept


def test_the_documentations_example_is_shown_as_it_is_written(world: World) -> None:
    """But for defaults, which say nothing, and the decimals of amounts."""
    shown = put(world, EXAMPLE).body
    assert set(EXAMPLE) - set(shown) == {"quote_minutes", "numbers"}
    for name in ("licences", "bundles", "number_types", "tax_rates", "contacts", "existing_from"):
        without = {"priority": 100} if name == "bundles" else {}
        written = EXAMPLE[name]
        if isinstance(written, list):
            written = [without | one for one in written]
        assert shown[name] == written


def test_prices_are_exact_in_each_currency(world: World) -> None:
    put(world, FULL)
    plan = world.talktime.catalogs.current().catalog.plans["priced"]
    assert plan.price.micros("EUR", Interval.MONTH) == 89_500_000
    assert plan.price.micros("USD", Interval.YEAR) == 990_000_000
    shown = world.call("GET", "/v1/catalog", token=OPERATOR).body["plans"][1]
    assert shown["price"] == {
        "month": {"USD": "99.00", "EUR": "89.50"},
        "year": {"USD": "990.00"},
    }
    assert shown["tax"] == "vat"


def test_what_says_nothing_is_not_shown(world: World) -> None:
    found = world.call("GET", "/v1/catalog", token=OPERATOR).body
    assert set(found) == {"version", "terms_version", "plans"}


@pytest.mark.parametrize(
    ("path", "value", "pointers"),
    [
        pytest.param(
            "plans/1/price/month/USD",
            99,
            ["plans/1/price/month/USD"],
            id="a price that is a number",
        ),
        pytest.param(
            "plans/1/price/month/USD", "1e3", ["plans/1/price/month/USD"], id="an exponent"
        ),
        pytest.param(
            "plans/1/price/month/USD", "-1.00", ["plans/1/price/month/USD"], id="less than nothing"
        ),
        pytest.param(
            "plans/1/price/month/USD", "0.001", ["plans/1/price/month/USD"], id="below a cent"
        ),
        pytest.param(
            "plans/1/price/month/usd",
            "1.00",
            ["plans/1/price/month/usd"],
            id="no currency",
        ),
        pytest.param("plans/1/tax", "gst", ["plans/1/tax"], id="no tax rate"),
        pytest.param("plans/1/seats", [], ["plans/1/seats"], id="a field that is none"),
        pytest.param(
            "plans/1/units/0/licence", "seats", ["plans/1/units/0/licence"], id="no licence"
        ),
        pytest.param(
            "tax_rates/0/percentage", "100.01", ["tax_rates/0/percentage"], id="more than all"
        ),
        pytest.param("tax_rates/0/percentage", "20%", ["tax_rates/0/percentage"], id="a sign"),
        pytest.param("bundles/0/quantity", 0, ["bundles/0/quantity"], id="a bundle of nothing"),
        pytest.param(
            "bundles/0/scope", {"prefixes": ["x"]}, ["bundles/0/scope/prefixes"], id="no prefix"
        ),
        pytest.param(
            "contacts/sales/email", "a@b\r\n", ["contacts/sales/email"], id="a header's end"
        ),
        pytest.param("terms_url", "http://example.com", ["terms_url"], id="in the clear"),
        pytest.param("existing_from", "soon", ["existing_from"], id="no day"),
        pytest.param("existing_from", "2026-03-15", ["existing_from"], id="begun somewhere"),
        pytest.param("storage", {"price": {"USD": "30.00"}}, ["storage/price"], id="not in euros"),
    ],
)
def test_what_cannot_be_sold_names_its_fields(
    world: World, path: str, value: Any, pointers: list[str]
) -> None:
    found = put(world, changed(path, value))
    assert (found.status, found.code) == (422, "invalid_input")
    assert [error["pointer"] for error in found.body["errors"]] == [f"/{one}" for one in pointers]
    assert world.call("GET", "/v1/catalog", token=OPERATOR).body["version"] == 1


def test_all_faults_are_named_at_once(world: World) -> None:
    catalog = changed("bundles/0/quantity", -1)
    catalog["plans"][1]["grants"] = [{"grant": "none", "unit": "messages"}]
    catalog["contacts"]["sales"]["phone"] = "call us"
    errors = put(world, catalog).body["errors"]
    assert {error["pointer"] for error in errors} == {
        "/plans/1/grants/0/quantity",
        "/contacts/sales/phone",
        "/bundles/0/quantity",
    }


def test_the_first_day_for_existing_subscriptions_has_begun_nowhere(world: World) -> None:
    assert put(world, {**FULL, "existing_from": "2026-03-16"}).status == 200


def test_terms_that_change_have_a_new_version(world: World) -> None:
    assert put(world, {**FULL, "terms_text": "1. Pay."}).status == 200
    found = put(world, {**FULL, "terms_text": "1. Pay twice."}, 2)
    assert (found.status, found.code) == (422, "invalid_input")
    assert [error["pointer"] for error in found.body["errors"]] == ["/terms_version"]
    assert put(world, FULL, 2).status == 422, "they cannot be taken away either"
    renamed = {**FULL, "terms_version": "2026-02", "terms_text": "1. Pay twice."}
    assert put(world, renamed, 2).status == 200


def test_every_version_stays_as_it_was(world: World) -> None:
    first = world.call("GET", "/v1/catalog", token=OPERATOR).body
    put(world, {**FULL, "existing_from": "2026-05-01"})
    assert world.call("GET", "/v1/catalog/versions/1", token=OPERATOR).body == first
    found = world.call("GET", "/v1/catalog/versions", token=OPERATOR).body
    assert found == {
        "data": [
            {
                "version": 2,
                "terms_version": "2026-01",
                "existing_from": "2026-05-01",
                "plans": ["growth", "priced"],
            },
            {
                "version": 1,
                "terms_version": "2026-01",
                "existing_from": None,
                "plans": ["growth"],
            },
        ],
        "next_cursor": None,
    }


def test_versions_are_listed_page_by_page(world: World) -> None:
    put(world, FULL)
    put(world, FULL, 2)
    first = world.call("GET", "/v1/catalog/versions", token=OPERATOR, limit="2").body
    assert [row["version"] for row in first["data"]] == [3, 2]
    cursor = first["next_cursor"]
    rest = world.call("GET", "/v1/catalog/versions", token=OPERATOR, limit="2", cursor=cursor).body
    assert [row["version"] for row in rest["data"]] == [1]
    assert rest["next_cursor"] is None


def test_there_are_no_versions_before_the_first() -> None:
    found = World().call("GET", "/v1/catalog/versions", token=OPERATOR)
    assert (found.status, found.body["data"]) == (200, [])


@pytest.mark.parametrize("version", ["0", "2", "01", "-1", "current", "1.0", "999999999"])
def test_a_version_that_never_was_is_not_found(world: World, version: str) -> None:
    found = world.call("GET", f"/v1/catalog/versions/{version}", token=OPERATOR)
    assert (found.status, found.code) == (404, "not_found")


# What an account sees


def offers(world: World, tenant: str = "acme") -> Any:
    token, headers = OPERATOR, {"Talktime-Tenant": tenant}
    found = world.call("GET", "/v1/accounts/default/offers", token=token, headers=headers)
    assert found.status == 200, found.text
    return found.body


def sell(world: World, catalog: Catalog, *tenants: tuple[str, str, str]) -> None:
    """The catalogue, and tenants with their currency and their plan."""
    current = world.talktime.save_catalog.current_version()
    world.talktime.catalogs.save(catalog, current)
    for tenant, currency, plan in tenants:
        body = a_tenant_body(tenant)
        body["account"] |= {"currency": currency, "plan": plan, "rate_deck": f"{plan}-{currency}"}
        opened = world.call(
            "POST", "/v1/tenants", body, token=OPERATOR, headers={"Idempotency-Key": tenant}
        )
        assert opened.status == 201, opened.text


def test_an_account_sees_what_it_can_buy_and_in_its_own_currency(world: World) -> None:
    sell(world, a_catalog(), ("umbrella", "EUR", "growth"))
    found = offers(world, "umbrella")
    assert (found["account"], found["currency"], found["catalog_version"]) == ("main", "EUR", 2)
    starter, growth = found["plans"]
    assert (starter["is_current"], growth["is_current"]) == (False, True)
    vat = {"tax": "vat", "name": "VAT 20 %", "percentage": "20"}
    euros = {"currency": "EUR"}
    assert growth["price"] == {
        "month": {"amount": "89.00", **euros},
        "year": {"amount": "890.00", **euros},
        "tax": vat,
    }
    assert growth["most_numbers"] == 50
    crm, qa, dialler = found["licences"]
    assert crm == {
        "licence": "crm",
        "name": "CRM seat",
        "mode": "named",
        "on_invite": "add_unit",
        "needs_assignment": False,
        "included": 1,
        "minimum": 3,
        "price": {
            "month": {"amount": "23.00", **euros},
            "year": {"amount": "230.00", **euros},
            "tax": vat,
        },
    }
    assert qa["price"]["year"] == {"amount": "168.00", **euros}, "twelve months"
    assert dialler["included"] == 2
    assert found["storage"]["price"] == {"amount": "28.00", "tax": vat, **euros}
    dollars_only = ("bundles", "packages", "products", "number_types")
    assert [found[name] for name in dollars_only] == [[], [], [], []]


def test_an_account_in_dollars_sees_the_rest(world: World) -> None:
    sell(world, a_catalog(), ("umbrella", "USD", "starter"))
    found = offers(world, "umbrella")
    assert found["licences"] == [], "its plan sells none"
    assert [one["bundle"] for one in found["bundles"]] == ["minutes-300", "uk-100"]
    assert found["bundles"][0]["expires_after_days"] == 90
    assert found["bundles"][1]["scope"] == {"direction": None, "prefixes": ["44"]}
    toll_free, domestic = found["packages"]
    assert toll_free["price"]["year"]["amount"] == "200.00"
    assert domestic["grants"][0]["unlimited"]
    (training,) = found["products"]
    assert training["price"]["tax"]["percentage"] == "8.875"
    (local,) = found["number_types"]
    assert local["capabilities"] == ["voice", "sms"]
    assert (local["up_front"]["amount"], local["recurring"]["amount"]) == ("5.00", "2.00")
    assert found["terms"] == {
        "terms_version": "2026-01",
        "terms_url": "https://example.com/terms/2026-01",
        "terms_text": None,
    }
    assert found["contacts"]["sales"]["email"] == "sales@example.com"


def test_what_is_held_is_offered_as_it_was_sold(world: World) -> None:
    """More of it costs what the rest of it costs; what is bought apart from it costs what it costs
    today."""
    sell(world, a_catalog(), ("umbrella", "USD", "growth"))
    sell(world, a_catalog(plans=(a_catalog().plans["starter"],), licences=(), packages=()))
    found = offers(world, "umbrella")
    assert [one["plan"] for one in found["plans"]] == ["starter"]
    assert [one["licence"] for one in found["licences"]] == ["crm", "qa", "dialler"]
    assert len(found["packages"]) == 2
    assert found["catalog_version"] == 3


def test_a_catalogue_without_prices_offers_its_plans(world: World) -> None:
    found = offers(world)
    assert [one["plan"] for one in found["plans"]] == ["growth"]
    assert found["plans"][0]["price"]["month"] == {"amount": "0.00", "currency": "USD"}
    assert found["contacts"] == {}


def test_a_member_is_offered_nothing(world: World) -> None:
    found = world.call("GET", "/v1/accounts/default/offers", token=MEMBER)
    assert (found.status, found.code) == (403, "forbidden")


def test_whom_to_ask_stands_in_the_overview(world: World) -> None:
    assert world.call("GET", "/v1/accounts/default", token=ADMIN).body["contacts"] == {}
    put(world, FULL)
    for token in (ADMIN, MEMBER):
        found = world.call("GET", "/v1/accounts/default", token=token).body
        assert found["contacts"] == {"sales": {"email": "sales@example.com"}}


# The demo's


def test_the_demos_tenants_pay_no_fee_and_keep_their_grants(world: World) -> None:
    put(world, DEMO)
    catalog = world.talktime.catalogs.current().catalog
    granted = {
        plan: [
            (grant.recurring_id, grant.quantity) for grant in catalog.plans[plan].recurring_grants
        ]
        for plan in ("growth", "starter")
    }
    assert granted == {
        "growth": [("minutes", 18_000), ("texts", 20)],
        "starter": [("minutes", 6_000)],
    }
    for plan in granted:
        for interval in Interval:
            assert catalog.plans[plan].price.micros("USD", interval) == 0
        assert all(unit.minimum == 0 for unit in catalog.plans[plan].units)
