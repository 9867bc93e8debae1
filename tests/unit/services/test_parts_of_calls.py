"""Calls that come in parts: joined, posted once, and never lost, whatever happens on the way."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import AccountRef
from billing.domain.units import Direction
from billing.domain.usage import Call, CallKey, CallStatus, UsageEvent
from billing.domain.usage_parts import PartKind, UsagePart
from billing.ports import KeptPart, PartialCall
from billing.services.join_parts import PART_PATIENCE, JoinParts
from billing.services.place_usage import PlaceUsage, Taken, TakenStatus
from billing.services.sweep_parts import SweepParts
from builders import ACME
from fakes.usage_parts import InMemoryUsageParts
from fakes.world import RecordingUsageQueue
from unit.world import OPENED, World

HOUR = timedelta(hours=1)
RANG = OPENED + HOUR
WAITING = Taken(TakenStatus.WAITING, "half_of_a_call")


class Crash(BaseException):
    """The worker is gone: nothing in the code may catch it."""


class PartsWorld(World):
    """An account, and calls that come to it in parts. Its stores may crash when they are told to.

    Args:
        crash_at: Which call to a store does its work and is the worker's last; 0: none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.upload()
        self.open()
        self.clock.advance(2 * HOUR)
        self.parts = InMemoryUsageParts()
        self.queue = RecordingUsageQueue()
        self.crash_at = 0
        self.calls_made = 0
        self.meanwhile: list[UsagePart] = []
        self.taken_meanwhile: list[Taken] = []
        place = PlaceUsage(quarantine=self.quarantine, queue=self, clock=self.clock)
        self.join_parts = JoinParts(parts=self, place_usage=place, clock=self.clock)
        self.sweep_parts = SweepParts(
            parts=self, book=self.book, quarantine=self.quarantine, queue=self, clock=self.clock
        )

    def take(self, part: UsagePart, ref: AccountRef | None = ACME) -> Taken:
        return self.join_parts.take(ref, part)

    def sweep(self, after: timedelta = PART_PATIENCE) -> dict[str, int]:
        self.clock.advance(after)
        return dict(self.sweep_parts.sweep())

    def post(self) -> int:
        return sum(self.post_usage.post(ref, events) for ref, events in self.queue.take())

    def recorded(self, *keys: CallKey) -> dict[CallKey, Call]:
        return self.book.calls("acme", keys)

    # The stores, each of whose calls can be the last.

    def keep(self, kept: KeptPart) -> None:
        self.parts.keep(kept)
        self._made()
        if self.meanwhile:
            self.taken_meanwhile.append(self.take(self.meanwhile.pop()))

    def of_call(self, call: PartialCall) -> list[KeptPart]:
        found = self.parts.of_call(call)
        self._made()
        return found

    def settle(self, kept: Iterable[KeptPart]) -> None:
        self.parts.settle(kept)
        self._made()

    def due(self, now: datetime) -> Iterator[PartialCall]:
        return self.parts.due(now)

    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        self.queue.send(ref, events, cause)
        self._made()

    def _made(self) -> None:
        self.calls_made += 1
        if self.calls_made == self.crash_at:
            raise Crash


def parts_of(name: str = "leg", seconds: int = 61) -> tuple[UsagePart, UsagePart, UsagePart]:
    """A call that was answered, in the order in which it happened."""
    initiated = UsagePart(
        key=CallKey("telnyx", "1", name),
        kind=PartKind.INITIATED,
        at=RANG,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=None,
        connection_id="acme",
    )
    answered = replace(initiated, kind=PartKind.ANSWERED, at=RANG + timedelta(seconds=8))
    ended = replace(
        initiated,
        kind=PartKind.ENDED,
        at=answered.at + timedelta(seconds=seconds),
        status=CallStatus.COMPLETED,
    )
    return initiated, answered, ended


INITIATED, ANSWERED, ENDED = WHOLE = parts_of()
KEY = INITIATED.key


