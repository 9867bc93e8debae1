"""Histories of one flow: it goes well once, and from there on every other one is told."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from faults.wire_checks import assert_all_agree
from faults.wire_flows import WireFlow
from faults.wire_points import Fault, faults_of
from faults.wire_world import WireWorld
from wire.aws import Call

Faults = Mapping[int, Fault]


class Histories:
    """The history in which nothing fails, and where each of its invocations began.

    A history in which call 40 fails is the same until the invocation of call 40: it begins there,
    in the world as it then was. It is over as soon as the world is in a state from which it came
    to a good end before: what is stored and known decides alone what follows.
    """

    def __init__(self, world: WireWorld, blank: Any, flow: WireFlow) -> None:
        self.world = world
        self.flow = flow
        self.ends = 0
        world.restore(blank)
        flow.prepare(world)
        world.outside.asking = list(flow.asked)
        world.outside.are_webhooks_early = flow.are_webhooks_early
        world.aws.watcher = world.points
        world.points.arm({})
        self._ending_well: set[bytes] = set()
        self._begun: list[tuple[int, Any]] = []
        self._go_on(lambda: self._begun.append((len(world.points.calls), world.snapshot())))
        self.calls: list[Call] = world.points.calls

    @property
    def invocations(self) -> list[int]:
        """The first call of every invocation that makes any."""
        return sorted({first for first, _ in self._begun if first < len(self.calls)})

    def points(self) -> Iterator[tuple[int, Fault]]:
        """Everything that can go wrong in it, once."""
        for number, call in enumerate(self.calls):
            for fault in faults_of(call):
                yield number, fault

    def run(self, faults: Faults) -> bool:
        """Another history; whether it came to all of these."""
        self.begin(min(faults))
        self.world.points.arm(faults, self.world.points.calls)
        self._go_on()
        assert min(faults) in self.world.points.fired, "it came to that"
        return not self.world.points.is_armed

    def recover(self) -> None:
        """From wherever it stands, with nothing failing any more."""
        self.world.points.arm({}, self.world.points.calls)
        self._go_on()

    def begin(self, number: int) -> None:
        """Go back to the invocation in which a call is made."""
        before = [one for one in self._begun if one[0] <= number]
        first, snapshot = max(before, key=lambda one: one[0])
        self.world.restore(snapshot)
        self.world.journal.clear()
        self.world.points.arm({}, self.calls[:first])

    def pair(self, dice: random.Random) -> bool:
        """A fault, and another one in what may follow; whether it came to that."""
        number = dice.randrange(len(self.calls))
        fault = dice.choice(faults_of(self.calls[number]))
        place = number + 1 + dice.randrange(len(self.calls))
        second = dice.choice([one for one in Fault if one is not Fault.CONFLICT])
        return self.run({number: fault, place: second})

    def _go_on(self, checkpoint: Any = lambda: None) -> None:
        passed: list[bytes] = []

        def is_known() -> bool:
            if self.world.points.is_armed:
                return False
            passed.append(self.world.fingerprint())
            return passed[-1] in self._ending_well

        self.world.settle(checkpoint, is_known)
        assert self.world.points.let_through == self.world.aws.served, "no call went unseen"
        if not passed or passed[-1] not in self._ending_well:
            self.ends += 1
            assert_all_agree(self.world)
            wallet_micros = self.world.wallet_micros()
            assert wallet_micros in self.flow.wallet_micros, wallet_micros
        self._ending_well.update(passed)
