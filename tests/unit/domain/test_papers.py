"""Papers: what stands on a document, as it stood when the document was issued."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.audit import By
from billing.domain.billing_profiles import (
    BillingProfile,
    ProfileWanted,
    Series,
    profile_etag,
    profile_on,
    set_profile,
)
from billing.domain.documents import (
    CreditNote,
    DocumentNumbers,
    Invoice,
    Line,
    LineKind,
    Receipt,
)
from billing.domain.errors import ConflictError, InvalidInputError
from billing.domain.papers import TaxSum, paper_of, reference, tax_sums
from billing.domain.parties import Party
from billing.domain.records import AuditRecord
from builders import ACME, NOON, USD, an_account

SELLER = Party("Talktime Telecom GmbH", ("Friedrichstraße 68", "10117 Berlin"), "DE", "DE123")
BUYER = Party("Acme Rockets Ltd", ("1 Desert Road",), "US")
BY = By("acme-billing-admin", None)


def a_line(net: int, rate: int, name: str = "VAT", kind: LineKind = LineKind.PLAN) -> Line:
    tax = net * rate // 1_000_000
    return Line(kind, "x", "Growth", 1, net, net, name.lower(), name, rate, tax)


def wanted(**changes: object) -> ProfileWanted:
    return replace(ProfileWanted(BUYER, "de", "PO 7"), **changes)  # type: ignore[arg-type]


def the_profile(
    current: BillingProfile | None, numbers: DocumentNumbers, want: ProfileWanted | None = None
) -> BillingProfile:
    change = set_profile(
        an_account(), current, want or wanted(), numbers, profile_etag(current), BY, NOON
    )
    (profile,) = (one for one in change.records if isinstance(one, BillingProfile))
    return profile


def test_a_document_names_whom_the_profile_named_when_it_was_issued() -> None:
    first = the_profile(None, DocumentNumbers(ACME, 2, 0, 5))
    second = the_profile(first, DocumentNumbers(ACME, 4, 1, 5), wanted(language="fr"))
    profiles = [second, first]
    on = {number: profile_on(profiles, Series.INVOICES, number) for number in (2, 3, 4, 5)}
    assert on == {2: None, 3: first, 4: first, 5: second}
    assert profile_on(profiles, Series.CREDIT_NOTES, 1) is first
    assert profile_on(profiles, Series.CREDIT_NOTES, 2) is second
    # Both were set between two receipts: the later one stands on the next.
    assert profile_on(profiles, Series.RECEIPTS, 6) is second
    assert profile_on(profiles, Series.RECEIPTS, 5) is None


def test_a_profile_is_changed_by_whoever_has_seen_it_and_what_stood_is_kept() -> None:
    first = the_profile(None, DocumentNumbers(ACME))
    with pytest.raises(ConflictError):
        set_profile(
            an_account(), first, wanted(), DocumentNumbers(ACME), profile_etag(None), BY, NOON
        )
    change = set_profile(
        an_account(),
        first,
        wanted(purchase_order=""),
        DocumentNumbers(ACME),
        profile_etag(first),
        BY,
        NOON,
    )
    (record,) = (one for one in change.records if isinstance(one, AuditRecord))
    assert record.action == "billing_profile.set"
    assert record.before["purchase_order"] == "PO 7"
    assert record.after["purchase_order"] == ""
    assert not change.entries


@pytest.mark.parametrize(
    ("want", "field"),
    [
        pytest.param(wanted(party=Party()), "legal_name", id="no name"),
        pytest.param(wanted(party=Party("x" * 201)), "legal_name", id="an endless name"),
        pytest.param(wanted(party=Party("<b>Acme")), "legal_name", id="markup"),
        pytest.param(wanted(party=Party("A", ("",))), "address/0", id="an empty line"),
        pytest.param(wanted(party=Party("A", ("a\nb",))), "address/0", id="two lines in one"),
        pytest.param(wanted(party=Party("A", ("a",) * 7)), "address", id="too many lines"),
        pytest.param(wanted(party=Party("A", (), "de")), "country", id="a small country"),
        pytest.param(wanted(party=Party("A", (), "GER")), "country", id="three letters"),
        pytest.param(wanted(party=Party("A", (), "", "x" * 41)), "tax_id", id="an endless tax id"),
        pytest.param(wanted(language="german"), "language", id="no tag"),
        pytest.param(wanted(language="de_DE"), "language", id="an underscore"),
        pytest.param(wanted(purchase_order="x" * 101), "purchase_order", id="an endless order"),
    ],
)
def test_what_cannot_stand_on_a_document_is_refused(want: ProfileWanted, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        the_profile(None, DocumentNumbers(ACME), want)
    assert caught.value.field == field


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hant-TW", "es-419", "fil"])
def test_a_language_is_a_tag_with_or_without_script_and_region(language: str) -> None:
    assert the_profile(None, DocumentNumbers(ACME), wanted(language=language)).language == language


def test_no_two_documents_are_called_the_same() -> None:
    others = [replace(ACME, tenant_id="acme-main"), replace(ACME, account_id="main-000001")]
    names = {
        reference(ref, series, number)
        for ref in (ACME, *others)
        for series in Series
        for number in (1, 10**6, 10**8)
    }
    assert len(names) == 3 * 3 * 3
    assert reference(ACME, Series.INVOICES, 12) == "INV/acme/main/000012"


def test_taxes_are_summed_by_rate_with_what_is_not_taxed_last() -> None:
    untaxed = replace(a_line(5 * USD, 0), tax_code="", tax_name="", kind=LineKind.CHARGE)
    lines = [
        untaxed,
        a_line(10 * USD, 70_000),
        a_line(10 * USD, 200_000),
        a_line(-4 * USD, 200_000),
        a_line(1 * USD, 0, "Exempt"),
    ]
    assert tax_sums(lines) == (
        TaxSum("Exempt", 0, USD, 0),
        TaxSum("VAT", 200_000, 6 * USD, 1_200_000),
        TaxSum("VAT", 70_000, 10 * USD, 700_000),
        TaxSum("", 0, 5 * USD, 0),
    )


def test_an_invoice_has_two_prints_and_only_what_is_paid_differs() -> None:
    lines = (
        replace(a_line(USD, 0), starts_on=date(2026, 3, 5), ends_on=date(2026, 4, 1)),
        replace(a_line(USD, 0), starts_on=date(2026, 3, 1), ends_on=date(2026, 3, 20)),
        a_line(USD, 0),
    )
    # In New York it is still the 14th.
    issued = datetime(2026, 3, 15, 3, tzinfo=UTC)
    account = replace(an_account(), time_zone="America/New_York")
    invoice = Invoice(ACME, 3, "USD", lines, issued, "op")
    profile = the_profile(None, DocumentNumbers(ACME))
    still_open = paper_of(account, invoice, profile, SELLER)
    paid = paper_of(account, invoice.paid("op2", issued + timedelta(days=1), None), profile, SELLER)
    assert (still_open.name, paid.name) == (
        "acme/main/invoices/000003-open.pdf",
        "acme/main/invoices/000003-paid.pdf",
    )
    assert still_open.issued_on == date(2026, 3, 14)
    assert (still_open.starts_on, still_open.ends_on) == (date(2026, 3, 1), date(2026, 3, 31))
    assert replace(paid, is_paid=False, paid_on=None) == still_open
    assert paid.paid_on == date(2026, 3, 15)
    assert (paid.buyer, paid.seller, paid.language) == (BUYER, SELLER, "de")


def test_a_credit_note_and_a_receipt_refer_to_their_invoice() -> None:
    note = CreditNote(ACME, 1, 3, "USD", (a_line(-USD, 0),), NOON, "op", "Cold.")
    paper = paper_of(an_account(), note, None, SELLER)
    assert (paper.refers_to, paper.reason) == ("INV/acme/main/000003", "Cold.")
    assert paper.name == "acme/main/credit-notes/000001.pdf"
    # Without a profile there is somebody all the same.
    assert paper.buyer == Party("acme")
    receipt = Receipt(ACME, 2, "USD", 5 * USD, NOON, "op", "stripe", "pi_1", "Visa", 3)
    paid = paper_of(an_account(), receipt, None, SELLER)
    assert (paid.refers_to, paid.paid_with, paid.amount_micros) == (
        "INV/acme/main/000003",
        "Visa",
        5 * USD,
    )
    filled = paper_of(an_account(), replace(receipt, invoice=None), None, SELLER)
    assert filled.refers_to == ""
