"""Orders in any order: quoted, placed from wallet and sources, overtaken, and paid for late.

Whatever happens, what was delivered was paid for to the cent as it was quoted, once; what was not
delivered moved nothing; and no purchase takes what a call in progress has set aside.
"""

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from billing.adapters.gateways.sandbox import (
    DECLINES,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
)
from billing.domain.documents import Invoice, Receipt
from billing.domain.errors import PaymentUnknownError, TalktimeError
from billing.domain.ledger import EntryKind
from billing.domain.orders import OrderState, Quote, Want, WantKind
from builders import ACME, USD
from unit.shop import Shop

TOKENS = (SUCCEEDS, DECLINES, TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING)
WANTS = (
    Want(WantKind.BUNDLE, "minutes-300", 2),
    Want(WantKind.BUNDLE, "uk-100"),
    Want(WantKind.PACKAGE, "toll-free-500", 1),
    Want(WantKind.PACKAGE, "toll-free-500", 0),
    Want(WantKind.PRODUCT, "training"),
)
"""They cost 24, 6, about 24, nothing, and 544.38."""


SOURCES = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])
"""The wallet, or the card of one of the tokens."""


class Orders(RuleBasedStateMachine):
    """One account, its quotes and orders, and everybody else at once."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(*TOKENS)
        self.quotes: list[str] = []
        self.asked = 0

    def name(self) -> str:
        self.asked += 1
        return f"n{self.asked}"

    @initialize(dollars=st.sampled_from([0, 25, 100]))
    def begin(self, dollars: int) -> None:
        if dollars:
            self.shop.credit(dollars * USD, self.name())

    @rule(dollars=st.integers(1, 50))
    def credit(self, dollars: int) -> None:
        self.shop.credit(dollars * USD, self.name())

    @rule(want=st.sampled_from(WANTS), source=SOURCES)
    def buy(self, want: Want, source: int) -> None:
        self.quote(want)
        self.order(0, source)

    @rule(want=st.sampled_from(WANTS))
    def quote(self, want: Want) -> None:
        before = self.shop.account
        with suppress(TalktimeError):
            self.quotes.append(self.shop.quote(self.name(), want))
        assert self.shop.account == before, "a quote uses nothing up"

    @rule(place=st.integers(0, 9), source=SOURCES)
    def order(self, place: int, source: int) -> None:
        if not self.quotes:
            return
        quote_id = self.quotes[-1 - place % len(self.quotes)]
        source_id = f"card-{source}" if source else None
        before, orders = self.shop.account, len(self.shop.placed)
        try:
            order = self.shop.order(quote_id, self.name(), source_id=source_id)
        except PaymentUnknownError:
            return
        except TalktimeError:
            assert (self.shop.account, len(self.shop.placed)) == (before, orders)
            return
        quote = self.shop.book.thing(ACME, Quote, quote_id)
        assert order.quote == quote
        if order.state is OrderState.DELIVERED:
            paid = 0 if order.recharge else order.quote.sums.total_micros
            assert self.shop.account.wallet_micros == before.wallet_micros - paid

    @rule()
    def somebody_joins(self) -> None:
        self.shop.join()

    @rule(seconds=st.sampled_from([60, 14_400]))
    def a_call_is_authorised(self, seconds: int) -> None:
        with suppress(TalktimeError):
            self.shop.call(self.name(), seconds)

    @rule()
    def the_gateway_is_asked_again(self) -> None:
        with suppress(PaymentUnknownError):
            self.shop.recharges.finish_open(ACME)

    @rule(minutes=st.sampled_from([1, 29, 31, 25 * 60]))
    def time_goes_by(self, minutes: int) -> None:
        self.shop.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def what_was_delivered_was_paid_for_as_it_was_quoted_and_once(self) -> None:
        shop = self.shop
        delivered = [one for one in shop.placed if one.state is OrderState.DELIVERED]
        sold: dict[str, int] = {}
        for entry in shop.book.entries(shop.account):
            if entry.kind in (EntryKind.SALE, EntryKind.CREDIT):
                sold[entry.cause] = sold.get(entry.cause, 0) - entry.wallet_change_micros
        totals = [one.quote.sums.total_micros for one in delivered]
        assert sorted(sold.values()) == sorted(total for total in totals if total)
        invoices = shop.book.things(ACME, Invoice)
        assert [one.number for one in invoices] == list(range(1, len(invoices) + 1))
        numbered = [one.invoice for one in delivered if one.invoice]
        assert sorted(numbered) == [one.number for one in invoices]
        receipts = [one for one in shop.book.things(ACME, Receipt) if one.invoice is not None]
        paid = sum(one.amount_micros for one in receipts)
        assert paid == sum(totals)

    @invariant()
    def no_purchase_takes_what_was_set_aside(self) -> None:
        held = self.shop.reservations.holds(ACME).reserved_micros(self.shop.clock.now())
        assert self.shop.account.wallet_micros >= held

    @invariant()
    def one_order_waits_at_a_time(self) -> None:
        waiting = [one for one in self.shop.placed if one.state is OrderState.PENDING]
        opened = [one.ordinal for one in self.shop.account.recharging.opened]
        assert [one.recharge for one in waiting] == opened
        assert len(waiting) <= 1

    def teardown(self) -> None:
        assert self.shop.is_proven()
        captured = sum(one.amount_minor for one in self.shop.sandbox.captured()) * 10_000
        credited = sum(one.amount_micros for one in self.shop.book.payments())
        open_now = sum(one.amount_micros for one in self.shop.account.recharging.opened)
        assert credited <= captured <= credited + open_now


Orders.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
TestOrdersInAnyOrder = Orders.TestCase
