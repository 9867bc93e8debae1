"""Recharges: one immediate purchase, and the history of all."""

from api import auth, limits, sagas
from api.accepting import acceptance_of, audit_of
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.recharges import OperationOut, RechargeIn, RechargeOut
from billing.domain.errors import CurrencyMismatchError, InvalidInputError
from billing.domain.records import Operation
from billing.services.collect_recharge import RechargeRequest

TAG = "Recharge"
PATH = f"{ACCOUNT_PATH}/recharges"


def list_recharges(call: Call) -> Answer:
    before = lists.position(call)
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    found = book.recharges(ref, before if isinstance(before, int) else None, lists.limit(call) + 1)
    return lists.page(call, found, RechargeOut.of, lambda recharge: recharge.ordinal)


def post_recharge(call: Call) -> Answer:
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    account = book.account(ref)
    hashed = body_hash(call.body_as(RechargeIn))
    recorded, is_replayed = sagas.begun(
        call, ref, operation_id, hashed, lambda asked: _collect(call, asked, account.currency)
    )
    if is_replayed:
        sagas.require_known(call, recorded)
    return _answer(call, recorded, is_replayed=is_replayed)


def _collect(call: Call, operation: Operation, currency: str) -> None:
    body = call.body_as(RechargeIn)
    if body.amount.currency != currency:
        raise CurrencyMismatchError(f"the account is in {currency}", field="amount/currency")
    acceptance = acceptance_of(call, body.acceptance)
    amount = body.amount.model_dump(mode="json")
    ref, asked = operation.account, "recharge.requested"
    audit = audit_of(call, ref, operation.operation_id, asked, acceptance, {"amount": amount})
    pay_with = body.pay_with
    if pay_with and (pay_with.source is None) == (pay_with.method is None):
        raise InvalidInputError("pay_with names a source or a method", field="pay_with")
    request = RechargeRequest(
        body.amount.parse().micros,
        operation,
        audit,
        source_id=pay_with.source if pay_with else None,
        one_off=call.talktime.gateway if pay_with and pay_with.method else None,
    )
    call.talktime.collect_recharge.request(ref, request)


def _answer(call: Call, operation: Operation, *, is_replayed: bool) -> Answer:
    recharge = RechargeOut.recorded(operation.answer)
    detail = f"The payment was declined: {recharge.failure_code}. Nothing was collected."
    return sagas.answer(
        call,
        operation,
        recharge,
        name="recharge",
        refusal=("payment_declined", detail),
        is_replayed=is_replayed,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_recharges",
        summary="List recharges, newest first",
        tag=TAG,
        serve=list_recharges,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        query=PageQuery,
        answers={200: Page[RechargeOut]},
        csv_rows=RechargeOut,
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_recharge",
        summary="Collect one recharge now, from the default funding source",
        tag=TAG,
        serve=post_recharge,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=RechargeIn,
        body_limit_bytes=limits.FORM_BYTES,
        key=Needs.REQUIRED,
        answers={201: RechargeOut, 202: OperationOut},
        problems=(
            "payment_declined",
            "not_found",
            "no_catalog",
            "no_funding_source",
            "recharge_in_progress",
            "request_in_flight",
            "idempotency_key_expired",
            "acceptance_required",
            "currency_mismatch",
        ),
    ),
)
