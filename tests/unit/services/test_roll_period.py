"""Rolling twice, late or never leaves the same figures as rolling once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.domain import turning
from billing.domain.account import Account
from billing.domain.errors import NotFoundError
from billing.domain.records import TimerKind
from billing.services.roll_period import RollPeriod
from builders import ACME, GLOBEX, NOON, a_usage_event
from unit.world import OPENED, World

TURN = datetime(2026, 4, 1, tzinfo=UTC)


def used() -> World:
    """An account that has used 61 of its 100 seconds in March."""
    world = World()
    world.open(seconds=100)
    world.upload()
    world.clock.advance(NOON - OPENED)
    world.post_usage.post(ACME, [a_usage_event(1)])
    return world


def roll(world: World) -> Account:
    RollPeriod(world.change_account).roll(ACME)
    return world.account


def test_a_period_that_has_ended_is_closed_and_the_next_begins_whole() -> None:
    world = used()
    world.clock.advance(TURN - NOON)
    account = roll(world)
    (closed,) = world.book.closed_periods(ACME, 2026)
    assert (closed.totals.voice_seconds, closed.totals.granted_voice_seconds) == (61, 61)
    assert [grant.remaining for grant in closed.grants] == [39]
    assert account.period.start_at == TURN
    assert account.totals.voice_seconds == 0
    assert world.told == ["period.rolled"]
    assert world.is_proven()


def test_rolling_twice_changes_nothing() -> None:
    world = used()
    world.clock.advance(TURN - NOON)
    once = roll(world)
    assert roll(world) == once
    assert world.told == ["period.rolled"]


def test_before_its_end_no_period_is_rolled() -> None:
    world = used()
    before = world.account
    world.clock.advance(TURN - NOON - timedelta(microseconds=1))
    assert roll(world) == before


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=3), timedelta(days=20)])
def test_rolling_late_or_never_shows_what_rolling_in_time_does(late: timedelta) -> None:
    in_time, never = used(), used().account
    in_time.clock.advance(TURN - NOON)
    roll(in_time)
    world = used()
    world.clock.advance(TURN - NOON + late)
    assert roll(world) == in_time.account
    assert replace(turning.at(never, TURN + late), version=3) == in_time.account


def test_months_that_nobody_rolled_are_closed_one_by_one() -> None:
    world = used()
    world.clock.advance(timedelta(days=95))
    roll(world)
    closed = world.book.closed_periods(ACME, 2026)
    assert [period.totals.voice_seconds for period in closed] == [61, 0, 0]
    ends = [period.period.end_at for period in closed]
    assert [period.period.start_at for period in closed[1:]] == ends[:-1]
    assert world.told == ["period.rolled"] * 3


def test_the_timer_stands_at_the_end_of_the_period_that_began() -> None:
    world = used()
    world.clock.advance(TURN - NOON)
    end_at = roll(world).period.end_at
    assert not list(world.book.due(TimerKind.PERIOD_END, end_at - timedelta(seconds=1)))
    (timer,) = world.book.due(TimerKind.PERIOD_END, end_at)
    assert timer.account == ACME


def test_an_account_nobody_knows_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        RollPeriod(used().change_account).roll(GLOBEX)
