"""CloudEvents 1.0 in, usage out: one event at a time, with every wrong field named.

Three types report usage:

``call.ended``
    ``call_id, account, direction, from?, to, started_at?, answered_at (or null), ended_at,
    billable_seconds, status, hangup_cause?``
``message.sent`` and ``message.received``
    ``message_id, account, from?, to, occurred_at, segments?, status?``
``usage.metered``
    ``usage_id, account, unit, direction, from?, to, quantity, occurred_at``: any unit there is.
    Of a unit of the operator's own, ``to`` may be left out.

The ids name the usage for ever, together with the account: the same id again is the same usage.
Numbers are E.164 with their plus sign; anything else is left as it is and may have no rate.

Source:
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from billing.domain.checked_fields import CheckedFields, Fault, InvalidFieldsError
from billing.domain.units import Direction, Unit
from billing.domain.usage import MAX_CLOCK_AHEAD, CallKey, CallStatus, UsageEvent

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"

OWN_PROVIDER = "api"
"""The provider of usage that a tenant's own systems report."""

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json(?: *;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event came in.

    Args:
        provider: The provider of its key.
        connection_id: The connection.
        account: Whose usage it is when the event names no account; None: it has to.
    """

    provider: str
    connection_id: str
    account: str | None = None


def is_usage(event: Mapping[str, Any]) -> bool:
    """Whether the event is of a type that reports usage."""
    type_ = event.get("type")
    return isinstance(type_, str) and type_ in _TYPES


def read_cloud_event(event: object, origin: Origin) -> UsageEvent:
    """Read one event in structured JSON form.

    Raises:
        InvalidFieldsError: With every fault there is.
    """
    if not isinstance(event, Mapping):
        raise InvalidFieldsError((Fault("", "is not a JSON object"),))
    faults: list[Fault] = []
    _check_envelope(CheckedFields(event, "", faults))
    data = event.get("data")
    if not isinstance(data, Mapping):
        faults.append(Fault("/data", "is missing or not a JSON object"))
    read = _TYPES.get(event["type"]) if isinstance(event.get("type"), str) else None
    if read is None or not isinstance(data, Mapping):
        raise InvalidFieldsError(tuple(faults))
    return read(CheckedFields(data, "/data", faults), origin, event["type"])


@dataclass(frozen=True, slots=True)
class OwnReport:
    """What a tenant's own system reports.

    Args:
        account: The billing account as the event names it.
    """

    account: str
    usage: UsageEvent


def read_own_event(event: object, now: datetime) -> OwnReport:
    """Read an event of a tenant's own system, whose ``account`` is a billing account.

    Its ``source`` and its own id name the usage, not the account: sent again for another account,
    it is still the same usage.

    Raises:
        InvalidFieldsError: With every fault there is; or it ends in the future.
    """
    usage = read_cloud_event(event, Origin(OWN_PROVIDER, OWN_PROVIDER))
    assert isinstance(event, Mapping), "it was read"
    if usage.ended_at > now + MAX_CLOCK_AHEAD:
        ends = "ended_at" if event["type"] == "call.ended" else "occurred_at"
        raise InvalidFieldsError((Fault(f"/data/{ends}", "is in the future"),))
    key = replace(usage.key, provider_account=event["source"])
    return OwnReport(usage.key.provider_account, replace(usage, key=key))


def _check_envelope(envelope: CheckedFields) -> None:
    """The attributes of CloudEvents. Extensions may be there, and mean nothing here."""
    if envelope.text("specversion") not in ("", "1.0"):
        envelope.fault("specversion", "is not 1.0")
    envelope.text("id")
    # A URI reference, so it has no blanks; it may become part of what names the usage.
    envelope.id("source")
    if envelope.text("type") not in ("", *_TYPES):
        envelope.fault("type", f"is not one of {', '.join(_TYPES)}")
    envelope.text_or_empty("subject")
    envelope.optional_instant("time")
    if envelope.is_given("datacontenttype"):
        media_type = envelope.text("datacontenttype")
        if media_type and not _JSON_TYPE.fullmatch(media_type):
            envelope.fault("datacontenttype", "is not JSON")
    if envelope.is_given("data_base64"):
        envelope.fault("data_base64", "is not read: data is a JSON object")


def _call(data: CheckedFields, origin: Origin, _: str) -> UsageEvent:
    data.only(_CALL_FIELDS)
    key = _key(data, origin, "call_id")
    direction = data.choice("direction", Direction)
    from_number, to_number = data.text_or_empty("from"), data.text("to")
    status = data.choice("status", CallStatus)
    data.optional_instant("started_at")
    data.text_or_empty("hangup_cause")
    answered_at, ended_at = data.optional_instant("answered_at"), data.instant("ended_at")
    seconds = data.count("billable_seconds")
    _check_seconds(data, status, seconds, answered_at, ended_at)
    data.finished()
    assert ended_at is not None
    return UsageEvent(
        key=key,
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        status=status,
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=origin.connection_id,
    )


def _check_seconds(
    data: CheckedFields,
    status: CallStatus,
    seconds: int,
    answered_at: datetime | None,
    ended_at: datetime | None,
) -> None:
    """What a call is billed for must have fitted between its answer and its end."""
    if seconds and status is not CallStatus.COMPLETED:
        data.fault("billable_seconds", f"is not 0, as of a call with status {status}")
    if seconds and not data.is_given("answered_at"):
        data.fault("answered_at", "is missing, but there are seconds to bill")
    if answered_at is None or ended_at is None:
        return
    if answered_at > ended_at:
        data.fault("answered_at", "is after ended_at")
    elif is_too_long(seconds, answered_at, ended_at):
        data.fault("billable_seconds", "is more than passed from answered_at to ended_at")


def is_too_long(seconds: int, answered_at: datetime, ended_at: datetime) -> bool:
    """Whether so many seconds cannot lie between the two: one more may, since each is rounded."""
    return timedelta(seconds=seconds - 1) > ended_at - answered_at


def _message(data: CheckedFields, origin: Origin, type_: str) -> UsageEvent:
    data.only(_MESSAGE_FIELDS)
    key = _key(data, origin, "message_id")
    status = data.choice("status", CallStatus) if data.is_given("status") else CallStatus.COMPLETED
    is_billable = status is CallStatus.COMPLETED
    segments = data.count("segments") if data.is_given("segments") else int(is_billable)
    if segments and not is_billable:
        data.fault("segments", f"is not 0, as of a message with status {status}")
    return _used(
        data,
        origin,
        key=key,
        unit=Unit.MESSAGES,
        direction=_MESSAGE_DIRECTIONS[type_],
        status=status,
        quantity=segments,
    )


def _metered(data: CheckedFields, origin: Origin, _: str) -> UsageEvent:
    data.only(_METERED_FIELDS)
    return _used(
        data,
        origin,
        key=_key(data, origin, "usage_id"),
        unit=data.unit("unit"),
        direction=data.choice("direction", Direction),
        status=CallStatus.COMPLETED,
        quantity=data.count("quantity"),
    )


def _used(
    data: CheckedFields,
    origin: Origin,
    *,
    key: CallKey,
    unit: Unit,
    direction: Direction,
    status: CallStatus,
    quantity: int,
) -> UsageEvent:
    """Usage of one instant."""
    from_number = data.text_or_empty("from")
    # What is neither a call nor a message may belong to no number.
    to_number = data.text_or_empty("to") if unit.is_own else data.text("to")
    occurred_at = data.instant("occurred_at")
    data.finished()
    assert occurred_at is not None
    return UsageEvent(
        key=key,
        unit=unit,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        status=status,
        quantity=quantity,
        answered_at=occurred_at if quantity else None,
        ended_at=occurred_at,
        connection_id=origin.connection_id,
    )


def _key(data: CheckedFields, origin: Origin, name: str) -> CallKey:
    account = origin.account
    if account is None or data.is_given("account"):
        account = data.id("account")
    return CallKey(origin.provider, account, data.id(name))


_CALL_FIELDS = (
    "account",
    "answered_at",
    "billable_seconds",
    "call_id",
    "direction",
    "ended_at",
    "from",
    "hangup_cause",
    "started_at",
    "status",
    "to",
)
_MESSAGE_FIELDS = ("account", "from", "message_id", "occurred_at", "segments", "status", "to")
_METERED_FIELDS = (
    "account",
    "direction",
    "from",
    "occurred_at",
    "quantity",
    "to",
    "unit",
    "usage_id",
)
_MESSAGE_DIRECTIONS = {
    "message.sent": Direction.OUTBOUND,
    "message.received": Direction.INBOUND,
}
_TYPES: dict[str, Callable[[CheckedFields, Origin, str], UsageEvent]] = {
    "call.ended": _call,
    "message.sent": _message,
    "message.received": _message,
    "usage.metered": _metered,
}
