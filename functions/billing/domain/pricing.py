"""Pricing: billed quantities and exact prices, rounded once. The rules are in docs/rating.md."""

from enum import StrEnum

from billing.domain.errors import InvalidUsageError
from billing.domain.money import MICRO_DECIMALS, ceil_div
from billing.domain.rates import Rate, Treatment
from billing.domain.units import Unit


class Rounding(StrEnum):
    """How the price of a whole call meets the deck's decimals; CGRateS's *up, *middle, *down."""

    UP = "up"
    MIDDLE = "middle"  # Half away from zero; prices are never negative.
    DOWN = "down"


def billed_quantity(rate: Rate, unit: Unit, quantity: int) -> int:
    """Seconds after increments, or pieces as they are. Grants burn this quantity.

    An answered call is billed its whole first increment at once; the time after that is rounded up
    to whole next increments. An unanswered call is billed nothing, and neither is a free
    destination.

    Raises:
        InvalidUsageError: The quantity is negative.

    Source:
        docs/rating.md, "Increments".
    """
    if quantity < 0:
        raise InvalidUsageError(f"quantity={quantity} {unit.value}")
    if quantity == 0 or rate.treatment is Treatment.FREE:
        return 0
    if not unit.is_timed:
        return quantity
    first, step = rate.first_increment_seconds, rate.next_increment_seconds
    return first + step * ceil_div(max(0, quantity - first), step)


def price_quantity(rate: Rate, unit: Unit, quantity: int, rounding: Rounding, decimals: int) -> int:
    """The price in micros of a quantity at one rate, before any grant is burned.

    Raises:
        InvalidUsageError: The quantity is negative.
    """
    return wallet_micros(rate, unit, billed_quantity(rate, unit, quantity), 0, rounding, decimals)


def wallet_micros(
    rate: Rate, unit: Unit, billed: int, granted: int, rounding: Rounding, decimals: int
) -> int:
    """The wallet's price of what lies beyond the granted quantity, and its only rounding.

    Grants pay for the first ``granted`` of the billed seconds; tiers are counted from the first
    billed second, whoever paid for it.

    Source:
        docs/rating.md, "Grants first, wallet after" and "Cost cap".
    """
    if billed == 0:
        return 0
    exact = 60 * rate.connect_fee_micros + sixtieths(rate, unit, granted, billed)
    unit_micros = int(10 ** (MICRO_DECIMALS - decimals))
    rounded = unit_micros * _divide(exact, 60 * unit_micros, rounding)
    if rate.cap_micros is None:
        return rounded
    # Cut to the deck's decimals, or rounding the cap up would break the promise it makes.
    return min(rounded, rate.cap_micros - rate.cap_micros % unit_micros)


def sixtieths(rate: Rate, unit: Unit, start: int, end: int) -> int:
    """The exact price of billed seconds, or pieces, from ``start`` up to ``end``.

    In sixtieths of a micro, where a price per minute times seconds is an integer.
    """
    if not unit.is_timed:
        return 60 * rate.rate_micros * (end - start)
    total = rate.rate_micros * (end - start)
    before = rate.rate_micros
    for after, rate_micros in rate.tiers:
        total += (rate_micros - before) * (max(end, after) - max(start, after))
        before = rate_micros
    return total


def _divide(numerator: int, divisor: int, rounding: Rounding) -> int:
    match rounding:
        case Rounding.UP:
            return ceil_div(numerator, divisor)
        case Rounding.MIDDLE:
            return (2 * numerator + divisor) // (2 * divisor)
        case Rounding.DOWN:
            return numerator // divisor
