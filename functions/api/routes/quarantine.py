"""Usage that could not be placed or priced, for the operator to see why."""

from api.endpoint import Answer, Call, Endpoint
from api.routes import lists
from api.schemas.base import Page, PageQuery
from api.schemas.quarantine import ParkedOut


def list_quarantine(call: Call) -> Answer:
    after = lists.position(call)
    found = call.talktime.quarantine.parked(
        None if after is None else str(after), lists.limit(call) + 1
    )
    return lists.page(call, found, ParkedOut.of, lambda parked: parked.parked_id)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/quarantine",
        name="list_quarantine",
        summary="List usage that could not be placed or priced, and why",
        tag="Quarantine",
        serve=list_quarantine,
        query=PageQuery,
        answers={200: Page[ParkedOut]},
    ),
)
