"""SignalWire's signatures, as its own SDK judges them, and SignalWire's callbacks."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS, Vector, mutations, named, vectors

SIGNALWIRE = PROVIDERS["signalwire"]
VECTORS = vectors("signalwire")
VALID_FORM = named("signalwire", "a valid form")
VALID_JSON = named("signalwire", "valid JSON")
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CALL: dict[str, str] = dict(parse_qsl(VALID_FORM.request.body.decode(), keep_blank_values=True))


def parse(fields: Mapping[str, Any], kind: str = FORM) -> Parsed:
    body = urlencode(fields) if kind == FORM else json.dumps(fields)
    request = WebhookRequest("POST", VALID_FORM.request.url, {"content-type": kind}, body.encode())
    return SIGNALWIRE.parse(request, "acme", NOW)


def the_event(fields: Mapping[str, Any], kind: str = FORM) -> UsageEvent:
    parsed = parse(fields, kind)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in CALL.items() if key != name}


# Signatures


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_every_vector_is_decided_right(vector: Vector) -> None:
    assert vector.decided_by(SIGNALWIRE) is vector.accepted


def _says_the_same(one: WebhookRequest, other: WebhookRequest) -> bool:
    if (one.url, one.headers) != (other.url, other.headers):
        return False
    if one.header("Content-Type") == JSON:
        return one.body == other.body
    return _meaning(one.body) == _meaning(other.body)


def _meaning(body: bytes) -> object:
    try:
        return set(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return None


@pytest.mark.parametrize("valid", [VALID_FORM, VALID_JSON], ids=["a form", "JSON"])
def test_random_damage_is_refused(valid: Vector) -> None:
    parts = ["body", "body", "url", "X-SignalWire-Signature", "secret"]
    damaged = list(mutations(valid, parts, _says_the_same))
    assert len(damaged) == MUTATIONS
    assert [each.request for each in damaged if each.decided_by(SIGNALWIRE)] == []


@pytest.mark.parametrize("part", ["body", "X-SignalWire-Signature"])
def test_reading_survives_random_damage(part: str) -> None:
    read = 0
    for valid in (VALID_FORM, VALID_JSON):
        for each in list(mutations(valid, [part], lambda *_: False))[:500]:
            try:
                each.request.body.decode()
                parse_qsl(each.request.body.decode(), strict_parsing=True)
            except ValueError:
                continue  # Never read: no signature covers it.
            parsed = SIGNALWIRE.parse(each.request, "acme", NOW)
            assert isinstance(parsed, Parsed)
            read += 1
    assert read > 100


TEXT = st.text(st.characters(), max_size=30)  # Lone surrogates too.


@settings(max_examples=500, deadline=None)
@given(
    method=st.sampled_from(["POST", "GET", ""]),
    url=st.one_of(TEXT, st.just(VALID_FORM.request.url), st.just("https://[")),
    content_type=st.one_of(TEXT, st.sampled_from([FORM, JSON])),
    signature=TEXT,
    body=st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"A=1"])),
    secrets=st.lists(TEXT, max_size=2),
)
def test_nothing_makes_verifying_raise(
    method: str, url: str, content_type: str, signature: str, body: bytes, secrets: list[str]
) -> None:
    headers = {"Content-Type": content_type, "X-SignalWire-Signature": signature}
    request = WebhookRequest(method, url, headers, body)
    assert SIGNALWIRE.verify(request, secrets, NOW) is False


# Reading


@pytest.mark.parametrize("kind", [FORM, JSON])
def test_a_completed_call_is_billed_by_its_seconds_up_to_its_timestamp(kind: str) -> None:
    ended_at = datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC)
    assert the_event(CALL, kind) == UsageEvent(
        key=CallKey("signalwire", CALL["AccountSid"], CALL["CallSid"]),
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


def test_seconds_may_be_a_number_in_json() -> None:
    assert the_event(CALL | {"CallDuration": 61}, JSON).quantity == 61


@pytest.mark.parametrize("status", ["busy", "no-answer", "canceled", "failed"])
def test_a_call_nobody_answered_may_leave_its_seconds_out(status: str) -> None:
    event = the_event(without("CallDuration") | {"CallStatus": status})
    assert (event.quantity, event.answered_at) == (0, None)


def test_a_completed_call_may_not() -> None:
    parsed = parse(without("CallDuration"))
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == "invalid_quantity"


def test_the_callback_of_a_number_names_no_direction_and_is_for_inbound_calls() -> None:
    assert the_event(without("Direction")).direction is Direction.INBOUND


@pytest.mark.parametrize("direction", ["", "sideways"])
def test_a_direction_that_is_none_is_not_taken_for_inbound(direction: str) -> None:
    parsed = parse(CALL | {"Direction": direction})
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == "invalid_direction"


def test_a_message_is_one_message() -> None:
    body = named("signalwire", "a valid message").request.body.decode()
    event = the_event(dict(parse_qsl(body)))
    assert (event.unit, event.quantity, event.direction) == (Unit.MESSAGES, 1, Direction.OUTBOUND)


def test_a_call_that_goes_on_reports_nothing() -> None:
    assert parse(CALL | {"CallStatus": "ringing"}, JSON) == Ignored("call_not_ended")


def relay(**params: Any) -> Parsed:
    event = {"event_type": "calling.call.state", "project_id": "p1", "params": params}
    return parse(event, JSON)


def test_a_relay_call_that_ended_is_parked_and_one_that_goes_on_is_not() -> None:
    ended = relay(call_state="ended")
    assert isinstance(ended, Unreadable)
    assert (ended.reason, ended.provider_account) == ("unsupported_event", "p1")
    assert relay(call_state="ringing") == Ignored("not_usage")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"From": ["+1"]}, "invalid_text", id="a list of numbers"),
        pytest.param({"From": "\ud800"}, "invalid_text", id="a lone surrogate"),
        pytest.param({"CallDuration": 61.0}, "invalid_text", id="a fraction"),
        pytest.param({"CallDuration": True}, "invalid_text", id="a truth"),
        pytest.param({"CallDuration": -1}, "invalid_quantity", id="negative seconds"),
        pytest.param({"AccountSid": "a#b"}, "invalid_sid", id="a key separator"),
    ],
)
def test_json_that_cannot_be_true_is_not_read(fields: dict[str, Any], reason: str) -> None:
    parsed = parse(CALL | fields, JSON)
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == reason
    json.dumps(parsed.callback, ensure_ascii=False).encode()


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"a":NaN}', b"{}\xff"])
def test_bodies_that_are_no_json_are_told_apart(body: bytes) -> None:
    request = replace(VALID_JSON.request, body=body)
    parsed = SIGNALWIRE.parse(request, "acme", NOW)
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == "invalid_json"
    assert parsed.callback["body_sha256"]
