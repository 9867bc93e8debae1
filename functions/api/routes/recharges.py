"""Recharges: one immediate purchase, and the history of all."""

from api import auth, limits, sagas
from api.accepting import acceptance_of, audit_of
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash, is_abandoned, require_answer
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.recharges import OperationOut, RechargeIn, RechargeOut
from billing.domain.account import AccountRef
from billing.domain.errors import CurrencyMismatchError, InvalidInputError
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.change_account import recorded_error
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
    """Collect once. Whatever is answered is read from the operation, the first time as later."""
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    account = book.account(ref)
    is_replayed = False
    try:
        recorded = book.operation(ref, operation_id)
        if recorded is not None:
            # Before the acceptance: the terms may be newer than the first request.
            raise recorded_error(recorded, body_hash(call.body_as(RechargeIn)))
        _collect(call, ref, operation_id, account.currency)
    except AlreadyRecordedError as error:
        is_replayed = True
        if is_abandoned(error.operation, call.talktime.clock.now()):
            # A crash left it between intent and outcome: the same key, the same payment.
            sagas.unless_unknown(lambda: call.talktime.collect_recharge.finish_open(ref))
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    if is_replayed and not sagas.is_on_its_way(recorded):
        require_answer(recorded, call.talktime.clock.now())
    return _answer(call, recorded, is_replayed=is_replayed)


def _collect(call: Call, ref: AccountRef, operation_id: str, currency: str) -> None:
    body = call.body_as(RechargeIn)
    if body.amount.currency != currency:
        raise CurrencyMismatchError(f"the account is in {currency}", field="amount/currency")
    acceptance = acceptance_of(call, body.acceptance)
    amount = body.amount.model_dump(mode="json")
    operation = Operation(
        operation_id=operation_id,
        body_hash=body_hash(body),
        account=ref,
        state=OperationState.PENDING,
        answer=None,
        recorded_at=call.talktime.clock.now(),
    )
    audit = audit_of(call, ref, operation_id, "recharge.requested", acceptance, {"amount": amount})
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
    sagas.unless_unknown(lambda: call.talktime.collect_recharge.request(ref, request))


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
