"""The papers of one account: every sale has its invoice, every invoice that is paid one receipt."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from billing.domain.change import Change
from billing.domain.documents import (
    CreditNote,
    DocumentNumbers,
    Invoice,
    InvoiceState,
    Line,
    Receipt,
)
from billing.domain.ledger import EntryKind
from simulation.errors import require

MILLION = 1_000_000
SALES = (EntryKind.SALE, EntryKind.CREDIT)


class DocumentChecker:
    """Follows the three series of one account from Change to Change."""

    def __init__(self) -> None:
        self.invoices: dict[int, Invoice] = {}
        self._receipts: dict[int, Receipt] = {}
        self._credit_notes: dict[int, CreditNote] = {}
        self._receipt_of: dict[int, Receipt] = {}

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: A number is skipped or given twice, a paper is changed, money is booked
                that no paper says, or a paper says what is not booked.
        """
        paid = []
        for record in change.records:
            match record:
                case Invoice():
                    if self._took(record):
                        paid.append(record)
                case Receipt():
                    _follows(record.number, self._receipts, "receipt")
                    self._receipts[record.number] = record
                    self._check_receipt(record)
                case CreditNote():
                    _follows(record.number, self._credit_notes, "credit note")
                    self._credit_notes[record.number] = record
        for record in change.records:
            if isinstance(record, DocumentNumbers):
                said = (record.invoices, record.receipts, record.credit_notes)
                there = (len(self.invoices), len(self._receipts), len(self._credit_notes))
                require(said == there, f"{record} counts {said}, there are {there}")
        notes = [one for one in change.records if isinstance(one, CreditNote)]
        _check_booked(change, paid, notes)
        for invoice in paid:
            self._check_paid(invoice)

    def check_end(self) -> None:
        """Each invoice that is paid has its receipt; each other one is still open."""
        for invoice in self.invoices.values():
            if invoice.state is InvoiceState.PAID:
                self._check_paid(invoice)

    def _took(self, invoice: Invoice) -> bool:
        """Keep it; whether it is paid now, and was not before."""
        before = self.invoices.get(invoice.number)
        if before is None:
            _follows(invoice.number, self.invoices, "invoice")
            require(bool(invoice.lines), f"{invoice} says nothing")
            for line in invoice.lines:
                check_tax(line, invoice.currency)
        else:
            kept = (before.lines, before.currency, before.issued_at, before.cause)
            now = (invoice.lines, invoice.currency, invoice.issued_at, invoice.cause)
            require(kept == now, f"{before} was changed to {invoice}")
            was_paid = before.state is InvoiceState.PAID
            is_paid = invoice.state is InvoiceState.PAID
            require(is_paid or not was_paid, f"{before} is owed again")
            require(invoice.credited_micros >= before.credited_micros, f"{invoice} lost a credit")
        require(
            0 <= invoice.credited_micros <= total_of(invoice.lines),
            f"{invoice} is credited beyond what it came to",
        )
        self.invoices[invoice.number] = invoice
        was_open = before is None or before.state is InvoiceState.OPEN
        return was_open and invoice.state is InvoiceState.PAID

    def _check_receipt(self, receipt: Receipt) -> None:
        if receipt.invoice is None:
            return
        other = self._receipt_of.setdefault(receipt.invoice, receipt)
        require(other is receipt, f"{receipt} is for what {other} has paid")

    def _check_paid(self, invoice: Invoice) -> None:
        total = total_of(invoice.lines)
        receipt = self._receipt_of.get(invoice.number)
        require((receipt is not None) == (total > 0), f"{invoice} is paid, with {receipt}")
        if receipt is None:
            return
        require(receipt.amount_micros == total, f"{receipt} is not what {invoice} came to")
        payment = (receipt.gateway, receipt.payment_id) if receipt.gateway else None
        require(payment == invoice.payment, f"{receipt} names another payment than {invoice}")


def _follows(number: int, series: Mapping[int, object], name: str) -> None:
    require(number == len(series) + 1, f"{name} {number} follows {len(series)}")


def _check_booked(change: Change, paid: list[Invoice], notes: list[CreditNote]) -> None:
    """What the wallet paid for, by ledger account, is what was paid on paper, and the reverse."""
    booked: Counter[str] = Counter()
    for entry in change.entries:
        if entry.kind in SALES:
            name = entry.credit if entry.kind is EntryKind.SALE else entry.debit
            booked[name] -= entry.wallet_change_micros
    said: Counter[str] = Counter()
    for lines in (*(one.lines for one in paid), *(one.lines for one in notes)):
        for line in lines:
            said[f"revenue:{line.kind}"] += line.amount_micros
            said[f"tax:{line.tax_code}"] += line.tax_micros
    for name in booked.keys() | said.keys():
        require(
            booked[name] == said[name],
            f"{change.after.ref}: {booked[name]} are booked to {name}, papers say {said[name]}:"
            f" {change.operation}",
        )


def total_of(lines: Iterable[Line]) -> int:
    """What lines come to, tax included."""
    return sum(line.amount_micros + line.tax_micros for line in lines)


def check_tax(line: Line, currency: str) -> None:
    """To the minor unit, halves away from zero; nothing is in parts of it."""
    minor = MILLION if currency == "JPY" else MILLION // 100
    require(line.amount_micros % minor == 0, f"{line} is in parts of a minor unit")
    exact = Decimal(line.amount_micros) * line.tax_millionths / MILLION / minor
    tax = int(exact.quantize(Decimal(1), ROUND_HALF_UP)) * minor
    require(line.tax_micros == tax, f"{line} should be taxed {tax}")
