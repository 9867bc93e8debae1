"""The quarantine's routes: an operator sees why, fixes it, and posts it again."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.canonical import Json, digest
from billing.domain.quarantine import Parked
from billing.ports import Connection
from billing.services.post_usage import PostUsage
from builders import a_usage_event
from integration.api.client import ACME, ADMIN, NOW, OPERATOR, Reply, World, seeded

UNRATED = "+4930123456"
PATH = "/v1/quarantine"


@pytest.fixture
def world() -> World:
    return seeded()


def park(world: World, number: int = 1, **overrides: Any) -> str:
    """A call of a sub-account that nobody mapped."""
    event: Mapping[str, Json] = overrides.pop("event", a_usage_event(number, NOW).to_json())
    parked_id = digest([number])[:32]
    world.quarantine.park(
        Parked(
            **{
                "parked_id": parked_id,
                "reason": "account_not_mapped",
                "detail": "the connection maps it to no account",
                "connection_id": "acme-twilio",
                "account": None,
                "event": event,
                "parked_at": NOW,
                **overrides,
            }
        )
    )
    return parked_id


def posting(world: World) -> PostUsage:
    return PostUsage(
        book=world.book,
        decks=world.decks,
        quarantine=world.quarantine,
        clock=world.clock,
        change_account=world.talktime.change_account,
        settle_reservations=world.talktime.settle_reservations,
    )


def park_unrated(world: World, number: int = 50) -> str:
    """A call that posting itself parks."""
    before = {parked.parked_id for parked in world.quarantine.parked(None, 1000)}
    event = a_usage_event(number, NOW, to_number=UNRATED)
    posting(world).post(ACME, [event])
    (parked_id,) = {p.parked_id for p in world.quarantine.parked(None, 1000)} - before
    return parked_id


def patch(world: World, parked_id: str, body: Any, version: int = 1) -> Reply:
    headers = {"If-Match": f'"{version}"'}
    return world.call("PATCH", f"{PATH}/{parked_id}", body, token=OPERATOR, headers=headers)


def replay(world: World, parked_id: str) -> Reply:
    return world.call("POST", f"{PATH}/{parked_id}/replay", token=OPERATOR)


def read(world: World, parked_id: str) -> Any:
    found = world.call("GET", f"{PATH}/{parked_id}", token=OPERATOR)
    assert found.status == 200, found.text
    assert found.headers["etag"] == f'"{found.body["version"]}"'
    return found.body


def work(world: World) -> None:
    world.clock.advance(timedelta(seconds=1))
    for ref, events in world.usage_queue.take():
        posting(world).post(ref, events)


def pointers(found: Reply) -> set[str]:
    return {error["pointer"] for error in found.body["errors"]}


def test_an_item_shows_what_came_in_and_what_would_be_posted(world: World) -> None:
    parked_id = park(world)
    found = read(world, parked_id)
    assert (found["state"], found["attempts"], found["history"]) == ("parked", 0, [])
    assert found["event"] == a_usage_event(1, NOW).to_json()
    assert found["usage"]["from"] == "+14155550100"
    assert found["usage"]["ended_at"] == "2026-03-14T12:00:00Z"


def test_what_cannot_be_read_as_usage_says_so(world: World) -> None:
    parked_id = park(world, event={"CallSid": "CA1"}, reason="invalid_timestamp")
    assert read(world, parked_id)["usage"] is None


def test_from_parked_to_posted(world: World) -> None:
    parked_id = park_unrated(world)
    fixed = patch(world, parked_id, {"to": "+14155550123", "quantity": 59})
    assert (fixed.status, fixed.headers["etag"]) == (200, '"2"')
    assert fixed.body["state"] == "fixed"
    assert fixed.body["history"] == [
        {
            "action": "fix",
            "actor": "vendor-operator",
            "at": "2026-03-14T12:00:00Z",
            "reason": None,
            "before": {"to": UNRATED, "quantity": 61},
            "after": {"to": "+14155550123", "quantity": 59},
        }
    ]
    replayed = replay(world, parked_id)
    assert (replayed.status, replayed.body["state"]) == (200, "replayed")
    work(world)
    found = read(world, parked_id)
    assert (found["state"], found["attempts"]) == ("resolved", 1)
    (row,) = world.call("GET", "/v1/accounts/main/usage", token=ADMIN).body["data"]
    assert (row["to"], row["quantity"]) == ("+14155550123", 59)
    # There is nothing left to do, and saying so again changes nothing.
    assert replay(world, parked_id).body["state"] == "resolved"
    late = patch(world, parked_id, {"quantity": 1}, version=found["version"])
    assert (late.status, late.code) == (409, "item_closed")


def test_a_fix_needs_what_was_seen(world: World) -> None:
    parked_id = park(world)
    path, body = f"{PATH}/{parked_id}", {"quantity": 60}
    assert world.call("PATCH", path, body, token=OPERATOR).code == "precondition_required"
    assert patch(world, parked_id, body, version=7).code == "stale_settings"
    assert patch(world, parked_id, body).status == 200
    assert patch(world, parked_id, {"quantity": 59}).code == "stale_settings"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quantity": "60"}, "/quantity"),
        ({"quantity": -1}, "/quantity"),
        ({"quantity": 10**8}, "/quantity"),
        ({"quantity": 1.5}, "/quantity"),
        ({"quantity": None}, "/quantity"),
        ({"direction": "sideways"}, "/direction"),
        ({"unit": None}, "/unit"),
        ({"status": "busy"}, "/quantity"),
        ({"to": ""}, "/to"),
        ({"to": "\u0000"}, "/to"),
        ({"answered_at": None}, "/answered_at"),
        ({"answered_at": "2026-03-14T13:00:00Z"}, "/answered_at"),
        ({"ended_at": "yesterday"}, "/ended_at"),
        ({"ended_at": None}, "/ended_at"),
        ({"call_id": "CA9"}, "/call_id"),
        ({"account": {"tenant": "acme", "account": "nobodys"}}, "/account"),
        ({"account": {"tenant": "nobody", "account": "default"}}, "/account"),
        ({"account": "main"}, "/account"),
        ({"state": "resolved"}, "/state"),
    ],
)
def test_a_fix_is_checked_like_usage(world: World, body: Any, pointer: str) -> None:
    parked_id = park(world)
    found = patch(world, parked_id, body)
    assert found.status == 422
    assert pointers(found) == {pointer}
    assert world.quarantine.get(parked_id).version == 1


def test_all_that_is_missing_is_named_at_once(world: World) -> None:
    parked_id = park(world, event={"CallSid": "CA1"}, reason="invalid_timestamp")
    found = patch(world, parked_id, {"direction": "inbound"})
    assert (found.status, found.code) == (422, "invalid_usage")
    assert {"/call_id", "/to", "/quantity", "/ended_at"} <= pointers(found)


def test_an_unreadable_callback_is_filled_in_and_posted(world: World) -> None:
    parked_id = park(world, event={"CallSid": "CA1"}, reason="invalid_timestamp")
    assert replay(world, parked_id).code == "invalid_usage"
    whole = {
        "account": {"tenant": "acme", "account": "default"},
        "provider": "twilio",
        "provider_account": "AC1",
        "call_id": "CA1",
        "unit": "voice_seconds",
        "direction": "outbound",
        "from": "+14155550100",
        "to": "+14155550123",
        "status": "completed",
        "quantity": 61,
        "answered_at": "2026-03-14T11:58:59Z",
        "ended_at": "2026-03-14T12:00:00+00:00",
    }
    fixed = patch(world, parked_id, whole)
    assert fixed.status == 200, fixed.text
    assert fixed.body["account"] == {"tenant": "acme", "account": "main"}
    assert fixed.body["event"] == {"CallSid": "CA1"}
    replay(world, parked_id)
    work(world)
    assert read(world, parked_id)["state"] == "resolved"


def test_nobody_is_billed_by_guess(world: World) -> None:
    parked_id = park(world)
    found = replay(world, parked_id)
    assert (found.status, found.code) == (409, "account_not_mapped")
    connection = Connection("acme-twilio", "twilio", ("s",), ACME, {}, 1, NOW)
    world.connections.save(connection, 0)
    assert replay(world, parked_id).body["account"] == {"tenant": "acme", "account": "main"}
    back = patch(world, parked_id, {"account": None}, version=2)
    assert back.body["account"] is None


def test_a_replayed_conflict_is_no_correction(world: World) -> None:
    world.use(ACME, 1)
    posting(world).post(ACME, [a_usage_event(1, NOW, quantity=600)], redelivered=True)
    (parked,) = world.quarantine.parked(None, 10)
    before = world.call("GET", "/v1/accounts/main", token=ADMIN).body["balance"]
    replay(world, parked.parked_id)
    work(world)
    found = read(world, parked.parked_id)
    assert (found["reason"], found["state"], found["attempts"]) == (
        "conflicting_report",
        "parked",
        1,
    )
    assert world.call("GET", "/v1/accounts/main", token=ADMIN).body["balance"] == before


def test_a_dismissal_says_why_and_stays_listed(world: World) -> None:
    parked_id = park(world)
    path = f"{PATH}/{parked_id}/dismiss"
    assert world.call("POST", path, {}, token=OPERATOR).status == 422
    assert world.call("POST", path, {"reason": " "}, token=OPERATOR).status == 422
    found = world.call("POST", path, {"reason": "A test call."}, token=OPERATOR)
    assert (found.status, found.body["state"]) == (200, "dismissed")
    again = world.call("POST", path, {"reason": "Another."}, token=OPERATOR)
    assert again.body["history"] == found.body["history"]
    assert found.body["history"][0]["reason"] == "A test call."
    assert replay(world, parked_id).code == "item_closed"
    rows = world.call("GET", PATH, token=OPERATOR, state="dismissed").body["data"]
    assert [row["id"] for row in rows] == [parked_id]


def test_many_are_replayed_and_the_rest_is_named(world: World) -> None:
    world.connections.save(Connection("acme-twilio", "twilio", ("s",), ACME, {}, 1, NOW), 0)
    for number in range(1, 121):
        park(world, number)
    park(world, 999, connection_id="unknown")
    done: list[Any] = []
    body: dict[str, Any] = {"reason": "account_not_mapped"}
    while True:
        found = world.call("POST", f"{PATH}/replay", body, token=OPERATOR)
        assert found.status == 200, found.text
        done.append(found.body)
        if found.body["next_cursor"] is None:
            break
        body["cursor"] = found.body["next_cursor"]
    assert sum(one["replayed"] for one in done) == 120
    (skipped,) = [skipped for one in done for skipped in one["skipped"]]
    assert (skipped["id"], skipped["code"]) == (digest([999])[:32], "account_not_mapped")
    work(world)
    resolved = world.call("GET", PATH, token=OPERATOR, state="resolved", limit="100").body
    assert len(resolved["data"]) == 100
    other = {**body, "reason": "no_rate_deck"}
    assert world.call("POST", f"{PATH}/replay", other, token=OPERATOR).code == "invalid_cursor"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"reason": "destination_not_rated"}, 1),
        ({"reason": "no_rate_deck"}, 0),
        ({"state": "open"}, 2),
        ({"state": "parked"}, 2),
        ({"state": "dismissed"}, 1),
        ({"tenant": "acme", "account": "main"}, 1),
        ({"tenant": "globex"}, 0),
        ({"connection": "acme-twilio", "state": "open"}, 2),
        ({"connection": "another"}, 0),
    ],
)
def test_a_list_is_filtered(world: World, query: dict[str, Any], count: int) -> None:
    park(world, 1)
    closed = park(world, 2)
    park_unrated(world)
    world.call("POST", f"{PATH}/{closed}/dismiss", {"reason": "Fraud."}, token=OPERATOR)
    found = world.call("GET", PATH, token=OPERATOR, **query)
    assert len(found.body["data"]) == count
    assert found.body["next_cursor"] is None


@pytest.mark.parametrize("query", [{"state": "lost"}, {"reason": "No!"}, {"tenant": "a/b"}])
def test_a_filter_that_means_nothing_is_refused(world: World, query: dict[str, Any]) -> None:
    assert world.call("GET", PATH, token=OPERATOR, **query).status == 422


def test_pages_lead_through_a_filtered_list(world: World) -> None:
    for number in range(7):
        park(world, number)
    park_unrated(world)
    ids: list[str] = []
    query: dict[str, Any] = {"limit": "3", "reason": "account_not_mapped"}
    while True:
        found = world.call("GET", PATH, token=OPERATOR, **query).body
        ids += [row["id"] for row in found["data"]]
        if found["next_cursor"] is None:
            break
        query["cursor"] = found["next_cursor"]
    assert ids == sorted(digest([number])[:32] for number in range(7))
    other = {**query, "reason": "destination_not_rated"}
    assert world.call("GET", PATH, token=OPERATOR, **other).code == "invalid_cursor"


def test_the_list_is_also_a_sheet(world: World) -> None:
    park(world, detail="=1+1")
    found = world.call("GET", PATH, token=OPERATOR, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO(found.text))
    assert row["usage.call_id"] == a_usage_event(1, NOW).key.call_id
    assert (row["state"], row["account.tenant"], row["detail"]) == ("parked", "", "'=1+1")


@pytest.mark.parametrize("parked_id", ["0" * 32, "nothing", "replay"])
def test_what_was_never_parked_is_not_found(world: World, parked_id: str) -> None:
    assert world.call("GET", f"{PATH}/{parked_id}", token=OPERATOR).code == "not_found"
    assert patch(world, parked_id, {"quantity": 1}).code == "not_found"
    assert replay(world, parked_id).code == "not_found"
    body = {"reason": "Fraud."}
    dismissed = world.call("POST", f"{PATH}/{parked_id}/dismiss", body, token=OPERATOR)
    assert dismissed.code == "not_found"
