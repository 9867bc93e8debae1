"""What a Change writes beside the account state and the ledger."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from billing.domain.account import AccountRef, PeriodTotals
from billing.domain.canonical import Json
from billing.domain.declines import DeclineGroup
from billing.domain.grants import Grant
from billing.domain.payments import NextAction, PaymentMethod
from billing.domain.periods import Period
from billing.domain.recharging import RechargeReason
from billing.domain.things import Thing


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
    """What can be due: a recharge to begin, payments to look after, a notice to give, a turn,
    something to bill or to collect again, an alert that a day's turn may begin."""

    RECHARGE = "recharge"
    PAYMENT = "payment"
    SOURCE_NOTICE = "source_notice"
    PERIOD_END = "period_end"
    BILLING = "billing"
    ALERT = "alert"


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
    GRANT_THRESHOLD_REACHED = "grant.threshold_reached"
    RECHARGE_SCHEDULED = "recharge.scheduled"
    RECHARGE_LIMITED = "recharge.limited"
    RECHARGE_PROCESSING = "recharge.processing"
    RECHARGE_ACTION_NEEDED = "recharge.action_needed"
    RECHARGE_SUCCEEDED = "recharge.succeeded"
    RECHARGE_FAILED = "recharge.failed"
    RECHARGE_UNKNOWN = "recharge.unknown"
    RECHARGE_SUSPENDED = "recharge.suspended"
    FUNDING_SOURCE_ADDED = "funding_source.added"
    FUNDING_SOURCE_EXPIRING = "funding_source.expiring"
    FUNDING_SOURCE_BLOCKED = "funding_source.blocked"
    FUNDING_SOURCE_REMOVED = "funding_source.removed"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_REFUND_FAILED = "payment.refund_failed"
    PAYMENT_DISPUTED = "payment.disputed"
    PAYMENT_DISPUTE_CLOSED = "payment.dispute_closed"
    USAGE_QUARANTINED = "usage.quarantined"
    PERIOD_ROLLED = "period.rolled"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    INVOICE_ISSUED = "invoice.issued"
    INVOICE_PAID = "invoice.paid"
    INVOICE_PAST_DUE = "invoice.past_due"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    ACCOUNT_ON_HOLD = "account.on_hold"
    ACCOUNT_RESTORED = "account.restored"
    NUMBER_ORDERED = "number.ordered"
    NUMBER_ON_HOLD = "number.on_hold"
    NUMBER_RELEASE_SCHEDULED = "number.release_scheduled"
    NUMBER_RELEASED = "number.released"
    LICENCE_EXHAUSTED = "licence.exhausted"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"


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


class PurposeKind(StrEnum):
    """What a payment is collected for, where it is not for the wallet."""

    ORDER = "order"
    INVOICE = "invoice"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a payment is spent on in the very Change that credits it.

    Args:
        name: The order's id, the invoice's number, or the renewal's name.
    """

    kind: PurposeKind
    name: str


class RechargeState(StrEnum):
    """Where one recharge stands, and each of its attempts."""

    PENDING = "pending"
    PROCESSING = "processing"
    ACTION_NEEDED = "action_needed"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (RechargeState.SUCCEEDED, RechargeState.FAILED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One source asked for a recharge's money, once.

    Args:
        number: 1 and up, within the recharge.
        source_id: Who is asked; empty: a one-off payment, which saves no source.
        idempotency_key: What the gateway is asked under, however often.
        started_at: When it was committed (aware UTC).
        payment_id: The gateway's id, as soon as it is known.
        failure_code: Why it was declined, in the gateway's words.
        expected_at: Of a slow payment: when it should be known.
        next_action: What the customer has to do.
    """

    number: int
    source_id: str
    gateway: str
    method: PaymentMethod
    idempotency_key: str
    started_at: datetime
    state: RechargeState = RechargeState.PENDING
    payment_id: str | None = None
    failure_code: str | None = None
    failure_group: DeclineGroup | None = None
    expected_at: datetime | None = None
    next_action: NextAction | None = None


@dataclass(frozen=True, slots=True)
class Recharge:
    """The lasting record of one recharge.

    Args:
        ordinal: Its number within the account.
        reason: Why it is collected.
        attempts: The sources asked so far, in order; the last one is the one that counts.
        source_ids: Who may be asked still, in order, once that one has declined.
        started_at: When it was intended (aware UTC).
        settled_at: When it was known to have succeeded or failed.
        requested_by: The operation that asked for it; None: nobody did.
        purpose: What it pays for; None: it fills the wallet.
        requested_body: That operation's body hash, which its finished form keeps.
    """

    account: AccountRef
    ordinal: int
    amount_micros: int
    currency: str
    reason: RechargeReason
    state: RechargeState
    started_at: datetime
    attempts: tuple[Attempt, ...]
    source_ids: tuple[str, ...] = ()
    settled_at: datetime | None = None
    requested_by: str | None = None
    requested_body: str | None = None
    purpose: Purpose | None = None

    @property
    def is_automatic(self) -> bool:
        """Whether automatic recharge began it: it counts in its month, and a failure suspends."""
        return self.requested_by is None and self.purpose is None

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]


