"""Leases of pooled licences, and how many ports were out over time."""

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.routes.licences import KIND_PATH, TAG, in_path, with_assign
from api.schemas.leases import HistoryOut, HistoryQuery, LeaseIn, LeaseOut, RenewIn
from billing.domain.errors import InsufficientPortsError

PATH = f"{KIND_PATH}/leases"
LEASE_PATH = f"{PATH}/{{lease}}"


def post_lease(call: Call) -> Answer:
    body = call.body_as(LeaseIn)
    ref = call.account()
    try:
        with in_path("licence"):
            lease = call.talktime.lease_ports.lease(
                ref, call.path["kind"], body.member, body.lease_seconds
            )
    except InsufficientPortsError as error:
        raise with_assign(ref, error) from None
    return Answer(200, LeaseOut.of(lease))


def renew_lease(call: Call) -> Answer:
    ref, seconds = call.account(), call.body_as(RenewIn).lease_seconds
    try:
        with in_path("licence", "member"):
            lease = call.talktime.lease_ports.renew(
                ref, call.path["kind"], call.path["lease"], seconds
            )
    except InsufficientPortsError as error:
        raise with_assign(ref, error) from None
    return Answer(200, LeaseOut.of(lease))


def delete_lease(call: Call) -> Answer:
    ref = call.account()
    call.talktime.book.account(ref)
    call.talktime.lease_ports.give_back(ref, call.path["lease"])
    return Answer(204)


def get_history(call: Call) -> Answer:
    with in_path("licence"):
        history = call.talktime.read_licences.history(
            call.account(), call.path["kind"], call.query_as(HistoryQuery).days
        )
    return Answer(200, HistoryOut.of(history))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=PATH,
        name="post_lease",
        summary="Lease a port of a pool to a member; one who has a lease has it renewed",
        tag=TAG,
        serve=post_lease,
        roles=auth.ADMINS,
        is_tenants=True,
        body=LeaseIn,
        answers={200: LeaseOut},
        problems=("not_found", "insufficient_ports"),
    ),
    Endpoint(
        method="POST",
        path=f"{LEASE_PATH}/renew",
        name="renew_lease",
        summary="Keep a leased port for longer",
        tag=TAG,
        serve=renew_lease,
        roles=auth.ADMINS,
        is_tenants=True,
        body=RenewIn,
        answers={200: LeaseOut},
        problems=("not_found", "insufficient_ports"),
    ),
    Endpoint(
        method="DELETE",
        path=LEASE_PATH,
        name="delete_lease",
        summary="Give a leased port back; safe to repeat",
        tag=TAG,
        serve=delete_lease,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={204: None},
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=f"{KIND_PATH}/history",
        name="get_licence_history",
        summary="How many ports of a pool were out, by the hour, for up to 90 days",
        tag=TAG,
        serve=get_history,
        roles=auth.ADMINS,
        is_tenants=True,
        query=HistoryQuery,
        answers={200: HistoryOut},
        problems=("not_found", "invalid_input"),
    ),
)
