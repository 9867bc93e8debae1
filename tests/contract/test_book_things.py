"""Things, quotes and holds: what every book does with what stands beside an account."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.billing_profiles import BillingProfile
from billing.domain.covering import Cover, Destination
from billing.domain.documents import (
    CreditedLine,
    CreditNote,
    DocumentNumbers,
    Invoice,
    InvoiceState,
    Line,
    LineKind,
    Receipt,
)
from billing.domain.errors import ConflictError, StaleAccountError
from billing.domain.orders import Order, OrderState, Quote, Want, WantKind
from billing.domain.parties import Party
from billing.domain.records import Acceptance
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.selling import Interval
from billing.domain.subscription import (
    Contract,
    Dunning,
    NextPlan,
    OpenInvoice,
    Storage,
    Subscription,
    UnitCommitment,
    UnitItem,
    first_subscription,
)
from billing.domain.units import Direction, Unit
from billing.ports import AlreadyRecordedError
from builders import ACME, NOON, USD, a_credit, a_touch
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

LATER = NOON + timedelta(days=3)
LINE = Line(
    kind=LineKind.UNITS,
    what="crm",
    text="CRM seat ☎",
    quantity=3,
    unit_price_micros=25 * USD,
    amount_micros=-40 * USD,
    tax_code="vat",
    tax_name="VAT 20 %",
    tax_millionths=200_000,
    tax_micros=-8 * USD,
    starts_on=NOON.date(),
    ends_on=LATER.date(),
    is_up_front=True,
)
QUOTE = Quote(
    account=ACME,
    quote_id="quo_abc",
    wants=(
        Want(WantKind.PLAN, "growth", interval=Interval.YEAR),
        Want(WantKind.NUMBER, "local", 1, None, "+14155550100", ("voice", "sms"), False),
    ),
    lines=(LINE,),
    currency="USD",
    next_recurring_micros=7 * USD,
    next_recurring_at=LATER,
    quoted_at=NOON,
    expires_at=NOON + timedelta(minutes=30),
    subscription_revision=4,
    catalog_version=2,
    period_start_at=NOON,
    scheduled=("From then on: less.",),
)


def receipt(number: int, ref: AccountRef = ACME) -> Receipt:
    return Receipt(ref, number, "USD", number * USD, NOON, "cause")


def test_what_is_not_there_is_none(bed: Bed) -> None:
    opened(bed)
    assert bed.book.thing(ACME, Subscription) is None
    assert bed.book.thing(ACME, Quote, "quo_abc") is None
    assert bed.book.things(ACME, Receipt) == []
    assert bed.book.things(ACME, Receipt, before="") == []


def test_a_whole_subscription_comes_back_exactly(bed: Bed) -> None:
    account = opened(bed)
    whole = replace(
        first_subscription(account),
        interval=Interval.YEAR,
        units=(UnitItem("crm", 5, 4, 3), UnitItem("dialler", 1)),
        packages=(UnitItem("toll-free", 2, 2),),
        contract=Contract(NOON.date(), LATER.date(), (("crm", 3),), UnitCommitment.CONTRACT),
        next_plan=NextPlan("starter", 2, Interval.MONTH, NOON),
        pending=(LINE,),
        open_invoices=(OpenInvoice(1, 12 * USD, NOON, is_past_due=True),),
        collect_at=LATER,
        dunning=Dunning(NOON, 2, LATER, LATER, ("card-1", "card-2")),
        numbers_due_at=LATER,
        storage=Storage(10**12, NOON, 2, True),
        revision=9,
    )
    bed.commit(a_touch(account, "bought", records=(whole, DocumentNumbers(ACME, 1, 2, 3))))
    assert bed.book.thing(ACME, Subscription) == whole
    assert bed.book.thing(ACME, DocumentNumbers) == DocumentNumbers(ACME, 1, 2, 3)


def test_documents_and_who_stands_on_them_come_back_exactly(bed: Bed) -> None:
    account = opened(bed)
    profile = BillingProfile(
        ACME,
        1,
        Party("Acmé 株式会社", ("1 Road", "2 Town"), "JP", "T1"),
        NOON,
        "ja",
        "PO 7",
        (1, 2, 3),
    )
    invoice = Invoice(
        account=ACME,
        number=1,
        currency="USD",
        lines=(LINE, replace(LINE, starts_on=None, ends_on=None)),
        issued_at=NOON,
        cause="op",
        state=InvoiceState.PAID,
        period_starts_on=NOON.date(),
        paid_at=LATER,
        paid_by="op2",
        payment=("stripe", "pi_1"),
        credited_micros=2 * USD,
        credited_lines=(CreditedLine(1, USD, USD),),
        credit_notes=(1,),
    )
    note = CreditNote(ACME, 1, 1, "USD", (LINE,), NOON, "op3", "Cold.", (1,))
    bed.commit(a_touch(account, "issued", records=(profile, invoice, note)))
    assert bed.book.things(ACME, BillingProfile, before="") == [profile]
    assert bed.book.thing(ACME, Invoice, invoice.thing_name) == invoice
    assert bed.book.thing(ACME, CreditNote, note.thing_name) == note


def test_a_quote_is_kept_beside_the_account_and_once(bed: Bed) -> None:
    account = opened(bed)
    bed.quotes.save(QUOTE)
    assert bed.book.thing(ACME, Quote, "quo_abc") == QUOTE
    assert bed.book.account(ACME) == account
    before = bed.contents()
    with pytest.raises(ConflictError):
        bed.quotes.save(replace(QUOTE, currency="EUR"))
    assert bed.contents() == before
    assert bed.book.thing(AccountRef("globex", "main"), Quote, "quo_abc") is None


def test_an_order_comes_back_with_its_quote_and_is_replaced_by_what_becomes_of_it(
    bed: Bed,
) -> None:
    account = opened(bed)
    by = By("sub", Acceptance("Wile", "Coyote", "2026-01"))
    order = Order(
        ACME, "ord_1", QUOTE, OrderState.PENDING, NOON, by.actor, by.acceptance, recharge=1
    )
    account = bed.commit(a_touch(account, "placed", records=(order,)))
    assert bed.book.thing(ACME, Order, "ord_1") == order
    failed = replace(order, state=OrderState.FAILED, settled_at=LATER, failure_code="quote_stale")
    bed.commit(a_touch(account, "failed", records=(failed,)))
    assert bed.book.things(ACME, Order) == [failed]


def test_things_are_read_by_name_forwards_and_back_from_any_place(bed: Bed) -> None:
    account = opened(bed)
    all_of_them = [receipt(number) for number in (1, 2, 9, 10, 11)]
    account = bed.commit(a_touch(account, "paid", records=tuple(all_of_them)))
    read = bed.book.things
    assert read(ACME, Receipt) == all_of_them
    assert read(ACME, Receipt, limit=2) == all_of_them[:2]
    backwards = all_of_them[::-1]
    assert read(ACME, Receipt, before="") == backwards
    assert read(ACME, Receipt, before="", limit=2) == backwards[:2]
    assert read(ACME, Receipt, before=all_of_them[3].thing_name, limit=2) == backwards[2:4]
    assert read(ACME, Receipt, before="000000005") == backwards[3:]
    assert read(ACME, Receipt, before=all_of_them[0].thing_name) == []
    assert read(ACME, Receipt, "00000001") == all_of_them[3:]
    assert read(ACME, Receipt, "00000000", before="000000010") == backwards[2:]
    assert read(AccountRef("globex", "main"), Receipt) == []


def test_kinds_whose_names_begin_alike_are_kept_apart(bed: Bed) -> None:
    account = opened(bed)
    odd = replace(QUOTE, quote_id="a#b%23")
    records = (odd, receipt(1), first_subscription(account))
    bed.commit(a_touch(account, "mixed", records=records))
    assert bed.book.things(ACME, Quote) == [odd]
    assert bed.book.thing(ACME, Quote, "a#b%23") == odd
    assert bed.book.things(ACME, Receipt) == [receipt(1)]


CALL = Reservation(
    reservation_id=reservation_id(ACME, "call"),
    call_id="call",
    destination=Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100"),
    cover=Cover(600, 8 * USD),
    reserved_at=NOON,
    expires_at=LATER,
)


def test_a_debit_moves_the_holds_on_without_changing_them(bed: Bed) -> None:
    account = opened(bed)
    account = bed.commit(a_touch(account, "first", holds=bed.reservations.holds(ACME)))
    assert bed.reservations.holds(ACME) == Holds(ACME, 1)
    bed.reservations.save(Holds(ACME, 2, (CALL,)), 1)
    bed.commit(a_touch(account, "second", holds=bed.reservations.holds(ACME)))
    assert bed.reservations.holds(ACME) == Holds(ACME, 3, (CALL,))


@pytest.mark.parametrize("seen", [0, 1])
def test_an_authorisation_that_was_faster_makes_a_debit_decide_again(bed: Bed, seen: int) -> None:
    account = bed.commit(a_credit(opened(bed), 10 * USD, "fill"))
    if seen:
        bed.reservations.save(Holds(ACME, 1), 0)
    holds = bed.reservations.holds(ACME)
    bed.reservations.save(Holds(ACME, seen + 1, (CALL,)), seen)
    before = bed.contents()
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_touch(account, "debit", holds=holds))
    assert bed.contents() == before
    assert bed.reservations.holds(ACME) == Holds(ACME, seen + 1, (CALL,))


def test_a_debit_that_was_faster_makes_an_authorisation_decide_again(bed: Bed) -> None:
    account = opened(bed)
    seen = bed.reservations.holds(ACME)
    bed.commit(a_touch(account, "debit", holds=seen))
    with pytest.raises(ConflictError):
        bed.reservations.save(Holds(ACME, 1, (CALL,)), seen.version)
    assert bed.reservations.holds(ACME) == Holds(ACME, 1)


def test_a_debit_again_is_recorded_whatever_was_set_aside_since(bed: Bed) -> None:
    account = opened(bed)
    debit = a_touch(account, "debit", holds=bed.reservations.holds(ACME))
    bed.commit(debit)
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(debit)
    assert bed.reservations.holds(ACME).version == 1


def test_a_stale_account_leaves_the_holds_alone(bed: Bed) -> None:
    account = opened(bed)
    bed.commit(a_touch(account, "faster"))
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_touch(account, "debit", holds=bed.reservations.holds(ACME)))
    assert bed.reservations.holds(ACME) == Holds(ACME)
