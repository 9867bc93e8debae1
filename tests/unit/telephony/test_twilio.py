"""Twilio's signatures, with the official helper as the judge, and Twilio's callbacks."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # has none

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS
from local.twilio import signed_callback

TWILIO = PROVIDERS["twilio"]
URL = "https://billing.example.com/webhooks/usage/acme"
TOKEN = "0123456789abcdef0123456789abcdef"
FORM = "application/x-www-form-urlencoded"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
CALL = {
    "AccountSid": "AC1",
    "CallDuration": "61",
    "CallSid": "CA1",
    "CallStatus": "completed",
    "CalledCity": "",
    "Direction": "outbound-api",
    "Duration": "2",
    "From": "+14155550100",
    "Timestamp": "Sun, 22 Nov 2026 12:04:59 +0000",
    "To": "+14155550123",
}
MESSAGE = {
    "AccountSid": "AC1",
    "From": "+14155550100",
    "MessageSid": "SM1",
    "MessageStatus": "delivered",
    "To": "+14155550123",
}
RECEIVED = {
    "AccountSid": "AC1",
    "Body": "Grüße",
    "From": "+14155550123",
    "MessageSid": "SM2",
    "NumSegments": "3",
    "SmsStatus": "received",
    "To": "+14155550100",
}


class Form(dict[str, list[str]]):
    """What web frameworks hand the official helper: every value of every name."""

    def __init__(self, body: str) -> None:
        super().__init__()
        for name, value in parse_qsl(body, keep_blank_values=True):
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        return self[name]


def official_signature(url: str, params: Mapping[str, Any], token: str = TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, params))


def request(
    body: bytes | str, signature: str, *, url: str = URL, content_type: str = FORM
) -> WebhookRequest:
    raw = body.encode() if isinstance(body, str) else body
    headers = {"content-type": content_type, "x-twilio-signature": signature}
    return WebhookRequest("POST", url, headers, raw)


def signed(body: str, *, url: str = URL, token: str = TOKEN) -> WebhookRequest:
    return request(body, official_signature(url, Form(body), token), url=url)


def accepted(callback: WebhookRequest, *secrets: str) -> bool:
    return TWILIO.verify(callback, secrets or (TOKEN,), NOW)


# Signatures


@pytest.mark.parametrize("params", [CALL, MESSAGE, RECEIVED, {}])
def test_what_the_official_helper_signs_is_accepted(params: dict[str, str]) -> None:
    assert accepted(signed(urlencode(params)))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("A=&B=1", id="a blank value counts"),
        pytest.param("A=2&A=1", id="repeated names are sorted by value"),
        pytest.param("A=1&A=1&B=", id="a value said twice counts once"),
        pytest.param("b=1&B=2&a=3", id="upper case sorts first"),
        pytest.param("A=1;B=2", id="a semicolon separates nothing"),
        pytest.param("A=a=b", id="only the first equals sign separates"),
        pytest.param("A=%FF%C3%28", id="escaped bytes that are not UTF-8"),
        pytest.param("A=%zz%4", id="broken escapes stand for themselves"),
        pytest.param("A=Gr%C3%BC%C3%9Fe+%F0%9F%98%80", id="UTF-8"),
        pytest.param("A=Grüße", id="UTF-8 that nobody escaped"),
        pytest.param("A%26=%3D", id="escaped separators"),
    ],
)
def test_forms_are_read_as_the_official_helper_reads_them(body: str) -> None:
    assert accepted(signed(body))


@pytest.mark.parametrize("configured", [URL, URL + "?tag=a%2Fb%20c+d&x="])
@pytest.mark.parametrize("with_port", ["", ":443"])
@pytest.mark.parametrize("signed_with_port", ["", ":443"])
def test_the_default_port_may_be_signed_or_not(
    configured: str, with_port: str, signed_with_port: str
) -> None:
    ours = configured.replace(".com", ".com" + with_port)
    theirs = configured.replace(".com", ".com" + signed_with_port)
    callback = request(urlencode(CALL), official_signature(theirs, CALL), url=ours)
    assert accepted(callback)
    assert RequestValidator(TOKEN).validate(ours, CALL, callback.header("x-twilio-signature"))


def test_plain_http_on_a_port_of_its_own_is_accepted() -> None:
    url = "http://127.0.0.1:4566/_aws/execute-api/abc/webhooks/usage/acme"
    assert accepted(signed(urlencode(CALL), url=url))
    assert not accepted(signed(urlencode(CALL), url=url.replace("4566", "4567")), "other")


def test_both_secrets_count_while_one_is_replaced_and_the_removed_one_no_longer() -> None:
    by_old, by_new = (signed(urlencode(CALL), token=token) for token in ("old", "new"))
    assert accepted(by_old, "new", "old")
    assert accepted(by_new, "new", "old")
    assert accepted(by_new, "new")
    assert not accepted(by_old, "new")


def test_without_a_secret_nothing_is_accepted() -> None:
    by_empty = signed(urlencode(CALL), token="")
    assert not TWILIO.verify(by_empty, (), NOW)
    assert not TWILIO.verify(by_empty, ("",), NOW)
    assert accepted(signed(urlencode(CALL)), "", TOKEN)


def test_a_header_is_found_in_any_case() -> None:
    callback = signed(urlencode(CALL))
    headers = {name.title(): value for name, value in callback.headers.items()}
    assert accepted(WebhookRequest("POST", URL, headers, callback.body))


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param("abc", id="short"),
        pytest.param("é" * 28, id="not ASCII"),
        pytest.param("\ud800", id="not even text"),
        pytest.param(official_signature(URL, CALL) + "=", id="padded"),
        pytest.param(official_signature(URL, CALL) + ",x", id="two joined by the gateway"),
        pytest.param(" " + official_signature(URL, CALL), id="a leading space"),
        pytest.param(official_signature(URL, CALL).swapcase(), id="other case"),
        pytest.param(official_signature(URL, CALL, "other"), id="another secret"),
    ],
)
def test_a_malformed_or_wrong_signature_is_refused(signature: str) -> None:
    assert not accepted(request(urlencode(CALL), signature))


def test_a_missing_signature_is_refused() -> None:
    body = urlencode(CALL).encode()
    assert not accepted(WebhookRequest("POST", URL, {"content-type": FORM}, body))
    assert not accepted(WebhookRequest("POST", URL, {}, b""))


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data; boundary=x", f"{FORM},text/plain", "\x00", ";"],
)
def test_a_body_whose_type_the_signature_does_not_cover_is_refused(content_type: str) -> None:
    bare = official_signature(URL, {})
    assert not accepted(request(urlencode(CALL), bare, content_type=content_type))
    right = official_signature(URL, CALL)
    assert not accepted(request(urlencode(CALL), right, content_type=content_type))


def test_a_body_that_is_not_utf8_is_refused() -> None:
    assert not accepted(request(b"A=\xff", official_signature(URL, {"A": "\ufffd"})))


def test_only_a_post_is_a_callback() -> None:
    callback = signed(urlencode(CALL))
    assert not accepted(WebhookRequest("GET", URL, callback.headers, callback.body))


@pytest.mark.parametrize("body", ["To&sip:a", "To=1&", "&To=1", "To=1&&Z=2"])
def test_a_pair_without_its_equals_sign_is_refused_though_its_signature_holds(body: str) -> None:
    # Signed over "Tosip:a", this is also "To=sip:a": one byte would have turned it into the other.
    callback = signed(body)
    assert RequestValidator(TOKEN).validate(URL, Form(body), callback.header("x-twilio-signature"))
    assert not accepted(callback)


def json_callback(body: bytes, digest: str) -> WebhookRequest:
    url = f"{URL}?bodySHA256={digest}"
    signature = official_signature(url, {})
    return request(body, signature, url=url, content_type="application/json; charset=utf-8")


def test_json_is_covered_by_the_digest_in_the_signed_url() -> None:
    body = '{"a": "ü"}'
    callback = json_callback(body.encode(), hashlib.sha256(body.encode()).hexdigest())
    official = RequestValidator(TOKEN)
    assert official.validate(callback.url, body, callback.header("x-twilio-signature"))
    assert accepted(callback)
    assert not accepted(callback, "other")
    assert isinstance(TWILIO.parse(callback, "acme", NOW), Ignored)


@pytest.mark.parametrize("digest", ["", "00", "é", hashlib.sha256(b"{ }").hexdigest()])
def test_json_with_another_digest_is_refused(digest: str) -> None:
    assert not accepted(json_callback(b"{}", digest))


def test_json_without_a_digest_is_refused() -> None:
    bare = official_signature(URL, {})
    assert not accepted(request(b"{}", bare, content_type="application/json"))


# One byte


def _meaning(body: bytes) -> set[tuple[str, str]] | None:
    try:
        return set(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return None


def _signed_text(meaning: set[tuple[str, str]]) -> str:
    return "".join(name + value for name, value in sorted(meaning))


def test_every_change_of_one_byte_of_the_body_is_refused() -> None:
    callback = signed(urlencode(MESSAGE | {"Body": "a b", "Zone": "", "zz": "x:y"}))
    meaning, same, tried = _meaning(callback.body), 0, 0
    for position in range(len(callback.body)):
        for byte in range(256):
            changed = bytearray(callback.body)
            if changed[position] == byte:
                continue
            changed[position] = byte
            tried += 1
            is_same = _meaning(bytes(changed)) == meaning
            same += is_same
            altered = WebhookRequest("POST", URL, callback.headers, bytes(changed))
            assert accepted(altered) == is_same, bytes(changed)
    # "+" is also a space, and the escapes of "+" and ":" may be written %2b and %3a: nothing else.
    assert same == 1 + 2 + 1
    assert tried > 25_000


def test_every_change_of_one_character_of_the_url_is_refused() -> None:
    url = URL + "?tag=a%2Fb"
    callback = signed(urlencode(CALL), url=url)
    for position in range(len(url)):
        for code in range(1, 256):
            changed = url[:position] + chr(code) + url[position + 1 :]
            altered = WebhookRequest("POST", changed, callback.headers, callback.body)
            assert accepted(altered) == (changed == url), changed


def test_every_change_of_one_character_of_the_signature_is_refused() -> None:
    right = official_signature(URL, CALL)
    for position in range(len(right)):
        for code in range(1, 256):
            changed = right[:position] + chr(code) + right[position + 1 :]
            assert accepted(request(urlencode(CALL), changed)) == (changed == right), changed


def test_random_damage_is_refused() -> None:
    rng = random.Random(20261122)
    body = urlencode(CALL).encode()
    signature, meaning = official_signature(URL, CALL), set(CALL.items())
    for _ in range(MUTATIONS):
        changed = bytearray(body)
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(len(changed))
            match rng.randrange(3):
                case 0:
                    changed[start] = rng.randrange(256)
                case 1:
                    del changed[start : start + rng.randint(1, 8)]
                case _:
                    changed[start:start] = rng.randbytes(rng.randint(1, 8))
        # Twilio signs names and values without separators: damage that only moves the border
        # between the two is nothing a signature over that text can see.
        damaged = _meaning(bytes(changed))
        if damaged is None or _signed_text(damaged) != _signed_text(meaning):
            assert not accepted(request(bytes(changed), signature)), bytes(changed)


# Anything at all

NAMES = st.text(alphabet="abAB=&+% é😀\ufffd;", min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(NAMES, st.text(max_size=6)), max_size=6)
TEXT = st.text(st.characters(), max_size=30)  # Lone surrogates too.


@settings(max_examples=500, deadline=None)
@given(signed_pairs=PAIRS, sent_pairs=PAIRS, is_altered=st.booleans(), token=st.text(min_size=1))
def test_verdicts_are_the_official_helpers(
    signed_pairs: Sequence[tuple[str, str]],
    sent_pairs: Sequence[tuple[str, str]],
    is_altered: bool,
    token: str,
) -> None:
    try:
        token.encode()
    except UnicodeEncodeError:
        return
    body = _urlencode(sent_pairs if is_altered else signed_pairs)
    signature = official_signature(URL, Form(_urlencode(signed_pairs)), token)
    verdict = RequestValidator(token).validate(URL, Form(body), signature)
    assert accepted(request(body, signature), token) == verdict
    assert verdict or is_altered


def _urlencode(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="replace")


@settings(max_examples=500, deadline=None)
@given(
    method=st.sampled_from(["POST", "GET", ""]),
    url=st.one_of(TEXT, TEXT.map(lambda text: URL + text), st.just("https://[")),
    content_type=st.one_of(TEXT, st.sampled_from([FORM, "application/json"])),
    signature=TEXT,
    body=st.one_of(st.binary(max_size=60), st.just(urlencode(CALL).encode())),
    secrets=st.lists(TEXT, max_size=2),
)
def test_nothing_makes_verifying_raise(
    method: str, url: str, content_type: str, signature: str, body: bytes, secrets: list[str]
) -> None:
    headers = {"Content-Type": content_type, "X-Twilio-Signature": signature}
    assert TWILIO.verify(WebhookRequest(method, url, headers, body), secrets, NOW) is False


VALUES = st.one_of(st.text(max_size=20), st.sampled_from(["0", "-1", "1e3", "٣", "9" * 12]))


@settings(max_examples=500, deadline=None)
@given(
    base=st.sampled_from([CALL, MESSAGE, RECEIVED]),
    changes=st.dictionaries(st.sampled_from(sorted(CALL | MESSAGE | RECEIVED)), VALUES),
    dropped=st.sets(st.sampled_from(sorted(CALL | MESSAGE | RECEIVED)), max_size=3),
)
def test_nothing_signed_makes_reading_raise(
    base: dict[str, str], changes: dict[str, str], dropped: set[str]
) -> None:
    fields = {name: value for name, value in (base | changes).items() if name not in dropped}
    assert isinstance(parse(fields), Reported | Ignored | Unreadable)


# The simulator's own signer


@settings(max_examples=200, deadline=None)
@given(params=st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_simulator_signs_as_the_official_helper_does(params: dict[str, str]) -> None:
    headers, body = signed_callback(URL, TOKEN, params)
    assert headers["X-Twilio-Signature"] == official_signature(URL, params)
    assert dict(parse_qsl(body.decode(), keep_blank_values=True)) == params
    assert accepted(WebhookRequest("POST", URL, headers, body))


# Reading


def parse(fields: Mapping[str, str] | Sequence[tuple[str, str]]) -> Parsed:
    return TWILIO.parse(request(urlencode(fields), ""), "acme", NOW)


def the_event(fields: Mapping[str, str]) -> UsageEvent:
    parsed = parse(fields)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


def unreadable(fields: Mapping[str, str] | Sequence[tuple[str, str]]) -> Unreadable:
    parsed = parse(fields)
    assert isinstance(parsed, Unreadable), parsed
    return parsed


def test_a_completed_call_is_billed_by_its_seconds_up_to_its_timestamp() -> None:
    ended_at = datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC)
    assert the_event(CALL) == UsageEvent(
        key=CallKey("twilio", "AC1", "CA1"),
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
        ("no-answer", CallStatus.NO_ANSWER),
        ("canceled", CallStatus.CANCELED),
        ("failed", CallStatus.FAILED),
    ],
)
@pytest.mark.parametrize("duration", [{"CallDuration": "0"}, {}])
def test_a_call_nobody_answered_is_kept_at_nothing(
    status: str, expected: CallStatus, duration: dict[str, str]
) -> None:
    silent = {name: value for name, value in CALL.items() if name != "CallDuration"}
    event = the_event(silent | duration | {"CallStatus": status})
    assert (event.status, event.quantity, event.answered_at) == (expected, 0, None)


@pytest.mark.parametrize(
    ("given_direction", "expected"),
    [
        ("inbound", Direction.INBOUND),
        ("outbound-api", Direction.OUTBOUND),
        ("outbound-dial", Direction.OUTBOUND),
    ],
)
def test_directions_are_seen_from_the_tenant(given_direction: str, expected: Direction) -> None:
    assert the_event(CALL | {"Direction": given_direction}).direction is expected


@pytest.mark.parametrize(
    "timestamp",
    [
        pytest.param("Sun, 22 Nov 2026 12:04:59 +0000", id="UTC"),
        pytest.param("Sun, 22 Nov 2026 12:04:59 GMT", id="GMT"),
        pytest.param("Sun, 22 Nov 2026 17:34:59 +0530", id="another zone"),
        pytest.param("22 Nov 2026 12:04:59 +0000", id="no weekday"),
    ],
)
def test_timestamps_become_utc(timestamp: str) -> None:
    event = the_event(CALL | {"Timestamp": timestamp})
    assert event.ended_at.isoformat() == "2026-11-22T12:04:59+00:00"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+14155550123", "+14155550123"),
        ("14155550123", "+14155550123"),
        (" 14155550123", "+14155550123"),
        ("911", "911"),
        ("1234567890123456", "1234567890123456"),
        ("sip:bob@example.com", "sip:bob@example.com"),
        ("client:bob", "client:bob"),
        ("anonymous", "anonymous"),
        ("١٢٣٤٥٦٧٨", "١٢٣٤٥٦٧٨"),
    ],
)
def test_bare_numbers_get_their_plus_sign_and_addresses_are_left_alone(
    number: str, expected: str
) -> None:
    event = the_event(CALL | {"To": number, "From": number})
    assert (event.to_number, event.from_number) == (expected, expected)


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress", "new", ""])
def test_a_call_that_goes_on_reports_nothing(status: str) -> None:
    assert parse(CALL | {"CallStatus": status}) == Ignored("call_not_ended")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"Timestamp": ""}, "invalid_timestamp", id="no time"),
        pytest.param({"Timestamp": "yesterday"}, "invalid_timestamp", id="no RFC 2822 time"),
        pytest.param(
            {"Timestamp": "Sun, 22 Nov 2026 12:04:59"}, "invalid_timestamp", id="no time zone"
        ),
        pytest.param(
            {"Timestamp": "Mon, 01 Jan 0001 00:00:00 +0100"}, "invalid_timestamp", id="year 0"
        ),
        pytest.param(
            {"Timestamp": "Sun, 31 Feb 2026 12:04:59 +0000"}, "invalid_timestamp", id="no such day"
        ),
        pytest.param(
            {"Timestamp": "Sun, 22 Nov 2026 12:04:59 -0000"}, "invalid_timestamp", id="zone unknown"
        ),
        pytest.param(
            {"Timestamp": "Sun, 22 Nov 2026 12:04:59 +9999"}, "invalid_timestamp", id="no such zone"
        ),
        pytest.param(
            {"Timestamp": "Sun, 22 Nov 26 12:04:59 +0000"}, "invalid_timestamp", id="two-digit year"
        ),
        pytest.param({"Timestamp": "1795349100"}, "invalid_timestamp", id="seconds since 1970"),
        pytest.param({"CallDuration": "-1"}, "invalid_quantity", id="negative seconds"),
        pytest.param({"CallDuration": "1.5"}, "invalid_quantity", id="half a second"),
        pytest.param({"CallDuration": "٦١"}, "invalid_quantity", id="other digits"),
        pytest.param({"CallDuration": ""}, "invalid_quantity", id="blank seconds"),
        pytest.param({"CallDuration": "99999999"}, "invalid_usage", id="three years"),
        pytest.param({"CallStatus": "busy"}, "invalid_usage", id="busy for a minute"),
        pytest.param({"CallSid": ""}, "invalid_sid", id="no call"),
        pytest.param({"CallSid": "CA#1"}, "invalid_sid", id="a key separator in the id"),
        pytest.param({"CallSid": "C" * 65}, "invalid_sid", id="an endless id"),
        pytest.param({"AccountSid": ""}, "invalid_sid", id="no account"),
        pytest.param({"Direction": "sideways"}, "invalid_direction", id="unknown direction"),
        pytest.param({"To": ""}, "invalid_number", id="no destination"),
        pytest.param({"To": "sip:" + "a" * 300}, "invalid_number", id="an endless destination"),
    ],
)
def test_a_call_that_cannot_be_true_is_not_read(changes: dict[str, str], reason: str) -> None:
    assert unreadable(CALL | changes).reason == reason


@pytest.mark.parametrize(
    "name", ["AccountSid", "CallDuration", "CallSid", "Direction", "Timestamp", "To"]
)
def test_a_call_that_leaves_something_out_is_not_read(name: str) -> None:
    assert unreadable({key: value for key, value in CALL.items() if key != name})


def test_a_field_with_two_values_is_not_guessed_at() -> None:
    twice = unreadable([*CALL.items(), ("CallDuration", "62")])
    assert twice.reason == "repeated_field"
    assert twice.callback["CallDuration"] == ["61", "62"]
    parsed = parse([*CALL.items(), ("CallDuration", "61"), ("Other", "1"), ("Other", "2")])
    assert isinstance(parsed, Reported)


def test_what_is_kept_of_an_unreadable_callback_is_short_and_holds_no_message_text() -> None:
    kept = unreadable(RECEIVED | {"NumSegments": "x" * 1000})
    assert kept.provider_account == "AC1"
    assert "Body" not in kept.callback
    assert kept.callback["NumSegments"] == "x" * 256


@pytest.mark.parametrize("status", ["sent", "delivered", "undelivered"])
def test_a_message_a_carrier_took_is_one_message_whatever_came_of_it(status: str) -> None:
    event = the_event(MESSAGE | {"MessageStatus": status})
    assert (event.quantity, event.status) == (1, CallStatus.COMPLETED)
    assert (event.unit, event.direction) == (Unit.MESSAGES, Direction.OUTBOUND)
    assert event.answered_at == event.ended_at == NOW
    assert event.fingerprint == the_event(MESSAGE).fingerprint


def test_a_message_nobody_took_is_kept_at_nothing() -> None:
    event = the_event(MESSAGE | {"MessageStatus": "failed"})
    assert (event.quantity, event.status, event.answered_at) == (0, CallStatus.FAILED, None)


@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "scheduled", "read", "?"])
def test_a_message_on_its_way_reports_nothing(status: str) -> None:
    assert parse(MESSAGE | {"MessageStatus": status}) == Ignored("message_not_sent")


@pytest.mark.parametrize(("segments", "quantity"), [("3", 3), ("1", 1), ("0", 1)])
def test_a_message_received_counts_its_segments(segments: str, quantity: int) -> None:
    event = the_event(RECEIVED | {"NumSegments": segments})
    assert (event.quantity, event.direction) == (quantity, Direction.INBOUND)
    assert event.to_number == "+14155550100"


def test_a_message_received_without_segments_is_one() -> None:
    assert the_event({k: v for k, v in RECEIVED.items() if k != "NumSegments"}).quantity == 1


def test_a_message_is_known_by_either_of_its_ids() -> None:
    old = {"SmsSid" if name == "MessageSid" else name: value for name, value in MESSAGE.items()}
    assert the_event(old).key == the_event(MESSAGE).key


def test_a_message_without_an_id_is_not_read() -> None:
    assert unreadable(MESSAGE | {"MessageSid": ""}).reason == "invalid_sid"


def test_a_callback_about_something_else_reports_nothing() -> None:
    assert parse({"AccountSid": "AC1", "RecordingStatus": "completed"}) == Ignored("not_usage")
    assert parse({}) == Ignored("not_usage")
