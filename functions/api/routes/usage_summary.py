"""Summaries of usage: series for charts, the same rows as CSV."""

from api import auth
from api.endpoint import CSV, Answer, Call, Endpoint
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.usage_summary import UsageSummaryOut, UsageSummaryQuery, UsageSummaryRow
from billing.domain.units import Direction
from billing.services.summarise_usage import SummaryBy, SummaryRequest


def get_usage_summary(call: Call) -> Answer:
    query = call.query_as(UsageSummaryQuery)
    summary = call.talktime.summarise_usage.summarise(
        call.account(),
        SummaryRequest(
            by=SummaryBy(query.by),
            begin=query.from_,
            end=query.to,
            direction=Direction(query.direction) if query.direction else None,
            country=query.country,
        ),
    )
    answer = UsageSummaryOut.of(query.by, summary, with_money=call.actor.sees_money)
    if call.accepts_csv():
        rows = lists.as_csv(UsageSummaryRow, answer.data)
        return Answer(200, rows, content_type=f"{CSV}; charset=utf-8")
    return Answer(200, answer, is_compressible=True)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/usage/summary",
        name="get_usage_summary",
        summary="What was used by hour, day, direction or destination country",
        tag="Usage",
        serve=get_usage_summary,
        roles=auth.EVERYONE,
        is_tenants=True,
        query=UsageSummaryQuery,
        answers={200: UsageSummaryOut},
        csv_rows=UsageSummaryRow,
        problems=("not_found",),
    ),
)
