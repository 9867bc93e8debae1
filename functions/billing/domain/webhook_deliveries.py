"""One event on its way to one endpoint: what was tried, and when it is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from billing.domain.account import AccountRef
from billing.domain.canonical import digest

GAPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between attempts: over three days in all (Standard Webhooks, "Retry schedule")."""

LEASE = timedelta(minutes=2)
"""How long an attempt belongs to the worker that claimed it; longer than a worker lives."""

KEPT = timedelta(days=30)
"""How long a delivery is kept after it was last due."""

MAX_ATTEMPTS_KEPT = 20
"""The latest ones; a redelivery adds as many as the schedule has."""

GONE_STATUS = 410


class DeliveryState(StrEnum):
    """Where one delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Failure(StrEnum):
    """Why an attempt has no status: nothing answered, or the endpoint may not be asked."""

    NOT_RESOLVED = "not_resolved"
    ADDRESS_REFUSED = "address_refused"
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    NO_ANSWER = "no_answer"
    URL_REFUSED = "url_refused"
    DISABLED = "endpoint_disabled"
    REMOVED = "endpoint_removed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended: with the answer's status, or without an answer."""

    status: int | None = None
    failure: Failure | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == GONE_STATUS


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt, as people see it; never what was answered."""

    at: datetime
    status: int | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint.

    Args:
        delivery_id: Derived from the two, and sorts by the event's time, to the microsecond.
        webhook_id: The same at every attempt, and for every endpoint: what receivers know a
            repetition by.
        body: What is sent: the CloudEvent.
        due_at: When it is tried next; while it is being tried, when another worker may take over.
        tried: Attempts since it was last asked for; places it in the schedule.
        version: Rises with every write.
    """

    account: AccountRef
    delivery_id: str
    endpoint_id: str
    webhook_id: str
    event_type: str
    body: str
    created_at: datetime
    expires_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    due_at: datetime | None = None
    tried: int = 0
    attempts: tuple[DeliveryAttempt, ...] = ()
    version: int = 1

    def is_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now


def webhook_id(event: Mapping[str, object]) -> str:
    """The name of a CloudEvent as a ``webhook-id``.

    An event's own id is unique within its source alone and may hold full stops, which the
    specification warns of: they separate what is signed.
    """
    return "evt_" + digest([str(event["source"]), str(event["id"])])[:32]


def begin(
    account: AccountRef,
    endpoint_id: str,
    event: Mapping[str, object],
    body: str,
    now: datetime,
) -> Delivery:
    """A delivery that is due at once. The same event and endpoint give the same id.

    Args:
        event: A CloudEvent of ours.
        body: The same, as it is sent.
    """
    name = webhook_id(event)
    occurred_at = datetime.fromisoformat(str(event["time"])).astimezone(UTC)
    part = digest([name, endpoint_id])[:24]
    return Delivery(
        account=account,
        delivery_id=f"whd_{occurred_at:%Y%m%dT%H%M%S%f}_{part}",
        endpoint_id=endpoint_id,
        webhook_id=name,
        event_type=str(event["type"]),
        body=body,
        created_at=now,
        expires_at=now + KEPT,
        due_at=now,
    )


def claim(delivery: Delivery, now: datetime) -> Delivery:
    """Take it for one attempt. Whoever dies meanwhile leaves it due again after the lease."""
    assert delivery.is_due(now), delivery.delivery_id
    return replace(delivery, due_at=now + LEASE, version=delivery.version + 1)


def record(delivery: Delivery, outcome: Outcome, now: datetime) -> Delivery:
    """What an attempt leads to: delivered, tried again after a longer gap, or kept as failed."""
    gap = GAPS[delivery.tried] if delivery.tried < len(GAPS) else None
    attempt = DeliveryAttempt(now, outcome.status, outcome.failure)
    state, due_at = DeliveryState.PENDING, now + gap if gap else None
    if outcome.is_delivered:
        state, due_at = DeliveryState.DELIVERED, None
    elif outcome.is_gone or gap is None or outcome.failure in _FINAL:
        state, due_at = DeliveryState.FAILED, None
    return replace(
        delivery,
        state=state,
        due_at=due_at,
        tried=delivery.tried + 1,
        attempts=(*delivery.attempts, attempt)[-MAX_ATTEMPTS_KEPT:],
        expires_at=max(delivery.expires_at, (due_at or now) + KEPT),
        version=delivery.version + 1,
    )


_FINAL = frozenset({Failure.DISABLED, Failure.REMOVED, Failure.URL_REFUSED})
"""No attempt was made, and none would end otherwise."""


def redeliver(delivery: Delivery, now: datetime) -> Delivery:
    """Begin the schedule anew, at once. What is being tried already stays as it is."""
    if delivery.state is DeliveryState.PENDING and delivery.tried == 0:
        return delivery
    return replace(
        delivery,
        state=DeliveryState.PENDING,
        due_at=now,
        tried=0,
        expires_at=max(delivery.expires_at, now + KEPT),
        version=delivery.version + 1,
    )
