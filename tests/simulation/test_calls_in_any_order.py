"""However calls come in, they burn the same seconds and, at one price, leave the same balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import usage_ingest.post
from billing.adapters.queues import group_of
from billing.domain.canonical import Json, canonical_json
from billing.domain.ledger import prove
from billing.domain.periods import period_after
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from simulation.queues import Message
from simulation.tenants import SITES, Site
from simulation.world import World

MAX_CALLS = 8

SEED = 1
"""Of the world the calls are made in; nothing goes wrong in it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which calls come together, and whether the queue has tried before."""

    calls: tuple[int, ...]
    is_again: bool


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
    account = World(SEED).book.account(site.ref)
    return period_after(account.period, site.billing_day, site.time_zone).end_at


def _left(
    site: Site, story: Story, deliveries: Sequence[Delivery], now: datetime
) -> tuple[object, ...]:
    """What the account is left with once every delivery has come in, an hour apart."""
    world = World(SEED)
    # The period before the last one is used too, so it must have begun before it ends.
    for at in (now - timedelta(days=20), now):
        world.clock.advance(at - world.clock.true_now)
        world.roll_period.roll(site.ref)
    events = [
        _event(number, seconds, now - timedelta(seconds=ago))
        for number, (seconds, ago) in enumerate(zip(story.seconds, story.ago, strict=True))
    ]
    for number, delivery in enumerate(deliveries):
        message: dict[str, Json] = {
            "tenant": site.ref.tenant_id,
            "account": site.ref.account_id,
            "events": [events[call].to_json() for call in delivery.calls],
        }
        record = Message(
            f"usage-{number}", group_of(site.ref), canonical_json(message), 1 + delivery.is_again
        ).as_record()
        answer = usage_ingest.post.handle({"Records": [record]}, world.post_usage)
        assert answer == {"batchItemFailures": []}
        world.clock.advance(timedelta(hours=1))
    account = world.book.account(site.ref)
    proof = prove(account, world.book.entries(account))
    assert proof.is_sound, proof.problems
    grants = [(grant.grant_id, grant.remaining) for grant in account.grants]
    # Which day's calls the wallet paid is a matter of order; what it paid is not.
    spent = sum(micros for _, micros in account.daily_spend)
    return account.wallet_micros, grants, account.totals, spent


def _event(number: int, seconds: int, ended_at: datetime) -> UsageEvent:
    return UsageEvent(
        key=CallKey("twilio", "AC-any", f"CA{number}"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number="+14155550123",
        status=CallStatus.COMPLETED if seconds else CallStatus.NO_ANSWER,
        quantity=seconds,
        answered_at=ended_at - timedelta(seconds=seconds) if seconds else None,
        ended_at=ended_at,
        connection_id="acme-twilio",
    )
