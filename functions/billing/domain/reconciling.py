"""How one call of a provider's list is judged."""

from datetime import datetime, timedelta

from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.domain.provider_records import ListedCost, ProviderRecord, Reconciliation
from billing.domain.quarantine import POSTING_REASONS, posting_id
from billing.domain.reconciled import Finding
from billing.domain.usage import Call, UsageEvent

CALLBACK_PATIENCE = timedelta(hours=1)
"""What ended less than this ago may still be on its way to us."""

RATING_PATIENCE = timedelta(hours=24)
"""How long a provider may take to rate a call; what it has not rated by then it never will."""


def is_of_the_day(record: ProviderRecord, work: Reconciliation) -> bool:
    """What has no beginning was listed for this day by whatever the provider goes by."""
    return record.began_at is None or work.begin_at <= record.began_at < work.end_at


def is_early(event: UsageEvent, cost: ListedCost | None, now: datetime) -> bool:
    if event.ended_at > now - CALLBACK_PATIENCE:
        return True
    return event.quantity > 0 and cost is None and event.ended_at > now - RATING_PATIENCE


def parked_id_of(ref: AccountRef, reason: Finding, event: UsageEvent) -> str:
    """Times and cost lie outside: a carrier may still mend them, and it is the same difference."""
    return digest([str(ref), reason, str(event.key), event.fingerprint, event.status])[:32]


def posting_ids(ref: AccountRef, event: UsageEvent) -> list[str]:
    """Under which ids posting may have parked it."""
    return [posting_id(ref, reason, event) for reason in POSTING_REASONS]


def quantity_of(event: UsageEvent) -> str:
    return f"{event.quantity} {event.unit}"


def difference_of(call: Call, event: UsageEvent) -> str:
    if call.event.quantity != event.quantity:
        return f"recorded with {quantity_of(call.event)}, the carrier says {quantity_of(event)}"
    return "recorded with another direction or destination than the carrier says"


def charge_of(cost: ListedCost | None) -> str:
    return f"; the carrier charges {cost.amount} {cost.currency}" if cost else ""
