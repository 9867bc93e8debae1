"""A sweep hands on what is due, and changes nothing by itself."""

from datetime import timedelta

import pytest

from billing.domain.records import TimerKind
from billing.services.sweep_timers import SweepTimers
from builders import ACME, GLOBEX, NOON
from fakes.world import RecordingWorkQueue
from unit.world import World

SECOND = timedelta(seconds=1)


class Sweeping(World):
    def __init__(self) -> None:
        super().__init__(NOON)
        self.queue = RecordingWorkQueue()
        self.sweep = SweepTimers(self.book, self.queue, self.clock).sweep


@pytest.fixture
def world() -> Sweeping:
    world = Sweeping()
    world.watch()
    world.open(GLOBEX)
    return world


def test_every_account_with_something_due_is_handed_on_and_no_other(world: Sweeping) -> None:
    assert world.sweep(TimerKind.RECHARGE) == 1
    assert world.queue.take() == [ACME]


def test_one_kind_of_timer_is_not_another(world: Sweeping) -> None:
    assert world.sweep(TimerKind.PERIOD_END) == 0
    assert world.queue.waiting == []


def test_a_timer_is_due_from_its_very_instant(world: Sweeping) -> None:
    end_at = world.account.period.end_at
    world.clock.advance(end_at - SECOND - NOON)
    assert world.sweep(TimerKind.PERIOD_END) == 0
    world.clock.advance(SECOND)
    assert world.sweep(TimerKind.PERIOD_END) == 2
    assert sorted(world.queue.take()) == [ACME, GLOBEX]


def test_a_schedule_that_fires_twice_makes_one_message(world: Sweeping) -> None:
    world.sweep(TimerKind.RECHARGE)
    world.clock.advance(SECOND)
    world.sweep(TimerKind.RECHARGE)
    assert world.queue.take() == [ACME]


def test_the_next_sweep_hands_on_again_what_still_stands(world: Sweeping) -> None:
    for _ in range(2):
        world.sweep(TimerKind.RECHARGE)
        assert world.queue.take() == [ACME]
        world.clock.advance(timedelta(hours=4))


def test_messages_name_their_sweep(world: Sweeping) -> None:
    world.sweep(TimerKind.RECHARGE)
    world.clock.advance(timedelta(hours=4))
    world.sweep(TimerKind.RECHARGE)
    world.clock.advance(timedelta(days=40))
    world.sweep(TimerKind.PERIOD_END)
    causes = [cause for _, cause in world.queue.waiting]
    assert causes[:2] == ["recharge@2026-03-14T12:00", "recharge@2026-03-14T16:00"]
    assert set(causes[2:]) == {"period_end@2026-04-23T16:00"}


def test_a_sweep_changes_no_account(world: Sweeping) -> None:
    before = world.account
    world.sweep(TimerKind.RECHARGE)
    assert world.account == before


def test_what_was_collected_is_no_longer_due(world: Sweeping) -> None:
    world.recharges.collect(ACME)
    assert world.sweep(TimerKind.RECHARGE) == 0
