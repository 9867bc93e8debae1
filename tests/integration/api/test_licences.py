"""Licences over HTTP: assigned, leased, asked for by calls, and how many were out."""

from datetime import timedelta
from typing import Any

import pytest

from integration.api.client import (
    ACCEPTANCE,
    ADMIN,
    LICENSED,
    OPERATOR,
    SERVICE,
    Reply,
    a_token,
    seeded,
)

CALL = {
    "call_id": "call-1",
    "direction": "outbound",
    "kind": "call",
    "to": "+14155550123",
    "duration_seconds": 60,
}


class Stage:
    """An account that was opened under a catalogue with licences, and two members of it."""

    def __init__(self) -> None:
        self.world = seeded()
        saved = self.world.call(
            "PUT", "/v1/catalog", LICENSED, token=OPERATOR, headers={"If-Match": '"1"'}
        )
        assert saved.status == 200, saved.text
        account = {
            "name": "Second",
            "currency": "USD",
            "time_zone": "UTC",
            "plan": "growth",
            "billing_day": 1,
            "rate_deck": "retail-us",
        }
        key = {"Idempotency-Key": "second"}
        opened = self.world.call("POST", "/v1/accounts", account, token=ADMIN, headers=key)
        self.account = opened.body["account"]
        self.path = f"/v1/accounts/{self.account}"
        self.zoe, self.wile = (self.invite(name) for name in ("zoe", "wile"))

    def invite(self, name: str) -> str:
        body = {
            "email": f"{name}@example.com",
            "first_name": name,
            "last_name": "Ng",
            "subject": f"sub-{name}",
            "state": "active",
            "account": self.account,
            "acceptance": ACCEPTANCE,
        }
        key = {"Idempotency-Key": name}
        joined = self.world.call("POST", "/v1/members", body, token=ADMIN, headers=key)
        assert joined.status == 201, joined.text
        return str(joined.body["member"])

    def assign(self, kind: str, member: str, method: str = "PUT") -> Reply:
        path = f"{self.path}/licences/{kind}/assignments/{member}"
        return self.world.call(method, path, {"acceptance": ACCEPTANCE}, token=ADMIN)

    def lease(self, member: str, kind: str = "dialler", **more: Any) -> Reply:
        path = f"{self.path}/licences/{kind}/leases"
        return self.world.call("POST", path, {"member": member, **more}, token=SERVICE)

    def call(self, call_id: str, licence: str, **more: Any) -> Reply:
        body = {**CALL, "account": self.account, "call_id": call_id, "licence": licence, **more}
        return self.world.call("POST", "/v1/calls/authorize", body, token=SERVICE)

    def get(self, path: str, **query: Any) -> Reply:
        return self.world.call("GET", f"{self.path}/{path}", token=ADMIN, **query)

    def access(self, member: str, licence: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"members/{member}/access", licence=licence).body
        return found


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_licence_is_assigned_listed_and_taken_away(stage: Stage) -> None:
    made = stage.assign("seat", stage.zoe)
    assert made.status == 200
    assert made.body == {
        "licence": "seat",
        "member": stage.zoe,
        "assigned_at": "2026-03-14T12:00:00Z",
    }
    assert stage.assign("seat", stage.zoe).body == made.body
    assert stage.get("licences/seat/assignments").body["data"] == [made.body]
    assert stage.assign("seat", stage.zoe, "DELETE").status == 204
    assert stage.assign("seat", stage.zoe, "DELETE").status == 204
    assert stage.get("licences/seat/assignments").body["data"] == []


def test_where_all_are_assigned_it_says_what_to_do_and_how_many_there_are(stage: Stage) -> None:
    stage.assign("seat", stage.zoe)
    found = stage.assign("seat", stage.wile)
    assert (found.status, found.code) == (409, "no_licence_available")
    assert {name: found.body[name] for name in ("licence", "quantity", "assigned")} == {
        "licence": "seat",
        "quantity": 1,
        "assigned": 1,
    }
    assert "buy another, or take one" in found.body["detail"]


