"""The audit in memory: what the book in memory was given to keep."""

from collections.abc import Iterator
from datetime import datetime

from billing.adapters.dynamodb import keys
from billing.domain.account import AccountRef
from billing.domain.records import AuditRecord
from billing.ports.audit import AuditPosition
from fakes.book import InMemoryBook


class InMemoryAudit:
    """Implements AuditTrail."""

    def __init__(self, book: InMemoryBook) -> None:
        self._book = book

    def records(
        self,
        ref: AccountRef,
        begin_at: datetime,
        end_at: datetime,
        before: AuditPosition | None = None,
    ) -> Iterator[AuditRecord]:
        def place(at: datetime, operation_id: str) -> str:
            return keys.audit(ref, at, operation_id).sk

        found = {
            place(record.at, record.operation_id): record
            for record in self._book.audit_records(ref)
            if begin_at <= record.at < end_at
        }
        for name in sorted(found, reverse=True):
            if before is None or name < place(*before):
                yield found[name]
