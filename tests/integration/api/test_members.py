"""Members over HTTP: who may see and change whom, and what two cannot share."""

from datetime import timedelta
from typing import Any

import pytest

from integration.api.client import (
    ACCEPTANCE,
    ADMIN,
    GLOBEX_ADMIN,
    MEMBER,
    OPERATOR,
    SERVICE,
    Reply,
    Token,
    World,
    a_token,
    seeded,
)

PATH = "/v1/members"
BOB: dict[str, Any] = {
    "email": "bob@example.com",
    "first_name": "Bob",
    "last_name": "Lee",
    "acceptance": ACCEPTANCE,
}
ANN: dict[str, Any] = {
    "email": "ann@example.com",
    "first_name": "Ann",
    "last_name": "Lee",
    "role": "billing-admin",
    "state": "active",
    "subject": "acme-billing-admin",
    "acceptance": ACCEPTANCE,
}


@pytest.fixture
def world() -> World:
    return seeded()


def post(world: World, body: dict[str, Any], key: str = "", token: Token = ADMIN) -> Reply:
    headers = {"Idempotency-Key": key or str(body["email"])}
    return world.call("POST", PATH, body, token=token, headers=headers)


def patch(world: World, member: str, etag: str, token: Token = ADMIN, **changed: Any) -> Reply:
    body = {**changed, "acceptance": ACCEPTANCE}
    headers = {"If-Match": etag}
    return world.call("PATCH", f"{PATH}/{member}", body, token=token, headers=headers)


def delete(world: World, member: str, token: Token = ADMIN) -> Reply:
    body = {"acceptance": ACCEPTANCE}
    return world.call("DELETE", f"{PATH}/{member}", body, token=token)


def test_a_member_is_invited_and_becomes_active(world: World) -> None:
    invited = post(world, BOB)
    assert invited.status == 201
    member = invited.body["member"]
    assert invited.headers["location"].endswith(f"{PATH}/{member}")
    assert (invited.body["state"], invited.body["role"]) == ("invited", "member")
    assert (invited.body["account"], invited.body["subject"]) == ("main", None)
    read = world.call("GET", f"{PATH}/{member}", token=ADMIN)
    assert (read.body, read.headers["etag"]) == (invited.body, '"1"')
    active = patch(world, member, '"1"', state="active", subject="acme-member")
    assert (active.status, active.body["state"], active.headers["etag"]) == (200, "active", '"2"')
    listed = world.call("GET", PATH, token=ADMIN, state="active").body["data"]
    assert listed == [active.body]
    assert world.call("GET", PATH, token=ADMIN, state="invited").body["data"] == []


def test_a_repeated_invitation_is_answered_as_the_first_was(world: World) -> None:
    first = post(world, BOB)
    patch(world, first.body["member"], '"1"', last_name="Smith")
    again = post(world, BOB)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    other = post(world, {**BOB, "last_name": "Jones"}, key="bob@example.com")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_one_key_is_one_member_whichever_account_pays(world: World) -> None:
    world.clock.advance(timedelta(minutes=1))
    opened = world.call(
        "POST",
        "/v1/accounts",
        {"name": "B", "currency": "USD", "time_zone": "UTC", "plan": "growth", "billing_day": 1},
        token=ADMIN,
        headers={"Idempotency-Key": "second"},
    )
    assert post(world, BOB, "key").status == 201
    elsewhere = {**BOB, "account": opened.body["account"]}
    assert post(world, elsewhere, "key").code == "idempotency_key_reused"
    paid = post(world, {**elsewhere, "email": "rob@example.com"})
    assert paid.body["account"] == opened.body["account"]
    audit = world.call("GET", f"/v1/accounts/{opened.body['account']}/audit", token=ADMIN)
    assert [row["action"] for row in audit.body["data"]] == ["member.created"]


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        pytest.param({"email": "ANN@example.com"}, "email", id="the address"),
        pytest.param({"subject": "acme-billing-admin"}, "subject", id="the subject"),
    ],
)
def test_what_another_member_has_is_refused_and_named(
    world: World, altered: dict[str, Any], field: str
) -> None:
    post(world, ANN)
    taken = post(world, {**BOB, **altered}, "taken")
    assert (taken.status, taken.code, taken.body["field"]) == (409, "member_exists", field)
    bob = post(world, BOB).body["member"]
    changed = patch(world, bob, '"1"', **altered)
    assert (changed.status, changed.code, changed.body["field"]) == (409, "member_exists", field)
    assert post(world, {**BOB, **altered}, "globex", GLOBEX_ADMIN).status == 201


def test_the_last_billing_admin_can_neither_be_removed_demoted_nor_deactivated(
    world: World,
) -> None:
    ann = post(world, ANN).body["member"]
    refused = [
        delete(world, ann),
        patch(world, ann, '"1"', role="member"),
        patch(world, ann, '"1"', state="deactivated"),
        delete(world, ann, SERVICE),
    ]
    assert {(found.status, found.code) for found in refused} == {(409, "last_admin")}
    second = {**ANN, "email": "zoe@example.com", "subject": "auth0|zoe"}
    zoe = post(world, second).body["member"]
    assert delete(world, ann).status == 204
    assert delete(world, ann).status == 204
    assert delete(world, zoe).code == "last_admin"
    gone = world.call("GET", f"{PATH}/{ann}", token=ADMIN)
    assert (gone.body["state"], gone.body["email"]) == ("deactivated", "ann@example.com")


