"""Twilio: verify and read its voice and message status callbacks.

Sources:
    https://www.twilio.com/docs/usage/security#validating-requests
    https://www.twilio.com/docs/voice/api/call-resource#statuscallback
    https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, parse_qsl

from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

FORM = "application/x-www-form-urlencoded"

MAX_FIELD_CHARACTERS = 256
"""Longer than any number, SIP address or id Twilio sends; keeps keys and records small."""

CALL_STATUSES = {
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "canceled": CallStatus.CANCELED,
    "failed": CallStatus.FAILED,
}
"""The statuses a call ends in; all others are on the way there."""

DIRECTIONS = {
    "inbound": Direction.INBOUND,
    "outbound-api": Direction.OUTBOUND,
    "outbound-dial": Direction.OUTBOUND,
}

MESSAGE_STATUSES = {
    # A carrier took it in all three: the first one billed is the message, the others repeat it.
    "sent": (Direction.OUTBOUND, CallStatus.COMPLETED),
    "delivered": (Direction.OUTBOUND, CallStatus.COMPLETED),
    "undelivered": (Direction.OUTBOUND, CallStatus.COMPLETED),
    "failed": (Direction.OUTBOUND, CallStatus.FAILED),
    "received": (Direction.INBOUND, CallStatus.COMPLETED),
}

FIELDS = (
    "AccountSid",
    "CallDuration",
    "CallSid",
    "CallStatus",
    "Direction",
    "From",
    "MessageSid",
    "MessageStatus",
    "NumSegments",
    "SmsSid",
    "SmsStatus",
    "Timestamp",
    "To",
)
"""All that is ever read. ``Duration`` is not: it is minutes, rounded up for Twilio's own bill."""

_ORIGIN = re.compile(r"(https?)://([^/?#@:\[\]]+)(?::([0-9]+))?(?=[/?#]|\Z)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COUNT = re.compile(r"[0-9]{1,9}")
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?[0-9]{1,2} [A-Z][a-z]{2} 20[0-9]{2} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} (?:[+-][0-9]{4}|GMT|UTC)"
)
_BARE_NUMBER = re.compile(r"[0-9]{7,15}")


class _UnreadableFieldError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Twilio:
    """Twilio's dialect."""

    def verify(self, request: WebhookRequest, secrets: Sequence[str]) -> bool:
        try:
            signed = _signed_part_of_body(request)
            if signed is None or request.method != "POST":
                return False
            given = request.header("X-Twilio-Signature").encode()
            candidates = [(url + signed).encode() for url in _urls(request.url)]
            keys = [secret.encode() for secret in secrets if secret]
        except ValueError:  # Not a form, or not UTF-8: nothing that Twilio signs.
            return False
        return any(
            hmac.compare_digest(_signature(key, candidate), given)
            for key in keys
            for candidate in candidates
        )

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        if _media_type(request) != FORM:
            return Ignored("not_a_form")
        pairs = [pair for pair in _form(request.body.decode()) if pair[0] in FIELDS]
        fields = dict(pairs)
        try:
            if len(fields) != len(set(pairs)):
                raise _UnreadableFieldError("repeated_field", "a field has more than one value")
            if "CallStatus" in fields:
                return _voice(fields, connection_id)
            return _message(fields, connection_id, received_at)
        except _UnreadableFieldError as error:
            reason, detail = error.reason, error.detail
        except InvalidUsageError as error:
            reason, detail = error.code, error.detail
        return Unreadable(reason, detail, fields.get("AccountSid", ""), _kept(pairs))


def _signature(key: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, text, hashlib.sha1).digest())