@st.composite
def stories(draw: st.DrawFn) -> tuple[dict[str, int], list[UsagePart]]:
    """Calls by name and seconds, and their parts in some order, each at least once."""
    seconds = draw(st.lists(st.integers(0, 600), min_size=1, max_size=4))
    calls = {f"leg-{number}": each for number, each in enumerate(seconds)}
    parts = [part for name, each in calls.items() for part in parts_of(name, each)]
    repeated = draw(st.lists(st.sampled_from(parts), max_size=6))
    return calls, draw(st.permutations([*parts, *repeated]))


@settings(max_examples=150, deadline=None)
@given(story=stories(), pauses=st.randoms(use_true_random=False))
def test_parts_of_several_calls_in_any_order_post_each_call_once_and_alike(
    story: tuple[dict[str, int], list[UsagePart]], pauses: Random
) -> None:
    calls, parts = story
    world = PartsWorld()
    posted = 0
    for part in parts:
        world.take(part)
        if pauses.random() < 0.3:
            posted += world.post()
        if pauses.random() < 0.2:
            # Within anybody's patience: a sweep finds nothing to do, or what is done.
            world.sweep(after=timedelta(minutes=7))
    posted += world.post()
    assert posted == len(calls)
    recorded = world.recorded(*(CallKey("telnyx", "1", name) for name in calls))
    assert {key.call_id: call.event.quantity for key, call in recorded.items()} == calls
    assert world.parked == []
    assert world.account.wallet_micros == -sum(calls.values()) * 10_000
    assert world.sweep() == {}
    assert world.is_proven()


@pytest.mark.parametrize("first", WHOLE, ids=lambda part: str(part.kind))
def test_of_two_parts_that_come_at_once_at_least_one_sees_both(first: UsagePart) -> None:
    for second, third in permutations([part for part in WHOLE if part is not first]):
        world = PartsWorld()
        assert world.take(first) == WAITING
        world.meanwhile = [third]
        taken = world.take(second)
        assert Taken(TakenStatus.ACCEPTED) in (taken, *world.taken_meanwhile)
        assert world.post() == 1
        assert world.recorded(KEY)[KEY].event.quantity == 61


def test_a_worker_may_die_after_any_step_and_nothing_is_lost_or_billed_twice() -> None:
    steps = 0
    while True:
        steps += 1
        world = PartsWorld()
        world.crash_at = steps
        crashes = 0
        for part in WHOLE:
            try:
                world.take(part)
            except Crash:
                crashes += 1  # The provider was not answered, and yet never sends it again.
        if not crashes:
            break
        world.post()
        world.sweep()
        world.sweep()
        world.post()
        assert world.recorded(KEY)[KEY].event.quantity == 61
        assert world.parked == []
        assert world.sweep() == {}
    assert steps > 6


def test_a_sweep_may_die_after_any_step_and_the_next_one_finishes() -> None:
    steps = 0
    while True:
        steps += 1
        world = PartsWorld()
        for part in (INITIATED, ENDED):
            world.take(part)
        world.crash_at = world.calls_made + steps
        try:
            world.sweep()
        except Crash:
            world.sweep()
        else:
            break
        assert world.parked_reasons == ["half_of_a_call"]
        assert world.sweep() == {}
    assert steps > 2


def test_halves_are_parked_together_once_they_have_waited_long_enough() -> None:
    world = PartsWorld()
    world.take(INITIATED)
    world.take(ENDED)
    assert world.sweep(after=PART_PATIENCE - timedelta(microseconds=1)) == {}
    assert world.parked == []
    assert world.sweep(after=timedelta(microseconds=1)) == {"half_of_a_call": 1}
    for _ in range(2):
        assert world.sweep() == {}
    (parked,) = world.parked
    assert (parked.reason, parked.account) == ("half_of_a_call", ACME)
    assert parked.detail == "only these parts of the call were reported: initiated, ended"
    known = parked.event["parts"]
    assert isinstance(known, list)
    assert {UsagePart.from_json(part) for part in known} == {INITIATED, ENDED}
    assert parked.key() == KEY
    assert (parked.event["direction"], parked.event["to"]) == ("outbound", "+14155550123")
    assert not {"quantity", "answered_at"} & set(parked.event)


