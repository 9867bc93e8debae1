"""Call authorisation: asked before a call, extended while it goes on, freed when it is over."""

from api import auth
from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.routes.licences import with_assign
from api.schemas.authorisations import AuthorisedOut, AuthoriseIn, ExtendIn, LinkIn
from billing.domain.account import AccountRef
from billing.domain.errors import (
    AccountOnHoldError,
    ConcurrencyLimitReachedError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InsufficientPortsError,
    LicenceRequiredError,
    NotFoundError,
    NumberOnHoldError,
)

TAG = "Call authorisation"
PATH = "/v1/reservations/{id}"

REFUSALS = (
    AccountOnHoldError,
    ConcurrencyLimitReachedError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InsufficientPortsError,
    LicenceRequiredError,
    NumberOnHoldError,
)
"""Answers to the question that was asked, and no problems of the request."""


def authorise(call: Call) -> Answer:
    body = call.body_as(AuthoriseIn)
    try:
        ref = _account(call, body)
        found = call.talktime.authorise_call.authorise(ref, body.wanted())
    except REFUSALS as error:
        return Answer(200, AuthorisedOut.refused(with_assign(ref, error)))
    except NotFoundError as error:
        error.field = error.field or "account"
        raise
    return Answer(200, AuthorisedOut.of(found))


def _account(call: Call, body: AuthoriseIn) -> AccountRef:
    if body.account == DEFAULT_ACCOUNT:
        return call.talktime.first_account(call.tenant)
    return AccountRef(call.tenant, body.account)


def extend(call: Call) -> Answer:
    found = call.talktime.authorise_call.extend(
        call.tenant, call.path["id"], call.body_as(ExtendIn).duration_seconds
    )
    return Answer(200, AuthorisedOut.of(found))


def link(call: Call) -> Answer:
    key = call.body_as(LinkIn).key
    call.talktime.settle_reservations.link(call.tenant, call.path["id"], key)
    return Answer(204)


def release(call: Call) -> Answer:
    call.talktime.settle_reservations.release(call.tenant, call.path["id"])
    return Answer(204)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/calls/authorize",
        name="authorize_call",
        summary="May this call begin, and for how long? Sets aside what it needs; safe to repeat",
        tag=TAG,
        serve=authorise,
        roles=auth.MACHINES,
        is_tenants=True,
        body=AuthoriseIn,
        machine_ids=frozenset({"/call_id"}),
        answers={200: AuthorisedOut},
        problems=("conflict",),
    ),
    Endpoint(
        method="POST",
        path=f"{PATH}/extend",
        name="extend_reservation",
        summary="Cover a running call for longer, as far as the money goes",
        tag=TAG,
        serve=extend,
        roles=auth.MACHINES,
        is_tenants=True,
        body=ExtendIn,
        answers={200: AuthorisedOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/call",
        name="link_reservation",
        summary="Name the carrier's call, whose posting frees the reservation",
        tag=TAG,
        serve=link,
        roles=auth.MACHINES,
        is_tenants=True,
        body=LinkIn,
        machine_ids=frozenset({"/provider_account", "/call_id"}),
        answers={204: None},
        problems=("not_found",),
    ),
    Endpoint(
        method="DELETE",
        path=PATH,
        name="delete_reservation",
        summary="Free a reservation whose call was never answered",
        tag=TAG,
        serve=release,
        roles=auth.MACHINES,
        is_tenants=True,
        answers={204: None},
        problems=("not_found",),
    ),
)
