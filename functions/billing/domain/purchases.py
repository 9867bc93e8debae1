"""Purchases: what was invoiced and credited by month and kind, and what money came and went.

Source of the rules: docs/documents.md, "What was bought".
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain

from billing.domain.documents import CreditNote, Invoice, Line, LineKind, Receipt, Sums
from billing.domain.periods import local_day
from billing.domain.records import Payment

NOTHING = Sums(0, 0)


@dataclass(frozen=True, slots=True)
class KindBought:
    """One kind of line in one month.

    Args:
        month: Its first day, in the account's zone: when the document was issued.
        credited: Of credit notes that were issued in it, as positive amounts.
    """

    month: date
    kind: LineKind
    invoiced: Sums = NOTHING
    credited: Sums = NOTHING


@dataclass(frozen=True, slots=True)
class MonthBought:
    """One month, or all of them.

    Args:
        collected_micros: What gateways collected.
        recharged_micros: What of it filled the wallet.
        refunded_micros: What has been given back since of what was collected in it.
    """

    invoiced: Sums = NOTHING
    credited: Sums = NOTHING
    collected_micros: int = 0
    recharged_micros: int = 0
    refunded_micros: int = 0


@dataclass(frozen=True, slots=True)
class Purchases:
    """Months and kinds in which there was anything, in their order."""

    kinds: tuple[KindBought, ...] = ()
    months: tuple[tuple[date, MonthBought], ...] = ()
    total: MonthBought = field(default_factory=MonthBought)


def purchases(
    invoices: Iterable[Invoice],
    credit_notes: Iterable[CreditNote],
    received: Iterable[tuple[Receipt, Payment | None]],
    time_zone: str,
) -> Purchases:
    """Sum documents up by the local month in which they were issued.

    Args:
        received: Receipts with the payment that each is for; None: the wallet paid.
    """
    kinds: dict[tuple[date, LineKind], KindBought] = {}
    months: dict[date, MonthBought] = {}
    documents: Iterable[Invoice | CreditNote] = chain[Invoice | CreditNote](invoices, credit_notes)
    for document in documents:
        month = local_day(document.issued_at, time_zone).replace(day=1)
        sign = -1 if isinstance(document, CreditNote) else 1
        for line in document.lines:
            bought = kinds.get((month, line.kind), KindBought(month, line.kind))
            kinds[month, line.kind] = _with_line(bought, line, sign)
    for bought in kinds.values():
        whole = months.get(bought.month, MonthBought())
        months[bought.month] = replace(
            whole,
            invoiced=_plus(whole.invoiced, bought.invoiced),
            credited=_plus(whole.credited, bought.credited),
        )
    for receipt, payment in received:
        if payment is None:
            continue
        month = local_day(receipt.issued_at, time_zone).replace(day=1)
        whole = months.get(month, MonthBought())
        amount = payment.amount_micros
        months[month] = replace(
            whole,
            collected_micros=whole.collected_micros + amount,
            recharged_micros=whole.recharged_micros + (0 if receipt.invoice else amount),
            refunded_micros=whole.refunded_micros + payment.refunded_micros,
        )
    order = list(LineKind)
    return Purchases(
        tuple(sorted(kinds.values(), key=lambda one: (one.month, order.index(one.kind)))),
        tuple(sorted(months.items())),
        _total(months.values()),
    )


def _with_line(bought: KindBought, line: Line, sign: int) -> KindBought:
    come_to = Sums(sign * line.amount_micros, sign * line.tax_micros)
    if sign < 0:
        return replace(bought, credited=_plus(bought.credited, come_to))
    return replace(bought, invoiced=_plus(bought.invoiced, come_to))


def _plus(one: Sums, other: Sums) -> Sums:
    return Sums(one.subtotal_micros + other.subtotal_micros, one.tax_micros + other.tax_micros)


def _total(months: Iterable[MonthBought]) -> MonthBought:
    total = MonthBought()
    for one in months:
        total = MonthBought(
            _plus(total.invoiced, one.invoiced),
            _plus(total.credited, one.credited),
            total.collected_micros + one.collected_micros,
            total.recharged_micros + one.recharged_micros,
            total.refunded_micros + one.refunded_micros,
        )
    return total
