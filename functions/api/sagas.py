"""Answering a request that asks a gateway for something: known at once, or not yet."""

from collections.abc import Callable
from contextlib import suppress

from api.endpoint import Answer, Call
from api.problems import RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Schema
from api.schemas.recharges import OperationOut
from billing.domain.errors import PaymentUnknownError
from billing.domain.records import Operation, OperationState


def unless_unknown(ask: Callable[[], object]) -> None:
    """An outcome nobody knows is recorded as such, which the operation says."""
    with suppress(PaymentUnknownError):
        ask()


def is_on_its_way(operation: Operation) -> bool:
    """Whether it was answered already, by saying that its payment takes its time: a link waits for
    its customer, or a debit for its bank."""
    shown = operation.answer
    return isinstance(shown, dict) and shown.get("state") in ("action_needed", "processing")


def answer(
    call: Call,
    operation: Operation,
    shown: Schema,
    *,
    name: str,
    refusal: tuple[str, str],
    is_replayed: bool,
) -> Answer:
    """What the operation says: 201 with what came of it, or 202 and where to look.

    Args:
        shown: What came of it so far.
        name: What it is called in the members of a refusal.
        refusal: Code and detail, where the gateway would not.

    Raises:
        RequestError: It failed.
    """
    if operation.state is OperationState.FAILED:
        code, detail = refusal
        raise RequestError(
            code,
            detail,
            headers={"Idempotency-Replayed": "true"} if is_replayed else {},
            members={name: shown.model_dump(mode="json")},
        )
    account_path = ACCOUNT_PATH.format(acct=operation.account.account_id)
    location = call.url(f"{account_path}/operations/{operation.operation_id}")
    is_settled = operation.state is OperationState.SUCCEEDED
    return Answer(
        201 if is_settled else 202,
        shown if is_settled else OperationOut.of(operation),
        {"Location": location},
        is_replayed=is_replayed,
    )
