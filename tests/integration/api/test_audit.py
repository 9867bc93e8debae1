"""Who changed what: every billing change is there, with its origin, and can be taken away."""

import csv
import io
from datetime import timedelta
from typing import Any

from api.handler import handle
from integration.api.client import (
    ACCEPTANCE,
    ADMIN,
    FIXED,
    GLOBEX_ADMIN,
    MEMBER,
    OPERATOR,
    RECHARGE,
    SERVICE,
    World,
    an_event,
    reply,
    seeded,
)

PATH = "/v1/accounts/main/audit"
BOB = {
    "email": "bob@example.com",
    "first_name": "Bob",
    "last_name": "Lee",
    "acceptance": ACCEPTANCE,
}


def rows(world: World, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.call("GET", PATH, token=ADMIN, **query).body["data"]
    return found


def set_recharge(world: World, **altered: Any) -> None:
    path = "/v1/accounts/main/auto-recharge"
    etag = world.call("GET", path, token=ADMIN).headers["etag"]
    body = {**FIXED, **altered}
    found = world.call("PUT", path, body, token=ADMIN, headers={"If-Match": etag})
    assert found.status == 200, found.text


def busy() -> World:
    """One of every billing change there is, a minute apart."""
    world = seeded()
    world.add_source()
    tick = timedelta(minutes=1)
    world.clock.advance(tick)
    set_recharge(world)
    world.clock.advance(tick)
    paid = world.call(
        "POST",
        "/v1/accounts/main/recharges",
        RECHARGE,
        token=ADMIN,
        headers={"Idempotency-Key": "pay"},
    )
    world.clock.advance(tick)
    world.call(
        "POST",
        f"/v1/accounts/main/payments/{paid.body['payment_id']}/refunds",
        {"reason": "Paid by mistake.", "amount": {"amount": "5.00", "currency": "USD"}},
        token=OPERATOR,
        headers={"Idempotency-Key": "back", "Talktime-Tenant": "acme"},
    )
    world.clock.advance(tick)
    hooks = {"endpoints": [{"url": "https://hooks.example.com/", "events": ["*"]}]}
    path = "/v1/accounts/main/webhook-endpoints"
    world.call("PUT", path, hooks, token=ADMIN, headers={"If-Match": '"0"'})
    world.clock.advance(tick)
    body = {name: value for name, value in BOB.items() if name != "acceptance"}
    key = {"Idempotency-Key": "bob"}
    world.call("POST", "/v1/members", body, token=SERVICE, headers=key)
    return world


def test_every_billing_change_says_who_when_from_where_before_and_after() -> None:
    found = rows(busy())
    assert [(row["action"], row["actor"], row["is_machine"]) for row in found] == [
        ("member.created", "acme-service", True),
        ("webhook_endpoints.set", "acme-billing-admin", False),
        ("payment.refund_requested", "vendor-operator", False),
        ("recharge.requested", "acme-billing-admin", False),
        ("auto_recharge.set", "acme-billing-admin", False),
        ("funding_source.added", "acme-billing-admin", False),
    ]
    assert {row["origin"]["ip"] for row in found} == {"192.0.2.1"}
    member, hooks, refund, recharge, settings, source = found
    assert [row["at"] for row in found] == [f"2026-03-14T12:0{n}:00Z" for n in range(5, -1, -1)]
    assert (member["before"], member["after"]["email"]) == ({}, "bob@example.com")
    assert hooks["before"] == {"endpoints": []}
    assert hooks["after"]["endpoints"][0]["url"] == "https://hooks.example.com/"
    assert refund["before"]["refunded"] == {"amount": "0.00", "currency": "USD"}
    assert recharge["before"] == source["before"] == {}
    assert (settings["before"]["mode"], settings["after"]["mode"]) == ("off", "fixed")
    assert settings["after"]["threshold"] == {"amount": "10.00", "currency": "USD"}
    person = {name: value for name, value in ACCEPTANCE.items() if name != "accepted"}
    assert source["acceptance"] == settings["acceptance"] == recharge["acceptance"] == person
    assert member["acceptance"] is None


def test_the_secret_of_an_endpoint_is_in_no_record() -> None:
    world = busy()
    assert "whsec_" not in world.call("GET", PATH, token=ADMIN).text


def test_a_repeated_request_leaves_one_record() -> None:
    world = seeded()
    world.add_source()
    world.add_source()
    assert [row["action"] for row in rows(world)] == ["funding_source.added"]


def test_the_callers_own_claims_of_his_address_are_not_believed() -> None:
    world = seeded()
    headers = {
        "Idempotency-Key": "bob",
        "X-Forwarded-For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "User-Agent": "forged",
    }
    event = an_event("POST", "/v1/members", BOB, token=ADMIN, headers=headers)
    event["requestContext"]["http"]["userAgent"] = "=cmd|'/C calc'!A0\r\n" + "x" * 1000
    assert reply(handle(event, world.app)).status == 201
    (row,) = rows(world)
    assert row["origin"]["ip"] == "192.0.2.1"
    assert row["origin"]["user_agent"].startswith("=cmd|'/C calc'!A0??xxx")
    assert len(row["origin"]["user_agent"]) == 200
    sheet = world.call("GET", PATH, token=ADMIN, headers={"Accept": "text/csv"})
    (cells,) = csv.DictReader(io.StringIO(sheet.text))
    assert cells["origin.user_agent"].startswith("'=cmd")


def test_a_sheet_has_every_row_in_its_own_columns() -> None:
    world = busy()
    found = world.call("GET", PATH, token=ADMIN, headers={"Accept": "text/csv"})
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    sheet = list(csv.DictReader(io.StringIO(found.text)))
    assert len(sheet) == 6
    assert sheet[0]["acceptance.first_name"] == ""
    assert sheet[1]["after"].startswith('{"endpoints": [{')
    assert sheet[4]["acceptance.last_name"] == "Coyote"


def test_records_are_paged_and_filtered() -> None:
    world = busy()
    whole = rows(world)
    query: dict[str, Any] = {"limit": "2", "actor": "acme-billing-admin"}
    found = []
    while True:
        page = world.call("GET", PATH, token=ADMIN, **query).body
        found += page["data"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [row for row in whole if row["actor"] == "acme-billing-admin"]
    assert rows(world, action="member.created") == whole[:1]
    begin, end = whole[3]["at"], whole[1]["at"]
    assert rows(world, **{"from": begin, "to": end}) == whole[2:4]
    assert rows(world, **{"from": "2026-03-15"}) == []


def test_a_cursor_leads_on_in_its_own_filter_alone() -> None:
    world = busy()
    cursor = world.call("GET", PATH, token=ADMIN, limit="1").body["next_cursor"]
    filtered = world.call("GET", PATH, token=ADMIN, limit="1", cursor=cursor, actor="somebody")
    assert (filtered.status, filtered.code) == (400, "invalid_cursor")


def test_the_audit_is_the_tenants_and_its_admins_alone() -> None:
    world = busy()
    assert world.call("GET", PATH, token=GLOBEX_ADMIN).body["data"] == []
    assert world.call("GET", PATH, token=MEMBER).status == 403


def test_nothing_but_reading_it_is_served() -> None:
    world = busy()
    before = rows(world)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert world.call(method, PATH, {}, token=OPERATOR).status == 405
    assert rows(world) == before
