"""The book, and everything that was written to it, in its order."""

from billing.domain.change import Change
from billing.ports import Reservations
from fakes.book import InMemoryBook


class JournalledBook(InMemoryBook):
    """Whoever checks reads on in ``written`` from where he was: no Change is looked at twice."""

    def __init__(self, reservations: Reservations | None = None) -> None:
        super().__init__(reservations)
        self.written: list[Change] = []

    def _apply(self, change: Change) -> None:
        super()._apply(change)
        self.written.append(change)
