"""Attempt one delivery, and see to those that are due."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.domain.records import Event, EventType
from billing.domain.webhook_deliveries import Delivery, Failure, Outcome, claim, record
from billing.domain.webhook_endpoints import (
    GONE,
    WebhookEndpoint,
    WebhookEndpoints,
    check_url,
)
from billing.ports import Bus, Clock, Deliveries, DeliveryQueue, EndpointStore, WebhookSender

SOON = timedelta(minutes=1)
"""A gap that a queue's delay bridges; for a longer one the delivery itself waits to be swept up."""

SWEPT_TOGETHER = 100


class DeliverWebhook:
    """Delivers at least once: whoever dies between an answer and its record delivers again, under
    the same webhook id.

    Args:
        is_local: Whether this is the local stage, where plain HTTP and this machine are allowed.
    """

    def __init__(
        self,
        *,
        endpoints: EndpointStore,
        deliveries: Deliveries,
        sender: WebhookSender,
        queue: DeliveryQueue,
        bus: Bus,
        clock: Clock,
        is_local: bool,
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._sender = sender
        self._queue = queue
        self._bus = bus
        self._clock = clock
        self._is_local = is_local

    def deliver(self, ref: AccountRef, delivery_id: str) -> Delivery | None:
        """One attempt, if it is due: claimed, made, recorded.

        Returns:
            The delivery as it is now; None: it was not due, another worker has it, or it is gone.
        """
        now = self._clock.now()
        try:
            delivery = self._deliveries.get(ref, delivery_id)
        except NotFoundError:
            return None  # Expired since it was handed on.
        if not delivery.is_due(now):
            return None
        claimed = claim(delivery, now)
        try:
            self._deliveries.save(claimed)
        except ConflictError:
            return None
        outcome = self._attempt(claimed, now)
        recorded = record(claimed, outcome, self._clock.now())
        try:
            self._deliveries.save(recorded)
        except ConflictError:
            return None  # Asked for anew meanwhile: that attempt will be recorded.
        self._hand_on(recorded)
        return recorded

    def sweep(self) -> int:
        """Hand on what is due: after a longer gap, a crash, or somebody's request.

        Returns:
            How many deliveries were due.
        """
        due, swept = self._deliveries.due(self._clock.now()), 0
        while batch := list(islice(due, SWEPT_TOGETHER)):
            self._queue.send(batch, timedelta(0))
            swept += len(batch)
        return swept

    def _hand_on(self, delivery: Delivery) -> None:
        if delivery.due_at is None:
            return
        gap = delivery.due_at - delivery.attempts[-1].at
        if gap <= SOON:
            self._queue.send([(delivery.account, delivery.delivery_id)], gap)

    def _attempt(self, delivery: Delivery, now: datetime) -> Outcome:
        settings = self._endpoints.get(delivery.account)
        endpoint = settings.find(delivery.endpoint_id)
        if endpoint is None:
            return Outcome(failure=Failure.REMOVED)
        if not endpoint.is_enabled:
            return Outcome(failure=Failure.DISABLED)
        try:
            check_url(endpoint.url, "url", is_local=self._is_local)
        except InvalidInputError:
            return Outcome(failure=Failure.URL_REFUSED)
        secrets = tuple(self._endpoints.secrets(delivery.account).get(endpoint.endpoint_id, ()))
        if not secrets:
            return Outcome(failure=Failure.REMOVED)  # Since the settings were read.
        outcome = self._sender.send(
            endpoint.url,
            delivery.webhook_id,
            delivery.body.encode(),
            secrets if endpoint.old_secret_until(now) else secrets[:1],
            now,
        )
        if outcome.is_gone:
            self._disable(settings, endpoint, delivery, now)
        return outcome

    def _disable(
        self,
        settings: WebhookEndpoints,
        endpoint: WebhookEndpoint,
        delivery: Delivery,
        now: datetime,
    ) -> None:
        """Tell, then stop: whoever dies in between is answered 410 again, and tells it again under
        the same id."""
        self._bus.publish([_disabled(endpoint, delivery, now)])
        gone = replace(endpoint, is_enabled=False, disabled_reason=GONE)
        changed = tuple(gone if one == endpoint else one for one in settings.endpoints)
        try:
            self._endpoints.save_without_secrets(
                replace(settings, version=settings.version + 1, endpoints=changed)
            )
        except ConflictError:
            # Somebody changes the settings at this moment. If the endpoint is still wanted as it
            # is, the next event is answered 410 too.
            return


def _disabled(endpoint: WebhookEndpoint, delivery: Delivery, now: datetime) -> Event:
    type_ = EventType.WEBHOOK_ENDPOINT_DISABLED
    return Event(
        event_id=f"{delivery.account.account_id}/{delivery.delivery_id}/{type_}",
        type=type_,
        account=delivery.account,
        occurred_at=now,
        data={"endpoint": endpoint.endpoint_id, "url": endpoint.url, "reason": GONE},
    )
