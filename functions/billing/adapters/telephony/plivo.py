"""Plivo: verify (signature V3) and read its voice callbacks.

Version 2 of the signature leaves the body out, so it proves nothing about a call and is refused.

Sources:
    https://www.plivo.com/docs/voice/concepts/signature-validation
    https://www.plivo.com/docs/voice/api/call#hangup-callback
    ``plivo.utils.signature_v3`` of the official SDK, which decides where the pages are vague
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    count,
    identifier,
    kept,
    number,
    required,
    text,
)
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

FORM = "application/x-www-form-urlencoded"

SIGNATURES = ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3")
"""By the token of the account or sub-account that owns the number, and by the main account's."""

STATUSES = {
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "timeout": CallStatus.NO_ANSWER,
    "cancel": CallStatus.CANCELED,
    "failed": CallStatus.FAILED,
}
"""The statuses a call ends in; a hangup with any other is a failure."""

DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}

ACCOUNT_NOT_NAMED = "-"
"""The provider account of a callback that names none: one connection serves one sub-account."""

CLOCK_GRAIN = timedelta(seconds=1)
"""Plivo's times are whole seconds, so a duration may seem that much longer than they allow."""

FIELDS = (
    "AnswerTime",
    "CallStatus",
    "CallUUID",
    "Direction",
    "Duration",
    "EndTime",
    "Event",
    "From",
    "ParentAuthID",
    "To",
)
"""All that is ever read. ``BillDuration`` is not: it is rounded up for Plivo's own bill."""

_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")

Pairs = list[tuple[str, str]]


class Plivo:
    """Plivo's dialect. A secret is the auth token of the sub-account or of the main account."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Plivo signs no time, so ``received_at`` decides nothing: duplicates are told later."""
        nonce = request.header("X-Plivo-Signature-V3-Nonce")
        if not nonce:
            return False
        try:
            signed = f"{_signed_part(request)}.{nonce}".encode()
            given = [
                signature.encode()
                for name in SIGNATURES
                for signature in request.header(name).split(",")
            ]
            keys = [secret.encode() for secret in secrets if secret]
        except ValueError:  # Not a form, or not UTF-8: nothing that Plivo signs.
            return False
        return any(
            hmac.compare_digest(_signature(key, signed), signature)
            for key in keys
            for signature in given
        )

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        try:
            pairs = [pair for pair in _params(request) if pair[0] in FIELDS]
        except ValueError:
            return Ignored("not_a_form")
        fields = dict(pairs)
        try:
            if len(fields) != len(set(pairs)):
                raise UnreadableFieldError("repeated_field", "a field has more than one value")
            return _voice(fields, connection_id)
        except UnreadableFieldError as error:
            reason, detail = error.reason, error.detail
        except InvalidUsageError as error:
            reason, detail = error.code, error.detail
        callback = kept(_gathered(pairs), FIELDS)
        account = str(callback.get("ParentAuthID") or ACCOUNT_NOT_NAMED)
        return Unreadable(reason, detail, account, callback)


def _signature(key: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest())


def _signed_part(request: WebhookRequest) -> str:
    """All that is signed but the nonce: the URL without its query, the query, the body's form.

    Raises:
        ValueError: There is a body that the signature does not cover.
    """
    base, _, raw_query = request.url.partition("#")[0].partition("?")
    query = "&".join(
        f"{name}={value}"
        for name, value in sorted(parse_qsl(raw_query, keep_blank_values=True, errors="strict"))
    )
    if request.method == "GET":
        if request.body:
            raise ValueError("a GET has no body")
        return f"{base}?{query}" if query else base
    # As the SDK has it: a body brings its question mark along, query or not.
    params = "".join(name + value for name, value in sorted(_form(request)))
    mark = "?" if query or params else ""
    dot = "." if query and params else ""
    return f"{base}{mark}{query}{dot}{params}"


def _params(request: WebhookRequest) -> Pairs:
    """The callback's own fields: Plivo's GET has them in the query, its POST in the body."""
    if request.method == "GET":
        return parse_qsl(request.url.partition("#")[0].partition("?")[2], keep_blank_values=True)
    return _form(request)


def _form(request: WebhookRequest) -> Pairs:
    """The form's pairs, blank values included.

    Each must have its equals sign, as Plivo always writes it. The signature leaves the signs out,
    so a lenient reader would take ``To&sip:a`` for ``To=sip:a`` and still find it valid.

    Raises:
        ValueError: Not a POST, not a form, not UTF-8, or a pair has no equals sign.
    """
    if request.method != "POST":
        raise ValueError("neither GET nor POST")
    if not request.body:
        return []
    if request.header("Content-Type").partition(";")[0].strip().lower() != FORM:
        raise ValueError("not a form")
    return parse_qsl(
        request.body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict"
    )


def _voice(fields: Mapping[str, str], connection_id: str) -> Parsed:
    if not fields.get("CallUUID"):
        return Ignored("not_usage")
    status = _ended_as(fields)
    if status is None:
        return Ignored("call_not_ended")
    is_answered = status is CallStatus.COMPLETED
    seconds = count(fields, "Duration") if is_answered or fields.get("Duration") else 0
    ended_at = _time(fields, "EndTime")
    answered_at = None
    if is_answered and (seconds or fields.get("AnswerTime")):
        answered_at = _time(fields, "AnswerTime")
        if timedelta(seconds=seconds) > ended_at - answered_at + CLOCK_GRAIN:
            raise UnreadableFieldError("invalid_quantity", "Duration is longer than the call was")
    direction = DIRECTIONS.get(fields.get("Direction", ""))
    if direction is None:
        raise UnreadableFieldError("invalid_direction", "Direction is missing or unknown")
    event = UsageEvent(
        key=CallKey("plivo", _account(fields), identifier(fields, "CallUUID")),
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=number(fields, "From"),
        to_number=required(number(fields, "To"), "To"),
        status=status,
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _ended_as(fields: Mapping[str, str]) -> CallStatus | None:
    """How the call ended; None while it goes on. ``Event`` may be left out."""
    status = fields.get("CallStatus", "")
    match fields.get("Event", ""):
        case "":
            return STATUSES.get(status)
        case "Hangup":
            return STATUSES.get(status, CallStatus.FAILED)
        case _:
            return None


def _account(fields: Mapping[str, str]) -> str:
    return identifier(fields, "ParentAuthID") if fields.get("ParentAuthID") else ACCOUNT_NOT_NAMED


def _time(fields: Mapping[str, str], name: str) -> datetime:
    """A time without a zone, which is UTC (assumed: Plivo's pages do not say)."""
    value = text(fields, name)
    try:
        if not _TIME.fullmatch(value):
            raise ValueError(value)
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError as error:
        raise UnreadableFieldError(
            "invalid_timestamp", f"{name} is missing or no time such as 2026-11-22 12:05:00"
        ) from error


def _gathered(pairs: Pairs) -> dict[str, str]:
    """Every value of every field, so that one with two shows both."""
    values: dict[str, list[str]] = {}
    for name, value in sorted(set(pairs)):
        values.setdefault(name, []).append(value)
    return {name: ", ".join(given) for name, given in values.items()}


PROVIDER = Plivo()
