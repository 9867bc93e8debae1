"""Funding sources: begun in hosted fields or added by a token, arranged, removed."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NoReturn

import pytest

from api import limits
from api.endpoint import Endpoint
from api.handler import handle
from api.routes import ENDPOINTS
from api.routes.funding_sources import source_id_of
from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain.declines import DeclineGroup
from billing.domain.errors import PaymentUnknownError
from billing.domain.funding import MAX_SOURCES
from billing.domain.records import SourceState
from billing.ports import Setup, SetupRequest
from fakes.world import InMemorySandbox
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    CATALOG,
    FIXED,
    OPERATOR,
    RATES,
    RECHARGE,
    SERVICE,
    SOURCE,
    Reply,
    World,
    a_tenant_body,
    a_token,
    an_event,
    reply,
    seeded,
)

ACCOUNT = "/v1/accounts/main"
PATH = f"{ACCOUNT}/funding-sources"
CARD = {"label": "Main card", "acceptance": ACCEPTANCE}
AGREED = {"acceptance": ACCEPTANCE}


@pytest.fixture
def world() -> World:
    return seeded()


def post(world: World, key: str = "k", **change: Any) -> Reply:
    body = {name: value for name, value in {**CARD, **change}.items() if value is not None}
    return world.call("POST", PATH, body, token=ADMIN, headers={"Idempotency-Key": key})


def add(world: World, key: str) -> str:
    added = post(world, key, gateway="sandbox", token=SUCCEEDS)
    assert (added.status, added.body["state"]) == (201, "active")
    return str(added.body["source"])


def begin(world: World, key: str = "k") -> tuple[str, str]:
    begun = post(world, key)
    assert (begun.status, begun.body["state"]) == (201, "pending")
    return begun.body["source"], begun.body["setup"]["setup_id"]


def do(world: World, method: str, path: str, body: Any = AGREED) -> Reply:
    return world.call(method, f"{PATH}/{path}", body, token=ADMIN)


def listed(world: World) -> dict[str, Any]:
    found = world.call("GET", PATH, token=ADMIN)
    assert found.status == 200
    return {row["source"]: row for row in found.body["data"]}


def positions(world: World) -> list[str]:
    rows = sorted(listed(world).values(), key=lambda row: row["position"] or 99)
    return [row["source"] for row in rows]


# Begin and confirm


def test_a_source_is_begun_and_finished_in_hosted_fields(world: World) -> None:
    source, setup_id = begin(world)
    assert do(world, "POST", f"{source}/confirm", None).body["state"] == "pending"
    world.sandbox.finish_setup(setup_id, expires_on=date(2028, 5, 31))
    found = do(world, "POST", f"{source}/confirm", None)
    assert found.status == 200
    assert found.body == {
        "source": source,
        "gateway": "sandbox",
        "method": "card",
        "label": "Main card",
        "brand": "visa",
        "last4": "4242",
        "expires_on": "2028-05-31",
        "limit": None,
        "state": "active",
        "blocked_code": None,
        "message": None,
        "is_default": True,
        "position": 1,
        "created_at": "2026-03-14T12:00:00Z",
    }
    assert listed(world) == {source: found.body}
    paid = world.call(
        "POST", f"{ACCOUNT}/recharges", RECHARGE, token=ADMIN, headers={"Idempotency-Key": "pay"}
    )
    assert paid.status == 201


def test_a_repetition_gives_the_same_secret_and_begins_nothing_new(world: World) -> None:
    first = post(world)
    again = post(world)
    assert (again.status, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(listed(world)) == 1
    assert post(world, label="Another").code == "idempotency_key_reused"
    world.clock.advance(timedelta(hours=23))
    assert (post(world).status, post(world).code) == (409, "idempotency_key_expired")


def test_a_repetition_after_it_was_saved_shows_no_secret(world: World) -> None:
    source, setup_id = begin(world)
    world.sandbox.finish_setup(setup_id)
    do(world, "POST", f"{source}/confirm", None)
    again = post(world)
    assert again.status == 201
    assert "setup" not in again.body


def test_a_client_secret_is_neither_kept_nor_listed_nor_logged(world: World) -> None:
    secret = post(world).body["setup"]["client_secret"]
    (source,) = listed(world).values()
    assert "setup" not in source
    for text in (repr(vars(world.book)), repr(world.log.lines)):
        assert secret not in text


class Hanging(InMemorySandbox):
    """Does not answer, until it does."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self.hangs = True

    def begin_setup(self, request: SetupRequest) -> Setup:
        self._hang()
        return super().begin_setup(request)

    def forget_source(self, token: str) -> None:
        self._hang()
        super().forget_source(token)

    def _hang(self) -> None:
        if self.hangs:
            raise PaymentUnknownError("no answer")


