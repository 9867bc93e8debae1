"""Any PBX: a generic endpoint for records that a small program beside the PBX signs and sends.

Requests are signed by Standard Webhooks; a secret is ``whsec_`` and base64. The body is one JSON
object, told apart by its own fields:

- a CloudEvent (``specversion``), see ``billing/domain/cloud_events.py``;
- a record of FreeSWITCH's ``mod_json_cdr`` (``variables``), posted with ``encode=false``;
- the fields of an Asterisk CDR (``uniqueid``).

Numbers are taken as given: what a PBX dials without a plus sign may be national.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from billing.adapters.telephony import asterisk, freeswitch, standard_webhooks
from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    body_digest,
    json_object,
    kept,
)
from billing.domain.callbacks import Ignored, Parsed, Reported, Unreadable, WebhookRequest
from billing.domain.canonical import Json
from billing.domain.checked_fields import InvalidFieldsError
from billing.domain.cloud_events import Origin, is_usage, read_cloud_event
from billing.domain.errors import InvalidUsageError

NAME = "pbx"

MAX_DETAIL = 500
"""Characters of an explanation that names many faults."""

EVENT_FIELDS = ("id", "source", "subject", "type")
DATA_FIELDS = (
    "account",
    "answered_at",
    "billable_seconds",
    "call_id",
    "direction",
    "ended_at",
    "from",
    "message_id",
    "occurred_at",
    "quantity",
    "segments",
    "status",
    "to",
    "unit",
    "usage_id",
)

_SITE = re.compile(r"urn:pbx:([A-Za-z0-9_.-]{1,64}):.*")


class Pbx:
    """The dialects of PBXs."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        return request.method == "POST" and standard_webhooks.is_signed(
            request, secrets, received_at
        )

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        try:
            record = json_object(request)
        except UnreadableFieldError as error:
            return Unreadable(error.reason, error.detail, "", body_digest(request))
        if "specversion" in record:
            return _cloud_event(record, connection_id)
        if isinstance(record.get("variables"), dict):
            return _record(freeswitch, record, connection_id)
        if "uniqueid" in record:
            return _record(asterisk, record, connection_id)
        return Unreadable(
            "unknown_record",
            "neither a CloudEvent nor a record of FreeSWITCH or Asterisk",
            "",
            body_digest(request),
        )


class _Dialect(Protocol):
    def read(
        self, record: Mapping[str, Any], provider: str, connection_id: str
    ) -> Reported | Ignored: ...

    def known_fields(self, record: Mapping[str, Any]) -> dict[str, Json]: ...


def _record(dialect: _Dialect, record: Mapping[str, Any], connection_id: str) -> Parsed:
    try:
        return dialect.read(record, NAME, connection_id)
    except UnreadableFieldError as error:
        reason, detail = error.reason, error.detail
    except InvalidUsageError as error:
        reason, detail = error.code, error.detail
    fields = dialect.known_fields(record)
    return Unreadable(reason, detail, str(fields.get("accountcode") or ""), fields)


def _cloud_event(event: Mapping[str, Any], connection_id: str) -> Parsed:
    if isinstance(event.get("type"), str) and not is_usage(event):
        return Ignored("not_usage")
    origin = Origin(NAME, connection_id, account=_site(event.get("source")) or connection_id)
    try:
        return Reported((read_cloud_event(event, origin),))
    except InvalidFieldsError as error:
        data = event.get("data")
        known: dict[str, Json] = kept(data, DATA_FIELDS) if isinstance(data, Mapping) else {}
        detail = error.detail[:MAX_DETAIL]
        account = str(known.get("account") or origin.account)
        callback = kept(event, EVENT_FIELDS) | {"data": known}
        return Unreadable("invalid_cloud_event", detail, account, callback)


def _site(source: object) -> str:
    """The site of ``urn:pbx:<site>:<host>``: hosts of one site may take over from one another."""
    found = _SITE.fullmatch(source) if isinstance(source, str) else None
    return found.group(1) if found else ""


PROVIDER = Pbx()
