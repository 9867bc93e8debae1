"""What an account is told of: set under its ETag, told once, and shown while it stands."""

from datetime import timedelta
from typing import Any

import pytest

from builders import a_usage_event
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    MEMBER,
    NOW,
    Reply,
    World,
    seeded,
)

ACCOUNT = "/v1/accounts/main"
PATH = f"{ACCOUNT}/alerts"
LOW: dict[str, Any] = {
    "grant_percents": [50],
    "low_balance": {"amount": "30.00", "currency": "USD"},
    "runway_days": 7,
}


@pytest.fixture
def world() -> World:
    world = seeded()
    world.add_source()
    return world


def read(world: World, path: str = PATH, **token: Any) -> Any:
    return world.call("GET", path, **({"token": ADMIN} | token)).body


def put(world: World, body: Any, etag: str | None = None) -> Reply:
    seen = etag or world.call("GET", PATH, token=ADMIN).headers["etag"]
    return world.call("PUT", PATH, body, token=ADMIN, headers={"If-Match": seen})


def pay(world: World, key: str = "paid") -> None:
    body = {"amount": {"amount": "25.00", "currency": "USD"}, "acceptance": ACCEPTANCE}
    headers = {"Idempotency-Key": key}
    paid = world.call("POST", f"{ACCOUNT}/recharges", body, token=ADMIN, headers=headers)
    assert paid.status == 201


def told(world: World) -> list[str]:
    types = [str(event.type) for event in world.book.outbox()]
    return [one for one in types if one.startswith(("balance.", "grant."))]


def test_an_account_that_has_set_nothing_is_told_of_80_and_100_percent(world: World) -> None:
    found = read(world)
    assert (found["grant_percents"], found["low_balance"], found["runway_days"]) == (
        [80, 100], None, None,
    )  # fmt: skip
    (empty,) = found["standing"]
    # Nobody was told: the wallet has been empty from the first.
    assert (empty["type"], empty["since"]) == ("balance.exhausted", None)
    assert empty["missing"] == {"amount": "0.01", "currency": "USD"}


def test_settings_are_changed_by_who_has_seen_them_and_nobody_has_to_accept_anything(
    world: World,
) -> None:
    etag = world.call("GET", PATH, token=ADMIN).headers["etag"]
    assert world.call("PUT", PATH, LOW, token=ADMIN).code == "precondition_required"
    changed = put(world, LOW, etag)
    assert changed.status == 200
    assert {name: changed.body[name] for name in LOW} == LOW
    assert changed.headers["etag"] != etag
    assert put(world, LOW, etag).code == "stale_settings"
    # Money moves the account, and the settings are still those that were seen.
    pay(world)
    assert world.call("GET", PATH, token=ADMIN).headers["etag"] == changed.headers["etag"]
    back = put(world, {})
    assert (back.body["grant_percents"], back.headers["etag"]) == ([80, 100], etag)


def test_who_set_what_is_kept(world: World) -> None:
    put(world, {"low_balance": LOW["low_balance"]})
    record = world.book.audit_records(ACME)[-1]
    assert (record.actor, record.action) == ("acme-billing-admin", "alerts.set")
    assert (record.acceptance, record.before["low_balance"]) == (None, None)
    assert record.after["low_balance"] == LOW["low_balance"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        pytest.param({"grant_percents": [0]}, "/grant_percents/0", id="0 percent"),
        pytest.param({"grant_percents": [101]}, "/grant_percents/0", id="101 percent"),
        pytest.param({"grant_percents": [1, 2, 3, 4, 5, 6]}, "/grant_percents", id="six"),
        pytest.param({"runway_days": 91}, "/runway_days", id="91 days"),
        pytest.param(
            {"low_balance": {"amount": "0", "currency": "USD"}}, "/low_balance", id="no amount"
        ),
        pytest.param(
            {"low_balance": {"amount": "5", "currency": "EUR"}},
            "/low_balance/currency",
            id="another currency",
        ),
        pytest.param({"email": "a@example.com"}, "/email", id="what there is not"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(
    world: World, change: dict[str, Any], pointer: str
) -> None:
    refused = put(world, change)
    assert refused.status == 422
    assert pointer in [error["pointer"] for error in refused.body["errors"]]
    assert read(world)["low_balance"] is None


def test_a_low_balance_is_told_once_and_stands_until_it_is_paid(world: World) -> None:
    pay(world)
    put(world, {"low_balance": LOW["low_balance"]})
    # 25.00 are below 30.00 already, which is told with the settings.
    assert told(world) == ["balance.low"]
    world.clock.advance(timedelta(minutes=1))
    world.use(ACME, 1)
    assert told(world) == ["balance.low"]
    (low,) = read(world)["standing"]
    assert (low["type"], low["reason"], low["since"]) == (
        "balance.low", "amount", NOW.isoformat().replace("+00:00", "Z"),
    )  # fmt: skip
    assert low["balance_needed"] == LOW["low_balance"]
    pay(world, "again")
    assert read(world)["standing"] == []
    assert told(world) == ["balance.low"]


def test_the_overview_shows_what_stands_and_a_member_sees_grants_but_no_money(
    world: World,
) -> None:
    event = a_usage_event(7, world.clock.now(), quantity=540)
    world.post_usage(ACME, event)
    shown = read(world, ACCOUNT)["alerts"]
    assert [alert["type"] for alert in shown] == ["balance.exhausted", "grant.threshold_reached"]
    (grant,) = read(world, ACCOUNT, token=MEMBER)["alerts"]
    assert (grant["percent"], grant["unit"]) == (80, "voice_seconds")
    assert grant["since"] == NOW.isoformat().replace("+00:00", "Z")
    assert grant["ends_at"] == "2026-04-01T04:00:00Z"
    assert "balance" not in read(world, ACCOUNT, token=MEMBER)
    # The next period's minutes are whole, roll or no roll.
    world.clock.advance(timedelta(days=19))
    assert [alert["type"] for alert in read(world, ACCOUNT)["alerts"]] == ["balance.exhausted"]


def test_only_who_may_see_money_sees_or_sets_alerts(world: World) -> None:
    assert world.call("GET", PATH, token=MEMBER).status == 403
    assert world.call("PUT", PATH, {}, token=MEMBER).status == 403
