"""Amounts as Stripe counts them."""

import pytest

from billing.adapters.gateways.stripe_amounts import from_stripe, to_stripe
from billing.domain.currencies import MINOR_UNITS
from billing.domain.errors import InvalidInputError


@pytest.mark.parametrize("currency", sorted(MINOR_UNITS))
def test_every_currency_comes_back_as_it_was_sent(currency: str) -> None:
    for amount_minor in (100, 2_500, 1_000_000):
        assert from_stripe(to_stripe(amount_minor, currency), currency) == amount_minor


@pytest.mark.parametrize(
    ("amount_minor", "currency", "amount"),
    [
        (1, "USD", 1),
        (1, "JPY", 1),
        (1, "HUF", 1),
        (1, "TWD", 1),
        (10, "BHD", 10),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (500, "MGA", 5),
    ],
)
def test_an_amount_is_counted_as_documented(amount_minor: int, currency: str, amount: int) -> None:
    assert to_stripe(amount_minor, currency) == amount


@pytest.mark.parametrize("currency", ["BHD", "JOD", "KWD", "OMR", "TND"])
def test_the_third_decimal_must_be_zero(currency: str) -> None:
    for amount_minor in (1, 9, 11, 5_124):
        with pytest.raises(InvalidInputError):
            to_stripe(amount_minor, currency)
