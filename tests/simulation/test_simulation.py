"""The real services and handlers, in a world where everything that can go wrong does.

``TALKTIME_SIMULATION_SEED`` (one or more) and ``TALKTIME_SIMULATION_OPERATIONS`` run other and
longer histories.
"""

import os

import pytest

from simulation.operations import Simulation

SEEDS = tuple(int(seed) for seed in os.environ.get("TALKTIME_SIMULATION_SEED", "1 2 3").split())
OPERATIONS = int(os.environ.get("TALKTIME_SIMULATION_OPERATIONS", "2000"))


@pytest.mark.parametrize("seed", SEEDS)
def test_two_thousand_operations_with_crashes(seed: int) -> None:
    simulation = Simulation(seed)
    simulation.run(OPERATIONS)
    counts = simulation.world.faults.counts
    assert counts["crashes"] > OPERATIONS // 20, counts
    assert counts["interruptions"] > OPERATIONS // 20, counts
    assert counts["lost answers"] > OPERATIONS // 50, counts


def test_one_seed_has_one_history() -> None:
    histories = [Simulation(7), Simulation(7), Simulation(8)]
    for simulation in histories:
        simulation.run(300)
    first, again, other = (simulation.digest() for simulation in histories)
    assert first == again
    assert first != other
