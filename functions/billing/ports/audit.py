"""The audit: who changed what, as it was written with the changes themselves."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.records import AuditRecord

AuditPosition = tuple[datetime, str]
"""Where a record stands: when it was written, and its operation's id."""


class AuditTrail(Protocol):
    """Reads audit records. Nothing here, or anywhere else, changes or deletes one."""

    def records(
        self,
        ref: AccountRef,
        begin_at: datetime,
        end_at: datetime,
        before: AuditPosition | None = None,
    ) -> Iterator[AuditRecord]:
        """An account's records of ``[begin_at, end_at)``, newest first, read as they are taken.

        Args:
            before: Only what is older than the record there, in this list's own order.
        """
        ...
