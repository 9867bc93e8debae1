"""Corrections: what an operator says of one recorded call."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.schemas.base import Instant, Name, Schema
from api.schemas.usage import CallOut
from billing.domain.units import Direction
from billing.domain.usage import MAX_QUANTITY, CallKey, CallStatus

Part = Annotated[str, StringConstraints(min_length=1, max_length=512)]

_FIELDS = {"to": "to_number"}
_CONTENT = ("quantity", "to", "direction", "status", "answered_at", "ended_at")


class CorrectionIn(Schema):
    """The call, as providers name it, and what was wrong. What is left out stays as it is.

    ``quantity`` counts the call's unit: answered seconds, or messages. ``reason`` is for the audit.
    """

    provider: Part
    provider_account: Part
    call_id: Part
    reason: Name
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] | None = None
    to: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    direction: Annotated[Direction, Field(strict=False)] | None = None
    status: Annotated[CallStatus, Field(strict=False)] | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None

    @property
    def key(self) -> CallKey:
        return CallKey(self.provider, self.provider_account, self.call_id)

    def content(self) -> dict[str, Any]:
        """The fields of a usage event that were given; only the time of answer may be none."""
        return {
            _FIELDS.get(name, name): getattr(self, name)
            for name in _CONTENT
            if getattr(self, name) is not None
            or (name == "answered_at" and name in self.model_fields_set)
        }


class CorrectionOut(Schema):
    """The call as this request left it."""

    call: CallOut
