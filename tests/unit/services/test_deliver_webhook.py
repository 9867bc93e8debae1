"""Events reach every endpoint that asks for them, at least once, and none in another's way."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from billing.adapters.bus import cloud_event
from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.errors import ConflictError
from billing.domain.records import Event, EventType
from billing.domain.webhook_deliveries import (
    GAPS,
    KEPT,
    LEASE,
    MAX_ATTEMPTS_KEPT,
    Delivery,
    DeliveryState,
    Failure,
    Outcome,
)
from billing.domain.webhook_endpoints import ROTATION, WebhookEndpoints
from billing.services.deliver_webhook import SOON, DeliverWebhook
from billing.services.fan_out_event import FanOutEvent
from billing.services.redeliver_webhook import RedeliverWebhook
from billing.services.save_webhook_endpoints import SaveWebhookEndpoints, WantedEndpoint
from fakes.webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    RecordingBus,
    RecordingDeliveryQueue,
    ScriptedSender,
)
from fakes.world import FixedClock

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ACME, GLOBEX = AccountRef("acme", "main"), AccountRef("globex", "main")
FAST, SLOW = "https://fast.example.com/", "https://slow.example.com/"
DELIVERED = Outcome(204)
BY = By("auth0|ann", None)


def an_event(ref: AccountRef = ACME, number: int = 1, type_: str = "balance.low") -> dict[str, Any]:
    event = Event(f"main/posting-{number}/{type_}", EventType(type_), ref, NOON, {"number": number})
    found: dict[str, Any] = json.loads(cloud_event(event))
    return found


class World:
    """The services over everything in memory.

    Args:
        answer: What the endpoint of a URL answers; may be replaced.
    """

    def __init__(self, answer: Callable[[str], Outcome] = lambda _: DELIVERED) -> None:
        self.answer = answer
        self.clock = FixedClock(NOON)
        self.endpoints = InMemoryEndpoints()
        self.deliveries = InMemoryDeliveries()
        self.queue = RecordingDeliveryQueue()
        self.bus = RecordingBus()
        self.sender = ScriptedSender(lambda url: self.answer(url))
        self.save = SaveWebhookEndpoints(self.endpoints, self.clock, is_local=False)
        self.fan_out = FanOutEvent(self.endpoints, self.deliveries, self.queue, self.clock)
        self.redeliver = RedeliverWebhook(self.deliveries, self.clock)
        self.deliver = self.delivering(self.deliveries)

    def delivering(self, deliveries: InMemoryDeliveries) -> DeliverWebhook:
        return DeliverWebhook(
            endpoints=self.endpoints,
            deliveries=deliveries,
            sender=self.sender,
            queue=self.queue,
            bus=self.bus,
            clock=self.clock,
            is_local=False,
        )

    def set(self, *wanted: WantedEndpoint, ref: AccountRef = ACME) -> WebhookEndpoints:
        settings, _ = self.save.save(ref, wanted, self.endpoints.get(ref), BY)
        return settings

    def work(self) -> list[Delivery]:
        """Everything that waits in the queue, as one worker after the other would do it."""
        done = [self.deliver.deliver(ref, id_) for ref, id_, _ in self.queue.take()]
        return [delivery for delivery in done if delivery is not None]

    def only(self, ref: AccountRef = ACME) -> Delivery:
        (found,) = self.deliveries.listed(ref, None, None, 10)
        return found


def wanting(url: str = FAST, *events: str, endpoint_id: str | None = None) -> WantedEndpoint:
    return WantedEndpoint(endpoint_id, url, events or ("*",))


def test_an_event_is_delivered_once_to_each_endpoint_that_asks_for_it() -> None:
    world = World()
    world.set(wanting(FAST), wanting(SLOW, "balance.low"), wanting(SLOW, "period.rolled"))
    assert world.fan_out.fan_out(an_event()) == 2
    assert {delivery.state for delivery in world.work()} == {DeliveryState.DELIVERED}
    assert sorted(sent.url for sent in world.sender.sent) == [FAST, SLOW]
    assert world.queue.waiting == []


def test_another_tenants_endpoints_get_nothing() -> None:
    world = World()
    world.set(wanting())
    assert world.fan_out.fan_out(an_event(GLOBEX)) == 0


def test_an_event_that_comes_twice_is_delivered_once() -> None:
    world = World()
    world.set(wanting())
    for _ in range(3):
        world.fan_out.fan_out(an_event())
    assert len(world.queue.waiting) == 3
    world.work()
    world.fan_out.fan_out(an_event())
    world.work()
    assert len(world.sender.sent) == 1


def test_what_is_sent_is_the_cloud_event_of_the_bus() -> None:
    world = World()
    world.set(wanting())
    event = Event("main/1/balance.low", EventType.BALANCE_LOW, ACME, NOON, {"a": "Grüße"})
    world.fan_out.fan_out(json.loads(cloud_event(event)))
    world.work()
    assert world.sender.sent[0].body == cloud_event(event).encode()


def test_an_event_has_one_id_everywhere_and_two_events_have_two() -> None:
    world = World()
    world.set(wanting(FAST), wanting(SLOW))
    for event in (an_event(number=1), an_event(number=2)):
        world.fan_out.fan_out(event)
    world.work()
    ids = [sent.webhook_id for sent in world.sender.sent]
    assert len(ids) == 4
    assert len(set(ids)) == 2
    assert all(id_.startswith("evt_") and "." not in id_ for id_ in ids)


def test_two_accounts_whose_events_are_called_the_same_have_two_ids() -> None:
    world = World()
    world.set(wanting())
    world.set(wanting(), ref=GLOBEX)
    for ref in (ACME, GLOBEX):
        world.fan_out.fan_out(an_event(ref))
    world.work()
    assert len({sent.webhook_id for sent in world.sender.sent}) == 2


def test_gaps_grow_over_about_three_days_and_then_it_is_kept_as_failed() -> None:
    world = World(lambda _: Outcome(500))
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    tried: list[datetime] = []
    while (delivery := world.only()).state is DeliveryState.PENDING:
        assert delivery.due_at is not None
        world.clock.advance(delivery.due_at - world.clock.now())
        tried.append(world.clock.now())
        world.deliver.deliver(ACME, delivery.delivery_id)
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert tuple(gaps) == GAPS
    assert gaps == sorted(gaps)
    assert timedelta(days=3) <= sum(gaps, timedelta()) <= timedelta(days=4)
    assert (delivery.state, delivery.due_at) == (DeliveryState.FAILED, None)
    assert [attempt.status for attempt in delivery.attempts] == [500] * (len(GAPS) + 1)
    assert len({sent.webhook_id for sent in world.sender.sent}) == 1


def test_every_attempt_is_signed_for_its_own_time() -> None:
    world = World(lambda _: Outcome(503))
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    world.work()
    world.clock.advance(GAPS[0])
    world.work()
    assert [sent.at for sent in world.sender.sent] == [NOON, NOON + GAPS[0]]


def test_a_short_gap_waits_in_the_queue_and_a_long_one_for_the_sweep() -> None:
    world = World(lambda _: Outcome(failure=Failure.TIMED_OUT))
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    world.work()
    ((_, _, delay),) = world.queue.waiting
    assert delay == GAPS[0] <= SOON
    world.clock.advance(GAPS[0])
    world.work()
    assert world.queue.waiting == []
    assert world.deliver.sweep() == 0
    world.clock.advance(GAPS[1])
    assert world.deliver.sweep() == 1
    assert len(world.work()) == 1


def test_before_its_time_nothing_is_sent() -> None:
    world = World(lambda _: Outcome(500))
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    world.work()
    assert world.deliver.deliver(ACME, world.only().delivery_id) is None
    assert len(world.sender.sent) == 1


def test_a_crash_after_the_answer_delivers_again_under_the_same_id() -> None:
    world = World()
    world.set(wanting())
    world.fan_out.fan_out(an_event())

    def answer_and_die(_: str) -> Outcome:
        raise KeyboardInterrupt

    world.answer = answer_and_die
    with pytest.raises(KeyboardInterrupt):
        world.work()
    world.answer = lambda _: DELIVERED
    assert world.only().state is DeliveryState.PENDING
    assert world.deliver.sweep() == 0
    world.clock.advance(LEASE)
    assert world.deliver.sweep() == 1
    (delivery,) = world.work()
    assert delivery.state is DeliveryState.DELIVERED
    first, second = world.sender.sent
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)


def test_a_crash_before_the_queue_has_it_is_swept_up() -> None:
    world = World()
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    world.queue.take()
    assert world.deliver.sweep() == 1
    assert len(world.work()) == 1


def test_two_workers_with_the_same_message_send_once() -> None:
    world = World()
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    ((ref, id_, _),) = world.queue.take()
    seen = world.deliveries.get(ref, id_)

    class Behind(InMemoryDeliveries):
        def get(self, ref: AccountRef, delivery_id: str) -> Delivery:
            return seen

        def save(self, delivery: Delivery) -> None:
            world.deliveries.save(delivery)

    assert world.deliver.deliver(ref, id_) is not None
    assert world.delivering(Behind()).deliver(ref, id_) is None
    assert len(world.sender.sent) == 1


def test_a_slow_endpoint_holds_back_nothing_but_its_own_delivery() -> None:
    world = World(lambda url: Outcome(failure=Failure.TIMED_OUT) if url == SLOW else DELIVERED)
    world.set(wanting(SLOW), wanting(FAST))
    world.set(wanting(FAST), ref=GLOBEX)
    for number in range(5):
        world.fan_out.fan_out(an_event(ACME, number))
        world.fan_out.fan_out(an_event(GLOBEX, number))
    # Each is a message of its own.
    assert len(world.queue.waiting) == 15
    world.work()
    states = [one.state for one in world.deliveries.listed(ACME, None, None, 100)]
    assert states.count(DeliveryState.DELIVERED) == 5
    assert states.count(DeliveryState.PENDING) == 5
    theirs = world.deliveries.listed(GLOBEX, None, DeliveryState.DELIVERED, 100)
    assert len(theirs) == 5


def test_gone_disables_the_endpoint_and_tells_it() -> None:
    world = World(lambda url: Outcome(410) if url == SLOW else DELIVERED)
    world.set(wanting(SLOW), wanting(FAST))
    gone, other = world.endpoints.get(ACME).endpoints
    world.fan_out.fan_out(an_event())
    world.work()
    assert world.endpoints.get(ACME).endpoints == (
        replace(gone, is_enabled=False, disabled_reason="gone"),
        other,
    )
    (told,) = world.bus.events
    assert (told.type, told.account) == (EventType.WEBHOOK_ENDPOINT_DISABLED, ACME)
    assert told.data["endpoint"] == gone.endpoint_id
    assert world.fan_out.fan_out(an_event(number=2)) == 1


def test_who_dies_while_disabling_tells_it_again_under_the_same_id() -> None:
    world = World(lambda _: Outcome(410))
    world.set(wanting())
    world.fan_out.fan_out(an_event())

    def die(_: WebhookEndpoints) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.endpoints, "save_without_secrets", die)
        with pytest.raises(KeyboardInterrupt):
            world.work()
    world.clock.advance(LEASE)
    world.deliver.sweep()
    world.work()
    assert world.only().state is DeliveryState.FAILED
    assert len({event.event_id for event in world.bus.events}) == 1
    assert not world.endpoints.get(ACME).endpoints[0].is_enabled


def test_what_waits_for_an_endpoint_that_was_disabled_or_removed_fails_unsent() -> None:
    world = World(lambda _: Outcome(500))
    (one,) = world.set(wanting()).endpoints
    world.fan_out.fan_out(an_event(number=1))
    world.set(replace(wanting(endpoint_id=one.endpoint_id), is_enabled=False))
    (disabled,) = world.work()
    assert disabled.attempts[-1].failure is Failure.DISABLED
    assert disabled.state is DeliveryState.FAILED
    world.set(wanting(endpoint_id=one.endpoint_id))
    world.fan_out.fan_out(an_event(number=2))
    world.set()
    (removed,) = world.work()
    assert removed.attempts[-1].failure is Failure.REMOVED
    assert world.sender.sent == []


def test_a_failed_or_a_delivered_event_can_be_delivered_again() -> None:
    world = World(lambda _: Outcome(410))
    (one,) = world.set(wanting()).endpoints
    world.fan_out.fan_out(an_event())
    world.work()
    world.set(wanting(endpoint_id=one.endpoint_id))
    world.answer = lambda _: DELIVERED
    for attempts in (2, 3):
        again = world.redeliver.redeliver(ACME, world.only().delivery_id)
        assert (again.state, again.due_at) == (DeliveryState.PENDING, world.clock.now())
        assert world.deliver.sweep() == 1
        (delivery,) = world.work()
        assert delivery.state is DeliveryState.DELIVERED
        assert len(delivery.attempts) == attempts
    assert len({sent.webhook_id for sent in world.sender.sent}) == 1


def test_a_redelivery_has_the_whole_schedule_again_and_keeps_the_latest_attempts() -> None:
    world = World(lambda _: Outcome(500))
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    for _ in range(3):
        while (delivery := world.only()).due_at is not None:
            world.clock.advance(max(timedelta(), delivery.due_at - world.clock.now()))
            world.deliver.deliver(ACME, delivery.delivery_id)
        world.redeliver.redeliver(ACME, delivery.delivery_id)
    assert len(world.sender.sent) == 3 * (len(GAPS) + 1)
    assert len(delivery.attempts) == MAX_ATTEMPTS_KEPT
    assert delivery.expires_at == delivery.attempts[-1].at + KEPT


def test_asking_twice_for_what_waits_already_changes_nothing() -> None:
    world = World()
    world.set(wanting())
    world.fan_out.fan_out(an_event())
    before = world.only()
    assert world.redeliver.redeliver(ACME, before.delivery_id) == before


def test_a_secret_that_was_rotated_signs_beside_the_new_one_for_a_day() -> None:
    world = World()
    (one,) = world.set(wanting()).endpoints
    (old,) = world.endpoints.secrets(ACME)[one.endpoint_id]
    rotating = replace(wanting(endpoint_id=one.endpoint_id), rotates_secret=True)
    _, told = world.save.save(ACME, [rotating], world.endpoints.get(ACME), BY)
    new = told[one.endpoint_id]
    world.fan_out.fan_out(an_event(number=1))
    world.work()
    world.clock.advance(ROTATION)
    world.fan_out.fan_out(an_event(number=2))
    world.work()
    assert [sent.secrets for sent in world.sender.sent] == [(new, old), (new,)]
    # The next change forgets what does not sign any more.
    world.set(wanting(endpoint_id=one.endpoint_id))
    assert world.endpoints.secrets(ACME)[one.endpoint_id] == (new,)


def test_a_url_that_may_not_be_called_any_more_is_not_called() -> None:
    world = World()
    local = SaveWebhookEndpoints(world.endpoints, world.clock, is_local=True)
    local.save(ACME, [wanting("http://127.0.0.1:9/")], world.endpoints.get(ACME), BY)
    world.fan_out.fan_out(an_event())
    (delivery,) = world.work()
    assert delivery.attempts[-1].failure is Failure.URL_REFUSED
    assert world.sender.sent == []


def test_settings_that_somebody_changed_meanwhile_are_not_overwritten() -> None:
    world = World()
    seen = world.endpoints.get(ACME)
    world.set(wanting())
    with pytest.raises(ConflictError):
        world.save.save(ACME, [], seen, BY)


def test_what_has_expired_is_not_delivered() -> None:
    assert World().deliver.deliver(ACME, "whd_1") is None
