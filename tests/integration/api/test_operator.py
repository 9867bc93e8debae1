"""The operator's routes: catalogue, rate decks, tenants, connections, quarantine."""

from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.ports import Parked
from billing.services.upload_deck import DECK_LEAD
from integration.api.client import (
    ACME,
    CATALOG,
    DECK,
    NOW,
    OPERATOR,
    RATES,
    Reply,
    World,
    a_tenant_body,
    seeded,
)

CSV = {"Content-Type": "text/csv"}
SECRET = "0123456789abcdef"
CONNECTION: dict[str, Any] = {
    "provider": "twilio",
    "secret": SECRET,
    "account": {"tenant": "acme", "account": "main"},
    "accounts": {"AC01": {"tenant": "globex", "account": "default"}},
}


@pytest.fixture
def world() -> World:
    return seeded()


def put(world: World, path: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
    return world.call("PUT", path, body, token=OPERATOR, headers=headers)


# Catalogue


def test_the_first_catalogue_needs_no_precondition_and_later_ones_do() -> None:
    world = World()
    assert world.call("GET", "/v1/catalog", token=OPERATOR).status == 404
    first = put(world, "/v1/catalog", CATALOG, {"If-None-Match": "*"})
    assert (first.status, first.headers["etag"], first.body["version"]) == (201, '"1"', 1)
    assert put(world, "/v1/catalog", CATALOG, {"If-None-Match": "*"}).code == "stale_settings"
    assert put(world, "/v1/catalog", CATALOG).code == "precondition_required"
    second = put(world, "/v1/catalog", CATALOG, {"If-Match": '"1"'})
    assert (second.status, second.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize("tag", ['"1", "7"', '"7","1"'])
def test_one_of_several_tags_may_match(world: World, tag: str) -> None:
    assert put(world, "/v1/catalog", CATALOG, {"If-Match": tag}).status == 200


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"2"', 412), ('"0"', 412), ("1", 412), ('W/"1"', 412), ("*", 428), ("", 428)],
)
def test_another_tag_does_not(world: World, tag: str, status: int) -> None:
    assert put(world, "/v1/catalog", CATALOG, {"If-Match": tag}).status == status


def test_a_catalogue_is_validated_as_a_whole(world: World) -> None:
    plan = CATALOG["plans"][0]
    twice = {**CATALOG, "plans": [plan, plan]}
    found = put(world, "/v1/catalog", twice, {"If-Match": '"1"'})
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/plans/1/plan")
    assert world.call("GET", "/v1/catalog", token=OPERATOR).body["version"] == 1


@pytest.mark.parametrize(
    "quantity", [0, -1, 10**12 + 1, 1.5, "1", True, None, 10**126, float("1e126")]
)
def test_a_quantity_out_of_bounds_is_refused(world: World, quantity: object) -> None:
    grant = {"grant": "m", "unit": "voice_seconds", "quantity": quantity}
    body = {"terms_version": "1", "plans": [{"plan": "p", "name": "P", "grants": [grant]}]}
    found = put(world, "/v1/catalog", body, {"If-Match": '"1"'})
    assert found.body["errors"][0]["pointer"] == "/plans/0/grants/0/quantity"


# Rate decks


def upload(world: World, body: str = RATES, deck: str = DECK, **query: str) -> Reply:
    return world.call(
        "PUT",
        f"/v1/rate-decks/{deck}",
        body,
        token=OPERATOR,
        headers=CSV,
        **{"currency": "USD", **query},
    )


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


def test_a_further_version_takes_effect_after_its_lead(world: World) -> None:
    dearer = RATES.replace("0.60", "0.70")
    early = upload(world, dearer, effective_at=at(DECK_LEAD.seconds - 1))
    assert (early.status, early.body["errors"][0]["pointer"]) == (422, "/effective_at")
    found = upload(world, dearer, effective_at=at(DECK_LEAD.seconds))
    assert (found.status, found.body["version"]) == (201, 2)
    deck = world.call("GET", f"/v1/rate-decks/{DECK}", token=OPERATOR).body
    assert (deck["current"]["version"], deck["latest"]["version"]) == (1, 2)


def test_without_a_date_it_takes_effect_as_soon_as_it_can(world: World) -> None:
    found = upload(world, RATES.replace("0.60", "0.70"))
    assert found.body["effective_at"] == "2026-03-14T12:02:00Z"


def test_the_same_upload_again_is_the_same_version(world: World) -> None:
    again = upload(world, effective_at="2026-01-01T00:00:00Z")
    assert (again.status, again.body["version"]) == (200, 1)
    undated = upload(world, RATES + "\n")
    assert (undated.status, undated.body["version"]) == (200, 1)


def test_a_bad_deck_names_line_and_column(world: World) -> None:
    found = upload(world, RATES + "44,United Kingdom,free,0,60,60\n")
    assert (found.status, found.code) == (422, "invalid_rate_deck")
    (error,) = found.body["errors"]
    assert (error["line"], error["column"], error["pointer"]) == (3, "rate", "/3/rate")
    versions = world.call("GET", f"/v1/rate-decks/{DECK}/versions", token=OPERATOR)
    assert len(versions.body["data"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"currency": "usd"},
        {"currency": "EUR"},
        {"rounding": "nearest"},
        {"decimals": "7"},
        {"decimals": "-1"},
        {"effective_at": "2026-03-15"},
        {"effective_at": "2026-03-15T00:00:00"},
        {"effective_at": "9999-12-31T23:59:59-12:00"},
    ],
)
def test_terms_that_cannot_be_are_refused(world: World, query: dict[str, Any]) -> None:
    found = upload(world, RATES.replace("0.60", "0.70"), **query)
    assert found.status == 422
    assert found.body["errors"][0]["pointer"] == f"/{next(iter(query))}"


