"""Crediting: never more than was paid, of no line more than it came to, and its tax to the cent."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.crediting import Given, Part, credit, left_of, part_of, parts
from billing.domain.documents import (
    CreditNote,
    DocumentNumbers,
    Invoice,
    InvoiceState,
    Line,
    LineKind,
    tax_micros,
)
from billing.domain.errors import ExceedsInvoiceError, InvalidInputError
from billing.domain.ledger import WALLET, EntryKind
from builders import ACME, NOON, USD, an_account

CENT = 10_000
NUMBERS = DocumentNumbers(ACME, invoices=1)


def a_line(micros: int, rate: int = 200_000) -> Line:
    return Line(
        LineKind.CHARGE,
        "charge",
        "Training",
        1,
        micros,
        micros,
        "vat" if rate else "",
        "VAT" if rate else "",
        rate,
        tax_micros(micros, rate, "USD"),
    )


def an_invoice(*lines: Line, state: InvoiceState = InvoiceState.PAID) -> Invoice:
    return Invoice(ACME, 1, "USD", lines, NOON, "op", state, paid_at=NOON)


def credited(invoice: Invoice, taken: tuple[Part, ...], cause: str = "c") -> Invoice:
    effect = credit(an_account(), NUMBERS, invoice, taken, "It did not work.", cause, NOON)
    (kept,) = (one for one in effect.records if isinstance(one, Invoice))
    return kept


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 100_000), st.integers(0, 1_000_000), st.lists(st.integers(1, 20_000), max_size=6)
)
def test_the_parts_of_a_line_give_back_its_tax_to_the_cent_once_all_is_credited(
    cents: int, rate: int, wanted: list[int]
) -> None:
    line = a_line(cents * CENT, rate)
    invoice = an_invoice(line)
    for number, part in enumerate(wanted):
        left = -left_of(invoice, 0).line.amount_micros
        if part * CENT >= left:
            break
        taken = part_of(invoice, 0, part * CENT)
        assert taken.line.tax_micros <= 0
        assert taken.line.tax_micros % CENT == 0
        invoice = credited(invoice, (taken,), str(number))
    invoice = credited(invoice, parts(invoice, ()), "rest")
    assert invoice.credited_of(0).amount_micros == line.amount_micros
    assert invoice.credited_of(0).tax_micros == line.tax_micros
    assert invoice.creditable_micros == 0


def test_a_part_that_is_the_whole_is_the_whole() -> None:
    invoice = an_invoice(a_line(33 * CENT, 88_750))
    assert part_of(invoice, 0, 33 * CENT) == left_of(invoice, 0)


def test_a_credit_note_names_its_invoice_and_the_money_is_in_the_wallet() -> None:
    invoice = an_invoice(a_line(10 * USD), a_line(5 * USD, 0))
    taken = parts(invoice, [Given(0, 4 * USD), Given(1)])
    effect = credit(an_account(), NUMBERS, invoice, taken, " Cold coffee ", "c", NOON)
    assert effect.account.wallet_micros == an_account().wallet_micros + 9 * USD + 800_000
    assert {one.kind for one in effect.entries} == {EntryKind.CREDIT}
    assert {one.credit for one in effect.entries} == {WALLET}
    (note,) = (one for one in effect.records if isinstance(one, CreditNote))
    assert (note.number, note.invoice, note.of_lines) == (1, 1, (0, 1))
    assert note.reason == "Cold coffee"
    assert note.sums.total_micros == -(9 * USD + 800_000)
    assert replace(NUMBERS, credit_notes=1) in effect.records
    assert [one.type for one in effect.events] == ["credit_note.issued"]


def test_what_is_credited_once_is_not_credited_again() -> None:
    invoice = an_invoice(a_line(10 * USD))
    half = credited(invoice, parts(invoice, [Given(0, 6 * USD)]))
    assert half.credited_micros == 7_200_000
    with pytest.raises(ExceedsInvoiceError, match=r"4\.00 USD of this line") as caught:
        parts(half, [Given(0, 4 * USD + CENT)])
    assert caught.value.field == "lines/0/amount"
    whole = credited(half, parts(half, [Given(0, 4 * USD)]), "c2")
    assert whole.credit_notes == (1, 1)
    for again in ((), [Given(0)]):
        with pytest.raises(InvalidInputError, match="gives something back"):
            credited(whole, parts(whole, again))


def test_an_invoice_that_is_not_paid_is_not_credited() -> None:
    invoice = an_invoice(a_line(10 * USD), state=InvoiceState.OPEN)
    with pytest.raises(ExceedsInvoiceError, match=r"0\.00 USD"):
        credited(invoice, parts(invoice, ()))


def test_no_more_is_credited_than_the_invoice_came_to_where_a_line_gave_back() -> None:
    invoice = an_invoice(a_line(10 * USD, 0), a_line(-3 * USD, 0))
    with pytest.raises(ExceedsInvoiceError, match=r"7\.00 USD"):
        credited(invoice, parts(invoice, [Given(0)]))
    assert credited(invoice, parts(invoice, ())).credited_micros == 7 * USD
    with pytest.raises(InvalidInputError, match="gives something back"):
        credited(invoice, parts(invoice, [Given(1)]))


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        pytest.param([Given(2)], "lines/0/line", id="there is no such line"),
        pytest.param([Given(-1)], "lines/0/line", id="lines are not counted from the end"),
        pytest.param([Given(0), Given(0, CENT)], "lines/1/line", id="a line is named once"),
        pytest.param([Given(0, 0)], "lines/0/amount", id="nothing is no amount"),
        pytest.param([Given(0, -CENT)], "lines/0/amount", id="nor is less"),
        pytest.param([Given(0, CENT + 1)], "lines/0/amount", id="a cent is not split"),
        pytest.param([Given(1, CENT)], "lines/0/amount", id="a line that gave back is not split"),
    ],
)
def test_what_cannot_be_credited_is_named(given_: list[Given], field: str) -> None:
    invoice = an_invoice(a_line(10 * USD), a_line(-USD))
    with pytest.raises(InvalidInputError) as caught:
        parts(invoice, given_)
    assert caught.value.field == field


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_a_reason_is_one_line_that_a_customer_can_read(reason: str) -> None:
    invoice = an_invoice(a_line(10 * USD))
    with pytest.raises(InvalidInputError) as caught:
        credit(an_account(), NUMBERS, invoice, parts(invoice, ()), reason, "c", NOON)
    assert caught.value.field == "reason"
