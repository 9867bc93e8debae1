"""Calls and messages of an account, in posting order."""

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.problems import RequestError
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page
from api.schemas.usage import CallOut, UsageQuery
from billing.domain.units import Direction
from billing.domain.usage import CallStatus
from billing.services.list_usage import START, Position, UsageFilter


def list_usage(call: Call) -> Answer:
    query = call.query_as(UsageQuery)
    page = call.talktime.list_usage.list(
        call.account(),
        begin=query.from_,
        end=query.to,
        start=_start(call),
        limit=lists.limit(call),
        only=_filter(query),
    )
    following = [page.next.sequence, page.next.index] if page.next else None
    return lists.page_of(
        call, [CallOut.of(found, page.currency) for found in page.calls], following
    )


def _filter(query: UsageQuery) -> UsageFilter:
    destination = query.destination
    return UsageFilter(
        unit=query.unit,
        direction=Direction(query.direction) if query.direction else None,
        status=CallStatus(query.status) if query.status else None,
        connection_id=query.connection,
        destination=destination.replace(" ", "+") if destination else None,
        country=query.country,
    )


def _start(call: Call) -> Position:
    match lists.position(call):
        case None:
            return START
        case [int(sequence), int(index)]:
            return Position(sequence, index)
    raise RequestError("invalid_cursor", "This cursor belongs to another list.")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/usage",
        name="list_usage",
        summary="List calls and messages in the order in which they were posted",
        tag="Usage",
        serve=list_usage,
        roles=auth.ADMINS,
        is_tenants=True,
        query=UsageQuery,
        answers={200: Page[CallOut]},
        csv_rows=CallOut,
        problems=("not_found",),
    ),
)
