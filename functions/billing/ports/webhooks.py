"""Events to tenants' own endpoints."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.records import AuditRecord, Event
from billing.domain.webhook_deliveries import Delivery, DeliveryState, Outcome
from billing.domain.webhook_endpoints import WebhookEndpoints

Secrets = Mapping[str, Sequence[str]]
"""By endpoint: the current secret, then the one before it, if there was one."""


class EndpointStore(Protocol):
    """Accounts' webhook endpoints. Their secrets are kept apart, encrypted."""

    def get(self, ref: AccountRef) -> WebhookEndpoints:
        """As of the last save; version 0 where nothing was ever saved."""
        ...

    def secrets(self, ref: AccountRef) -> Secrets: ...

    def save(self, settings: WebhookEndpoints, secrets: Secrets, audit: AuditRecord) -> None:
        """Store the next version, together with the record of who made it.

        Raises:
            ConflictError: The version before it is not the current one. Nothing was written.
        """
        ...

    def save_without_secrets(self, settings: WebhookEndpoints) -> None:
        """The same, with the secrets as they are.

        Raises:
            ConflictError: The version before it is not the current one.
        """
        ...


class Deliveries(Protocol):
    """Deliveries, for as long as they are kept."""

    def add(self, delivery: Delivery) -> None:
        """Keep a new one; one that is known already stays as it is."""
        ...

    def get(self, ref: AccountRef, delivery_id: str) -> Delivery:
        """
        Raises:
            NotFoundError: There is none of that id.
        """
        ...

    def save(self, delivery: Delivery) -> None:
        """Replace the version before.

        Raises:
            ConflictError: It is not the current one, or has expired.
        """
        ...

    def listed(
        self, ref: AccountRef, before: str | None, state: DeliveryState | None, limit: int
    ) -> list[Delivery]:
        """Newest events first.

        Args:
            before: The id that the list goes on after.
            state: Those alone.
        """
        ...

    def due(self, now: datetime) -> Iterator[tuple[AccountRef, str]]:
        """Ids of those that are due, as a moment ago."""
        ...


class DeliveryQueue(Protocol):
    """Deliveries to be attempted."""

    def send(self, deliveries: Sequence[tuple[AccountRef, str]], delay: timedelta) -> None:
        """Hand them on; the delay is a minute at the most. Sending them again is safe."""
        ...


class WebhookSender(Protocol):
    """Speaks to endpoints."""

    def send(
        self, url: str, webhook_id: str, body: bytes, secrets: Sequence[str], now: datetime
    ) -> Outcome:
        """One attempt, signed with every secret and bounded in time.

        Never raises for what an endpoint, or its name, does.
        """
        ...


class Bus(Protocol):
    """The event bus."""

    def publish(self, events: Sequence[Event]) -> None:
        """Put events on the bus; raises unless all were taken."""
        ...
