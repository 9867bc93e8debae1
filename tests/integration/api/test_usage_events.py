"""POST /v1/usage: one event or a batch, and a result for each."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from api import limits
from api.schemas import usage_events
from api.schemas.usage_events import MAX_EVENTS, UsageBatchIn
from billing.domain import cloud_events
from billing.domain.account import AccountRef
from billing.domain.cloud_events import BATCH_CONTENT_TYPE, CONTENT_TYPE, is_usage
from billing.domain.units import Unit
from billing.domain.usage import UsageEvent
from billing.services.post_usage import PostUsage
from integration.api.client import (
    ACME,
    ADMIN,
    CALL_EVENT,
    GLOBEX,
    OPERATOR,
    SERVICE,
    Reply,
    Token,
    World,
    a_token,
    seeded,
)

PATH = "/v1/usage"
GLOBEX_SERVICE = a_token("service", "globex")
NUMBER = "+14155550123"
AT = "2026-03-14T11:51:01Z"
MESSAGE = {"message_id": "m-1", "account": "default", "to": NUMBER, "occurred_at": AT}
METERED = {
    "usage_id": "u-1",
    "account": "default",
    "unit": "messages",
    "direction": "outbound",
    "to": NUMBER,
    "quantity": 3,
    "occurred_at": AT,
}
CARD = "4242424242424242"


@pytest.fixture
def world() -> World:
    return seeded()


def an_event(number: int = 1, **data: Any) -> dict[str, Any]:
    call = {**CALL_EVENT["data"], "call_id": f"c-{number}", **data}
    return {**CALL_EVENT, "id": f"e-{number}", "data": call}


def of_type(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {**CALL_EVENT, "type": type_, "data": data}


def post(
    world: World, body: Any, token: Token = SERVICE, headers: Mapping[str, str] | None = None
) -> Reply:
    media_type = BATCH_CONTENT_TYPE if isinstance(body, list) else CONTENT_TYPE
    sent = {"Content-Type": media_type, **(headers or {})}
    return world.call("POST", PATH, body, token=token, headers=sent)


def statuses(found: Reply) -> list[str]:
    return [result["status"] for result in found.body["results"]]


def queued(world: World) -> list[tuple[AccountRef, UsageEvent]]:
    return [(ref, event) for ref, events in world.usage_queue.waiting for event in events]


def test_one_event_is_durable_when_it_is_answered(world: World) -> None:
    found = post(world, CALL_EVENT)
    assert found.status == 202
    assert found.body == {"results": [{"id": "e-1", "status": "accepted", "errors": []}]}
    ((ref, usage),) = queued(world)
    assert ref.tenant_id == "acme"
    assert str(usage.key) == "api#urn:dialler:berlin#c-1"


def test_what_is_taken_is_billed_once_however_often_it_is_sent(world: World) -> None:
    batch = [an_event(1), of_type("message.sent", MESSAGE), of_type("usage.metered", METERED)]
    poster = PostUsage(
        book=world.book,
        decks=world.decks,
        quarantine=world.quarantine,
        clock=world.clock,
        change_account=world.talktime.change_account,
        settle_reservations=world.talktime.settle_reservations,
    )
    # The deck of these tests prices voice alone: messages wait in the quarantine.
    for _ in range(3):
        assert statuses(post(world, batch)) == ["accepted"] * 3
        for ref, events in world.usage_queue.take():
            poster.post(ref, events)
    usage = world.call("GET", "/v1/accounts/default/usage", token=ADMIN).body["data"]
    assert [(row["provider"], row["call_id"], row["quantity"]) for row in usage] == [
        ("api", "c-1", 61)
    ]
    assert len(world.quarantine.parked(None, 9)) == 2


def test_a_batch_has_a_result_for_each(world: World) -> None:
    batch = [
        an_event(1),
        an_event(2, billable_seconds="61", surprise=1),
        an_event(3, account="nowhere"),
        "no event",
        an_event(1),
        an_event(1, billable_seconds=60),
        of_type("message.received", MESSAGE),
        of_type("call.started", CALL_EVENT["data"]),
        {**an_event(9), "id": 9},
    ]
    found = post(world, batch)
    assert found.status == 202
    results = found.body["results"]
    assert [(r["id"], r["status"], r.get("code")) for r in results] == [
        ("e-1", "accepted", None),
        ("e-2", "rejected", "invalid_usage"),
        ("e-3", "rejected", "not_found"),
        (None, "rejected", "invalid_usage"),
        ("e-1", "duplicate_in_batch", None),
        ("e-1", "parked", "conflicting_report"),
        ("e-1", "accepted", None),
        ("e-1", "rejected", "invalid_usage"),
        (None, "rejected", "invalid_usage"),
    ]
    assert [[error["pointer"] for error in r["errors"]] for r in results] == [
        [],
        ["/data/surprise", "/data/billable_seconds"],
        ["/data/account"],
        [""],
        [],
        [],
        [],
        ["/type"],
        ["/id"],
    ]
    assert [usage.key.call_id for _, usage in queued(world)] == ["c-1", "m-1"]
    assert len(world.quarantine.parked(None, 9)) == 1


# Whose usage it is


def test_anothers_account_looks_like_none(world: World) -> None:
    opened = world.call(
        "POST",
        "/v1/accounts",
        {
            "name": "Further",
            "currency": "USD",
            "time_zone": "UTC",
            "plan": "growth",
            "billing_day": 1,
        },
        token=ADMIN,
        headers={"Idempotency-Key": "k"},
    )
    acct = opened.body["account"]
    anothers = post(world, [an_event(1, account=acct)], GLOBEX_SERVICE)
    nobodys = post(world, [an_event(1, account="nowhere")], GLOBEX_SERVICE)
    assert (anothers.status, anothers.text) == (422, nobodys.text)
    assert anothers.headers == nobodys.headers
    assert queued(world) == []
    assert statuses(post(world, [an_event(1, account=acct)])) == ["accepted"]


def test_an_account_of_the_same_name_is_the_tokens_own(world: World) -> None:
    name = next(ref for ref in world.book.account_refs() if ref.tenant_id == "globex").account_id
    post(world, an_event(1), GLOBEX_SERVICE)
    post(world, an_event(1, account=name), GLOBEX_SERVICE)
    assert {ref for ref, _ in queued(world)} == {AccountRef("globex", name)}


def test_an_operator_names_the_tenant(world: World) -> None:
    assert post(world, CALL_EVENT, OPERATOR).code == "tenant_required"
    found = post(world, CALL_EVENT, OPERATOR, {"Talktime-Tenant": "globex"})
    assert statuses(found) == ["accepted"]
    ((ref, _),) = queued(world)
    assert ref.tenant_id == GLOBEX.tenant_id != ACME.tenant_id


def test_a_tenant_is_never_taken_from_the_body(world: World) -> None:
    for extra in ("tenant", "tenant_id"):
        found = post(world, {**CALL_EVENT, extra: "globex"})
        assert statuses(found) == ["accepted"], "an extension means nothing"
        found = post(world, an_event(1, **{extra: "globex"}))
        assert found.status == 422
        # Whoever names another's account by its own id gets no further.
        (account,) = (ref for ref in world.book.account_refs() if ref.tenant_id == "globex")
        post(world, {**an_event(2, account=account.account_id), extra: "globex"})
    assert {ref.tenant_id for ref, _ in queued(world)} == {"acme"}


@pytest.mark.parametrize("role", ["billing-admin", "member"])
def test_people_report_no_usage(world: World, role: str) -> None:
    assert post(world, CALL_EVENT, a_token(role, "acme")).code == "forbidden"
    assert queued(world) == []


# What nothing is taken of


def test_an_event_that_is_refused_alone_is_a_problem_with_its_result(world: World) -> None:
    found = post(world, an_event(1, billable_seconds=-1))
    assert (found.status, found.code) == (422, "invalid_usage")
    assert [error["pointer"] for error in found.body["errors"]] == ["/data/billable_seconds"]
    assert statuses(found) == ["rejected"]


def test_a_batch_that_is_refused_whole_says_so_in_its_status(world: World) -> None:
    found = post(world, [an_event(1, to=""), an_event(2, account="nowhere")])
    assert (found.status, found.code) == (422, "invalid_usage")
    pointers = [error["pointer"] for error in found.body["errors"]]
    assert pointers == ["/0/data/to", "/1/data/account"]
    assert statuses(found) == ["rejected"] * 2


def test_an_empty_batch_is_one(world: World) -> None:
    found = post(world, [])
    assert (found.status, found.body) == (202, {"results": []})


@pytest.mark.parametrize(
    ("count", "status"),
    [(MAX_EVENTS, 202), pytest.param(MAX_EVENTS + 1, 422, id="one event too many")],
)
def test_a_batch_has_so_many_events(world: World, count: int, status: int) -> None:
    found = post(world, [an_event(number) for number in range(count)])
    assert found.status == status
    assert len(queued(world)) == (count if status == 202 else 0)


@pytest.mark.parametrize(
    ("size", "status"),
    [(limits.JSON_BYTES, 202), pytest.param(limits.JSON_BYTES + 1, 413, id="a byte too many")],
)
def test_a_batch_has_so_many_bytes(world: World, size: int, status: int) -> None:
    sent = {"Content-Type": BATCH_CONTENT_TYPE}
    body = json.dumps([CALL_EVENT]).ljust(size)
    found = world.call("POST", PATH, body, token=SERVICE, headers=sent)
    assert found.status == status
    assert len(queued(world)) == (status == 202)


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        pytest.param(CALL_EVENT, BATCH_CONTENT_TYPE, 422, "invalid_input", id="no array"),
        pytest.param([CALL_EVENT], CONTENT_TYPE, 422, "invalid_usage", id="an array as one"),
        pytest.param(CALL_EVENT, "application/json", 415, "unsupported_media_type", id="binary"),
        pytest.param("{", CONTENT_TYPE, 400, "invalid_json", id="cut off"),
        pytest.param('{"id":1,"id":2}', CONTENT_TYPE, 400, "invalid_json", id="a key twice"),
        pytest.param("[NaN]", BATCH_CONTENT_TYPE, 400, "invalid_json", id="not a number"),
        pytest.param("", CONTENT_TYPE, 400, "invalid_json", id="nothing"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(
    world: World, body: Any, media_type: str, status: int, code: str
) -> None:
    sent = {"Content-Type": media_type}
    found = world.call("POST", PATH, body, token=SERVICE, headers=sent)
    assert (found.status, found.code) == (status, code)
    assert queued(world) == []


def test_parameters_of_the_media_type_are_ignored(world: World) -> None:
    found = post(world, CALL_EVENT, headers={"Content-Type": f"{CONTENT_TYPE}; charset=utf-8"})
    assert found.status == 202


def test_a_queue_that_fails_is_no_success(world: World, monkeypatch: Any) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("the queue is gone")

    monkeypatch.setattr(world.usage_queue, "send", fail)
    assert post(world, CALL_EVENT).status == 500


# Numbers that look like cards


@pytest.mark.parametrize("field", ["call_id", "account"])
def test_a_machines_id_may_pass_luhns_check(world: World, field: str) -> None:
    (result,) = post(world, [an_event(1, **{field: CARD})]).body["results"]
    assert result.get("code") != "card_number_refused"


@pytest.mark.parametrize("field", ["to", "from", "hangup_cause", "note"])
def test_a_card_number_stays_out_and_the_others_go_on(world: World, field: str) -> None:
    found = post(world, [an_event(1), an_event(2, **{field: CARD}), an_event(3)])
    assert statuses(found) == ["accepted", "rejected", "accepted"]
    (error,) = found.body["results"][1]["errors"]
    assert error["pointer"] == f"/data/{field}"
    assert CARD not in found.text
    assert [usage.key.call_id for _, usage in queued(world)] == ["c-1", "c-3"]


# The description says what is read


def fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_description_names_the_fields_the_domain_reads() -> None:
    assert fields(usage_events.CallData) == set(cloud_events._CALL_FIELDS)
    assert fields(usage_events.MessageData) == set(cloud_events._MESSAGE_FIELDS)
    assert fields(usage_events.MeteredData) == set(cloud_events._METERED_FIELDS)


@pytest.mark.parametrize(
    "event",
    [
        CALL_EVENT,
        an_event(1, status="busy", billable_seconds=0, answered_at=None),
        of_type("message.sent", MESSAGE),
        of_type("message.received", MESSAGE | {"segments": 2, "status": "completed"}),
        *(of_type("usage.metered", METERED | {"unit": unit.value}) for unit in Unit),
    ],
)
def test_what_is_taken_is_as_described(world: World, event: dict[str, Any]) -> None:
    assert is_usage(event)
    assert post(world, event).status == 202
    UsageBatchIn.model_validate_json(json.dumps([event]))


@pytest.mark.parametrize(
    "event",
    [
        {**CALL_EVENT, "specversion": "0.3"},
        {**CALL_EVENT, "source": "a source"},
        an_event(1, billable_seconds="61"),
        an_event(1, surprise=1),
        of_type("message.sent", CALL_EVENT["data"]),
        of_type("usage.metered", METERED | {"unit": "message"}),
    ],
)
def test_what_is_described_as_wrong_is_refused(world: World, event: dict[str, Any]) -> None:
    assert post(world, event).status == 422
    with pytest.raises(ValidationError):
        UsageBatchIn.model_validate_json(json.dumps([event]))
