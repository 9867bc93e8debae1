"""Webhook endpoints, deliveries, their queue and the endpoints themselves, in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.records import AuditRecord, Event
from billing.domain.webhook_deliveries import Delivery, DeliveryState, Outcome
from billing.domain.webhook_endpoints import WebhookEndpoints
from billing.ports.webhooks import Secrets


class InMemoryEndpoints:
    """Endpoints with their secrets in the clear.

    Args:
        audit: Gets the record of every save.
    """

    def __init__(self, audit: Callable[[AuditRecord], None] = lambda record: None) -> None:
        self._audit = audit
        self._settings: dict[AccountRef, WebhookEndpoints] = {}
        self._secrets: dict[AccountRef, Secrets] = {}

    def get(self, ref: AccountRef) -> WebhookEndpoints:
        return self._settings.get(ref, WebhookEndpoints(ref))

    def secrets(self, ref: AccountRef) -> Secrets:
        return self._secrets.get(ref, {})

    def save(self, settings: WebhookEndpoints, secrets: Secrets, audit: AuditRecord) -> None:
        self._put(settings)
        self._audit(audit)
        self._secrets[settings.account] = dict(secrets)

    def save_without_secrets(self, settings: WebhookEndpoints) -> None:
        if settings.account not in self._settings:
            raise ConflictError("there are no endpoints to change")
        self._put(settings)

    def _put(self, settings: WebhookEndpoints) -> None:
        if self.get(settings.account).version != settings.version - 1:
            raise ConflictError("it was changed since it was read; read it again")
        self._settings[settings.account] = settings


class InMemoryDeliveries:
    """Deliveries by account and id."""

    def __init__(self) -> None:
        self._deliveries: dict[tuple[AccountRef, str], Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        self._deliveries.setdefault((delivery.account, delivery.delivery_id), delivery)

    def get(self, ref: AccountRef, delivery_id: str) -> Delivery:
        try:
            return self._deliveries[ref, delivery_id]
        except KeyError:
            raise NotFoundError(f"there is no delivery {delivery_id!r}") from None

    def save(self, delivery: Delivery) -> None:
        kept = self._deliveries.get((delivery.account, delivery.delivery_id))
        if kept is None or kept.version != delivery.version - 1:
            raise ConflictError("it was changed since it was read; read it again")
        self._deliveries[delivery.account, delivery.delivery_id] = delivery

    def listed(
        self, ref: AccountRef, before: str | None, state: DeliveryState | None, limit: int
    ) -> list[Delivery]:
        ids = sorted((id_ for owner, id_ in self._deliveries if owner == ref), reverse=True)
        found = [self._deliveries[ref, id_] for id_ in ids if before is None or id_ < before]
        return [one for one in found if state in (None, one.state)][:limit]

    def due(self, now: datetime) -> Iterator[tuple[AccountRef, str]]:
        for key, delivery in list(self._deliveries.items()):
            if delivery.is_due(now):
                yield key


class RecordingDeliveryQueue:
    """Keeps what is sent, and how long it was to wait, until it is taken."""

    def __init__(self) -> None:
        self.waiting: list[tuple[AccountRef, str, timedelta]] = []

    def send(self, deliveries: Sequence[tuple[AccountRef, str]], delay: timedelta) -> None:
        self.waiting += [(ref, delivery_id, delay) for ref, delivery_id in deliveries]

    def take(self) -> list[tuple[AccountRef, str, timedelta]]:
        taken, self.waiting = self.waiting, []
        return taken


class RecordingBus:
    """Events as they were published."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        self.events += events


@dataclass(frozen=True)
class Sent:
    """What an endpoint got."""

    url: str
    webhook_id: str
    body: bytes
    secrets: tuple[str, ...]
    at: datetime


class ScriptedSender:
    """Endpoints that answer as a test says.

    Args:
        answer: What the endpoint of a URL answers.
    """

    def __init__(self, answer: Callable[[str], Outcome]) -> None:
        self._answer = answer
        self.sent: list[Sent] = []

    def send(
        self, url: str, webhook_id: str, body: bytes, secrets: Sequence[str], now: datetime
    ) -> Outcome:
        self.sent.append(Sent(url, webhook_id, body, tuple(secrets), now))
        return self._answer(url)
