"""Figures and days as a language writes them."""

from collections.abc import Callable
from copy import copy
from datetime import date
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern, get_currency_symbol, parse_pattern

from billing.domain.money import minor_unit_micros

MICROS = Decimal(1_000_000)
PER_CENT_MILLIONTHS = Decimal(10_000)

_FALLBACK = "en"
_MINUS = "\N{MINUS SIGN}"
"""Some languages write it; the fonts have a hyphen."""


class Figures:
    """Writes what stands on one document.

    Args:
        language: BCP 47. Where nobody knows how that writes figures, they are written as in
            English; so is one whose days have characters that cannot be shown.
        can_show: Whether the fonts have every character of a text.
    """

    def __init__(self, language: str, currency: str, can_show: Callable[[str], bool]) -> None:
        self._locale = _locale(language)
        self._currency = currency
        self._can_show = can_show
        unit = minor_unit_micros(currency)
        self._decimals = 0
        while unit < int(MICROS):
            unit *= 10
            self._decimals += 1

    def amount(self, micros: int) -> str:
        """Without its currency, which the column says."""
        return self._number(micros, parse_pattern(self._locale.decimal_formats[None].pattern))

    def money(self, micros: int) -> str:
        """With its currency, by its symbol where the fonts have that, or else by its code."""
        standard = parse_pattern(self._locale.currency_formats["standard"].pattern)
        symbol = get_currency_symbol(self._currency, self._locale)
        if symbol == self._currency or not self._can_show(symbol):
            return f"{self._currency}\N{NO-BREAK SPACE}{self.amount(micros)}"
        return self._number(micros, standard)

    def count(self, quantity: int) -> str:
        pattern = copy(parse_pattern(self._locale.decimal_formats[None].pattern))
        pattern.frac_prec = (0, 0)
        return self._plain(pattern.apply(Decimal(quantity), self._locale))

    def rate(self, millionths: int) -> str:
        """Per cent, with as many decimals as it has."""
        per_cent = (Decimal(millionths) / PER_CENT_MILLIONTHS).normalize()
        pattern = copy(parse_pattern(self._locale.decimal_formats[None].pattern))
        pattern.frac_prec = (0, 4)
        return f"{self._plain(pattern.apply(per_cent, self._locale))}\N{NO-BREAK SPACE}%"

    def day(self, day: date) -> str:
        shown = self._plain(format_date(day, "medium", locale=self._locale))
        return shown if self._can_show(shown) else day.isoformat()

    def country(self, code: str) -> str:
        """A country's name, as it stands below an address.

        Args:
            code: ISO 3166-1, two letters; empty: none.
        """
        shown = self._locale.territories.get(code, code)
        return shown if self._can_show(shown) else code

    def _number(self, micros: int, pattern: NumberPattern) -> str:
        # Our own number of decimals: what a language thinks is usual for a currency may be fewer.
        value = Decimal(micros) / MICROS
        least = self._decimals
        exponent = value.normalize().as_tuple().exponent
        most = max(least, -exponent if isinstance(exponent, int) else 0)
        exact = copy(pattern)
        exact.frac_prec = (least, most)
        return self._plain(
            exact.apply(value, self._locale, currency=self._currency, currency_digits=False)
        )

    def _plain(self, text: str) -> str:
        # Narrow spaces and marks of direction are not in every font; nor are they needed.
        kept = text.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")
        kept = kept.replace(_MINUS, "-")
        return "".join(one for one in kept if one not in "\u200e\u200f\u061c")


def _locale(language: str) -> Locale:
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(_FALLBACK)
