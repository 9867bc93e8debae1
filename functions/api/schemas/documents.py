"""Invoices, credit notes and receipts, as they are shown."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Day, Instant, MoneyIn, MoneyOut, Name, Schema
from api.schemas.lines import LineOut, sums_shown
from api.schemas.selling import PartySchema
from billing.domain.billing_profiles import Series
from billing.domain.crediting import MAX_REASON_LENGTH
from billing.domain.documents import CreditNote, Invoice, Receipt
from billing.domain.papers import Paper, reference


class InvoiceRow(Schema):
    """An invoice without its lines. ``reference`` is what it is called outside; ``period`` is the
    first day of what a renewal is for."""

    number: int
    reference: str
    state: Literal["open", "paid"]
    issued_at: Instant
    paid_at: Instant | None
    period: Day | None
    subtotal: MoneyOut
    tax: MoneyOut
    total: MoneyOut
    credited: MoneyOut

    @staticmethod
    def of(invoice: Invoice) -> "InvoiceRow":
        return InvoiceRow(
            number=invoice.number,
            reference=reference(invoice.account, Series.INVOICES, invoice.number),
            state=invoice.state.value,
            issued_at=invoice.issued_at,
            paid_at=invoice.paid_at,
            period=invoice.period_starts_on,
            **sums_shown(invoice.sums, invoice.currency),
            credited=MoneyOut.of(invoice.credited_micros, invoice.currency),
        )


class PaidBy(Schema):
    """The payment that brought the money."""

    gateway: str
    payment_id: str


class InvoiceOut(InvoiceRow):
    """An invoice. ``seller`` and ``buyer`` are who stood there when it was issued. ``paid_by`` is
    null where the balance paid, or nobody has; ``creditable`` is what credit notes can still take
    back."""

    lines: list[LineOut]
    seller: PartySchema
    buyer: PartySchema
    purchase_order: str
    paid_by: PaidBy | None
    creditable: MoneyOut
    credit_notes: list[int]

    @staticmethod
    def shown(invoice: Invoice, paper: Paper) -> "InvoiceOut":
        row = InvoiceRow.of(invoice)
        payment = invoice.payment
        return InvoiceOut(
            **{name: getattr(row, name) for name in InvoiceRow.model_fields},
            lines=LineOut.each(invoice.lines, invoice.currency),
            seller=PartySchema.of(paper.seller),
            buyer=PartySchema.of(paper.buyer),
            purchase_order=paper.purchase_order,
            paid_by=PaidBy(gateway=payment[0], payment_id=payment[1]) if payment else None,
            creditable=MoneyOut.of(invoice.creditable_micros, invoice.currency),
            credit_notes=list(invoice.credit_notes),
        )


class CreditNoteRow(Schema):
    """A credit note without its lines; what it gives back is negative."""

    number: int
    reference: str
    invoice: int
    issued_at: Instant
    reason: str
    subtotal: MoneyOut
    tax: MoneyOut
    total: MoneyOut

    @staticmethod
    def of(note: CreditNote) -> "CreditNoteRow":
        return CreditNoteRow(
            number=note.number,
            reference=reference(note.account, Series.CREDIT_NOTES, note.number),
            invoice=note.invoice,
            issued_at=note.issued_at,
            reason=note.reason,
            **sums_shown(note.sums, note.currency),
        )


class CreditNoteOut(CreditNoteRow):
    """A credit note. ``of_lines`` says which line of the invoice each of its own takes from, the
    first being 0."""

    lines: list[LineOut]
    of_lines: list[int]
    seller: PartySchema
    buyer: PartySchema
    purchase_order: str

    @staticmethod
    def shown(note: CreditNote, paper: Paper) -> "CreditNoteOut":
        row = CreditNoteRow.of(note)
        return CreditNoteOut(
            **{name: getattr(row, name) for name in CreditNoteRow.model_fields},
            lines=LineOut.each(note.lines, note.currency),
            of_lines=list(note.of_lines),
            seller=PartySchema.of(paper.seller),
            buyer=PartySchema.of(paper.buyer),
            purchase_order=paper.purchase_order,
        )


class ReceiptRow(Schema):
    """A receipt. ``invoice`` is what was paid; null: it filled the balance. ``paid_by`` is null
    where the balance paid; ``source`` is what the customer calls the source, where it is saved."""

    number: int
    reference: str
    issued_at: Instant
    amount: MoneyOut
    invoice: int | None
    paid_by: PaidBy | None
    source: str | None

    @staticmethod
    def of(receipt: Receipt) -> "ReceiptRow":
        named = PaidBy(gateway=receipt.gateway, payment_id=receipt.payment_id)
        return ReceiptRow(
            number=receipt.number,
            reference=reference(receipt.account, Series.RECEIPTS, receipt.number),
            issued_at=receipt.issued_at,
            amount=MoneyOut.of(receipt.amount_micros, receipt.currency),
            invoice=receipt.invoice,
            paid_by=named if receipt.gateway else None,
            source=receipt.source_label or None,
        )


class ReceiptOut(ReceiptRow):
    """A receipt, with who stood on it when it was issued."""

    seller: PartySchema
    buyer: PartySchema
    purchase_order: str

    @staticmethod
    def shown(receipt: Receipt, paper: Paper) -> "ReceiptOut":
        row = ReceiptRow.of(receipt)
        return ReceiptOut(
            **{name: getattr(row, name) for name in ReceiptRow.model_fields},
            seller=PartySchema.of(paper.seller),
            buyer=PartySchema.of(paper.buyer),
            purchase_order=paper.purchase_order,
        )


class PrintOut(Schema):
    """A link to a printed document; whoever has it needs no token, until it expires."""

    url: str
    expires_at: Instant


class CreditedIn(Schema):
    """What is credited of one line: ``line`` counts from 0, ``amount`` is without tax, which is
    credited in proportion; without ``amount``, all that is left of the line."""

    line: Annotated[int, Field(ge=0)]
    amount: MoneyIn | None = None


class CreditNoteIn(Schema):
    """What is credited, and why, for the customer to read. Without ``lines``, all that is left."""

    lines: Annotated[list[CreditedIn], Field(min_length=1, max_length=1_000)] | None = None
    reason: Annotated[Name, Field(max_length=MAX_REASON_LENGTH)]
