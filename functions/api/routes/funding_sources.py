"""Funding sources: a gateway's tokens. Card numbers never come this way."""

from api import auth
from api.accepting import acceptance_of, audit_of
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import OPERATION_PREFIX, Needs, body_hash
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.recharges import FundingSourceIn, FundingSourceOut
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.ports import AlreadyRecordedError
from billing.services.add_funding_source import NewSource, source_json
from billing.services.change_account import recorded_error

TAG = "Funding sources"
PATH = f"{ACCOUNT_PATH}/funding-sources"

SOURCE_PREFIX = "src_"
_SOURCE_DIGITS = 20


def list_sources(call: Call) -> Answer:
    after = lists.position(call)
    ref = call.account()
    default = call.talktime.book.account(ref).recharging.default_source_id
    found = [
        source
        for source in call.talktime.book.funding_sources(ref)
        if after is None or source.source_id > str(after)
    ]
    return lists.page(
        call,
        found[: lists.limit(call) + 1],
        lambda source: _shown(source_json(source, default)),
        lambda source: source.source_id,
    )


def post_source(call: Call) -> Answer:
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    is_replayed = False
    try:
        recorded = book.operation(ref, operation_id)
        if recorded is not None:
            # Before the acceptance: the terms may be newer than the first request.
            raise recorded_error(recorded, body_hash(call.body_as(FundingSourceIn)))
        _add(call, ref, operation_id)
    except AlreadyRecordedError:
        is_replayed = True
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    return Answer(201, _shown(recorded.answer), is_replayed=is_replayed)


def _add(call: Call, ref: AccountRef, operation_id: str) -> None:
    body = call.body_as(FundingSourceIn)
    acceptance = acceptance_of(call, body.acceptance)
    digits = operation_id.removeprefix(OPERATION_PREFIX)[:_SOURCE_DIGITS]
    source = NewSource(SOURCE_PREFIX + digits, body.gateway, body.token, body.label)
    shown: dict[str, Json] = {
        "source": source.source_id,
        "gateway": source.gateway,
        "label": source.label,
    }
    call.talktime.add_funding_source.add(
        ref,
        source,
        operation_id=operation_id,
        body_hash=body_hash(body),
        audit=audit_of(call, ref, operation_id, "funding_source.added", acceptance, shown),
    )


def _shown(answer: Json) -> FundingSourceOut:
    return FundingSourceOut.model_validate_json(canonical_json(answer))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_funding_sources",
        summary="List funding sources",
        tag=TAG,
        serve=list_sources,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[FundingSourceOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_funding_source",
        summary="Add a funding source by its gateway's token; the first becomes the default",
        tag=TAG,
        serve=post_source,
        roles=auth.ADMINS,
        is_tenants=True,
        body=FundingSourceIn,
        key=Needs.REQUIRED,
        answers={201: FundingSourceOut},
        problems=("not_found", "no_catalog", "acceptance_required"),
    ),
)
