"""Six events, each of their 720 orders with duplicates in it, and a world to post them in."""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

from billing.domain.account import Account
from billing.domain.ledger import EntryKind
from billing.domain.units import Unit
from billing.domain.usage import CallStatus, UsageEvent
from simulation.deliveries import Delivery, call_event, deliver, move_to, second_turn
from simulation.tenants import Site
from simulation.world import World

ORDERS = tuple(permutations(range(6)))

SEED = 1
"""Of the world it happens in; nothing goes wrong in it."""

SOON = timedelta(hours=30)
"""After the turn, or whatever the events are around, the first report comes in."""

NUMBER = "+14155550123"


@dataclass(frozen=True, slots=True)
class Used:
    """One event: when it ended, counted from the turn, and what it was."""

    ended: timedelta
    seconds: int = 0
    messages: int = 0

    def event(self, number: int, turn: datetime, to_number: str = NUMBER) -> UsageEvent:
        event = call_event(number, self.seconds, turn + self.ended, to_number)
        if not self.messages:
            return event
        return replace(
            event,
            unit=Unit.MESSAGES,
            status=CallStatus.COMPLETED,
            quantity=self.messages,
            answered_at=event.ended_at,
        )


SIX = (
    Used(timedelta(hours=8)),
    Used(timedelta(hours=9), seconds=1_000),
    Used(timedelta(hours=29), seconds=1_201),
    Used(timedelta(hours=10), messages=12),
    # These two ended before the others, on the other side of a turn: together they take more than
    # their own period's grant, as the two above take more than theirs.
    Used(timedelta(hours=-30), seconds=600),
    Used(timedelta(seconds=-1), seconds=1_500),
)
"""Nobody answered; two that exhaust a grant; messages; two that come in late."""


def with_duplicates(order: Sequence[int]) -> tuple[Delivery, ...]:
    """That order, with three reports said again, alone and in company: all by the order alone."""
    chance = Random(str(order))
    queue = list(order)
    for call in chance.choices(order, k=3):
        queue.insert(chance.randint(queue.index(call) + 1, len(queue)), call)
    deliveries: list[Delivery] = []
    while queue:
        size = chance.randint(1, 3)
        deliveries.append(Delivery(tuple(queue[:size]), chance.random() < 0.5))
        queue = queue[size:]
    return tuple(deliveries)


class Prepared:
    """A world that is put back instead of being built again: 720 would take too long.

    Args:
        site: Whose account it all happens to.
        crosses_turn: The events lie around the turn of a period, else all within one.
    """

    def __init__(self, site: Site, *, crosses_turn: bool) -> None:
        self.world = world = World(SEED)
        self.site = site
        turn = second_turn(world, site)
        self.turn = turn if crosses_turn else turn + timedelta(days=3)
        move_to(world, site, self.turn + SOON)
        self._changing = (world.book, world.quarantine, world.reservations, world.clock)
        self._kept: list[dict[str, Any]] = []
        self.keep()

    def keep(self) -> None:
        """Let it be as it is now whenever it is put back."""
        self._kept = [_copied(vars(one)) for one in self._changing]

    def put_back(self) -> World:
        for one, kept in zip(self._changing, self._kept, strict=True):
            vars(one).update(_copied(kept))
        return self.world

    def orders_of(self, events: Sequence[UsageEvent]) -> Iterator[tuple[int, ...]]:
        """Each order, once it has come in and every call was found to be posted once."""
        for order in ORDERS:
            self.put_back()
            deliver(self.world, self.site, events, with_duplicates(order))
            self.assert_posted_once(events)
            yield order

    def account(self) -> Account:
        return self.world.book.account(self.site.ref)

    def assert_posted_once(self, events: Sequence[UsageEvent]) -> None:
        entries = list(self.world.book.entries(self.account()))
        usage = [entry for entry in entries if entry.kind is EntryKind.USAGE]
        posted = Counter(
            key
            for entry in usage
            for key, revision in zip(
                entry.usage.calls,
                entry.usage.revisions or (0,) * len(entry.usage.calls),
                strict=True,
            )
            if revision == 0
        )
        assert posted == dict.fromkeys((event.key for event in events), 1)
        assert not self.world.surprises
        assert not self.world.quarantine.parked(None, 1)


def _copied(value: Any) -> Any:
    """Containers are new, what they hold is not: what is recorded never changes."""
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_copied(one) for one in value]
    return copy(value) if isinstance(value, set) else value