def test_a_sweep_has_patience_with_the_last_part_to_come() -> None:
    world = PartsWorld()
    world.take(INITIATED)
    world.clock.advance(5 * HOUR)
    world.take(ENDED)
    assert world.sweep(after=2 * HOUR) == {}
    world.take(ANSWERED)
    assert world.post() == 1
    assert world.sweep() == {}
    assert world.parked == []


def test_what_comes_after_its_call_was_parked_makes_it_whole_all_the_same() -> None:
    world = PartsWorld()
    world.take(INITIATED)
    world.take(ANSWERED)
    world.sweep()
    assert world.take(ENDED) == Taken(TakenStatus.ACCEPTED)
    assert world.post() == 1
    assert world.recorded(KEY)[KEY].event.quantity == 61
    assert world.sweep() == {}
    assert world.parked_reasons == ["half_of_a_call"]


def test_a_part_that_comes_once_more_after_all_is_done_changes_nothing() -> None:
    world = PartsWorld()
    for part in WHOLE:
        world.take(part)
    assert world.post() == 1
    world.clock.advance(timedelta(days=20))
    for part in WHOLE:
        assert world.take(part) == Taken(TakenStatus.ACCEPTED)
    assert world.post() == 0
    assert world.sweep() == {}
    assert world.parked == []


def test_a_half_of_a_call_that_is_recorded_is_settled() -> None:
    world = PartsWorld()
    for part in WHOLE:
        world.take(part)
    world.post()
    late = replace(INITIATED, at=INITIATED.at + timedelta(seconds=1))
    world.parts.keep(
        KeptPart(late, ACME, world.clock.now(), world.clock.now() + timedelta(days=30))
    )
    assert world.sweep() == {"settled": 1}
    assert world.sweep() == {}
    assert world.parked == []


def test_an_answer_after_an_end_that_did_not_wait_for_it_is_a_visible_conflict() -> None:
    world = PartsWorld()
    world.take(INITIATED)
    world.take(replace(ENDED, status=CallStatus.NO_ANSWER))
    assert world.post() == 1
    world.take(ANSWERED)
    assert world.post() == 0
    assert world.parked_reasons == ["conflicting_report"]
    assert world.recorded(KEY)[KEY].event.quantity == 0


def test_parts_that_contradict_each_other_are_parked_whole_and_once() -> None:
    world = PartsWorld()
    early = replace(ENDED, at=ANSWERED.at - timedelta(seconds=1))
    outcomes = [world.take(part) for part in (INITIATED, ANSWERED, early, early)]
    assert outcomes == [WAITING, WAITING, *[Taken(TakenStatus.PARKED, "invalid_usage")] * 2]
    assert world.sweep() == {}
    (parked,) = world.parked
    assert len(parked.event["parts"]) == 3  # type: ignore[arg-type]
    assert parked.account == ACME


def test_nobodys_calls_are_joined_too_and_parked_whole_or_half() -> None:
    world = PartsWorld()
    for part in (*WHOLE, *parts_of("half")[:1]):
        world.take(part, None)
    assert world.sweep() == {"half_of_a_call": 1}
    assert world.sweep() == {}
    assert world.parked_reasons == ["account_not_mapped", "half_of_a_call"]
    assert [parked.account for parked in world.parked] == [None, None]


def test_parts_of_two_tenants_never_make_a_call() -> None:
    world = PartsWorld()
    refs = [AccountRef("globex", "main"), None, ACME]
    assert [world.take(part, ref) for part, ref in zip(WHOLE, refs, strict=True)] == [WAITING] * 3
    assert world.sweep() == {"half_of_a_call": 3}
    assert world.post() == 0
