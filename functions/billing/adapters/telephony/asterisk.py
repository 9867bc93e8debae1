"""The fields of an Asterisk CDR, as ``cdr_csv`` and the manager name them.

Asterisk itself posts no CDRs and knows neither a direction nor a zone. Whoever sends them adds
``direction`` where it is not plain from an extension on one side, and ``site`` where one
connection serves several; times without a zone are UTC (``usegmtime=yes``).

Source:
    https://docs.asterisk.org/Deployment/Call-Detail-Records-CDR/
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing.adapters.telephony import legs
from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    as_given,
    count,
    identifier,
    kept,
    required,
    rfc_3339,
    text,
)
from billing.domain.callbacks import Ignored, Reported
from billing.domain.canonical import Json
from billing.domain.cloud_events import is_too_long
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

DISPOSITIONS = {
    "ANSWERED": CallStatus.COMPLETED,
    "BUSY": CallStatus.BUSY,
    "NO ANSWER": CallStatus.NO_ANSWER,
    "FAILED": CallStatus.FAILED,
    "CONGESTION": CallStatus.FAILED,
}

FIELDS = (
    "accountcode",
    "answer",
    "billsec",
    "direction",
    "disposition",
    "dst",
    "end",
    "sequence",
    "site",
    "src",
    "uniqueid",
)

_ACCOUNT = re.compile(r"[!-~]{1,128}")
_SITE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UNIQUE_ID = re.compile(r"[A-Za-z0-9_.-]{1,150}")
_SEQUENCE = re.compile(r"[0-9]{1,20}")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def read(record: Mapping[str, Any], provider: str, connection_id: str) -> Reported | Ignored:
    """
    Raises:
        UnreadableFieldError: A field cannot be true.
        InvalidUsageError: The fields cannot be true together.
    """
    from_number, to_number = as_given(record, "src"), required(as_given(record, "dst"), "dst")
    direction = _direction(record, from_number, to_number)
    if direction is None:
        return Ignored("internal_call")
    status = DISPOSITIONS.get(text(record, "disposition"))
    if status is None:
        raise UnreadableFieldError("invalid_status", "disposition is missing or unknown")
    seconds = count(record, "billsec")
    answered_at = _time(record, "answer") if text(record, "answer") else None
    ended_at = _time(record, "end")
    if answered_at is not None and is_too_long(seconds, answered_at, ended_at):
        raise UnreadableFieldError("invalid_quantity", "billsec is more than passed since answer")
    event = UsageEvent(
        key=_key(record, provider, connection_id),
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        status=status,
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def known_fields(record: Mapping[str, Any]) -> dict[str, Json]:
    return kept(record, FIELDS)


def _key(record: Mapping[str, Any], provider: str, connection_id: str) -> CallKey:
    """A uniqueid is unique at its site alone, and the records of one call share it."""
    has_site, has_account = bool(text(record, "site")), bool(text(record, "accountcode"))
    site = identifier(record, "site", pattern=_SITE) if has_site else connection_id
    account = identifier(record, "accountcode", pattern=_ACCOUNT) if has_account else site
    unique_id = identifier(record, "uniqueid", pattern=_UNIQUE_ID)
    sequence = identifier(record, "sequence", pattern=_SEQUENCE)
    return CallKey(provider, account, f"{site}:{unique_id}:{sequence}")


def _direction(record: Mapping[str, Any], from_number: str, to_number: str) -> Direction | None:
    named = text(record, "direction")
    if named:
        return legs.named_direction(named)
    if legs.is_internal(from_number, to_number):
        return None
    if legs.is_extension(from_number) and legs.is_number(to_number):
        return Direction.OUTBOUND
    if legs.is_number(from_number) and legs.is_extension(to_number):
        return Direction.INBOUND
    raise legs.unknown_direction("send it as direction")


def _time(record: Mapping[str, Any], name: str) -> datetime:
    value = text(record, name)
    if not _LOCAL_TIME.fullmatch(value):
        return rfc_3339(record, name)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError as error:
        raise UnreadableFieldError("invalid_timestamp", f"{name} is no such time") from error
