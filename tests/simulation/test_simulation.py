"""The real services and handlers, in a world where everything that can go wrong does.

``TALKTIME_SIMULATION_SEED`` (one or more) and ``TALKTIME_SIMULATION_OPERATIONS`` run other and
longer histories; ``python -m simulation.long`` runs a million operations.
"""

import os

import pytest

from simulation.figures import figures_of
from simulation.operations import Simulation

HISTORIES = ((1, 3_000), (2, 3_000), (3, 3_000), (4, 3_000), (7, 8_000))
"""Seeds and operations: 20,000 in all. A year goes by in the last; a longer one costs more per
operation, and shorter ones see fewer turns of a month."""

A_YEAR_DAYS = 366


def _histories() -> list[tuple[int, int]]:
    seeds = os.environ.get("TALKTIME_SIMULATION_SEED", "").split()
    operations = int(os.environ.get("TALKTIME_SIMULATION_OPERATIONS", "2000"))
    return [(int(seed), operations) for seed in seeds] or list(HISTORIES)


@pytest.mark.parametrize(("seed", "operations"), _histories())
def test_operations_with_crashes_leave_nothing_wrong(seed: int, operations: int) -> None:
    simulation = Simulation(seed)
    simulation.run(operations)
    figures = figures_of(simulation, operations)
    assert figures["crashes"] > operations // 20, figures
    assert figures["interruptions"] > operations // 20, figures
    assert figures["lost answers"] > operations // 50, figures
    if operations >= 3_000:
        # Everything there is has happened, again and again.
        for name in ("payments captured", "orders delivered", "invoices", "reservations"):
            assert figures[name] > operations // 200, (name, figures)
        assert figures["facts compared"] > operations // 10, figures
    if operations >= 8_000:
        assert figures["simulated days"] >= A_YEAR_DAYS, figures


def test_twenty_thousand_operations_are_the_default() -> None:
    assert sum(operations for _, operations in HISTORIES) == 20_000


def test_one_seed_has_one_history() -> None:
    histories = [Simulation(7), Simulation(7), Simulation(8)]
    for simulation in histories:
        simulation.run(300)
    first, again, other = (simulation.digest() for simulation in histories)
    assert first == again
    assert first != other
