"""What holds for every route: problems, headers, limits, preflights, and the one table of codes."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from api import limits
from api.app import allowed_at
from api.handler import handle
from api.problems import INTERNAL_CODES, KINDS
from api.routes import ENDPOINTS
from billing.domain.errors import TalktimeError
from integration.api.client import (
    ADMIN,
    CATALOG,
    NOW,
    OPERATOR,
    ORIGIN,
    RECHARGE,
    SOURCE,
    World,
    an_event,
    reply,
    seeded,
)

CARD = "4242 4242 4242 4242"


@pytest.fixture
def world() -> World:
    return seeded()


def test_health_needs_no_token(world: World) -> None:
    found = world.call("GET", "/health")
    assert (found.status, found.body) == (200, {"status": "ok"})


def test_every_answer_carries_its_request_id_and_is_not_stored(world: World) -> None:
    for found in (
        world.call("GET", "/health"),
        world.call("GET", "/nowhere"),
        world.call("GET", "/v1/catalog"),
        world.call("GET", "/v1/catalog", token=OPERATOR),
        world.call("OPTIONS", "/v1/catalog"),
    ):
        assert found.headers["x-request-id"] == "request-1"
        assert found.headers["cache-control"] == "no-store"


def test_an_unknown_path_is_a_problem(world: World) -> None:
    found = world.call("GET", "/v1/nowhere", token=OPERATOR)
    assert (found.status, found.code) == (404, "not_found")
    assert set(found.body) == {"type", "title", "status", "detail", "code", "request_id"}


def test_another_method_is_a_problem_that_names_those_allowed(world: World) -> None:
    found = world.call("DELETE", "/v1/catalog", token=OPERATOR)
    assert (found.status, found.code) == (405, "method_not_allowed")
    assert found.headers["allow"] == "GET, PUT, OPTIONS"


def test_an_id_that_no_id_can_be_is_not_found(world: World) -> None:
    for name in ('a"b', "a\\b", "a\nb", "%00", "a#b", "..", "ä" * 300):
        found = world.call("GET", f"/v1/accounts/{name}", token=ADMIN)
        assert (found.status, found.code) == (404, "not_found"), name


def test_every_endpoint_is_found_by_its_own_method() -> None:
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{", "").replace("}", "")
        assert endpoint.method in allowed_at(path)


def test_a_preflight_needs_no_token(world: World) -> None:
    found = world.call("OPTIONS", "/v1/accounts/main/recharges", headers={"Origin": ORIGIN})
    assert (found.status, found.text) == (204, "")
    assert found.headers["access-control-allow-origin"] == ORIGIN
    assert found.headers["access-control-allow-methods"] == "GET, POST"
    assert "Idempotency-Key" in found.headers["access-control-allow-headers"]


def test_only_listed_origins_are_answered(world: World) -> None:
    for path in ("/health", "/v1/catalog"):
        known = world.call("GET", path, headers={"Origin": ORIGIN})
        assert known.headers["access-control-allow-origin"] == ORIGIN
        other = world.call("GET", path, headers={"Origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "Origin"


def put_catalog(world: World, body: str, **event: Any) -> tuple[int, str]:
    sent = an_event("PUT", "/v1/catalog", body, token=OPERATOR, headers={"If-Match": '"1"'})
    found = reply(handle({**sent, **event}, world.app))
    return found.status, "" if found.status < 300 else found.code


DEEP = "[" * 40 + "]" * 40


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("", "invalid_json", id="no body"),
        pytest.param("{", "invalid_json", id="cut off"),
        pytest.param('{"a": NaN}', "invalid_json", id="not a number"),
        pytest.param('{"a": Infinity}', "invalid_json", id="infinity"),
        pytest.param('{"plans": [], "plans": []}', "invalid_json", id="the same key twice"),
        pytest.param(f'{{"a": {DEEP}}}', "invalid_json", id="nested too deeply"),
        pytest.param('{"a": "\\ud800"}', "invalid_json", id="a lone surrogate"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "invalid_json", id="a number without end"),
        pytest.param('"' + '\\"' * 100_000, "invalid_json", id="an unterminated string"),
    ],
)
def test_a_body_that_is_no_json_is_refused(world: World, body: str, code: str) -> None:
    assert put_catalog(world, body) == (400, code)


def test_brackets_in_text_do_not_nest(world: World) -> None:
    name = "[[" * 50 + '\\"'
    body = json.dumps(CATALOG).replace('"Growth"', f'"{name}"')
    assert put_catalog(world, body) == (200, "")


def test_a_body_that_is_not_utf_8_is_refused(world: World) -> None:
    body = base64.b64encode(b'{"a": "\xff"}').decode()
    assert put_catalog(world, body, isBase64Encoded=True) == (400, "invalid_json")


def test_a_body_in_base64_is_read(world: World) -> None:
    body = base64.b64encode(json.dumps(CATALOG).encode()).decode()
    assert put_catalog(world, body, isBase64Encoded=True) == (200, "")


def test_base64_that_is_none_is_refused(world: World) -> None:
    assert put_catalog(world, "%%%", isBase64Encoded=True) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(limits.JSON_BYTES, 200, id="at the limit"),
        pytest.param(limits.JSON_BYTES + 1, 413, id="one byte more"),
        pytest.param(limits.JSON_BYTES * 40, 413, id="far more"),
    ],
)
def test_a_body_is_read_up_to_its_limit(world: World, size: int, status: int) -> None:
    assert put_catalog(world, json.dumps(CATALOG).ljust(size))[0] == status


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="another type"),
        pytest.param({"Content-Encoding": "gzip"}, id="compressed"),
    ],
)
def test_another_media_type_is_refused(world: World, headers: dict[str, str]) -> None:
    sent = {"If-Match": '"1"', **headers}
    found = world.call("PUT", "/v1/catalog", CATALOG, token=OPERATOR, headers=sent)
    assert (found.status, found.code) == (415, "unsupported_media_type")


def test_a_schema_names_every_field_that_is_wrong(world: World) -> None:
    body = {
        "terms_version": 5,
        "plans": [{"plan": "a b", "name": "A", "grants": [{"grant": "m", "quantity": "5"}]}],
        "surprise": 1,
    }
    found = world.call("PUT", "/v1/catalog", body, token=OPERATOR, headers={"If-Match": '"1"'})
    assert (found.status, found.code) == (422, "invalid_input")
    assert [error["pointer"] for error in found.body["errors"]] == [
        "/terms_version",
        "/plans/0/plan",
        "/plans/0/grants/0/unit",
        "/plans/0/grants/0/quantity",
        "/surprise",
    ]


def test_an_unknown_parameter_is_refused(world: World) -> None:
    found = world.call("GET", "/v1/tenants", token=OPERATOR, colour="red")
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/colour")


def test_a_parameter_given_twice_is_refused(world: World) -> None:
    event = an_event("GET", "/v1/tenants", token=OPERATOR)
    found = reply(handle({**event, "rawQueryString": "limit=1&limit=2"}, world.app))
    assert (found.status, found.code) == (400, "invalid_request")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "1e1", " 5", "", "NaN", "9" * 40])
def test_a_limit_out_of_bounds_is_refused(world: World, limit: str) -> None:
    found = world.call("GET", "/v1/tenants", token=OPERATOR, limit=limit)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/limit")


CARDS = [
    pytest.param(CARD, id="with spaces"),
    pytest.param("4242424242424242", id="bare"),
    pytest.param("4242-4242-4242-4242", id="with dashes"),
    pytest.param("my card is 378282246310005, thanks", id="in a sentence"),
    pytest.param("tok_4242424242424242", id="as a token"),
    pytest.param("Visa4242424242424242", id="behind letters"),
    pytest.param("+4242424242424242", id="behind a plus sign"),
    pytest.param("6304000000000000000", id="nineteen digits"),
    pytest.param("4222222222222", id="thirteen digits"),
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("field", ["label", "token", "gateway", "surprise"])
def test_a_card_number_is_refused_in_any_field(world: World, card: str, field: str) -> None:
    found = world.call(
        "POST",
        "/v1/accounts/main/funding-sources",
        {**SOURCE, field: card},
        token=ADMIN,
        headers={"Idempotency-Key": "k"},
    )
    assert (found.status, found.code) == (422, "card_number_refused")
    assert_unseen(world, card, found.text)


def test_a_card_number_is_refused_wherever_it_hides(world: World) -> None:
    deep = {**RECHARGE, "note": {"a": [{"b": CARD}]}}
    as_name = {**RECHARGE, CARD: 1}
    for body in (deep, as_name):
        found = world.call("POST", "/v1/accounts/main/recharges", body, token=ADMIN)
        assert (found.status, found.code) == (422, "card_number_refused")
        assert_unseen(world, CARD, found.text)
    found = world.call("GET", "/v1/tenants", token=OPERATOR, cursor=CARD)
    assert (found.status, found.code) == (422, "card_number_refused")


def assert_unseen(world: World, card: str, answer: str) -> None:
    digits = "".join(filter(str.isdigit, card))
    for text in (answer, *map(repr, world.log.lines)):
        assert digits not in "".join(filter(str.isdigit, text.replace("request-1", "")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("4242424242424241", id="fails the check"),
        pytest.param("424242424242", id="twelve digits"),
        pytest.param("Order 2026-03-14 no 12", id="a date"),
        pytest.param("AC" + "4242424242424242" * 2, id="a provider's id"),
    ],
)
def test_other_numbers_are_no_cards(text: str) -> None:
    assert not limits.holds_card_number(text)


def test_a_phone_number_is_no_card_number(world: World) -> None:
    passing = next(
        number
        for number in (f"+1415555{n:04d}00" for n in range(1000))
        if limits.holds_card_number(number)
    )
    found = world.call(
        "POST",
        "/v1/rate-decks/retail-us/quote",
        {"to": passing, "duration_seconds": 1},
        token=OPERATOR,
    )
    assert found.status == 200


def every_error() -> Iterator[type[TalktimeError]]:
    found = [TalktimeError]
    while found:
        error = found.pop()
        yield error
        found += error.__subclasses__()


def test_every_error_has_a_status_or_is_never_answered() -> None:
    codes = {error.code for error in every_error()}
    assert codes - INTERNAL_CODES <= set(KINDS)
    assert not INTERNAL_CODES & set(KINDS)


def test_a_fault_is_a_problem_that_tells_nothing(world: World, monkeypatch: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError("+4915112345678 paid with his secret")

    monkeypatch.setattr(world.talktime.catalogs, "current", fail)
    found = world.call("GET", "/v1/catalog", token=OPERATOR)
    assert (found.status, found.code) == (500, "internal_error")
    assert "secret" not in found.text
    assert "secret" not in world.log.lines[-1].where
    assert world.log.lines[-1].where.startswith("ZeroDivisionError at ")


def test_a_request_is_logged_by_its_route_and_never_by_what_it_said(world: World) -> None:
    world.call("GET", "/v1/accounts/main", token=ADMIN)
    line = world.log.lines[-1]
    assert (line.method, line.route, line.status) == ("GET", "/v1/accounts/{acct}", 200)
    assert line.tenant
    assert "acme" not in repr(line)


def test_the_description_is_served_with_this_deployments_address(world: World) -> None:
    found = world.call("GET", "/openapi.json")
    assert found.body["openapi"] == "3.1.0"
    assert found.body["servers"] == [{"url": "https://billing.example.com"}]


def test_the_docs_fetch_nothing_from_elsewhere(world: World) -> None:
    found = world.call("GET", "/docs")
    assert found.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert '<script src="http' not in found.text


def test_the_domain_clock_does_not_age_tokens(world: World) -> None:
    assert world.clock.now() == NOW
    assert world.call("GET", "/v1/catalog", token=OPERATOR).status == 200
