"""Deliver an event to its endpoint once more, because somebody asks for it."""

from billing.domain.account import AccountRef
from billing.domain.errors import BookContendedError, ConflictError
from billing.domain.webhook_deliveries import Delivery, redeliver
from billing.ports import Clock, Deliveries

ATTEMPTS = 3
"""Against a worker that records an attempt at the same moment."""


class RedeliverWebhook:
    """Makes a delivery due; the next sweep, within a minute, hands it on."""

    def __init__(self, deliveries: Deliveries, clock: Clock) -> None:
        self._deliveries = deliveries
        self._clock = clock

    def redeliver(self, ref: AccountRef, delivery_id: str) -> Delivery:
        """
        Raises:
            NotFoundError: There is none of that id, or not any more.
            BookContendedError: It keeps changing.
        """
        for _ in range(ATTEMPTS):
            delivery = self._deliveries.get(ref, delivery_id)
            again = redeliver(delivery, self._clock.now())
            try:
                if again is not delivery:
                    self._deliveries.save(again)
            except ConflictError:
                continue
            return again
        raise BookContendedError("the delivery keeps changing; try again shortly")
