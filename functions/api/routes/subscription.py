"""The subscription: what is held, and what is scheduled for the term's end."""

from api import auth, limits
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.subscription import (
    ScheduledChangeOut,
    ScheduledChangesOut,
    SubscriptionOut,
    TakeBackIn,
)

TAG = "Subscription"
SCHEDULED_PATH = f"{ACCOUNT_PATH}/scheduled-changes"


def get_subscription(call: Call) -> Answer:
    view = call.talktime.read_subscription.read(call.account())
    return Answer(200, SubscriptionOut.of(view))


def list_scheduled(call: Call) -> Answer:
    view = call.talktime.read_subscription.read(call.account())
    changes = [ScheduledChangeOut.of(change) for change in view.scheduled]
    return Answer(200, ScheduledChangesOut(data=changes))


def delete_scheduled(call: Call) -> Answer:
    ref = call.account()
    call.talktime.book.account(ref)
    accepted = acceptance_of(call, call.body_as(TakeBackIn).acceptance)
    call.talktime.cancel_scheduled.cancel(ref, call.path["id"], by(call, accepted))
    return Answer(204)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/subscription",
        name="get_subscription",
        summary="What is held: plan, units and packages with their counts, prices and renewal",
        tag=TAG,
        serve=get_subscription,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: SubscriptionOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=SCHEDULED_PATH,
        name="list_scheduled_changes",
        summary="What changes when the term turns",
        tag=TAG,
        serve=list_scheduled,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: ScheduledChangesOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="DELETE",
        path=f"{SCHEDULED_PATH}/{{id}}",
        name="delete_scheduled_change",
        summary="Take a scheduled change back",
        tag=TAG,
        serve=delete_scheduled,
        roles=auth.ADMINS,
        is_tenants=True,
        body=TakeBackIn,
        body_limit_bytes=limits.FORM_BYTES,
        answers={204: None},
        problems=("not_found", "no_catalog", "acceptance_required", "conflict"),
    ),
)
