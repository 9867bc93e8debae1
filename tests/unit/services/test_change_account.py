"""The loop: load, bring current, decide, commit; again, if somebody else was faster."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from billing.domain import rolling
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    IdConflictError,
    InvalidInputError,
    NotFoundError,
    QuoteStaleError,
)
from billing.ports import AlreadyRecordedError
from billing.services.racing import (
    BACKOFF_BASE_SECONDS,
    BACKOFF_CAP_SECONDS,
    MAX_ATTEMPTS,
)
from builders import ACME, GLOBEX, a_credit, a_touch
from unit.world import World, raising

Decide = Callable[[Account, datetime], Change]


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def crediting(micros: int, operation_id: str = "op") -> Decide:
    return lambda account, now: a_credit(account, micros, operation_id, now)


def refusing(_account: Account, _now: datetime) -> NoReturn:
    raise InvalidInputError("deciding now refuses")


def test_a_decision_is_written_and_returned(world: World) -> None:
    change = world.change_account(ACME, crediting(5))
    assert change == world.book.committed[-1]
    assert (world.account.wallet_micros, world.account.version) == (5, 2)


def test_deciding_on_nothing_writes_nothing(world: World) -> None:
    before = world.account
    assert world.change_account(ACME, lambda _account, _now: None) is None
    assert world.account == before


def test_a_refusal_writes_nothing_and_passes_through(world: World) -> None:
    before = world.account
    with pytest.raises(InvalidInputError):
        world.change_account(ACME, refusing)
    assert (world.account, world.slept) == (before, [])


def test_an_account_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.change_account(GLOBEX, crediting(5))


# Races


def test_a_lost_race_is_decided_again_on_the_account_as_it_is_now(world: World) -> None:
    def other_writer() -> None:
        world.book.commit(a_credit(world.account, 100, "other"))

    seen: list[int] = []

    def decide(account: Account, now: datetime) -> Change:
        seen.append(account.wallet_micros)
        return a_credit(account, 5, "op", now)

    world.book.races = [other_writer]
    world.change_account(ACME, decide)
    assert seen == [0, 100]
    assert world.account.wallet_micros == 105
    assert len(world.slept) == 1
    assert world.is_proven()


def test_contention_is_waited_out(world: World) -> None:
    world.book.races = [raising(BookContendedError("throttled"))] * (MAX_ATTEMPTS - 1)
    world.change_account(ACME, crediting(5))
    assert world.account.wallet_micros == 5


def test_contention_that_outlasts_every_attempt_is_told_and_nothing_was_written(
    world: World,
) -> None:
    world.book.races = [raising(BookContendedError("throttled"))] * 99
    before, tried = world.account, world.book.attempts
    with pytest.raises(BookBusyError):
        world.change_account(ACME, crediting(5))
    assert world.account == before
    assert world.book.attempts - tried == MAX_ATTEMPTS


def test_waits_are_bounded_doubling_and_capped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    monkeypatch.setattr("billing.services.racing.random.uniform", uniform)
    world.book.races = [raising(BookContendedError("throttled"))] * (MAX_ATTEMPTS - 1)
    world.change_account(ACME, crediting(5))
    bounds = [min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**n) for n in range(19)]
    assert drawn == [(0, bound) for bound in bounds], "full jitter draws from none to the bound"
    assert world.slept == bounds
    assert sum(bounds) < 30, "well inside a queue's visibility timeout"


def test_two_who_collide_do_not_wait_alike(world: World) -> None:
    world.book.races = [raising(BookContendedError("throttled"))] * 15
    world.change_account(ACME, crediting(5))
    assert len(set(world.slept)) > 10


def test_time_is_read_after_the_account_for_every_attempt(world: World) -> None:
    read = world.book.account
    times: list[datetime] = []

    def slow_read(ref: object) -> Account:
        world.clock.advance(timedelta(seconds=1))
        return read(ACME)

    def decide(account: Account, now: datetime) -> Change:
        times.append(now)
        return a_credit(account, 5, "op", now)

    world.book.account = slow_read  # type: ignore[method-assign]
    world.book.races = [raising(BookContendedError("throttled"))]
    start = world.clock.now()
    world.change_account(ACME, decide)
    assert times == [start + timedelta(seconds=1), start + timedelta(seconds=2)]


# Operations that were here before


def test_a_recorded_operation_is_answered_and_not_decided_again(world: World) -> None:
    world.change_account(ACME, crediting(5), ("op", "b" * 64))
    with pytest.raises(AlreadyRecordedError) as answered:
        world.change_account(ACME, refusing, ("op", "b" * 64))
    assert answered.value.operation == world.operation("op")
    assert world.account.wallet_micros == 5


def test_the_same_id_for_another_body_is_a_conflict_and_not_decided(world: World) -> None:
    world.change_account(ACME, crediting(5), ("op", "b" * 64))
    before = world.account
    with pytest.raises(IdConflictError):
        world.change_account(ACME, refusing, ("op", "c" * 64))
    assert world.account == before


def test_an_operation_recorded_between_read_and_write_is_answered(world: World) -> None:
    def same_request() -> None:
        world.book.commit(a_credit(world.account, 5, "op"))

    world.book.races = [same_request]
    with pytest.raises(AlreadyRecordedError) as answered:
        world.change_account(ACME, crediting(5), ("op", "b" * 64))
    assert answered.value.operation == world.operation("op")
    assert world.account.wallet_micros == 5


def test_an_operation_recorded_while_it_was_decided_on_is_answered_and_not_refused(
    world: World,
) -> None:
    def overtaken(account: Account, _now: datetime) -> NoReturn:
        world.book.commit(a_credit(account, 5, "op"))
        raise QuoteStaleError("what was quoted has another price now")

    with pytest.raises(AlreadyRecordedError) as answered:
        world.change_account(ACME, overtaken, ("op", "b" * 64))
    assert answered.value.operation == world.operation("op")
    assert world.account.wallet_micros == 5


def test_an_operation_recorded_while_its_worker_waited_is_not_decided_again(world: World) -> None:
    def same_request_and_contention() -> None:
        world.book.commit(a_credit(world.account, 5, "op"))
        raise BookContendedError("throttled")

    world.book.races = [same_request_and_contention]
    with pytest.raises(AlreadyRecordedError):
        world.change_account(ACME, crediting(5), ("op", "b" * 64))
    assert len(world.slept) == 1
    assert world.account.wallet_micros == 5


def test_another_request_under_the_same_key_between_read_and_write_is_a_conflict(
    world: World,
) -> None:
    def other_request() -> None:
        change = a_touch(world.account, "op")
        assert change.operation is not None
        other = replace(change.operation, body_hash="c" * 64)
        world.book.commit(replace(change, operation=other))

    world.book.races = [other_request]
    with pytest.raises(IdConflictError):
        world.change_account(ACME, crediting(5), ("op", "b" * 64))
    assert world.account.wallet_micros == 0


# Periods that have ended


def test_ended_periods_are_rolled_first_each_in_a_change_of_its_own(world: World) -> None:
    world.clock.advance(timedelta(days=70))
    periods: list[datetime] = []

    def decide(account: Account, now: datetime) -> Change:
        periods.append(account.period.start_at)
        return a_credit(account, 5, "op", now)

    world.change_account(ACME, decide)
    assert periods == [datetime(2026, 5, 1, tzinfo=UTC)]
    rolls = world.book.committed[-3:-1]
    assert [change.operation and change.operation.operation_id for change in rolls] == [
        "main/roll/20260301T0000Z",
        "main/roll/20260401T0000Z",
    ]
    assert [change.after.version for change in rolls] == [2, 3]
    assert world.account.version == 4


def test_more_idle_periods_than_attempts_are_rolled_all_the_same(world: World) -> None:
    world.clock.advance(timedelta(days=31 * (MAX_ATTEMPTS + 5)))
    assert world.clock.now() in world.change_account.bring_current(ACME).period


def test_who_loses_the_race_to_roll_goes_on_from_the_rolled_account(world: World) -> None:
    world.clock.advance(timedelta(days=40))

    def same_roll() -> None:
        world.book.commit(rolling.roll(world.account, world.clock.now()))

    world.book.races = [same_roll]
    change = world.change_account(ACME, crediting(5))
    assert change is not None
    assert world.account.wallet_micros == 5
    assert world.account.version == 3, "opened, rolled once, credited"
    assert world.slept == []
    assert len(world.book.closed_periods(ACME, 2026)) == 1


def test_a_recorded_operation_is_answered_before_anything_is_rolled(world: World) -> None:
    world.change_account(ACME, crediting(5), ("op", "b" * 64))
    world.clock.advance(timedelta(days=40))
    before = world.account
    with pytest.raises(AlreadyRecordedError):
        world.change_account(ACME, refusing, ("op", "b" * 64))
    assert world.account == before


def test_bringing_current_an_account_that_is_changes_nothing(world: World) -> None:
    before = world.account
    assert world.change_account.bring_current(ACME) == before
    assert world.account == before