def use(world: World, gateway: InMemorySandbox) -> None:
    gateways: Any = world.talktime.gateways
    gateways["sandbox"] = gateway


def test_a_gateway_that_does_not_answer_is_asked_again_by_the_same_request(world: World) -> None:
    gateway = Hanging(world)
    use(world, gateway)
    hung = post(world)
    assert (hung.status, hung.code) == (503, "payment_unknown")
    assert hung.headers["retry-after"] == "1"
    gateway.hangs = False
    assert post(world).body["setup"]["client_secret"]
    assert len(listed(world)) == 1


def test_what_came_to_nothing_says_why_and_is_gone_from_the_list(world: World) -> None:
    source, setup_id = begin(world)
    world.sandbox.fail_setup(setup_id, "authentication_failed")
    found = do(world, "POST", f"{source}/confirm", None).body
    assert (found["state"], found["blocked_code"]) == ("removed", "authentication_failed")
    assert "Begin again" in found["message"]
    assert listed(world) == {}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"method": "upi"}, "/method"),
        ({"method": "cash"}, "/method"),
        ({"gateway": "stripe"}, "/gateway"),
        ({"gateway": "stripe", "token": "tok_succeeds"}, "/gateway"),
        ({"token": "upi_succeeds"}, "/token"),
        ({"token": "pm_1"}, "/token"),
        ({"limit": {"amount": "1.00", "currency": "USD"}}, "/limit"),
        ({"label": "a\tb"}, "/label"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    world: World, change: dict[str, Any], pointer: str
) -> None:
    found = post(world, **change)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)
    assert listed(world) == {}


def test_a_gateway_that_keeps_its_tokens_is_sent_none(world: World) -> None:
    gateways: Any = world.talktime.gateways
    gateways["stripe"] = InMemorySandbox(world.clock)
    found = post(world, gateway="stripe", token="tok_succeeds")
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/token")
    assert "leave out token" in found.body["detail"]
    assert post(world, "other", gateway="stripe").body["gateway"] == "stripe"


def test_a_mandate_has_a_limit(world: World) -> None:
    rupees = a_tenant_body("bharat")
    rupees["account"]["currency"] = "INR"
    rupees["account"]["rate_deck"] = "rupees"
    deck = {"currency": "INR", "effective_at": "2026-01-01T00:00:00Z"}
    headers = {"Content-Type": "text/csv"}
    world.call("PUT", "/v1/rate-decks/rupees", RATES, token=OPERATOR, headers=headers, **deck)
    headers = {"Idempotency-Key": "bharat"}
    opened = world.call("POST", "/v1/tenants", rupees, token=OPERATOR, headers=headers)
    assert opened.status == 201, opened.text
    admin = a_token("billing-admin", "bharat")

    def post_upi(amount: str, key: str) -> Reply:
        limit = {"amount": amount, "currency": "INR"}
        body = {**CARD, "method": "upi", "limit": limit}
        headers = {"Idempotency-Key": key}
        path = "/v1/accounts/default/funding-sources"
        return world.call("POST", path, body, token=admin, headers=headers)

    allowed = post_upi("15000.00", "a")
    assert (allowed.body["method"], allowed.body["limit"]["amount"]) == ("upi", "15000.00")
    refused = post_upi("15000.01", "b")
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/limit")


def test_an_account_has_so_many_sources(world: World) -> None:
    for number in range(MAX_SOURCES - 1):
        begin(world, f"k{number}")
    add(world, "last")
    for token in ("tok_succeeds", None):
        full = post(world, "more", token=token)
        assert (full.status, full.code) == (409, "too_many_sources")
    source = next(iter(listed(world).values()))["source"]
    assert do(world, "DELETE", source).status == 204
    assert post(world, "more").status == 201


