"""Papers: documents as they are printed, with all that stands on them.

A paper is made of what is recorded and nothing else, so it is the same whenever it is made.

Source of the rules: docs/documents.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from billing.domain.account import Account, AccountRef
from billing.domain.billing_profiles import DEFAULT_LANGUAGE, BillingProfile, Series
from billing.domain.documents import CreditNote, Invoice, InvoiceState, Line, Receipt, Sums, sums
from billing.domain.parties import Party
from billing.domain.periods import local_day

_PREFIXES = {Series.INVOICES: "INV", Series.CREDIT_NOTES: "CRN", Series.RECEIPTS: "RCT"}
_REFERENCE_DIGITS = 6


def reference(ref: AccountRef, series: Series, number: int) -> str:
    """What a document is called outside: no other document of the seller has the same name.

    Ids have no slash in them, so two accounts never share one.
    """
    prefix = _PREFIXES[series]
    return f"{prefix}/{ref.tenant_id}/{ref.account_id}/{number:0{_REFERENCE_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class TaxSum:
    """What lines come to that are taxed alike."""

    name: str
    millionths: int
    net_micros: int
    tax_micros: int


@dataclass(frozen=True, slots=True)
class Paper:
    """One document with all that stands on it.

    Args:
        issued_at: Aware UTC; the day it shows is the account's.
        buyer: Where there is no profile, all it says is the tenant's id.
        starts_on: The first day that any line pays for; None: none names a day.
        ends_on: The last one.
        is_paid: Of an invoice: whether there is nothing left to pay.
        paid_on: The local day on which it was paid.
        refers_to: What a credit note takes from, or a receipt pays; empty: nothing.
        paid_with: Of a receipt: what the customer calls the source; empty: it has no name here.
        gateway: Of a receipt: who collected; empty: the wallet paid.
        amount_micros: Of a receipt: what was received.
    """

    series: Series
    reference: str
    account: AccountRef
    issued_at: datetime
    issued_on: date
    currency: str
    seller: Party
    buyer: Party
    language: str = DEFAULT_LANGUAGE
    purchase_order: str = ""
    lines: tuple[Line, ...] = ()
    taxes: tuple[TaxSum, ...] = ()
    sums: Sums = field(default_factory=lambda: Sums(0, 0))
    starts_on: date | None = None
    ends_on: date | None = None
    is_paid: bool = False
    paid_on: date | None = None
    refers_to: str = ""
    reason: str = ""
    gateway: str = ""
    payment_id: str = ""
    paid_with: str = ""
    amount_micros: int = 0

    @property
    def name(self) -> str:
        """Where its print is kept. An invoice has two: as it was issued, and once it is paid."""
        number = self.reference.rpartition("/")[2]
        account = f"{self.account.tenant_id}/{self.account.account_id}"
        state = ""
        if self.series is Series.INVOICES:
            state = "-paid" if self.is_paid else "-open"
        return f"{account}/{self.series}/{number}{state}.pdf"

    @property
    def file_name(self) -> str:
        """What whoever fetches it may call it."""
        return f"{self.reference.replace('/', '-')}.pdf"


def tax_sums(lines: Iterable[Line]) -> tuple[TaxSum, ...]:
    """Net and tax of each rate that there is; what is not taxed comes last."""
    ordered = sorted(lines, key=_rate)
    found = []
    for (_, name, _), group in groupby(ordered, key=_rate):
        alike = tuple(group)
        come_to = sums(alike)
        millionths = alike[0].tax_millionths
        found.append(TaxSum(name, millionths, come_to.subtotal_micros, come_to.tax_micros))
    return tuple(found)


def _rate(line: Line) -> tuple[bool, str, int]:
    return (not line.tax_code, line.tax_name, -line.tax_millionths)


def paper_of(
    account: Account,
    document: Invoice | CreditNote | Receipt,
    profile: BillingProfile | None,
    seller: Party,
) -> Paper:
    """A document with all that stands on it.

    Args:
        account: For its time zone, which never changes.
        profile: As it was when the document was issued; None: there was none.
        seller: The same of the operator.
    """
    series = series_of(document)
    blank = Paper(
        series=series,
        reference=reference(account.ref, series, document.number),
        account=account.ref,
        issued_at=document.issued_at,
        issued_on=local_day(document.issued_at, account.time_zone),
        currency=document.currency,
        seller=seller,
        buyer=profile.party if profile else Party(account.ref.tenant_id),
        language=profile.language if profile else DEFAULT_LANGUAGE,
        purchase_order=profile.purchase_order if profile else "",
    )
    match document:
        case Invoice():
            return replace(
                _lined(blank, document.lines),
                is_paid=document.state is InvoiceState.PAID,
                paid_on=(
                    local_day(document.paid_at, account.time_zone) if document.paid_at else None
                ),
            )
        case CreditNote():
            return replace(
                _lined(blank, document.lines),
                refers_to=reference(account.ref, Series.INVOICES, document.invoice),
                reason=document.reason,
            )
        case Receipt():
            paid = document.invoice
            return replace(
                blank,
                amount_micros=document.amount_micros,
                refers_to=reference(account.ref, Series.INVOICES, paid) if paid else "",
                gateway=document.gateway,
                payment_id=document.payment_id,
                paid_with=document.source_label,
            )


def series_of(document: Invoice | CreditNote | Receipt) -> Series:
    """Which series a document is of."""
    match document:
        case Invoice():
            return Series.INVOICES
        case CreditNote():
            return Series.CREDIT_NOTES
        case Receipt():
            return Series.RECEIPTS


def _lined(blank: Paper, lines: tuple[Line, ...]) -> Paper:
    starts = [one.starts_on for one in lines if one.starts_on]
    ends = [one.ends_on for one in lines if one.ends_on]
    return replace(
        blank,
        lines=lines,
        taxes=tax_sums(lines),
        sums=sums(lines),
        starts_on=min(starts, default=None),
        ends_on=max(ends) - timedelta(days=1) if ends else None,
    )
