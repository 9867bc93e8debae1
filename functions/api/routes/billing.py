"""Billing by hand: an open invoice is paid, the operator charges once, or sets a contract."""

import re

from api import auth, limits, sagas
from api.accepting import acceptance_of, audit_of, by
from api.endpoint import Answer, Call, Endpoint
from api.etags import etag
from api.idempotency import Needs, body_hash, require_answer
from api.problems import RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.billing import (
    ChargesIn,
    ChargesOut,
    ContractIn,
    ContractOut,
    InvoicePayIn,
    InvoicePaymentOut,
)
from api.schemas.recharges import OperationOut
from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.domain.charging import Charge
from billing.domain.contracting import contract_etag
from billing.domain.errors import CurrencyMismatchError, NotFoundError
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.pay_invoice import PayRequest, find_invoice

TAG = "Billing"

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
PAY_PATH = f"{ACCOUNT_PATH}/invoices/{{number}}/pay"
CHARGES_PATH = f"{ACCOUNT_PATH}/charges"
CONTRACT_PATH = f"{ACCOUNT_PATH}/contract"


def post_payment(call: Call) -> Answer:
    ref, number = call.account(), _number(call)
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    find_invoice(book, ref, number)
    # The invoice is part of the request: a key is good for one.
    hashed = digest([number, body_hash(call.body_as(InvoicePayIn))])
    recorded, is_replayed = sagas.begun(
        call, ref, operation_id, hashed, lambda operation: _pay(call, operation, number)
    )
    if is_replayed:
        sagas.require_known(call, recorded)
    return _paid(call, recorded, number, is_replayed=is_replayed)


def _number(call: Call) -> int:
    text = call.path["number"]
    if not _NUMBER.fullmatch(text):
        raise NotFoundError("there is no such invoice")
    return int(text)


def _pay(call: Call, operation: Operation, number: int) -> None:
    body = call.body_as(InvoicePayIn)
    named = sagas.payer(call, body.pay_with)
    pay_with = body.pay_with.model_dump(mode="json", exclude_none=True)
    audit = audit_of(
        call,
        operation.account,
        operation.operation_id,
        "invoice.pay_requested",
        acceptance_of(call, body.acceptance),
        {"invoice": number, "pay_with": pay_with},
    )
    request = PayRequest(number, operation, audit, **named)
    call.talktime.pay_invoice.pay(operation.account, request)


def _paid(call: Call, operation: Operation, number: int, *, is_replayed: bool) -> Answer:
    """
    Raises:
        RequestError: ``payment_declined``; or ``conflict``, where somebody else had paid by the
            time the money came, which is in the wallet then.
    """
    shown = InvoicePaymentOut.recorded(number, operation.answer)
    recharge = shown.recharge
    if operation.state is OperationState.FAILED and recharge and recharge.state == "succeeded":
        raise RequestError(
            "conflict",
            f"Invoice {number} was paid meanwhile. The money is in the wallet.",
            headers={"Idempotency-Replayed": "true"} if is_replayed else {},
            members={"recharge": recharge.model_dump(mode="json")},
        )
    code = recharge.failure_code if recharge else None
    refusal = ("payment_declined", f"The payment was declined: {code}. Nothing was collected.")
    return sagas.answer(
        call, operation, shown, name="payment", refusal=refusal, is_replayed=is_replayed
    )


def post_charges(call: Call) -> Answer:
    ref = call.account()
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    account = book.account(ref)
    body = call.body_as(ChargesIn)
    for index, one in enumerate(body.lines):
        if one.amount.currency != account.currency:
            raise CurrencyMismatchError(
                f"the account is in {account.currency}", field=f"lines/{index}/amount/currency"
            )
    charges = [Charge(one.text, one.amount.parse().micros, one.tax or "") for one in body.lines]
    operation = Operation(
        operation_id=operation_id,
        body_hash=body_hash(body),
        account=ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=call.talktime.clock.now(),
    )
    audit = audit_of(call, ref, operation_id, "charges.made", None, body.model_dump(mode="json"))
    is_replayed = False
    try:
        call.talktime.charge_account.charge(
            ref, charges, operation, audit, is_at_once=body.invoice == "now"
        )
    except AlreadyRecordedError as error:
        is_replayed = True
        require_answer(error.operation, call.talktime.clock.now())
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    return Answer(201, ChargesOut.recorded(recorded.answer), is_replayed=is_replayed)


def get_contract(call: Call) -> Answer:
    return _contract(call, call.account())


def put_contract(call: Call) -> Answer:
    ref = call.account()
    body = call.body_as(ContractIn)
    current = contract_etag(call.talktime.set_contract.read(ref).contract)
    call.precondition.require(current)
    call.talktime.set_contract.set(
        ref, body.contract(), seen_etag=current, by=by(call, None), is_at_once=body.now
    )
    return _contract(call, ref)


def _contract(call: Call, ref: AccountRef) -> Answer:
    view = call.talktime.set_contract.read(ref)
    return Answer(200, ContractOut.of(view), {"ETag": etag(contract_etag(view.contract))})


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=PAY_PATH,
        name="pay_invoice",
        summary="Pay an open invoice now: from the wallet, or a funding source",
        tag=TAG,
        serve=post_payment,
        roles=auth.ADMINS,
        is_tenants=True,
        is_near_cards=True,
        body=InvoicePayIn,
        body_limit_bytes=limits.FORM_BYTES,
        key=Needs.REQUIRED,
        answers={201: InvoicePaymentOut, 202: OperationOut},
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
        path=CHARGES_PATH,
        name="post_charges",
        summary="Charge one-off lines, on an invoice of their own or on the next one",
        tag=TAG,
        serve=post_charges,
        is_tenants=True,
        body=ChargesIn,
        key=Needs.REQUIRED,
        answers={201: ChargesOut},
        problems=("not_found", "currency_mismatch", "idempotency_key_expired"),
    ),
    Endpoint(
        method="GET",
        path=CONTRACT_PATH,
        name="get_contract",
        summary="Read the contract, and what is billed at least",
        tag=TAG,
        serve=get_contract,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: ContractOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=CONTRACT_PATH,
        name="put_contract",
        summary="Set the contract: its term, its minimums, and how long added units are held",
        tag=TAG,
        serve=put_contract,
        is_tenants=True,
        body=ContractIn,
        answers={200: ContractOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found",),
    ),
)
