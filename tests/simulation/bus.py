"""From the outbox to a bus that loses nothing, but tells twice, late and in any order."""

from collections.abc import Sequence
from datetime import date
from typing import cast

from billing.adapters.queues import QueueError, SqsWorkQueue
from billing.domain.account import AccountRef
from billing.domain.errors import BookBusyError
from billing.domain.records import Event, EventType
from billing.domain.summaries import Figures
from billing.ports import Events, Summaries
from billing.services.project_usage import ProjectUsage
from billing.services.publish_events import PublishEvents
from fakes.countries import country_of
from fakes.summaries import InMemorySummaries
from simulation.errors import require
from simulation.faults import Perilous
from simulation.tenants import SITES
from simulation.world import World

BATCH = 12
"""Events that one run of the publisher takes from the stream."""


class Bus:
    """Implements Events. What was put on it stays; the second time must say the same."""

    def __init__(self, world: World) -> None:
        self.told: dict[tuple[AccountRef, str], Event] = {}
        self.times = 0
        self._world = world

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.times += 1
            first = self.told.setdefault((event.account, event.event_id), event)
            require(is_same(first, event), f"{first} was told, and now {event}")

    def forget(self, events: Sequence[Event]) -> None:
        self._world.book.forget(events)


def is_same(first: Event, event: Event) -> bool:
    """One id, one fact; but a threshold may be crossed again, once minutes were given back."""
    if event.type is EventType.GRANT_THRESHOLD_REACHED:
        return _grants(first) == _grants(event)
    return first == event


def _grants(event: Event) -> object:
    grants = event.data["grants"]
    assert isinstance(grants, list), event
    return [(one["grant"], one["threshold_percent"]) for one in grants if isinstance(one, dict)]


class Outbox:
    """The stream's two consumers: what publishes events, and what sums usage up."""

    def __init__(self, world: World) -> None:
        self.bus = Bus(world)
        self.summaries = InMemorySummaries()
        self._world = world
        self._last: list[Event] = []
        queue = SqsWorkQueue("recharge", world.sqs(world.recharge_queue))
        events = cast(Events, Perilous("bus", self.bus, world.faults))
        self._publish = cast(
            PublishEvents, world.watched(PublishEvents(events, queue), ConnectionError, QueueError)
        )
        summaries = cast(Summaries, Perilous("summaries", self.summaries, world.faults))
        project = ProjectUsage(world.remote.book, summaries, country_of, lambda _seconds: None)
        self._project = cast(ProjectUsage, world.watched(project, ConnectionError, BookBusyError))

    def publish(self) -> str:
        """Some of what waits, from anywhere in the outbox, one after the other."""
        waiting = self._world.book.outbox()
        start = self._world.random.randrange(max(1, len(waiting) - BATCH + 1))
        return self._tell(waiting[start : start + BATCH])

    def publish_again(self) -> str:
        """The stream is read again from a while ago."""
        return self._tell(self._last[-3:])

    def publish_all(self) -> str:
        return self._tell(self._world.book.outbox())

    def _tell(self, events: Sequence[Event]) -> str:
        for number, event in enumerate(events):
            try:
                self._publish.publish([event])
            except (ConnectionError, QueueError) as error:
                return f"{number} told, then {error!r}"
        self._last = list(events) or self._last
        return f"{len(events)} told"

    def project(self) -> str:
        """Told of any entry, of an old one as well."""
        ref = self._world.random.choice(SITES).ref
        last = self._world.book.account(ref).head.sequence
        return self._sum_up(ref, self._world.random.randint(max(0, last - 20), last))

    def project_all(self) -> str:
        book = self._world.book
        return ", ".join(
            self._sum_up(site.ref, book.account(site.ref).head.sequence) for site in SITES
        )

    def _sum_up(self, ref: AccountRef, sequence: int) -> str:
        try:
            return f"{ref} up to {self._project.project(ref, sequence)}"
        except (ConnectionError, BookBusyError) as error:
            return f"{ref}: {error!r}"

    def sums(self, ref: AccountRef) -> list[int]:
        """Seconds and messages, each with those that were granted, and what the wallet paid."""
        head = self.summaries.head(ref)
        days = self.summaries.between(ref, head.live.generation, date.min, date.max)
        total = Figures.total(figures for _, day in days for figures in day.values())
        return [
            total.voice_seconds,
            total.granted_voice_seconds,
            total.messages,
            total.granted_messages,
            total.wallet_micros,
        ]
