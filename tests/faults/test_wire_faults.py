"""Every flow of money, through the real bootstraps: each call to DynamoDB, SQS, S3, the bus and the
gateway's own table fails in every way it can, and again while the flow recovers."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aws_calls import Params, Proceed, intercepted
from billing.adapters.dynamodb.table import RETRIES
from billing.services.racing import MAX_ATTEMPTS
from faults.wire_flows import FLOWS, WireFlow
from faults.wire_runs import Histories
from faults.wire_world import WireWorld, a_wire_world

PAIRS = int(os.environ.get("TALKTIME_WIRE_PAIRS", "10"))
"""How many pairs of faults of every flow are tried."""

SEED = int(os.environ.get("TALKTIME_WIRE_SEED", "1"))

MOST_REFUSED = MAX_ATTEMPTS * (RETRIES + 1)
"""Attempts of one invocation that are throttled: every try at a Change, each sent twice."""

Place = tuple[WireWorld, object]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with a_wire_world() as world:
        yield world, world.snapshot()


@pytest.fixture(params=FLOWS, ids=lambda flow: flow.name, scope="module")
def histories(request: pytest.FixtureRequest, place: Place) -> Histories:
    flow: WireFlow = request.param
    world, blank = place
    return Histories(world, blank, flow)


@contextmanager
def _told(what: str, histories: Histories) -> Iterator[None]:
    """Say of which history it was that something failed."""
    try:
        yield
    except BaseException as error:
        points = histories.world.points
        error.add_note(f"{what}; failed: {points.failed()}; {histories.world.journal}")
        raise


def test_the_hooks_see_every_call_that_any_client_makes(histories: Histories) -> None:
    made: list[str] = []

    def count(service: str, operation: str, _: Params, proceed: Proceed) -> dict[str, Any]:
        made.append(f"{service}.{operation}")
        return proceed()

    histories.begin(0)
    with intercepted(count):
        histories.world.settle()
    assert made == [str(call) for call in histories.calls]
    assert histories.world.points.let_through == histories.world.aws.served


@pytest.mark.parametrize("is_all", [True, False], ids=["every call", "writes alone"])
def test_no_invocation_goes_on_calling_while_it_is_throttled(
    histories: Histories, is_all: bool
) -> None:
    points = histories.world.points
    for first in histories.invocations:
        histories.begin(first)
        points.throttle(first, is_all=is_all)
        histories.world.settle(is_known=lambda: True)
        assert points.refused <= MOST_REFUSED
        histories.recover()


def test_whatever_fails_and_fails_again_all_books_end_equal(
    histories: Histories, record_property: Record
) -> None:
    points = list(histories.points())
    for number, fault in points:
        with _told(f"{fault.value} at call {number}, {histories.calls[number]}", histories):
            assert histories.run({number: fault})
    ends = histories.ends
    dice = random.Random(f"{SEED} {histories.flow.name}")
    pairs = 0
    for ordinal in range(PAIRS):
        with _told(f"pair {ordinal}", histories):
            pairs += histories.pair(dice)
    record_property(
        "figures",
        f"wire faults: {histories.flow.name}: {len(histories.calls)} calls, {len(points)} single"
        f" faults, {pairs} pairs, {ends} different ends",
    )
    assert len(points) >= 3 * len(histories.calls)
