"""Calls of mixed prices: which call the wallet pays is a matter of order; what is burned is not."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.usage import UsageEvent
from builders import ACME, a_usage_event
from unit.world import OPENED, World

AT = OPENED + timedelta(days=3)
MAX_CALLS = 8
NUMBERS = ("+14155550123", "+442079460123", "+4930123456")
RATES = "prefix,destination,rate\n1,United States,0.60\n44,United Kingdom,1.20\n49,Germany,2.40\n"
"""By the minute, 60/60: an increment of each costs whole micros."""


def a_call(number: int, seconds: int, to_number: str) -> UsageEvent:
    ended_at = AT - timedelta(hours=1)
    event = a_usage_event(number)
    return replace(
        event,
        to_number=to_number,
        quantity=seconds,
        answered_at=ended_at - timedelta(seconds=seconds),
        ended_at=ended_at,
    )


calls = st.lists(
    st.tuples(st.integers(1, 900), st.sampled_from(NUMBERS)), min_size=1, max_size=MAX_CALLS
).map(lambda made: [a_call(number, *call) for number, call in enumerate(made)])


@given(calls, st.data())
@settings(max_examples=80, deadline=None)
def test_in_any_order_the_same_seconds_are_burned_and_every_call_is_billed_once(
    events: list[UsageEvent], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4))
    order = data.draw(st.permutations([*events, *repeated]))
    in_order, shuffled = posted(events), posted(order)
    burned = [
        {grant.grant_id: grant.total - grant.remaining for grant in world.account.grants}
        for world in (in_order, shuffled)
    ]
    assert burned[0] == burned[1]
    assert billed(shuffled) == Counter({event.key: 1 for event in events})
    totals = [world.account.totals for world in (in_order, shuffled)]
    assert totals[0].voice_seconds == totals[1].voice_seconds
    recorded = shuffled.book.calls(ACME.tenant_id, [event.key for event in events])
    assert -shuffled.account.wallet_micros == sum(call.wallet_micros for call in recorded.values())


def posted(events: list[UsageEvent]) -> World:
    world = World()
    world.open(seconds=600)
    world.upload(RATES)
    world.clock.advance(AT - OPENED)
    for event in events:
        world.post_usage.post(ACME, [event])
    return world


def billed(world: World) -> Counter[object]:
    return Counter(key for entry in world.book.entries(world.account) for key in entry.usage.calls)
