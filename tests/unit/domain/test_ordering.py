"""Orders: exactly the quote, to the cent, or nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import placing
from billing.domain.catalog import Catalog
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import DocumentNumbers, Invoice, InvoiceState, LineKind, Receipt
from billing.domain.effects import Effect
from billing.domain.errors import QuoteExpiredError, QuoteStaleError, TalktimeError
from billing.domain.ledger import WALLET, EntryKind, prove
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState, Quote, Want, WantKind
from billing.domain.periods import local_day, start_of_day
from billing.domain.records import EventType
from billing.domain.selling import DowngradePolicy, Interval, RecurringPrice
from billing.domain.selling_entries import book_sale
from billing.domain.subscription import Contract, Subscription
from billing.domain.turning import begin_next_period
from builders import USD
from catalogs import GROWTH, STARTER, a_catalog, price
from purchases import (
    MARCH,
    Customer,
    account_of,
    bundle,
    number,
    package,
    plan,
    product,
    units,
)

MID_MARCH = MARCH + timedelta(days=16)
SOME = settings(max_examples=100, deadline=None)
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]

LARGE = replace(GROWTH, plan_id="large", name="Large", price=RecurringPrice(price(300, 270)))


def sold() -> Catalog:
    return a_catalog(plans=(STARTER, GROWTH, LARGE), downgrade=DowngradePolicy.PERIOD_END)


wishes = st.one_of(
    st.builds(plan, st.sampled_from(["starter", "growth", "large"]), st.sampled_from(Interval)),
    st.builds(units, st.sampled_from(["dialler", "qa", "crm"]), st.integers(0, 40)),
    st.builds(package, st.sampled_from(["toll-free-500", "domestic"]), st.integers(0, 2)),
    st.builds(bundle, st.sampled_from(["minutes-300", "uk-100"]), st.integers(1, 3)),
    st.builds(product, st.just("training"), st.integers(1, 2)),
)

wish_lists = st.lists(
    wishes,
    min_size=1,
    max_size=4,
    unique_by=lambda one: (one.kind, "" if one.kind is WantKind.PLAN else one.what),
)


@st.composite
def customers(draw: st.DrawFn) -> tuple[Customer, datetime]:
    """Customers somewhere in a term of theirs, with something bought already."""
    opened_at = datetime(2010, 1, 1, tzinfo=UTC) + draw(
        st.timedeltas(timedelta(0), timedelta(days=20 * 365))
    )
    customer = Customer(
        draw(st.sampled_from(["starter", "growth"])),
        sold(),
        opened_at,
        time_zone=draw(st.sampled_from(ZONES)),
        billing_day=draw(st.sampled_from([1, 15, 29, 30, 31])),
    )
    buys(customer, draw(st.lists(wishes, max_size=3)), opened_at)
    for _ in range(draw(st.integers(0, 3))):
        customer.renews()
    period = customer.account.period
    now = period.start_at + (period.end_at - period.start_at) * draw(st.floats(0, 0.999))
    return customer, max(now, opened_at)


def buys(customer: Customer, wants: list[Want], at: datetime) -> None:
    for want in wants:
        try:
            customer.order(want, at=at)
        except TalktimeError:
            continue


def booked_micros(effect: Effect) -> int:
    """What its entries take from the wallet."""
    return -sum(one.wallet_change_micros for one in effect.entries)


@SOME
@given(customers(), wish_lists, st.integers(0, 29 * 60))
def test_quoting_and_then_ordering_charges_the_quote_to_the_cent(
    placed: tuple[Customer, datetime], wants: list[Want], seconds: int
) -> None:
    customer, now = placed
    try:
        quote = customer.quote(*wants, at=now)
    except TalktimeError:
        return
    assert quote.sums.total_micros >= 0
    assert quote.sums.total_micros % 10_000 == 0
    later = min(now + timedelta(seconds=seconds), quote.expires_at - timedelta(seconds=1))
    effect = customer.delivery(quote, max(now, later))
    assert booked_micros(effect) == quote.sums.total_micros
    before = customer.account.wallet_micros
    assert before - effect.account.wallet_micros == quote.sums.total_micros
    assert all(one.amount_micros > 0 for one in effect.entries)
    papers = [one for one in effect.records if isinstance(one, Invoice)]
    assert [one.lines for one in papers] == ([quote.lines] if quote.lines else [])
    customer.takes(effect)
    assert sum(one.amount_micros for one in customer.renews()) >= 0


@SOME
@given(customers(), wish_lists)
def test_what_was_ordered_is_held_and_ordering_it_again_changes_nothing_that_lasts(
    placed: tuple[Customer, datetime], wants: list[Want]
) -> None:
    customer, now = placed
    lasting = [one for one in wants if one.kind.value in ("plan", "units", "package")]
    try:
        quote = customer.quote(*lasting, at=now)
        customer.takes(customer.delivery(quote, now))
    except TalktimeError:
        return
    with pytest.raises(TalktimeError):
        customer.quote(*lasting, at=now)
    # What the quote said of the next renewal is what is billed then.
    while customer.subscription.term.end_at != customer.account.period.end_at:
        customer.renews()
    total = sum(one.amount_micros + one.tax_micros for one in customer.renews())
    assert total == quote.next_recurring_micros


@SOME
@given(customers(), wish_lists, st.floats(0, 0.999))
def test_a_change_that_moves_by_zero_days_costs_the_same(
    placed: tuple[Customer, datetime], wants: list[Want], part: float
) -> None:
    customer, now = placed
    zone = customer.account.time_zone
    today = local_day(now, zone)
    end_at = start_of_day(today + timedelta(days=1), zone)
    later = now + (end_at - now) * part
    if local_day(later, zone) != today:
        return  # The last minutes of a day may come twice.
    try:
        lines = customer.quote(*wants, at=now).lines
    except TalktimeError:
        return
    assert customer.quote(*wants, at=later).lines == lines


@SOME
@given(customers(), wishes)
def test_what_was_to_be_reduced_and_is_kept_after_all_costs_nothing(
    placed: tuple[Customer, datetime], wish: Want
) -> None:
    customer, now = placed
    if wish.kind not in (WantKind.UNITS, WantKind.PACKAGE):
        return
    buys(customer, [wish], now)
    spent = customer.spent_micros
    buys(customer, [replace(wish, quantity=0), wish], now)
    assert customer.spent_micros == spent


# What is booked and written


def test_every_kind_of_line_has_a_revenue_account_and_every_tax_its_own() -> None:
    customer = Customer()
    quote = customer.quote(
        units("dialler", 3), package("toll-free-500"), product("training"), at=MID_MARCH
    )
    effect = customer.delivery(quote, MID_MARCH)
    assert {one.credit: one.amount_micros for one in effect.entries} == {
        "revenue:units": 19_350_000,
        "revenue:package": 9_680_000,
        "revenue:product": 500 * USD,
        "tax:vat": 5_810_000,
        "tax:services": 44_380_000,
    }
    assert {(one.kind, one.debit, one.cause) for one in effect.entries} == {
        (EntryKind.SALE, WALLET, "order/1")
    }


def test_what_gives_back_is_netted_with_its_kind_and_never_negative() -> None:
    customer = Customer("growth", sold())
    customer.joins("crm", MARCH, 3)
    quote = customer.quote(plan("large"), at=MID_MARCH)
    assert min(one.amount_micros for one in quote.lines) < 0
    entries = customer.delivery(quote, MID_MARCH).entries
    assert {one.credit for one in entries} == {"revenue:plan", "tax:vat"}
    # Where a kind gives back more than it charges, its entry is a credit, and comes first.
    kinds = {True: LineKind.UNITS, False: LineKind.PLAN}
    back = [replace(one, kind=kinds[one.amount_micros < 0]) for one in quote.lines]
    account, entries = book_sale(customer.account, back, "cause", MID_MARCH)
    assert [(one.kind, one.debit, one.credit) for one in entries[:1]] == [
        (EntryKind.CREDIT, "revenue:units", WALLET)
    ]
    assert customer.account.wallet_micros - account.wallet_micros == quote.sums.total_micros


def test_the_wallet_pays_an_invoice_and_gets_a_receipt() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    effect = customer.delivery(quote, MID_MARCH)
    (invoice,) = (one for one in effect.records if isinstance(one, Invoice))
    (receipt,) = (one for one in effect.records if isinstance(one, Receipt))
    (order,) = (one for one in effect.records if isinstance(one, Order))
    (numbers,) = (one for one in effect.records if isinstance(one, DocumentNumbers))
    assert invoice.state is InvoiceState.PAID
    assert (invoice.paid_by, invoice.payment, invoice.paid_at) == ("order/1", None, MID_MARCH)
    assert (receipt.amount_micros, receipt.invoice, receipt.gateway) == (23_220_000, 1, "")
    assert (order.state, order.invoice, order.settled_at) == (OrderState.DELIVERED, 1, MID_MARCH)
    assert (numbers.invoices, numbers.receipts) == (1, 1)
    assert [one.type for one in effect.events] == [
        EventType.SUBSCRIPTION_CHANGED,
        EventType.INVOICE_ISSUED,
        EventType.INVOICE_PAID,
    ]


def test_a_payment_is_named_by_the_invoice_and_the_receipt() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    effect = customer.delivery(
        quote, MID_MARCH, paid_by=("stripe", "pi_1"), source_label="Visa 4242"
    )
    (invoice,) = (one for one in effect.records if isinstance(one, Invoice))
    (receipt,) = (one for one in effect.records if isinstance(one, Receipt))
    assert invoice.payment == ("stripe", "pi_1")
    assert (receipt.gateway, receipt.payment_id, receipt.source_label) == (
        "stripe",
        "pi_1",
        "Visa 4242",
    )


def test_what_costs_nothing_is_delivered_without_papers() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 2), at=MID_MARCH)
    effect = customer.delivery(quote, MID_MARCH)
    assert effect.entries == ()
    (order,) = (one for one in effect.records if isinstance(one, Order))
    assert (order.state, order.invoice) == (OrderState.DELIVERED, None)
    assert {type(one) for one in effect.records} == {Subscription, Order}


def test_numbers_wait_for_the_carrier_which_is_told_once() -> None:
    customer = Customer()
    wants = (number("+14155550100"), number("+14155550101", auto_pay=False))
    quote = customer.quote(*wants, at=MID_MARCH)
    effect = customer.delivery(quote, MID_MARCH)
    ordered_ones = [one for one in effect.records if isinstance(one, PhoneNumber)]
    assert [(one.e164, one.state, one.is_auto_pay) for one in ordered_ones] == [
        ("+14155550100", NumberState.PENDING, True),
        ("+14155550101", NumberState.PENDING, False),
    ]
    assert {(one.invoice, one.catalog_version, one.paid_until) for one in ordered_ones} == {
        (1, 1, None)
    }
    (told,) = (one for one in effect.events if one.type is EventType.NUMBER_ORDERED)
    assert [one["number"] for one in told.data["numbers"]] == ["+14155550100", "+14155550101"]  # type: ignore[union-attr,index,call-overload]
    assert effect.numbers_claimed == ("+14155550100", "+14155550101")


def test_an_order_that_waits_for_its_payment_claims_its_numbers_and_gives_them_up() -> None:
    customer = Customer()
    quote = customer.quote(number("+14155550100"), at=MID_MARCH)
    waiting = customer.placed(quote, MID_MARCH, recharge=7)
    assert customer.delivered(waiting, MID_MARCH).numbers_claimed == ()
    assert placing.unpaid(customer.account, waiting, MID_MARCH).numbers_freed == ("+14155550100",)
    customer.order(product("training"), at=MID_MARCH)
    late = placing.paid(
        customer.account, waiting, lambda _: customer.delivered(waiting, MID_MARCH), MID_MARCH
    )
    assert (late.is_refused, late.numbers_freed) == (True, ("+14155550100",))


def test_what_is_delivered_is_one_change_that_the_ledger_proves() -> None:
    customer = Customer()
    before, recharged = customer.account, customer.recharged
    quote = customer.quote(bundle("minutes-300"), plan("growth", Interval.YEAR), at=MID_MARCH)
    effect = customer.delivery(quote, MID_MARCH)
    operation = step(before, "order/1", [], MID_MARCH)
    change = effect_change(before, effect, operation=operation, now=MID_MARCH)
    assert change.after.wallet_micros == before.wallet_micros - quote.sums.total_micros
    assert prove(change.after, (recharged, *change.entries)).is_sound


# What is refused


def test_a_quote_can_be_ordered_until_it_expires() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    assert customer.delivery(quote, quote.expires_at - timedelta(microseconds=1))
    with pytest.raises(QuoteExpiredError):
        customer.delivery(quote, quote.expires_at)


def ordered(customer: Customer) -> None:
    customer.order(product("training"), at=MID_MARCH)


def joined(customer: Customer) -> None:
    customer.joins("crm", MID_MARCH)


def published(customer: Customer) -> None:
    customer.publishes()


def turned(customer: Customer) -> None:
    account_of(customer, period=begin_next_period(customer.account).period)


@pytest.mark.parametrize("happens", [ordered, joined, published, turned])
def test_a_quote_is_stale_once_what_it_was_computed_from_has_changed(
    happens: Callable[[Customer], None],
) -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    happens(customer)
    with pytest.raises(QuoteStaleError):
        customer.delivery(quote, MID_MARCH)


def test_an_expired_quote_is_called_so_even_where_it_is_stale() -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    customer.publishes()
    with pytest.raises(QuoteExpiredError):
        customer.delivery(quote, quote.expires_at)


def test_usage_in_between_spoils_no_quote() -> None:
    customer = Customer()
    quote = customer.quote(bundle("minutes-300"), at=MID_MARCH)
    used = tuple(replace(lot, remaining=lot.remaining - 7) for lot in customer.account.grants)
    account_of(customer, grants=used, version=99)
    assert customer.delivery(quote, MID_MARCH).entries


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"lines": ()}, id="another price"),
        pytest.param({"wants": (units("dialler", 300),)}, id="another wish"),
    ],
)
def test_nothing_is_delivered_that_was_not_quoted(changes: dict[str, object]) -> None:
    customer = Customer()
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    forged: Quote = replace(quote, **changes)  # type: ignore[arg-type]
    with pytest.raises(QuoteStaleError):
        customer.delivery(forged, MID_MARCH)


def test_what_became_impossible_without_a_new_revision_is_stale_too() -> None:
    customer = Customer()
    customer.order(units("dialler", 9), at=MARCH)
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    agreed = Contract(date(2026, 3, 1), date(2027, 3, 1), (("dialler", 5),))
    customer.subscription = replace(customer.subscription, contract=agreed)
    with pytest.raises(QuoteStaleError, match="at least 5"):
        customer.delivery(quote, MID_MARCH)


def test_a_quote_of_yesterday_is_delivered_at_yesterdays_price() -> None:
    customer = Customer()
    midnight = datetime(2026, 3, 18, tzinfo=UTC)
    quote = customer.quote(units("dialler", 3), at=midnight - timedelta(minutes=5))
    effect = customer.delivery(quote, midnight + timedelta(minutes=5))
    assert booked_micros(effect) == quote.sums.total_micros
    tomorrow = customer.quote(units("dialler", 3), at=midnight)
    assert tomorrow.sums.total_micros < quote.sums.total_micros
