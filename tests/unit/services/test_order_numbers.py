"""Numbers that are ordered: one owner each, from the moment an order waits for its payment."""

import pytest

from billing.adapters.gateways.sandbox import DECLINES
from billing.domain.errors import NumberTakenError
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import OrderState, Want, WantKind
from builders import ACME, USD
from unit.shop import Shop

ONE, OTHER = "+14155550100", "+14155550101"
COST = 7 * USD * 12 // 10
"""Five to set it up, two for the first period, and the tax."""


def a_number(e164: str = ONE) -> Want:
    return Want(WantKind.NUMBER, "local", e164=e164, capabilities=("sms", "voice"))


def pending(shop: Shop) -> list[str]:
    return [one.e164 for one in shop.book.things(ACME, PhoneNumber)]


def test_a_number_is_ordered_from_the_wallet_once() -> None:
    shop = Shop()
    shop.credit(10 * COST)
    placed = shop.order(shop.quote(want=a_number()))
    assert placed.state is OrderState.DELIVERED
    (number,) = shop.book.things(ACME, PhoneNumber)
    assert (number.state, number.invoice) == (NumberState.PENDING, placed.invoice)
    with pytest.raises(NumberTakenError):
        shop.order(shop.quote("again", a_number()), "again")
    shop.order(shop.quote("other", a_number(OTHER)), "other")
    assert pending(shop) == [ONE, OTHER]


def test_a_number_is_ordered_from_a_card() -> None:
    shop = Shop()
    placed = shop.order(shop.quote(want=a_number()), source_id="card-1")
    assert placed.state is OrderState.DELIVERED
    assert pending(shop) == [ONE]


def test_a_number_whose_payment_is_declined_is_anybodys_again() -> None:
    shop = Shop(DECLINES)
    failed = shop.order(shop.quote(want=a_number()), source_id="card-1")
    assert failed.state is OrderState.FAILED
    assert pending(shop) == []
    shop.credit(10 * COST)
    shop.order(shop.quote("again", a_number()), "again")
    assert pending(shop) == [ONE]
