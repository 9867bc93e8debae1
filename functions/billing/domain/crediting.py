"""Crediting: part of a paid invoice is taken back, on paper and in the wallet.

What is credited is money the tenant may spend; giving it back beyond the wallet is a refund of the
payment it came by.

Source of the rules: docs/documents.md, "Credit notes".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.documents import CreditedLine, CreditNote, DocumentNumbers, Invoice, Line, sums
from billing.domain.effects import Effect
from billing.domain.errors import ExceedsInvoiceError, InvalidInputError
from billing.domain.money import Money, minor_unit_micros, minor_units
from billing.domain.records import Event, EventType
from billing.domain.selling_entries import book_sale

MAX_REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Part:
    """What a credit note gives back of one line of an invoice.

    Args:
        place: Which line, from 0.
        line: With the opposite sign of the invoice's.
    """

    place: int
    line: Line


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody wants to give back of one line.

    Args:
        place: Which line, from 0.
        amount_micros: Net; None: all that is left of it.
    """

    place: int
    amount_micros: int | None = None


def left_of(invoice: Invoice, place: int) -> Part:
    """All of a line that has not been credited; its amount is zero where nothing is left."""
    line, credited = invoice.lines[place], invoice.credited_of(place)
    return Part(
        place,
        replace(
            line,
            amount_micros=credited.amount_micros - line.amount_micros,
            tax_micros=credited.tax_micros - line.tax_micros,
        ),
    )


def part_of(invoice: Invoice, place: int, amount_micros: int) -> Part:
    """So much of a line, with the tax that goes with it.

    Tax is credited by the difference of running totals, so the parts of a line, however it is
    taken apart, give back its tax to the minor unit once all of it is credited.

    Args:
        amount_micros: Net; positive, whole minor units, and not more than is left.
    """
    line, credited = invoice.lines[place], invoice.credited_of(place)
    so_far = credited.amount_micros + amount_micros
    unit = minor_unit_micros(invoice.currency)
    # Halves away from zero, as the line's own tax; nothing here is negative.
    share = (2 * line.tax_micros * so_far + line.amount_micros * unit) // (
        2 * line.amount_micros * unit
    )
    tax = share * unit - credited.tax_micros
    return Part(place, replace(line, amount_micros=-amount_micros, tax_micros=-tax))


def parts(invoice: Invoice, given: Sequence[Given]) -> tuple[Part, ...]:
    """What is asked for, checked against the invoice.

    Args:
        given: None: all that is left of every line.

    Raises:
        InvalidInputError: There is no such line, or it is named twice; an amount that is not
            positive, no whole number of minor units, or of a line that gives back itself.
        ExceedsInvoiceError: More than is left of a line.
    """
    wanted = given or [Given(place) for place in range(len(invoice.lines))]
    seen: set[int] = set()
    found: list[Part] = []
    for index, one in enumerate(wanted):
        at = f"lines/{index}"
        if not 0 <= one.place < len(invoice.lines):
            raise InvalidInputError("the invoice has no such line", field=f"{at}/line")
        if one.place in seen:
            raise InvalidInputError("a line is named once", field=f"{at}/line")
        seen.add(one.place)
        found.append(_part(invoice, one, f"{at}/amount"))
    return tuple(one for one in found if one.line.amount_micros or one.line.tax_micros)


def _part(invoice: Invoice, given: Given, at: str) -> Part:
    rest = left_of(invoice, given.place)
    if given.amount_micros is None:
        return rest
    if invoice.lines[given.place].amount_micros <= 0:
        raise InvalidInputError("of a line that gives back, take all or nothing", field=at)
    if given.amount_micros <= 0:
        raise InvalidInputError("an amount is positive", field=at)
    try:
        minor_units(given.amount_micros, invoice.currency)
    except InvalidInputError as error:
        raise InvalidInputError(error.detail, field=at) from error
    left_micros = -rest.line.amount_micros
    if given.amount_micros > left_micros:
        left = Money(left_micros, invoice.currency)
        raise ExceedsInvoiceError(f"{left} of this line are not credited yet", field=at)
    return part_of(invoice, given.place, given.amount_micros)


def credit(
    account: Account,
    numbers: DocumentNumbers,
    invoice: Invoice,
    taken: Iterable[Part],
    reason: str,
    cause: str,
    now: datetime,
) -> Effect:
    """Write a credit note, and put what it comes to into the wallet.

    Args:
        invoice: Paid.
        taken: From ``parts`` or ``left_of``; they come to less than zero.
        reason: For the customer, on one line.
        cause: The operation that credits.
        now: Aware UTC.

    Raises:
        InvalidInputError: The reason is blank, or not on one line; the parts give nothing back.
        ExceedsInvoiceError: More than was paid and has not been credited.
    """
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise InvalidInputError(
            f"reason is 1 to {MAX_REASON_LENGTH} characters on one line", field="reason"
        )
    taken = tuple(taken)
    lines = tuple(one.line for one in taken)
    given_micros = -sums(lines).total_micros
    if given_micros > invoice.creditable_micros:
        left = Money(invoice.creditable_micros, invoice.currency)
        raise ExceedsInvoiceError(
            f"{left} of this invoice were paid and are not credited yet", field="lines"
        )
    if given_micros <= 0:
        raise InvalidInputError("a credit note gives something back", field="lines")
    number = numbers.credit_notes + 1
    note = CreditNote(
        account=account.ref,
        number=number,
        invoice=invoice.number,
        currency=invoice.currency,
        lines=lines,
        issued_at=now,
        cause=cause,
        reason=reason.strip(),
        of_lines=tuple(one.place for one in taken),
    )
    credited, entries = book_sale(account, lines, cause, now)
    kept = replace(
        invoice,
        credited_micros=invoice.credited_micros + given_micros,
        credited_lines=_credited(invoice, taken),
        credit_notes=(*invoice.credit_notes, number),
    )
    event = Event(
        event_id=f"{cause}/{EventType.CREDIT_NOTE_ISSUED}",
        type=EventType.CREDIT_NOTE_ISSUED,
        account=account.ref,
        occurred_at=now,
        data=_told(note, given_micros),
    )
    return Effect(
        credited,
        entries=entries,
        records=(replace(numbers, credit_notes=number), note, kept),
        events=(event,),
    )


def _credited(invoice: Invoice, taken: Sequence[Part]) -> tuple[CreditedLine, ...]:
    """What credit notes, this one too, have given back of each line."""
    after = {one.place: one for one in invoice.credited_lines}
    for one in taken:
        before = invoice.credited_of(one.place)
        after[one.place] = CreditedLine(
            one.place,
            before.amount_micros - one.line.amount_micros,
            before.tax_micros - one.line.tax_micros,
        )
    return tuple(after[place] for place in sorted(after))


def _told(note: CreditNote, given_micros: int) -> dict[str, Json]:
    money = Money(given_micros, note.currency)
    return {
        "credit_note": note.number,
        "invoice": note.invoice,
        "reason": note.reason,
        "amount": {"amount": money.amount, "currency": money.currency},
    }
