"""Audit records in the table: a year of one account's papers is one partition."""

from collections.abc import Iterator
from datetime import UTC, datetime

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.records import AuditRecord
from billing.ports.audit import AuditPosition

PAGE = 100
"""Records fetched at once: at most about a hundred kilobytes."""


class DynamoDBAudit:
    """Implements ``AuditTrail``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def records(
        self,
        ref: AccountRef,
        begin_at: datetime,
        end_at: datetime,
        before: AuditPosition | None = None,
    ) -> Iterator[AuditRecord]:
        first, last = keys.audit_between(begin_at, end_at)
        seen = None if before is None else keys.audit(ref, *before).sk
        if seen is not None and seen < last:
            last = seen
        if last < first:
            return
        newest = min(end_at, before[0]) if before else end_at
        wanted = items.RecordItem.sk.between(first, last)
        for year in range(newest.astimezone(UTC).year, begin_at.astimezone(UTC).year - 1, -1):
            found = self._table.query(
                keys.papers(ref, year), wanted, consistent=True, forward=False, page=PAGE
            )
            for raw in found:
                # A range has its ends in it.
                if raw["sk"]["S"] != seen:
                    yield items.record_of(AuditRecord, raw)
