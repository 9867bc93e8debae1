"""Calls that come in parts: one event, in whatever order and however often the parts come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from billing.domain.usage_parts import PartKind, UsagePart, join, known_fields

KEY = CallKey("telnyx", "1", "leg")
RANG = datetime(2026, 11, 22, 12, 3, 50, tzinfo=UTC)
INITIATED = UsagePart(
    key=KEY,
    kind=PartKind.INITIATED,
    at=RANG,
    direction=Direction.OUTBOUND,
    from_number="+14155550100",
    to_number="+14155550123",
    status=None,
    connection_id="acme",
)
ANSWERED = replace(
    INITIATED, kind=PartKind.ANSWERED, at=RANG + timedelta(seconds=8), direction=None
)
ENDED = replace(
    ANSWERED,
    kind=PartKind.ENDED,
    at=ANSWERED.at + timedelta(seconds=60, microseconds=1),
    status=CallStatus.COMPLETED,
)
BUSY = replace(ENDED, status=CallStatus.BUSY)
WHOLE = (INITIATED, ANSWERED, ENDED)
EVENT = UsageEvent(
    key=KEY,
    unit=Unit.VOICE_SECONDS,
    direction=Direction.OUTBOUND,
    from_number="+14155550100",
    to_number="+14155550123",
    status=CallStatus.COMPLETED,
    quantity=61,
    answered_at=ANSWERED.at,
    ended_at=ENDED.at,
    connection_id="acme",
)


def test_a_call_is_one_event_in_every_order_of_its_parts_and_their_repetitions() -> None:
    for order in permutations(WHOLE + WHOLE):
        assert join(order) == EVENT


def test_a_completed_call_waits_for_each_of_its_parts() -> None:
    for size in range(len(WHOLE)):
        for some in combinations(WHOLE, size):
            assert join(some) is None


@pytest.mark.parametrize("status", [each for each in CallStatus if each != CallStatus.COMPLETED])
def test_a_call_nobody_answered_needs_no_answer(status: CallStatus) -> None:
    ended = replace(ENDED, status=status)
    for order in permutations((INITIATED, ended, ended)):
        event = join(order)
        assert event is not None
        assert (event.status, event.quantity, event.answered_at) == (status, 0, None)
        assert event.ended_at == ended.at
    assert join([ended]) is None


def test_an_answer_counts_whatever_the_end_says() -> None:
    for order in permutations((INITIATED, ANSWERED, BUSY)):
        assert join(order) == EVENT


def test_a_second_that_has_begun_was_used() -> None:
    for microseconds, seconds in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)]:
        ended = replace(ENDED, at=ANSWERED.at + timedelta(microseconds=microseconds))
        event = join([INITIATED, ANSWERED, ended])
        assert event is not None
        assert (event.quantity, event.status) == (seconds, CallStatus.COMPLETED)


def test_what_one_part_leaves_out_another_says() -> None:
    silent = [replace(part, from_number="", to_number="") for part in (ANSWERED, ENDED)]
    assert join([*silent, INITIATED]) == EVENT
    told = [replace(INITIATED, from_number="", to_number=""), ANSWERED, ENDED]
    assert join(told) == EVENT
    assert join([replace(part, to_number="") for part in WHOLE]) is None


@given(
    repeated=st.lists(
        st.tuples(st.sampled_from(WHOLE), st.integers(min_value=0, max_value=10**9)), max_size=6
    ),
    order=st.randoms(),
)
def test_of_reports_that_differ_the_earliest_counts(
    repeated: Sequence[tuple[UsagePart, int]], order: object
) -> None:
    later = [replace(part, at=part.at + timedelta(microseconds=delay)) for part, delay in repeated]
    parts = [*WHOLE, *later]
    order.shuffle(parts)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random.
    assert join(parts) == EVENT


PARTS = st.builds(
    UsagePart,
    key=st.just(KEY),
    kind=st.sampled_from([PartKind.INITIATED, PartKind.ANSWERED]),
    at=st.integers(min_value=0, max_value=3).map(lambda seconds: RANG + timedelta(seconds=seconds)),
    direction=st.sampled_from([None, *Direction]),
    from_number=st.sampled_from(["", "+1", "+2"]),
    to_number=st.sampled_from(["", "+1", "+2"]),
    status=st.none(),
    connection_id=st.sampled_from(["acme", "globex"]),
)
ENDS = PARTS.flatmap(
    lambda part: st.sampled_from(CallStatus).map(
        lambda status: replace(part, kind=PartKind.ENDED, status=status)
    )
)


def joined(parts: Sequence[UsagePart]) -> UsageEvent | str | None:
    try:
        return join(parts)
    except InvalidUsageError as error:
        return error.detail


@settings(max_examples=300)
@given(
    parts=st.lists(PARTS | ENDS, max_size=5),
    order=st.permutations(range(10)),
)
def test_contradictory_parts_are_one_thing_too(
    parts: Sequence[UsagePart], order: Sequence[int]
) -> None:
    twice = [*parts, *parts]
    shuffled = [twice[index] for index in order if index < len(twice)]
    assert joined(shuffled) == joined([part for part in parts if part in shuffled])


def test_an_end_before_the_answer_is_refused() -> None:
    ended = replace(ENDED, at=ANSWERED.at - timedelta(microseconds=1))
    with pytest.raises(InvalidUsageError):
        join([INITIATED, ANSWERED, ended])


def test_parts_of_two_calls_are_a_mistake_of_ours() -> None:
    other = replace(ANSWERED, key=CallKey("telnyx", "1", "other"))
    with pytest.raises(AssertionError):
        join([INITIATED, other])


@pytest.mark.parametrize(
    ("part", "status"), [(INITIATED, CallStatus.BUSY), (ANSWERED, CallStatus.BUSY), (ENDED, None)]
)
def test_the_end_alone_has_a_status(part: UsagePart, status: CallStatus | None) -> None:
    with pytest.raises(InvalidUsageError):
        replace(part, status=status)


@given(parts=st.lists(PARTS | ENDS, min_size=1, max_size=5), order=st.randoms())
def test_what_is_known_of_a_call_is_the_same_in_any_order_and_never_a_quantity(
    parts: list[UsagePart], order: object
) -> None:
    known = known_fields(parts)
    order.shuffle(parts)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random.
    assert known_fields([*parts, parts[0]]) == known
    assert "quantity" not in known
    whole = joined(parts)
    if isinstance(whole, UsageEvent):
        told = {name: value for name, value in whole.to_json().items() if value}
        assert {name: told.get(name) for name in known} == known


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"key": CallKey("telnyx", "1", "x" * 257)}, id="an id without end"),
        pytest.param({"key": CallKey("telnyx", "\ud800", "x")}, id="an id with a surrogate"),
        pytest.param({"to_number": "+1\udfff"}, id="a number with a surrogate"),
    ],
)
def test_a_part_that_could_not_be_stored_is_refused(altered: dict[str, object]) -> None:
    with pytest.raises(InvalidUsageError):
        replace(INITIATED, **altered)  # type: ignore[arg-type]


@given(part=PARTS | ENDS)
def test_a_part_is_read_back_as_it_was_written(part: UsagePart) -> None:
    assert UsagePart.from_json(part.to_json()) == part


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "bridged"},
        {"at": "2026-11-22T12:05:00"},
        {"at": None},
        {"direction": "sideways"},
        {"status": "busy"},
        {"status": 1},
    ],
)
def test_what_is_no_part_is_refused(changes: dict[str, str | int | None]) -> None:
    with pytest.raises(InvalidUsageError):
        UsagePart.from_json({**INITIATED.to_json(), **changes})
    with pytest.raises(InvalidUsageError):
        UsagePart.from_json({})
