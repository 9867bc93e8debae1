"""Re-rating over HTTP: a dry run, then for good, page by page."""

from datetime import timedelta
from typing import Any

import pytest

from billing.services import rerate_usage
from integration.api.client import (
    ACME,
    ADMIN,
    DECK,
    OPERATOR,
    RATES,
    SERVICE,
    Reply,
    World,
    seeded,
)

PATH = "/v1/accounts/main/rerate"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(rerate_usage, "STEP_CALLS", 2)
    monkeypatch.setattr(rerate_usage, "PAGE_STEPS", 2)
    world = seeded()
    world.use(ACME, 5)
    uploaded = world.call(
        "PUT",
        f"/v1/rate-decks/{DECK}",
        RATES.replace("0.60", "0.90"),
        token=OPERATOR,
        headers={"Content-Type": "text/csv"},
        currency="USD",
    )
    assert uploaded.body["version"] == 2
    return world


def rerate(world: World, key: str | None = None, **body: Any) -> Reply:
    headers = {"Talktime-Tenant": "acme"}
    if key is not None:
        headers["Idempotency-Key"] = key
    asked = {"from": 1, "to": 6, "deck": DECK, "version": 2, "dry_run": True, **body}
    return world.call("POST", PATH, asked, token=OPERATOR, headers=headers)


def test_a_dry_run_lists_the_calls_and_needs_no_key(world: World) -> None:
    before = world.book.account(ACME)
    found = rerate(world)
    assert found.status == 200
    assert (found.body["calls"], found.body["changed"], len(found.body["data"])) == (4, 4, 4)
    row = found.body["data"][0]
    assert (row["sequence"], row["changed"], row["refused"]) == (1, True, None)
    assert found.body["next_cursor"] is not None
    rest = rerate(world, cursor=found.body["next_cursor"])
    assert (rest.body["calls"], rest.body["next_cursor"]) == (1, None)
    assert world.book.account(ACME) == before


def test_applying_it_moves_the_money_and_shows_in_usage_and_ledger(world: World) -> None:
    foretold = [rerate(world)]
    foretold.append(rerate(world, cursor=foretold[0].body["next_cursor"]))
    first = rerate(world, "k", dry_run=False)
    assert (first.status, first.body["data"]) == (200, [])
    rest = rerate(world, "k", dry_run=False, cursor=first.body["next_cursor"])
    for dry, done in zip(foretold, (first, rest), strict=True):
        for name in ("calls", "changed", "old_cost", "new_cost", "wallet_difference"):
            assert done.body[name] == dry.body[name]
    usage = world.call("GET", "/v1/accounts/main/usage", token=ADMIN).body["data"]
    assert [(row["sequence"], row["revision"], row["corrected_by"]) for row in usage] == [
        (number, 1, "rerating") for number in range(1, 6)
    ]
    assert {row["rate_deck_version"] for row in usage} == {2}
    entries = world.call("GET", "/v1/accounts/main/ledger", token=ADMIN).body["data"]
    kinds = [entry["kind"] for entry in entries]
    assert kinds == ["usage"] * 5 + ["reversal", "usage"] * 3
    assert world.call("GET", "/v1/accounts/main/ledger/verify", token=ADMIN).body["is_sound"]


def test_the_same_request_again_changes_nothing(world: World) -> None:
    first = rerate(world, "k", dry_run=False)
    before = world.book.account(ACME)
    again = rerate(world, "k", dry_run=False)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.body == first.body
    assert world.book.account(ACME) == before


def test_the_same_key_for_another_range_or_version_is_refused(world: World) -> None:
    rerate(world, "k", dry_run=False)
    assert rerate(world, "k", dry_run=False, version=1).code == "idempotency_key_reused"
    assert rerate(world, "k", dry_run=False, to=3).code == "idempotency_key_reused"


def test_applying_it_needs_a_key(world: World) -> None:
    assert rerate(world, dry_run=False).code == "idempotency_key_required"


def test_it_is_audited(world: World) -> None:
    rerate(world, "k", dry_run=False)
    records = [r for r in world.book.audit_records(ACME) if r.action == "usage.rerated"]
    assert len(records) == 2
    assert {(record.actor, record.after["version"]) for record in records} == {
        ("vendor-operator", 2)
    }


@pytest.mark.parametrize("token", [ADMIN, SERVICE])
def test_it_is_the_operators_alone(world: World, token: Any) -> None:
    asked = {"from": 1, "to": 6, "deck": DECK, "version": 2, "dry_run": True}
    assert world.call("POST", PATH, asked, token=token).code == "forbidden"


def test_a_cursor_belongs_to_its_range_and_to_its_dry_run(world: World) -> None:
    cursor = rerate(world).body["next_cursor"]
    assert rerate(world, cursor=cursor, to=5).code == "invalid_cursor"
    assert rerate(world, "k", cursor=cursor, dry_run=False).code == "invalid_cursor"
    assert rerate(world, cursor="AAAA").code == "invalid_cursor"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"version": 9}, "no_rate_deck"),
        ({"deck": "nowhere"}, "no_rate_deck"),
        ({"from": 6}, "invalid_input"),
        ({"to": 99}, "invalid_input"),
        ({"to": "2027-01-01"}, "invalid_input"),
        ({"from": True}, "invalid_input"),
        ({"from": "1"}, "invalid_input"),
        ({"from": 0}, "invalid_input"),
        ({"version": "2"}, "invalid_input"),
        ({"dry_run": None}, "invalid_input"),
    ],
)
def test_what_cannot_be_re_rated_is_refused(world: World, body: dict[str, Any], code: str) -> None:
    assert rerate(world, **body).code == code


def test_a_range_may_be_days_of_the_account(world: World) -> None:
    world.clock.advance(timedelta(days=2))
    found = rerate(world, **{"from": "2026-03-14", "to": "2026-03-15"})
    assert found.body["calls"] == 4
    assert found.body["next_cursor"] is not None
