"""A gateway with a truth of its own, as forgetful as a real one.

It keeps an idempotency key for 24 hours; afterwards the same key is a new payment. A look-up finds
what was charged by the metadata, and closes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from billing.domain.declines import DeclineGroup
from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError
from billing.domain.payments import NextAction, PaymentMethod
from billing.ports import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Clock,
    Declined,
    Outcome,
    Processing,
    Refunded,
    RefundRefused,
    RefundRequest,
    Setup,
    SetupFailed,
    SetupRequest,
    SourceSaved,
)

NAME = "truthful"
KEY_KEPT = timedelta(hours=24)
UPI_TAKES = timedelta(hours=24)
APPROVAL_TAKES = timedelta(minutes=15)

ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""When a request was asked is no part of what its key stands for."""

PAYS = "pays"
UPI = "upi"
DECLINES = "declines"
EXPIRED = "expired"
LOST_AFTER = "lost_after"
LOST_BEFORE = "lost_before"


@dataclass
class Paid:
    """One payment in the gateway's own book."""

    payment_id: str
    request: ChargeRequest
    made_at: datetime
    is_captured: bool = False
    is_dead: bool = False
    refunds: dict[str, int] = field(default_factory=dict)

    @property
    def refunded_minor(self) -> int:
        return sum(self.refunds.values())


class TruthfulGateway:
    """Implements Gateway. The source token says how it behaves; a lost answer is lost once."""

    name = NAME

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.paid: dict[str, Paid] = {}
        self._keys: dict[str, tuple[datetime, object, object]] = {}
        self._lost: set[str] = set()
        self._refund_names: dict[str, dict[str, str]] = {}

    def charge(self, request: ChargeRequest) -> Outcome:
        known = self._known(request.idempotency_key, _without_time(request))
        if known is not None:
            return known if isinstance(known, Declined) else self._standing(str(known))
        if request.source_token == LOST_BEFORE and self._loses(request.source_token):
            raise PaymentUnknownError("lost on the way there")
        if request.source_token in (DECLINES, EXPIRED):
            declined = Declined("insufficient_funds")
            if request.source_token == EXPIRED:
                declined = Declined("expired_card", DeclineGroup.NEW_SOURCE)
            self._keep(request.idempotency_key, _without_time(request), declined)
            return declined
        payment_id = f"pay_{len(self.paid) + 1}"
        is_slow = request.method is PaymentMethod.UPI
        self.paid[payment_id] = Paid(payment_id, request, self._clock.now(), not is_slow)
        self._keep(request.idempotency_key, _without_time(request), payment_id)
        if request.source_token == LOST_AFTER and self._loses(request.source_token):
            raise PaymentUnknownError("lost on the way back")
        return self._standing(payment_id)

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        if payment_id is not None:
            return self._standing(payment_id)
        for paid in self.paid.values():
            if paid.request.metadata == request.metadata:
                return self._standing(paid.payment_id)
        return None

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        paid = self.paid[payment_id]
        if not paid.is_captured:
            paid.is_dead = True
        return self._standing(payment_id)

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        bound = replace(request, asked_at=ANY_TIME)
        known = self._known(request.idempotency_key, bound)
        if known is not None:
            return known if isinstance(known, RefundRefused) else Refunded(str(known))
        paid = self.paid.get(request.payment_id)
        left = paid.request.amount_minor - paid.refunded_minor if paid else 0
        if paid is None or request.amount_minor > left:
            refused = RefundRefused("exceeds_payment")
            self._keep(request.idempotency_key, bound, refused)
            return refused
        refund_id = f"re_{paid.payment_id}_{len(paid.refunds) + 1}"
        paid.refunds[refund_id] = request.amount_minor
        self._refund_names[refund_id] = dict(request.metadata)
        self._keep(request.idempotency_key, bound, refund_id)
        return Refunded(refund_id)

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        paid = self.paid.get(request.payment_id)
        for refund_id in paid.refunds if paid else ():
            if self._refund_names[refund_id] == request.metadata:
                return Refunded(refund_id)
        return None

    def begin_setup(self, request: SetupRequest) -> Setup:
        raise NotImplementedError

    def find_setup(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        raise NotImplementedError

    def forget_source(self, token: str) -> None:
        raise NotImplementedError

    def approve(self, payment_id: str) -> None:
        """The customer approves a one-off payment in their app."""
        paid = self.paid[payment_id]
        paid.is_captured = not paid.is_dead

    def captured(self) -> Iterator[Paid]:
        """Everything the gateway has the money of, as of now."""
        for payment_id, paid in self.paid.items():
            self._standing(payment_id)
            if paid.is_captured:
                yield paid

    def _standing(self, payment_id: str) -> Outcome:
        paid = self.paid[payment_id]
        request = paid.request
        is_one_off = request.source_token is None
        ends_at = paid.made_at + (APPROVAL_TAKES if is_one_off else UPI_TAKES)
        if not paid.is_captured and not is_one_off and self._clock.now() >= ends_at:
            paid.is_captured = True
        if paid.is_captured:
            return Captured(payment_id)
        if paid.is_dead:
            return Declined("cancelled")
        if is_one_off:
            action = NextAction("upi", f"upi://pay?tr={payment_id}")
            return ActionNeeded(payment_id, action, ends_at)
        return Processing(payment_id, ends_at)

    def _loses(self, token: str) -> bool:
        is_first = token not in self._lost
        self._lost.add(token)
        return is_first

    def _known(self, key: str, bound: object) -> object | None:
        kept = self._keys.get(key)
        if kept is None or self._clock.now() >= kept[0] + KEY_KEPT:
            return None
        if kept[1] != bound:
            raise GatewayKeyReusedError(f"{key} came with other parameters")
        return kept[2]

    def _keep(self, key: str, bound: object, answer: object) -> None:
        self._keys[key] = (self._clock.now(), bound, answer)


def _without_time(request: ChargeRequest) -> ChargeRequest:
    return replace(request, asked_at=ANY_TIME)
