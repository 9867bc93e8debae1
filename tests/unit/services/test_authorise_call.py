"""Authorising, extending, linking and freeing, while others do the same."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from billing.domain.account import Account, AccountRef, PlanFeatures
from billing.domain.authorising import CallWanted
from billing.domain.covering import Destination
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    ConcurrencyLimitReachedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    NotFoundError,
)
from billing.domain.reservations import Holds, reservation_id
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, UsageEvent
from billing.services.racing import BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS, MAX_ATTEMPTS
from builders import ACME, GLOBEX, USD, a_call_key, a_touch, a_usage_event
from fakes.reservations import InMemoryReservations
from unit.world import World, raising

T = TypeVar("T")

US = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
SLICE = 6 * USD
"""What ten minutes at a cent a second cost."""


class RacedReservations(InMemoryReservations):
    """Where something may happen between a worker's read and its write."""

    def __init__(self) -> None:
        super().__init__()
        self.races: list[Callable[[], object]] = []

    def save(self, holds: Holds, seen_version: int) -> None:
        if self.races:
            self.races.pop(0)()
        super().save(holds, seen_version)


class CallWorld(World):
    """An account that can pay for so many slices of ten minutes."""

    def __init__(self, slices: int = 1, features: PlanFeatures | None = None) -> None:
        super().__init__()
        self.raced = RacedReservations()
        self.use_reservations(self.raced)
        self.upload()
        self.open()
        if slices:
            self.credit(slices * SLICE)
        if features:
            account = self.account
            plan = replace(account.plan, features=features)
            change = a_touch(account, "features", self.clock.now())
            self.book.commit(replace(change, after=replace(change.after, plan=plan)))

    def ask(self, call_id: str = "call", ref: AccountRef = ACME) -> str:
        wanted = CallWanted(call_id, US)
        return self.authorise_call.authorise(ref, wanted).reservation.reservation_id

    def is_asked(self, call_id: str) -> bool:
        try:
            self.ask(call_id)
        except InsufficientBalanceError:
            return False
        return True

    @property
    def reserved(self) -> int:
        return self.raced.holds(ACME).reserved_micros(self.clock.now())

    def a_call(self, number: int = 1, seconds: int = 600) -> UsageEvent:
        now = self.clock.now()
        return a_usage_event(
            number, now, quantity=seconds, answered_at=now - timedelta(seconds=seconds)
        )


def test_a_call_is_allowed_for_as_long_as_the_money_lasts() -> None:
    world = CallWorld(features=PlanFeatures(queue_priority=7))
    found = world.authorise_call.authorise(ACME, CallWanted("call", US, 3_600))
    assert found.reservation.cover.seconds == 600
    assert (found.rate.rate_micros, found.currency, found.queue_priority) == (600_000, "USD", 7)
    assert world.reserved == SLICE
    assert not world.is_asked("another")


def test_authorising_writes_nothing_of_the_account() -> None:
    world = CallWorld()
    before = world.account
    world.ask()
    assert world.account == before


def test_asking_again_is_harmless() -> None:
    world = CallWorld()
    first = world.ask()
    version = world.raced.holds(ACME).version
    assert world.ask() == first
    assert world.raced.holds(ACME).version == version


def test_an_account_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        CallWorld().ask(ref=GLOBEX)


def test_a_deck_that_is_not_in_force_or_in_another_currency_has_no_price() -> None:
    world = World()
    world.open()
    with pytest.raises(DestinationNotRatedError):
        world.authorise_call.authorise(ACME, CallWanted("call", US))
    world.upload(currency="EUR")
    with pytest.raises(DestinationNotRatedError):
        world.authorise_call.authorise(ACME, CallWanted("call", US))


def test_a_late_roll_makes_no_difference() -> None:
    world = World()
    world.upload()
    world.open(seconds=600)
    world.clock.advance(timedelta(days=40))
    found = world.authorise_call.authorise(ACME, CallWanted("call", US))
    assert found.reservation.cover.grants == (("minutes:20260401T0000Z", 600),)


def test_the_posted_call_frees_what_was_set_aside() -> None:
    world = CallWorld(2)
    name = world.ask()
    world.settle_reservations.link("acme", name, a_call_key(1))
    world.clock.advance(timedelta(minutes=10))
    assert world.post_usage.post(ACME, [world.a_call(seconds=100)]) == 1
    assert world.reserved == 0
    assert world.account.wallet_micros == 2 * SLICE - 100 * USD // 100
    # Settling again, or what has expired, changes nothing.
    version = world.raced.holds(ACME).version
    world.settle_reservations.posted(ACME, [a_call_key(1)])
    world.settle_reservations.release("acme", name)
    assert world.raced.holds(ACME).version == version


