"""Vonage's tokens, as its own library judges them, and Vonage's webhooks."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS, Vector, mutations, named, vectors

VONAGE = PROVIDERS["vonage"]
VECTORS = vectors("vonage")
VALID = named("vonage", "a valid webhook")
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
APPLICATION = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
CALL: dict[str, Any] = {
    "conversation_uuid": "CON-8f5a100c-fbce-4218-8d4b-16341335bcd6",
    "direction": "outbound",
    "duration": "61",
    "end_time": "2026-11-22T12:04:59.000Z",
    "from": "14155550100",
    "network": "310410",
    "price": "0.01386667",
    "rate": "0.01280000",
    "start_time": None,
    "status": "completed",
    "timestamp": "2026-11-22T12:05:00.122Z",
    "to": "14155550123",
    "uuid": "0779a56d002f1c7f47f82ef5fe84ab79",
}
UNANSWERED = {
    name: CALL[name]
    for name in ("conversation_uuid", "direction", "from", "timestamp", "to", "uuid")
}


def parse(body: Any, authorization: str = VALID.request.headers["Authorization"]) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": authorization}
    return VONAGE.parse(WebhookRequest("POST", VALID.request.url, headers, raw), "acme", NOW)


def the_event(body: dict[str, Any]) -> UsageEvent:
    parsed = parse(body)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


def refusal(parsed: Parsed) -> str:
    assert isinstance(parsed, Unreadable), parsed
    return parsed.reason


def bearer(**claims: Any) -> str:
    """A token as it is read, once it was verified."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"Bearer header.{part}.signature"


# Signatures


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_every_vector_is_decided_right(vector: Vector) -> None:
    assert vector.decided_by(VONAGE) is vector.accepted


def test_only_a_post_is_a_webhook() -> None:
    assert not replace(VALID, request=replace(VALID.request, method="GET")).decided_by(VONAGE)


def test_no_random_damage_is_accepted() -> None:
    parts = ["body", "Authorization", "Authorization", "secret"]
    tried = 0
    for damaged in mutations(VALID, parts, lambda before, after: before == after):
        tried += 1
        assert not damaged.decided_by(VONAGE), damaged
        VONAGE.parse(damaged.request, "acme", NOW)
    assert tried == MUTATIONS


def test_every_change_of_one_character_of_the_token_is_refused() -> None:
    right = VALID.request.headers["Authorization"]
    for position in range(len(right)):
        for code in range(33, 127):
            changed = right[:position] + chr(code) + right[position + 1 :]
            request = replace(VALID.request, headers={"Authorization": changed})
            assert replace(VALID, request=request).decided_by(VONAGE) is (changed == right), changed


TEXT = st.text(st.characters(), max_size=100)  # Lone surrogates too.
BASE64 = st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
RIGHT = VALID.request.headers["Authorization"].removeprefix("Bearer ")
PART = st.one_of(TEXT, BASE64, st.sampled_from(RIGHT.split(".")))


@settings(max_examples=500, deadline=None)
@given(
    authorization=st.one_of(
        TEXT, st.lists(PART, max_size=4).map(lambda parts: "Bearer " + ".".join(parts))
    ),
    body=st.binary(max_size=60),
    secrets=st.lists(st.one_of(TEXT, st.just(VALID.secrets[0])), max_size=2),
)
def test_nothing_makes_verifying_or_reading_raise(
    authorization: str, body: bytes, secrets: list[str]
) -> None:
    headers = {"Authorization": authorization}
    sent = WebhookRequest("POST", VALID.request.url, headers, body)
    assert VONAGE.verify(sent, secrets, NOW) is False
    assert isinstance(VONAGE.parse(sent, "acme", NOW), Ignored | Unreadable)


def test_a_token_nested_without_end_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    for token in (f"{deep}.e30.x", f"e30.{deep}.x"):
        request = replace(VALID.request, headers={"Authorization": f"Bearer {token}"})
        assert not replace(VALID, request=request).decided_by(VONAGE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=500, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(CALL)), JSON),
    claims=st.dictionaries(st.sampled_from(["api_key", "application_id"]), JSON),
)
def test_nothing_signed_makes_reading_raise(changes: dict[str, Any], claims: Any) -> None:
    parsed = parse(CALL | changes, bearer(**claims))
    assert isinstance(parsed, Reported | Ignored | Unreadable)


