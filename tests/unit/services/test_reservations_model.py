"""Any order of authorising, extending, posting, freeing, crashing and waiting: the wallet holds.

Calls stay within what they are covered for, and are reported in time. Then the wallet always holds
what every call that is going on may still be charged, and so it never goes below zero. Prices
differ where there are no grants; where there are, they are one, because lots belong to whoever is
posted first (docs/authorisation.md, "Whose minutes").
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing.domain.authorising import CallWanted
from billing.domain.covering import Destination, Tariff
from billing.domain.errors import InsufficientBalanceError
from billing.domain.rating import rate_usage
from billing.domain.reservations import Holds, Reservation
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallStatus
from billing.services.racing import MAX_ATTEMPTS
from builders import ACME, USD, a_call_key, a_usage_event
from fakes.reservations import InMemoryReservations
from unit.world import World

PRICES = """\
prefix,destination,rate,connect_fee,first_increment_seconds,next_increment_seconds
1,North America,0.60,0,1,1
44,United Kingdom,0.90,0.25,60,6
"""
NUMBERS = ("+14155550100", "+442079460000")
SECONDS = st.integers(1, 1_500)
RING = timedelta(seconds=20)


class Crash(BaseException):
    """The worker is gone."""


class InterleavedReservations(InMemoryReservations):
    """Where others get in between a read of the holds and what follows it, and before a save."""

    def __init__(self) -> None:
        super().__init__()
        self.after_read: list[Callable[[], object]] = []
        self.before_save: list[Callable[[], object]] = []

    def holds(self, ref: object) -> Holds:
        found = super().holds(ACME)
        if self.after_read:
            self.after_read.pop()()
        return found

    def save(self, holds: Holds, seen_version: int) -> None:
        if self.before_save:
            self.before_save.pop()()
        super().save(holds, seen_version)


@dataclass(frozen=True)
class Going:
    """A call that goes on: answered after a while, and covered for so long."""

    number: int
    name: str

    @property
    def call_id(self) -> str:
        return f"call-{self.number}"


class Wallet(RuleBasedStateMachine):
    """One account, its calls, and everybody at once."""

    def __init__(self) -> None:
        super().__init__()
        self.store = InterleavedReservations()
        self.world = World()
        self.world.use_reservations(self.store)
        self.world.upload(PRICES)
        self.going: dict[int, Going] = {}
        self.calls = 0
        self.has_grants = False

    @initialize(seconds=st.sampled_from([0, 0, 900, 2_000]), cents=st.integers(0, 3_000))
    def begin(self, seconds: int, cents: int) -> None:
        self.world.open(seconds=seconds)
        self.has_grants = seconds > 0
        self.credit(cents)

    def credit(self, cents: int) -> None:
        if cents:
            self.world.credit(cents * USD // 100, f"credit {self.calls} {self.now}")

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def standing(self, call: Going) -> Reservation:
        found = InMemoryReservations.holds(self.store, ACME).find(call.name, self.now)
        assert found is not None, "it is live until it is posted"
        return found

    def ask(self, place: int, seconds: int) -> None:
        to = NUMBERS[0 if self.has_grants else place % 2]
        self.calls += 1
        number = self.calls
        wanted = CallWanted(
            f"call-{number}", Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, to), seconds
        )
        try:
            made = self.world.authorise_call.authorise(ACME, wanted)
        except InsufficientBalanceError:
            return
        call = Going(number, made.reservation.reservation_id)
        self.going[number] = call
        self.world.settle_reservations.link("acme", call.name, a_call_key(number))

    def end(self, call: Going, seconds: int) -> None:
        """Post the call, for as long as it can have lasted."""
        standing = self.standing(call)
        elapsed = int((self.now - standing.reserved_at - RING).total_seconds())
        lasted = max(0, min(seconds, elapsed, standing.cover.seconds))
        answered_at = standing.reserved_at + RING
        event = a_usage_event(
            call.number,
            self.now,
            to_number=standing.destination.to_number,
            quantity=lasted,
            status=CallStatus.COMPLETED if lasted else CallStatus.NO_ANSWER,
            answered_at=answered_at if lasted else None,
            ended_at=answered_at + timedelta(seconds=lasted) if lasted else self.now,
        )
        del self.going[call.number]
        assert self.world.post_usage.post(ACME, [event]) == 1

    def pick(self, place: int) -> Going | None:
        calls = list(self.going.values())
        return calls[place % len(calls)] if calls else None

    def someone(self, place: int, seconds: int) -> Callable[[], object]:
        """What somebody else does meanwhile."""

        def act() -> None:
            call = self.pick(place)
            if call is None or place % 3 == 0:
                self.ask(place, seconds)
            elif place % 3 == 1:
                self.end(call, seconds)
            else:
                del self.going[call.number]
                self.world.settle_reservations.release("acme", call.name)

        return act

    @rule(place=st.integers(0, 9), seconds=SECONDS)
    def authorise(self, place: int, seconds: int) -> None:
        self.ask(place, seconds)

    @rule(
        place=st.integers(0, 9),
        seconds=SECONDS,
        other=st.integers(0, 9),
        is_between_reads=st.booleans(),
    )
    def authorise_while_another_acts(
        self, place: int, seconds: int, other: int, is_between_reads: bool
    ) -> None:
        races = self.store.after_read if is_between_reads else self.store.before_save
        races.append(self.someone(other, seconds))
        self.ask(place, seconds)
        races.clear()

    @precondition(lambda self: self.going)
    @rule(place=st.integers(0, 9), seconds=SECONDS, other=st.integers(0, 9))
    def extend_while_another_acts(self, place: int, seconds: int, other: int) -> None:
        call = self.pick(place)
        assert call is not None
        before = self.standing(call).cover.seconds
        if other % 3 == 0:
            self.store.before_save.append(self.someone(other, seconds))
        found = self.world.authorise_call.extend("acme", call.name, seconds)
        self.store.before_save.clear()
        assert found.reservation.cover.seconds >= before

    @precondition(lambda self: self.going)
    @rule(place=st.integers(0, 9), seconds=SECONDS)
    def hang_up(self, place: int, seconds: int) -> None:
        call = self.pick(place)
        assert call is not None
        self.end(call, seconds)

    @precondition(lambda self: self.going)
    @rule(place=st.integers(0, 9), seconds=SECONDS)
    def hang_up_and_crash_before_it_is_freed(self, place: int, seconds: int) -> None:
        call = self.pick(place)
        assert call is not None

        def crash() -> None:
            raise Crash

        self.store.before_save.append(crash)
        with suppress(Crash):
            self.end(call, seconds)
        self.store.before_save.clear()

    @precondition(lambda self: self.going)
    @rule(place=st.integers(0, 9))
    def give_up(self, place: int) -> None:
        call = self.pick(place)
        assert call is not None
        del self.going[call.number]
        for _ in range(2):
            self.world.settle_reservations.release("acme", call.name)

    @precondition(lambda self: self.going)
    @rule(place=st.integers(0, 9))
    def ask_again(self, place: int) -> None:
        call = self.pick(place)
        assert call is not None
        standing = self.standing(call)
        wanted = CallWanted(call.call_id, standing.destination, 1)
        assert self.world.authorise_call.authorise(ACME, wanted).reservation == standing

    @rule(cents=st.integers(1, 1_000))
    def recharge(self, cents: int) -> None:
        self.calls += 1
        self.credit(cents)

    @rule(minutes=st.integers(1, 15))
    def wait(self, minutes: int) -> None:
        """Whoever would still talk when the reservation expires hangs up and is reported."""
        later = self.now + timedelta(minutes=minutes)
        for call in list(self.going.values()):
            if not self.standing(call).is_live(later):
                self.end(call, 10**6)
        self.world.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def the_wallet_holds_what_is_going_on(self) -> None:
        if not self.calls and not self.world.book.account_refs():
            return
        account = self.world.account
        assert account.wallet_micros >= 0
        assert not self.world.parked
        assert len(self.world.slept) < MAX_ATTEMPTS * 50
        owed, lots = 0, sum(lot.remaining for lot in account.grants)
        for call in self.going.values():
            standing = self.standing(call)
            to = standing.destination
            (version,) = self.world.decks.versions("standard")
            tariff = Tariff(self.world.decks.load(version), standing.reserved_at)
            rated = rate_usage(
                tariff.deck, to.unit, to.direction, to.to_number, standing.cover.seconds
            )
            granted = min(lots, rated.billed_quantity) if self.has_grants else 0
            lots -= granted
            per_second = rated.cost_micros // rated.billed_quantity
            owed += rated.cost_micros - granted * (per_second if self.has_grants else 0)
        assert account.wallet_micros >= owed


Wallet.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
TestTheWalletIsNeverOverReserved = Wallet.TestCase
