"""Storage over HTTP: told by machines, read by admins, charged on the next invoice."""

from copy import deepcopy
from typing import Any

import pytest

from billing.domain.subscription import Subscription
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    CATALOG,
    GLOBEX,
    GLOBEX_ADMIN,
    MEMBER,
    OPERATOR,
    SERVICE,
    Reply,
    World,
    a_tenant_body,
    seeded,
)

MB = 1024 * 1024
PATH = "/v1/storage"


@pytest.fixture
def world() -> World:
    """Storage costs $30 a started gigabyte, and nobody is a member: 250 MB are free."""
    world = World()
    catalog: dict[str, Any] = deepcopy(CATALOG)
    catalog["storage"] = {"price": {"USD": "30.00"}}
    saved = world.call("PUT", "/v1/catalog", catalog, token=OPERATOR)
    assert saved.status == 201, saved
    for tenant in ("acme", "globex"):
        opened = world.call(
            "POST",
            "/v1/tenants",
            a_tenant_body(tenant),
            token=OPERATOR,
            headers={"Idempotency-Key": tenant},
        )
        assert opened.status == 201, opened
        world.talktime.bill_account.bill(ACME if tenant == "acme" else GLOBEX)
    return world


def tell(world: World, used_mb: int, **more: Any) -> Reply:
    return world.call("PUT", PATH, {"used_bytes": used_mb * MB}, token=SERVICE, **more)


def pending(world: World, ref: Any = ACME) -> list[tuple[str, int]]:
    subscription = world.book.thing(ref, Subscription)
    assert subscription is not None
    return [(line.text, line.amount_micros) for line in subscription.pending]


def test_what_is_free_says_so(world: World) -> None:
    told = tell(world, 250)
    assert told.status == 200
    assert told.body["included_bytes"] == 250 * MB
    assert (told.body["charged_gb"], told.body["to_get_below"]) == (0, [])
    assert pending(world) == []


def test_what_exceeds_it_goes_on_the_next_invoice_once(world: World) -> None:
    first, again = tell(world, 251), tell(world, 251)
    assert first.body["charged"] == {"amount": "30.00", "currency": "USD"}
    assert again.body["charged_gb"] == 0
    assert pending(world) == [("Storage, 1 GB above what is included", 30_000_000)]
    assert first.body["limit_bytes"] == (250 + 1024) * MB


def test_each_gigabyte_is_a_line_of_its_own(world: World) -> None:
    tell(world, 251)
    tell(world, 250 + 1025)
    assert [micros for _, micros in pending(world)] == [30_000_000, 30_000_000]


def test_the_answer_says_what_to_do_to_get_below(world: World) -> None:
    told = tell(world, 300).body
    assert told["above_included_bytes"] == 50 * MB
    assert told["to_get_below"] == ["purge_data", "remove_recordings", "load_only_lists_in_use"]


def test_members_bring_room_with_them(world: World) -> None:
    for place in range(7):
        body = {
            "email": f"m{place}@example.com",
            "first_name": "Zoe",
            "last_name": "Doe",
            "role": "member",
            "state": "active",
            "acceptance": ACCEPTANCE,
        }
        made = world.call(
            "POST", "/v1/members", body, token=ADMIN, headers={"Idempotency-Key": str(place)}
        )
        assert made.status == 201, made
    assert tell(world, 350).body["included_bytes"] == 350 * MB


def test_an_admin_reads_what_was_told_and_a_member_does_not(world: World) -> None:
    tell(world, 251)
    read = world.call("GET", PATH, token=ADMIN)
    assert (read.body["used_bytes"], read.body["extended_gb"]) == (251 * MB, 1)
    assert world.call("GET", PATH, token=MEMBER).status == 403
    assert world.call("PUT", PATH, {"used_bytes": 1}, token=ADMIN).status == 403
    assert world.call("GET", PATH, token=GLOBEX_ADMIN).body["used_bytes"] == 0


def test_the_account_that_was_named_pays(world: World) -> None:
    patched = world.call(
        "PATCH",
        "/v1/tenants/acme",
        {"storage_account": "other"},
        token=OPERATOR,
        headers={"If-Match": world.call("GET", "/v1/tenants/acme", token=OPERATOR).headers["etag"]},
    )
    assert (patched.status, patched.code) == (422, "invalid_input")
    world.call(
        "PATCH",
        "/v1/tenants/acme",
        {"storage_account": ACME.account_id},
        token=OPERATOR,
        headers={"If-Match": world.call("GET", "/v1/tenants/acme", token=OPERATOR).headers["etag"]},
    )
    assert tell(world, 251).body["account"] == ACME.account_id


@pytest.mark.parametrize("used", [-1, 10**18 + 1, 1.5, "5", None])
def test_a_gauge_that_is_none_names_its_field(world: World, used: Any) -> None:
    refused = world.call("PUT", PATH, {"used_bytes": used}, token=SERVICE)
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert refused.body["errors"][0]["pointer"] == "/used_bytes"


def test_where_storage_has_no_price_nothing_is_charged() -> None:
    world = seeded()
    world.talktime.bill_account.bill(ACME)
    assert tell(world, 5_000).status == 200
    assert pending(world) == []