def test_a_call_that_is_posted_before_it_is_linked_frees_it_all_the_same() -> None:
    world = CallWorld(2)
    name = world.ask()
    world.clock.advance(timedelta(minutes=10))
    world.post_usage.post(ACME, [world.a_call()])
    assert world.reserved == SLICE
    world.settle_reservations.link("acme", name, a_call_key(1))
    assert world.reserved == 0


def test_a_dialler_that_reports_its_calls_itself_links_nothing() -> None:
    world = CallWorld()
    world.ask("dialled-1")
    world.clock.advance(timedelta(minutes=10))
    own = replace(world.a_call(), key=CallKey("api", "urn:dialler", "dialled-1"))
    world.post_usage.post(ACME, [own])
    assert world.reserved == 0


def test_a_crash_between_posting_and_freeing_leaves_it_to_expire() -> None:
    world = CallWorld(2)
    world.settle_reservations.link("acme", world.ask(), a_call_key(1))
    world.raced.races = [raising(ConnectionError("the worker is gone"))]
    world.clock.advance(timedelta(minutes=10))
    with pytest.raises(ConnectionError):
        world.post_usage.post(ACME, [world.a_call()])
    assert (world.account.wallet_micros, world.reserved) == (SLICE, SLICE)
    assert world.post_usage.post(ACME, [world.a_call()], redelivered=True) == 0
    assert world.account.wallet_micros == SLICE
    world.clock.advance(timedelta(minutes=12))
    assert world.reserved == 0


def test_a_posting_does_not_wait_for_holds_that_are_busy() -> None:
    world = CallWorld(2)
    world.settle_reservations.link("acme", world.ask(), a_call_key(1))
    world.raced.races = [raising(BookContendedError("throttled"))] * MAX_ATTEMPTS
    world.clock.advance(timedelta(minutes=10))
    assert world.post_usage.post(ACME, [world.a_call()]) == 1


@pytest.mark.parametrize("name", ["res_nobody", "res_" + "0" * 24 + "_main", "x"])
def test_what_was_never_reserved_is_not_found(name: str) -> None:
    world = CallWorld()
    with pytest.raises(NotFoundError):
        world.authorise_call.extend("acme", name, 60)
    with pytest.raises(NotFoundError):
        world.settle_reservations.link("acme", name, a_call_key())
    assert world.raced.holds(ACME).version == 0


def test_another_tenant_extends_links_and_frees_nothing() -> None:
    world = CallWorld()
    world.open(GLOBEX)
    name = world.ask()
    before = world.raced.holds(ACME)
    with pytest.raises(NotFoundError):
        world.authorise_call.extend("globex", name, 60)
    with pytest.raises(NotFoundError):
        world.settle_reservations.link("globex", name, a_call_key())
    world.settle_reservations.release("globex", name)
    assert world.raced.holds(ACME) == before


def test_an_extension_is_priced_as_of_the_first_asking() -> None:
    world = CallWorld(4)
    name = world.ask()
    world.upload(
        "prefix,destination,rate,first_increment_seconds,next_increment_seconds\n1,Us,6.00,1,1\n",
        version=2,
        effective_at=world.clock.now() + timedelta(minutes=5),
    )
    world.clock.advance(timedelta(minutes=9))
    longer = world.authorise_call.extend("acme", name, 1_200)
    assert longer.reservation.cover.wallet_micros == 2 * SLICE
    assert longer.rate.rate_micros == 600_000
    dearer = world.authorise_call.authorise(ACME, CallWanted("next", US))
    assert dearer.reservation.cover.seconds == 2 * SLICE // (USD // 10)


def test_money_that_another_call_took_meanwhile_is_not_given_twice() -> None:
    world = CallWorld()
    world.raced.races = [lambda: world.ask("faster")]
    assert not world.is_asked("slower")
    assert [one.call_id for one in world.raced.holds(ACME).reservations] == ["faster"]


def test_a_call_posted_between_the_reads_counts_twice_and_never_not_at_all() -> None:
    world = CallWorld(2)
    world.settle_reservations.link("acme", world.ask("first"), a_call_key(1))
    world.clock.advance(timedelta(minutes=10))

    def post() -> None:
        world.post_usage.post(ACME, [world.a_call()])

    reads = [post]
    account = world.book.account

    def read(ref: AccountRef) -> Account:
        if reads:
            reads.pop()()
        return account(ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.book, "account", read)
        assert not world.is_asked("second")
    assert (world.account.wallet_micros, world.reserved) == (SLICE, 0)
    assert world.is_asked("second")
    assert not world.is_asked("third")


