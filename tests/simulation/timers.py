"""The sparse index of what is due, as an index is: a little behind the table."""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from billing.domain.account import AccountRef
from billing.domain.records import Timer, TimerKind
from billing.ports import Timers
from simulation.faults import Faults

MISSING = 0.1
"""Timers that the index does not show yet."""

OUTDATED = 0.1
"""Accounts that it still shows as due, and are not."""


class LaggingTimers:
    """Implements Timers over the book's own, forgetting some and making some up."""

    def __init__(
        self,
        timers: Timers,
        accounts: Callable[[], list[AccountRef]],
        random: Random,
        faults: Faults,
    ) -> None:
        self._timers = timers
        self._accounts = accounts
        self._random = random
        self._faults = faults

    def due(self, kind: TimerKind, now: datetime) -> Iterator[Timer]:
        shown = [t for t in self._timers.due(kind, now) if not self._faults.chance(MISSING)]
        for ref in self._accounts():
            if self._faults.chance(OUTDATED):
                shown.append(Timer(kind, ref, now))
        if self._faults.is_enabled:
            self._random.shuffle(shown)
        return iter(shown)
