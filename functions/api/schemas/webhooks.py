"""A tenant's webhook endpoints, and what was delivered to them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Instant, Name, PageQuery, Schema
from billing.domain.webhook_deliveries import Delivery, DeliveryState, Failure
from billing.domain.webhook_endpoints import MAX_ENDPOINTS, MAX_URL_CHARACTERS, WebhookEndpoints

EndpointId = Annotated[str, Field(pattern=r"^whe_[0-9a-f]{1,32}$")]
EventName = Annotated[str, Field(min_length=1, max_length=64)]


class WebhookEndpointIn(Schema):
    """One endpoint: an ``https`` URL on port 443 or 8443, and the event types it gets.

    Without ``id`` it is a new one. ``"*"`` stands for every type. ``rotate_secret`` gives it a new
    secret; the one before signs as well for 24 hours.
    """

    id: EndpointId | None = None
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARACTERS)]
    events: Annotated[list[EventName], Field(min_length=1, max_length=50)]
    description: Name | None = None
    is_enabled: bool = True
    rotate_secret: bool = False


class WebhookEndpointsIn(Schema):
    """The whole list: an endpoint that it leaves out is gone."""

    endpoints: Annotated[list[WebhookEndpointIn], Field(max_length=MAX_ENDPOINTS)]


class WebhookEndpointOut(Schema):
    """One endpoint.

    ``secret`` is there once: when the endpoint is new, and when its secret was rotated.
    ``disabled_reason`` is ``gone`` where we stopped because it answered 410.
    """

    id: str
    url: str
    events: list[str]
    description: str | None
    is_enabled: bool
    disabled_reason: Literal["gone"] | None
    created_at: Instant
    rotated_at: Instant | None
    secret: str | None = None


class WebhookEndpointsOut(Schema):
    endpoints: list[WebhookEndpointOut]

    @staticmethod
    def of(settings: WebhookEndpoints, told: Mapping[str, str]) -> "WebhookEndpointsOut":
        """
        Args:
            told: The secrets that are new, by endpoint.
        """
        return WebhookEndpointsOut(
            endpoints=[
                WebhookEndpointOut.model_validate(
                    {
                        "id": one.endpoint_id,
                        "url": one.url,
                        "events": list(one.events),
                        "description": one.description or None,
                        "is_enabled": one.is_enabled,
                        "disabled_reason": one.disabled_reason or None,
                        "created_at": one.created_at,
                        "rotated_at": one.rotated_at,
                        **({"secret": told[one.endpoint_id]} if one.endpoint_id in told else {}),
                    }
                )
                for one in settings.endpoints
            ]
        )


class DeliveryQuery(PageQuery):
    state: Literal["pending", "delivered", "failed"] | None = None


class DeliveryAttemptOut(Schema):
    """One attempt: the status that was answered, or why there is none."""

    at: Instant
    status: int | None
    failure: Failure | None


class DeliveryOut(Schema):
    """One event for one endpoint.

    ``next_attempt_at`` is null once it is delivered or has failed for good; ``attempts`` are the
    latest 20.
    """

    id: str
    endpoint: str
    webhook_id: str
    type: str
    state: DeliveryState
    created_at: Instant
    next_attempt_at: Instant | None
    attempts: list[DeliveryAttemptOut]

    @staticmethod
    def of(delivery: Delivery) -> "DeliveryOut":
        return DeliveryOut(
            id=delivery.delivery_id,
            endpoint=delivery.endpoint_id,
            webhook_id=delivery.webhook_id,
            type=delivery.event_type,
            state=delivery.state,
            created_at=delivery.created_at,
            next_attempt_at=delivery.due_at,
            attempts=[
                DeliveryAttemptOut(at=one.at, status=one.status, failure=one.failure)
                for one in delivery.attempts
            ],
        )
