"""Every flow dies or fails at every call outside, in every way, and again while it recovers."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from faults.flows import FLOWS, Flow
from faults.world import FaultWorld, assert_books_agree

SOON = timedelta(minutes=16)
LATE = timedelta(hours=25)
"""By then a gateway has forgotten the key it was asked under."""

TRIES = 14
"""How often those outside try again: beyond the last retry of a declined payment."""

SECOND = int(os.environ.get("TALKTIME_FAULT_SECONDS", "997"))
"""Of the points of a recovery, every so many is tried; 1: all of them."""


class Run:
    """One history of a flow: it may fail once, and once more while it recovers."""

    def __init__(self, flow: Flow, step: timedelta) -> None:
        self.flow = flow
        self.world = FaultWorld(step)
        flow.prepare(self.world)

    def first(self, point: int | None) -> bool:
        """Do it, and fail at a point; whether it came to that."""
        points = self.world.points
        points.arm(point)
        self.world.crashes(lambda process: self.flow.run(self.world, process))
        return points.has_failed

    def recover(self, point: int | None) -> list[int]:
        """Let those outside try again, failing once more; the points there were."""
        points = self.world.points
        points.arm(point)
        for attempt in range(TRIES):
            # Whoever is soon tries again at once; the late come when the keys are forgotten.
            is_at_once = attempt == 0 and self.world.step == SOON
            self.world.clock.advance(timedelta(seconds=20) if is_at_once else self.world.step)
            self.world.crashes(lambda process: self.flow.again(self.world, process))
        found = points.all
        points.arm(None)
        for _ in range(3):
            # A mandate's debit takes a day, whoever is soon.
            self.world.clock.advance(timedelta(days=1))
            self.world.crashes(lambda process: self.flow.again(self.world, process))
        return found

    def check(self) -> None:
        assert_books_agree(self.world)
        allowed = [self.flow.balance_micros]
        if self.world.step == LATE and self.flow.lapsed_micros is not None:
            allowed.append(self.flow.lapsed_micros)
        assert self.world.account.wallet_micros in allowed


def histories(flow: Flow, step: timedelta, every: int) -> Iterator[tuple[int | None, int | None]]:
    """Where to fail first, and where to fail again."""
    clean = Run(flow, step)
    clean.first(None)
    points = clean.world.points.all
    assert points, "the flow leaves the process"
    left = 0
    for first in [None, *points]:
        recovery = Run(flow, step)
        assert recovery.first(first) is (first is not None)
        following = recovery.recover(None)
        recovery.check()
        yield first, None
        # Every so many of all there are: short recoveries have their turn like long ones.
        yield from ((first, second) for second in following[left::every])
        left = (left - len(following)) % every


@pytest.mark.parametrize("step", [SOON, LATE], ids=["soon", "a day late"])
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_our_book_ends_equal_to_the_gateways_wherever_a_flow_dies(
    flow: Flow, step: timedelta, record_property: Callable[[str, object], None]
) -> None:
    singles = pairs = 0
    for first, second in histories(flow, step, SECOND):
        if second is None:
            singles += first is not None
            continue
        run = Run(flow, step)
        run.first(first)
        run.recover(second)
        run.check()
        pairs += 1
    record_property("fault_points", [singles, pairs])
    assert singles >= 8
