"""One event of the bus becomes a delivery for each endpoint that asks for it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from billing.domain.account import AccountRef
from billing.domain.canonical import canonical_json
from billing.domain.webhook_deliveries import begin
from billing.ports import Clock, Deliveries, DeliveryQueue, EndpointStore


class FanOutEvent:
    """Doing it twice adds nothing: a delivery is named by the event and its endpoint."""

    def __init__(
        self,
        endpoints: EndpointStore,
        deliveries: Deliveries,
        queue: DeliveryQueue,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def fan_out(self, event: Mapping[str, Any]) -> int:
        """Keep the deliveries, then hand them on. What is kept and not handed on is swept up.

        Args:
            event: A CloudEvent of ours.

        Returns:
            How many endpoints it is for.
        """
        ref = AccountRef(event["tenant"], event["account"])
        body, now = canonical_json(event), self._clock.now()
        wanted = [
            begin(ref, endpoint.endpoint_id, event, body, now)
            for endpoint in self._endpoints.get(ref).endpoints
            if endpoint.wants(event["type"])
        ]
        for delivery in wanted:
            self._deliveries.add(delivery)
        self._queue.send([(ref, delivery.delivery_id) for delivery in wanted], timedelta(0))
        return len(wanted)
