"""What the provider tells us, and what it remembers having told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, UsageEvent
from local.twilio import signed_callback
from simulation.tenants import PUBLIC_URL, SECRETS, TENANT_OF


@dataclass(frozen=True, slots=True)
class Content:
    """What two reports of one call must agree on."""

    unit: Unit
    direction: Direction
    to_number: str
    quantity: int

    @staticmethod
    def of(event: UsageEvent) -> "Content":
        return Content(event.unit, event.direction, event.to_number, event.quantity)


@dataclass(frozen=True, slots=True)
class Report:
    """One report of one call or message, as the provider means it.

    Args:
        ended_at: Whole seconds; a message has none, it happened when we heard of it.
    """

    connection_id: str
    subaccount: str
    call_id: str
    content: Content
    ended_at: datetime | None

    @property
    def tenant_id(self) -> str:
        return TENANT_OF[self.connection_id]

    @property
    def key(self) -> CallKey:
        return CallKey("twilio", self.subaccount, self.call_id)

    def as_event(self, request_id: str) -> dict[str, Any]:
        """The signed callback, as API Gateway hands it on."""
        url = f"{PUBLIC_URL}/webhooks/usage/{self.connection_id}"
        headers, body = signed_callback(url, SECRETS[self.connection_id], self._fields())
        return {
            "requestContext": {"requestId": request_id, "http": {"method": "POST"}},
            "pathParameters": {"conn": self.connection_id},
            "rawQueryString": "",
            "headers": headers,
            "body": body.decode(),
            "isBase64Encoded": False,
        }

    def _fields(self) -> Mapping[str, str]:
        fields = {
            "AccountSid": self.subaccount,
            "From": "+14155550100",
            "To": self.content.to_number,
        }
        if self.content.unit is Unit.MESSAGES:
            is_inbound = self.content.direction is Direction.INBOUND
            fields["MessageSid"] = self.call_id
            fields["MessageStatus"] = "received" if is_inbound else "sent"
            fields["NumSegments"] = str(self.content.quantity)
            return fields
        assert self.ended_at is not None
        is_inbound = self.content.direction is Direction.INBOUND
        fields["CallSid"] = self.call_id
        fields["CallStatus"] = "completed" if self.content.quantity else "no-answer"
        fields["CallDuration"] = str(self.content.quantity)
        fields["Direction"] = "inbound" if is_inbound else "outbound-api"
        fields["Timestamp"] = format_datetime(self.ended_at.astimezone(UTC))
        return fields
