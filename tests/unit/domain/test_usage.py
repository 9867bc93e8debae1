"""A usage event that cannot be true is refused, and one that travels arrives unchanged."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import MAX_QUANTITY, CallKey, CallStatus, UsageEvent
from builders import NOON, a_call_key, a_usage_event

FEW = settings(max_examples=50, deadline=None)
SECOND = timedelta(seconds=1)
text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
instants = st.timedeltas(timedelta(0), timedelta(days=25 * 365)).map(
    lambda since: datetime(2000, 2, 1, tzinfo=UTC) + since
)


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    status = draw(st.sampled_from(CallStatus))
    quantity = draw(st.integers(0, MAX_QUANTITY)) if status is CallStatus.COMPLETED else 0
    ended_at = draw(instants)
    answered_at = ended_at - timedelta(seconds=draw(st.integers(0, 10**6)))
    return UsageEvent(
        key=CallKey(draw(text), draw(text), draw(text)),
        unit=draw(st.sampled_from(Unit)),
        direction=draw(st.sampled_from(Direction)),
        from_number=draw(text),
        to_number=draw(text),
        status=status,
        quantity=quantity,
        answered_at=answered_at if quantity or draw(st.booleans()) else None,
        ended_at=ended_at,
        connection_id=draw(text),
    )


@FEW
@given(events())
def test_an_event_that_travels_as_json_arrives_unchanged(event: UsageEvent) -> None:
    travelled = json.loads(json.dumps(event.to_json()))
    assert UsageEvent.from_json(travelled) == event
    assert UsageEvent.from_json(travelled).fingerprint == event.fingerprint


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        pytest.param({"quantity": -1}, "quantity", id="a negative quantity"),
        pytest.param({"quantity": MAX_QUANTITY + 1}, "quantity", id="a call of four months"),
        pytest.param({"status": CallStatus.BUSY}, "quantity", id="a busy call with seconds"),
        pytest.param({"status": CallStatus.NO_ANSWER}, "quantity", id="no answer with seconds"),
        pytest.param({"status": CallStatus.CANCELED}, "quantity", id="canceled with seconds"),
        pytest.param({"status": CallStatus.FAILED}, "quantity", id="failed with seconds"),
        pytest.param({"answered_at": None}, "answered_at", id="seconds without an answer"),
        pytest.param({"answered_at": NOON + SECOND}, "answered_at", id="an end before the answer"),
        pytest.param({"key": CallKey("p", "a", "x" * 257)}, "call_id", id="an id without end"),
        pytest.param({"key": CallKey("p", "\ud800", "x")}, "call_id", id="an id with a surrogate"),
        pytest.param({"from_number": "1" * 257}, "to", id="a number without end"),
        pytest.param({"to_number": "+1\udfff"}, "to", id="a number with a surrogate"),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_field(
    altered: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidUsageError) as refused:
        replace(a_usage_event(), **altered)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"quantity": 0, "answered_at": None}, id="nothing, never answered"),
        pytest.param({"quantity": 0}, id="an answer of no whole second"),
        pytest.param({"quantity": MAX_QUANTITY}, id="the longest call"),
        pytest.param({"answered_at": NOON}, id="an end with the answer"),
        pytest.param({"from_number": "anonymous"}, id="a caller who hides"),
    ],
)
def test_what_can_be_true_is_taken(altered: dict[str, object]) -> None:
    assert replace(a_usage_event(), **altered)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"ended_at": "2026-03-14T12:00:00"}, id="an end without a zone"),
        pytest.param({"answered_at": "2026-03-14T11:00:00"}, id="an answer without a zone"),
        pytest.param({"ended_at": "yesterday"}, id="an end that is no time"),
        pytest.param({"ended_at": None}, id="no end"),
        pytest.param({"ended_at": "0001-01-01T00:00:00+14:00"}, id="an end before time began"),
        pytest.param({"quantity": "61"}, id="a quantity in words"),
        pytest.param({"quantity": 61.0}, id="a quantity with a point"),
        pytest.param({"quantity": True}, id="a quantity that is a yes"),
        pytest.param({"quantity": None}, id="no quantity"),
        pytest.param({"quantity": -1}, id="a negative quantity"),
        pytest.param({"unit": "Miles"}, id="a unit that is none"),
        pytest.param({"direction": "sideways"}, id="a direction that is none"),
        pytest.param({"status": "ringing"}, id="a status that is no end"),
    ],
)
def test_json_that_is_no_event_is_refused(altered: dict[str, Json]) -> None:
    with pytest.raises(InvalidUsageError):
        UsageEvent.from_json({**a_usage_event().to_json(), **altered})


@pytest.mark.parametrize("name", sorted(a_usage_event().to_json()))
def test_json_that_lacks_anything_is_refused(name: str) -> None:
    value = a_usage_event().to_json()
    del value[name]
    with pytest.raises(InvalidUsageError):
        UsageEvent.from_json(value)


def test_an_instant_in_any_zone_is_read_as_utc() -> None:
    value = {**a_usage_event().to_json(), "ended_at": "2026-03-14T17:45:00+05:45"}
    event = UsageEvent.from_json(value)
    assert (event.ended_at, event.ended_at.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"answered_at": NOON - 90 * SECOND}, id="the answer's time"),
        pytest.param({"ended_at": NOON + 2 * SECOND}, id="the end's time"),
        pytest.param({"connection_id": "another"}, id="the connection it came by"),
        pytest.param({"from_number": "anonymous"}, id="the caller"),
    ],
)
def test_a_fingerprint_leaves_out(altered: dict[str, object]) -> None:
    event = a_usage_event()
    assert replace(event, **altered).fingerprint == event.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"quantity": 62}, id="a second more"),
        pytest.param({"to_number": "+442071838750"}, id="another destination"),
        pytest.param({"direction": Direction.INBOUND}, id="the other direction"),
        pytest.param({"unit": Unit.MESSAGES}, id="another unit"),
    ],
)
def test_a_fingerprint_tells_apart(altered: dict[str, object]) -> None:
    event = a_usage_event()
    assert replace(event, **altered).fingerprint != event.fingerprint  # type: ignore[arg-type]


def test_a_key_names_provider_account_and_call() -> None:
    key = a_call_key(1)
    keys = [replace(key, provider="p"), replace(key, provider_account="a"), a_call_key(2)]
    assert len({str(key), *map(str, keys)}) == 4
