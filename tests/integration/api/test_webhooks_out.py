"""Webhook endpoints and their deliveries, as a tenant sets and sees them."""

from typing import Any

import pytest

from billing.domain.webhook_deliveries import Outcome, begin, claim, record
from integration.api.client import ACME, ADMIN, NOW, SERVICE, Reply, World, seeded

PATH = "/v1/accounts/main/webhook-endpoints"
DELIVERIES = "/v1/accounts/main/webhook-deliveries"
HOOK: dict[str, Any] = {"url": "https://hooks.example.com/talktime", "events": ["*"]}


def put(world: World, *endpoints: dict[str, Any]) -> Reply:
    etag = world.call("GET", PATH, token=ADMIN).headers["etag"]
    return world.call(
        "PUT", PATH, {"endpoints": list(endpoints)}, token=ADMIN, headers={"If-Match": etag}
    )


def shown(reply: Reply) -> dict[str, Any]:
    (found,) = reply.body["endpoints"]
    assert isinstance(found, dict)
    return found


def delivered(world: World, count: int) -> list[str]:
    ids = []
    for number in range(count):
        event = {
            "source": "/talktime",
            "id": str(number),
            "type": "balance.low",
            "time": NOW.replace(minute=number).isoformat(),
        }
        delivery = begin(ACME, "whe_1", event, "{}", NOW)
        world.webhook_deliveries.add(delivery)
        ids.append(delivery.delivery_id)
    return ids


def test_a_secret_is_shown_once_and_never_again() -> None:
    world = seeded()
    made = put(world, HOOK)
    assert made.status == 200
    secret = shown(made)["secret"]
    assert secret.startswith("whsec_")
    again = world.call("GET", PATH, token=ADMIN)
    assert "secret" not in shown(again)
    kept = {**HOOK, "id": shown(made)["id"], "description": "Ours"}
    changed = put(world, kept)
    assert "secret" not in shown(changed)
    assert shown(changed)["description"] == "Ours"
    assert secret not in again.text + changed.text + repr(world.log.lines)


def test_a_rotated_secret_is_another_one() -> None:
    world = seeded()
    first = shown(put(world, HOOK))
    rotated = shown(put(world, {**HOOK, "id": first["id"], "rotate_secret": True}))
    assert rotated["id"] == first["id"]
    assert rotated["secret"] not in ("", first["secret"])
    assert rotated["rotated_at"] == "2026-03-14T12:00:00Z"
    kept = world.webhook_endpoints.secrets(ACME)[first["id"]]
    assert tuple(kept) == (rotated["secret"], first["secret"])


def test_settings_change_under_the_etag_that_was_seen() -> None:
    world = seeded()
    body = {"endpoints": [HOOK]}
    assert world.call("PUT", PATH, body, token=ADMIN).code == "precondition_required"
    stale = world.call("PUT", PATH, body, token=ADMIN, headers={"If-Match": '"7"'})
    assert stale.code == "stale_settings"
    made = put(world, HOOK)
    assert made.headers["etag"] == '"1"'
    again = world.call("PUT", PATH, body, token=SERVICE, headers={"If-Match": '"0"'})
    assert again.code == "stale_settings"


@pytest.mark.parametrize(
    ("endpoints", "pointer"),
    [
        pytest.param([{**HOOK, "url": "http://hooks.example.com"}], "url", id="plain HTTP"),
        pytest.param([{**HOOK, "url": "https://127.0.0.1/"}], "url", id="this machine"),
        pytest.param([{**HOOK, "url": "http://localhost:8080/"}], "url", id="not the local stage"),
        pytest.param([{**HOOK, "events": ["nothing"]}], "events", id="no such type"),
        pytest.param([{**HOOK, "events": []}], "events", id="no types"),
        pytest.param([{**HOOK, "id": "whe_1"}], "id", id="an unknown id"),
        pytest.param([{**HOOK, "id": "other"}], "id", id="no id at all"),
    ],
)
def test_a_wrong_endpoint_is_refused_and_its_field_named(
    endpoints: list[dict[str, Any]], pointer: str
) -> None:
    found = put(seeded(), *endpoints)
    assert (found.status, found.code) == (422, "invalid_input")
    assert found.body["errors"][0]["pointer"] == f"/endpoints/0/{pointer}"


def test_more_than_five_or_one_twice_are_refused() -> None:
    world = seeded()
    assert put(world, *[HOOK] * 6).body["errors"][0]["pointer"] == "/endpoints"
    one = {**HOOK, "id": shown(put(world, HOOK))["id"]}
    assert put(world, one, one).body["errors"][0]["pointer"] == "/endpoints/1/id"
    assert put(world, one, HOOK, HOOK, HOOK, HOOK).status == 200


def test_an_endpoint_that_is_left_out_is_gone_with_its_secret() -> None:
    world = seeded()
    put(world, HOOK)
    assert put(world).body == {"endpoints": []}
    assert world.webhook_endpoints.secrets(ACME) == {}


def test_deliveries_are_paged_newest_first_and_filtered_by_state() -> None:
    world = seeded()
    ids = delivered(world, 3)
    failed = claim(world.webhook_deliveries.get(ACME, ids[1]), NOW)
    world.webhook_deliveries.save(failed)
    world.webhook_deliveries.save(record(failed, Outcome(410), NOW))
    first = world.call("GET", DELIVERIES, token=ADMIN, limit="2")
    assert [row["id"] for row in first.body["data"]] == [ids[2], ids[1]]
    cursor = first.body["next_cursor"]
    second = world.call("GET", DELIVERIES, token=ADMIN, limit="2", cursor=cursor)
    assert [row["id"] for row in second.body["data"]] == [ids[0]]
    assert second.body["next_cursor"] is None
    (row,) = world.call("GET", DELIVERIES, token=ADMIN, state="failed").body["data"]
    assert row["attempts"] == [{"at": "2026-03-14T12:00:00Z", "status": 410, "failure": None}]
    assert (row["state"], row["next_attempt_at"]) == ("failed", None)


def test_a_delivery_is_asked_for_again() -> None:
    world = seeded()
    (id_,) = delivered(world, 1)
    claimed = claim(world.webhook_deliveries.get(ACME, id_), NOW)
    world.webhook_deliveries.save(claimed)
    world.webhook_deliveries.save(record(claimed, Outcome(204), NOW))
    found = world.call("POST", f"{DELIVERIES}/{id_}/redeliver", token=ADMIN)
    assert (found.status, found.body["state"]) == (202, "pending")
    assert list(world.webhook_deliveries.due(NOW)) == [(ACME, id_)]
