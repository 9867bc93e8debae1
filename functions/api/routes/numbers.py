"""Phone numbers: listed, paid for, let go of; and what the operator's carrier says of them."""

from dataclasses import replace
from urllib.parse import unquote

from api import auth, limits, sagas
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash
from api.problems import RequestError
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Acceptance, Page, PageQuery
from api.schemas.numbers import NumberOut, NumberPatch, NumberPayIn, NumberReleaseIn
from api.schemas.recharges import OperationOut
from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.canonical import digest
from billing.domain.numbers import PhoneNumber, leaving
from billing.domain.records import Operation, OperationState
from billing.services.manage_numbers import NumberPayment

TAG = "Numbers"
PATH = f"{ACCOUNT_PATH}/numbers"
NUMBER_PATH = f"{PATH}/{{e164}}"


def list_numbers(call: Call) -> Answer:
    after = lists.position(call)
    found = [
        one
        for one in call.talktime.list_numbers.all(call.account())
        if after is None or one.number.e164 > str(after)
    ]
    return lists.page(
        call, found[: lists.limit(call) + 1], NumberOut.of, lambda one: one.number.e164
    )


def get_number(call: Call) -> Answer:
    return _answer(call, call.account())


def patch_number(call: Call) -> Answer:
    ref, body = call.account(), call.body_as(NumberPatch)

    def amend(number: PhoneNumber) -> PhoneNumber:
        if body.auto_pay is not None:
            number = replace(number, is_auto_pay=body.auto_pay)
        return leaving(number, is_leaving=False) if body.leaving is False else number

    call.talktime.list_numbers.one(ref, _e164(call))
    changed_by = _by(call, body.acceptance)
    call.talktime.manage_numbers.amend(ref, _e164(call), amend, "changed", changed_by)
    return _answer(call, ref)


def release_number(call: Call) -> Answer:
    ref = call.account()
    call.talktime.list_numbers.one(ref, _e164(call))
    released_by = _by(call, call.body_as(NumberReleaseIn).acceptance)
    call.talktime.manage_numbers.release(ref, _e164(call), released_by)
    return _answer(call, ref)


def provisioned(call: Call) -> Answer:
    ref = call.account()
    call.talktime.manage_numbers.provisioned(ref, _e164(call), by(call, None))
    return _answer(call, ref)


def failed(call: Call) -> Answer:
    ref = call.account()
    call.talktime.manage_numbers.failed(ref, _e164(call), by(call, None))
    return _answer(call, ref)


def pay_number(call: Call) -> Answer:
    """Pay once. Whatever is answered is read from the book, the first time as later."""
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    call.talktime.list_numbers.one(ref, _e164(call))
    # The number is part of the request: a key is good for one.
    hashed = digest([_e164(call), body_hash(call.body_as(NumberPayIn))])
    recorded, is_replayed = sagas.begun(
        call, ref, operation_id, hashed, lambda operation: _pay(call, operation)
    )
    if is_replayed:
        sagas.require_known(call, recorded)
    return _paid(call, recorded, is_replayed=is_replayed)


def _pay(call: Call, operation: Operation) -> None:
    body = call.body_as(NumberPayIn)
    named = sagas.payer(call, body.pay_with)
    payment = NumberPayment(_e164(call), operation, _by(call, body.acceptance), **named)
    call.talktime.manage_numbers.pay(operation.account, payment)


def _paid(call: Call, operation: Operation, *, is_replayed: bool) -> Answer:
    """
    Raises:
        RequestError: ``payment_declined``; or ``conflict``, where the number was no longer to be
            paid for by the time the money came, which is in the wallet then.
    """
    shown = NumberOut.of(call.talktime.list_numbers.one(operation.account, _e164(call)))
    answer = operation.answer
    state = answer.get("state") if isinstance(answer, dict) else None
    if operation.state is OperationState.FAILED and state == "succeeded":
        raise RequestError(
            "conflict",
            f"{_e164(call)} was no longer to be paid for. The money is in the wallet.",
            headers={"Idempotency-Replayed": "true"} if is_replayed else {},
            members={"number": shown.model_dump(mode="json")},
        )
    refusal = ("payment_declined", "The payment was declined. The number is still on hold.")
    return sagas.answer(
        call, operation, shown, name="number", refusal=refusal, is_replayed=is_replayed
    )


def _e164(call: Call) -> str:
    """The number of the path; its plus sign may be encoded, or left out."""
    return "+" + unquote(call.path["e164"]).strip().removeprefix("+")


def _by(call: Call, given: Acceptance | None) -> By:
    return by(call, acceptance_of(call, given))


def _answer(call: Call, ref: AccountRef) -> Answer:
    return Answer(200, NumberOut.of(call.talktime.list_numbers.one(ref, _e164(call))))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_numbers",
        summary="List the account's phone numbers, released ones too",
        tag=TAG,
        serve=list_numbers,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[NumberOut]},
        csv_rows=NumberOut,
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=NUMBER_PATH,
        name="get_number",
        summary="Read one phone number",
        tag=TAG,
        serve=get_number,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: NumberOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="PATCH",
        path=NUMBER_PATH,
        name="patch_number",
        summary="Switch a number's auto-pay, or keep it after all",
        tag=TAG,
        serve=patch_number,
        roles=auth.ADMINS,
        is_tenants=True,
        body=NumberPatch,
        answers={200: NumberOut},
        problems=("not_found", "no_catalog", "conflict", "acceptance_required"),
    ),
    Endpoint(
        method="POST",
        path=f"{NUMBER_PATH}/pay",
        name="pay_number",
        summary="Pay for a number that is on hold: it is back at once",
        tag=TAG,
        serve=pay_number,
        roles=auth.ADMINS,
        is_tenants=True,
        body=NumberPayIn,
        body_limit_bytes=limits.FORM_BYTES,
        key=Needs.REQUIRED,
        answers={201: NumberOut, 202: OperationOut},
        problems=(
            "payment_declined",
            "not_found",
            "no_catalog",
            "conflict",
            "insufficient_balance",
            "no_funding_source",
            "recharge_in_progress",
            "request_in_flight",
            "idempotency_key_expired",
            "acceptance_required",
        ),
    ),
    Endpoint(
        method="POST",
        path=f"{NUMBER_PATH}/release",
        name="release_number",
        summary="Let go of a number when what is paid for ends; of one on hold, at once",
        tag=TAG,
        serve=release_number,
        roles=auth.ADMINS,
        is_tenants=True,
        body=NumberReleaseIn,
        answers={200: NumberOut},
        problems=("not_found", "no_catalog", "conflict", "acceptance_required"),
    ),
    Endpoint(
        method="POST",
        path=f"{NUMBER_PATH}/provisioned",
        name="provisioned_number",
        summary="The operator's carrier has provided an ordered number",
        tag=TAG,
        serve=provisioned,
        is_tenants=True,
        answers={200: NumberOut},
        problems=("not_found", "conflict"),
    ),
    Endpoint(
        method="POST",
        path=f"{NUMBER_PATH}/failed",
        name="failed_number",
        summary="The carrier does not provide it: what it cost is credited",
        tag=TAG,
        serve=failed,
        is_tenants=True,
        answers={200: NumberOut},
        problems=("not_found", "conflict"),
    ),
)