# Arrange


def test_the_order_is_default_then_backups(world: World) -> None:
    a, b, c = (add(world, key) for key in "abc")
    assert positions(world) == [a, b, c]
    made = do(world, "POST", f"{c}/default")
    assert (made.status, made.body["is_default"], made.body["position"]) == (200, True, 1)
    assert positions(world) == [c, a, b]
    ordered = do(world, "PUT", "order", {**AGREED, "sources": [b, a]})
    assert ordered.body == {"default": c, "backups": [b, a]}
    assert positions(world) == [c, b, a]
    wrong = do(world, "PUT", "order", {**AGREED, "sources": [a, "src_x"]})
    assert (wrong.status, wrong.body["errors"][0]["pointer"]) == (422, "/sources")
    assert f"missing: {b}" in wrong.body["detail"]
    assert "src_x" in wrong.body["detail"]


def test_only_what_can_be_charged_can_be_the_default(world: World) -> None:
    source, setup_id = begin(world)
    found = do(world, "POST", f"{source}/default")
    assert (found.status, found.code) == (409, "source_not_active")
    world.sandbox.finish_setup(setup_id, expires_on=date(2026, 3, 13))
    do(world, "POST", f"{source}/confirm", None)
    assert listed(world)[source]["state"] == "expired"
    assert do(world, "POST", f"{source}/default").code == "source_not_active"


def test_a_blocked_source_says_what_to_do_and_is_tried_again_once_vouched_for(
    world: World,
) -> None:
    source = add(world, "a")
    standing = world.book.funding_source(ACME, source)
    world.book._sources[ACME, source] = replace(
        standing, blocked_code="expired_card", blocked_group=DeclineGroup.NEW_SOURCE
    )
    shown = listed(world)[source]
    assert (shown["state"], shown["blocked_code"]) == ("blocked", "expired_card")
    assert shown["message"]
    assert do(world, "POST", f"{source}/default").body["state"] == "active"


def test_the_default_stays_until_another_is(world: World) -> None:
    a, b = add(world, "a"), add(world, "b")
    refused = do(world, "DELETE", a)
    assert (refused.status, refused.code) == (409, "default_source")
    do(world, "POST", f"{b}/default")
    assert do(world, "DELETE", a).status == 204
    etag = world.call("GET", f"{ACCOUNT}/auto-recharge", token=ADMIN).headers["etag"]
    settings = f"{ACCOUNT}/auto-recharge"
    world.call("PUT", settings, FIXED, token=ADMIN, headers={"If-Match": etag})
    assert do(world, "DELETE", b).code == "default_source"
    etag = world.call("GET", settings, token=ADMIN).headers["etag"]
    off = {"mode": "off", "acceptance": ACCEPTANCE}
    world.call("PUT", settings, off, token=ADMIN, headers={"If-Match": etag})
    assert do(world, "DELETE", b).status == 204
    assert listed(world) == {}


def test_a_removed_source_is_gone_and_removing_it_again_answers_alike(world: World) -> None:
    gateway = Hanging(world)
    source = add(world, "a")
    use(world, gateway)
    assert do(world, "DELETE", source).code == "payment_unknown"
    assert listed(world) == {}
    gateway.hangs = False
    assert [do(world, "DELETE", source).status for _ in range(2)] == [204, 204]
    kept = world.book.funding_source(ACME, source)
    assert (kept.state, kept.token) == (SourceState.REMOVED, "")
    for method, path in (("POST", f"{source}/default"), ("POST", f"{source}/confirm")):
        assert do(world, method, path).status == 404
    pay_with = {**RECHARGE, "pay_with": {"source": source}}
    headers = {"Idempotency-Key": "pay"}
    paid = world.call("POST", f"{ACCOUNT}/recharges", pay_with, token=ADMIN, headers=headers)
    assert paid.code == "no_funding_source"


def test_a_removed_source_whose_gateway_has_not_answered_is_not_charged(world: World) -> None:
    source = add(world, "a")
    use(world, Hanging(world))
    do(world, "DELETE", source)
    assert world.book.funding_source(ACME, source).token
    use(world, InMemorySandbox(world.clock))
    pay_with = {**RECHARGE, "pay_with": {"source": source}}
    headers = {"Idempotency-Key": "pay"}
    paid = world.call("POST", f"{ACCOUNT}/recharges", pay_with, token=ADMIN, headers=headers)
    assert paid.code == "no_funding_source"