def test_how_many_there_are_assigned_leased_and_free(stage: Stage) -> None:
    stage.assign("flex", stage.zoe)
    stage.lease(stage.zoe)
    found = {row.pop("licence"): row for row in stage.get("licences").body["data"]}
    assert found["dialler"] == {
        "name": "Dialler port",
        "mode": "pooled",
        "needs_assignment": False,
        "quantity": 2,
        "assigned": 0,
        "leased": 1,
        "free": 1,
    }
    assert found["flex"]["assigned"] == 1
    assert found["seat"]["leased"] is None
    first = stage.get("licences", limit="2")
    rest = stage.get("licences", limit="2", cursor=first.body["next_cursor"])
    shown = [row["licence"] for row in (*first.body["data"], *rest.body["data"])]
    assert shown == ["dialler", "flex", "seat"]


def test_a_member_sees_the_licences_that_he_may_use_without_numbers(stage: Stage) -> None:
    stage.assign("seat", stage.zoe)
    zoe = a_token("member", "acme").but(sub="sub-zoe")
    found = stage.world.call("GET", f"{stage.path}/licences", token=zoe)
    assert [row["licence"] for row in found.body["data"]] == ["dialler", "seat"]
    assert "quantity" not in found.body["data"][0]
    stranger = a_token("member", "acme")
    for path in (stage.path, "/v1/accounts/main"):
        found = stage.world.call("GET", f"{path}/licences", token=stranger)
        assert (found.status, found.body["data"]) == (200, [])


def test_access_says_which_licence_to_assign(stage: Stage) -> None:
    path = f"{stage.path}/licences/seat/assignments/{stage.zoe}"
    found = stage.access(stage.zoe, "seat")
    assert found == {
        "allowed": False,
        "licence": "seat",
        "code": "licence_required",
        "detail": "the member has no licence of seat: assign one",
        "assign": path,
    }
    body = {"acceptance": ACCEPTANCE}
    assert stage.world.call("PUT", found["assign"], body, token=ADMIN).status == 200
    assert stage.access(stage.zoe, "seat") == {"allowed": True, "licence": "seat"}
    assert stage.access(stage.zoe, "dialler")["allowed"] is True
    assert stage.access(stage.zoe, "flex")["code"] == "licence_required"


def test_who_is_deactivated_has_no_access_and_who_is_unknown_is_not_found(stage: Stage) -> None:
    removal = {"acceptance": ACCEPTANCE}
    gone = stage.world.call("DELETE", f"/v1/members/{stage.wile}", removal, token=ADMIN)
    assert gone.status == 204
    found = stage.access(stage.wile, "dialler")
    assert (found["allowed"], found["code"]) == (False, "member_deactivated")
    assert "assign" not in found
    assert stage.assign("seat", stage.wile).code == "invalid_input"
    assert stage.get("members/mem_nobody/access", licence="seat").code == "not_found"
    unknown = stage.get(f"members/{stage.zoe}/access", licence="fax")
    assert (unknown.status, unknown.body["errors"][0]["pointer"]) == (422, "/licence")


def test_a_lease_is_renewed_and_given_back(stage: Stage) -> None:
    made = stage.lease(stage.zoe, lease_seconds=60)
    assert made.status == 200
    assert made.body == {
        "lease": made.body["lease"],
        "licence": "dialler",
        "member": stage.zoe,
        "leased_at": "2026-03-14T12:00:00Z",
        "expires_at": "2026-03-14T12:01:00Z",
    }
    again = stage.lease(stage.zoe, lease_seconds=120)
    assert again.body == {**made.body, "expires_at": "2026-03-14T12:02:00Z"}
    path = f"{stage.path}/licences/dialler/leases/{made.body['lease']}"
    longer = stage.world.call("POST", f"{path}/renew", {}, token=SERVICE)
    assert longer.body["expires_at"] == "2026-03-14T12:10:00Z"
    for _ in range(2):
        assert stage.world.call("DELETE", path, token=SERVICE).status == 204
    assert stage.world.call("POST", f"{path}/renew", {}, token=SERVICE).code == "not_found"


def test_where_no_port_is_left_the_cause_is_told(stage: Stage) -> None:
    refused = stage.lease(stage.zoe, "flex")
    assert (refused.status, refused.code) == (409, "insufficient_ports")
    assert refused.body["cause"] == "not_assigned"
    assert refused.body["assign"] == f"{stage.path}/licences/flex/assignments/{stage.zoe}"
    for number in range(2):
        assert stage.call(f"call-{number}", "dialler").body["allowed"] is True
    refused = stage.lease(stage.zoe)
    assert (refused.status, refused.code) == (409, "insufficient_ports")
    assert {name: refused.body[name] for name in ("cause", "in_use", "quantity")} == {
        "cause": "pool_exhausted",
        "in_use": 2,
        "quantity": 2,
    }


