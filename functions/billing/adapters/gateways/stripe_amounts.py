"""Stripe's amounts: ours, but for the few currencies that it counts in other units.

Source:
    https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and
    "Special cases"
"""

from billing.domain.errors import InvalidInputError

IN_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Without decimals by ISO 4217, and yet always sent as if they had two, both of them zero."""

IN_WHOLE_UNITS = frozenset({"MGA"})
"""Of two decimals by ISO 4217, and without any at Stripe."""

IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Of three decimals, the last of which must be zero."""


def to_stripe(amount_minor: int, currency: str) -> int:
    """An amount as Stripe counts it.

    Args:
        amount_minor: Whole minor units by ISO 4217.

    Raises:
        InvalidInputError: Stripe takes no such amount of this currency; nothing was asked for.
    """
    if currency in IN_HUNDREDTHS:
        return amount_minor * 100
    if currency in IN_WHOLE_UNITS:
        _require_multiple(amount_minor, 100, currency)
        return amount_minor // 100  # Exact.
    if currency in IN_TENS:
        _require_multiple(amount_minor, 10, currency)
    return amount_minor


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's amount in whole minor units by ISO 4217; fractions that do not exist round down."""
    if currency in IN_HUNDREDTHS:
        return amount // 100  # Always exact: the last two digits are zero.
    return amount * 100 if currency in IN_WHOLE_UNITS else amount


def _require_multiple(amount_minor: int, step: int, currency: str) -> None:
    if amount_minor % step:
        raise InvalidInputError(
            f"Stripe takes {currency} in multiples of {step} minor units, not {amount_minor}",
            field="amount",
        )
