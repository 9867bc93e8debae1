"""Any order of assigning, leasing, renewing, calling, expiring and giving back, with others getting
in between: no more is out than there is, and nothing is refused that is free.

The model counts by itself who has what; the hours of the history have to agree with it as well.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from billing.domain.errors import (
    InsufficientPortsError,
    LicenceRequiredError,
    NoLicenceAvailableError,
)
from billing.domain.licences import Assignment
from billing.domain.pooling import hour_of, hour_start
from billing.domain.reservations import Holds
from builders import ACME
from fakes.reservations import InMemoryReservations
from unit.licence_world import LicenceWorld

PORTS = 2
SEATS = 1
MEMBERS = st.sampled_from(["m0", "m1", "m2"])
CALLERS = st.sampled_from(["", "m0", "m1", "m2"])
POOLS = st.sampled_from(["dialler", "flex"])
NAMED = st.sampled_from(["seat", "crm"])
LEASED = timedelta(minutes=20)
CALL_LASTS = timedelta(minutes=2, seconds=60) + timedelta(minutes=10)


class InterleavedReservations(InMemoryReservations):
    """Where others get in before a save."""

    def __init__(self) -> None:
        super().__init__()
        self.before_save: list[Callable[[], object]] = []

    def save(self, holds: Holds, seen_version: int) -> None:
        if self.before_save:
            self.before_save.pop()()
        super().save(holds, seen_version)


class Licences(RuleBasedStateMachine):
    """One account, three members, two named kinds and two pools of two ports each."""

    def __init__(self) -> None:
        super().__init__()
        self.store = InterleavedReservations()
        self.world = LicenceWorld(seats=SEATS, ports=PORTS, members=3, reservations=self.store)
        self.assigned: set[tuple[str, str]] = set()
        self.leases: dict[tuple[str, str], datetime] = {}
        self.calls: dict[str, tuple[str, str, datetime]] = {}
        self.begun = 0
        self.peaks: dict[str, dict[int, int]] = {"dialler": {}, "flex": {}}

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def out(self, kind: str, at: datetime) -> int:
        calls = Counter(
            member for one, member, ends in self.calls.values() if one == kind and at < ends
        )
        leased = {
            member for (one, member), ends in self.leases.items() if one == kind and at < ends
        }
        return sum(max(calls[who], who in leased) for who in {*calls, *leased})

    def observe(self, at: datetime) -> None:
        for kind, hours in self.peaks.items():
            if out := self.out(kind, at):
                hours[hour_of(at)] = max(out, hours.get(hour_of(at), 0))

    def may(self, kind: str, member: str) -> bool:
        return kind == "dialler" or (kind, member) in self.assigned

    def lease(self, kind: str, member: str) -> None:
        before, key = self.out(kind, self.now), (kind, member)
        standing = self.leases.get(key)
        self.leases[key] = max(self.now + LEASED, standing or self.now)
        fits = self.out(kind, self.now) <= max(before, PORTS)
        try:
            self.world.lease(member, kind, int(LEASED.total_seconds()))
        except InsufficientPortsError as error:
            del self.leases[key]
            if standing:
                self.leases[key] = standing
            cause = error.members["cause"]
            assert (cause == "pool_exhausted") == self.may(kind, member)
            assert not (self.may(kind, member) and fits), "a free port is not refused"
        else:
            assert self.may(kind, member)
            assert fits

    def call(self, kind: str, member: str) -> None:
        self.begun += 1
        name, before = f"call-{self.begun}", self.out(kind, self.now)
        self.calls[name] = (kind, member, self.now + CALL_LASTS)
        fits = self.out(kind, self.now) <= max(before, PORTS)
        try:
            made = self.world.call(name, member, kind)
        except InsufficientPortsError:
            assert not (self.may(kind, member) and fits), "a free port is not refused"
            del self.calls[name]
        else:
            assert self.may(kind, member)
            assert fits
            self.calls[made] = self.calls.pop(name)

    def hang_up(self, place: int) -> None:
        if self.calls:
            name = sorted(self.calls)[place % len(self.calls)]
            del self.calls[name]
            for _ in range(2):
                self.world.settle_reservations.release("acme", name)

    @rule(kind=POOLS, member=MEMBERS)
    def lease_or_renew(self, kind: str, member: str) -> None:
        self.lease(kind, member)

    @rule(kind=POOLS, caller=CALLERS)
    def begin_a_call(self, kind: str, caller: str) -> None:
        if kind == "flex" and not caller:
            return
        self.call(kind, caller)

    @rule(place=st.integers(0, 9))
    def end_a_call(self, place: int) -> None:
        self.hang_up(place)

    @rule(kind=POOLS, member=MEMBERS, place=st.integers(0, 9))
    def lease_while_another_acts(self, kind: str, member: str, place: int) -> None:
        """Whoever got in between came first; the model is told in that order."""
        others = [one for one in ("m0", "m1", "m2") if one != member]
        acts: list[Callable[[], None]] = [
            lambda: self.hang_up(place),
            lambda: self.call("dialler", others[place % 2]),
            lambda: self.lease("dialler", others[place % 2]),
        ]
        key, standing = (kind, member), self.leases.get((kind, member))
        self.store.before_save.append(acts[place % 3])
        try:
            self.world.lease(member, kind, int(LEASED.total_seconds()))
        except InsufficientPortsError:
            assert not self.may(kind, member) or self.out(kind, self.now) >= PORTS
        else:
            assert self.may(kind, member)
            self.leases[key] = max(self.now + LEASED, standing or self.now)
        self.store.before_save.clear()

    @rule(kind=POOLS, member=MEMBERS)
    def give_back(self, kind: str, member: str) -> None:
        for one in self.store.holds(ACME).live_leases(self.now):
            if (one.kind, one.member_id) == (kind, member):
                for _ in range(2):
                    self.world.lease_ports.give_back(ACME, one.lease_id)
        self.leases.pop((kind, member), None)

    @rule(kind=st.sampled_from(["seat", "crm", "flex"]), member=MEMBERS)
    def assign(self, kind: str, member: str) -> None:
        held = {one for one in self.assigned if one[0] == kind}
        try:
            self.world.assign(kind, member)
        except NoLicenceAvailableError:
            assert kind != "flex"
            assert len(held) == SEATS
            assert (kind, member) not in held
        else:
            self.assigned.add((kind, member))

    @rule(place=st.integers(0, 9))
    def take_away(self, place: int) -> None:
        """Whoever has one; sometimes somebody who has none."""
        held = sorted(self.assigned) or [("seat", "m0")]
        kind, member = held[place % len(held)]
        self.world.remove(kind, member)
        self.assigned.discard((kind, member))
        self.leases.pop((kind, member), None)

    @rule(kind=NAMED, member=MEMBERS)
    def call_by_name(self, kind: str, member: str) -> None:
        self.begun += 1
        try:
            name = self.world.call(f"call-{self.begun}", member, kind)
        except LicenceRequiredError:
            assert (kind, member) not in self.assigned
        else:
            assert (kind, member) in self.assigned
            self.world.settle_reservations.release("acme", name)

    @rule(minutes=st.integers(1, 150))
    def wait(self, minutes: int) -> None:
        later = self.now + timedelta(minutes=minutes)
        for hour in range(hour_of(self.now) + 1, hour_of(later) + 1):
            self.observe(hour_start(hour))
        self.world.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def never_more_is_out_than_the_pool_has(self) -> None:
        self.observe(self.now)
        for kind in ("dialler", "flex"):
            assert self.world.out(kind) == self.out(kind, self.now) <= PORTS

    @invariant()
    def never_more_are_named_than_there_are(self) -> None:
        kept = self.world.book.things(ACME, Assignment)
        assert {(one.kind, one.member_id) for one in kept if one.is_held} == self.assigned
        for kind in ("seat", "crm"):
            assert sum(one[0] == kind for one in self.assigned) <= SEATS
        crm = sum(one[0] == "crm" for one in self.assigned)
        assert self.world.subscription.unit("crm").created == crm

    @invariant()
    def the_history_has_every_hours_most(self) -> None:
        for kind, peaks in self.peaks.items():
            hours = self.world.read_licences.history(ACME, kind, 90).hours
            assert {hour_of(one.at): one.most for one in hours if one.most} == peaks


Licences.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
TestLicences = Licences.TestCase
