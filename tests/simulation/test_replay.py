"""What is told of a history is enough to replay it, and a wrong result is a difference.

Once the memory of the same history without the fault stands in the model's place: whoever is told
the same must arrive at the same. Then the model itself has to find it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from billing.domain import ledger, posting, turning
from billing.domain.account import Account
from billing.domain.grants import Burn, Grant, UsageKey, burn
from billing.domain.units import Unit
from simulation import operations
from simulation.checker import Checker
from simulation.errors import InvariantError, require
from simulation.model import facts
from simulation.model.facts import Fact, Published
from simulation.operations import Simulation
from simulation.recorder import Recorder
from simulation.replay import Replay
from simulation.tenants import SITES, Site
from simulation.world import World

SEED = 1
OPERATIONS = 700

Memory = dict[Site, list[tuple[Fact, facts.Standing]]]
Patch = Callable[[pytest.MonkeyPatch], None]


class Remembering:
    """Stands where the account stood when the same was told."""

    def __init__(self, told: list[tuple[Fact, facts.Standing]]) -> None:
        self._told = iter(told)
        self._last = told[0][1]

    def apply(self, fact: Fact) -> facts.Standing:
        if not isinstance(fact, Published):
            known, self._last = next(self._told)
            require(known == fact, f"{known} was told, and now {fact}")
        return self._last


@pytest.fixture(scope="module")
def memory() -> Memory:
    """The history without any fault put in."""
    simulation = Simulation(SEED)
    simulation.run(OPERATIONS)
    return {site: list(_told(simulation.world, site)) for site in SITES}


def _told(world: World, site: Site) -> Iterator[tuple[Fact, facts.Standing]]:
    recorder = Recorder(lambda version: world.catalogs.version(version).catalog, lambda _change: 0)
    for change in world.book.written:
        told, standing = recorder.record(change)
        if change.after.ref == site.ref and told:
            *before, last = map(_without_members, told)
            yield from ((fact, replace(standing, invoices=())) for fact in before)
            yield last, standing


def _without_members(fact: Fact) -> Fact:
    """How many there were is not known any more once all is over."""
    return replace(fact, active_members=0) if isinstance(fact, facts.Stored) else fact


def _replayed(memory: Memory, patch: pytest.MonkeyPatch) -> Replay:
    """The history again, with the memory to check it before anything else does."""
    replays: list[Replay] = []

    class ReplayFirst(Checker):
        def __init__(self, world: World) -> None:
            super().__init__(world)
            self._replay = Replay(world, lambda site: Remembering(memory[site]))
            self._replay._recorder = Recorder(self._replay._catalog, lambda _change: 0)
            replays.append(self._replay)

        def check_step(self) -> None:
            require(not self._world.surprises, *self._world.surprises)
            self._replay.check()
            super().check_step()

    patch.setattr(operations, "Checker", ReplayFirst)
    Simulation(SEED).run(OPERATIONS)
    return replays[0]


def test_the_same_history_has_no_difference(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = _replayed(memory, monkeypatch)
    assert replay.compared == sum(map(len, memory.values())) > OPERATIONS // 10


def _a_second_too_few(patch: pytest.MonkeyPatch) -> None:
    def broken(
        grants: tuple[Grant, ...],
        unit: Unit,
        quantity: int,
        at: datetime,
        usage: UsageKey | None = None,
    ) -> Burn:
        whole = burn(grants, unit, quantity, at, usage)
        short = burn(grants, unit, max(0, whole.granted - 1), at, usage)
        return replace(whole, grants=short.grants)

    patch.setattr(posting, "burn", broken)


def _nothing_rolls_over(patch: pytest.MonkeyPatch) -> None:
    begin = turning.begin_next_period

    def broken(account: Account) -> Account:
        after = begin(account)
        return replace(after, grants=tuple(one for one in after.grants if not one.rolled_over))

    patch.setattr("billing.domain.rolling.begin_next_period", broken)


def _a_minor_unit_too_much(patch: pytest.MonkeyPatch) -> None:
    """What is sold costs a ten-thousandth more than was quoted."""
    post = ledger.post

    def broken(account: Account, **entry: object) -> object:
        amount = entry["amount_micros"]
        assert isinstance(amount, int)
        return post(account, **{**entry, "amount_micros": amount + bool(amount)})  # type: ignore[arg-type]

    patch.setattr("billing.domain.selling_entries.post", broken)


WRONG = [
    pytest.param(_a_second_too_few, "lots:", id="one second too few is burned"),
    pytest.param(_nothing_rolls_over, "lots:", id="nothing rolls over"),
    pytest.param(_a_minor_unit_too_much, "wallet_micros:", id="a sale is a micro too dear"),
]


@pytest.mark.parametrize(("put_in", "found_as"), WRONG)
def test_a_wrong_result_is_a_difference(
    put_in: Patch, found_as: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch)
    with pytest.raises(InvariantError, match=found_as):
        _replayed(memory, monkeypatch)


@pytest.mark.parametrize(("put_in", "found_as"), WRONG)
def test_the_model_finds_it_too(
    put_in: Patch, found_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ModelFirst(Checker):
        def check_step(self) -> None:
            require(not self._world.surprises, *self._world.surprises)
            self.replay.check()

    put_in(monkeypatch)
    monkeypatch.setattr(operations, "Checker", ModelFirst)
    with pytest.raises(InvariantError, match=found_as):
        Simulation(SEED).run(OPERATIONS)