def test_an_upload_is_csv(world: World) -> None:
    path = f"/v1/rate-decks/{DECK}"
    found = world.call("PUT", path, RATES, token=OPERATOR, currency="USD")
    assert found.code == "unsupported_media_type"


def test_a_large_deck_is_read(world: World) -> None:
    header, *_ = RATES.splitlines()
    rows = "".join(f"1{n},Destination {n:07d},0.01,0,60,60\n" for n in range(10_000))
    found = upload(world, f"{header}\n{rows}", deck="large")
    assert (found.status, found.body["rates"]) == (201, 10_000)


def test_a_quote_shows_every_step_and_charges_nothing(world: World) -> None:
    before = world.book.account(ACME)
    found = world.call(
        "POST",
        f"/v1/rate-decks/{DECK}/quote",
        {"to": "+14155550100", "duration_seconds": 61},
        token=OPERATOR,
    )
    assert found.status == 200
    assert found.body["prefix"] == "1"
    assert found.body["billed_seconds"] == 120
    assert "billed_messages" not in found.body
    assert [line["amount"]["amount"] for line in found.body["lines"]] == ["0.6", "0.6"]
    assert found.body["total"] == {"amount": "1.20", "currency": "USD"}
    assert world.book.account(ACME) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "+4915112345678", "duration_seconds": 1}, "destination_not_rated"),
        (
            {
                "to": "+14155550100",
                "duration_seconds": 1,
                "answered_at": "2025-12-31T23:59:59Z",
            },
            "no_rate_deck",
        ),
        ({"to": "+14155550100"}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": 1, "messages": 1}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": 1, "unit": "messages"}, "invalid_input"),
        ({"to": "14155550100", "duration_seconds": 1}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": -1}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": 10**7 + 1}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": 1.0}, "invalid_input"),
        ({"to": "+14155550100", "duration_seconds": "1"}, "invalid_input"),
    ],
)
def test_what_cannot_be_quoted_is_refused(world: World, body: dict[str, object], code: str) -> None:
    found = world.call("POST", f"/v1/rate-decks/{DECK}/quote", body, token=OPERATOR)
    assert (found.status, found.code) == (422, code)


@pytest.mark.parametrize("path", ["", "/versions"])
def test_an_unknown_deck_is_not_found(world: World, path: str) -> None:
    assert world.call("GET", f"/v1/rate-decks/none{path}", token=OPERATOR).status == 404


# Tenants


def post_tenant(world: World, body: Any, key: str | None = None) -> Reply:
    headers = {"Idempotency-Key": key} if key else {}
    return world.call("POST", "/v1/tenants", body, token=OPERATOR, headers=headers)


def test_a_tenant_opens_with_its_first_account(world: World) -> None:
    found = post_tenant(world, a_tenant_body("initech"))
    assert found.status == 201
    assert found.headers["location"] == "https://billing.example.com/v1/tenants/initech"
    assert found.body["account"]["account"] == "main"
    account = world.call(
        "GET",
        "/v1/accounts/default",
        token=OPERATOR,
        headers={"Talktime-Tenant": "initech"},
    )
    assert account.body["plan"] == {"plan": "growth", "name": "Growth", "catalog_version": 1}
    assert account.body["balance"]["settled"] == {"amount": "0.00", "currency": "USD"}


def test_the_same_key_answers_the_same_again(world: World) -> None:
    first = post_tenant(world, a_tenant_body("initech"), "k")
    world.clock.advance(timedelta(days=40))
    again = post_tenant(world, a_tenant_body("initech"), "k")
    assert (again.status, again.text) == (first.status, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = post_tenant(world, {**a_tenant_body("initech"), "name": "Other"}, "k")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_a_tenant_opens_once(world: World) -> None:
    for key in (None, "k"):
        found = post_tenant(world, a_tenant_body("acme"), key)
        assert (found.status, found.code) == (409, "conflict")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", "XYZ"),
        ("currency", "usd"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("plan", "none"),
        ("billing_day", 0),
        ("billing_day", 32),
        ("billing_day", True),
        ("rate_deck", "a#b"),
        ("account", "default"),
        ("account", "a#b"),
        ("account", ""),
        ("name", "two\nlines"),
        ("name", "\x00"),
        ("name", "\u202egnp"),
        ("name", "n" * 201),
    ],
)
def test_a_term_that_cannot_be_is_named(world: World, name: str, value: object) -> None:
    body = a_tenant_body("initech")
    body["account"][name] = value
    found = post_tenant(world, body)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, f"/account/{name}")
    assert world.call("GET", "/v1/tenants/initech", token=OPERATOR).status == 404


