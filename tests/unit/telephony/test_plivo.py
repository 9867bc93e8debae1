"""Plivo's signatures, as its own SDK judges them, and Plivo's callbacks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS, Vector, mutations, named, vectors

PLIVO = PROVIDERS["plivo"]
VECTORS = vectors("plivo")
VALID = named("plivo", "a valid callback")
GET = named("plivo", "a query out of order, with escapes and blanks, GET")
FORM = "application/x-www-form-urlencoded"
URL = "https://billing.example.com/webhooks/usage/acme"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
CALL = {
    "AnswerTime": "2026-11-22 12:03:58",
    "BillDuration": "120",
    "CallStatus": "completed",
    "CallUUID": "9834029e-58b6-11e1-b8b7-a5bd0e4e126f",
    "Direction": "outbound",
    "Duration": "61",
    "EndTime": "2026-11-22 12:04:59",
    "Event": "Hangup",
    "From": "14155550100",
    "ParentAuthID": "MAMDJMMTEZOTY0ZDVKZM",
    "StartTime": "2026-11-22 12:03:50",
    "To": "14155550123",
    "TotalCost": "0.01100",
}
UNANSWERED = CALL | {"AnswerTime": "", "CallStatus": "busy", "Duration": "0"}


def parse(fields: Mapping[str, str] | Sequence[tuple[str, str]], *, method: str = "POST") -> Parsed:
    encoded = urlencode(fields)
    if method == "GET":
        sent = WebhookRequest("GET", f"{URL}?{encoded}", {}, b"")
    else:
        sent = WebhookRequest("POST", URL, {"content-type": FORM}, encoded.encode())
    return PLIVO.parse(sent, "acme", NOW)


def the_event(fields: Mapping[str, str]) -> UsageEvent:
    parsed = parse(fields)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


def unreadable(fields: Mapping[str, str] | Sequence[tuple[str, str]]) -> Unreadable:
    parsed = parse(fields)
    assert isinstance(parsed, Unreadable), parsed
    return parsed


# Signatures


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_every_vector_is_decided_right(vector: Vector) -> None:
    assert vector.decided_by(PLIVO) is vector.accepted


@pytest.mark.parametrize("method", ["PUT", "get", "HEAD", ""])
def test_only_get_and_post_are_callbacks(method: str) -> None:
    request = replace(GET.request, method=method)
    assert not replace(GET, request=request).decided_by(PLIVO)


def is_same(before: WebhookRequest, after: WebhookRequest) -> bool:
    """Whether a form in another order or spelling, or a list of signatures, says the same."""
    ours = before.headers["X-Plivo-Signature-V3"]
    theirs = after.headers["X-Plivo-Signature-V3"].split(",")
    nonce = "X-Plivo-Signature-V3-Nonce"
    sent, _, ours_query = before.url.partition("?")
    came, _, their_query = after.url.partition("#")[0].partition("?")
    return (
        ours in theirs
        and before.headers[nonce] == after.headers[nonce]
        and (sent, said(ours_query)) == (came, said(their_query))
        and said(before.body) == said(after.body)
    )


def said(encoded: str | bytes) -> list[tuple[str, str]]:
    text = encoded.decode(errors="surrogateescape") if isinstance(encoded, bytes) else encoded
    return sorted(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


@pytest.mark.parametrize("valid", [VALID, GET], ids=["POST", "GET"])
def test_no_random_damage_is_accepted(valid: Vector) -> None:
    parts = ["url", "secret", "X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce"]
    tried = 0
    for damaged in mutations(valid, [*parts, "body", "body"], is_same):
        tried += 1
        assert not damaged.decided_by(PLIVO), damaged
        PLIVO.parse(damaged.request, "acme", NOW)
    assert tried == MUTATIONS


def test_what_the_signature_cannot_tell_apart_lacks_a_field_then() -> None:
    # It leaves the equals signs out, so one that moved is still signed; as in the SDK.
    moved = VALID.request.body.replace(b"&Duration=61", b"&Duratio=n61")
    damaged = replace(VALID, request=replace(VALID.request, body=moved))
    assert damaged.decided_by(PLIVO)
    assert isinstance(PLIVO.parse(damaged.request, "acme", NOW), Unreadable)


TEXT = st.text(st.characters(), max_size=40)  # Lone surrogates too.
RIGHT = VALID.request.headers["X-Plivo-Signature-V3"]


@settings(max_examples=500, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    url=st.one_of(TEXT, TEXT.map(lambda text: URL + text), st.just("https://[")),
    content_type=st.one_of(TEXT, st.just(FORM)),
    signature=st.one_of(TEXT, st.just(RIGHT)),
    nonce=TEXT,
    body=st.binary(max_size=60),
    secrets=st.lists(TEXT, max_size=2),
)
def test_nothing_makes_verifying_or_reading_raise(
    method: str,
    url: str,
    content_type: str,
    signature: str,
    nonce: str,
    body: bytes,
    secrets: list[str],
) -> None:
    headers = {
        "Content-Type": content_type,
        "X-Plivo-Signature-V3": signature,
        "X-Plivo-Signature-V3-Nonce": nonce,
    }
    sent = WebhookRequest(method, url, headers, body)
    assert PLIVO.verify(sent, secrets, NOW) is False
    assert isinstance(PLIVO.parse(sent, "acme", NOW), Ignored | Unreadable)


VALUES = st.one_of(
    st.text(max_size=20), st.sampled_from(["0", "-1", "1e3", "٣", "9" * 12, "\x00", "\ufffe"])
)


@settings(max_examples=500, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(CALL)), VALUES),
    dropped=st.sets(st.sampled_from(sorted(CALL)), max_size=3),
    method=st.sampled_from(["GET", "POST"]),
)
def test_nothing_signed_makes_reading_raise(
    changes: dict[str, str], dropped: set[str], method: str
) -> None:
    fields = {name: value for name, value in (CALL | changes).items() if name not in dropped}
    assert isinstance(parse(fields, method=method), Reported | Ignored | Unreadable)


# Reading


def test_a_completed_call_is_billed_by_its_seconds() -> None:
    assert the_event(CALL) == UsageEvent(
        key=CallKey("plivo", "MAMDJMMTEZOTY0ZDVKZM", "9834029e-58b6-11e1-b8b7-a5bd0e4e126f"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=datetime(2026, 11, 22, 12, 3, 58, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC),
        connection_id="acme",
    )


def test_a_callback_by_get_says_the_same() -> None:
    assert parse(CALL, method="GET") == parse(CALL)


def test_an_operators_own_query_is_no_field_of_a_post() -> None:
    sent = WebhookRequest(
        "POST", f"{URL}?Duration=1", {"content-type": FORM}, urlencode(CALL).encode()
    )
    assert PLIVO.parse(sent, "acme", NOW) == parse(CALL)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("busy", CallStatus.BUSY),
        ("no-answer", CallStatus.NO_ANSWER),
        ("timeout", CallStatus.NO_ANSWER),
        ("cancel", CallStatus.CANCELED),
        ("failed", CallStatus.FAILED),
        ("something-new", CallStatus.FAILED),
    ],
)
@pytest.mark.parametrize("duration", ["0", ""])
def test_a_call_nobody_answered_is_kept_at_nothing(
    status: str, expected: CallStatus, duration: str
) -> None:
    event = the_event(UNANSWERED | {"CallStatus": status, "Duration": duration})
    assert (event.status, event.quantity, event.answered_at) == (expected, 0, None)


def test_the_event_may_be_left_out() -> None:
    silent = {name: value for name, value in CALL.items() if name != "Event"}
    assert the_event(silent) == the_event(CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"Event": "StartApp", "CallStatus": "in-progress"},
        {"Event": "Redirect"},
        {"Event": "", "CallStatus": "ringing"},
        {"Event": "", "CallStatus": "something-new"},
    ],
)
def test_a_call_that_goes_on_reports_nothing(changes: dict[str, str]) -> None:
    assert parse(CALL | changes) == Ignored("call_not_ended")


def test_a_callback_about_something_else_reports_nothing() -> None:
    assert parse({"MessageUUID": "1", "Status": "delivered"}) == Ignored("not_usage")
    assert parse({}) == Ignored("not_usage")


def test_a_callback_without_its_account_is_under_the_account_that_is_not_named() -> None:
    assert the_event(CALL | {"ParentAuthID": ""}).key.provider_account == "-"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"Duration": ""}, "invalid_quantity", id="no seconds"),
        pytest.param({"Duration": "-1"}, "invalid_quantity", id="negative seconds"),
        pytest.param({"Duration": "61.5"}, "invalid_quantity", id="half a second"),
        pytest.param({"Duration": "٦١"}, "invalid_quantity", id="other digits"),
        pytest.param({"Duration": "63"}, "invalid_quantity", id="longer than its times"),
        pytest.param({"AnswerTime": ""}, "invalid_timestamp", id="seconds, but no answer"),
        pytest.param({"AnswerTime": "2026-11-22 12:05:00"}, "invalid_quantity", id="ends first"),
        pytest.param({"EndTime": ""}, "invalid_timestamp", id="no end"),
        pytest.param({"EndTime": "2026-02-31 12:05:00"}, "invalid_timestamp", id="no such day"),
        pytest.param({"EndTime": "2026-11-22T12:04:59Z"}, "invalid_timestamp", id="other form"),
        pytest.param({"CallStatus": "busy"}, "invalid_usage", id="busy for a minute"),
        pytest.param({"CallUUID": "a#b"}, "invalid_id", id="a key separator in the id"),
        pytest.param({"ParentAuthID": "a b"}, "invalid_id", id="an account with a space"),
        pytest.param({"Direction": "sideways"}, "invalid_direction", id="unknown direction"),
        pytest.param({"To": ""}, "invalid_number", id="no destination"),
        pytest.param({"To": "sip:" + "a" * 300}, "invalid_number", id="an endless destination"),
        pytest.param({"From": "1\x00"}, "invalid_text", id="a control character"),
    ],
)
def test_a_call_that_cannot_be_true_is_not_read(changes: dict[str, str], reason: str) -> None:
    assert unreadable(CALL | changes).reason == reason


def test_whole_seconds_leave_a_second_of_doubt() -> None:
    assert the_event(CALL | {"Duration": "62"}).quantity == 62


def test_a_field_with_two_values_is_not_guessed_at() -> None:
    twice = unreadable([*CALL.items(), ("Duration", "62")])
    assert (twice.reason, twice.callback["Duration"]) == ("repeated_field", "61, 62")
    assert twice.provider_account == "MAMDJMMTEZOTY0ZDVKZM"
    assert isinstance(parse([*CALL.items(), ("Duration", "61")]), Reported)
