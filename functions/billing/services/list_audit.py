"""List who changed what of an account, newest first."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from billing.domain.account import AccountRef
from billing.domain.records import AuditRecord
from billing.ports import AuditPosition, AuditTrail, Book, Clock
from billing.services.list_usage import instant

MAX_READ = 1_000
"""Records looked at for one page. A filter that few records pass makes pages that are short, or
empty, and go on."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours the clock of whoever wrote a record may have been."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are wanted: those for which everything given holds.

    Args:
        begin: An instant, or a day in the account's own time zone.
        end: The same, and not included.
    """

    begin: datetime | date | None = None
    end: datetime | date | None = None
    action: str | None = None
    actor: str | None = None

    def passes(self, record: AuditRecord) -> bool:
        return self.action in (None, record.action) and self.actor in (None, record.actor)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Records, newest first; ``next`` is where to go on, None at the end."""

    records: tuple[AuditRecord, ...]
    next: AuditPosition | None


class ListAudit:
    """Reads one account's records; its tenant's members are among those of their own account."""

    def __init__(self, book: Book, trail: AuditTrail, clock: Clock) -> None:
        self._book = book
        self._trail = trail
        self._clock = clock

    def list(
        self, ref: AccountRef, only: AuditFilter, before: AuditPosition | None, limit: int
    ) -> AuditPage:
        """
        Args:
            before: From the page before; None: the first.

        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        begin_at, end_at = account.created_at, self._clock.now() + CLOCKS_DIFFER
        if only.begin is not None:
            begin_at = max(begin_at, instant(account, only.begin))
        if only.end is not None:
            end_at = min(end_at, instant(account, only.end))
        found: list[AuditRecord] = []
        last: AuditPosition | None = None
        left = self._trail.records(ref, begin_at, end_at, before)
        for record in islice(left, MAX_READ):
            if len(found) == limit:
                return AuditPage(tuple(found), last)
            last = (record.at, record.operation_id)
            if only.passes(record):
                found.append(record)
        return AuditPage(tuple(found), last if next(left, None) else None)
