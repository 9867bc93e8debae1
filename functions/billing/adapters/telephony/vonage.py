"""Vonage: verify and read the event webhooks of its Voice API.

A signed webhook carries a JWT. Its signature alone says only that Vonage once signed something: the
token names the body's digest and its time, and both are checked here, since the official library
leaves them to its user. The URL is not covered.

Prices in the webhook are Vonage's own, in EUR, and change nothing in what a tenant is billed.

Sources:
    https://developer.vonage.com/en/getting-started/concepts/webhooks
    https://developer.vonage.com/en/voice/voice-api/webhook-reference
    RFC 7515, RFC 7519, RFC 8725
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

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
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

MAX_AGE = timedelta(minutes=15)
"""Of a token when it arrives. Ours: Vonage names no limit."""

MAX_AHEAD = timedelta(minutes=1)
"""Of a token's time when it arrives. The official library allows none, so that one second between
two clocks would lose a webhook: Vonage does not repeat what is refused."""

STATUSES = {
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "unanswered": CallStatus.NO_ANSWER,
    "timeout": CallStatus.NO_ANSWER,
    "cancelled": CallStatus.CANCELED,
    "rejected": CallStatus.FAILED,
    "failed": CallStatus.FAILED,
}
"""The statuses a call ends in; all others are on the way there."""

DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}

FIELDS = (
    "api_key",
    "application_id",
    "direction",
    "duration",
    "end_time",
    "from",
    "status",
    "timestamp",
    "to",
    "uuid",
)
"""All that is ever read, the token's two first. ``start_time`` is not: it may be null."""

BEARER = "Bearer "


class Vonage:
    """Vonage's dialect. A secret is the account's signature secret, not the API secret."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        authorization = request.header("Authorization")
        if request.method != "POST" or not authorization.startswith(BEARER):
            return False
        token = authorization.removeprefix(BEARER)
        try:
            keys = [secret.encode() for secret in secrets if secret]
            if not any(_is_signed(token.encode("ascii"), key) for key in keys):
                return False
            claims = _claims(token)
            given = str(claims.get("payload_hash")).encode()
        except ValueError:  # Neither ASCII nor a token that anybody signs.
            return False
        actual = hashlib.sha256(request.body).hexdigest().encode()
        return hmac.compare_digest(actual, given) and _is_timely(claims, received_at)

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        try:
            claims = _claims(request.header("Authorization").removeprefix(BEARER))
        except ValueError:
            claims = {}
        # What the token says of the account, the body cannot say otherwise.
        fields: dict[str, Any] = {name: claims.get(name) for name in ("api_key", "application_id")}
        try:
            fields = json_object(request) | fields
            return _voice(fields, connection_id)
        except UnreadableFieldError as error:
            reason, detail = error.reason, error.detail
        except InvalidUsageError as error:
            reason, detail = error.code, error.detail
        callback = kept(fields, FIELDS)
        account = str(callback[_account_field(fields)] or "")
        return Unreadable(reason, detail, account, callback)


def _is_signed(token: bytes, key: bytes) -> bool:
    """Whether it is a JWT signed with HS256 and this key; no other algorithm is ever tried.

    Raises:
        ValueError: Not a JWT.
    """
    signed, _, signature = token.rpartition(b".")
    header = _object(signed.partition(b".")[0])
    # What "crit" asks for is not understood here, so it has to be refused (RFC 7515, 4.1.11).
    if header.get("alg") != "HS256" or "crit" in header:
        return False
    expected = base64.urlsafe_b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return hmac.compare_digest(expected.rstrip(b"="), signature)


def _claims(token: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: Not a JWT of three parts.
    """
    _, claims, _ = token.encode("ascii").split(b".")
    return _object(claims)


def _object(part: bytes) -> dict[str, Any]:
    """A JSON object in base64 for URLs, without its padding.

    Raises:
        ValueError: It is not.
    """
    padded = part + b"=" * (-len(part) % 4)
    try:
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except RecursionError as error:
        raise ValueError("nested without end") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _is_timely(claims: Mapping[str, Any], received_at: datetime) -> bool:
    now = int(received_at.timestamp())
    oldest, newest = now - MAX_AGE // timedelta(seconds=1), now + MAX_AHEAD // timedelta(seconds=1)
    issued_at, expires_at, begins_at = (claims.get(name) for name in ("iat", "exp", "nbf"))
    # A boolean is an int in Python.
    if type(issued_at) is not int or not oldest <= issued_at <= newest:
        return False
    if expires_at is not None and (type(expires_at) is not int or expires_at <= now):
        return False
    if begins_at is not None and (type(begins_at) is not int or begins_at > now):
        return False
    return "aud" not in claims  # Meant for somebody who is named, and nobody is here.


def _voice(fields: Mapping[str, Any], connection_id: str) -> Parsed:
    if "status" not in fields or "message_uuid" in fields:
        return Ignored("not_usage")
    status = STATUSES.get(text(fields, "status"))
    if status is None:
        return Ignored("call_not_ended")
    is_answered = status is CallStatus.COMPLETED
    seconds = count(fields, "duration") if is_answered or text(fields, "duration") else 0
    ended_at = rfc_3339(fields, "end_time" if fields.get("end_time") else "timestamp")
    direction = DIRECTIONS.get(text(fields, "direction"))
    if direction is None:
        raise UnreadableFieldError("invalid_direction", "direction is missing or unknown")
    event = UsageEvent(
        key=CallKey(
            "vonage", identifier(fields, _account_field(fields)), identifier(fields, "uuid")
        ),
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=number(fields, "from"),
        to_number=required(number(fields, "to"), "to"),
        status=status,
        quantity=seconds,
        answered_at=ended_at - timedelta(seconds=seconds) if is_answered else None,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _account_field(fields: Mapping[str, Any]) -> str:
    """A call belongs to an application; what has none belongs to the account as a whole."""
    return "application_id" if fields.get("application_id") else "api_key"


PROVIDER = Vonage()
