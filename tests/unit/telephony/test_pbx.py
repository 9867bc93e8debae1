"""The endpoint for PBXs: Standard Webhooks, as its own library judges it, and the bodies."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from callback_vectors import MUTATIONS, Vector, mutations, named, vectors

PBX = PROVIDERS["pbx"]
VECTORS = vectors("pbx")
VALID = named("pbx", "a valid webhook")
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
EVENT: dict[str, Any] = json.loads(VALID.request.body)
DATA: dict[str, Any] = EVENT["data"]


def parse(record: Any) -> Parsed:
    request = replace(VALID.request, body=json.dumps(record).encode())
    return PBX.parse(request, "acme", NOW)


def the_event(record: Any) -> UsageEvent:
    parsed = parse(record)
    assert isinstance(parsed, Reported), parsed
    (event,) = parsed.events
    return event


def unreadable(record: Any) -> Unreadable:
    parsed = parse(record)
    assert isinstance(parsed, Unreadable), parsed
    json.dumps(parsed.callback, ensure_ascii=False).encode()  # Storable.
    return parsed


# Signatures


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_every_vector_is_decided_right(vector: Vector) -> None:
    assert vector.decided_by(PBX) is vector.accepted


def _says_the_same(one: WebhookRequest, other: WebhookRequest) -> bool:
    """Whatever else stands in the list of signatures, the right one counts."""

    def signed(request: WebhookRequest) -> tuple[object, ...]:
        return request.header("webhook-id"), request.header("webhook-timestamp"), request.body

    right = one.header("webhook-signature")
    return signed(one) == signed(other) and right in other.header("webhook-signature").split(" ")


def test_random_damage_is_refused() -> None:
    parts = ["body", "body", "webhook-id", "webhook-timestamp", "webhook-signature", "secret"]
    damaged = list(mutations(VALID, parts, _says_the_same))
    assert len(damaged) == MUTATIONS
    assert [each for each in damaged if each.decided_by(PBX)] == []


def test_reading_survives_random_damage() -> None:
    for each in mutations(VALID, ["body"], lambda *_: False):
        assert isinstance(PBX.parse(each.request, "acme", NOW), Reported | Ignored | Unreadable)


TEXT = st.text(st.characters(), max_size=30)  # Lone surrogates too.


@settings(max_examples=500, deadline=None)
@given(
    webhook_id=TEXT,
    timestamp=st.one_of(TEXT, st.just(str(int(NOW.timestamp()))), st.integers().map(str)),
    signature=st.one_of(TEXT, TEXT.map(lambda text: f"v1,{text}")),
    secrets=st.lists(st.one_of(TEXT, TEXT.map(lambda text: f"whsec_{text}")), max_size=2),
    body=st.binary(max_size=60),
)
def test_nothing_makes_verifying_raise(
    webhook_id: str, timestamp: str, signature: str, secrets: list[str], body: bytes
) -> None:
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    request = WebhookRequest("POST", VALID.request.url, headers, body)
    assert PBX.verify(request, secrets, NOW) is False


# CloudEvents


def test_a_cloud_event_is_read() -> None:
    assert the_event(EVENT) == UsageEvent(
        key=CallKey("pbx", "acme-gmbh", "7f4de4bc-17d7-4f5a-9c4a-3f2bd0a7a1c5"),
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


@pytest.mark.parametrize(
    ("source", "account"),
    [
        ("urn:pbx:berlin:pbx1", "berlin"),
        ("urn:pbx:berlin:", "berlin"),
        ("urn:pbx:berlin", "acme"),
        ("urn:pbx:b#n:pbx1", "acme"),
        ("https://pbx.example.com", "acme"),
    ],
)
def test_an_event_without_an_account_is_its_sites_or_the_connections(
    source: str, account: str
) -> None:
    data = DATA | {"account": None}
    assert the_event(EVENT | {"source": source, "data": data}).key.provider_account == account


@pytest.mark.parametrize("type_", ["call.started", "com.example.other", ""])
def test_other_events_report_nothing(type_: str) -> None:
    assert parse(EVENT | {"type": type_}) == Ignored("not_usage")


def test_an_event_that_cannot_be_read_names_all_that_is_wrong() -> None:
    data = DATA | {"billable_seconds": -1, "ended_at": "yesterday", "secret": "text"}
    parked = unreadable(EVENT | {"data": data})
    assert (parked.reason, parked.provider_account) == ("invalid_cloud_event", "acme-gmbh")
    for pointer in ("/data/billable_seconds", "/data/ended_at", "/data/secret"):
        assert pointer in parked.detail
    assert "secret" not in str(parked.callback)


@pytest.mark.parametrize("data", [None, [], "text", {}])
def test_an_event_without_data_is_not_read(data: Any) -> None:
    assert unreadable(EVENT | {"data": data}).reason == "invalid_cloud_event"


@pytest.mark.parametrize("type_", [None, 1, ["call.ended"], {}])
def test_an_event_whose_type_is_no_text_is_not_read(type_: Any) -> None:
    assert unreadable(EVENT | {"type": type_}).reason == "invalid_cloud_event"


# FreeSWITCH

VARIABLES = {
    "uuid": "0f8b7e2c-1c0e-4a52-8a2b-6b1f5a3f7b11",
    "direction": "outbound",
    "accountcode": "acme-gmbh",
    "answer_epoch": "1795349038",
    "end_epoch": "1795349099",
    "end_stamp": "2026-11-22%2013%3A04%3A59",
    "billsec": "61",
    "hangup_cause": "NORMAL_CLEARING",
    "sip_contact_uri": "1001%40192.0.2.1%3A5060",
}
PROFILE = {"caller_id_number": "+14155550100", "destination_number": "+14155550123"}


def freeswitch(profile: Mapping[str, Any] = PROFILE, **variables: Any) -> dict[str, Any]:
    return {
        "core-uuid": "3d6a1b3e-1c5f-4b7f-8d0e-1a2b3c4d5e6f",
        "channel_data": {"state": "CS_REPORTING"},
        "variables": {k: v for k, v in (VARIABLES | variables).items() if v is not None},
        "callflow": [{"dialplan": "XML", "caller_profile": dict(profile)}],
    }


def profile(from_number: str, to_number: str, **more: Any) -> dict[str, Any]:
    return {"caller_id_number": from_number, "destination_number": to_number} | more


def test_a_freeswitch_record_is_read() -> None:
    assert the_event(freeswitch()) == UsageEvent(
        key=CallKey("pbx", "acme-gmbh", VARIABLES["uuid"]),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=datetime.fromtimestamp(1795349038, UTC),
        ended_at=datetime.fromtimestamp(1795349099, UTC),
        connection_id="acme",
    )


def test_values_that_were_url_encoded_are_decoded() -> None:
    encoded = {name: value.replace("-", "%2D") for name, value in VARIABLES.items()}
    numbers = profile("%2B14155550100", "sip%3Abob%40example.com")
    event = the_event(freeswitch(numbers, **encoded))
    assert event.key == CallKey("pbx", "acme-gmbh", VARIABLES["uuid"])
    assert (event.from_number, event.to_number) == ("+14155550100", "sip:bob@example.com")


def test_a_record_without_an_account_is_the_connections() -> None:
    assert the_event(freeswitch(accountcode=None)).key.provider_account == "acme"


def test_an_older_call_flow_is_one_object() -> None:
    record = freeswitch()
    assert the_event(record | {"callflow": record["callflow"][0]}) == the_event(record)


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("USER_BUSY", CallStatus.BUSY),
        ("NO_ANSWER", CallStatus.NO_ANSWER),
        ("ORIGINATOR_CANCEL", CallStatus.CANCELED),
        ("CALL_REJECTED", CallStatus.FAILED),
        (None, CallStatus.FAILED),
    ],
)
def test_an_answer_epoch_of_zero_is_no_answer(cause: str | None, status: CallStatus) -> None:
    event = the_event(freeswitch(answer_epoch="0", billsec="0", hangup_cause=cause))
    assert (event.status, event.quantity, event.answered_at) == (status, 0, None)


@pytest.mark.parametrize(
    ("leg", "from_number", "to_number", "direction"),
    [
        pytest.param("outbound", "+14155550100", "+14155550123", "outbound", id="placed by it"),
        pytest.param("outbound", "", "+14155550123", "outbound", id="placed for nobody"),
        pytest.param("outbound", "+14155550123", "1001", None, id="placed to an extension"),
        pytest.param("inbound", "1001", "+14155550123", "outbound", id="dialled by an extension"),
        pytest.param("inbound", "1001", "1002", None, id="between extensions"),
        pytest.param("inbound", "+14155550123", "+14155550100", "inbound", id="to our number"),
        pytest.param("inbound", "14155550123", "1001", "inbound", id="to our extension"),
    ],
)
def test_a_first_leg_tells_which_way_the_call_went(
    leg: str, from_number: str, to_number: str, direction: str | None
) -> None:
    record = freeswitch(profile(from_number, to_number), direction=leg)
    if direction is None:
        assert parse(record) == Ignored("leg_not_billable")
    else:
        assert the_event(record).direction == direction


@pytest.mark.parametrize("from_number", ["anonymous", "alice", ""])
def test_a_first_leg_from_anybody_is_not_guessed_at(from_number: str) -> None:
    record = freeswitch(profile(from_number, "+14155550123"), direction="inbound")
    assert unreadable(record).reason == "invalid_direction"
    record["variables"]["talktime_direction"] = "inbound"
    assert the_event(record).direction is Direction.INBOUND


@pytest.mark.parametrize("how", ["originator", "originating_leg_uuid"])
def test_a_second_leg_is_billed_only_where_it_is_named(how: str) -> None:
    def second(to_number: str, **variables: Any) -> dict[str, Any]:
        more: dict[str, Any] = (
            {"originator": {"originator_caller_profiles": []}} if how == "originator" else {}
        )
        numbers = profile("+14155550100", to_number, **more)
        origin = {"originating_leg_uuid": "0f8b"} if how != "originator" else {}
        return freeswitch(numbers, **origin, **variables)

    assert parse(second("1001")) == Ignored("leg_not_billable")
    assert unreadable(second("+14155550123")).reason == "invalid_direction"
    assert parse(second("+14155550123", talktime_direction="none")) == Ignored("leg_not_billable")
    named_leg = second("+14155550123", talktime_direction="outbound")
    assert the_event(named_leg).direction is Direction.OUTBOUND


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"billsec": "-1"}, "invalid_quantity", id="negative seconds"),
        pytest.param({"billsec": "61.5"}, "invalid_quantity", id="a fraction"),
        pytest.param({"billsec": None}, "invalid_quantity", id="no seconds"),
        pytest.param({"billsec": "63"}, "invalid_quantity", id="more than passed"),
        pytest.param({"billsec": "99999999"}, "invalid_quantity", id="three years"),
        pytest.param({"answer_epoch": "0"}, "invalid_usage", id="seconds without an answer"),
        pytest.param({"answer_epoch": "soon"}, "invalid_timestamp", id="no epoch"),
        pytest.param({"answer_epoch": None}, "invalid_timestamp", id="no answer epoch"),
        pytest.param({"end_epoch": "0"}, "invalid_timestamp", id="never ended"),
        pytest.param({"end_epoch": "99999999999"}, "invalid_timestamp", id="endless epoch"),
        pytest.param({"billsec": "0", "end_epoch": "1795349000"}, "invalid_quantity", id="before"),
        pytest.param({"uuid": "a#b"}, "invalid_id", id="a key separator"),
        pytest.param({"uuid": None}, "invalid_id", id="no call"),
        pytest.param({"accountcode": "a b"}, "invalid_id", id="an account with a space"),
        pytest.param({"accountcode": "%FF"}, "invalid_id", id="an account that is not UTF-8"),
        pytest.param({"accountcode": ["a"]}, "invalid_text", id="a list of accounts"),
        pytest.param({"direction": "sideways"}, "invalid_direction", id="unknown direction"),
        pytest.param({"direction": None}, "invalid_direction", id="no direction"),
        pytest.param({"talktime_direction": "up"}, "invalid_direction", id="unknown wish"),
    ],
)
def test_a_freeswitch_record_that_cannot_be_true_is_not_read(
    changes: dict[str, Any], reason: str
) -> None:
    assert unreadable(freeswitch(**changes)).reason == reason


def test_one_second_more_than_passed_is_rounding() -> None:
    assert the_event(freeswitch(billsec="62")).quantity == 62


@pytest.mark.parametrize(
    "to_number",
    [
        "",
        None,
        "%" + "61" * 200,
        "+1%00",
        "sip:" + "%61" * 300,
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
def test_a_destination_that_is_none_is_not_read(to_number: Any) -> None:
    assert unreadable(freeswitch(profile("+14155550100", to_number))).reason in (
        "invalid_number",
        "invalid_text",
    )


@pytest.mark.parametrize("flow", [None, [], {}, "x", [[]], [{"caller_profile": []}]])
def test_a_record_without_a_caller_profile_is_not_read(flow: Any) -> None:
    assert unreadable(freeswitch() | {"callflow": flow}).reason == "invalid_number"


def test_what_is_kept_names_the_account_and_nothing_unread() -> None:
    kept = unreadable(freeswitch(billsec="-1"))
    assert kept.provider_account == "acme-gmbh"
    assert kept.callback["billsec"] == "-1"
    assert "sip_contact_uri" not in kept.callback


# Asterisk

CDR = {
    "accountcode": "acme-gmbh",
    "amaflags": "DOCUMENTATION",
    "answer": "2026-11-22 12:03:58",
    "billsec": "61",
    "channel": "PJSIP/1001-00000001",
    "disposition": "ANSWERED",
    "dst": "+14155550123",
    "duration": "69",
    "end": "2026-11-22 12:04:59",
    "linkedid": "1795349030.17",
    "sequence": "42",
    "site": "berlin",
    "src": "1001",
    "start": "2026-11-22 12:03:50",
    "uniqueid": "1795349030.17",
}


def cdr(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (CDR | changes).items() if value is not None}


def test_an_asterisk_cdr_is_read() -> None:
    assert the_event(CDR) == UsageEvent(
        key=CallKey("pbx", "acme-gmbh", "berlin:1795349030.17:42"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="1001",
        to_number="+14155550123",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=datetime(2026, 11, 22, 12, 3, 58, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC),
        connection_id="acme",
    )


def test_a_uniqueid_is_unique_at_its_site_and_sequence_alone() -> None:
    keys = {
        the_event(each).key for each in (CDR, cdr(site="paris"), cdr(site=None), cdr(sequence=43))
    }
    assert len(keys) == 4
    assert CallKey("pbx", "acme-gmbh", "acme:1795349030.17:42") in keys


def test_a_cdr_without_an_account_is_its_sites_or_the_connections() -> None:
    assert the_event(cdr(accountcode="")).key.provider_account == "berlin"
    assert the_event(cdr(accountcode="", site=None)).key.provider_account == "acme"


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ("BUSY", CallStatus.BUSY),
        ("NO ANSWER", CallStatus.NO_ANSWER),
        ("FAILED", CallStatus.FAILED),
        ("CONGESTION", CallStatus.FAILED),
    ],
)
@pytest.mark.parametrize("answer", ["", None])
def test_a_cdr_nobody_answered_is_kept_at_nothing(
    disposition: str, status: CallStatus, answer: Any
) -> None:
    event = the_event(cdr(disposition=disposition, answer=answer, billsec=0))
    assert (event.status, event.quantity, event.answered_at) == (status, 0, None)


@pytest.mark.parametrize(
    ("src", "dst", "named_direction", "expected"),
    [
        pytest.param("1001", "+14155550123", None, "outbound", id="an extension dials out"),
        pytest.param("+14155550123", "1001", None, "inbound", id="a number rings an extension"),
        pytest.param("1001", "1002", None, "ignored", id="between extensions"),
        pytest.param("+14155550123", "+14155550100", None, "unknown", id="two numbers"),
        pytest.param("anonymous", "1001", None, "unknown", id="nobody"),
        pytest.param("alice", "+14155550123", None, "unknown", id="a name"),
        pytest.param("+14155550123", "+14155550100", "inbound", "inbound", id="named"),
        pytest.param("1001", "1002", "outbound", "outbound", id="named, though internal"),
        pytest.param("1001", "+14155550123", "up", "unknown", id="named, but what"),
    ],
)
def test_a_direction_is_named_or_plain_from_an_extension(
    src: str, dst: str, named_direction: str | None, expected: str
) -> None:
    record = cdr(src=src, dst=dst, direction=named_direction)
    match expected:
        case "ignored":
            assert parse(record) == Ignored("internal_call")
        case "unknown":
            assert unreadable(record).reason == "invalid_direction"
        case _:
            assert the_event(record).direction == expected


def test_times_may_name_their_zone() -> None:
    zoned = cdr(answer="2026-11-22T13:03:58+01:00", end="2026-11-22T13:04:59+01:00")
    assert the_event(zoned) == the_event(CDR)


def test_national_numbers_are_left_alone() -> None:
    assert the_event(cdr(dst="4155550123")).to_number == "4155550123"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"billsec": "-1"}, "invalid_quantity", id="negative seconds"),
        pytest.param({"billsec": -1}, "invalid_quantity", id="a negative number"),
        pytest.param({"billsec": None}, "invalid_quantity", id="no seconds"),
        pytest.param({"billsec": "63"}, "invalid_quantity", id="more than passed"),
        pytest.param({"answer": ""}, "invalid_usage", id="seconds without an answer"),
        pytest.param({"answer": "2026-02-30 12:00:00"}, "invalid_timestamp", id="no such day"),
        pytest.param({"end": ""}, "invalid_timestamp", id="no end"),
        pytest.param({"end": "1795349099"}, "invalid_timestamp", id="an epoch"),
        pytest.param({"end": "2026-11-22 12:03:57"}, "invalid_quantity", id="ends before answer"),
        pytest.param({"disposition": "BUSY"}, "invalid_usage", id="busy for a minute"),
        pytest.param({"disposition": "answered"}, "invalid_status", id="unknown disposition"),
        pytest.param({"disposition": None}, "invalid_status", id="no disposition"),
        pytest.param({"sequence": None}, "invalid_id", id="no sequence"),
        pytest.param({"sequence": "-1"}, "invalid_id", id="a negative sequence"),
        pytest.param({"uniqueid": ""}, "invalid_id", id="no call"),
        pytest.param({"uniqueid": "a:b"}, "invalid_id", id="a separator in the id"),
        pytest.param({"site": "a:b"}, "invalid_id", id="a separator in the site"),
        pytest.param({"accountcode": "\ud800"}, "invalid_text", id="a lone surrogate"),
        pytest.param({"dst": ""}, "invalid_number", id="no destination"),
        pytest.param({"dst": {}}, "invalid_text", id="an object for a number"),
    ],
)
def test_a_cdr_that_cannot_be_true_is_not_read(changes: dict[str, Any], reason: str) -> None:
    assert unreadable(cdr(**changes)).reason == reason


# Anything at all


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"{\xff}", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 100_000, "invalid_json"),
        (b'{"billsec":' + b"9" * 5_000 + b"}", "invalid_json"),
        (b"cdr=%7B%7D", "invalid_json"),
        (b"{}", "unknown_record"),
        (b'{"variables": []}', "unknown_record"),
    ],
)
def test_other_bodies_are_parked_by_their_digest(body: bytes, reason: str) -> None:
    parsed = PBX.parse(replace(VALID.request, body=body), "acme", NOW)
    assert isinstance(parsed, Unreadable)
    assert parsed.reason == reason
    assert set(parsed.callback) == {"body_sha256"}


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters())),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)


@settings(max_examples=800, deadline=None)
@given(
    base=st.sampled_from([EVENT, DATA, VARIABLES, PROFILE, freeswitch(), CDR]),
    data=st.data(),
)
def test_nothing_makes_reading_raise(base: dict[str, Any], data: st.DataObject) -> None:
    names = st.sampled_from(sorted(base))
    record: Any = base | data.draw(st.dictionaries(names, VALUES, max_size=3))
    if base is DATA:
        record = EVENT | {"data": record}
    elif base is VARIABLES:
        record = freeswitch(**record)
    elif base is PROFILE:
        record = freeswitch(record)
    parsed = parse(record)
    assert isinstance(parsed, Reported | Ignored | Unreadable)
    if isinstance(parsed, Unreadable):
        json.dumps(parsed.callback, ensure_ascii=False).encode()
    if isinstance(parsed, Reported):
        json.dumps(parsed.events[0].to_json(), ensure_ascii=False).encode()
