"""The sandbox's webhooks: read them, and make them.

Requests are signed by Standard Webhooks. The body is one JSON object::

    {"id": …, "type": "payment.captured", "created": "2026-03-14T12:00:00+00:00", "data": {…}}

with ``payment``, ``amount_minor``, ``currency``, ``refunded_total_minor``, ``metadata``,
``reference``, ``code`` and ``group`` in ``data``, as far as the kind of event has them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from billing.adapters.gateways.sandbox import NAME
from billing.adapters.telephony import standard_webhooks
from billing.domain.callbacks import WebhookRequest
from billing.domain.canonical import Json, canonical_json
from billing.domain.declines import DeclineGroup
from billing.domain.errors import InvalidInputError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.instants import instant

TYPES = {
    GatewayEventKind.CAPTURED: "payment.captured",
    GatewayEventKind.DECLINED: "payment.declined",
    GatewayEventKind.PROCESSING: "payment.processing",
    GatewayEventKind.REFUNDED: "refund.succeeded",
    GatewayEventKind.REFUND_FAILED: "refund.failed",
    GatewayEventKind.DISPUTED: "dispute.opened",
    GatewayEventKind.DISPUTE_WON: "dispute.won",
    GatewayEventKind.DISPUTE_LOST: "dispute.lost",
    GatewayEventKind.SOURCE_SAVED: "source.saved",
    GatewayEventKind.SOURCE_FAILED: "source.failed",
    GatewayEventKind.SOURCE_REVOKED: "source.revoked",
}

_KINDS = {name: kind for kind, name in TYPES.items()}

_WITHOUT_PAYMENT = frozenset(
    {
        GatewayEventKind.SOURCE_SAVED,
        GatewayEventKind.SOURCE_FAILED,
        GatewayEventKind.SOURCE_REVOKED,
    }
)

_WITH_REFERENCE = _WITHOUT_PAYMENT | {
    GatewayEventKind.REFUNDED,
    GatewayEventKind.REFUND_FAILED,
    GatewayEventKind.DISPUTED,
    GatewayEventKind.DISPUTE_WON,
    GatewayEventKind.DISPUTE_LOST,
}

MAX_TEXT = 512
"""Characters of an id, a code, or one of our own words that come back."""

MAX_MINOR = 10**15
"""More than any payment; beyond it, stores disagree about what they can hold."""

MAX_METADATA = 50
"""Names in one payment's metadata, as many as at Stripe."""


class SandboxWebhooks:
    """The sandbox's dialect."""

    name = NAME

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        return request.method == "POST" and standard_webhooks.is_signed(
            request, secrets, received_at
        )

    def parse(self, request: WebhookRequest) -> GatewayEvent | None:
        fields = _Fields(_json_object(request.body), "")
        kind = _KINDS.get(fields.text("type"))
        if kind is None:
            return None
        data = fields.object("data")
        has_payment = kind not in _WITHOUT_PAYMENT
        return GatewayEvent(
            event_id=fields.text("id"),
            kind=kind,
            occurred_at=fields.instant("created"),
            payment_id=data.text("payment") if has_payment else "",
            amount_minor=data.minor("amount_minor") if has_payment else 0,
            currency=data.text("currency") if has_payment else "",
            refunded_total_minor=(
                data.minor("refunded_total_minor") if "refunded_total_minor" in data else None
            ),
            metadata=data.texts("metadata") if "metadata" in data else {},
            reference=data.text("reference") if kind in _WITH_REFERENCE else "",
            code=data.text("code") if "code" in data else "",
            group=data.group("group") if "group" in data else DeclineGroup.RETRY_LATER,
        )


def signed_request(event: GatewayEvent, secret: str, url: str, sent_at: datetime) -> WebhookRequest:
    """The webhook that tells of an event, as the sandbox would send it.

    Args:
        secret: ``whsec_`` and base64.
        sent_at: Aware UTC; signed in whole seconds.
    """
    body = canonical_json(_document(event)).encode()
    timestamp = str(int(sent_at.timestamp()))
    key = base64.b64decode(secret.removeprefix(standard_webhooks.SECRET_PREFIX), validate=True)
    signed = f"{event.event_id}.{timestamp}.".encode() + body
    headers = {
        "content-type": "application/json",
        "webhook-id": event.event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{standard_webhooks.signature(key, signed).decode()}",
    }
    return WebhookRequest("POST", url, headers, body)


def _document(event: GatewayEvent) -> Json:
    data: dict[str, Json] = {"metadata": dict(event.metadata)}
    if event.kind not in _WITHOUT_PAYMENT:
        data["payment"] = event.payment_id
        data["amount_minor"] = event.amount_minor
        data["currency"] = event.currency
    if event.kind in _WITH_REFERENCE:
        data["reference"] = event.reference
    if event.refunded_total_minor is not None:
        data["refunded_total_minor"] = event.refunded_total_minor
    if event.code:
        data["code"] = event.code
    if event.kind is GatewayEventKind.DECLINED:
        data["group"] = event.group
    return {
        "id": event.event_id,
        "type": TYPES[event.kind],
        "created": event.occurred_at.astimezone(UTC).isoformat(),
        "data": data,
    }


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body.decode(), parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:  # Nested without end is no event either.
        raise InvalidInputError("the body is not JSON in UTF-8", field="body") from error
    if not isinstance(value, dict):
        raise InvalidInputError("the body is not a JSON object", field="body")
    return value


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Fields:
    """Reads fields strictly; whatever is wrong is named by its path, such as ``data.payment``."""

    def __init__(self, fields: Mapping[str, Any], path: str) -> None:
        self._fields = fields
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not _is_text(value) or not value:
            raise self._error(name, f"is not a text of 1 to {MAX_TEXT} printable characters")
        return str(value)

    def minor(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or not 0 <= value <= MAX_MINOR:
            raise self._error(name, f"is not a whole number from 0 to {MAX_MINOR}")
        return value

    def instant(self, name: str) -> datetime:
        value = self._fields.get(name)
        try:
            return instant(value if isinstance(value, str) else "")
        except ValueError as error:
            raise self._error(name, "is not an RFC 3339 time with its zone") from error

    def group(self, name: str) -> DeclineGroup:
        value = self._fields.get(name)
        if not isinstance(value, str) or value not in set(DeclineGroup):
            raise self._error(name, f"is not one of {', '.join(DeclineGroup)}")
        return DeclineGroup(value)

    def object(self, name: str) -> "_Fields":
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise self._error(name, "is not an object")
        return _Fields(value, f"{self._path}{name}.")

    def texts(self, name: str) -> dict[str, str]:
        value = self._fields.get(name)
        detail = f"is not an object of at most {MAX_METADATA} texts"
        if not isinstance(value, dict) or len(value) > MAX_METADATA:
            raise self._error(name, detail)
        if not all(_is_text(text) for item in value.items() for text in item):
            raise self._error(name, detail)
        return dict(value)

    def _error(self, name: str, detail: str) -> InvalidInputError:
        path = f"{self._path}{name}"
        return InvalidInputError(f"{path} {detail}", field=path)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and (not value or value.isprintable())
