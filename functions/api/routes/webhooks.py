"""Webhooks out: a tenant's endpoints, what was delivered to them, and once more."""

from api import auth, etags
from api.accepting import by
from api.endpoint import Answer, Call, Endpoint
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page
from api.schemas.webhooks import (
    DeliveryOut,
    DeliveryQuery,
    WebhookEndpointsIn,
    WebhookEndpointsOut,
)
from billing.domain.account import AccountRef
from billing.domain.webhook_deliveries import DeliveryState
from billing.services.save_webhook_endpoints import WantedEndpoint

TAG = "Webhooks"
ENDPOINTS_PATH = f"{ACCOUNT_PATH}/webhook-endpoints"
DELIVERIES_PATH = f"{ACCOUNT_PATH}/webhook-deliveries"


def get_webhook_endpoints(call: Call) -> Answer:
    settings = call.talktime.webhook_endpoints.get(_existing(call))
    headers = {"ETag": etags.etag(settings.version)}
    return Answer(200, WebhookEndpointsOut.of(settings, {}), headers)


def put_webhook_endpoints(call: Call) -> Answer:
    body = call.body_as(WebhookEndpointsIn)
    ref = _existing(call)
    seen = call.talktime.webhook_endpoints.get(ref)
    call.precondition.require(str(seen.version))
    wanted = [
        WantedEndpoint(
            endpoint_id=one.id,
            url=one.url,
            events=tuple(one.events),
            description=one.description or "",
            is_enabled=one.is_enabled,
            rotates_secret=one.rotate_secret,
        )
        for one in body.endpoints
    ]
    settings, told = call.talktime.save_webhook_endpoints.save(ref, wanted, seen, by(call, None))
    headers = {"ETag": etags.etag(settings.version)}
    return Answer(200, WebhookEndpointsOut.of(settings, told), headers)


def list_webhook_deliveries(call: Call) -> Answer:
    before = lists.position(call)
    state = call.query_as(DeliveryQuery).state
    found = call.talktime.webhook_deliveries.listed(
        _existing(call),
        None if before is None else str(before),
        DeliveryState(state) if state else None,
        lists.limit(call) + 1,
    )
    return lists.page(call, found, DeliveryOut.of, lambda delivery: delivery.delivery_id)


def redeliver_webhook(call: Call) -> Answer:
    delivery = call.talktime.redeliver_webhook.redeliver(_existing(call), call.path["id"])
    return Answer(202, DeliveryOut.of(delivery))


def _existing(call: Call) -> AccountRef:
    """The account of the path, which must be there: it owns its settings."""
    return call.talktime.book.account(call.account()).ref


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=ENDPOINTS_PATH,
        name="get_webhook_endpoints",
        summary="Read where the account's events go",
        tag=TAG,
        serve=get_webhook_endpoints,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: WebhookEndpointsOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=ENDPOINTS_PATH,
        name="put_webhook_endpoints",
        summary="Set where the account's events go; a new endpoint's secret is told this once",
        tag=TAG,
        serve=put_webhook_endpoints,
        roles=auth.ADMINS,
        is_tenants=True,
        body=WebhookEndpointsIn,
        answers={200: WebhookEndpointsOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=DELIVERIES_PATH,
        name="list_webhook_deliveries",
        summary="List what was delivered to the endpoints in the last 30 days, newest first",
        tag=TAG,
        serve=list_webhook_deliveries,
        roles=auth.ADMINS,
        is_tenants=True,
        query=DeliveryQuery,
        answers={200: Page[DeliveryOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=f"{DELIVERIES_PATH}/{{id}}/redeliver",
        name="redeliver_webhook",
        summary="Deliver an event once more, within a minute, under the same webhook id",
        tag=TAG,
        serve=redeliver_webhook,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={202: DeliveryOut},
        problems=("not_found",),
    ),
)
