"""However calls come in, they burn the same seconds and, at one price, leave the same balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.deliveries import (
    Delivery,
    Left,
    call_event,
    deliver,
    left,
    move_to,
    second_turn,
)
from simulation.tenants import SITES, Site
from simulation.world import World

MAX_CALLS = 8

SEED = 1
"""Of the world the calls are made in; nothing goes wrong in it."""


@dataclass(frozen=True, slots=True)
class Story:
    """Some calls, and one way for them to come in.

    Args:
        seconds: Each call's duration, 0 for an unanswered one.
        ago: When each ended, in seconds before now.
        deliveries: Every call at least once.
    """

    seconds: tuple[int, ...]
    ago: tuple[int, ...]
    deliveries: tuple[Delivery, ...]


@st.composite
def stories(draw: st.DrawFn, max_ago_seconds: int) -> Story:
    number = draw(st.integers(1, MAX_CALLS))
    seconds = st.one_of(st.sampled_from((0, 1, 29, 30, 31, 60, 61)), st.integers(0, 1_200))
    repeated = draw(st.lists(st.integers(0, number - 1), max_size=4))
    order = draw(st.permutations([*range(number), *repeated]))
    deliveries: list[Delivery] = []
    while order:
        size = draw(st.integers(1, len(order)))
        deliveries.append(Delivery(tuple(order[:size]), draw(st.booleans())))
        order = order[size:]
    return Story(
        seconds=tuple(draw(st.lists(seconds, min_size=number, max_size=number))),
        ago=tuple(
            draw(st.lists(st.integers(0, max_ago_seconds), min_size=number, max_size=number))
        ),
        deliveries=tuple(deliveries),
    )


@pytest.mark.parametrize("site", [pytest.param(site, id=str(site.ref)) for site in SITES])
@given(story=stories(max_ago_seconds=4 * 86_400))
@settings(max_examples=60, deadline=None)
def test_calls_of_one_period_leave_the_same_account_in_any_order(site: Site, story: Story) -> None:
    turn = _second_turn(site)
    now = turn + timedelta(days=5)
    assert _left(site, story, story.deliveries, now) == _left(site, story, _in_order(story), now)


@given(story=stories(max_ago_seconds=3 * 86_400))
@settings(max_examples=60, deadline=None)
def test_calls_on_both_sides_of_a_turn_leave_the_same_account_in_any_order(story: Story) -> None:
    site = SITES[1]
    now = _second_turn(site) + timedelta(days=1)
    assert _left(site, story, story.deliveries, now) == _left(site, story, _in_order(story), now)


def _in_order(story: Story) -> tuple[Delivery, ...]:
    return (Delivery(tuple(range(len(story.seconds))), False),)


def _second_turn(site: Site) -> datetime:
    return second_turn(World(SEED), site)


def _left(site: Site, story: Story, deliveries: Sequence[Delivery], now: datetime) -> Left:
    """What the account is left with once every delivery has come in, an hour apart."""
    world = World(SEED)
    move_to(world, site, now)
    events = [
        call_event(number, seconds, now - timedelta(seconds=ago))
        for number, (seconds, ago) in enumerate(zip(story.seconds, story.ago, strict=True))
    ]
    deliver(world, site, events, deliveries)
    return left(world, site)
