"""The event bus: what happened, as CloudEvents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from billing.domain.canonical import canonical_json
from billing.domain.errors import TalktimeError
from billing.domain.records import Event

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "talktime"

MAX_ENTRIES = 10
"""Events one request may carry (EventBridge quota, 2026)."""


class EventsNotTakenError(TalktimeError):
    """The bus refused events; they stay in the outbox, and publishing all again is safe."""

    code = "bus_unavailable"


class Outbox(Protocol):
    """Where events wait until they are published."""

    def forget(self, events: Sequence[Event]) -> None: ...


class BusEvents:
    """Events on EventBridge, forgotten in the table's outbox."""

    def __init__(self, bus_name: str, bus: "EventBridgeClient", outbox: Outbox) -> None:
        self._bus_name = bus_name
        self._bus = bus
        self._outbox = outbox

    def publish(self, events: Sequence[Event]) -> None:
        """
        Raises:
            EventsNotTakenError: Some were refused.
        """
        for start in range(0, len(events), MAX_ENTRIES):
            entries = [self._entry(event) for event in events[start : start + MAX_ENTRIES]]
            answer = self._bus.put_events(Entries=entries)
            if failed := answer["FailedEntryCount"]:
                codes = {entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry}
                reasons = ", ".join(sorted(codes))
                raise EventsNotTakenError(
                    f"the bus refused {failed} of {len(entries)} events: {reasons}"
                )

    def forget(self, events: Sequence[Event]) -> None:
        self._outbox.forget(events)

    def _entry(self, event: Event) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": event.occurred_at,
            "Detail": cloud_event(event),
        }


def cloud_event(event: Event) -> str:
    """The event as CloudEvents 1.0 JSON.

    Consumers tell a repetition by source and id together; an id is unique within its account, so
    the source names the account.
    """
    ref = event.account
    return canonical_json(
        {
            "specversion": "1.0",
            "id": event.event_id,
            "source": f"/{SOURCE}/tenants/{ref.tenant_id}/accounts/{ref.account_id}",
            "type": event.type,
            "time": event.occurred_at.isoformat(),
            "datacontenttype": "application/json",
            "tenant": ref.tenant_id,
            "account": ref.account_id,
            "data": event.data,
        }
    )
