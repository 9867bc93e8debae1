"""Units of the operator's own: priced by a deck, granted by a plan, reported as metered usage."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from billing.domain.ledger import entry_hash
from billing.services.post_usage import PostUsage
from billing.services.project_usage import ProjectUsage
from fakes.countries import country_of
from integration.api.client import (
    ACME,
    ADMIN,
    CATALOG,
    DECK,
    OPERATOR,
    SERVICE,
    Reply,
    World,
    a_tenant_body,
    seeded,
)

ACCOUNT = "/v1/accounts/main"
DECK_ROWS = """\
unit,direction,prefix,destination,rate,connect_fee,first_increment_seconds,next_increment_seconds
voice,outbound,1,United States,0.60,0,60,60
message,outbound,1,United States,0.01,,,
recordings,any,*,Anywhere,0.05,,,
recordings,any,44,United Kingdom,0.07,,,
"""
RECORDINGS = {"unit": "recordings", "quantity": 10, "grant": "recordings"}


@pytest.fixture
def world() -> World:
    """Plan and deck know recordings: 10 are granted, further ones cost 0.05, or 0.07 in the UK."""
    world = World()
    grants = [*CATALOG["plans"][0]["grants"], RECORDINGS]  # type: ignore[index]
    plan = {**CATALOG["plans"][0], "grants": grants}  # type: ignore[dict-item]
    done = [
        world.call("PUT", "/v1/catalog", {**CATALOG, "plans": [plan]}, token=OPERATOR),
        world.call(
            "PUT",
            f"/v1/rate-decks/{DECK}",
            DECK_ROWS,
            token=OPERATOR,
            headers={"Content-Type": "text/csv"},
            currency="USD",
            effective_at="2026-01-01T00:00:00Z",
        ),
        world.call(
            "POST",
            "/v1/tenants",
            a_tenant_body("acme"),
            token=OPERATOR,
            headers={"Idempotency-Key": "seed-acme"},
        ),
    ]
    assert [found.status for found in done] == [201] * 3, done
    return world


def metered(number: int, quantity: int, unit: str = "recordings", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "urn:recorder",
        "type": "usage.metered",
        "data": {
            "usage_id": f"u-{number}",
            "account": "main",
            "unit": unit,
            "direction": "outbound",
            "quantity": quantity,
            "occurred_at": "2026-03-14T12:00:00Z",
            **data,
        },
    }


def take(world: World, *events: dict[str, Any]) -> None:
    """Report them, post what was queued, and bring the summaries up to date."""
    sent = world.call(
        "POST",
        "/v1/usage",
        list(events),
        token=SERVICE,
        headers={"Content-Type": "application/cloudevents-batch+json"},
    )
    assert {result["status"] for result in sent.body["results"]} == {"accepted"}, sent.text
    poster = PostUsage(
        book=world.book,
        decks=world.decks,
        quarantine=world.quarantine,
        clock=world.clock,
        change_account=world.talktime.change_account,
        settle_reservations=world.talktime.settle_reservations,
    )
    for ref, queued in world.usage_queue.take():
        poster.post(ref, queued)
    projector = ProjectUsage(world.book, world.summaries, country_of)
    projector.project(ACME, world.book.account(ACME).head.sequence)


def overview(world: World) -> Any:
    return world.call("GET", ACCOUNT, token=ADMIN).body


def quote(world: World, **asked: Any) -> Reply:
    return world.call("POST", f"/v1/rate-decks/{DECK}/quote", asked, token=OPERATOR)


def test_grants_are_burned_first_and_the_rest_is_charged(world: World) -> None:
    take(world, metered(1, 6), metered(2, 8), metered(3, 2, to="+442071838750"))
    found = overview(world)
    assert found["used"] == {
        "calls": 0,
        "voice_seconds": 0,
        "messages": 0,
        "metered": [{"unit": "recordings", "quantity": 16, "granted_quantity": 10}],
    }
    # 4 of the second event at 0.05, and both to the United Kingdom at 0.07.
    assert found["spent"] == {"amount": "0.34", "currency": "USD"}
    quotas = {quota["unit"]: (quota["total"], quota["remaining"]) for quota in found["quotas"]}
    assert quotas == {"voice_seconds": (600, 600), "recordings": (10, 0)}


def test_summaries_ledger_and_list_name_the_unit(world: World) -> None:
    message = metered(2, 3, "messages", to="+14155550123")
    take(world, metered(1, 12), message)
    total = world.call("GET", f"{ACCOUNT}/usage/summary", token=ADMIN).body["total"]
    recordings = {"unit": "recordings", "quantity": 12, "granted_quantity": 10}
    assert total["metered"] == [recordings]
    assert (total["calls"], total["voice_seconds"], total["messages"]) == (0, 0, 3)
    assert total["wallet"]["amount"] == "0.13"
    entries = world.call("GET", f"{ACCOUNT}/ledger", token=ADMIN).body["data"]
    assert [entry["usage"]["metered"] for entry in entries if entry["usage"]] == [[recordings]]
    rows = world.call("GET", f"{ACCOUNT}/usage", token=ADMIN, unit="recordings").body["data"]
    assert [(row["unit"], row["to"], row["billed_quantity"]) for row in rows] == [
        ("recordings", "", 12)
    ]
    sheet = world.call("GET", f"{ACCOUNT}/usage", token=ADMIN, headers={"Accept": "text/csv"})
    assert [row["unit"] for row in csv.DictReader(io.StringIO(sheet.text))] == [
        "recordings",
        "messages",
    ]
    proof = world.call("GET", f"{ACCOUNT}/ledger/verify", token=ADMIN).body
    assert proof["is_sound"]


def test_the_hash_of_an_entry_covers_other_units(world: World) -> None:
    take(world, metered(1, 12))
    (entry,) = world.book.entries(world.book.account(ACME))
    assert entry.hash == entry_hash(entry)
    assert entry.hash != entry_hash(replace(entry, usage=replace(entry.usage, metered=())))


def test_a_unit_without_a_price_waits_in_the_quarantine(world: World) -> None:
    take(world, metered(1, 12, "transcripts"))
    assert "metered" not in overview(world)["used"]
    (parked,) = world.quarantine.parked(None, 9)
    assert parked.reason == "destination_not_rated"


def test_a_quantity_is_quoted(world: World) -> None:
    found = quote(world, unit="recordings", quantity=3).body
    assert (found["to"], found["billed_quantity"], found["total"]["amount"]) == ("", 3, "0.15")
    assert [line["kind"] for line in found["lines"]] == ["metered"]
    found = quote(world, unit="recordings", quantity=3, to="+442071838750").body
    assert found["total"]["amount"] == "0.21"


@pytest.mark.parametrize(
    "asked",
    [
        {"quantity": 3},
        {"unit": "messages", "quantity": 3, "to": "+14155550123"},
        {"unit": "recordings"},
        {"unit": "recordings", "messages": 3},
        {"unit": "recordings", "quantity": 3, "messages": 3},
        {"unit": "message", "quantity": 3},
        {"duration_seconds": 3},
    ],
    ids=str,
)
def test_a_quote_of_nothing_in_particular_is_refused(world: World, asked: Any) -> None:
    reply = quote(world, **asked)
    assert (reply.status, reply.code) == (422, "invalid_input")


@pytest.mark.parametrize("unit", ["message", "voice", "R", "1a", "a", "a-b", "a" * 33, "", None, 7])
def test_what_is_no_name_of_a_unit_is_refused(world: World, unit: Any) -> None:
    event = metered(1, 1) | {"data": {**metered(1, 1)["data"], "to": "+14155550123", "unit": unit}}
    sent = world.call(
        "POST",
        "/v1/usage",
        event,
        token=SERVICE,
        headers={"Content-Type": "application/cloudevents+json"},
    )
    assert [fault["pointer"] for fault in sent.body["results"][0]["errors"]] == ["/data/unit"]
    grant = {**RECORDINGS, "unit": unit}
    plan = {**CATALOG["plans"][0], "grants": [grant]}  # type: ignore[dict-item]
    refused = world.call("PUT", "/v1/catalog", {**CATALOG, "plans": [plan]}, token=OPERATOR)
    assert refused.status == 422


def test_calls_and_messages_need_a_number() -> None:
    world = seeded()
    sent = world.call(
        "POST",
        "/v1/usage",
        metered(1, 1, "messages"),
        token=SERVICE,
        headers={"Content-Type": "application/cloudevents+json"},
    )
    assert sent.status == 422
    assert [fault["pointer"] for fault in sent.body["results"][0]["errors"]] == ["/data/to"]
