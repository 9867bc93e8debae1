"""Telnyx: verify and read the webhooks of its Voice API, version 2.

No single webhook tells of a whole call: ``call.initiated`` knows the direction, ``call.answered``
when it was picked up, ``call.hangup`` how it ended. ``call.cost`` is what Telnyx itself bills.

The signature covers the body and its time, but neither the URL nor any other header.

Sources:
    https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
    https://developers.telnyx.com/api-reference/callbacks/call-hangup
    https://developers.telnyx.com/api-reference/callbacks/call-cost
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    count,
    identifier,
    json_object,
    kept,
    number,
    required,
    rfc_3339,
    text,
)
from billing.domain.callbacks import (
    CarrierRated,
    Halved,
    Ignored,
    Parsed,
    Unreadable,
    WebhookRequest,
)
from billing.domain.units import Direction
from billing.domain.usage import CallKey, CallStatus
from billing.domain.usage_parts import PartKind, UsagePart

TOLERANCE = timedelta(minutes=5)
"""How far a webhook's time may lie before or after its arrival (as in the official SDK)."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64

KINDS = {
    "call.initiated": PartKind.INITIATED,
    "call.answered": PartKind.ANSWERED,
    "call.hangup": PartKind.ENDED,
}

DIRECTIONS = {"incoming": Direction.INBOUND, "outgoing": Direction.OUTBOUND}

CAUSES = {
    "normal_clearing": CallStatus.COMPLETED,
    "time_limit": CallStatus.COMPLETED,  # Only an answered call runs into its limit.
    "user_busy": CallStatus.BUSY,
    "no_answer": CallStatus.NO_ANSWER,
    "timeout": CallStatus.NO_ANSWER,
    "originator_cancel": CallStatus.CANCELED,
}
"""Causes of a hangup; all others are failures."""

FIELDS = (
    "billed_duration_secs",
    "call_leg_id",
    "connection_id",
    "direction",
    "event_type",
    "from",
    "hangup_cause",
    "occurred_at",
    "status",
    "to",
    "total_cost",
)
"""What is kept of an unreadable webhook. ``start_time`` is never read: the phone rang then."""

_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_COST = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,18})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Telnyx:
    """Telnyx's dialect. A secret is the account's public key, in base64."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        timestamp = request.header("Telnyx-Timestamp")
        if request.method != "POST" or not _is_timely(timestamp, received_at):
            return False
        signature = _decoded(request.header("Telnyx-Signature-Ed25519"), SIGNATURE_BYTES)
        if signature is None:
            return False
        signed = timestamp.encode() + b"|" + request.body
        return any(_is_signed(key, signature, signed) for key in _keys(secrets))

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        fields: Mapping[str, Any] = {}
        try:
            fields = _fields(json_object(request))
            event_type = text(fields, "event_type")
            if event_type in KINDS:
                return Halved(_part(fields, KINDS[event_type], connection_id))
            return _rated(fields) if event_type == "call.cost" else Ignored("not_usage")
        except UnreadableFieldError as error:
            callback = kept(fields, FIELDS)
            account = str(callback.get("connection_id") or "")
            return Unreadable(error.reason, error.detail, account, callback)


def _is_timely(timestamp: str, received_at: datetime) -> bool:
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    # Whole seconds on both sides: the sender had no others.
    age = int(received_at.timestamp()) - int(timestamp)
    return abs(age) <= TOLERANCE // timedelta(seconds=1)


def _keys(secrets: Sequence[str]) -> Iterator[Ed25519PublicKey]:
    for secret in secrets:
        key = _decoded(secret.strip(), KEY_BYTES)
        if key is not None:
            yield Ed25519PublicKey.from_public_bytes(key)


def _is_signed(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(spelling: str, length: int) -> bytes | None:
    """Base64 of so many bytes in its one proper spelling, or None: its last bits can be varied."""
    try:
        given = spelling.encode("ascii")
        value = base64.b64decode(given, validate=True)
    except ValueError:
        return None
    return value if len(value) == length and base64.b64encode(value) == given else None


def _fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the payload says, and the event around it: its time counts, its status does not."""
    data = body.get("data")
    payload = data.get("payload") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(payload, dict):
        raise UnreadableFieldError("invalid_event", "the body is not an event with a payload")
    return payload | {name: data.get(name) for name in ("event_type", "occurred_at")}


def _key(fields: Mapping[str, Any]) -> CallKey:
    return CallKey("telnyx", identifier(fields, "connection_id"), identifier(fields, "call_leg_id"))


def _part(fields: Mapping[str, Any], kind: PartKind, connection_id: str) -> UsagePart:
    direction = None
    to_number = number(fields, "to")
    if kind is PartKind.INITIATED:
        direction = DIRECTIONS.get(text(fields, "direction"))
        if direction is None:
            raise UnreadableFieldError("invalid_direction", "direction is missing or unknown")
        required(to_number, "to")
    status = None
    if kind is PartKind.ENDED:
        status = CAUSES.get(text(fields, "hangup_cause"), CallStatus.FAILED)
    return UsagePart(
        key=_key(fields),
        kind=kind,
        at=rfc_3339(fields, "occurred_at"),
        direction=direction,
        from_number=number(fields, "from"),
        to_number=to_number,
        status=status,
        connection_id=connection_id,
    )


def _rated(fields: Mapping[str, Any]) -> Parsed:
    if fields.get("status") != "success" or fields.get("total_cost") is None:
        return Ignored("cost_unknown")  # Telnyx could not rate it: that is not a cost of nothing.
    cost = text(fields, "total_cost")
    if not _COST.fullmatch(cost):
        raise UnreadableFieldError("invalid_cost", "total_cost is not a positive decimal")
    currencies = _currencies(fields)
    if not currencies and not cost.strip("0."):
        return Ignored("cost_nothing")
    currency = currencies.pop() if len(currencies) == 1 else ""
    if not _CURRENCY.fullmatch(currency):
        raise UnreadableFieldError("invalid_currency", "the cost's parts name not one currency")
    billed = fields.get("billed_duration_secs")
    return CarrierRated(
        key=_key(fields),
        billed_seconds=None if billed is None else count(fields, "billed_duration_secs"),
        cost=cost,
        currency=currency,
        at=rfc_3339(fields, "occurred_at"),
    )


def _currencies(fields: Mapping[str, Any]) -> set[str]:
    parts = fields.get("cost_parts")
    known = parts if isinstance(parts, list) else []
    return {text(part, "currency") for part in known if isinstance(part, dict)}


PROVIDER = Telnyx()
