"""Orders: exactly what was quoted, with the acceptance of who orders it."""

from typing import Any

from api import auth, limits, sagas
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash, require_answer
from api.problems import RequestError
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.orders import OrderIn, OrderOut
from api.schemas.recharges import OperationOut
from billing.domain.errors import NotFoundError
from billing.domain.orders import Order, OrderState
from billing.domain.placing import DECLINED
from billing.domain.records import Operation
from billing.services.place_order import OrderRequest

TAG = "Orders"
PATH = f"{ACCOUNT_PATH}/orders"


def list_orders(call: Call) -> Answer:
    before = lists.position(call)
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    found = book.things(ref, Order, before=str(before or ""), limit=lists.limit(call) + 1)
    return lists.page(call, found, OrderOut.of, lambda order: order.order_id)


def get_order(call: Call) -> Answer:
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    order = book.thing(ref, Order, call.path["id"])
    if order is None:
        raise NotFoundError("there is no such order")
    return Answer(200, OrderOut.of(order))


def post_order(call: Call) -> Answer:
    """Place once. Whatever is answered is read from the book, the first time as later."""
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    hashed = body_hash(call.body_as(OrderIn))
    recorded, is_replayed = sagas.begun(
        call, ref, operation_id, hashed, lambda operation: _place(call, operation)
    )
    order = order_of(call, recorded)
    assert order is not None, "it was recorded by an order"
    is_waiting = order.state is OrderState.PENDING and sagas.is_on_its_way(recorded)
    if is_replayed and not is_waiting:
        require_answer(recorded, call.talktime.clock.now())
    return _answer(call, recorded, order, is_replayed=is_replayed)


def order_of(call: Call, operation: Operation) -> Order | None:
    """The order that an operation placed; None: it placed none."""
    answer: Any = operation.answer
    name = answer.get("order") if isinstance(answer, dict) else None
    return call.talktime.book.thing(operation.account, Order, name) if name else None


def _place(call: Call, operation: Operation) -> None:
    body = call.body_as(OrderIn)
    ordered_by = by(call, acceptance_of(call, body.acceptance))
    named = sagas.payer(call, body.pay_with)
    request = OrderRequest(body.quote_id, operation, ordered_by, **named)
    call.talktime.place_order.place(operation.account, request)


def _answer(call: Call, operation: Operation, order: Order, *, is_replayed: bool) -> Answer:
    """201 with what was delivered, or 202 and where to look.

    Raises:
        RequestError: Nothing was delivered.
    """
    shown = OrderOut.of(order)
    account_path = ACCOUNT_PATH.format(acct=order.account.account_id)
    if order.state is OrderState.FAILED:
        raise RequestError(
            "payment_declined" if order.failure_code == DECLINED else "quote_stale",
            order.failure_detail,
            headers={"Idempotency-Replayed": "true"} if is_replayed else {},
            members={"order": shown.model_dump(mode="json")},
        )
    if order.state is OrderState.DELIVERED:
        location = call.url(f"{account_path}/orders/{order.order_id}")
        return Answer(201, shown, {"Location": location}, is_replayed=is_replayed)
    location = call.url(f"{account_path}/operations/{operation.operation_id}")
    accepted = OperationOut.of(operation, order)
    return Answer(202, accepted, {"Location": location}, is_replayed=is_replayed)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_orders",
        summary="List orders, newest first",
        tag=TAG,
        serve=list_orders,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[OrderOut]},
        csv_rows=OrderOut,
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_order",
        summary="Place exactly what was quoted, or nothing",
        tag=TAG,
        serve=post_order,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=OrderIn,
        body_limit_bytes=limits.FORM_BYTES,
        key=Needs.REQUIRED,
        answers={201: OrderOut, 202: OperationOut},
        problems=(
            "payment_declined",
            "not_found",
            "no_catalog",
            "acceptance_required",
            "quote_expired",
            "quote_stale",
            "order_in_progress",
            "number_taken",
            "insufficient_balance",
            "no_funding_source",
            "recharge_in_progress",
            "request_in_flight",
            "idempotency_key_expired",
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/{{id}}",
        name="get_order",
        summary="One order, and what came of it",
        tag=TAG,
        serve=get_order,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: OrderOut},
        problems=("not_found",),
    ),
)
