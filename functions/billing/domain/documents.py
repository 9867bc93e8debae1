"""Documents: invoices, credit notes and receipts, each series numbered without gaps.

Their numbers stand in one record per account, which is written in the Change that issues them, so
that a number is neither lost nor given twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import AccountRef
from billing.domain.money import minor_unit_micros
from billing.domain.selling import TAX_WHOLE
from billing.domain.things import numbered


class LineKind(StrEnum):
    """What a line is for; also which revenue account it is booked to."""

    PLAN = "plan"
    UNITS = "units"
    PACKAGE = "package"
    BUNDLE = "bundle"
    PRODUCT = "product"
    NUMBER_SETUP = "number_setup"
    NUMBER = "number"
    STORAGE = "storage"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote or a document.

    Args:
        what: Which plan, kind, package, number …, by its id.
        text: What people read.
        quantity: Of units; 1 where there is nothing to count.
        unit_price_micros: For the whole term, net, before it was prorated.
        amount_micros: Net, whole minor units; negative gives back.
        tax_code: Of the catalogue's rates; empty: none.
        tax_millionths: The rate, as it was then.
        tax_micros: Of this line, to the minor unit, halves away from zero.
        starts_on: First local day it pays for; None: no time at all.
        ends_on: The day after the last.
        is_up_front: Paid once, and not again at the next renewal.
    """

    kind: LineKind
    what: str
    text: str
    quantity: int
    unit_price_micros: int
    amount_micros: int
    tax_code: str = ""
    tax_name: str = ""
    tax_millionths: int = 0
    tax_micros: int = 0
    starts_on: date | None = None
    ends_on: date | None = None
    is_up_front: bool = False


def tax_micros(amount_micros: int, millionths: int, currency: str) -> int:
    """The tax on one line: to the minor unit, halves away from zero."""
    unit = minor_unit_micros(currency)
    whole = TAX_WHOLE * unit
    doubled = 2 * abs(amount_micros) * millionths + whole
    rounded = doubled // (2 * whole) * unit
    return rounded if amount_micros >= 0 else -rounded


@dataclass(frozen=True, slots=True)
class Sums:
    """What lines come to."""

    subtotal_micros: int
    tax_micros: int

    @property
    def total_micros(self) -> int:
        return self.subtotal_micros + self.tax_micros


def sums(lines: Iterable[Line]) -> Sums:
    """Net and tax, added up line by line."""
    kept = tuple(lines)
    return Sums(sum(one.amount_micros for one in kept), sum(one.tax_micros for one in kept))


class InvoiceState(StrEnum):
    """Where an invoice stands. ``paid`` where there is nothing to pay, too."""

    OPEN = "open"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """What credit notes have given back of one line of an invoice.

    Args:
        place: Which line, from 0.
        amount_micros: Net, with the line's own sign.
    """

    place: int
    amount_micros: int = 0
    tax_micros: int = 0


@dataclass(frozen=True, slots=True)
class Invoice:
    """What is owed, or was paid at once.

    Args:
        number: Without gaps within the account, from 1.
        cause: The operation that raised it.
        period_starts_on: Of a renewal: the first local day of what it is for; else None.
        paid_by: The operation that paid it.
        payment: Gateway and id of the payment, where one paid it; None: the wallet did.
        credited_micros: What credit notes have taken back of the total.
        credited_lines: The same of each line that any of it was taken of.
        credit_notes: Their numbers.
    """

    KIND: ClassVar[str] = "INVOICE"

    account: AccountRef
    number: int
    currency: str
    lines: tuple[Line, ...]
    issued_at: datetime
    cause: str
    state: InvoiceState = InvoiceState.OPEN
    period_starts_on: date | None = None
    paid_at: datetime | None = None
    paid_by: str = ""
    payment: tuple[str, str] | None = None
    credited_micros: int = 0
    credited_lines: tuple[CreditedLine, ...] = ()
    credit_notes: tuple[int, ...] = ()

    @property
    def thing_name(self) -> str:
        return numbered(self.number)

    @property
    def sums(self) -> Sums:
        return sums(self.lines)

    def paid(self, cause: str, now: datetime, payment: tuple[str, str] | None) -> "Invoice":
        """The same, paid.

        Args:
            cause: The operation that pays.
            payment: Gateway and id of the payment that brought the money; None: the wallet had it.
        """
        return replace(self, state=InvoiceState.PAID, paid_at=now, paid_by=cause, payment=payment)

    def credited_of(self, place: int) -> CreditedLine:
        """What has been given back of one line."""
        found = (one for one in self.credited_lines if one.place == place)
        return next(found, CreditedLine(place))

    @property
    def creditable_micros(self) -> int:
        """What was paid and has not been credited."""
        paid = self.sums.total_micros if self.state is InvoiceState.PAID else 0
        return paid - self.credited_micros


