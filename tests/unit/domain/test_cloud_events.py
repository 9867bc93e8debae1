"""CloudEvents in, usage out."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.checked_fields import InvalidFieldsError
from billing.domain.cloud_events import (
    Origin,
    is_too_long,
    is_usage,
    read_cloud_event,
)
from billing.domain.instants import instant
from billing.domain.units import Direction, Unit
from billing.domain.usage import MAX_QUANTITY, CallKey, CallStatus, UsageEvent

ORIGIN = Origin("api", "acme")
CALL: dict[str, Any] = {
    "call_id": "c-1",
    "account": "acme",
    "direction": "inbound",
    "from": "+14155550123",
    "to": "+14155550100",
    "started_at": "2026-11-22T12:03:50Z",
    "answered_at": "2026-11-22T12:03:58Z",
    "ended_at": "2026-11-22T12:04:59Z",
    "billable_seconds": 61,
    "status": "completed",
    "hangup_cause": "NORMAL_CLEARING",
}
MESSAGE: dict[str, Any] = {
    "message_id": "m-1",
    "account": "acme",
    "from": "+14155550100",
    "to": "+14155550123",
    "occurred_at": "2026-11-22T12:04:59Z",
    "segments": 3,
    "status": "completed",
}
METERED: dict[str, Any] = {
    "usage_id": "u-1",
    "account": "acme",
    "unit": "messages",
    "direction": "outbound",
    "to": "+14155550123",
    "quantity": 7,
    "occurred_at": "2026-11-22T12:04:59Z",
}
OF_TYPE = {
    "call.ended": CALL,
    "message.sent": MESSAGE,
    "message.received": MESSAGE,
    "usage.metered": METERED,
}
AT = datetime(2026, 11, 22, 12, 4, 59, tzinfo=UTC)


def event(type_: str = "call.ended", data: Any = None, **changes: Any) -> dict[str, Any]:
    """``()`` leaves an attribute out."""
    envelope = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "urn:pbx:berlin:pbx1",
        "type": type_,
        "time": "2026-11-22T12:05:00Z",
        "subject": "c-1",
        "datacontenttype": "application/json",
        "data": data if data is not None else OF_TYPE[type_],
    }
    return {name: value for name, value in (envelope | changes).items() if value != ()}


def read(value: object) -> UsageEvent:
    return read_cloud_event(value, ORIGIN)


def faults(value: object) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as raised:
        read(value)
    for fault in raised.value.faults:
        assert (fault.pointer or "the whole") in raised.value.detail
    assert raised.value.code == "invalid_usage"
    return {fault.pointer: fault.detail for fault in raised.value.faults}


def data_faults(type_: str = "call.ended", **changes: Any) -> dict[str, str]:
    """``()`` leaves a field out."""
    data = {name: value for name, value in (OF_TYPE[type_] | changes).items() if value != ()}
    return faults(event(type_, data))


# What is read


def test_a_call_that_ended() -> None:
    assert read(event()) == UsageEvent(
        key=CallKey("api", "acme", "c-1"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.INBOUND,
        from_number="+14155550123",
        to_number="+14155550100",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=datetime(2026, 11, 22, 12, 3, 58, tzinfo=UTC),
        ended_at=AT,
        connection_id="acme",
    )


@pytest.mark.parametrize("status", ["busy", "no_answer", "canceled", "failed"])
@pytest.mark.parametrize("answered", [None, ()])
def test_a_call_nobody_answered_is_kept_at_nothing(status: str, answered: Any) -> None:
    data = CALL | {"status": status, "billable_seconds": 0, "answered_at": answered}
    found = read(event(data={name: value for name, value in data.items() if value != ()}))
    assert (found.status, found.quantity, found.answered_at) == (status, 0, None)


@pytest.mark.parametrize(
    ("type_", "direction"),
    [("message.sent", Direction.OUTBOUND), ("message.received", Direction.INBOUND)],
)
def test_a_message_by_its_segments(type_: str, direction: Direction) -> None:
    found = read(event(type_))
    assert (found.unit, found.quantity, found.direction) == (Unit.MESSAGES, 3, direction)
    assert found.answered_at == found.ended_at == AT


def test_a_message_without_segments_is_one() -> None:
    bare = {name: MESSAGE[name] for name in ("message_id", "account", "to", "occurred_at")}
    found = read(event("message.sent", bare))
    assert (found.quantity, found.status, found.from_number) == (1, CallStatus.COMPLETED, "")


def test_a_message_that_failed_is_kept_at_nothing() -> None:
    found = read(event("message.sent", MESSAGE | {"status": "failed", "segments": None}))
    assert (found.quantity, found.status, found.answered_at) == (0, CallStatus.FAILED, None)


@pytest.mark.parametrize("unit", list(Unit))
def test_any_unit_there_is(unit: Unit) -> None:
    found = read(event("usage.metered", METERED | {"unit": unit.value}))
    assert (found.key.call_id, found.unit, found.quantity) == ("u-1", unit, 7)


def test_an_account_may_be_known_beforehand_and_a_named_one_wins() -> None:
    origin = Origin("pbx", "c", account="site")
    nameless = event(data=CALL | {"account": None})
    assert read_cloud_event(nameless, origin).key == CallKey("pbx", "site", "c-1")
    assert read_cloud_event(event(), origin).key == CallKey("pbx", "acme", "c-1")


def test_extensions_and_absent_options_mean_nothing() -> None:
    plain = event(time=(), subject=(), datacontenttype=(), traceparent="00-1", sequence=1)
    assert read(plain) == read(event())


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/vnd.acme+json"],
)
def test_data_is_json(media_type: str) -> None:
    assert read(event(datacontenttype=media_type))


@pytest.mark.parametrize("type_", [*OF_TYPE])
def test_types_that_report_usage_are_known(type_: str) -> None:
    assert is_usage({"type": type_})


@pytest.mark.parametrize("type_", ["call.started", "", None, 1, [], {}])
def test_others_are_not(type_: Any) -> None:
    assert not is_usage({"type": type_})


# What is refused


def test_an_event_has_data() -> None:
    bare = {name: value for name, value in event().items() if name != "data"}
    assert set(faults(bare)) == {"/data"}


@pytest.mark.parametrize("value", [None, [], "text", 1, True])
def test_an_event_is_an_object(value: object) -> None:
    assert set(faults(value)) == {""}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"specversion": "0.3"}, "/specversion", id="an older version"),
        pytest.param({"specversion": 1.0}, "/specversion", id="a number for a version"),
        pytest.param({"specversion": ()}, "/specversion", id="no version"),
        pytest.param({"id": ()}, "/id", id="no id"),
        pytest.param({"id": ""}, "/id", id="a blank id"),
        pytest.param({"id": 5}, "/id", id="a number for an id"),
        pytest.param({"source": None}, "/source", id="no source"),
        pytest.param({"type": "call.started"}, "/type", id="another type"),
        pytest.param({"type": ["call.ended"]}, "/type", id="a list of types"),
        pytest.param({"time": "yesterday"}, "/time", id="no time"),
        pytest.param({"time": "2026-11-22T12:05:00"}, "/time", id="a time without a zone"),
        pytest.param({"subject": 1}, "/subject", id="a number for a subject"),
        pytest.param({"datacontenttype": "text/xml"}, "/datacontenttype", id="XML"),
        pytest.param({"data_base64": "e30="}, "/data_base64", id="data in base64"),
        pytest.param({"data": [CALL]}, "/data", id="a list of data"),
    ],
)
def test_each_wrong_attribute_is_named(changes: dict[str, Any], pointer: str) -> None:
    assert set(faults(event(**changes))) == {pointer}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"call_id": ()}, "call_id", id="no call"),
        pytest.param({"call_id": "a b"}, "call_id", id="a space in an id"),
        pytest.param({"call_id": "c" * 129}, "call_id", id="an endless id"),
        pytest.param({"call_id": 1}, "call_id", id="a number for an id"),
        pytest.param({"account": None}, "account", id="no account"),
        pytest.param({"account": "\ud800"}, "account", id="a lone surrogate"),
        pytest.param({"direction": "sideways"}, "direction", id="unknown direction"),
        pytest.param({"direction": ["inbound"]}, "direction", id="a list of directions"),
        pytest.param({"from": ""}, "from", id="a blank caller"),
        pytest.param({"from": "a\nb"}, "from", id="a line break in a number"),
        pytest.param({"to": ()}, "to", id="no destination"),
        pytest.param({"to": "1" * 257}, "to", id="an endless destination"),
        pytest.param({"status": "ok"}, "status", id="unknown status"),
        pytest.param({"started_at": 5}, "started_at", id="a number for a time"),
        pytest.param({"hangup_cause": 16}, "hangup_cause", id="a number for a cause"),
        pytest.param({"ended_at": None}, "ended_at", id="no end"),
        pytest.param({"ended_at": "2026-11-31T00:00:00Z"}, "ended_at", id="no such day"),
        pytest.param({"answered_at": "2026-11-22T12:05:00Z"}, "answered_at", id="after its end"),
        pytest.param({"answered_at": None}, "answered_at", id="seconds without an answer"),
        pytest.param({"billable_seconds": -1}, "billable_seconds", id="negative seconds"),
        pytest.param({"billable_seconds": "61"}, "billable_seconds", id="text for seconds"),
        pytest.param({"billable_seconds": 61.0}, "billable_seconds", id="a fraction"),
        pytest.param({"billable_seconds": True}, "billable_seconds", id="a truth"),
        pytest.param({"billable_seconds": MAX_QUANTITY + 1}, "billable_seconds", id="too many"),
        pytest.param({"billable_seconds": 63}, "billable_seconds", id="more than passed"),
        pytest.param({"status": "busy"}, "billable_seconds", id="busy for a minute"),
        pytest.param({"billable_secs": 1}, "billable_secs", id="an unknown field"),
        pytest.param({"a/b~c": 1}, "a~1b~0c", id="an unknown field with a slash"),
        pytest.param({"\ud800": 1}, "\\ud800", id="an unknown field with no name"),
    ],
)
def test_each_wrong_field_of_a_call_is_named(changes: dict[str, Any], pointer: str) -> None:
    found = data_faults(**changes)
    assert set(found) == {f"/data/{pointer}"}


@pytest.mark.parametrize(
    ("type_", "changes", "pointer"),
    [
        ("message.sent", {"message_id": ()}, "message_id"),
        ("message.sent", {"segments": "3"}, "segments"),
        ("message.sent", {"status": "failed"}, "segments"),
        ("message.received", {"occurred_at": ()}, "occurred_at"),
        ("message.received", {"segment": 3}, "segment"),
        ("usage.metered", {"usage_id": ""}, "usage_id"),
        ("usage.metered", {"unit": "Bytes"}, "unit"),
        ("usage.metered", {"quantity": -1}, "quantity"),
        ("usage.metered", {"quantity": ()}, "quantity"),
        ("usage.metered", {"direction": None}, "direction"),
    ],
)
def test_each_wrong_field_of_other_usage_is_named(
    type_: str, changes: dict[str, Any], pointer: str
) -> None:
    assert set(data_faults(type_, **changes)) == {f"/data/{pointer}"}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    wrong = event(data={"direction": "up", "billable_seconds": -1}, specversion="2", id=())
    assert set(faults(wrong)) == {
        "/specversion",
        "/id",
        "/data/account",
        "/data/call_id",
        "/data/direction",
        "/data/to",
        "/data/status",
        "/data/ended_at",
        "/data/billable_seconds",
    }


def test_of_many_unknown_fields_some_are_named() -> None:
    more = {f"x{number}": 1 for number in range(1_000)}
    assert len(faults(event(data=CALL | more))) == 10


def test_one_second_more_than_passed_is_rounding() -> None:
    assert read(event(data=CALL | {"billable_seconds": 62})).quantity == 62
    assert read(event(data=CALL | {"billable_seconds": 0})).quantity == 0


@pytest.mark.parametrize(
    ("seconds", "ended", "expected"),
    [
        (1, "2026-11-22T12:00:00Z", False),
        (2, "2026-11-22T12:00:00Z", True),
        (62, "2026-11-22T12:01:00.999999Z", True),
        (62, "2026-11-22T12:01:01Z", False),
    ],
)
def test_the_bound_is_one_second_above_what_passed(
    seconds: int, ended: str, expected: bool
) -> None:
    assert is_too_long(seconds, instant("2026-11-22T12:00:00Z"), instant(ended)) is expected


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters())),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)


@settings(max_examples=800, deadline=None)
@given(type_=st.sampled_from(sorted(OF_TYPE)), data=st.data())
def test_an_event_is_read_or_refused_and_nothing_else(type_: str, data: st.DataObject) -> None:
    fields = OF_TYPE[type_]
    names = st.one_of(st.sampled_from(sorted(fields)), st.text(max_size=5))
    changed = fields | data.draw(st.dictionaries(names, VALUES, max_size=3))
    attributes = st.sampled_from(["specversion", "id", "source", "type", "time", "data"])
    envelope = event(type_, changed) | data.draw(st.dictionaries(attributes, VALUES, max_size=1))
    try:
        found: UsageEvent | None = read(envelope)
    except InvalidFieldsError as error:
        found = None
        error.detail.encode()
    if found is not None:
        assert UsageEvent.from_json(found.to_json()) == found


# Instants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T12:04:59Z", "2026-11-22T12:04:59+00:00"),
        ("2026-11-22t12:04:59z", "2026-11-22T12:04:59+00:00"),
        ("2026-11-22 12:04:59.5+01:00", "2026-11-22T11:04:59.500000+00:00"),
        ("2026-11-22T12:04:59.123456789Z", "2026-11-22T12:04:59.123456+00:00"),
        ("2026-11-22T12:04:59-00:00", "2026-11-22T12:04:59+00:00"),
    ],
)
def test_rfc_3339_times_become_utc(text: str, expected: str) -> None:
    assert instant(text).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T12:04:59",
        "2026-W47-7T12:04:59Z",
        "20261122T120459Z",
        "2026-11-22T12:04Z",
        "2026-11-22T25:04:59Z",
        "2026-11-22T12:04:60Z",
        "2026-02-30T12:04:59Z",
        "2026-11-22T12:04:59+0100",
        "2026-11-22T12:04:59+24:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-11-22T12:04:59Z",
        "2026-11-22T12:04:59Z\n",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|calendar|must be|range"):
        instant(text)


@pytest.mark.parametrize("type_", [*OF_TYPE])
def test_a_time_before_there_were_calls_is_a_fault_of_its_field(type_: str) -> None:
    name = "ended_at" if type_ == "call.ended" else "occurred_at"
    early = {name: "1999-12-31T23:59:59Z"}
    assert data_faults(type_, **early) == {f"/data/{name}": "is before 2000: the clock was not set"}