@pytest.mark.parametrize(
    "more",
    [{"direction": "inbound"}, {"kind": "voice_message"}],
    ids=["inbound", "a voice message"],
)
def test_whatever_is_a_call_takes_a_port(stage: Stage, more: dict[str, str]) -> None:
    """The deck has no inbound price: whether it is refused for its port is seen by a full pool."""
    stage.lease(stage.zoe)
    stage.lease(stage.wile)
    found = stage.call("call", "dialler", **more)
    expected = "destination_not_rated" if "direction" in more else "insufficient_ports"
    assert found.body["reason"] == expected


def test_a_call_that_is_refused_for_its_licence_says_what_is_missing(stage: Stage) -> None:
    found = stage.call("call", "seat", member=stage.zoe)
    assert found.status == 200
    assert found.body == {
        "allowed": False,
        "reason": "licence_required",
        "message": "the member has no licence of seat: assign one",
        "licence": "seat",
        "assign": f"{stage.path}/licences/seat/assignments/{stage.zoe}",
    }
    stage.assign("seat", stage.zoe)
    assert stage.call("call", "seat", member=stage.zoe).body["allowed"] is True
    stage.lease(stage.zoe)
    stage.lease(stage.wile)
    found = stage.call("another", "dialler")
    assert found.body["reason"] == "insufficient_ports"
    assert (found.body["cause"], found.body["in_use"], found.body["quantity"]) == (
        "pool_exhausted",
        2,
        2,
    )
    assert stage.call("his", "dialler", member=stage.zoe).body["allowed"] is True


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"licence": "fax"}, "/licence"),
        ({"licence": "seat"}, "/member"),
        ({"licence": "seat", "member": "mem_nobody"}, "/member"),
    ],
    ids=["no such kind", "nobody named", "nobody of that name"],
)
def test_what_a_call_names_and_is_not_there_is_an_invalid_body(
    stage: Stage, body: dict[str, str], pointer: str
) -> None:
    found = stage.call("call", **body)
    assert (found.status, found.code) == (422, "invalid_input")
    assert found.body["errors"][0]["pointer"] == pointer


def test_the_history_tells_how_many_are_enough(stage: Stage) -> None:
    stage.lease(stage.zoe, lease_seconds=3_600)
    stage.lease(stage.wile, lease_seconds=60)
    stage.call("call", "dialler")
    stage.world.clock.advance(timedelta(minutes=59))
    assert stage.get("licences/dialler/history", days="1").body == {
        "licence": "dialler",
        "name": "Dialler port",
        "quantity": 2,
        "peak": 2,
        "refused_hours": 1,
        "hours": [{"at": "2026-03-14T12:00:00Z", "peak": 2, "quantity": 2, "refused": True}],
    }
    assert stage.get("licences/dialler/history", days="91").code == "invalid_input"
    assert stage.get("licences/seat/history").code == "invalid_input"
    assert stage.get("licences/fax/history").code == "not_found"


def test_a_lease_has_bounds_and_a_member(stage: Stage) -> None:
    assert stage.lease(stage.zoe, lease_seconds=29).code == "invalid_input"
    assert stage.lease(stage.zoe, "fax").code == "not_found"
    found = stage.lease("mem_nobody")
    assert (found.code, found.body["errors"][0]["pointer"]) == ("invalid_input", "/member")


def test_every_assignment_is_audited_with_its_acceptance(stage: Stage) -> None:
    stage.assign("seat", stage.zoe)
    (record,) = [
        one
        for one in stage.world.call("GET", f"{stage.path}/audit", token=ADMIN).body["data"]
        if one["action"] == "licence.assigned"
    ]
    assert record["after"] == {"licence": "seat", "member": stage.zoe}
    assert record["acceptance"]["first_name"] == ACCEPTANCE["first_name"]


def test_a_world_without_licences_lists_none() -> None:
    found = seeded().call("GET", "/v1/accounts/main/licences", token=ADMIN)
    assert (found.status, found.body) == (200, {"data": [], "next_cursor": None})
