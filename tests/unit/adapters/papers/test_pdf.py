# ruff: noqa: RUF001  # names and figures are in the scripts of their languages
"""Printed documents: the figures that were recorded, in the account's language, page after page."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from io import BytesIO

import pytest
from pypdf import PdfReader

from billing.adapters.papers.figures import Figures
from billing.adapters.papers.pdf import print_paper
from billing.adapters.papers.words import ENGLISH, FRENCH, GERMAN, SPANISH, Words
from billing.domain.billing_profiles import BillingProfile
from billing.domain.documents import CreditNote, Invoice, Line, LineKind, Receipt, tax_micros
from billing.domain.papers import Paper, paper_of
from billing.domain.parties import Party
from builders import ACME, USD, an_account

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
SELLER = Party("Talktime Telecom GmbH", ("Friedrichstraße 68", "10117 Berlin"), "DE", "DE123456789")
BUYER = Party("Acme Rockets Ltd", ("1 Desert Road",), "GB", "GB999999973")


def a_line(text: str, net: int, rate: int = 200_000, *, is_timed: bool = True) -> Line:
    timed = (date(2026, 3, 14), date(2026, 4, 14)) if is_timed else (None, None)
    tax = ("vat", "VAT", rate, tax_micros(net, rate, "EUR")) if rate else ("", "", 0, 0)
    return Line(LineKind.PLAN, "x", text, 1, net, net, *tax, *timed)


LINES = (
    a_line("Growth plan", 1_099 * USD),
    a_line("Unused part of Starter", -12_340_000),
    a_line("Handbook", 20 * USD, 70_000, is_timed=False),
    a_line("Training", 150 * USD, 0, is_timed=False),
)
INVOICE = Invoice(ACME, 12, "EUR", LINES, NOW, "op")


def a_paper(
    document: Invoice | CreditNote | Receipt = INVOICE,
    language: str = "en",
    buyer: Party = BUYER,
    purchase_order: str = "",
) -> Paper:
    profile = BillingProfile(ACME, 1, buyer, NOW, language, purchase_order)
    return paper_of(an_account(), document, profile, SELLER)


@cache
def pages(paper: Paper) -> list[str]:
    read = PdfReader(BytesIO(print_paper(paper))).pages
    return [" ".join(page.extract_text().split()).replace("\xa0", " ") for page in read]


def text_of(paper: Paper) -> str:
    return "\n".join(pages(paper))


def test_an_invoice_shows_who_what_and_how_much() -> None:
    text = text_of(a_paper(purchase_order="PO 4711"))
    for shown in (
        "Invoice",
        "INV/acme/main/000012",
        "Mar 14, 2026",
        "Talktime Telecom GmbH",
        "Tax ID DE123456789",
        "Germany",
        "Acme Rockets Ltd",
        "United Kingdom",
        "PO 4711",
        "Mar 14, 2026 – Apr 13, 2026",
        "Growth plan",
        "1,099.00",
        "-12.34",
        "Subtotal 1,256.66",
        "VAT 20 % on 1,086.66 217.33",
        "VAT 7 % on 20.00 1.40",
        "Not taxed: 150.00 0.00",
        "Total €1,475.39",
        "Open",
        "Page 1 of 1",
    ):
        assert shown in text, shown
    assert "Paid" not in text


def test_a_paid_invoice_says_when_it_was_paid() -> None:
    text = text_of(a_paper(INVOICE.paid("op2", NOW + timedelta(days=2), None)))
    assert "Paid on Mar 16, 2026" in text
    assert "Open" not in text
    assert "Due" not in text


def test_a_credit_note_refers_to_its_invoice_and_says_why() -> None:
    back = tuple(
        replace(one, amount_micros=-one.amount_micros, tax_micros=-one.tax_micros)
        for one in LINES[:1]
    )
    text = text_of(a_paper(CreditNote(ACME, 3, 12, "EUR", back, NOW, "op", "It did not work.")))
    for shown in (
        "Credit note",
        "CRN/acme/main/000003",
        "For invoice INV/acme/main/000012",
        "It did not work.",
        "-1,099.00",
        "Total credited €1,318.80",
    ):
        assert shown in text, shown


@pytest.mark.parametrize(
    ("receipt", "shown"),
    [
        pytest.param(
            Receipt(ACME, 7, "EUR", 50 * USD, NOW, "op", "stripe", "pi_3N", "Visa 4242"),
            ("Recharge of the balance", "Visa 4242", "stripe pi_3N", "€50.00"),
            id="a card filled the balance",
        ),
        pytest.param(
            Receipt(ACME, 7, "EUR", 50 * USD, NOW, "op", invoice=12),
            ("INV/acme/main/000012", "Paid with Balance"),
            id="the balance paid an invoice",
        ),
    ],
)
def test_a_receipt_says_what_was_received_and_what_for(
    receipt: Receipt, shown: tuple[str, ...]
) -> None:
    text = text_of(a_paper(receipt))
    assert "RCT/acme/main/000007" in text
    for one in shown:
        assert one in text, one


def test_equal_papers_are_equal_bytes() -> None:
    paper = a_paper(buyer=replace(BUYER, name="株式会社アクメ"))
    assert print_paper(paper) == print_paper(paper)
    made = PdfReader(BytesIO(print_paper(paper))).metadata
    assert made is not None
    assert made.creation_date == NOW


def test_two_hundred_lines_are_carried_from_page_to_page() -> None:
    lines = tuple(a_line(f"Number {n:03d}", (n % 7 - 1) * USD) for n in range(1, 201))
    paper = a_paper(replace(INVOICE, lines=lines))
    found = pages(paper)
    assert len(found) > 4
    carried = 0
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page
        if number > 1:
            assert f"Brought forward {carried}.00" in page
        carried += sum(one.amount_micros // USD for one in lines if f"{one.text} " in page)
        if number < len(found):
            assert f"Carried forward {carried}.00" in page
            assert "Subtotal" not in page
    assert f"Subtotal {carried}.00" in found[-1]
    assert sum(text_of(paper).count(one.text) for one in lines) == 200


@pytest.mark.parametrize("count", range(17, 22))
def test_the_totals_never_stand_alone_nor_below_the_sheet(count: int) -> None:
    lines = tuple(a_line(f"Number {n:03d}", USD) for n in range(count))
    last = pages(a_paper(replace(INVOICE, lines=lines)))[-1]
    assert f"Number {count - 1:03d}" in last
    assert "Total" in last


def test_an_invoice_that_comes_to_nothing_is_printed_too() -> None:
    text = text_of(a_paper(replace(INVOICE, lines=(a_line("Free", 0, 0),))))
    assert "Total €0.00" in text


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        pytest.param("de", ("Rechnung", "14.03.2026", "1.099,00", "1.475,39 €"), id="German"),
        pytest.param("de-CH", ("Rechnung", "1’099.00", "EUR"), id="German as in Switzerland"),
        pytest.param("fr", ("Facture", "14 mars 2026", "1 475,39 €"), id="French"),
        pytest.param("es", ("Factura", "14 mar 2026", "1.475,39 €"), id="Spanish"),
        pytest.param("hi", ("Invoice", "1,475.39"), id="Hindi, whose words we lack"),
        pytest.param("ja", ("Invoice", "2026/03/14", "日本"), id="Japanese"),
        pytest.param("tlh", ("Invoice", "Mar 14, 2026"), id="one that nobody knows"),
    ],
)
def test_figures_and_days_are_written_as_the_buyer_writes_them(
    language: str, shown: tuple[str, ...]
) -> None:
    text = text_of(a_paper(language=language, buyer=replace(BUYER, country="JP")))
    for one in shown:
        assert one in text, one


@pytest.mark.parametrize(
    "name",
    [
        "Łódź Żółć Sp. z o.o.",
        "Рога и копыта",
        "Ελληνική Εταιρεία",
        "株式会社アクメ",
        "北京科技有限公司",
        "주식회사",
    ],
)
def test_names_are_shown_in_their_own_script(name: str) -> None:
    text = text_of(a_paper(buyer=Party(name)))
    assert name in text
    assert "?" not in text


@pytest.mark.parametrize("name", ["एक्मे प्राइवेट", "شركة أكمي", "חברת אקמי", "บริษัท", "நிறுவனம்"])
def test_scripts_that_are_shaped_have_their_glyphs(name: str) -> None:
    # What a reader extracts of shaped text is not what was written; that nothing is missing is.
    assert "?" not in text_of(a_paper(buyer=Party(name)))


def test_what_no_font_has_is_a_question_mark() -> None:
    assert "Acme ?" in text_of(a_paper(buyer=Party("Acme 🚀")))


def test_text_is_text_and_no_instruction() -> None:
    name = r"(Acme) Tj /JavaScript << >> **bold** \) endstream {nb}"
    printed = print_paper(a_paper(buyer=Party(name)))
    assert b"/JavaScript" not in printed
    assert name in text_of(a_paper(buyer=Party(name)))


def test_a_long_name_without_a_space_is_broken_and_nothing_is_lost() -> None:
    name = "".join(chr(ord("a") + n % 26) for n in range(200))
    assert name in text_of(a_paper(buyer=Party(name))).replace(" ", "")


def test_amounts_have_the_decimals_of_their_currency_whatever_a_language_thinks() -> None:
    def written(currency: str, micros: int) -> str:
        return Figures("en", currency, lambda _: True).money(micros)

    # CLDR rounds Iraqi dinars and Afghanis to none.
    assert written("IQD", 1_234_000) == "IQD\xa01.234"
    assert written("AFN", 1_250_000).endswith("1.25")
    assert written("USD", 1_234_567_890_000) == "$1,234,567.89"
    assert written("USD", -500_000) == "-$0.50"


@pytest.mark.parametrize("words", [GERMAN, FRENCH, SPANISH])
def test_every_language_has_every_word(words: Words) -> None:
    assert words.keys() == ENGLISH.keys()
    for name, word in words.items():
        holes = [part.partition("}")[0] for part in word.split("{")[1:]]
        assert sorted(holes) == sorted(p.partition("}")[0] for p in ENGLISH[name].split("{")[1:])
