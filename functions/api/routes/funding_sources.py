"""Funding sources: a gateway's tokens. Card numbers never come this way."""

from api import auth, limits
from api.accepting import acceptance_of, audit_of, by
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import OPERATION_PREFIX, Needs, body_hash
from api.problems import RequestError
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Acceptance, Page, PageQuery
from api.schemas.funding_sources import (
    FundingSourceIn,
    FundingSourceOut,
    SourceChangeIn,
    SourceOrderIn,
    SourceOrderOut,
)
from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.payments import PaymentMethod
from billing.domain.records import FundingSource, SourceState
from billing.ports import AlreadyRecordedError, Setup
from billing.services.add_funding_source import NewSource
from billing.services.change_account import recorded_error

TAG = "Funding sources"
PATH = f"{ACCOUNT_PATH}/funding-sources"
SOURCE_PATH = f"{PATH}/{{id}}"

SOURCE_PREFIX = "src_"
_SOURCE_DIGITS = 20
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""An id of a source is of letters alone: no digits of it could be taken for a card's."""

_METHODS = {"tok": PaymentMethod.CARD, "upi": PaymentMethod.UPI}


def list_sources(call: Call) -> Answer:
    after = lists.position(call)
    ref = call.account()
    account = call.talktime.book.account(ref)
    now = call.talktime.clock.now()
    found = [
        source
        for source in call.talktime.book.funding_sources(ref)
        if source.state is not SourceState.REMOVED
        and (after is None or source.source_id > str(after))
    ]
    return lists.page(
        call,
        found[: lists.limit(call) + 1],
        lambda source: FundingSourceOut.of(account, source, now),
        lambda source: source.source_id,
    )


def post_source(call: Call) -> Answer:
    """Add, or begin. Whatever is answered is read from the operation, the first time as later; only
    what its customer needs is asked of the gateway, each time anew and under the same key."""
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    body = call.body_as(FundingSourceIn)
    source_id = source_id_of(operation_id)
    is_replayed = False
    try:
        recorded = book.operation(ref, operation_id)
        if recorded is not None:
            # Before the acceptance: the terms may be newer than the first request.
            raise recorded_error(recorded, body_hash(body))
        _add(call, ref, operation_id, source_id)
    except AlreadyRecordedError:
        is_replayed = True
    setup = None if body.token else _setup(call, ref, source_id)
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    return Answer(201, FundingSourceOut.recorded(recorded.answer, setup), is_replayed=is_replayed)


def source_id_of(operation_id: str) -> str:
    digits = operation_id.removeprefix(OPERATION_PREFIX)[:_SOURCE_DIGITS]
    return SOURCE_PREFIX + digits.translate(_LETTERS)


def _add(call: Call, ref: AccountRef, operation_id: str, source_id: str) -> None:
    body = call.body_as(FundingSourceIn)
    acceptance = acceptance_of(call, body.acceptance)
    source = NewSource(
        source_id=source_id,
        gateway=_gateway(call, body.gateway),
        token=body.token or "",
        label=body.label,
        method=_method(body),
        limit=body.limit.parse() if body.limit else None,
    )
    shown = body.model_dump(mode="json", include={"method", "label", "limit"})
    action = "funding_source.added" if body.token else "funding_source.begun"
    talktime = call.talktime
    write = talktime.add_funding_source.add if body.token else talktime.begin_source.begin
    write(
        ref,
        source,
        operation_id=operation_id,
        body_hash=body_hash(body),
        audit=audit_of(
            call,
            ref,
            operation_id,
            action,
            acceptance,
            {"source": source_id, "gateway": source.gateway, **shown},
        ),
    )


def _gateway(call: Call, wanted: str | None) -> str:
    gateway = wanted or call.talktime.gateway
    if gateway not in call.talktime.gateways:
        known = ", ".join(sorted(call.talktime.gateways))
        raise InvalidInputError(f"sources are saved with {known} here", field="gateway")
    return gateway


def _method(body: FundingSourceIn) -> PaymentMethod:
    method = PaymentMethod(body.method)
    if body.token and _METHODS[body.token.partition("_")[0]] is not method:
        raise InvalidInputError(f"this is no token of method {body.method}", field="token")
    return method


def _setup(call: Call, ref: AccountRef, source_id: str) -> Setup | None:
    setup = call.talktime.begin_source.setup(ref, source_id)
    if setup is None:
        source = call.talktime.book.funding_source(ref, source_id)
        if source.state is SourceState.PENDING:
            raise RequestError(
                "idempotency_key_expired",
                "This was begun too long ago to be gone on with; begin again, with a new key.",
            )
    return setup


