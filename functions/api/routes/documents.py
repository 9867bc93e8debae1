"""Documents: invoices, credit notes and receipts, as rows, as JSON, as CSV, and printed."""

import re
from collections.abc import Callable
from typing import Any

from api import auth
from api.accepting import audit_of
from api.endpoint import CSV, PDF, Answer, Call, Endpoint, Serve
from api.idempotency import Needs, body_hash, require_answer
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery, Schema
from api.schemas.documents import (
    CreditNoteIn,
    CreditNoteOut,
    CreditNoteRow,
    InvoiceOut,
    InvoiceRow,
    PrintOut,
    ReceiptOut,
    ReceiptRow,
)
from api.schemas.lines import LineOut
from api.schemas.purchases import PurchasesOut, PurchasesQuery, PurchasesRow
from billing.domain.billing_profiles import Series
from billing.domain.canonical import digest
from billing.domain.crediting import Given
from billing.domain.documents import CreditNote, Receipt
from billing.domain.errors import CurrencyMismatchError, NotFoundError
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.pay_invoice import find_invoice

TAG = "Documents"

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
INVOICES = f"{ACCOUNT_PATH}/invoices"
CREDIT_NOTES = f"{ACCOUNT_PATH}/credit-notes"
RECEIPTS = f"{ACCOUNT_PATH}/receipts"

Shown = Callable[[Any, Any], Schema]
"""A document and its paper, as they are answered."""


def _list(series: Series, row: Callable[[Any], Schema]) -> Serve:
    def serve(call: Call) -> Answer:
        at = lists.position(call)
        found = call.talktime.read_documents.page(
            call.account(), series, at if isinstance(at, int) else None, lists.limit(call) + 1
        )
        return lists.page(call, found, row, lambda document: document.number)

    return serve


def _get(series: Series, shown: Shown) -> Serve:
    def serve(call: Call) -> Answer:
        ref, number = call.account(), _number(call)
        documents = call.talktime.read_documents
        if call.accepts(PDF):
            return Answer(303, headers={"Location": documents.link(ref, series, number).url})
        document, paper = documents.paper(ref, series, number)
        if call.accepts_csv() and not isinstance(document, Receipt):
            rows = LineOut.each(document.lines, document.currency)
            text = lists.as_csv(LineOut, rows)
            return Answer(200, text, content_type=f"{CSV}; charset=utf-8")
        return Answer(200, shown(document, paper))

    return serve


def _link(series: Series) -> Serve:
    def serve(call: Call) -> Answer:
        link = call.talktime.read_documents.link(call.account(), series, _number(call))
        return Answer(200, PrintOut(url=link.url, expires_at=link.expires_at))

    return serve


def _number(call: Call) -> int:
    text = call.path["number"]
    if not _NUMBER.fullmatch(text):
        raise NotFoundError("there is no such document")
    return int(text)


def post_credit_note(call: Call) -> Answer:
    """Credit once. Whatever is answered is read from the book, the first time as later."""
    ref, number = call.account(), _number(call)
    operation_id = call.operation_id(ref.account_id)
    book = call.talktime.book
    book.account(ref)
    invoice = find_invoice(book, ref, number)
    body = call.body_as(CreditNoteIn)
    for index, one in enumerate(body.lines or ()):
        if one.amount is not None and one.amount.currency != invoice.currency:
            raise CurrencyMismatchError(
                f"the invoice is in {invoice.currency}", field=f"lines/{index}/amount/currency"
            )
    given = [
        Given(one.line, one.amount.parse().micros if one.amount else None)
        for one in body.lines or ()
    ]
    # The invoice is part of the request: a key is good for one.
    operation = Operation(
        operation_id=operation_id,
        body_hash=digest([number, body_hash(body)]),
        account=ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=call.talktime.clock.now(),
    )
    asked = {"invoice": number, **body.model_dump(mode="json", exclude_none=True)}
    audit = audit_of(call, ref, operation_id, "invoice.credited", None, asked)
    is_replayed = False
    try:
        call.talktime.credit_invoice.credit(ref, number, given, body.reason, operation, audit)
    except AlreadyRecordedError as error:
        is_replayed = True
        require_answer(error.operation, call.talktime.clock.now())
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    answer: Any = recorded.answer
    noted = answer["credit_note"]
    note, paper = call.talktime.read_documents.paper(ref, Series.CREDIT_NOTES, noted)
    assert isinstance(note, CreditNote)
    path = CREDIT_NOTES.format(acct=ref.account_id)
    location = {"Location": call.url(f"{path}/{noted}")}
    return Answer(201, CreditNoteOut.shown(note, paper), location, is_replayed=is_replayed)