def _urls(url: str) -> tuple[str, ...]:
    """The URL without and with its port: Twilio's own signing is not consistent about it."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return ()
    scheme, host, given = origin.groups()
    port = given or {"https": "443", "http": "80"}[scheme]
    rest = url[origin.end() :]
    return f"{scheme}://{host}{rest}", f"{scheme}://{host}:{port}{rest}"


def _signed_part_of_body(request: WebhookRequest) -> str | None:
    """What is signed after the URL; None if the body is not covered at all.

    Raises:
        ValueError: The body is not what its content type says.
    """
    text = request.body.decode()
    match _media_type(request):
        case "application/x-www-form-urlencoded":
            # As in the official helper: a repeated name counts once per distinct value.
            return "".join(name + value for name, value in sorted(set(_form(text))))
        case "application/json":
            digests = parse_qs(request.url.partition("?")[2]).get("bodySHA256", [""])
            actual = hashlib.sha256(request.body).hexdigest()
            return "" if hmac.compare_digest(actual.encode(), digests[0].encode()) else None
        case _:
            return None


def _media_type(request: WebhookRequest) -> str:
    return request.header("Content-Type").partition(";")[0].strip().lower()


def _form(text: str) -> list[tuple[str, str]]:
    """The form's pairs, blank values included.

    Each must have its equals sign, as Twilio always writes it. The signature leaves the signs out,
    so a lenient reader would take ``To&sip:a`` for ``To=sip:a`` and still find it valid.

    Raises:
        ValueError: A pair has no equals sign.
    """
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []


def _voice(fields: Mapping[str, str], connection_id: str) -> Parsed:
    status = CALL_STATUSES.get(fields["CallStatus"])
    if status is None:
        return Ignored("call_not_ended")
    key = _key(fields, "CallSid")
    # Only an unanswered call may leave its duration out.
    default = None if status is CallStatus.COMPLETED else "0"
    seconds = _count(fields, "CallDuration", default)
    ended_at = _timestamp(fields)
    direction = DIRECTIONS.get(fields.get("Direction", ""))
    if direction is None:
        raise _UnreadableFieldError("invalid_direction", "Direction is missing or unknown")
    answered_at = ended_at - timedelta(seconds=seconds) if status is CallStatus.COMPLETED else None
    event = UsageEvent(
        key=key,
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=_number(fields, "From"),
        to_number=_destination(fields),
        status=status,
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _message(fields: Mapping[str, str], connection_id: str, received_at: datetime) -> Parsed:
    """A message's callbacks carry no time of their own: it happened when we heard of it."""
    status = fields.get("MessageStatus") or fields.get("SmsStatus")
    if status is None:
        return Ignored("not_usage")
    if status not in MESSAGE_STATUSES:
        return Ignored("message_not_sent")
    direction, outcome = MESSAGE_STATUSES[status]
    quantity = 1 if outcome is CallStatus.COMPLETED else 0
    if direction is Direction.INBOUND:
        quantity = max(1, _count(fields, "NumSegments", "1"))
    event = UsageEvent(
        key=_key(fields, "MessageSid", "SmsSid"),
        unit=Unit.MESSAGES,
        direction=direction,
        from_number=_number(fields, "From"),
        to_number=_destination(fields),
        status=outcome,
        quantity=quantity,
        answered_at=received_at if quantity else None,
        ended_at=received_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _key(fields: Mapping[str, str], *names: str) -> CallKey:
    return CallKey("twilio", _id(fields, "AccountSid"), _id(fields, *names))


def _id(fields: Mapping[str, str], *names: str) -> str:
    """The first of these that is there; it becomes part of a key, so it must look like an id."""
    value = next((fields[name] for name in names if fields.get(name)), "")
    if not _ID.fullmatch(value):
        raise _UnreadableFieldError("invalid_sid", f"{names[0]} is missing or not an id")
    return value


def _count(fields: Mapping[str, str], name: str, default: str | None) -> int:
    value = fields.get(name, default)
    if value is None or not _COUNT.fullmatch(value):
        raise _UnreadableFieldError("invalid_quantity", f"{name} is missing or not a whole number")
    return int(value)


def _timestamp(fields: Mapping[str, str]) -> datetime:
    """When the call ended (aware UTC).

    The library reads a two-digit year, or a time without a zone, by guessing: the form comes first.
    """
    value = fields.get("Timestamp", "")
    try:
        if not _RFC_2822.fullmatch(value) or value.endswith("-0000"):
            raise ValueError(value)
        return parsedate_to_datetime(value).astimezone(UTC)
    except ValueError as error:
        raise _UnreadableFieldError(
            "invalid_timestamp", "Timestamp is missing or no RFC 2822 time with its zone"
        ) from error


def _destination(fields: Mapping[str, str]) -> str:
    number = _number(fields, "To")
    if not number:
        raise _UnreadableFieldError("invalid_number", "To is missing")
    return number


def _number(fields: Mapping[str, str], name: str) -> str:
    """E.164 with its plus sign; addresses such as ``sip:`` and ``client:`` are left alone."""
    value = fields.get(name, "").strip()
    if len(value) > MAX_FIELD_CHARACTERS:
        raise _UnreadableFieldError(
            "invalid_number", f"{name} is longer than {MAX_FIELD_CHARACTERS} characters"
        )
    return f"+{value}" if _BARE_NUMBER.fullmatch(value) else value


def _kept(pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """The callback for whoever looks at it later: every value of every field that is read."""
    kept: dict[str, list[str]] = {}
    for name, value in sorted(set(pairs)):
        kept.setdefault(name, []).append(value[:MAX_FIELD_CHARACTERS])
    return {name: values[0] if len(values) == 1 else values for name, values in kept.items()}
