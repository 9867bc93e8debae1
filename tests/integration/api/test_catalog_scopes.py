"""Grants that are limited to some usage, or by nothing."""

from copy import deepcopy
from typing import Any

import pytest

from billing.domain.grants import MAX_SCOPE_PREFIXES
from integration.api.client import CATALOG, OPERATOR, Reply, World, a_tenant_body, seeded

DOMESTIC = {
    "grant": "domestic",
    "unit": "voice_seconds",
    "unlimited": True,
    "scope": {"direction": "outbound", "prefixes": ["1", "short:911"]},
}


@pytest.fixture
def world() -> World:
    return seeded()


def put(world: World, grant: dict[str, Any]) -> Reply:
    catalog = deepcopy(CATALOG)
    catalog["plans"][0]["grants"].append(grant)  # type: ignore[index]  # the catalogue is JSON
    return world.call("PUT", "/v1/catalog", catalog, token=OPERATOR, headers={"If-Match": '"1"'})


def test_a_scope_comes_back_as_it_was_given(world: World) -> None:
    assert put(world, DOMESTIC).status == 200
    plain, domestic = world.call("GET", "/v1/catalog", token=OPERATOR).body["plans"][0]["grants"]
    assert domestic == DOMESTIC | {"quantity": 0, "priority": 100, "rollover_limit": 0}
    assert "scope" not in plain
    assert "unlimited" not in plain


def test_an_unlimited_grant_spares_the_wallet_what_it_covers(world: World) -> None:
    put(world, DOMESTIC)
    body = a_tenant_body("initech")
    world.call("POST", "/v1/tenants", body, token=OPERATOR, headers={"Idempotency-Key": "i"})
    ref = next(ref for ref in world.book.account_refs() if ref.tenant_id == "initech")
    world.use(ref, 20, seconds=3600)
    account = world.book.account(ref)
    assert account.wallet_micros == 0
    limited = [grant for grant in account.grants if not grant.unlimited]
    assert [grant.remaining for grant in limited] == [600], "what is limited is spared too"
    named = {"Talktime-Tenant": "initech"}
    found = world.call("GET", "/v1/accounts/default", token=OPERATOR, headers=named).body
    shown = {bool(row["scope"]): row for row in found["grants"]}
    assert (shown[True]["unlimited"], shown[True]["scope"]) == (True, DOMESTIC["scope"])
    assert (shown[False]["unlimited"], shown[False]["remaining"]) == (False, 600)
    (quota,) = found["quotas"]
    assert not quota["unlimited"], "not everywhere"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"unlimited": False}, "quantity", id="limited to nothing"),
        pytest.param({"quantity": 5}, "unlimited", id="unlimited and so many"),
        pytest.param({"rollover_limit": 5}, "unlimited", id="unlimited and carried over"),
        pytest.param({"scope": {"prefixes": ["+1"]}}, "scope/prefixes", id="a plus sign"),
        pytest.param({"scope": {"prefixes": ["x"]}}, "scope/prefixes", id="no digits"),
        pytest.param({"scope": {"prefixes": [""]}}, "scope/prefixes/0", id="an empty prefix"),
        pytest.param({"scope": {"direction": "both"}}, "scope/direction", id="no direction"),
        pytest.param({"scope": {"country": "US"}}, "scope/country", id="an unknown limit"),
        pytest.param(
            {"scope": {"prefixes": ["1"] * (MAX_SCOPE_PREFIXES + 1)}},
            "scope/prefixes",
            id="too many prefixes",
        ),
    ],
)
def test_a_grant_that_cannot_be_names_its_field(
    world: World, changes: dict[str, Any], pointer: str
) -> None:
    found = put(world, DOMESTIC | changes)
    assert (found.status, found.code) == (422, "invalid_input")
    assert [error["pointer"] for error in found.body["errors"]] == [f"/plans/0/grants/1/{pointer}"]