def confirm_source(call: Call) -> Answer:
    ref = call.account()
    source_id = _shown_source(call, ref).source_id
    call.talktime.confirm_source.confirm(ref, source_id)
    return _answer(call, ref)


def make_default(call: Call) -> Answer:
    ref = call.account()
    source_id = _shown_source(call, ref).source_id
    by = _by(call, call.body_as(SourceChangeIn).acceptance)
    call.talktime.arrange_sources.make_default(ref, source_id, by)
    return _answer(call, ref)


def put_order(call: Call) -> Answer:
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    body = call.body_as(SourceOrderIn)
    call.talktime.arrange_sources.reorder(ref, body.sources, _by(call, body.acceptance))
    recharging = book.account(ref).recharging
    order = SourceOrderOut(
        default=recharging.default_source_id, backups=list(recharging.backup_source_ids)
    )
    return Answer(200, order)


def delete_source(call: Call) -> Answer:
    ref = call.account()
    # A removed one, too: its gateway may still have to forget it.
    source_id = call.talktime.book.funding_source(ref, call.path["id"]).source_id
    by = _by(call, call.body_as(SourceChangeIn).acceptance)
    call.talktime.arrange_sources.remove(ref, source_id, by)
    return Answer(204)


def _shown_source(call: Call, ref: AccountRef) -> FundingSource:
    """The source of the path, unless it is gone; one that came to nothing says why."""
    source = call.talktime.book.funding_source(ref, call.path["id"])
    if source.state is SourceState.REMOVED and source.blocked_code is None:
        raise NotFoundError("there is no such funding source")
    return source


def _by(call: Call, given: Acceptance | None) -> By:
    return by(call, acceptance_of(call, given))


def _answer(call: Call, ref: AccountRef) -> Answer:
    book = call.talktime.book
    source = book.funding_source(ref, call.path["id"])
    now = call.talktime.clock.now()
    return Answer(200, FundingSourceOut.of(book.account(ref), source, now))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_funding_sources",
        summary="List funding sources, and what can be done where one cannot be charged",
        tag=TAG,
        serve=list_sources,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        query=PageQuery,
        answers={200: Page[FundingSourceOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_funding_source",
        summary="Begin to save a card or UPI mandate in its gateway's hosted fields",
        tag=TAG,
        serve=post_source,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=FundingSourceIn,
        body_limit_bytes=limits.FORM_BYTES,
        key=Needs.REQUIRED,
        answers={201: FundingSourceOut},
        problems=(
            "not_found",
            "no_catalog",
            "acceptance_required",
            "currency_mismatch",
            "too_many_sources",
            "idempotency_key_expired",
            "payment_unknown",
        ),
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/order",
        name="put_funding_source_order",
        summary="Say in which order the backups are asked",
        tag=TAG,
        serve=put_order,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=SourceOrderIn,
        body_limit_bytes=limits.FORM_BYTES,
        answers={200: SourceOrderOut},
        problems=("not_found", "no_catalog", "acceptance_required"),
    ),
    Endpoint(
        method="POST",
        path=f"{SOURCE_PATH}/confirm",
        name="confirm_funding_source",
        summary="Ask the gateway whether its customer has finished saving the source",
        tag=TAG,
        serve=confirm_source,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        answers={200: FundingSourceOut},
        problems=("not_found", "payment_unknown"),
    ),
    Endpoint(
        method="POST",
        path=f"{SOURCE_PATH}/default",
        name="make_funding_source_default",
        summary="Ask this source first, and go on with automatic recharge",
        tag=TAG,
        serve=make_default,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=SourceChangeIn,
        body_limit_bytes=limits.FORM_BYTES,
        answers={200: FundingSourceOut},
        problems=("not_found", "no_catalog", "acceptance_required", "source_not_active"),
    ),
    Endpoint(
        method="DELETE",
        path=SOURCE_PATH,
        name="delete_funding_source",
        summary="Remove a source, here and at its gateway; safe to repeat",
        tag=TAG,
        serve=delete_source,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=SourceChangeIn,
        body_limit_bytes=limits.FORM_BYTES,
        answers={204: None},
        problems=(
            "not_found",
            "no_catalog",
            "acceptance_required",
            "default_source",
            "source_in_use",
            "payment_unknown",
        ),
    ),
)
