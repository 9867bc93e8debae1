"""Count what waits in the quarantine, and say how long the oldest has."""

from dataclasses import dataclass
from datetime import timedelta

from billing.domain.errors import ConflictError
from billing.domain.quarantine import Parked
from billing.ports import Book, Clock, Quarantine
from billing.services.read_quarantine import ReadQuarantine


@dataclass(frozen=True, slots=True)
class QuarantineAge:
    """How the quarantine stands.

    Args:
        waiting: Items that are neither posted nor dismissed.
        settled: Items that were found posted, and are closed since.
        oldest: How long the oldest that waits has been parked; zero if none does.
    """

    waiting: int
    settled: int
    oldest: timedelta


class AgeQuarantine:
    """Closes what was posted meanwhile, and counts the rest. Run twice, it says the same."""

    def __init__(self, quarantine: Quarantine, book: Book, clock: Clock) -> None:
        self._quarantine = quarantine
        self._clock = clock
        self._read = ReadQuarantine(quarantine, book)

    def age(self) -> QuarantineAge:
        now = self._clock.now()
        waiting = settled = 0
        oldest = timedelta(0)
        for group in self._quarantine.open():
            for seen, parked in zip(group, self._read.settled(group), strict=True):
                if parked.is_open:
                    waiting += 1
                    oldest = max(oldest, now - parked.parked_at)
                else:
                    settled += self._close(parked, seen.version)
        return QuarantineAge(waiting, settled, oldest)

    def _close(self, parked: Parked, seen_version: int) -> int:
        try:
            self._quarantine.save(parked, seen_version)
        except ConflictError:
            # Somebody is at it; the book still says the same at the next count.
            return 0
        return 1