# Reading


def test_a_completed_call_is_billed_by_its_seconds_up_to_its_end() -> None:
    ended_at = datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC)
    assert the_event(CALL) == UsageEvent(
        key=CallKey("vonage", APPLICATION, "0779a56d002f1c7f47f82ef5fe84ab79"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=ended_at - timedelta(seconds=61),
        ended_at=ended_at,
        connection_id="acme",
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("busy", CallStatus.BUSY),
        ("unanswered", CallStatus.NO_ANSWER),
        ("timeout", CallStatus.NO_ANSWER),
        ("cancelled", CallStatus.CANCELED),
        ("rejected", CallStatus.FAILED),
        ("failed", CallStatus.FAILED),
    ],
)
def test_a_call_nobody_answered_is_kept_at_nothing(status: str, expected: CallStatus) -> None:
    event = the_event(UNANSWERED | {"status": status})
    assert (event.status, event.quantity, event.answered_at) == (expected, 0, None)
    assert event.ended_at == datetime(2026, 11, 22, 12, 5, 0, 122000, UTC)


def test_inbound_calls_are_inbound() -> None:
    assert the_event(CALL | {"direction": "inbound"}).direction is Direction.INBOUND


@pytest.mark.parametrize("status", ["started", "ringing", "answered", "machine", "human", "x", ""])
def test_a_call_that_goes_on_reports_nothing(status: str) -> None:
    assert parse(CALL | {"status": status}) == Ignored("call_not_ended")


def test_a_webhook_about_something_else_reports_nothing() -> None:
    assert parse({"reason": "Syntax error in NCCO"}) == Ignored("not_usage")
    assert parse({"message_uuid": "1", "status": "rejected"}) == Ignored("not_usage")


def test_a_call_without_an_application_belongs_to_the_account() -> None:
    parsed = parse(CALL, bearer(api_key="abcd1234"))
    assert isinstance(parsed, Reported)
    assert parsed.events[0].key.provider_account == "abcd1234"


def test_the_account_is_the_tokens_and_never_the_bodys() -> None:
    named = CALL | {"api_key": "other", "application_id": "other"}
    assert the_event(named) == the_event(CALL)
    assert refusal(parse(named, bearer())) == "invalid_id"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"duration": None}, "invalid_quantity", id="no seconds"),
        pytest.param({"duration": "-1"}, "invalid_quantity", id="negative seconds"),
        pytest.param({"duration": "61.5"}, "invalid_quantity", id="half a second"),
        pytest.param({"duration": 61.5}, "invalid_text", id="half a second as a number"),
        pytest.param({"duration": "99999999"}, "invalid_usage", id="three years"),
        pytest.param({"status": "busy"}, "invalid_usage", id="busy for a minute"),
        pytest.param({"end_time": "now"}, "invalid_timestamp", id="no such time"),
        pytest.param({"end_time": None, "timestamp": None}, "invalid_timestamp", id="no time"),
        pytest.param({"end_time": "2026-11-22T12:04:59"}, "invalid_timestamp", id="no zone"),
        pytest.param({"uuid": ""}, "invalid_id", id="no call"),
        pytest.param({"uuid": "a#b"}, "invalid_id", id="a key separator in the id"),
        pytest.param({"direction": None}, "invalid_direction", id="no direction"),
        pytest.param({"to": None}, "invalid_number", id="no destination"),
        pytest.param({"to": {"number": "1"}}, "invalid_text", id="an object for a number"),
        pytest.param({"from": "\ud800"}, "invalid_text", id="a lone surrogate"),
    ],
)
def test_a_call_that_cannot_be_true_is_not_read(changes: dict[str, Any], reason: str) -> None:
    assert refusal(parse(CALL | changes)) == reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_a_body_that_is_no_json_object_is_parked(body: bytes) -> None:
    assert refusal(parse(body)) == "invalid_json"


def test_what_is_kept_of_an_unreadable_webhook_is_short_and_names_the_account() -> None:
    parsed = parse(CALL | {"to": "sip:" + "a" * 1000, "headers": {"X-Secret": "x"}})
    assert isinstance(parsed, Unreadable)
    assert parsed.provider_account == APPLICATION
    assert len(str(parsed.callback["to"])) == 256
    assert "headers" not in parsed.callback