def test_the_account_is_read_after_the_holds() -> None:
    """The other way round, a call posted and freed between the reads would count for nothing."""
    world = CallWorld(2)
    world.settle_reservations.link("acme", world.ask("first"), a_call_key(1))
    world.clock.advance(timedelta(minutes=10))
    holds, reads = world.raced.holds, ["the first"]

    def read(ref: AccountRef) -> Holds:
        if reads:
            reads.pop()
            world.post_usage.post(ACME, [world.a_call()])
        return holds(ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.raced, "holds", read)
        found = world.authorise_call.authorise(ACME, CallWanted("second", US, 1_200))
    assert found.reservation.cover.seconds == 600
    assert world.account.wallet_micros == world.reserved == SLICE


def test_a_call_posted_and_freed_before_the_save_is_decided_again() -> None:
    world = CallWorld(2)
    world.settle_reservations.link("acme", world.ask("first"), a_call_key(1))
    world.clock.advance(timedelta(minutes=10))
    versions = [world.raced.holds(ACME).version]

    def post() -> None:
        world.post_usage.post(ACME, [world.a_call()])
        versions.append(world.raced.holds(ACME).version)

    world.raced.races = [post]
    world.ask("second")
    assert world.raced.holds(ACME).version == versions[0] + 2 == versions[1] + 1
    assert world.account.wallet_micros == world.reserved == SLICE


def test_contention_is_waited_out_with_full_jitter() -> None:
    world = CallWorld()
    world.raced.races = [raising(BookContendedError("throttled"))] * (MAX_ATTEMPTS - 1)
    world.ask()
    bounds = [min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**n) for n in range(19)]
    assert len(world.slept) == len(bounds)
    assert all(0 <= wait <= bound for wait, bound in zip(world.slept, bounds, strict=True))


def test_beyond_the_bound_it_is_busy_and_nothing_is_set_aside() -> None:
    world = CallWorld()
    world.raced.races = [raising(BookContendedError("throttled"))] * MAX_ATTEMPTS
    with pytest.raises(BookBusyError):
        world.ask()
    assert world.raced.holds(ACME) == Holds(ACME)


def test_a_plans_limit_holds_against_all_at_once() -> None:
    world = CallWorld(100, PlanFeatures(concurrent_calls=3))

    def ask(number: int) -> bool:
        try:
            world.ask(f"call-{number}")
        except ConcurrencyLimitReachedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(16))) == 3


class ContendedReservations(InMemoryReservations):
    """Refuses one save in so many, before it is done or as if it had not been."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self._dice = random.Random(5)
        self._dicing = threading.Lock()

    def save(self, holds: Holds, seen_version: int) -> None:
        with self._dicing:
            is_refused, is_answer_lost = (self._dice.random() < self._share for _ in range(2))
        if is_refused and not is_answer_lost:
            raise BookContendedError("in conflict with another transaction")
        super().save(holds, seen_version)
        if is_refused:
            raise BookContendedError("it was saved, and nobody said so")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_64_at_once_on_a_wallet_for_10_admit_exactly_10(share: float) -> None:
    world = CallWorld(10)
    contended = ContendedReservations(share)
    world.use_reservations(contended, sleep=lambda _seconds: None)
    starting = threading.Barrier(64)

    def ask(number: int) -> bool:
        starting.wait()
        while True:
            try:
                return world.is_asked(f"call-{number}")
            except BookBusyError:
                continue

    with ThreadPoolExecutor(64) as pool:
        admitted = list(pool.map(ask, range(64)))
    assert sum(admitted) == 10
    kept = {one.call_id for one in contended.holds(ACME).reservations}
    assert kept == {f"call-{n}" for n, is_admitted in enumerate(admitted) if is_admitted}
    assert contended.holds(ACME).reserved_micros(world.clock.now()) == 10 * SLICE


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_conflicts_lose_no_update(share: float) -> None:
    world = CallWorld(50)
    contended = ContendedReservations(share)
    world.use_reservations(contended, sleep=lambda _seconds: None)

    def work(number: int) -> None:
        for step in range(5):
            name = until_done(partial(world.ask, f"call-{number}-{step}"))
            key = a_call_key(number)
            until_done(partial(world.settle_reservations.link, "acme", name, key))
            if step < 4:
                until_done(partial(world.settle_reservations.release, "acme", name))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    kept = contended.holds(ACME).reservations
    assert {one.reservation_id for one in kept} == {
        reservation_id(ACME, f"call-{number}-4") for number in range(8)
    }
    assert {one.call for one in kept} == {a_call_key(number) for number in range(8)}


def until_done(act: Callable[[], T]) -> T:
    while True:
        try:
            return act()
        except BookBusyError:
            continue
