"""CloudEvents that report usage, as they are described, and what becomes of them.

The domain reads them, one by one and whatever they hold; these schemas only describe them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.schemas.base import Instant, Schema, UnitName
from billing.domain.checked_fields import MAX_TEXT
from billing.domain.units import Direction
from billing.domain.usage import MAX_QUANTITY, CallStatus
from billing.services.ingest_events import Ingested

MAX_EVENTS = 100

EventId = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Count = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
AccountOrDefault = Annotated[
    str, Field(description="A billing account's id; `default` names the tenant's first.")
]
Number = Annotated[str, Field(max_length=MAX_TEXT, description="E.164 with its plus sign.")]


class CallData(Schema):
    """A call that ended. Its seconds lie between its answer and its end."""

    call_id: EventId
    account: AccountOrDefault
    direction: Direction
    from_: Annotated[Number | None, Field(alias="from")] = None
    to: Number
    started_at: Instant | None = None
    answered_at: Instant | None = None
    ended_at: Instant
    billable_seconds: Count
    status: CallStatus
    hangup_cause: Text | None = None


class MessageData(Schema):
    """A message: as many as it has segments, or one. One that was not delivered costs nothing."""

    message_id: EventId
    account: AccountOrDefault
    from_: Annotated[Number | None, Field(alias="from")] = None
    to: Number
    occurred_at: Instant
    segments: Count | None = None
    status: CallStatus | None = None


class MeteredData(Schema):
    """So much of any unit there is, used at once. Only calls and messages need a ``to``."""

    usage_id: EventId
    account: AccountOrDefault
    unit: UnitName
    direction: Direction
    from_: Annotated[Number | None, Field(alias="from")] = None
    to: Number | None = None
    quantity: Count
    occurred_at: Instant


class Envelope(BaseModel):
    """The attributes of CloudEvents 1.0 in structured JSON form. Extensions mean nothing here."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    specversion: Literal["1.0"]
    id: Text
    source: Annotated[
        EventId, Field(description="What reports it: with the usage's own id, its identity.")
    ]
    subject: Text | None = None
    time: Instant | None = None
    datacontenttype: Text | None = None


class CallEnded(Envelope):
    """A call."""

    type: Literal["call.ended"]
    data: CallData


class MessageReported(Envelope):
    """A message."""

    type: Literal["message.sent", "message.received"]
    data: MessageData


class UsageMetered(Envelope):
    """Any other usage."""

    type: Literal["usage.metered"]
    data: MeteredData


class UsageEventIn(RootModel[CallEnded | MessageReported | UsageMetered]):
    """One event."""


class UsageBatchIn(RootModel[Annotated[list[UsageEventIn], Field(max_length=MAX_EVENTS)]]):
    """Events, each taken or refused for itself."""


class FaultOut(Schema):
    """One thing that is wrong with an event: where, as a JSON pointer into it, and why."""

    pointer: str
    detail: str


class UsageResult(Schema):
    """What became of one event.

    ``accepted``: it waits in the queue of its account. ``duplicate_in_batch``: the same usage came
    before in this batch. ``parked``: other content for a call of this batch waits for an operator.
    ``rejected``: nothing of it was kept; ``errors`` tells all that is wrong.
    """

    id: str | None
    status: Literal["accepted", "duplicate_in_batch", "rejected", "parked"]
    code: str | None = None
    errors: list[FaultOut]

    @staticmethod
    def of(event: object, ingested: Ingested) -> "UsageResult":
        given = event.get("id") if isinstance(event, Mapping) else None
        is_id = isinstance(given, str) and given.isprintable() and 0 < len(given) <= MAX_TEXT
        fields: dict[str, Any] = {
            "id": given if is_id else None,
            "status": ingested.status.value,
            "errors": [
                FaultOut(pointer=fault.pointer, detail=fault.detail) for fault in ingested.faults
            ],
        }
        return UsageResult.model_validate(
            fields | {"code": ingested.code} if ingested.code else fields
        )


class UsageResults(Schema):
    """A result for each event, in the order of the batch."""

    results: list[UsageResult]
