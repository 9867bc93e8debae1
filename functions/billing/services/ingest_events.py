"""Take usage in from a tenant's own systems: queue what can be true, answer for every event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from billing.domain.account import AccountRef
from billing.domain.checked_fields import Fault, InvalidFieldsError
from billing.domain.cloud_events import read_own_event
from billing.domain.errors import NotFoundError
from billing.domain.quarantine import Parked, posting_id
from billing.domain.usage import CallKey, UsageEvent
from billing.ports import Book, Clock, Quarantine, UsageQueue
from billing.services.post_usage import ConflictingReportError

DEFAULT_ACCOUNT = "default"
"""Names the tenant's first account, as it does in a path."""

FindAccount = Callable[[str], AccountRef | None]


class IngestedStatus(StrEnum):
    """What became of one event. All but what was rejected is durable."""

    ACCEPTED = "accepted"
    DUPLICATE_IN_BATCH = "duplicate_in_batch"
    REJECTED = "rejected"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result for one event: a stable code where it is refused, and all that is wrong."""

    status: IngestedStatus
    code: str = ""
    faults: tuple[Fault, ...] = ()


class IngestEvents:
    """Takes a batch in at once; taking it again changes nothing."""

    def __init__(
        self, *, book: Book, quarantine: Quarantine, queue: UsageQueue, clock: Clock
    ) -> None:
        self._book = book
        self._quarantine = quarantine
        self._queue = queue
        self._clock = clock

    def ingest(
        self,
        tenant_id: str,
        events: Sequence[object],
        first_account: Callable[[], AccountRef],
    ) -> list[Ingested]:
        """A result for each event, in order; what is not rejected is durable when this returns.

        A store's own failure passes through: part of the batch may be durable then, and all of it
        can be sent again.

        Args:
            tenant_id: Whose accounts the events may name.
            events: CloudEvents in structured JSON form, as they came.
            first_account: Finds the account that ``default`` names; raises NotFoundError.
        """
        now = self._clock.now()
        find_account = self._finder(tenant_id, first_account)
        first: dict[CallKey, tuple[AccountRef, UsageEvent]] = {}
        results = [self._taken(event, now, find_account, first) for event in events]
        queued: dict[AccountRef, list[UsageEvent]] = {}
        for ref, usage in first.values():
            queued.setdefault(ref, []).append(usage)
        for ref, usages in queued.items():
            self._queue.send(ref, usages)
        return results

    def _taken(
        self,
        event: object,
        now: datetime,
        find_account: FindAccount,
        first: dict[CallKey, tuple[AccountRef, UsageEvent]],
    ) -> Ingested:
        """Place one event, unless it cannot be; ``first`` tells what the batch has named so far."""
        try:
            report = read_own_event(event, now)
        except InvalidFieldsError as error:
            return Ingested(IngestedStatus.REJECTED, error.code, error.faults)
        usage, ref = report.usage, find_account(report.account)
        if ref is None:
            fault = Fault("/data/account", "is no account of this tenant")
            return Ingested(IngestedStatus.REJECTED, NotFoundError.code, (fault,))
        kept_ref, kept = first.setdefault(usage.key, (ref, usage))
        if kept is usage:
            return Ingested(IngestedStatus.ACCEPTED)
        if (kept_ref, kept.fingerprint) == (ref, usage.fingerprint):
            return Ingested(IngestedStatus.DUPLICATE_IN_BATCH)
        self._park_conflict(ref, usage, now)
        return Ingested(IngestedStatus.PARKED, ConflictingReportError.code)

    def _finder(self, tenant_id: str, first_account: Callable[[], AccountRef]) -> FindAccount:
        """Looks every account of a batch up once; None: the tenant has no such account."""

        @cache
        def find(name: str) -> AccountRef | None:
            try:
                if name == DEFAULT_ACCOUNT:
                    return first_account()
                return self._book.account(AccountRef(tenant_id, name)).ref
            except NotFoundError:
                return None

        return find

    def _park_conflict(self, ref: AccountRef, usage: UsageEvent, now: datetime) -> None:
        code = ConflictingReportError.code
        self._quarantine.park(
            Parked(
                parked_id=posting_id(ref, code, usage),
                reason=code,
                detail="the same batch reports this call with other content before",
                connection_id=usage.connection_id,
                account=ref,
                event=usage.to_json(),
                parked_at=now,
            )
        )