@dataclass(frozen=True, slots=True)
class ReturnedRefund:
    """A refund that came back after the gateway had made it.

    Args:
        number: Of ours; 0: it was made at the gateway.
        refund_id: The gateway's, where it said one.
        at: When, by the gateway's clock (aware UTC).
    """

    number: int
    refund_id: str
    amount_micros: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """Money a gateway has captured, credited once by the gateway's own id.

    Args:
        ordinal: The recharge it was collected for.
        source_id: Who paid; empty: a one-off payment.
        refunded_micros: What was given back, or is being given back, by us or at the gateway; what
            came back is not in it.
        refunds: How many refunds were asked for here; numbers the next.
        gateway_refunded_micros: The latest running total the gateway told, with what had come back
            by then: all it had ever given back.
        gateway_told_at: When that was so, by the gateway's clock (aware UTC).
        elsewhere_micros: What we know was ever given back at the gateway, without us.
        returned: Refunds that came back, ours and the gateway's.
        disputed_micros: What open and lost disputes have taken back.
        disputes: The gateway's ids of all of its disputes.
        credited_by: The operation that credited it.
        revision: 0: as it was credited; rises whenever a refund or a dispute changes it.
    """

    account: AccountRef
    gateway: str
    payment_id: str
    amount_micros: int
    currency: str
    ordinal: int
    captured_at: datetime
    source_id: str = ""
    refunded_micros: int = 0
    refunds: int = 0
    gateway_refunded_micros: int = 0
    gateway_told_at: datetime | None = None
    elsewhere_micros: int = 0
    returned: tuple[ReturnedRefund, ...] = ()
    disputed_micros: int = 0
    disputes: tuple[str, ...] = ()
    credited_by: str = ""
    revision: int = 0

    @property
    def refundable_micros(self) -> int:
        """What may still be given back."""
        return max(0, self.amount_micros - self.refunded_micros - self.disputed_micros)


class RefundState(StrEnum):
    """Where one refund stands."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back of one payment.

    Args:
        number: 1 and up, within the payment; 0: all that was given back at the gateway, not here.
        idempotency_key: What the gateway is asked under; empty where it was not asked.
        refund_id: The gateway's id, once it is known.
    """

    account: AccountRef
    gateway: str
    payment_id: str
    number: int
    amount_micros: int
    currency: str
    state: RefundState
    idempotency_key: str
    started_at: datetime
    settled_at: datetime | None = None
    refund_id: str | None = None
    failure_code: str | None = None
    requested_by: str | None = None
    requested_body: str | None = None


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment its card holder takes back through the bank.

    Args:
        code: Why, in the gateway's words.
    """

    account: AccountRef
    gateway: str
    payment_id: str
    dispute_id: str
    amount_micros: int
    currency: str
    state: DisputeState
    code: str
    opened_at: datetime
    closed_at: datetime | None = None


class SourceState(StrEnum):
    """Where a funding source stands."""

    PENDING = "pending"
    ACTIVE = "active"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class FundingSource:
    """A card or mandate, known here only as the gateway's token.

    Args:
        token: The gateway's; empty until its customer has finished saving it.
        label: What people call it.
        customer_token: The account's customer at that gateway.
        setup_id: What the gateway calls the saving of it.
        expires_on: The card's last valid day.
        limit_micros: UPI: the most one debit may be without its customer.
        blocked_code: Why automatic recharge leaves it alone; None: it does not.
        declined_at: Its latest declines, for the card schemes' limits (aware UTC).
        noticed_days: The notice of its expiry that was given last: 30 or 7 days before.
    """

    account: AccountRef
    source_id: str
    gateway: str
    token: str
    label: str
    created_at: datetime
    method: PaymentMethod = PaymentMethod.CARD
    state: SourceState = SourceState.ACTIVE
    customer_token: str | None = None
    setup_id: str | None = None
    brand: str = ""
    last4: str = ""
    expires_on: date | None = None
    limit_micros: int | None = None
    blocked_code: str | None = None
    blocked_group: DeclineGroup | None = None
    declined_at: tuple[datetime, ...] = ()
    noticed_days: int | None = None


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
class Origin:
    """Where a request came from; empty: from nowhere outside, or nobody said.

    Args:
        ip: The connection's other end, IPv4 or IPv6.
        user_agent: What the caller calls itself, printable and cut short.
    """

    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who changed what, from what to what. Written once, and never again.

    Args:
        operation_id: The operation it belongs to; names the record.
        actor: The token's ``sub``.
        action: A verb phrase, such as ``auto_recharge.set``.
        acceptance: None for sweeps, webhooks and machine tokens, which are exempt.
        before: What stood there; empty: there was nothing.
        is_machine: The actor is a back end's token, and nobody's person.
    """

    account: AccountRef
    operation_id: str
    actor: str
    action: str
    acceptance: Acceptance | None
    before: dict[str, Json]
    after: dict[str, Json]
    at: datetime
    origin: Origin = field(default_factory=Origin)
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer company of the operator.

    Args:
        storage_account_id: Which of its accounts pays for storage; None: its first.
    """

    tenant_id: str
    name: str
    created_at: datetime
    version: int = 1
    storage_account_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountListing:
    """One line of a tenant's directory of accounts."""

    account: AccountRef
    name: str
    created_at: datetime


Record = (
    Recharge
    | Payment
    | Refund
    | Dispute
    | FundingSource
    | ClosedPeriod
    | AuditRecord
    | Tenant
    | AccountListing
    | Thing
)
