"""What a Change writes beside the account state and the ledger."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.account import AccountRef, PeriodTotals
from billing.domain.canonical import Json
from billing.domain.grants import Grant
from billing.domain.periods import Period


class OperationState(StrEnum):
    """Where an operation stands. ``pending`` and ``unknown`` are not answers yet."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One cause, done once. Recorded for as long as the ledger is kept.

    Args:
        operation_id: Derived from the cause: route and idempotency key, ordinal, period, payment.
        body_hash: Digest of what was asked; the same id with another body is an error.
        account: Whose operation it is.
        state: A saga's first Change writes it pending; its last one, finished.
        answer: What was answered, and is answered again.
        recorded_at: When (aware UTC).
    """

    operation_id: str
    body_hash: str
    account: AccountRef
    state: OperationState
    answer: Json
    recorded_at: datetime


class TimerKind(StrEnum):
    """What can be due."""

    RECHARGE = "recharge"
    PERIOD_END = "period_end"


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to happen later. One timer per kind and id within an account."""

    kind: TimerKind
    account: AccountRef
    due_at: datetime


class EventType(StrEnum):
    """What the outside world is told."""

    BALANCE_LOW = "balance.low"
    BALANCE_EXHAUSTED = "balance.exhausted"
    RECHARGE_SUCCEEDED = "recharge.succeeded"
    RECHARGE_FAILED = "recharge.failed"
    RECHARGE_UNKNOWN = "recharge.unknown"
    RECHARGE_SUSPENDED = "recharge.suspended"
    PERIOD_ROLLED = "period.rolled"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact for the bus, committed with the money it speaks of.

    Args:
        event_id: The cause's id and the type, so that consumers can tell a repetition.
        data: JSON, money already in its outside form.
    """

    event_id: str
    type: EventType
    account: AccountRef
    occurred_at: datetime
    data: dict[str, Json]


class RechargeState(StrEnum):
    """Where one recharge stands."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recharge:
    """The lasting record of one recharge.

    Args:
        ordinal: Its number within the account.
        reason: ``automatic`` or ``requested``.
        gateway: Which gateway collects.
        payment_id: The gateway's id, once captured.
        failure_code: Why it failed, in the gateway's words.
        started_at: When it was intended (aware UTC).
        settled_at: When it was known to have succeeded or failed.
        requested_by: The operation that asked for it; None for an automatic recharge.
        requested_body: That operation's body hash, which its finished form keeps.
    """

    account: AccountRef
    ordinal: int
    amount_micros: int
    currency: str
    reason: str
    source_id: str
    gateway: str
    state: RechargeState
    started_at: datetime
    settled_at: datetime | None = None
    payment_id: str | None = None
    failure_code: str | None = None
    requested_by: str | None = None
    requested_body: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money a gateway has captured, credited once by the gateway's own id."""

    account: AccountRef
    gateway: str
    payment_id: str
    amount_micros: int
    currency: str
    ordinal: int
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class FundingSource:
    """A card or mandate, known here only as the gateway's token."""

    account: AccountRef
    source_id: str
    gateway: str
    token: str
    label: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """What a period came to, written once when it turned."""

    account: AccountRef
    period: Period
    totals: PeriodTotals
    grants: tuple[Grant, ...]
    balance_micros: int
    currency: str
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who agreed to a billing change, and to which terms."""

    first_name: str
    last_name: str
    terms_version: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who changed what, from what to what.

    Args:
        operation_id: The operation it belongs to; names the record.
        actor: The token's ``sub``.
        action: A verb phrase, such as ``auto_recharge.set``.
        acceptance: None for sweeps, webhooks and machine tokens, which are exempt.
    """

    account: AccountRef
    operation_id: str
    actor: str
    action: str
    acceptance: Acceptance | None
    before: dict[str, Json]
    after: dict[str, Json]
    at: datetime


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer company of the operator."""

    tenant_id: str
    name: str
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class AccountListing:
    """One line of a tenant's directory of accounts."""

    account: AccountRef
    name: str
    created_at: datetime


Record = Recharge | Payment | FundingSource | ClosedPeriod | AuditRecord | Tenant | AccountListing
