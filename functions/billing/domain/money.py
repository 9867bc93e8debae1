"""Money as integer micros. Outside the system it is a decimal string with its currency."""

import re
from dataclasses import dataclass

from billing.domain.currencies import MINOR_UNITS
from billing.domain.errors import CurrencyMismatchError, InvalidInputError

MICROS = 1_000_000
"""Micros in one unit of any currency."""

MICRO_DECIMALS = 6

MAX_MICROS = 10**18
"""A million million units: beyond any bill, and carried exactly by the table and by JSON."""

_AMOUNT = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?", re.ASCII)


def ceil_div(dividend: int, divisor: int) -> int:
    """Divide and round towards positive infinity. The divisor is positive."""
    assert divisor > 0, divisor
    return -(-dividend // divisor)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency.

    Args:
        micros: Millionths of the currency's unit; may be negative.
        currency: ISO 4217 code, such as USD.

    Raises:
        InvalidInputError: The currency is unknown, or the amount is out of bounds.
    """

    micros: int
    currency: str

    def __post_init__(self) -> None:
        assert type(self.micros) is int, f"money is whole micros, not {self.micros!r}"
        if self.currency not in MINOR_UNITS:
            raise InvalidInputError(
                f"{self.currency!r} is not an ISO 4217 currency code such as USD", field="currency"
            )
        if abs(self.micros) > MAX_MICROS:
            raise InvalidInputError("the amount is out of bounds", field="amount")

    @staticmethod
    def parse(amount: str, currency: str) -> "Money":
        """Read a decimal string, such as ``12.34``: at most 12 digits, a point, 6 decimals.

        Raises:
            InvalidInputError: Not such a string, or not a currency.
        """
        match = _AMOUNT.fullmatch(amount)
        if match is None:
            raise InvalidInputError(
                f"{amount[:40]!r} is not a decimal amount with at most 6 decimals, such as 12.34",
                field="amount",
            )
        sign, units, fraction = match.groups()
        micros = int(units) * MICROS + int((fraction or "").ljust(MICRO_DECIMALS, "0"))
        return Money(-micros if sign else micros, currency)

    @property
    def amount(self) -> str:
        """The exact decimal string, with at least the currency's own number of decimals."""
        units, fraction = divmod(abs(self.micros), MICROS)
        digits = f"{fraction:06d}".rstrip("0").ljust(MINOR_UNITS[self.currency], "0")
        sign = "-" if self.micros < 0 else ""
        return f"{sign}{units}.{digits}" if digits else f"{sign}{units}"

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.micros + self._same(other).micros, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.micros - self._same(other).micros, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.micros, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.micros < self._same(other).micros

    def __le__(self, other: "Money") -> bool:
        return self.micros <= self._same(other).micros

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self} and {other} are different currencies")
        return other


STEPS = {"BHD": 10, "IQD": 10, "JOD": 10, "KWD": 10, "LYD": 10, "OMR": 10, "TND": 10, "MGA": 100}
"""Minor units that gateways collect at a time, where that is not one: of three decimals the last is
always zero, and the ariary has no fractions in use (https://docs.stripe.com/currencies)."""


def step_micros(currency: str) -> int:
    """Micros in the smallest amount a gateway collects: 10,000 for USD, 10,000 for KWD too."""
    return minor_unit_micros(currency) * STEPS.get(currency, 1)


def minor_unit_micros(currency: str) -> int:
    """Micros in the currency's minor unit: 10,000 for USD, 1,000,000 for JPY, 1,000 for KWD."""
    decimals = MINOR_UNITS[currency]
    # Two exotic currencies count finer than micros would; a gateway takes neither.
    return int(10 ** (MICRO_DECIMALS - decimals))


def up_to_minor_unit(micros: int, currency: str) -> int:
    """Round a positive amount up to what gateways collect, so that a gap is closed."""
    step = step_micros(currency)
    return ceil_div(micros, step) * step


def minor_units(micros: int, currency: str) -> int:
    """The whole number of minor units a gateway is asked for.

    Raises:
        InvalidInputError: The amount is no whole number of them, or of what gateways collect.
    """
    if micros % step_micros(currency):
        smallest = Money(step_micros(currency), currency)
        raise InvalidInputError(
            f"{Money(micros, currency)} is not a multiple of {smallest}, the least that can be"
            " collected",
            field="amount",
        )
    return micros // minor_unit_micros(currency)  # Exact.
