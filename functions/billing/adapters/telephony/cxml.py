"""The status callbacks of calls and messages that Twilio sends, and SignalWire in its likeness.

Sources:
    https://www.twilio.com/docs/voice/api/call-resource#statuscallback
    https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
    https://signalwire.com/docs/compatibility-api/rest/calls/webhooks/voice-status-callback
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.adapters.telephony.fields import (
    MAX_FIELD_CHARACTERS,
    UnreadableFieldError,
    count,
    identifier,
    number,
    required,
    rfc_2822,
)
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable
from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

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


@dataclass(frozen=True, slots=True)
class Dialect:
    """What tells the providers apart.

    Args:
        provider: Its name in our keys.
        undirected: The direction of a call whose callback names none; None: such a call cannot
            be read.
    """

    provider: str
    undirected: Direction | None = None


def read(
    dialect: Dialect,
    pairs: Sequence[tuple[str, str]],
    connection_id: str,
    received_at: datetime,
) -> Parsed:
    """Read a verified callback from its names and values."""
    pairs = [pair for pair in pairs if pair[0] in FIELDS]
    fields = dict(pairs)
    try:
        if len(fields) != len(set(pairs)):
            raise UnreadableFieldError("repeated_field", "a field has more than one value")
        if "CallStatus" in fields:
            return _voice(dialect, fields, connection_id)
        return _message(dialect, fields, connection_id, received_at)
    except UnreadableFieldError as error:
        reason, detail = error.reason, error.detail
    except InvalidUsageError as error:
        reason, detail = error.code, error.detail
    return Unreadable(reason, detail, fields.get("AccountSid", ""), _kept(pairs))


def _voice(dialect: Dialect, fields: Mapping[str, str], connection_id: str) -> Parsed:
    status = CALL_STATUSES.get(fields["CallStatus"])
    if status is None:
        return Ignored("call_not_ended")
    key = _key(dialect, fields, "CallSid")
    # Only an unanswered call may leave its duration out.
    seconds = count(fields, "CallDuration", "" if status is CallStatus.COMPLETED else "0")
    ended_at = rfc_2822(fields, "Timestamp")
    answered_at = ended_at - timedelta(seconds=seconds) if status is CallStatus.COMPLETED else None
    event = UsageEvent(
        key=key,
        unit=Unit.VOICE_SECONDS,
        direction=_direction(dialect, fields),
        from_number=number(fields, "From"),
        to_number=required(number(fields, "To"), "To"),
        status=status,
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _direction(dialect: Dialect, fields: Mapping[str, str]) -> Direction:
    is_named = "Direction" in fields
    direction = DIRECTIONS.get(fields["Direction"]) if is_named else dialect.undirected
    if direction is None:
        raise UnreadableFieldError("invalid_direction", "Direction is missing or unknown")
    return direction


def _message(
    dialect: Dialect, fields: Mapping[str, str], connection_id: str, received_at: datetime
) -> Parsed:
    """A message's callbacks carry no time of their own: it happened when we heard of it."""
    status = fields.get("MessageStatus") or fields.get("SmsStatus")
    if status is None:
        return Ignored("not_usage")
    if status not in MESSAGE_STATUSES:
        return Ignored("message_not_sent")
    direction, outcome = MESSAGE_STATUSES[status]
    quantity = 1 if outcome is CallStatus.COMPLETED else 0
    if direction is Direction.INBOUND:
        quantity = max(1, count(fields, "NumSegments", "1"))
    event = UsageEvent(
        key=_key(dialect, fields, "MessageSid", "SmsSid"),
        unit=Unit.MESSAGES,
        direction=direction,
        from_number=number(fields, "From"),
        to_number=required(number(fields, "To"), "To"),
        status=outcome,
        quantity=quantity,
        answered_at=received_at if quantity else None,
        ended_at=received_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def _key(dialect: Dialect, fields: Mapping[str, str], *names: str) -> CallKey:
    return CallKey(
        dialect.provider,
        identifier(fields, "AccountSid", reason="invalid_sid"),
        identifier(fields, *names, reason="invalid_sid"),
    )


def _kept(pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """The callback for whoever looks at it later: every value of every field that is read."""
    kept: dict[str, list[str]] = {}
    for name, value in sorted(set(pairs)):
        # A lone surrogate, which JSON can spell, has no UTF-8.
        clean = value[:MAX_FIELD_CHARACTERS].encode(errors="replace").decode()
        kept.setdefault(name, []).append(clean)
    return {name: values[0] if len(values) == 1 else values for name, values in kept.items()}
