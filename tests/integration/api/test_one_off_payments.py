"""A customer pays once by UPI: a link and a code, and nothing is delivered before they approve."""

from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from integration.api.client import (
    ACCEPTANCE,
    OPERATOR,
    RATES,
    Reply,
    World,
    a_tenant_body,
    a_token,
    seeded,
)

BHARAT = AccountRef("bharat", "main")
ADMIN = a_token("billing-admin", "bharat")
PATH = "/v1/accounts/default/recharges"
ONE_OFF: dict[str, Any] = {
    "amount": {"amount": "500.00", "currency": "INR"},
    "pay_with": {"method": "upi"},
    "acceptance": ACCEPTANCE,
}


@pytest.fixture
def world() -> World:
    """A tenant that pays in rupees, and has saved nothing."""
    world = seeded()
    deck = {"currency": "INR", "effective_at": "2026-01-01T00:00:00Z"}
    headers = {"Content-Type": "text/csv"}
    world.call("PUT", "/v1/rate-decks/rupees", RATES, token=OPERATOR, headers=headers, **deck)
    body = a_tenant_body("bharat")
    body["account"] |= {"currency": "INR", "rate_deck": "rupees"}
    headers = {"Idempotency-Key": "bharat"}
    opened = world.call("POST", "/v1/tenants", body, token=OPERATOR, headers=headers)
    assert opened.status == 201, opened.text
    return world


def ask(world: World, key: str = "one", **changed: Any) -> Reply:
    headers = {"Idempotency-Key": key}
    return world.call("POST", PATH, {**ONE_OFF, **changed}, token=ADMIN, headers=headers)


def operation(world: World, accepted: Reply) -> Any:
    path = accepted.headers["location"].removeprefix("https://billing.example.com")
    return world.call("GET", path, token=ADMIN).body


def balance(world: World) -> str:
    overview = world.call("GET", "/v1/accounts/default", token=ADMIN).body
    return str(overview["balance"]["settled"]["amount"])


def test_it_is_accepted_with_what_the_customer_has_to_do(world: World) -> None:
    accepted = ask(world)
    assert accepted.status == 202
    recharge = accepted.body["recharge"]
    assert (recharge["state"], recharge["source"]) == ("action_needed", None)
    assert recharge["next_action"]["type"] == "upi"
    assert recharge["next_action"]["url"].startswith("upi://pay?")
    assert recharge["next_action"]["qr"]
    assert recharge["next_action_expires_at"] == "2026-03-14T12:15:00Z"
    assert operation(world, accepted)["state"] == "pending"
    assert balance(world) == "0.00"
    overview = world.call("GET", "/v1/accounts/default", token=ADMIN).body
    assert overview["recharge"]["state"] == "action_needed"
    sources = world.call("GET", "/v1/accounts/default/funding-sources", token=ADMIN).body
    assert sources["data"] == []


def test_it_is_delivered_on_the_gateways_word_and_once(world: World) -> None:
    accepted = ask(world)
    world.sandbox.approve(accepted.body["recharge"]["payment_id"])
    for _ in range(3):
        world.talktime.collect_recharge.finish_open(BHARAT)
    found = operation(world, accepted)
    assert (found["state"], found["recharge"]["state"]) == ("succeeded", "succeeded")
    assert balance(world) == "500.00"
    replayed = ask(world)
    assert (replayed.status, replayed.headers["idempotency-replayed"]) == (201, "true")
    assert balance(world) == "500.00"


def test_what_nobody_approves_in_time_is_called_off(world: World) -> None:
    accepted = ask(world)
    world.clock.advance(timedelta(minutes=16))
    world.talktime.collect_recharge.finish_open(BHARAT)
    assert operation(world, accepted)["state"] == "failed"
    world.sandbox.approve(accepted.body["recharge"]["payment_id"])
    world.talktime.collect_recharge.finish_open(BHARAT)
    assert balance(world) == "0.00"
    assert ask(world, "two").status == 202


def test_the_same_key_while_it_waits_answers_the_same_link(world: World) -> None:
    accepted = ask(world)
    again = ask(world)
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    assert again.body["recharge"]["next_action"] == accepted.body["recharge"]["next_action"]
    assert len(world.sandbox.events()) == 0
    assert ask(world, "two").code == "recharge_in_progress"


@pytest.mark.parametrize(
    ("pay_with", "pointer"),
    [
        ({}, "/pay_with"),
        ({"method": "upi", "source": "src_a"}, "/pay_with"),
        ({"method": "cash"}, "/pay_with/method"),
    ],
)
def test_who_pays_is_said_once(world: World, pay_with: dict[str, str], pointer: str) -> None:
    refused = ask(world, pay_with=pay_with)
    assert refused.status == 422
    assert refused.body["errors"][0]["pointer"] == pointer


def test_dollars_are_not_paid_by_upi(world: World) -> None:
    body = {**ONE_OFF, "amount": {"amount": "500.00", "currency": "USD"}}
    admin, headers = a_token("billing-admin", "acme"), {"Idempotency-Key": "one"}
    refused = world.call("POST", PATH, body, token=admin, headers=headers)
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/pay_with")
