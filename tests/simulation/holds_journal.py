"""What is set aside, and everything that was saved of it, in its order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.domain.reservations import Holds
from fakes.reservations import InMemoryReservations


@dataclass(frozen=True, slots=True)
class Saved:
    """One save, and the part of the journal of Changes that whoever saved may have seen.

    Args:
        since: Changes that were written when he began.
        until: Changes that were written when he saved.
        at: The true time then.
    """

    before: Holds
    after: Holds
    since: int
    until: int
    at: datetime


class JournalledReservations(InMemoryReservations):
    """Whoever checks reads on in ``saved`` from where he was.

    Args:
        written: How many Changes are written.
        true_now: The true time.
    """

    def __init__(self, written: Callable[[], int], true_now: Callable[[], datetime]) -> None:
        super().__init__()
        self.saved: list[Saved] = []
        # One for each operation that goes on: the last is at work, the others are interrupted.
        self.began = [0]
        self._written = written
        self._true_now = true_now

    def begin(self) -> None:
        self.began.append(self._written())

    def end(self) -> None:
        self.began.pop()

    def save(self, holds: Holds, seen_version: int) -> None:
        before = self.holds(holds.account)
        super().save(holds, seen_version)
        self.saved.append(Saved(before, holds, self.began[-1], self._written(), self._true_now()))
