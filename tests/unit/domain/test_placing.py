"""Placing an order: paid in one Change, or by a payment, and never otherwise."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain import placing
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.documents import Line, LineKind
from billing.domain.effects import Effect
from billing.domain.errors import (
    InsufficientBalanceError,
    OrderInProgressError,
    QuoteStaleError,
)
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.orders import Order, OrderState, Quote, Want, WantKind
from billing.domain.recharging import OpenRecharge, RechargeReason
from billing.domain.records import OperationState
from billing.domain.reservations import Holds
from builders import ACME, NOON, USD, a_credit, an_account, an_audit_record, an_operation

PRICE = 12 * USD


def an_order(price_micros: int = PRICE, state: OrderState = OrderState.PENDING) -> Order:
    line = Line(LineKind.PRODUCT, "training", "Training", 1, price_micros, price_micros)
    quote = Quote(
        account=ACME,
        quote_id="quote",
        wants=(Want(WantKind.PRODUCT, "training"),),
        lines=(line,),
        currency="USD",
        next_recurring_micros=0,
        next_recurring_at=NOON,
        quoted_at=NOON,
        expires_at=NOON + timedelta(minutes=30),
        subscription_revision=1,
        catalog_version=1,
        period_start_at=NOON,
    )
    return Order(ACME, "ord_1", quote, state, NOON, "sub", None)


def delivering(order: Order) -> placing.Deliver:
    """Charges the order, and nothing else."""

    def deliver(account: Account) -> Effect:
        after, entry = post(
            account,
            kind=EntryKind.SALE,
            cause="order",
            debit=WALLET,
            credit="revenue:product",
            amount_micros=order.quote.sums.total_micros,
            now=NOON,
        )
        delivered = replace(order, state=OrderState.DELIVERED, settled_at=NOON)
        return Effect(after, entries=(entry,), records=(delivered,))

    return deliver


def refusing(_account: Account) -> Effect:
    raise QuoteStaleError("the subscription has changed since the quote; ask for another.")


def with_money(micros: int) -> Account:
    return a_credit(an_account(), micros, "credit").after


def place(account: Account, order: Order, holds: Holds) -> Change:
    operation = an_operation(operation_id="op", state=OperationState.PENDING, answer=None)
    audit = an_audit_record(operation_id="op")
    return placing.place_paid(account, order, delivering(order), holds, operation, audit, NOON)


@pytest.mark.parametrize("short", [0, 1])
def test_the_wallet_pays_to_the_last_micro_and_never_overdraws(short: int) -> None:
    account = with_money(PRICE - short)
    if short:
        with pytest.raises(InsufficientBalanceError) as caught:
            place(account, an_order(), Holds(ACME))
        assert caught.value.field == "pay_with"
        return
    change = place(account, an_order(), Holds(ACME, 4))
    assert change.after.wallet_micros == 0
    assert change.holds == Holds(ACME, 4)
    assert change.operation
    assert change.operation.answer == {"order": "ord_1"}


def test_a_debt_pays_nothing_and_what_is_free_needs_no_money() -> None:
    account = an_account()
    debt = replace(account, wallet_micros=-USD)
    with pytest.raises(InsufficientBalanceError, match=r"can spend 0\.00 USD"):
        place(debt, an_order(10_000), Holds(ACME))
    change = placing.place_paid(
        debt,
        an_order(0),
        lambda found: Effect(found, records=(an_order(0, OrderState.DELIVERED),)),
        Holds(ACME, 4),
        an_operation(operation_id="op", state=OperationState.PENDING, answer=None),
        an_audit_record(operation_id="op"),
        NOON,
    )
    assert change.holds is None, "nothing is debited: no authorisation has to decide again"
    assert change.entries == ()


def test_one_order_waits_at_a_time_and_other_payments_are_none() -> None:
    account = an_account()
    for reason in RechargeReason:
        opened = OpenRecharge(1, PRICE, "card-1", NOON, reason=reason)
        busy = replace(account, recharging=replace(account.recharging, opened=(opened,)))
        if reason is RechargeReason.ORDER:
            with pytest.raises(OrderInProgressError):
                placing.require_no_other(busy)
        else:
            placing.require_no_other(busy)


def test_orders_sort_as_they_were_placed_and_one_cause_is_one_order() -> None:
    times = [NOON + timedelta(milliseconds=n) for n in (0, 1, 999, 1000, 10**9)]
    names = [placing.order_id("op", at) for at in times]
    assert names == sorted(names)
    assert len({len(name) for name in names}) == 1
    assert placing.order_id("op", NOON) == placing.order_id("op", NOON)
    assert placing.order_id("op", NOON) != placing.order_id("other", NOON)


def test_money_that_comes_for_a_waiting_order_delivers_it() -> None:
    account = with_money(PRICE)
    effect = placing.paid(account, an_order(), delivering(an_order()), NOON)
    assert (effect.account.wallet_micros, effect.is_refused) == (0, False)


@pytest.mark.parametrize("state", [OrderState.DELIVERED, OrderState.FAILED])
def test_money_for_an_order_that_is_settled_stays_in_the_wallet(state: OrderState) -> None:
    account = with_money(PRICE)
    order = an_order(state=state)
    effect = placing.paid(account, order, delivering(order), NOON)
    assert effect == Effect(account, is_refused=state is OrderState.FAILED)
    assert placing.unpaid(account, order, NOON) == Effect(account)


def test_an_order_that_no_longer_fits_fails_and_says_where_the_money_is() -> None:
    account = with_money(PRICE)
    effect = placing.paid(account, an_order(), refusing, NOON)
    assert (effect.account, effect.entries, effect.is_refused) == (account, (), True)
    (failed,) = effect.records
    assert isinstance(failed, Order)
    assert (failed.state, failed.failure_code, failed.settled_at) == (
        OrderState.FAILED,
        "quote_stale",
        NOON,
    )
    assert failed.failure_detail.endswith("The money is in the wallet.")


def test_without_its_money_an_order_fails_and_moves_nothing() -> None:
    account = an_account()
    effect = placing.unpaid(account, an_order(), NOON)
    (failed,) = effect.records
    assert isinstance(failed, Order)
    assert (failed.state, failed.failure_code) == (OrderState.FAILED, placing.DECLINED)
    assert (effect.account, effect.entries, effect.is_refused) == (account, (), False)
