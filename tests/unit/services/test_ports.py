"""Taking ports by leases and by calls, and what is told when all are out."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest

from billing.domain.covering import Destination
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    ConflictError,
    InsufficientBalanceError,
    InsufficientPortsError,
    LicenceRequiredError,
    NotFoundError,
)
from billing.domain.port_hours import PortDay
from billing.domain.reservations import Holds
from billing.domain.subscription import UnitItem
from billing.domain.units import Direction, Unit
from billing.services.racing import MAX_ATTEMPTS
from builders import ACME, USD
from fakes.reservations import InMemoryReservations
from unit.licence_world import US, LicenceWorld
from unit.world import raising


class RacedReservations(InMemoryReservations):
    """Where something may happen before a save."""

    def __init__(self) -> None:
        super().__init__()
        self.before_save: list[Callable[[], object]] = []

    def save(self, holds: Holds, seen_version: int) -> None:
        if self.before_save:
            self.before_save.pop()()
        super().save(holds, seen_version)


HOUR = timedelta(hours=1)
INBOUND = replace(US, direction=Direction.INBOUND)
TEXT = Destination(Unit.MESSAGES, Direction.OUTBOUND, "+14155550100")


@pytest.fixture
def world() -> LicenceWorld:
    return LicenceWorld()


# Leasing.


def test_leases_leave_the_account_alone(world: LicenceWorld) -> None:
    before = world.account
    lease = world.lease()
    world.lease_ports.renew(ACME, "dialler", lease.lease_id, 900)
    world.lease_ports.give_back(ACME, lease.lease_id)
    world.lease_ports.give_back(ACME, lease.lease_id)
    assert world.account == before
    assert world.out() == 0


def test_a_lease_that_is_gone_is_not_renewed(world: LicenceWorld) -> None:
    lease = world.lease()
    with pytest.raises(NotFoundError):
        world.lease_ports.renew(ACME, "flex", lease.lease_id, None)
    world.clock.advance(timedelta(seconds=600))
    with pytest.raises(NotFoundError):
        world.lease_ports.renew(ACME, "dialler", lease.lease_id, None)


def test_a_lease_lost_to_somebody_faster_is_refused() -> None:
    raced = RacedReservations()
    world = LicenceWorld(ports=1, reservations=raced)
    raced.before_save = [lambda: world.lease("m1")]
    with pytest.raises(InsufficientPortsError):
        world.lease("m0")
    assert world.out() == 1


def test_ports_that_are_bought_can_be_leased_at_once(world: LicenceWorld) -> None:
    world.hold(UnitItem("dialler", quantity=3, created=3))
    for member in ("m0", "m1", "m2"):
        world.lease(member)
    assert world.out() == 3


# Calls.


@pytest.mark.parametrize("to", [US, INBOUND], ids=["outbound", "inbound"])
def test_a_call_takes_a_port_for_as_long_as_it_is_authorised(
    world: LicenceWorld, to: Destination
) -> None:
    first = world.call("first", to=to)
    world.call("second", to=to)
    with pytest.raises(InsufficientPortsError) as refused:
        world.call("third", to=to)
    assert refused.value.members["cause"] == "pool_exhausted"
    world.settle_reservations.release("acme", first)
    world.call("third", to=to)
    world.clock.advance(HOUR)
    assert world.out() == 0


def test_a_text_message_takes_no_port(world: LicenceWorld) -> None:
    for number in range(3):
        world.call(f"text-{number}", to=TEXT)
    assert world.out() == 0


def test_asking_again_takes_no_second_port(world: LicenceWorld) -> None:
    first = world.call("call", "m0")
    assert world.call("call", "m0") == first
    assert world.out() == 1
    with pytest.raises(ConflictError):
        world.call("call", "m1")


def test_a_repetition_is_answered_when_the_licence_is_gone(world: LicenceWorld) -> None:
    world.assign("flex", "m0")
    first = world.call("call", "m0", "flex")
    world.remove("flex", "m0")
    assert world.call("call", "m0", "flex") == first
    with pytest.raises(InsufficientPortsError):
        world.call("another", "m0", "flex")


def test_a_lease_covers_one_call_at_a_time(world: LicenceWorld) -> None:
    world.lease("m0")
    world.call("one", "m0")
    assert world.out() == 1
    world.call("two", "m0")
    assert world.out() == 2
    with pytest.raises(InsufficientPortsError):
        world.call("three", "m0")


def test_a_lease_is_as_good_as_a_port_when_all_are_out() -> None:
    world = LicenceWorld(ports=2)
    world.lease("m0")
    world.call("stranger")
    world.call("his", "m0")
    assert world.out() == 2


def test_a_named_licence_is_checked_and_takes_no_port(world: LicenceWorld) -> None:
    with pytest.raises(LicenceRequiredError) as refused:
        world.call("call", "m0", "seat")
    assert refused.value.members == {"licence": "seat", "member": "m0"}
    world.assign("seat", "m0")
    for number in range(5):
        world.call(f"call-{number}", "m0", "seat")
    assert world.reservations.holds(ACME).peaks == ()


def test_no_port_is_taken_where_the_money_is_missing() -> None:
    world = LicenceWorld(micros=USD // 1_000)
    with pytest.raises(InsufficientBalanceError):
        world.call("call")
    assert world.out() == 0


def test_64_at_once_on_a_pool_of_10_admit_exactly_10() -> None:
    world = LicenceWorld(ports=10, members=64)
    world.use_reservations(InMemoryReservations(), sleep=lambda _seconds: None)
    starting = threading.Barrier(64)

    def ask(number: int) -> bool:
        starting.wait()
        while True:
            try:
                if number % 2:
                    world.lease(f"m{number}")
                else:
                    world.call(f"call-{number}", f"m{number}")
            except InsufficientPortsError:
                return False
            except BookBusyError:
                continue
            return True

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(ask, range(64))) == 10
    assert world.out() == 10


# What is told.


def test_an_exhausted_pool_is_told_once_in_an_hour(world: LicenceWorld) -> None:
    world.lease("m0", seconds=14_000)
    world.lease("m1", seconds=14_000)
    assert "licence.exhausted" not in world.told
    for _ in range(3):
        with pytest.raises(InsufficientPortsError):
            world.lease("m2")
        with pytest.raises(InsufficientPortsError):
            world.call("call")
    assert world.told.count("licence.exhausted") == 1
    event = world.book.outbox()[-1]
    assert event.data == {"licence": "dialler", "in_use": 2, "quantity": 2}
    world.clock.advance(HOUR)
    with pytest.raises(InsufficientPortsError):
        world.call("call")
    assert world.told.count("licence.exhausted") == 2


def test_who_may_take_no_port_exhausts_nothing(world: LicenceWorld) -> None:
    with pytest.raises(InsufficientPortsError):
        world.lease("m0", "flex")
    assert "licence.exhausted" not in world.told


def test_a_crash_between_the_event_and_its_note_tells_nobody_twice(world: LicenceWorld) -> None:
    world.lease("m0")
    world.lease("m1")

    def crash(_day: PortDay) -> NoReturn:
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.reservations, "keep_port_day", crash)
        with pytest.raises(SystemExit):
            world.lease("m2")
    with pytest.raises(InsufficientPortsError):
        world.lease("m2")
    assert world.told.count("licence.exhausted") == 1
    (hour,) = world.read_licences.history(ACME, "dialler", 1).hours
    assert hour.is_refused


def test_a_refusal_is_answered_even_where_it_cannot_be_told(world: LicenceWorld) -> None:
    world.lease("m0")
    world.lease("m1")
    world.book.races = [raising(BookContendedError("throttled"))] * MAX_ATTEMPTS
    with pytest.raises(InsufficientPortsError):
        world.lease("m2")
    assert "licence.exhausted" not in world.told
    with pytest.raises(InsufficientPortsError):
        world.lease("m2")
    assert "licence.exhausted" in world.told
