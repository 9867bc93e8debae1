"""A request that asks a gateway for something: begun once, and answered at once or later."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypedDict

from api.endpoint import Answer, Call
from api.idempotency import is_abandoned, require_answer
from api.problems import RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Schema
from api.schemas.orders import OrderPayWith
from api.schemas.recharges import OperationOut
from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError, PaymentUnknownError
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.change_account import recorded_error


class Payer(TypedDict):
    """What a service is told of who pays."""

    is_from_wallet: bool
    source_id: str | None
    one_off: str | None


def payer(call: Call, given: OrderPayWith | None) -> Payer:
    """Who pays, as a request names him; nobody, where it does not.

    Raises:
        InvalidInputError: It names several, or an empty ``pay_with`` none.
    """
    named = [given.wallet, given.source, given.method] if given else []
    if given and sum(one is not None for one in named) != 1:
        raise InvalidInputError("pay_with names the wallet, a source or a method", field="pay_with")
    return {
        "is_from_wallet": bool(given and given.wallet),
        "source_id": given.source if given else None,
        "one_off": call.talktime.gateway if given and given.method else None,
    }


def begun(
    call: Call,
    ref: AccountRef,
    operation_id: str,
    body_hash: str,
    begin: Callable[[Operation], object],
    finish: Callable[[AccountRef], object] | None = None,
) -> tuple[Operation, bool]:
    """Begin once; a request that was here before finds what the first one recorded.

    Whatever is answered is read from the operation, the first time as later.

    Args:
        body_hash: A key is good for one of them.
        begin: Asks, with the pending operation.
        finish: Goes on with what a crash left between intent and outcome, with the same key at the
            gateway; None: payments.

    Returns:
        The operation, and whether it was here before.

    Raises:
        IdConflictError: The key was used for another request.
        TalktimeError: What ``begin`` raises; nothing is recorded then.
    """
    book, now = call.talktime.book, call.talktime.clock.now()
    is_replayed = False
    pending = Operation(
        operation_id=operation_id,
        body_hash=body_hash,
        account=ref,
        state=OperationState.PENDING,
        answer=None,
        recorded_at=now,
    )
    try:
        recorded = book.operation(ref, operation_id)
        if recorded is not None:
            # Before the acceptance: the terms may be newer than the first request.
            raise recorded_error(recorded, body_hash)
        _unless_unknown(lambda: begin(pending))
    except AlreadyRecordedError as error:
        is_replayed = True
        if is_abandoned(error.operation, now):
            go_on = finish or call.talktime.collect_recharge.finish_open
            _unless_unknown(lambda: go_on(ref))
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    return recorded, is_replayed


def require_known(call: Call, operation: Operation) -> None:
    """What is asked again must have been answered, if only by where to look.

    Raises:
        RequestError: ``request_in_flight``, or ``idempotency_key_expired``.
    """
    if not is_on_its_way(operation):
        require_answer(operation, call.talktime.clock.now())


def _unless_unknown(ask: Callable[[], object]) -> None:
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
