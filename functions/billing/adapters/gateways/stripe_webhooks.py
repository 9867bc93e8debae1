"""Stripe's webhooks: who signed them, and what they say. Without Stripe's library.

Sources:
    https://docs.stripe.com/webhooks#verify-manually
    https://docs.stripe.com/api/events/types
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.adapters.gateways.stripe import NAME
from billing.adapters.gateways.stripe_amounts import from_stripe
from billing.adapters.gateways.stripe_declines import declined
from billing.adapters.gateways.stripe_objects import (
    Fields,
    currency,
    identifier,
    instant,
    metadata,
    part,
    reference,
    text,
    whole,
)
from billing.adapters.gateways.stripe_setups import setup_error_code
from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import InvalidInputError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind

TOLERANCE = timedelta(seconds=300)
"""How far a webhook's time may lie before or after its arrival. Stripe's own library has no bound
ahead; a captured request must not stay good until its time has come."""

_TIMESTAMP = re.compile(r"t=([1-9][0-9]{0,9})")
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")

_INQUIRY = "warning_"
"""What the states of a dispute begin with that takes no money yet, and perhaps never will."""

_REFUND_ENDED = ("failed", "canceled")


class StripeWebhooks:
    """The dialect of snapshot events."""

    name = NAME

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Whether one of the secrets signed the request within the tolerance. Never raises."""
        items = request.header("stripe-signature").split(",")
        timestamps = [found[1] for item in items if (found := _TIMESTAMP.fullmatch(item))]
        if request.method != "POST" or len(timestamps) != 1:
            return False
        signed_at = datetime.fromtimestamp(int(timestamps[0]), UTC)
        if abs(received_at - signed_at) > TOLERANCE:
            return False
        signed = f"{timestamps[0]}.".encode() + request.body
        given = [found[1] for item in items if (found := _SIGNATURE.fullmatch(item))]
        return any(
            hmac.compare_digest(signature(secret, signed), one)
            for secret in _usable(secrets)
            for one in given
        )

    def parse(self, request: WebhookRequest) -> GatewayEvent | None:
        """Read a request that was verified; None: it says nothing we act on.

        A failed payment can still be paid by a customer who has its page: ``find`` calls it off and
        says what became of it. Disputes, and sources that are gone, carry no metadata of ours:
        whose they are is known by the payment's id and by the source's token.

        Raises:
            InvalidInputError: It is signed and yet cannot be read.
        """
        event = _json_object(request.body)
        read = _READERS.get(text(event, "type"))
        if read is None:
            return None
        about = part(part(event, "data"), "object")
        return read(event, about)


