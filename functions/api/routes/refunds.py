"""Payments: how they stand, and giving them back."""

from contextlib import suppress

from api import auth, sagas
from api.accepting import audit_of
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash, require_answer
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import MoneyOut
from api.schemas.recharges import OperationOut
from api.schemas.refunds import PaymentOut, PaymentQuery, RefundIn, RefundOut
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, digest
from billing.domain.errors import CurrencyMismatchError, NotFoundError
from billing.domain.records import Operation, Payment
from billing.services.refund_payment import RefundOrder

TAG = "Payments"
PATH = f"{ACCOUNT_PATH}/payments/{{payment}}"


def get_payment(call: Call) -> Answer:
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    payment = _payment(call, ref, call.query_as(PaymentQuery).gateway)
    refunds = book.refunds(ref, payment.gateway, payment.payment_id)
    named = (book.dispute(ref, payment.gateway, dispute_id) for dispute_id in payment.disputes)
    disputes = [dispute for dispute in named if dispute is not None]
    return Answer(200, PaymentOut.of(payment, refunds, disputes))


def post_refund(call: Call) -> Answer:
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    # The payment is part of the request: a key is good for one.
    hashed = digest([call.path["payment"], body_hash(call.body_as(RefundIn))])
    recorded, is_replayed = sagas.begun(
        call,
        ref,
        operation_id,
        hashed,
        lambda operation: _refund(call, operation),
        call.talktime.refund_payment.finish_open,
    )
    if is_replayed:
        require_answer(recorded, call.talktime.clock.now())
    return _answer(call, recorded, is_replayed=is_replayed)


def _refund(call: Call, operation: Operation) -> None:
    ref, operation_id = operation.account, operation.operation_id
    body = call.body_as(RefundIn)
    payment = _payment(call, ref, body.gateway)
    if body.amount is not None and body.amount.currency != payment.currency:
        raise CurrencyMismatchError(
            f"the payment was made in {payment.currency}", field="amount/currency"
        )
    asked = {"payment": payment.payment_id, **body.model_dump(mode="json", exclude_none=True)}
    order = RefundOrder(
        gateway=payment.gateway,
        payment_id=payment.payment_id,
        amount_micros=body.amount.parse().micros if body.amount else None,
        operation=operation,
        audit=audit_of(
            call, ref, operation_id, "payment.refund_requested", None, asked, _refunded(payment)
        ),
    )
    call.talktime.refund_payment.refund(ref, order)


def _refunded(payment: Payment) -> dict[str, Json]:
    """What stands of a payment before more of it is given back."""
    money = MoneyOut.of(payment.refunded_micros, payment.currency)
    return {"payment": payment.payment_id, "refunded": money.model_dump(mode="json")}


def _payment(call: Call, ref: AccountRef, gateway: str | None) -> Payment:
    """The payment of the path, at whichever of the deployment's gateways it was made.

    Raises:
        NotFoundError: At none of them, or not by this account.
    """
    for name in call.talktime.gateways if gateway is None else (gateway,):
        with suppress(NotFoundError):
            return call.talktime.book.payment(ref, name, call.path["payment"])
    raise NotFoundError("there is no such payment")


def _answer(call: Call, operation: Operation, *, is_replayed: bool) -> Answer:
    refund = RefundOut.recorded(operation.answer)
    detail = f"The gateway refused the refund: {refund.failure_code}. Nothing was given back."
    return sagas.answer(
        call,
        operation,
        refund,
        name="refund",
        refusal=("refund_refused", detail),
        is_replayed=is_replayed,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="get_payment",
        summary="A captured payment, with its refunds and disputes",
        tag=TAG,
        serve=get_payment,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PaymentQuery,
        answers={200: PaymentOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=f"{PATH}/refunds",
        name="post_refund",
        summary="Give a payment back, wholly or in part, out of the wallet",
        tag=TAG,
        serve=post_refund,
        is_tenants=True,
        body=RefundIn,
        key=Needs.REQUIRED,
        answers={201: RefundOut, 202: OperationOut},
        problems=(
            "not_found",
            "currency_mismatch",
            "exceeds_payment",
            "insufficient_balance",
            "refund_refused",
            "request_in_flight",
            "idempotency_key_expired",
        ),
    ),
)
