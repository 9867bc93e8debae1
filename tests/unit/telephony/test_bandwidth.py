"""Bandwidth's credentials and its disconnect webhooks. Nothing signs them: there is no oracle."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS, Vector, mutations

BANDWIDTH = PROVIDERS["bandwidth"]
URL = "https://billing.example.com/webhooks/usage/acme"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
OURS, NEXT, THEIRS = "acme:correct horses", "acme:battery staple", "globex:correct horses"
CALL: dict[str, Any] = {
    "accountId": "9900000",
    "answerTime": "2026-11-22T12:03:58.500Z",
    "applicationId": "04e88489-df02-4e34-a0ee-27a91849555f",
    "callId": "c-95ac8d6e-1a31c52e-b38f-4198-93c1-51633ec68f8d",
    "cause": "hangup",
    "direction": "outbound",
    "endTime": "2026-11-22T12:04:59.501Z",
    "eventTime": "2026-11-22T12:04:59.600Z",
    "eventType": "disconnect",
    "from": "+14155550100",
    "startTime": "2026-11-22T12:03:50.000Z",
    "tag": "acme",
    "to": "+14155550123",
}


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def request(authorization: str, body: bytes = b"{}", method: str = "POST") -> WebhookRequest:
    headers = {"authorization": authorization, "content-type": "application/json"}
    return WebhookRequest(method, URL, headers, body)


def accepted(authorization: str, *secrets: str) -> bool:
    return BANDWIDTH.verify(request(authorization), secrets or (OURS,), NOW)


def parse(fields: Any) -> Parsed:
    return BANDWIDTH.parse(request(basic(OURS), json.dumps(fields).encode()), "acme", NOW)


def the_event(**changes: Any) -> UsageEvent:
    parsed = parse(CALL | changes)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


# Credentials


def test_the_connections_credentials_are_believed() -> None:
    assert accepted(basic(OURS))


def test_both_credentials_count_while_one_is_replaced_and_the_removed_one_no_longer() -> None:
    assert accepted(basic(OURS), NEXT, OURS)
    assert accepted(basic(NEXT), NEXT, OURS)
    assert not accepted(basic(OURS), NEXT)


def test_the_scheme_has_no_case_and_may_be_followed_by_spaces() -> None:
    assert accepted(basic(OURS).replace("Basic ", "bASIC   "))


def test_a_password_may_hold_colons_and_any_letters() -> None:
    assert accepted(basic("ü:a:b:ß"), "ü:a:b:ß")


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="none"),
        pytest.param("Basic", id="the scheme alone"),
        pytest.param("Basic ", id="no credentials"),
        pytest.param(basic(THEIRS), id="another tenant's"),
        pytest.param(basic("acme"), id="a name alone"),
        pytest.param(basic(""), id="of nobody"),
        pytest.param(basic(OURS).replace("Basic", "Bearer"), id="another scheme"),
        pytest.param(basic(OURS).rstrip("="), id="without its padding"),
        pytest.param(basic(OURS) + "=", id="with more padding"),
        pytest.param(basic(OURS)[:12] + " " + basic(OURS)[12:], id="with a space in it"),
        pytest.param(basic(OURS) + ", " + basic(OURS), id="twice"),
        pytest.param("Basic " + OURS, id="not encoded"),
        pytest.param(basic(OURS.upper()), id="in capitals"),
        pytest.param("Basic é", id="not ASCII"),
        pytest.param("Basic \ud800", id="no text"),
    ],
)
def test_anything_else_is_refused(authorization: str) -> None:
    assert not accepted(authorization)


@pytest.mark.parametrize("secret", ["", ":", "acme:", ":password", "password"])
def test_half_a_secret_lets_nobody_in(secret: str) -> None:
    assert not accepted(basic(secret), secret)


def test_no_secret_lets_nobody_in() -> None:
    assert not BANDWIDTH.verify(request(basic(OURS)), (), NOW)


def test_only_post_reports_usage() -> None:
    assert not BANDWIDTH.verify(request(basic(OURS), method="GET"), (OURS,), NOW)


def test_random_damage_to_the_credentials_is_refused() -> None:
    """Nothing covers the body or the URL, so there is nothing to damage there."""
    headers = {"Authorization": basic(OURS)}
    valid = Vector(
        "bandwidth", WebhookRequest("POST", URL, headers, b"{}"), (OURS,), NOW, True, True, ""
    )
    assert valid.decided_by(BANDWIDTH)
    damaged = list(mutations(valid, ["Authorization", "secret"], _says_the_same))
    assert len(damaged) == MUTATIONS
    assert [each for each in damaged if each.decided_by(BANDWIDTH)] == []


def _says_the_same(one: WebhookRequest, other: WebhookRequest) -> bool:
    def said(request: WebhookRequest) -> tuple[str, str]:
        scheme, _, token = request.header("Authorization").strip(" ").partition(" ")
        return scheme.lower(), token.strip(" ")

    return said(one) == said(other)


TEXT = st.text(st.characters(), max_size=30)  # Lone surrogates too.


@settings(max_examples=500, deadline=None)
@given(
    authorization=st.one_of(TEXT, TEXT.map(lambda text: f"Basic {text}")),
    secrets=st.lists(TEXT, max_size=2),
    body=st.binary(max_size=60),
)
def test_nothing_makes_verifying_raise(authorization: str, secrets: list[str], body: bytes) -> None:
    assert BANDWIDTH.verify(request(authorization, body), secrets, NOW) is False


# Reading


def test_a_call_is_billed_from_answer_to_end_with_a_begun_second_counted_whole() -> None:
    assert the_event() == UsageEvent(
        key=CallKey("bandwidth", "9900000", CALL["callId"]),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=CallStatus.COMPLETED,
        quantity=62,
        answered_at=datetime(2026, 11, 22, 12, 3, 58, 500_000, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 12, 4, 59, 501_000, tzinfo=UTC),
        connection_id="acme",
    )


@pytest.mark.parametrize(
    ("ended", "seconds"),
    [
        ("2026-11-22T12:03:58.500Z", 0),
        ("2026-11-22T12:03:58.501Z", 1),
        ("2026-11-22T12:03:59.500Z", 1),
        ("2026-11-22T12:03:59.500001Z", 2),
        ("2026-11-22T13:03:59.500+01:00", 1),
    ],
)
def test_seconds_round_up(ended: str, seconds: int) -> None:
    assert the_event(endTime=ended).quantity == seconds


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("busy", CallStatus.BUSY),
        ("timeout", CallStatus.NO_ANSWER),
        ("cancel", CallStatus.CANCELED),
        ("hangup", CallStatus.CANCELED),
        ("rejected", CallStatus.FAILED),
        ("error", CallStatus.FAILED),
        ("something-new", CallStatus.FAILED),
        (None, CallStatus.FAILED),
    ],
)
@pytest.mark.parametrize("blank", [None, ""])
def test_a_call_nobody_answered_is_kept_at_nothing(
    cause: Any, status: CallStatus, blank: Any
) -> None:
    event = the_event(cause=cause, answerTime=blank)
    assert (event.status, event.quantity, event.answered_at) == (status, 0, None)


def test_an_answered_call_was_used_whatever_ended_it() -> None:
    event = the_event(cause="callback-error")
    assert (event.status, event.quantity) == (CallStatus.COMPLETED, 62)


def test_a_leg_added_by_a_transfer_is_a_call_of_its_own() -> None:
    leg = the_event(eventType="transferDisconnect", callId="c-2", parentCallId=CALL["callId"])
    assert leg.key.call_id == "c-2"


@pytest.mark.parametrize("event_type", ["answer", "initiate", "", None, 1, ["disconnect"]])
def test_other_webhooks_report_nothing(event_type: Any) -> None:
    assert parse(CALL | {"eventType": event_type}) == Ignored("call_not_ended")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"endTime": None}, "invalid_timestamp", id="no end"),
        pytest.param({"endTime": "yesterday"}, "invalid_timestamp", id="no time"),
        pytest.param({"endTime": "2026-11-22T12:04:59"}, "invalid_timestamp", id="no zone"),
        pytest.param({"endTime": "2026-11-31T12:04:59Z"}, "invalid_timestamp", id="no such day"),
        pytest.param(
            {"endTime": "0001-01-01T00:00:00+01:00"}, "invalid_timestamp", id="before year 1"
        ),
        pytest.param({"answerTime": 5}, "invalid_timestamp", id="a number for a time"),
        pytest.param({"endTime": "2026-11-22T12:03:58Z"}, "invalid_usage", id="ends before answer"),
        pytest.param({"answerTime": "2023-11-22T12:03:58Z"}, "invalid_usage", id="three years"),
        pytest.param({"direction": "sideways"}, "invalid_direction", id="unknown direction"),
        pytest.param({"callId": None}, "invalid_id", id="no call"),
        pytest.param({"callId": "c#1"}, "invalid_id", id="a key separator in the id"),
        pytest.param({"accountId": {}}, "invalid_text", id="an object for an account"),
        pytest.param({"to": ""}, "invalid_number", id="no destination"),
        pytest.param({"to": "sip:" + "a" * 300}, "invalid_number", id="an endless destination"),
        pytest.param({"to": "\ud800"}, "invalid_text", id="a lone surrogate"),
    ],
)
def test_a_call_that_cannot_be_true_is_not_read(changes: dict[str, Any], reason: str) -> None:
    parsed = parse(CALL | changes)
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == reason
    json.dumps(parsed.callback, ensure_ascii=False).encode()


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_parked_by_its_digest(body: bytes) -> None:
    parsed = BANDWIDTH.parse(request(basic(OURS), body), "acme", NOW)
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == "invalid_json"
    assert parsed.callback["body_sha256"]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters())),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)


@settings(max_examples=500, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(sorted(CALL)), VALUES))
def test_nothing_makes_reading_raise(changes: dict[str, Any]) -> None:
    assert isinstance(parse(CALL | changes), Reported | Ignored | Unreadable)
