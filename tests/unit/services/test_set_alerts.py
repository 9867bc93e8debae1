"""Alerts through the services: what is set, what sweeps find, and what is told once."""

from datetime import timedelta

import pytest

from billing.domain.account import Account
from billing.domain.alerting import Alerting
from billing.domain.alerts import AlertTold
from billing.domain.audit import By
from billing.domain.errors import BookContendedError
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import TimerKind
from billing.services.read_overview import overview
from billing.services.set_alerts import SetAlerts, alerting_etag
from billing.services.set_auto_recharge import StalePolicyError
from billing.services.sweep_timers import SweepTimers
from builders import ACME, NOON, USD, a_posting, a_usage_event
from fakes.world import RecordingWorkQueue
from unit.world import World, raising

LOW = Alerting(balance_micros=5 * USD)
DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    world = World(NOON)
    world.open()
    return world


def set_alerts(world: World, wanted: Alerting, seen: Alerting | None = None) -> Account:
    return SetAlerts(world.change_account).set(
        ACME,
        wanted,
        seen_etag=alerting_etag(seen or world.account.alerting),
        by=By("auth0|zoe", None),
    )


def spend(world: World, micros: int, number: int) -> None:
    """A second's call of that price."""
    now = world.clock.now()
    event = a_usage_event(number, now, quantity=1, answered_at=now)
    world.change_account(
        ACME, lambda account, at: a_posting(account, [event], at, rate_micros=60 * micros)
    )


def swept(world: World) -> int:
    """The sweep of every fourth hour, and the work that it hands on."""
    queue = RecordingWorkQueue()
    sweep = SweepTimers(world.book, queue, world.clock)
    found = sum(sweep.sweep(kind) for kind in (TimerKind.RECHARGE, TimerKind.ALERT))
    if found:
        world.recharges.collect(ACME)
    return found


def test_settings_that_changed_since_they_were_read_are_not_overwritten(world: World) -> None:
    set_alerts(world, LOW)
    with pytest.raises(StalePolicyError):
        set_alerts(world, Alerting(), Alerting())
    assert world.account.alerting == LOW


def test_two_who_have_seen_the_same_settings_do_not_both_win(world: World) -> None:
    seen = world.account.alerting
    world.book.races.append(lambda: set_alerts(world, Alerting(runway_days=7)))
    with pytest.raises(StalePolicyError):
        set_alerts(world, LOW, seen)
    assert world.account.alerting == Alerting(runway_days=7)


def test_a_race_with_a_posting_is_decided_again(world: World) -> None:
    world.book.races.append(raising(BookContendedError("busy")))
    assert set_alerts(world, LOW).alerting == LOW


def test_a_balance_that_many_calls_bring_down_is_told_once_and_again_after_a_payment(
    world: World,
) -> None:
    world.credit(10 * USD)
    set_alerts(world, LOW)
    for number in range(8):
        spend(world, USD, number)
    assert world.told.count("balance.low") == 1
    world.credit(10 * USD, "again")
    for number in range(10, 20):
        spend(world, USD, number)
    assert world.told.count("balance.low") == 2


def test_a_day_that_turns_over_an_account_nobody_uses_is_found_by_the_sweep(world: World) -> None:
    world.credit(20 * USD)
    set_alerts(world, Alerting(runway_days=14))
    spend(world, 8 * USD, 1)
    # On its first day an account has no average; at midnight its 8.00 count over seven days.
    assert (swept(world), "balance.low" in world.told) == (0, False)
    world.clock.advance(DAY / 2)
    assert (swept(world), world.told.count("balance.low")) == (1, 1)
    assert world.account.alerting.looked_on == world.clock.now().date()
    assert (swept(world), world.told.count("balance.low")) == (0, 1)
    (told,) = world.book.things(ACME, AlertTold)
    assert (told.name, told.since) == ("balance/runway", world.clock.now())
    # The average falls as the account gets older, until it stands no more.
    world.clock.advance(20 * DAY)
    assert overview(world.account, "Starter", 0, world.clock.now()).alerts == ()


def test_a_reserve_that_the_turn_of_a_day_lifts_is_told_when_its_payment_is_begun(
    world: World,
) -> None:
    world.add_source()
    world.set_policy(RechargePolicy(RechargeMode.USAGE, reserve_days=14))
    world.credit(20 * USD)
    spend(world, 8 * USD, 1)
    assert "balance.low" not in world.told
    world.clock.advance(DAY / 2)
    assert swept(world) == 2
    assert world.told.count("balance.low") == 1
    assert "recharge.succeeded" in world.told
    assert swept(world) == 0


def test_what_stands_today_is_shown_before_anybody_was_told(world: World) -> None:
    world.credit(20 * USD)
    set_alerts(world, Alerting(runway_days=14))
    spend(world, 8 * USD, 1)
    (runway,) = overview(world.account, "Starter", 0, NOON + DAY).alerts
    assert (runway.name, runway.since) == ("balance/runway", None)
    assert runway.below_micros == 16 * USD
