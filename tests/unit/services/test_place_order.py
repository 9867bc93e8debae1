"""Orders under races: the same money is spent once, and what was paid for comes once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
)
from billing.domain.documents import Invoice, InvoiceState, Receipt
from billing.domain.errors import (
    InsufficientBalanceError,
    OrderInProgressError,
    PaymentUnknownError,
    QuoteStaleError,
    RechargeInProgressError,
)
from billing.domain.ledger import EntryKind
from billing.domain.orders import OrderState, Want, WantKind
from billing.domain.records import OperationState, RechargeState
from billing.domain.subscription import Subscription
from billing.ports import AlreadyRecordedError, Captured
from billing.services.collect_recharge import RechargeRequest
from builders import ACME, USD, an_operation
from catalogs import a_catalog
from unit.shop import PRICE, Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_purchase_pays_with_what_no_call_has_set_aside(shop: Shop) -> None:
    shop.credit(PRICE + 5 * USD)
    assert shop.call(seconds=501) == 5_010_000
    with pytest.raises(InsufficientBalanceError, match=r"11\.99"):
        shop.order(shop.quote())
    shop.credit(10_000, "a cent")
    shop.order(shop.quote("again"))
    assert shop.account.wallet_micros == 5_010_000


def test_a_purchase_that_met_an_authorisation_decides_again(shop: Shop) -> None:
    shop.credit(PRICE)
    quote = shop.quote()
    shop.book.races = [lambda: shop.call()]
    with pytest.raises(InsufficientBalanceError):
        shop.order(quote)
    assert shop.account.wallet_micros == PRICE
    assert shop.placed == []


def test_an_authorisation_that_met_a_purchase_decides_again(shop: Shop) -> None:
    shop.credit(544_380_000 + USD)
    quote = shop.quote(want=Want(WantKind.PRODUCT, "training"))
    shop.raced.races = [lambda: shop.order(quote)]
    assert shop.call() == USD, "what the purchase left"
    assert [order.state for order in shop.placed] == [OrderState.DELIVERED]


def test_of_two_orders_of_one_quote_one_is_delivered(shop: Shop) -> None:
    shop.credit(5 * PRICE)
    quote = shop.quote()
    shop.book.races = [lambda: shop.order(quote, "faster")]
    with pytest.raises(QuoteStaleError):
        shop.order(quote, "slower")
    assert (shop.bundles, shop.account.wallet_micros) == (1, 4 * PRICE)


def test_the_same_request_at_once_is_one_order(shop: Shop) -> None:
    shop.credit(5 * PRICE)
    quote = shop.quote()
    shop.book.races = [lambda: shop.order(quote)]
    with pytest.raises(AlreadyRecordedError):
        shop.order(quote)
    assert (shop.bundles, len(shop.placed)) == (1, 1)


def test_usage_between_quote_and_order_changes_nothing(shop: Shop) -> None:
    shop.credit(5 * PRICE)
    quote = shop.quote()
    shop.credit(USD, "meanwhile")
    assert shop.order(quote).state is OrderState.DELIVERED


def test_a_purchase_pays_each_revenue_and_tax_and_writes_its_papers(shop: Shop) -> None:
    shop.credit(PRICE)
    order = shop.order(shop.quote())
    entries = [e for e in shop.book.entries(shop.account) if e.kind is EntryKind.SALE]
    assert {(e.credit, e.amount_micros) for e in entries} == {
        ("revenue:bundle", 10 * USD),
        ("tax:vat", 2 * USD),
    }
    assert {e.cause for e in entries} == {"order"}
    (invoice,) = shop.book.things(ACME, Invoice)
    (receipt,) = shop.book.things(ACME, Receipt)
    assert (invoice.number, invoice.state, invoice.payment) == (1, InvoiceState.PAID, None)
    assert (receipt.invoice, receipt.amount_micros, receipt.gateway) == (1, PRICE, "")
    assert order.invoice == 1
    assert shop.is_proven()


def test_a_payment_is_named_on_the_papers_it_paid(shop: Shop) -> None:
    order = shop.order(shop.quote(), source_id="card-1")
    (payment,) = shop.book.payments()
    (invoice,) = shop.book.things(ACME, Invoice)
    (receipt,) = shop.book.things(ACME, Receipt)
    assert invoice.payment == ("sandbox", payment.payment_id)
    assert (receipt.payment_id, receipt.source_label) == (
        payment.payment_id,
        "Visa ending in 4242",
    )
    assert order.recharge == payment.ordinal
    assert (shop.account.wallet_micros, shop.bundles) == (0, 1)


def test_a_captured_order_is_told_once_however_often_it_is_captured(shop: Shop) -> None:
    shop.order(shop.quote(), source_id="card-1")
    recharge = shop.book.recharge(ACME, 1)
    (payment,) = shop.book.payments()
    before = shop.account
    shop.recharges.settle(ACME, recharge, 1, Captured(payment.payment_id))
    assert shop.account == before


def test_a_second_capture_of_the_same_order_is_the_wallets(shop: Shop) -> None:
    shop.order(shop.quote(), source_id="card-1")
    recharge = shop.book.recharge(ACME, 1)
    shop.recharges.settle(ACME, recharge, 1, Captured("pay_again"))
    assert (shop.account.wallet_micros, shop.bundles) == (PRICE, 1)
    assert [order.state for order in shop.placed] == [OrderState.DELIVERED]
    assert shop.operation("order").state is OperationState.SUCCEEDED
    assert shop.is_proven()


def test_money_that_comes_to_light_after_an_order_has_failed_is_the_wallets() -> None:
    shop = Shop(DECLINES)
    order = shop.order(shop.quote(), source_id="card-1")
    assert (order.state, order.failure_code) == (OrderState.FAILED, "payment_declined")
    recharge = shop.book.recharge(ACME, 1)
    shop.recharges.settle(ACME, recharge, 1, Captured("pay_late"))
    assert (shop.account.wallet_micros, shop.bundles) == (PRICE, 0)
    assert shop.placed == [order]
    assert shop.operation("order").state is OperationState.FAILED


@pytest.mark.parametrize("token", [TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING])
def test_while_its_outcome_is_unknown_an_order_waits_and_is_alone(token: str) -> None:
    shop = Shop(token)
    quote, other = shop.quote(), shop.quote("other")
    with pytest.raises(PaymentUnknownError):
        shop.order(quote, source_id="card-1")
    (order,) = shop.placed
    assert (order.state, shop.bundles) == (OrderState.PENDING, 0)
    shop.credit(5 * PRICE)
    with pytest.raises(OrderInProgressError):
        shop.order(other, "other")
    shop.recharges.finish(ACME, 1)
    (order,) = shop.placed
    assert (order.state, shop.bundles) == (OrderState.DELIVERED, 1)
    assert shop.account.wallet_micros == 5 * PRICE


def test_money_for_an_order_that_was_overtaken_stays_and_says_so() -> None:
    shop = Shop(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        shop.order(shop.quote(), source_id="card-1")
    shop.join()
    shop.recharges.finish(ACME, 1)
    (order,) = shop.placed
    assert (order.state, order.failure_code) == (OrderState.FAILED, "quote_stale")
    assert (shop.account.wallet_micros, shop.bundles) == (PRICE, 0)
    assert shop.book.recharge(ACME, 1).state is RechargeState.SUCCEEDED
    assert shop.operation("order").state is OperationState.FAILED
    assert shop.book.things(ACME, Invoice) == []


def test_an_order_that_was_paid_in_time_is_delivered_after_its_quote_has_expired() -> None:
    shop = Shop(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        shop.order(shop.quote(), source_id="card-1")
    shop.clock.advance(timedelta(hours=30))
    shop.catalogs.save(replace(a_catalog(), terms_version="2027"), 1)
    shop.recharges.finish(ACME, 1)
    assert [order.state for order in shop.placed] == [OrderState.DELIVERED]


def test_an_order_is_no_automatic_recharge_and_suspends_none() -> None:
    shop = Shop(DECLINES)
    shop.order(shop.quote(), source_id="card-1")
    recharging = shop.account.recharging
    assert (recharging.collected, recharging.declines, recharging.suspended_at) == (None, 0, None)


def test_a_source_with_a_payment_open_cannot_pay_an_order_as_well() -> None:
    shop = Shop(TIMES_OUT_AFTER_CHARGING)
    operation = an_operation(operation_id="fill", state=OperationState.PENDING, answer=None)
    with pytest.raises(PaymentUnknownError):
        shop.recharges.request(ACME, RechargeRequest(20 * USD, operation, None))
    with pytest.raises(RechargeInProgressError):
        shop.order(shop.quote(), source_id="card-1")
    assert shop.placed == []


REFUSED: list[Callable[[Shop, str], object]] = [
    lambda shop, quote: shop.order(quote),
    lambda shop, quote: shop.order(quote, source_id="card-1"),
]


@pytest.mark.parametrize("order", REFUSED, ids=["wallet", "source"])
def test_a_stale_quote_asks_nobody_for_money(
    shop: Shop, order: Callable[[Shop, str], object]
) -> None:
    shop.credit(PRICE)
    quote = shop.quote()
    shop.join()
    before = shop.account
    with pytest.raises(QuoteStaleError):
        order(shop, quote)
    assert (shop.account, shop.placed, shop.book.payments()) == (before, [], [])


def test_the_audit_says_what_was_held_and_what_was_asked_for(shop: Shop) -> None:
    shop.credit(PRICE)
    order = shop.order(shop.quote())
    (record,) = (r for r in shop.book.audit_records(ACME) if r.action == "order.placed")
    assert record.before == {
        "plan": "starter",
        "interval": "month",
        "units": {},
        "packages": {},
    }
    assert record.after == {
        "order": order.order_id,
        "quote_id": "quote",
        "wants": [{"kind": "bundle", "what": "minutes-300", "quantity": 1}],
        "total": {"amount": "12.00", "currency": "USD"},
    }


def test_a_period_that_has_begun_is_billed_before_it_is_quoted_in(shop: Shop) -> None:
    shop.credit(5 * PRICE)
    shop.order(shop.quote())
    shop.clock.advance(timedelta(days=31))
    quote = shop.quote("next")
    held = shop.book.thing(ACME, Subscription)
    assert held is not None
    assert held.billed_until == shop.account.period.end_at > shop.clock.now()
    assert shop.order(quote, "next").state is OrderState.DELIVERED
