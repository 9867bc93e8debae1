"""The book, and everything that was written to it, in its order."""

from billing.domain.change import Change
from billing.ports import Reservations
from fakes.book import InMemoryBook


class JournalledBook(InMemoryBook):
    """Whoever checks reads on in ``written`` from where he was: no Change is looked at twice.

    ``active_members`` says by operation how many a tenant had as its gauge was written.
    """

    def __init__(self, reservations: Reservations | None = None) -> None:
        super().__init__(reservations)
        self.written: list[Change] = []
        self.active_members: dict[str, int] = {}

    def _apply(self, change: Change) -> None:
        super()._apply(change)
        self.written.append(change)
        if change.operation is not None and "/storage/" in change.operation.operation_id:
            counts = self.members.counts(change.after.ref.tenant_id)
            self.active_members[change.operation.operation_id] = counts.active