def test_there_is_no_tenant_before_a_catalogue() -> None:
    found = post_tenant(World(), a_tenant_body("acme"))
    assert (found.status, found.code) == (409, "no_catalog")


def test_a_tenant_is_renamed_by_who_has_seen_it(world: World) -> None:
    path = "/v1/tenants/acme"
    etag = world.call("GET", path, token=OPERATOR).headers["etag"]

    def patch(headers: dict[str, str]) -> Reply:
        return world.call("PATCH", path, {"name": "Açme 🛰"}, token=OPERATOR, headers=headers)

    assert patch({}).code == "precondition_required"
    assert patch({"If-Match": '"9"'}).code == "stale_settings"
    assert patch({"If-Match": etag}).body["name"] == "Açme 🛰"
    assert patch({"If-Match": etag}).code == "stale_settings"


def test_tenants_are_listed_page_by_page(world: World) -> None:
    for number in range(5):
        post_tenant(world, a_tenant_body(f"tenant-{number}"))
    names: list[str] = []
    query: dict[str, Any] = {"limit": "3"}
    while True:
        found = world.call("GET", "/v1/tenants", token=OPERATOR, **query)
        names += [row["tenant"] for row in found.body["data"]]
        if found.body["next_cursor"] is None:
            assert "link" not in found.headers
            break
        query["cursor"] = found.body["next_cursor"]
        expected = f'{query["cursor"]}>; rel="next"'
        assert found.headers["link"].endswith(expected)
        assert found.headers["link"].startswith("<https://billing.example.com/v1/tenants?")
    assert names == sorted(names)
    assert len(names) == 7


# Connections


def test_a_secret_goes_in_and_never_comes_out(world: World) -> None:
    created = put(world, "/v1/connections/twilio", CONNECTION, {"If-None-Match": "*"})
    assert created.status == 201
    for found in (
        created,
        world.call("GET", "/v1/connections/twilio", token=OPERATOR),
        world.call("GET", "/v1/connections", token=OPERATOR),
    ):
        assert SECRET not in found.text
    stored = world.connections.get("twilio")
    assert stored.secrets == (SECRET,)
    assert stored.account_for("AC01") == AccountRef("globex", "main")
    assert stored.account_for("AC02") == ACME


def test_a_change_without_a_secret_keeps_it(world: World) -> None:
    etag = put(world, "/v1/connections/twilio", CONNECTION).headers["etag"]
    change = {"provider": "twilio", "account": None}
    found = put(world, "/v1/connections/twilio", change, {"If-Match": etag})
    assert (found.status, found.body["account"]) == (200, None)
    assert world.connections.get("twilio").secrets == (SECRET,)
    assert put(world, "/v1/connections/twilio", change).code == "precondition_required"
    stale = put(world, "/v1/connections/twilio", change, {"If-Match": etag})
    assert stale.code == "stale_settings"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"secret": None}, "/secrets"),
        ({"secret": None, "secrets": [SECRET, SECRET]}, "/secrets"),
        ({"secret": None, "secrets": [SECRET, SECRET + "1", SECRET + "2"]}, "/secrets"),
        ({"secrets": [SECRET]}, "/secret"),
        ({"secret": "short"}, "/secret"),
        ({"account": {"tenant": "acme", "account": "none"}}, "/account"),
        ({"account": {"tenant": "none", "account": "default"}}, "/account"),
        ({"accounts": {"AC": {"tenant": "acme", "account": "none"}}}, "/accounts/AC"),
        ({"provider": "carrier-pigeon"}, "/provider"),
    ],
)
def test_a_connection_that_cannot_be_is_refused(
    world: World, change: dict[str, object], pointer: str
) -> None:
    found = put(world, "/v1/connections/twilio", {**CONNECTION, **change})
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)
    assert SECRET not in found.text


def test_a_connection_is_forgotten(world: World) -> None:
    put(world, "/v1/connections/twilio", CONNECTION)
    path = "/v1/connections/twilio"
    assert world.call("DELETE", path, token=OPERATOR).status == 204
    assert world.call("DELETE", path, token=OPERATOR).status == 404


# Quarantine


def test_the_quarantine_says_why(world: World) -> None:
    event: dict[str, Json] = {"to": "+4915112345678", "call_id": "CA1"}
    parked = Parked("0" * 32, "destination_not_rated", "no price", "twilio", ACME, event, NOW)
    world.quarantine.park(parked)
    (row,) = world.call("GET", "/v1/quarantine", token=OPERATOR).body["data"]
    assert row == {
        "id": "0" * 32,
        "reason": "destination_not_rated",
        "detail": "no price",
        "connection": "twilio",
        "account": {"tenant": "acme", "account": "main"},
        "event": event,
        "usage": None,
        "parked_at": "2026-03-14T12:00:00Z",
        "state": "parked",
        "attempts": 0,
        "returned_at": None,
        "closed_at": None,
        "parked_as": None,
        "version": 1,
    }
