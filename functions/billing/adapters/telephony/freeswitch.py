"""The record of one leg that FreeSWITCH's ``mod_json_cdr`` writes.

A leg is billed in the direction its channel variable ``talktime_direction`` names (``inbound``,
``outbound``, or ``none`` for a leg that is nobody's usage). Without it, a call's first leg is
concluded from who called whom; a second leg to an extension is no usage, and one to a number has
to be named, since the first leg may be billed already.

Source:
    https://github.com/signalwire/freeswitch (src/mod/event_handlers/mod_json_cdr, and
    switch_ivr_generate_json_cdr in src/switch_ivr.c)
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from billing.adapters.telephony import legs
from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    as_given,
    count,
    identifier,
    kept,
    required,
    text,
)
from billing.domain.callbacks import Ignored, Reported
from billing.domain.canonical import Json
from billing.domain.cloud_events import is_too_long
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent

CAUSES = {
    "USER_BUSY": CallStatus.BUSY,
    "NO_ANSWER": CallStatus.NO_ANSWER,
    "NO_USER_RESPONSE": CallStatus.NO_ANSWER,
    "ALLOTTED_TIMEOUT": CallStatus.NO_ANSWER,
    "PROGRESS_TIMEOUT": CallStatus.NO_ANSWER,
    "ORIGINATOR_CANCEL": CallStatus.CANCELED,
    "LOSE_RACE": CallStatus.CANCELED,
}
"""Why a call that nobody answered ended; any other cause is a failure."""

NOT_BILLED = "none"

VARIABLES = (
    "accountcode",
    "answer_epoch",
    "billsec",
    "direction",
    "end_epoch",
    "hangup_cause",
    "originating_leg_uuid",
    "talktime_direction",
    "uuid",
)
SECOND_LEG = "is_second_leg"
PROFILE = ("caller_id_number", "destination_number")

_ACCOUNT = re.compile(r"[!-~]{1,128}")
_EPOCH = re.compile(r"[0-9]{1,10}")


def read(record: Mapping[str, Any], provider: str, connection_id: str) -> Reported | Ignored:
    """
    Raises:
        UnreadableFieldError: A field cannot be true.
        InvalidUsageError: The fields cannot be true together.
    """
    fields = _fields(record)
    from_number = as_given(fields, "caller_id_number")
    to_number = required(as_given(fields, "destination_number"), "destination_number")
    direction = _direction(fields, from_number, to_number)
    if direction is None:
        return Ignored("leg_not_billable")
    seconds = count(fields, "billsec")
    answered_at, ended_at = _epoch(fields, "answer_epoch"), _epoch(fields, "end_epoch")
    if ended_at is None:
        raise UnreadableFieldError("invalid_timestamp", "end_epoch is 0")
    if answered_at is not None and is_too_long(seconds, answered_at, ended_at):
        raise UnreadableFieldError("invalid_quantity", "billsec is more than passed since answer")
    event = UsageEvent(
        key=CallKey(provider, _account(fields, connection_id), identifier(fields, "uuid")),
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        status=_status(fields, answered_at),
        quantity=seconds,
        answered_at=answered_at,
        ended_at=ended_at,
        connection_id=connection_id,
    )
    return Reported((event,))


def known_fields(record: Mapping[str, Any]) -> dict[str, Json]:
    return kept(_fields(record), (*VARIABLES, *PROFILE, SECOND_LEG))


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is read of the record, flat, with ``encode-values`` undone."""
    variables, profile = record["variables"], _profile(record)
    fields = {name: _decoded(variables[name]) for name in VARIABLES if name in variables}
    fields |= {name: _decoded(profile[name]) for name in PROFILE if name in profile}
    if profile.get("originator"):
        fields[SECOND_LEG] = True
    return fields


def _profile(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The caller profile of the newest stretch of the call flow."""
    flow = record.get("callflow")
    newest = flow[0] if isinstance(flow, list) and flow else flow
    profile = newest.get("caller_profile") if isinstance(newest, dict) else None
    return profile if isinstance(profile, dict) else {}


def _decoded(value: object) -> object:
    return unquote(value) if isinstance(value, str) else value


def _direction(fields: Mapping[str, Any], from_number: str, to_number: str) -> Direction | None:
    named = text(fields, "talktime_direction")
    if named:
        return None if named == NOT_BILLED else legs.named_direction(named)
    if fields.get(SECOND_LEG) or text(fields, "originating_leg_uuid"):
        if legs.is_extension(to_number):
            return None
        raise legs.unknown_direction("set talktime_direction on the second leg")
    came_in = legs.named_direction(text(fields, "direction")) is Direction.INBOUND
    if legs.is_internal(from_number, to_number) or (not came_in and legs.is_extension(to_number)):
        return None
    if not came_in or legs.is_extension(from_number):
        return Direction.OUTBOUND
    if legs.is_number(from_number):
        return Direction.INBOUND
    raise legs.unknown_direction("set talktime_direction in the dialplan")


def _account(fields: Mapping[str, Any], connection_id: str) -> str:
    if not text(fields, "accountcode"):
        return connection_id
    return identifier(fields, "accountcode", pattern=_ACCOUNT)


def _epoch(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Seconds since 1970, with 0 for what has not happened."""
    value = text(fields, name)
    if not _EPOCH.fullmatch(value):
        raise UnreadableFieldError("invalid_timestamp", f"{name} is missing or no epoch")
    return datetime.fromtimestamp(int(value), UTC) if int(value) else None


def _status(fields: Mapping[str, Any], answered_at: datetime | None) -> CallStatus:
    if answered_at is not None:
        return CallStatus.COMPLETED
    return CAUSES.get(text(fields, "hangup_cause"), CallStatus.FAILED)