def test_every_change_by_a_person_is_on_record_without_a_token(world: World) -> None:
    a, b = add(world, "a"), add(world, "b")
    begin(world, "c")
    do(world, "POST", f"{b}/default")
    do(world, "DELETE", a)
    records = world.book.audit_records(ACME)
    assert {record.action for record in records} >= {
        "funding_source.added",
        "funding_source.begun",
        "funding_source.made_default",
        "funding_source.removed",
    }
    assert all(record.acceptance for record in records if "funding" in record.action)
    assert "tok_" not in repr(records)


def test_a_machine_needs_nobody_to_agree(world: World) -> None:
    a, b = add(world, "a"), add(world, "b")
    found = world.call("POST", f"{PATH}/{b}/default", {}, token=SERVICE)
    assert found.status == 200
    assert world.call("DELETE", f"{PATH}/{a}", {}, token=SERVICE).status == 204


def test_an_id_of_a_source_cannot_be_taken_for_a_cards_number() -> None:
    for number in range(2_000):
        name = source_id_of(f"op_{number * 7_919:040d}")
        assert not any(c.isdigit() for c in name)


# Card numbers

CANARY = "4012888888881881"
SPELLINGS = [
    pytest.param(CANARY, id="bare"),
    pytest.param("4012 8888 8888 1881", id="with spaces"),
    pytest.param("4012-8888-8888-1881", id="with dashes"),
    pytest.param("4012.8888.8888.1881", id="with dots"),
    pytest.param("4012 - 8888 - 8888 - 1881", id="spread out"),
    pytest.param("4012\u00a08888\u20138888\u20131881", id="with a typesetter's spaces"),
    pytest.param(f"12 {CANARY} 34", id="between other numbers"),
    pytest.param(f"x{'y' * 40}{CANARY}z", id="in a long word"),
    pytest.param("".join(chr(0xFF10 + int(c)) for c in CANARY), id="in wide digits"),
    pytest.param(int(CANARY), id="as a number"),
]
NEAR_CARDS = [endpoint for endpoint in ENDPOINTS if endpoint.is_near_cards]
BODIES: dict[str, Mapping[str, Any]] = {
    "post_funding_source": SOURCE,
    "put_funding_source_order": {**AGREED, "sources": []},
    "make_funding_source_default": AGREED,
    "delete_funding_source": AGREED,
    "post_recharge": {**RECHARGE, "pay_with": {"source": "src_a"}},
    "post_order": {"quote_id": "quo_a", "pay_with": {"source": "src_a"}, **AGREED},
    "pay_invoice": {"pay_with": {"source": "src_a"}, **AGREED},
}
PLACES = {"acct": "main", "id": "src_a", "number": "1"}