def get_purchases(call: Call) -> Answer:
    query = call.query_as(PurchasesQuery)
    view = call.talktime.read_purchases.read(call.account(), query.from_, query.to)
    answer = PurchasesOut.of(view)
    if call.accepts_csv():
        rows = lists.as_csv(PurchasesRow, answer.data)
        return Answer(200, rows, content_type=f"{CSV}; charset=utf-8")
    return Answer(200, answer)


def _listing(
    path: str, name: str, series: Series, row: Callable[[Any], Schema], rows: type[Schema]
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        name=f"list_{name}s",
        summary=f"List {name.replace('_', ' ')}s, newest first",
        tag=TAG,
        serve=_list(series, row),
        roles=auth.ADMINS,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[rows]},  # type: ignore[valid-type]  # a page of the rows that are given
        csv_rows=rows,
        problems=("not_found",),
    )


def _reading(
    path: str, name: str, series: Series, shown: Shown, document: type[Schema]
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"{path}/{{number}}",
        name=f"get_{name}",
        summary=f"One {name.replace('_', ' ')}; printed, to whoever accepts application/pdf",
        tag=TAG,
        serve=_get(series, shown),
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: document, 303: None},
        csv_rows=None if series is Series.RECEIPTS else LineOut,
        problems=("not_found",),
    )


def _linking(path: str, name: str, series: Series) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"{path}/{{number}}/pdf",
        name=f"get_{name}_pdf",
        summary="Where the print is, for those who cannot follow a redirect there",
        tag=TAG,
        serve=_link(series),
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: PrintOut},
        problems=("not_found",),
    )


ENDPOINTS = (
    _listing(INVOICES, "invoice", Series.INVOICES, InvoiceRow.of, InvoiceRow),
    _reading(INVOICES, "invoice", Series.INVOICES, InvoiceOut.shown, InvoiceOut),
    _linking(INVOICES, "invoice", Series.INVOICES),
    Endpoint(
        method="POST",
        path=f"{INVOICES}/{{number}}/credit-notes",
        name="post_credit_note",
        summary="Credit a paid invoice, wholly or in part, into the balance",
        tag=TAG,
        serve=post_credit_note,
        is_tenants=True,
        body=CreditNoteIn,
        key=Needs.REQUIRED,
        answers={201: CreditNoteOut},
        problems=("not_found", "currency_mismatch", "exceeds_invoice", "idempotency_key_expired"),
    ),
    _listing(CREDIT_NOTES, "credit_note", Series.CREDIT_NOTES, CreditNoteRow.of, CreditNoteRow),
    _reading(CREDIT_NOTES, "credit_note", Series.CREDIT_NOTES, CreditNoteOut.shown, CreditNoteOut),
    _linking(CREDIT_NOTES, "credit_note", Series.CREDIT_NOTES),
    _listing(RECEIPTS, "receipt", Series.RECEIPTS, ReceiptRow.of, ReceiptRow),
    _reading(RECEIPTS, "receipt", Series.RECEIPTS, ReceiptOut.shown, ReceiptOut),
    _linking(RECEIPTS, "receipt", Series.RECEIPTS),
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/purchases",
        name="get_purchases",
        summary="What was bought by month and kind, and what was paid",
        tag=TAG,
        serve=get_purchases,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PurchasesQuery,
        answers={200: PurchasesOut},
        csv_rows=PurchasesRow,
        problems=("not_found",),
    ),
)
