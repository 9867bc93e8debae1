"""Operations: where a 202 leads."""

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import is_operation_id
from api.routes.accounts import ACCOUNT_PATH
from api.routes.orders import order_of
from api.schemas.recharges import OperationOut
from billing.domain.errors import NotFoundError


def get_operation(call: Call) -> Answer:
    ref = call.account()
    operation_id = call.path["id"]
    operation = None
    if is_operation_id(operation_id):
        operation = call.talktime.book.operation(ref, operation_id)
    if operation is None:
        raise NotFoundError("no such operation")
    return Answer(200, OperationOut.of(operation, order_of(call, operation)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/operations/{{id}}",
        name="get_operation",
        summary="Where a request stands whose outcome was not known at once",
        tag="Operations",
        serve=get_operation,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: OperationOut},
        problems=("not_found",),
    ),
)