def with_canaries(body: Mapping[str, Any], card: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body with the number in each place in turn: every field, an unknown one, and a key."""
    for name, value in body.items():
        if isinstance(value, dict):
            for pointer, inner in with_canaries(value, card):
                yield f"/{name}{pointer}", {**body, name: inner}
        elif isinstance(value, list):
            yield f"/{name}/0", {**body, name: [card]}
        else:
            yield f"/{name}", {**body, name: card}
    yield "/surprise", {**body, "surprise": card}
    yield "/a/0/b", {**body, "a": [{"b": card}]}
    if isinstance(card, str):
        yield "", {card: 1, **body}


def digits(text: str) -> str:
    return "".join(str(int(c)) for c in text if c.isdecimal())


def assert_unseen(world: World, found: Reply) -> None:
    assert CANARY not in digits(found.text)
    assert CANARY not in digits(repr(found.headers))
    assert CANARY not in digits(repr(world.log.lines))
    assert CANARY not in digits(repr(vars(world.book)))


def test_every_endpoint_near_cards_is_tried() -> None:
    about = ("/funding-sources", "/recharges")
    # A phone number in a path may look like a card's; its body is searched as every body is.
    payable = {
        e.name
        for e in ENDPOINTS
        if e.body and "pay_with" in e.body.model_fields and "e164" not in e.parameters
    }
    assert {e.name for e in NEAR_CARDS} == payable | {
        e.name for e in ENDPOINTS if any(part in e.path for part in about)
    }
    assert set(BODIES) == {e.name for e in NEAR_CARDS if e.body is not None}


@pytest.mark.parametrize("card", SPELLINGS)
@pytest.mark.parametrize("name", BODIES)
def test_a_card_number_is_refused_in_any_place_of_a_body(
    world: World, name: str, card: Any
) -> None:
    (endpoint,) = (e for e in NEAR_CARDS if e.name == name)
    path = endpoint.path.format(**PLACES)
    for pointer, body in with_canaries(BODIES[name], card):
        headers = {"Idempotency-Key": f"k{pointer}"}
        found = world.call(endpoint.method, path, body, token=ADMIN, headers=headers)
        assert (found.status, found.code) == (422, "card_number_refused"), pointer
        assert pointer in [error["pointer"] for error in found.body["errors"]]
        assert_unseen(world, found)


@pytest.mark.parametrize("endpoint", NEAR_CARDS, ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("card", ["4012888888881881", "4012-8888-8888-1881", f"src_{CANARY}"])
def test_a_card_number_is_refused_in_a_path_and_a_query(
    world: World, endpoint: Endpoint, card: str
) -> None:
    body = BODIES.get(endpoint.name)
    headers = {"Idempotency-Key": "k"}
    paths = {name: {**PLACES, name: card} for name in endpoint.parameters}
    for name, given in paths.items():
        path = endpoint.path.format(**given)
        found = world.call(endpoint.method, path, body, token=ADMIN, headers=headers)
        assert (found.code, found.body["errors"][0]["pointer"]) == (
            "card_number_refused",
            f"/{name}",
        )
        assert_unseen(world, found)
    path = endpoint.path.format(**PLACES)
    for query in ({"cursor": card}, {card: "1"}):
        event = an_event(endpoint.method, path, body, token=ADMIN, headers=headers, query=query)
        found = reply(handle(event, world.app))
        assert found.code == "card_number_refused"
        assert_unseen(world, found)


def test_a_body_that_cannot_be_read_is_not_repeated(world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    for body in (
        f'{{"{CANARY}": "\\ud800"}}',
        f'{{"{CANARY}": 1, "{CANARY}": 2}}',
        f'{{"label": "{CANARY}"',
    ):
        found = world.call("POST", PATH, body, token=ADMIN, headers=headers)
        assert (found.status, found.code) == (400, "invalid_json")
        assert_unseen(world, found)


def test_terms_that_people_could_not_send_back_are_refused(world: World) -> None:
    version = "4012.8888.8888.1881"
    body = {**CATALOG, "terms_version": version}
    found = world.call("PUT", "/v1/catalog", body, token=OPERATOR, headers={"If-Match": '"1"'})
    assert (found.status, found.code) == (422, "card_number_refused")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("4012888888881882", id="fails the check"),
        pytest.param("401288888888", id="twelve digits"),
        pytest.param("src_" + "a" * 20, id="a source's id"),
        pytest.param("Visa 4242, valid 12/27", id="what a label says"),
        pytest.param("4" * 64, id="more digits than a card has"),
    ],
)
def test_other_texts_are_no_cards(text: str) -> None:
    assert not limits.holds_spread_card_number(text)


def test_looking_closely_at_the_largest_form_is_quick() -> None:
    """Every place in it could begin a number; none may be tried to the end of the form."""
    begun = time.process_time()
    for text in ("1 " * (limits.FORM_BYTES // 2), "1" * limits.FORM_BYTES):
        assert not limits.holds_spread_card_number(text)
    assert time.process_time() - begun < 2


def test_a_form_has_a_size(world: World) -> None:
    found = post(world, label="x" * limits.FORM_BYTES)
    assert (found.status, found.code) == (413, "body_too_large")


def never(*_: object) -> NoReturn:
    raise AssertionError


def test_confirming_asks_no_gateway_about_what_is_saved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add(world, "a")
    monkeypatch.setattr(world.sandbox, "find_setup", never)
    assert do(world, "POST", f"{source}/confirm", None).body["state"] == "active"
