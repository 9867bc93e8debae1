"""Bandwidth: verify and read the disconnect webhooks of its Voice API.

Nothing signs the body: whoever has the credentials of the voice application is believed, and
nothing stops a body from being altered but TLS. A secret is ``username:password``.

Sources:
    https://dev.bandwidth.com/docs/voice/webhooks/
    https://dev.bandwidth.com/docs/voice/webhooks/disconnect/
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    body_digest,
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

ENDS = ("disconnect", "transferDisconnect")
"""The end of a call, and of a leg that a transfer added: each leg has its own call id."""

CAUSES = {
    "hangup": CallStatus.CANCELED,
    "busy": CallStatus.BUSY,
    "timeout": CallStatus.NO_ANSWER,
    "cancel": CallStatus.CANCELED,
}
"""Why a call that nobody answered ended. The list is open: any other cause is a failure."""

DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}

FIELDS = (
    "accountId",
    "answerTime",
    "callId",
    "cause",
    "direction",
    "endTime",
    "eventType",
    "from",
    "to",
)

_SECOND = timedelta(seconds=1)


class Bandwidth:
    """Bandwidth's dialect."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Nothing is signed, so ``received_at`` decides nothing."""
        scheme, _, given = request.header("Authorization").strip(" ").partition(" ")
        if request.method != "POST" or scheme.lower() != "basic":
            return False
        try:
            # The encoded forms are compared: each credential has exactly one of them.
            expected = [base64.b64encode(secret.encode()) for secret in secrets if _whole(secret)]
            token = given.lstrip(" ").encode()
        except ValueError:  # Not UTF-8: no credentials of anybody's.
            return False
        return any(hmac.compare_digest(one, token) for one in expected)

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        fields: dict[str, Any] = {}
        try:
            fields = json_object(request)
            if fields.get("eventType") not in ENDS:
                return Ignored("call_not_ended")
            return Reported((_call(fields, connection_id),))
        except UnreadableFieldError as error:
            reason, detail = error.reason, error.detail
        except InvalidUsageError as error:
            reason, detail = error.code, error.detail
        callback = kept(fields, FIELDS)
        account = str(callback.get("accountId") or "")
        return Unreadable(reason, detail, account, callback or body_digest(request))


def _whole(secret: str) -> bool:
    username, _, password = secret.partition(":")
    return bool(username and password)


def _call(fields: Mapping[str, Any], connection_id: str) -> UsageEvent:
    ended_at = rfc_3339(fields, "endTime")
    answered_at = rfc_3339(fields, "answerTime") if text(fields, "answerTime") else None
    direction = DIRECTIONS.get(text(fields, "direction"))
    if direction is None:
        raise UnreadableFieldError("invalid_direction", "direction is missing or unknown")
    return UsageEvent(
        key=CallKey("bandwidth", identifier(fields, "accountId"), identifier(fields, "callId")),
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=number(fields, "from"),
        to_number=required(number(fields, "to"), "to"),
        status=_status(fields, answered_at),
        quantity=_whole_seconds(answered_at, ended_at),
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )


def _status(fields: Mapping[str, Any], answered_at: datetime | None) -> CallStatus:
    """An answered call was used up to its end, whatever ended it."""
    if answered_at is not None:
        return CallStatus.COMPLETED
    return CAUSES.get(text(fields, "cause"), CallStatus.FAILED)


def _whole_seconds(answered_at: datetime | None, ended_at: datetime) -> int:
    """Bandwidth names no duration: the answered time, with a begun second counted whole."""
    return 0 if answered_at is None else -((answered_at - ended_at) // _SECOND)


PROVIDER = Bandwidth()