def signature(secret: str, signed: bytes) -> str:
    """Of time, full stop and body; the secret is all of it, ``whsec_`` included."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _usable(secrets: Sequence[str]) -> Iterator[str]:
    """An empty secret must never verify anything."""
    for secret in secrets:
        if secret.strip() and secret.isascii():
            yield secret


def _json_object(body: bytes) -> Fields:
    try:
        value = json.loads(body.decode(), parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:  # Nested without end is no event either.
        raise InvalidInputError("the body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise InvalidInputError("the body is not a JSON object")
    return value


def _no_such_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_Reader = Callable[[Fields, Fields], GatewayEvent | None]


def _said(
    event: Fields, kind: GatewayEventKind, about: Fields, payment_id: str = ""
) -> GatewayEvent:
    """What every event says."""
    event_id, occurred_at = identifier(event, "id"), instant(event, "created")
    return GatewayEvent(
        event_id, kind, occurred_at, payment_id=payment_id, metadata=metadata(about)
    )


def _payment(kind: GatewayEventKind) -> _Reader:
    def read(event: Fields, intent: Fields) -> GatewayEvent:
        captured = kind is GatewayEventKind.CAPTURED
        amount = whole(intent, "amount_received" if captured else "amount")
        money = currency(intent)
        said = replace(
            _said(event, kind, intent, identifier(intent, "id")),
            amount_minor=from_stripe(amount, money),
            currency=money,
        )
        if kind is not GatewayEventKind.DECLINED:
            return said
        outcome = declined(part(intent, "last_payment_error"))
        return replace(said, code=outcome.code, group=outcome.group)

    return read


def _refunded(event: Fields, charge: Fields) -> GatewayEvent | None:
    payment_id = reference(charge, "payment_intent")
    if not payment_id:
        return None  # Charged by something older than payments are.
    money = currency(charge)
    return replace(
        _said(event, GatewayEventKind.REFUNDED, charge, payment_id),
        amount_minor=from_stripe(whole(charge, "amount"), money),
        currency=money,
        refunded_total_minor=from_stripe(whole(charge, "amount_refunded"), money),
    )


def _refund_failed(event: Fields, refund: Fields) -> GatewayEvent | None:
    status, payment_id = text(refund, "status"), reference(refund, "payment_intent")
    if status not in _REFUND_ENDED or not payment_id:
        return None
    return replace(
        _amount_of(_said(event, GatewayEventKind.REFUND_FAILED, refund, payment_id), refund),
        reference=identifier(refund, "id"),
        code=text(refund, "failure_reason") or status,
    )


def _disputed(event: Fields, dispute: Fields) -> GatewayEvent | None:
    """A dispute begins with itself, or when an inquiry becomes one."""
    if identifier(dispute, "status").startswith(_INQUIRY):
        return None
    if text(event, "type") == "charge.dispute.updated":
        before = part(part(event, "data"), "previous_attributes")
        if not text(before, "status").startswith(_INQUIRY):
            return None
    return _dispute(event, GatewayEventKind.DISPUTED, dispute)


def _dispute_closed(event: Fields, dispute: Fields) -> GatewayEvent | None:
    status = identifier(dispute, "status")
    if status == "won":
        return _dispute(event, GatewayEventKind.DISPUTE_WON, dispute)
    return _dispute(event, GatewayEventKind.DISPUTE_LOST, dispute) if status == "lost" else None


def _dispute(event: Fields, kind: GatewayEventKind, dispute: Fields) -> GatewayEvent | None:
    payment_id = reference(dispute, "payment_intent")
    if not payment_id:
        return None
    return replace(
        _amount_of(_said(event, kind, dispute, payment_id), dispute),
        reference=identifier(dispute, "id"),
        code=text(dispute, "reason"),
    )


def _amount_of(said: GatewayEvent, about: Fields) -> GatewayEvent:
    money = currency(about)
    return replace(said, amount_minor=from_stripe(whole(about, "amount"), money), currency=money)


def _source_saved(event: Fields, setup: Fields) -> GatewayEvent:
    said = _said(event, GatewayEventKind.SOURCE_SAVED, setup)
    return replace(said, reference=identifier(setup, "id"))


def _source_failed(event: Fields, setup: Fields) -> GatewayEvent:
    return replace(
        _said(event, GatewayEventKind.SOURCE_FAILED, setup),
        reference=identifier(setup, "id"),
        code=setup_error_code(part(setup, "last_setup_error")),
    )


def _mandate(event: Fields, mandate: Fields) -> GatewayEvent | None:
    if identifier(mandate, "status") != "inactive":
        return None
    token = reference(mandate, "payment_method")
    return _revoked(event, mandate, token) if token else None


def _detached(event: Fields, source: Fields) -> GatewayEvent:
    return _revoked(event, source, identifier(source, "id"))


def _revoked(event: Fields, about: Fields, token: str) -> GatewayEvent:
    return replace(_said(event, GatewayEventKind.SOURCE_REVOKED, about), reference=token)


_READERS: dict[str, _Reader] = {
    "charge.dispute.closed": _dispute_closed,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.refund.updated": _refund_failed,
    "charge.refunded": _refunded,
    "mandate.updated": _mandate,
    "payment_intent.payment_failed": _payment(GatewayEventKind.DECLINED),
    "payment_intent.processing": _payment(GatewayEventKind.PROCESSING),
    "payment_intent.succeeded": _payment(GatewayEventKind.CAPTURED),
    "payment_method.detached": _detached,
    "refund.failed": _refund_failed,
    "setup_intent.setup_failed": _source_failed,
    "setup_intent.succeeded": _source_saved,
}
