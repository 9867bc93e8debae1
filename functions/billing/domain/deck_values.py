"""The values of a rate deck's cells, one by one, and what is said of a bad one."""

import re
from itertools import pairwise

from billing.domain.destinations import MAX_PREFIX_DIGITS, MAX_SHORT_DIGITS, SHORT
from billing.domain.money import MICRO_DECIMALS, MICROS
from billing.domain.rates import Tier
from billing.domain.usage import MAX_QUANTITY

MAX_DESTINATION_CHARACTERS = 100
MAX_INCREMENT_SECONDS = 86_400
MAX_TIERS = 10
DEFAULT_INCREMENT_SECONDS = "60"

_PREFIXES = re.compile(r"[1-9][0-9]{0,14}(?: [1-9][0-9]{0,14})*")
_PRICE = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?")
_TOO_MANY_DECIMALS = re.compile(r"[0-9]+\.[0-9]{7,}")
_TOO_LARGE = re.compile(r"[0-9]{7,}(?:\.[0-9]*)?")
_EXPONENT = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+")
_INCREMENT = re.compile(r"[0-9]{1,5}")
_TIER_START = re.compile(r"[1-9][0-9]{0,7}")


class CellError(Exception):
    """A cell cannot be read; the message says why and what to write."""

    def __init__(self, detail: str, column: str = "") -> None:
        super().__init__(detail)
        self.column = column


def parse_prefixes(cell: str) -> list[str]:
    """The prefixes of a cell as a table holds them; none is the price of everything."""
    # Most cells pass the pattern: this spares a large deck the loop.
    if _PREFIXES.fullmatch(cell):
        return cell.split()
    return [_parse_prefix(text) for text in cell.split()] or [""]


def _parse_prefix(text: str) -> str:
    if text == "*":
        return ""
    if text.lower().startswith(SHORT):
        return SHORT + _parse_short_code(text, text[len(SHORT) :])
    digits = text.removeprefix("+")
    if _EXPONENT.fullmatch(digits):
        detail = f"{shown(text)} comes from a spreadsheet; format the column as text and refill it"
        raise CellError(detail)
    if not (digits.isascii() and digits.isdigit()):
        detail = f"{shown(text)} is not a prefix; write digits, or * for every number"
        raise CellError(detail)
    if len(digits) > MAX_PREFIX_DIGITS:
        raise CellError(f"{shown(text)} has more than {MAX_PREFIX_DIGITS} digits; shorten it")
    if digits[0] == "0":
        detail = f"{shown(text)} matches no number; begin with the country code, not with 0 or 00"
        raise CellError(detail)
    return digits


def _parse_short_code(text: str, digits: str) -> str:
    if digits == "*":
        return ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_SHORT_DIGITS):
        raise CellError(
            f"{shown(text)} is not a short code; write {SHORT} and at most {MAX_SHORT_DIGITS}"
            f" digits, or {SHORT}* for every short code"
        )
    return digits


def parse_destination(cell: str) -> str:
    name = cell.strip()
    if not name:
        raise CellError("empty; name the destination")
    if len(name) > MAX_DESTINATION_CHARACTERS:
        raise CellError(f"longer than {MAX_DESTINATION_CHARACTERS} characters; shorten it")
    if not name.isprintable():
        raise CellError(f"{shown(name)} holds an invisible character; type it anew")
    return name


def parse_price(cell: str) -> int:
    text = cell.strip()
    match = _PRICE.fullmatch(text)
    if match is None:
        raise CellError(f"{shown(text)} {_price_problem(text)}")
    units, fraction = match.groups()
    return int(units) * MICROS + int((fraction or "").ljust(MICRO_DECIMALS, "0"))


def _price_problem(text: str) -> str:
    if text.startswith("-"):
        return "is negative; a price is 0 or more"
    if _EXPONENT.fullmatch(text):
        return "has an exponent; write it out as a decimal"
    if _TOO_MANY_DECIMALS.fullmatch(text):
        return f"has more than {MICRO_DECIMALS} decimals; round it"
    if _TOO_LARGE.fullmatch(text):
        return "is too large; a price is less than 1000000"
    if "," in text:
        return "has a comma; write a decimal point, and no thousands separator"
    return "is not a price; write a decimal such as 0.0125, without a currency"


def parse_fee(cell: str) -> int:
    return parse_price(cell.strip() or "0")


def parse_increment(cell: str) -> int:
    text = cell.strip() or DEFAULT_INCREMENT_SECONDS
    seconds = int(text) if _INCREMENT.fullmatch(text) else 0
    if not 1 <= seconds <= MAX_INCREMENT_SECONDS:
        raise CellError(f"{shown(text)} is not 1 to {MAX_INCREMENT_SECONDS} whole seconds")
    return seconds


def parse_tiers(cell: str) -> list[Tier]:
    tiers = [_parse_tier(text) for text in cell.split()]
    if len(tiers) > MAX_TIERS:
        raise CellError(f"more than {MAX_TIERS} tiers; join some")
    starts = [tier.after_seconds for tier in tiers]
    if any(one >= other for one, other in pairwise(starts)):
        raise CellError("the tiers do not begin one after the other; sort them by their seconds")
    return tiers


def _parse_tier(text: str) -> Tier:
    price, at, start = text.partition("@")
    seconds = int(start) if _TIER_START.fullmatch(start) else 0
    if not at or not 1 <= seconds <= MAX_QUANTITY:
        raise CellError(
            f"{shown(text)} is not a tier; write 0.01@60 for 0.01 a minute after 60 seconds"
        )
    return Tier(seconds, parse_price(price))


def simplified(rate_micros: int, tiers: list[Tier]) -> tuple[Tier, ...]:
    """Without the tiers that change nothing: equal prices are spelled one way."""
    before = (rate_micros, *(tier.rate_micros for tier in tiers))
    return tuple(
        tier for tier, price in zip(tiers, before, strict=False) if tier.rate_micros != price
    )


def parse_cap(cell: str) -> int | None:
    if not cell.strip():
        return None
    cap = parse_price(cell)
    if cap == 0:
        raise CellError("a cap of 0 makes every call free; write free as the treatment instead")
    return cap


def shown(cell: str) -> str:
    """The cell as a message may show it: escaped, and short."""
    return ascii(cell if len(cell) <= 40 else cell[:40] + "...")
