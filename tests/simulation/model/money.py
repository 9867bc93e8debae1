"""Prices, shares of them and taxes, in whole minor units (docs/subscriptions.md, "Proration")."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

MAJOR = 1_000_000
WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "UGX"})


def minor_unit(currency: str) -> int:
    """How many micros its smallest coin has."""
    return MAJOR if currency in WITHOUT_CENTS else MAJOR // 100


def micros(price: dict[str, str] | None, currency: str) -> int:
    """What has no price is free."""
    return int(Decimal(price[currency]) * MAJOR) if price else 0


def term_price(price: dict[str, Any] | None, interval: str, currency: str) -> int:
    """A year without a price of its own costs twelve months."""
    if not price:
        return 0
    if interval == "year" and "year" not in price:
        return 12 * micros(price["month"], currency)
    return micros(price[interval], currency)


def to_minor(amount: Fraction, unit: int) -> int:
    """To the minor unit, halves away from zero."""
    size = (2 * abs(amount) + unit) // (2 * unit) * unit
    return int(size if amount >= 0 else -size)


def share_left(price: int, days_before: int, days: int, unit: int) -> int:
    """The price less the rounded share of the days before."""
    return price - to_minor(Fraction(price * days_before, days), unit)
