"""Call authorisation over HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from builders import a_usage_event
from integration.api.client import (
    ADMIN,
    CATALOG,
    NOW,
    OPERATOR,
    RECHARGE,
    SERVICE,
    Reply,
    World,
    seeded,
)

MAIN = AccountRef("acme", "main")
WANTED = {
    "account": "default",
    "call_id": "4111111111111111",
    "direction": "outbound",
    "kind": "call",
    "to": "+14155550123",
}


@pytest.fixture
def world() -> World:
    return seeded()


def authorise(world: World, **overrides: Any) -> Reply:
    return world.call("POST", "/v1/calls/authorize", {**WANTED, **overrides}, token=SERVICE)


def balance(world: World) -> dict[str, str]:
    shown = world.call("GET", "/v1/accounts/main", token=ADMIN).body["balance"]
    return {name: money["amount"] for name, money in shown.items()}


def test_a_call_is_allowed_with_its_duration_and_its_rate(world: World) -> None:
    found = authorise(world)
    assert found.status == 200
    assert found.body == {
        "allowed": True,
        "reservation_id": found.body["reservation_id"],
        "max_duration_seconds": 600,
        "reservation_expires_at": "2026-03-14T12:22:00Z",
        "rate": {
            "prefix": "1",
            "destination": "United States",
            "price": {"amount": "0.60", "currency": "USD"},
            "connect_fee": {"amount": "0.00", "currency": "USD"},
            "first_increment_seconds": 60,
            "next_increment_seconds": 60,
        },
        "queue_priority": 0,
    }
    assert authorise(world).body == found.body


def test_a_refusal_is_an_answer_with_its_reason(world: World) -> None:
    authorise(world)
    for overrides, reason in (
        ({"call_id": "second"}, "insufficient_balance"),
        ({"call_id": "third", "to": "+33123456789"}, "destination_not_rated"),
        ({"call_id": "text", "kind": "message"}, "destination_not_rated"),
    ):
        found = authorise(world, **overrides)
        assert found.status == 200
        assert set(found.body) == {"allowed", "reason", "message"}
        assert (found.body["allowed"], found.body["reason"]) == (False, reason)


def test_the_overview_shows_what_is_reserved_and_what_is_left(world: World) -> None:
    world.add_source()
    key = {"Idempotency-Key": "pay"}
    world.call("POST", "/v1/accounts/main/recharges", RECHARGE, token=ADMIN, headers=key)
    authorise(world, call_id="minutes")
    authorise(world, call_id="wallet")
    assert balance(world) == {"settled": "25.00", "reserved": "6.00", "available": "19.00"}
    world.clock.advance(timedelta(minutes=22))
    assert balance(world) == {"settled": "25.00", "reserved": "0.00", "available": "25.00"}


def test_extended_linked_and_freed_by_the_posted_call(world: World) -> None:
    world.add_source()
    key = {"Idempotency-Key": "pay"}
    world.call("POST", "/v1/accounts/main/recharges", RECHARGE, token=ADMIN, headers=key)
    path = f"/v1/reservations/{authorise(world).body['reservation_id']}"
    longer = world.call("POST", f"{path}/extend", {"duration_seconds": 1_200}, token=SERVICE)
    assert longer.body["max_duration_seconds"] == 1_200
    assert balance(world)["reserved"] == "6.00"
    event = a_usage_event(1, NOW + timedelta(minutes=20), quantity=60)
    call = {
        "provider": event.key.provider,
        "provider_account": event.key.provider_account,
        "call_id": event.key.call_id,
    }
    for _ in range(2):
        assert world.call("PUT", f"{path}/call", call, token=SERVICE).status == 204
    world.clock.advance(timedelta(minutes=21))
    world.post_usage(MAIN, event)
    assert balance(world)["reserved"] == "0.00"
    gone = world.call("POST", f"{path}/extend", {"duration_seconds": 1_300}, token=SERVICE)
    assert gone.code == "not_found"


def test_a_call_that_was_never_answered_is_freed_by_hand(world: World) -> None:
    path = f"/v1/reservations/{authorise(world).body['reservation_id']}"
    assert authorise(world, call_id="second").body["allowed"] is False
    for _ in range(2):
        assert world.call("DELETE", path, token=SERVICE).status == 204
    assert authorise(world, call_id="second").body["allowed"] is True


def test_a_call_id_is_good_for_one_call(world: World) -> None:
    authorise(world)
    assert authorise(world, to="+14155550199").code == "conflict"


def test_an_account_that_is_not_there_is_an_invalid_body(world: World) -> None:
    found = authorise(world, account="nobodys")
    assert (found.status, found.code) == (422, "invalid_input")
    assert found.body["errors"][0]["pointer"] == "/account"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "4155550123"),
        ("to", "sip:somebody"),
        ("kind", "fax"),
        ("direction", "sideways"),
        ("call_id", ""),
        ("duration_seconds", 0),
        ("duration_seconds", "60"),
        ("duration_seconds", 14_401),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(world: World, field: str, value: Any) -> None:
    found = authorise(world, **{field: value})
    assert (found.status, found.code) == (422, "invalid_input")
    assert found.body["errors"][0]["pointer"] == f"/{field}"


def with_features(features: dict[str, int]) -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads(json.dumps(CATALOG))
    catalog["plans"][0]["features"] = features
    return catalog


def test_a_plan_says_how_many_calls_and_how_urgent(world: World) -> None:
    features = {"concurrent_calls": 1, "queue_priority": 9}
    catalog = with_features(features)
    saved = world.call("PUT", "/v1/catalog", catalog, token=OPERATOR, headers={"If-Match": '"1"'})
    assert saved.body["plans"][0]["features"] == features
    body = {
        "name": "Second",
        "currency": "USD",
        "time_zone": "UTC",
        "plan": "growth",
        "billing_day": 1,
        "rate_deck": "retail-us",
    }
    key = {"Idempotency-Key": "second"}
    opened = world.call("POST", "/v1/accounts", body, token=ADMIN, headers=key)
    assert opened.status == 201, opened.text
    account = opened.body["account"]
    first = authorise(world, account=account, duration_seconds=60)
    assert first.body["queue_priority"] == 9
    second = authorise(world, account=account, call_id="second", duration_seconds=60)
    assert second.body["reason"] == "concurrency_limit_reached"
    # What was sold before keeps the terms it was sold under.
    assert authorise(world, account="main").body["queue_priority"] == 0


@pytest.mark.parametrize(
    ("field", "value"), [("concurrent_calls", 0), ("queue_priority", 101), ("speed", 1)]
)
def test_features_have_bounds(world: World, field: str, value: int) -> None:
    catalog = with_features({field: value})
    found = world.call("PUT", "/v1/catalog", catalog, token=OPERATOR, headers={"If-Match": '"1"'})
    assert found.body["errors"][0]["pointer"] == f"/plans/0/features/{field}"
