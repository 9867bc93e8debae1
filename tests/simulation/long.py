"""Runs many histories in two processes, and says what they came to: ``python -m simulation.long``.

``TALKTIME_SIMULATION_OPERATIONS`` (in all, a million) and ``TALKTIME_SIMULATION_FIRST_SEED`` (1)
run more, or others. A history that fails is told at once, with the command that replays it, and the
others go on: how many fail is a figure, too.
"""

import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator

from simulation.figures import figures_of
from simulation.operations import Simulation

PROCESSES = 2
USUAL = 3_000
LONG = 10_000
"""Of every ten histories the last is a long one: a year goes by in it, and more."""

PROGRESS_SECONDS = 10.0

History = tuple[int, int]
"""A seed, and how many operations."""

Outcome = tuple[History, Counter[str] | str]
"""What it came to; or how it failed."""


def histories(operations: int, first_seed: int) -> Iterator[History]:
    """As many as come to so many operations."""
    seed = first_seed
    while operations > 0:
        length = min(operations, LONG if seed % 10 == 0 else USUAL)
        yield seed, length
        operations -= length
        seed += 1


def played(history: History) -> Outcome:
    """One history from its beginning to its end."""
    seed, operations = history
    simulation = Simulation(seed)
    try:
        simulation.run(operations)
    except Exception as error:  # noqa: BLE001  # whatever it is, its seed is told
        return history, "\n".join([f"{error!r}", *getattr(error, "__notes__", ())])
    return history, figures_of(simulation, operations)


def main() -> int:
    operations = int(os.environ.get("TALKTIME_SIMULATION_OPERATIONS", "1000000"))
    first_seed = int(os.environ.get("TALKTIME_SIMULATION_FIRST_SEED", "1"))
    began = time.monotonic()
    figures: Counter[str] = Counter()
    failed: list[int] = []
    with multiprocessing.Pool(PROCESSES, initializer=_be_quiet) as pool:
        said_at = began
        for history, outcome in pool.imap_unordered(played, histories(operations, first_seed)):
            if isinstance(outcome, str):
                failed.append(history[0])
                _say(f"seed {history[0]} fails: {outcome}")
                continue
            figures += outcome
            if time.monotonic() > said_at + PROGRESS_SECONDS:
                said_at = time.monotonic()
                _say(f"{said_at - began:6.0f} s, {_progress(figures, operations)}")
    seconds = time.monotonic() - began
    what = f"Seeds {failed} failed, the others held" if failed else "All of it held"
    _say(f"{what}, in {seconds:.0f} s with {PROCESSES} processes:")
    for name, count in figures.items():
        _say(f"  {count:>12,} {name}")
    return 1 if failed else 0


def _progress(figures: Counter[str], operations: int) -> str:
    done, seeds = figures["operations"], figures["histories"]
    return f"{done:,} of {operations:,} operations, {seeds} seeds"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _be_quiet() -> None:
    """Thousands of injected failures would be thousands of lines of log."""
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