def test_who_leaves_can_come_back_unless_the_address_is_taken(world: World) -> None:
    bob = post(world, BOB).body["member"]
    delete(world, bob)
    heir = post(world, {**BOB, "first_name": "Rob"}, "heir").body["member"]
    assert patch(world, bob, '"2"', state="active").code == "member_exists"
    delete(world, heir)
    assert patch(world, bob, '"2"', state="active").body["state"] == "active"


def test_a_member_sees_himself_and_nobody_else(world: World) -> None:
    himself = post(world, {**BOB, "subject": "acme-member"}).body["member"]
    other = post(world, ANN).body["member"]
    for name in ("me", himself):
        found = world.call("GET", f"{PATH}/{name}", token=MEMBER)
        assert (found.status, found.body["member"]) == (200, himself)
    hidden = world.call("GET", f"{PATH}/{other}", token=MEMBER)
    nobody = world.call("GET", f"{PATH}/mem_{'a' * 20}", token=MEMBER)
    assert (hidden.status, hidden.text) == (404, nobody.text)
    assert world.call("GET", PATH, token=MEMBER).status == 403
    assert world.call("GET", f"{PATH}/me", token=ADMIN).body["member"] == other
    delete(world, himself)
    assert world.call("GET", f"{PATH}/me", token=MEMBER).status == 404


def test_the_operator_records_the_first_admin(world: World) -> None:
    headers = {"Idempotency-Key": "first", "Talktime-Tenant": "acme"}
    made = world.call("POST", PATH, ANN, token=OPERATOR, headers=headers)
    assert made.status == 201
    assert world.call("GET", f"{PATH}/me", token=ADMIN).body == made.body
    (record,) = world.call("GET", "/v1/accounts/main/audit", token=ADMIN).body["data"]
    assert (record["actor"], record["is_machine"]) == ("vendor-operator", False)


def test_a_back_end_keeps_members_in_step_and_accepts_nothing(world: World) -> None:
    body = {name: value for name, value in BOB.items() if name != "acceptance"}
    made = post(world, {**body, "subject": "google-oauth2|4242424242424242"}, token=SERVICE)
    assert made.status == 201, made.text
    (record,) = world.call("GET", "/v1/accounts/main/audit", token=ADMIN).body["data"]
    assert (record["is_machine"], record["acceptance"]) == (True, None)


@pytest.mark.parametrize(
    ("altered", "pointer"),
    [
        pytest.param({"email": "bob"}, "/email", id="no address"),
        pytest.param({"email": "b" * 250 + "@x.y"}, "/email", id="an endless address"),
        pytest.param({"first_name": " "}, "/first_name", id="a blank name"),
        pytest.param({"last_name": "Lee\n"}, "/last_name", id="a name of two lines"),
        pytest.param({"role": "operator"}, "/role", id="a role that is no member's"),
        pytest.param({"state": "deactivated"}, "/state", id="gone before he was there"),
        pytest.param({"subject": ""}, "/subject", id="an empty subject"),
        pytest.param({"subject": "a\x00b"}, "/subject", id="an unprintable subject"),
        pytest.param({"account": "nobodys"}, "/account", id="no such account"),
        pytest.param({"account": "a#b"}, "/account", id="no account's id"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    world: World, altered: dict[str, str], pointer: str
) -> None:
    before = world.book._accounts.copy()
    found = post(world, {**BOB, **altered}, "wrong")
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)
    assert world.book._accounts == before
    assert world.talktime.members.counts("acme").created == 0


def test_a_change_needs_the_revision_that_was_seen(world: World) -> None:
    bob = post(world, BOB).body["member"]
    body = {"last_name": "Smith", "acceptance": ACCEPTANCE}
    bare = world.call("PATCH", f"{PATH}/{bob}", body, token=ADMIN)
    assert (bare.status, bare.code) == (428, "precondition_required")
    assert patch(world, bob, '"7"', last_name="Smith").status == 412
    assert patch(world, bob, '"1"', last_name="Smith").status == 200
    assert patch(world, bob, '"1"', last_name="Jones").status == 412


def test_members_are_paged_by_id(world: World) -> None:
    ids = sorted(
        post(world, {**BOB, "email": f"b{number}@example.com"}).body["member"]
        for number in range(5)
    )
    query: dict[str, Any] = {"limit": "2"}
    found = []
    while True:
        page = world.call("GET", PATH, token=ADMIN, **query).body
        found += [row["member"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == ids
    other = a_token("billing-admin", "globex")
    assert world.call("GET", PATH, token=other).body["data"] == []


def test_a_tenant_that_is_not_there_gets_no_members(world: World) -> None:
    headers = {"Idempotency-Key": "first", "Talktime-Tenant": "nowhere"}
    assert world.call("POST", PATH, BOB, token=OPERATOR, headers=headers).status == 404