@dataclass(frozen=True, slots=True)
class CreditNote:
    """What is taken back of a paid invoice.

    Args:
        lines: With negative amounts.
        reason: In words, for the customer.
        of_lines: Which of the invoice's lines each of them gives back, from 0.
    """

    KIND: ClassVar[str] = "CREDITNOTE"

    account: AccountRef
    number: int
    invoice: int
    currency: str
    lines: tuple[Line, ...]
    issued_at: datetime
    cause: str
    reason: str
    of_lines: tuple[int, ...] = ()

    @property
    def thing_name(self) -> str:
        return numbered(self.number)

    @property
    def sums(self) -> Sums:
        return sums(self.lines)


@dataclass(frozen=True, slots=True)
class Receipt:
    """That money was received.

    Args:
        amount_micros: What was paid, tax included.
        gateway: Who collected; empty: the wallet paid.
        payment_id: The gateway's.
        source_label: What the customer calls the source.
        invoice: What it paid; None: it filled the wallet.
    """

    KIND: ClassVar[str] = "RECEIPT"

    account: AccountRef
    number: int
    currency: str
    amount_micros: int
    issued_at: datetime
    cause: str
    gateway: str = ""
    payment_id: str = ""
    source_label: str = ""
    invoice: int | None = None

    @property
    def thing_name(self) -> str:
        return numbered(self.number)


@dataclass(frozen=True, slots=True)
class DocumentNumbers:
    """The last number of each series; all zero where none was issued."""

    KIND: ClassVar[str] = "DOCUMENTS"

    account: AccountRef
    invoices: int = 0
    credit_notes: int = 0
    receipts: int = 0

    @property
    def thing_name(self) -> str:
        return ""


def invoiced(
    numbers: DocumentNumbers, lines: tuple[Line, ...], currency: str, cause: str, now: datetime
) -> tuple[DocumentNumbers, Invoice]:
    """Raise the next invoice, open; one that comes to nothing is paid.

    Args:
        cause: The operation that raises it.
        now: Aware UTC.
    """
    number = numbers.invoices + 1
    invoice = Invoice(
        account=numbers.account,
        number=number,
        currency=currency,
        lines=lines,
        issued_at=now,
        cause=cause,
    )
    assert invoice.sums.total_micros >= 0, "what gives back is a credit note"
    if invoice.sums.total_micros == 0:
        invoice = replace(invoice, state=InvoiceState.PAID, paid_at=now, paid_by=cause)
    return replace(numbers, invoices=number), invoice


def receipted(
    numbers: DocumentNumbers,
    *,
    amount_micros: int,
    currency: str,
    cause: str,
    now: datetime,
    payment: tuple[str, str] | None = None,
    source_label: str = "",
    invoice: int | None = None,
) -> tuple[DocumentNumbers, Receipt]:
    """Write the next receipt.

    Args:
        payment: Gateway and id; None: the wallet paid.
        invoice: The number of what was paid; None: the wallet was filled.
    """
    number = numbers.receipts + 1
    gateway, payment_id = payment or ("", "")
    receipt = Receipt(
        account=numbers.account,
        number=number,
        currency=currency,
        amount_micros=amount_micros,
        issued_at=now,
        cause=cause,
        gateway=gateway,
        payment_id=payment_id,
        source_label=source_label,
        invoice=invoice,
    )
    return replace(numbers, receipts=number), receipt
