"""Correcting one call over HTTP: by the operator, once per key, and audited."""

from typing import Any

import pytest

from builders import a_usage_event
from integration.api.client import ACME, ADMIN, OPERATOR, Reply, World, seeded

PATH = "/v1/accounts/main/corrections"
EVENT = a_usage_event(1, quantity=61)
NAMED = {
    "provider": EVENT.key.provider,
    "provider_account": EVENT.key.provider_account,
    "call_id": EVENT.key.call_id,
    "reason": "The carrier's ticket 4711",
}


@pytest.fixture
def world() -> World:
    world = seeded()
    world.post_usage(ACME, EVENT)
    return world


def correct(world: World, key: str = "k", **body: Any) -> Reply:
    headers = {"Talktime-Tenant": "acme", "Idempotency-Key": key}
    return world.call("POST", PATH, {**NAMED, **body}, token=OPERATOR, headers=headers)


def test_a_call_is_corrected_and_listed_as_it_stands(world: World) -> None:
    found = correct(world, quantity=30)
    assert found.status == 200
    call = found.body["call"]
    assert (call["quantity"], call["revision"], call["corrected_by"]) == (30, 1, "operator")
    (row,) = world.call("GET", "/v1/accounts/main/usage", token=ADMIN).body["data"]
    assert row == call
    assert (row["sequence"], row["posted_at"]) == (1, "2026-03-14T12:00:00Z")
    assert world.call("GET", "/v1/accounts/main/ledger/verify", token=ADMIN).body["is_sound"]


def test_the_same_request_again_is_one_correction(world: World) -> None:
    first = correct(world, quantity=30)
    correct(world, "other", quantity=20)
    before = world.book.account(ACME)
    again = correct(world, quantity=30)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.body == first.body
    assert world.book.account(ACME) == before
    assert correct(world, quantity=31).code == "idempotency_key_reused"


def test_it_is_audited_with_its_reason(world: World) -> None:
    correct(world, quantity=30)
    (record,) = (r for r in world.book.audit_records(ACME) if r.action == "usage.corrected")
    assert record.actor == "vendor-operator"
    assert record.after == {**NAMED, "quantity": 30}


def test_a_call_may_turn_out_not_to_have_been_answered(world: World) -> None:
    found = correct(world, quantity=0, status="no_answer", answered_at=None)
    call = found.body["call"]
    assert (call["status"], call["answered_at"], call["cost"]["amount"]) == (
        "no_answer",
        None,
        "0.00",
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_input"),
        ({"quantity": -1}, "invalid_input"),
        ({"quantity": "30"}, "invalid_input"),
        ({"quantity": 10**8}, "invalid_input"),
        ({"status": "ringing"}, "invalid_input"),
        ({"reason": ""}, "invalid_input"),
        ({"status": "busy"}, "invalid_usage"),
        ({"answered_at": None}, "invalid_usage"),
        ({"ended_at": "2026-03-14T11:00:00Z"}, "invalid_usage"),
        ({"ended_at": "2026-03-15T12:00:00Z"}, "invalid_usage"),
        ({"to": "+4420"}, "destination_not_rated"),
        ({"quantity": 1, "call_id": "another"}, "not_found"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    world: World, body: dict[str, Any], code: str
) -> None:
    before = world.book.account(ACME)
    assert correct(world, **body).code == code
    assert world.book.account(ACME) == before
