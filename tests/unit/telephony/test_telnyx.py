"""Telnyx's signatures, as its own SDK judges them, and Telnyx's webhooks."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import (
    CarrierRated,
    Halved,
    Ignored,
    Parsed,
    Unreadable,
    WebhookRequest,
)
from billing.domain.units import Direction
from billing.domain.usage import CallKey, CallStatus
from billing.domain.usage_parts import PartKind, UsagePart, join
from callback_vectors import MUTATIONS, Vector, mutations, named, vectors

TELNYX = PROVIDERS["telnyx"]
VECTORS = vectors("telnyx")
VALID = named("telnyx", "a valid webhook")
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
KEY = CallKey("telnyx", "1684641123236054244", "428c31b6-7af4-4bcb-b7f5-5013ef9657c1")
PAYLOAD: dict[str, Any] = {
    "call_control_id": "v3:AgDIxmoRX6QMuaIj_uXRXnPAXP0QlNfX",
    "call_leg_id": KEY.call_id,
    "connection_id": KEY.provider_account,
    "from": "+14155550100",
    "start_time": "2026-11-22T12:03:50.000000Z",
    "to": "+14155550123",
}
INITIATED = ("call.initiated", "2026-11-22T12:03:50.000000Z", PAYLOAD | {"direction": "outgoing"})
ANSWERED = ("call.answered", "2026-11-22T12:03:58.100000Z", PAYLOAD)
ENDED = (
    "call.hangup",
    "2026-11-22T12:04:59.000001Z",
    PAYLOAD | {"hangup_cause": "normal_clearing"},
)
COST: dict[str, Any] = {
    "billed_duration_secs": 120,
    "call_leg_id": KEY.call_id,
    "connection_id": KEY.provider_account,
    "cost_parts": [
        {"call_part": "sip-trunking", "cost": "0.0090", "currency": "USD", "rate": "0.0045"},
        {"call_part": "call-control", "cost": "0.0040", "currency": "USD", "rate": "0.0020"},
    ],
    "occurred_at": "2026-11-22T12:05:01.000000Z",
    "status": "success",
    "total_cost": "0.0130",
}


def request(body: bytes) -> WebhookRequest:
    return replace(VALID.request, body=body)


def parse(event_type: Any, occurred_at: Any, payload: Any) -> Parsed:
    event = {"event_type": event_type, "occurred_at": occurred_at, "payload": payload}
    body = json.dumps({"data": event, "meta": {"attempt": 1}}).encode()
    return TELNYX.parse(request(body), "acme", NOW)


def part(event_type: str, occurred_at: str, payload: dict[str, Any]) -> UsagePart:
    parsed = parse(event_type, occurred_at, payload)
    assert isinstance(parsed, Halved), parsed
    return parsed.part


def rated(**changes: Any) -> Parsed:
    return parse("call.cost", "2026-11-22T12:05:01.000000Z", COST | changes)


def refusal(parsed: Parsed) -> str:
    assert isinstance(parsed, Unreadable), parsed
    return parsed.reason


# Signatures


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_every_vector_is_decided_right(vector: Vector) -> None:
    assert vector.decided_by(TELNYX) is vector.accepted


def test_only_a_post_is_a_webhook() -> None:
    assert not replace(VALID, request=replace(VALID.request, method="GET")).decided_by(TELNYX)


def test_no_random_damage_is_accepted() -> None:
    parts = ["body", "telnyx-timestamp", "telnyx-signature-ed25519", "secret"]
    tried = 0
    for damaged in mutations(VALID, parts, lambda before, after: before == after):
        tried += 1
        # A key may be pasted with white space around it; it is the same key.
        is_same = (damaged.secrets[0].strip(), damaged.request) == (VALID.secrets[0], VALID.request)
        assert damaged.decided_by(TELNYX) is is_same, damaged
        TELNYX.parse(damaged.request, "acme", NOW)
    assert tried == MUTATIONS


TEXT = st.text(st.characters(), max_size=100)  # Lone surrogates too.


@settings(max_examples=500, deadline=None)
@given(
    timestamp=st.one_of(TEXT, st.just(VALID.request.headers["telnyx-timestamp"])),
    signature=st.one_of(TEXT, st.just(VALID.request.headers["telnyx-signature-ed25519"])),
    body=st.binary(max_size=100),
    secrets=st.lists(st.one_of(TEXT, st.just(VALID.secrets[0])), max_size=3),
)
def test_nothing_makes_verifying_or_reading_raise(
    timestamp: str, signature: str, body: bytes, secrets: list[str]
) -> None:
    headers = {"telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature}
    sent = WebhookRequest("POST", VALID.request.url, headers, body)
    assert TELNYX.verify(sent, secrets, NOW) is False
    assert isinstance(TELNYX.parse(sent, "acme", NOW), Unreadable | Ignored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=500, deadline=None)
@given(
    event_type=st.sampled_from(["call.initiated", "call.answered", "call.hangup", "call.cost"]),
    changes=st.dictionaries(st.sampled_from(sorted(COST | ENDED[2] | {"direction": 0})), JSON),
    occurred_at=st.one_of(JSON, st.just(NOW.isoformat())),
)
def test_nothing_signed_makes_reading_raise(
    event_type: str, changes: dict[str, Any], occurred_at: Any
) -> None:
    parsed = parse(event_type, occurred_at, COST | PAYLOAD | changes)
    assert isinstance(parsed, Parsed)
    json.dumps(parsed.callback if isinstance(parsed, Unreadable) else None).encode()


# Parts


def test_a_call_is_known_from_its_three_webhooks() -> None:
    event = join([part(*ENDED), part(*INITIATED), part(*ANSWERED)])
    assert event is not None
    assert event.key == KEY
    assert (event.direction, event.status) == (Direction.OUTBOUND, CallStatus.COMPLETED)
    assert (event.from_number, event.to_number) == ("+14155550100", "+14155550123")
    # 60.900001 s: a second that has begun was used.
    assert event.quantity == 61
    assert event.answered_at == datetime(2026, 11, 22, 12, 3, 58, 100000, UTC)
    assert event.ended_at == datetime(2026, 11, 22, 12, 4, 59, 1, UTC)
    assert event.connection_id == "acme"


def test_each_webhook_says_its_part() -> None:
    initiated, answered, ended = part(*INITIATED), part(*ANSWERED), part(*ENDED)
    assert [initiated.kind, answered.kind, ended.kind] == list(PartKind)
    assert [initiated.direction, answered.direction] == [Direction.OUTBOUND, None]
    assert [answered.status, ended.status] == [None, CallStatus.COMPLETED]


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("normal_clearing", CallStatus.COMPLETED),
        ("time_limit", CallStatus.COMPLETED),
        ("user_busy", CallStatus.BUSY),
        ("no_answer", CallStatus.NO_ANSWER),
        ("timeout", CallStatus.NO_ANSWER),
        ("originator_cancel", CallStatus.CANCELED),
        ("call_rejected", CallStatus.FAILED),
        ("not_found", CallStatus.FAILED),
        ("unspecified", CallStatus.FAILED),
        ("something_new", CallStatus.FAILED),
        (None, CallStatus.FAILED),
    ],
)
def test_causes_say_how_a_call_ended(cause: str | None, status: CallStatus) -> None:
    assert part(*ENDED[:2], PAYLOAD | {"hangup_cause": cause}).status is status


def test_incoming_calls_are_inbound() -> None:
    assert part(*INITIATED[:2], PAYLOAD | {"direction": "incoming"}).direction is Direction.INBOUND


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+14155550123", "+14155550123"), ("14155550123", "+14155550123"), ("sip:a@b", "sip:a@b")],
)
def test_numbers_get_their_plus_sign_and_addresses_are_left_alone(
    number: str, expected: str
) -> None:
    assert part(*ENDED[:2], ENDED[2] | {"to": number}).to_number == expected


@pytest.mark.parametrize(
    ("event", "changes", "reason"),
    [
        pytest.param(INITIATED, {"direction": "sideways"}, "invalid_direction", id="direction"),
        pytest.param(INITIATED, {"direction": None}, "invalid_direction", id="no direction"),
        pytest.param(INITIATED, {"to": ""}, "invalid_number", id="no destination"),
        pytest.param(INITIATED, {"to": "\ud800"}, "invalid_text", id="a lone surrogate"),
        pytest.param(ENDED, {"call_leg_id": None}, "invalid_id", id="no call"),
        pytest.param(ENDED, {"call_leg_id": "a#b"}, "invalid_id", id="a separator in the id"),
        pytest.param(ENDED, {"connection_id": ["1"]}, "invalid_text", id="a list for an id"),
        pytest.param(ANSWERED, {"from": "1" * 300}, "invalid_number", id="an endless number"),
    ],
)
def test_a_part_that_cannot_be_true_is_not_read(
    event: tuple[str, str, dict[str, Any]], changes: dict[str, Any], reason: str
) -> None:
    event_type, occurred_at, payload = event
    assert refusal(parse(event_type, occurred_at, payload | changes)) == reason


@pytest.mark.parametrize(
    "occurred_at", [None, "", "now", "2026-11-22T12:05:00", "2026-02-31T12:05:00Z", 1795349100]
)
def test_a_part_without_a_time_is_not_read(occurred_at: Any) -> None:
    assert refusal(parse("call.hangup", occurred_at, ENDED[2])) == "invalid_timestamp"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"data": []}',
        b'{"data": {"payload": 1}}',
        b'{"data": NaN}',
        b"[" * 100_000,
        b'{"data": ' + b"9" * 5_000 + b"}",
    ],
)
def test_a_body_that_is_no_event_is_parked(body: bytes) -> None:
    parsed = TELNYX.parse(request(body), "acme", NOW)
    assert refusal(parsed) in {"invalid_json", "invalid_event"}


def test_what_is_kept_of_an_unreadable_webhook_is_short_and_names_the_account() -> None:
    parsed = parse(*ENDED[:2], ENDED[2] | {"to": "sip:" + "a" * 1000, "client_state": "secret"})
    assert isinstance(parsed, Unreadable)
    assert parsed.provider_account == KEY.provider_account
    assert len(str(parsed.callback["to"])) == 256
    assert "client_state" not in parsed.callback


@pytest.mark.parametrize("event_type", ["call.bridged", "message.finalized", "", None])
def test_a_webhook_about_something_else_reports_nothing(event_type: str | None) -> None:
    assert parse(event_type, "", {}) == Ignored("not_usage")


# The carrier's own record


def test_a_cost_is_the_carriers_own_record() -> None:
    at = datetime(2026, 11, 22, 12, 5, 1, tzinfo=UTC)
    assert rated() == CarrierRated(KEY, 120, "0.0130", "USD", at)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "error", "total_cost": None, "billed_duration_secs": None, "cost_parts": None},
        {"status": "error"},
        {"status": None},
        {"total_cost": None},
    ],
)
def test_a_cost_that_telnyx_does_not_know_is_not_nothing(changes: dict[str, Any]) -> None:
    assert rated(**changes) == Ignored("cost_unknown")


def test_a_cost_of_nothing_needs_no_currency() -> None:
    assert rated(total_cost="0.000", cost_parts=[]) == Ignored("cost_nothing")


def test_a_cost_may_leave_out_its_seconds() -> None:
    parsed = rated(billed_duration_secs=None)
    assert isinstance(parsed, CarrierRated)
    assert parsed.billed_seconds is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_cost": "-1"}, "invalid_cost"),
        ({"total_cost": "1e3"}, "invalid_cost"),
        ({"total_cost": ""}, "invalid_cost"),
        ({"total_cost": 0.013}, "invalid_text"),
        ({"billed_duration_secs": -1}, "invalid_quantity"),
        ({"billed_duration_secs": 1.5}, "invalid_text"),
        ({"cost_parts": []}, "invalid_currency"),
        ({"cost_parts": "USD"}, "invalid_currency"),
        ({"cost_parts": [{"currency": "usd"}]}, "invalid_currency"),
        ({"cost_parts": [{"currency": "USD"}, {"currency": "EUR"}]}, "invalid_currency"),
        ({"cost_parts": [{"currency": "USD"}, {}]}, "invalid_currency"),
        ({"call_leg_id": ""}, "invalid_id"),
    ],
)
def test_a_cost_that_cannot_be_true_is_not_read(changes: dict[str, Any], reason: str) -> None:
    assert refusal(rated(**changes)) == reason
