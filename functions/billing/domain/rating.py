"""Price one call or message against a rate deck: exact, rounded once, and explained."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from billing.domain.errors import (
    DestinationNotRatedError,
    InvalidInputError,
    InvalidUsageError,
    NoRateDeckError,
)
from billing.domain.money import MICRO_DECIMALS, ceil_div
from billing.domain.units import Direction, Unit


class Rounding(StrEnum):
    """How the price of a whole call meets the deck's decimals; CGRateS's *up, *middle, *down."""

    UP = "up"
    MIDDLE = "middle"  # Half away from zero; prices are never negative.
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one prefix costs.

    Args:
        prefix: Digits without the plus sign; empty matches every number.
        destination: Its name for people.
        rate_micros: Per minute of voice, or per message.
        connect_fee_micros: Once per answered call; 0 for messages.
        first_increment_seconds: The least an answered call is billed; no meaning for messages.
        next_increment_seconds: What the time after that is rounded up to.
    """

    prefix: str
    destination: str
    rate_micros: int
    connect_fee_micros: int
    first_increment_seconds: int
    next_increment_seconds: int


class Terms(NamedTuple):
    """A Rate without its prefix, so that the prefixes of one destination can share it."""

    destination: str
    rate_micros: int
    connect_fee_micros: int
    first_increment_seconds: int
    next_increment_seconds: int


DirectionOrAny = Direction | None  # None is the deck's "any".
Prices = Mapping[str, Terms]


class RateTable:
    """Prices by unit, direction and prefix. Never changes once built.

    Every prefix is one dictionary key. A number is looked up once per prefix length that the deck
    uses, longest first, so the cost does not grow with the deck.
    """

    __slots__ = ("_prices", "_steps")

    def __init__(self, prices: Mapping[tuple[Unit, DirectionOrAny], Prices]) -> None:
        self._prices = {key: table for key, table in prices.items() if table}
        lengths = {key: {len(prefix) for prefix in table} for key, table in self._prices.items()}
        self._steps = {
            (unit, direction): tuple(
                (length, self._prices[unit, rows])
                for length in range(max(map(max, lengths.values()), default=0), -1, -1)
                for rows in (direction, None)  # The named direction beats "any" at equal length.
                if length in lengths.get((unit, rows), ())
            )
            for unit in Unit
            for direction in Direction
        }

    def find(self, unit: Unit, direction: Direction, e164: str) -> Rate | None:
        """The rate of the longest prefix of a number, or None."""
        digits = e164.removeprefix("+")
        for length, prices in self._steps[unit, direction]:
            if length <= len(digits) and (terms := prices.get(digits[:length])) is not None:
                return Rate(digits[:length], *terms)
        return None

    def __iter__(self) -> Iterator[tuple[Unit, DirectionOrAny, str, Terms]]:
        for (unit, direction), prices in self._prices.items():
            for prefix, terms in prices.items():
                yield unit, direction, prefix, terms

    def __len__(self) -> int:
        return sum(map(len, self._prices.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RateTable) and self._prices == other._prices


@dataclass(frozen=True, slots=True)
class RateDeck:
    """One version of a deck: its prices, and how a price becomes money."""

    deck_id: str
    version: int
    currency: str
    effective_at: datetime
    rounding: Rounding
    decimals: int
    rates: RateTable = field(repr=False, hash=False)

    def __post_init__(self) -> None:
        if not 0 <= self.decimals <= MICRO_DECIMALS:
            raise InvalidInputError(f"decimals must be 0 to {MICRO_DECIMALS}", field="decimals")
        if self.effective_at.tzinfo is None:
            raise InvalidInputError("effective_at needs a time zone", field="effective_at")

    def find(self, unit: Unit, direction: Direction, e164: str) -> Rate:
        """The rate of the longest prefix of the called number.

        Inbound usage is looked up by the called number too: it is the tenant's own number that
        decides what receiving a call costs.

        Raises:
            DestinationNotRatedError: No prefix matches, and the deck has no price for everything.
        """
        rate = self.rates.find(unit, direction, e164)
        if rate is None:
            raise DestinationNotRatedError(
                f"rate deck {self.deck_id} version {self.version} has no {direction.value}"
                f" price in {unit.value} for the called number"
            )
        return rate


class LineKind(StrEnum):
    CONNECT_FEE = "connect_fee"
    FIRST_INCREMENT = "first_increment"
    NEXT_INCREMENTS = "next_increments"
    MESSAGES = "messages"
    GRANTED = "granted"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One step of the arithmetic. The amounts add up to what the wallet pays, to the last digit.

    Args:
        kind: For programs.
        label: For people.
        quantity: Seconds or messages; 1 for a connect fee, 0 for the rounding.
        amount: Decimal string in the deck's currency, at most eight decimals.
    """

    kind: LineKind
    label: str
    quantity: int
    amount: str


@dataclass(frozen=True, slots=True)
class Rated:
    """What one call or message costs, who pays, and everything needed to explain it.

    Args:
        billed_quantity: Seconds after increments, or messages.
        granted_quantity: The part of the billed quantity that grants paid for.
        cost_micros: The price of the whole call.
        wallet_micros: The part of it that the wallet pays.
    """

    unit: Unit
    rate: Rate
    deck_id: str
    deck_version: int
    rounding: Rounding
    decimals: int
    billed_quantity: int
    granted_quantity: int
    cost_micros: int
    wallet_micros: int

    @property
    def lines(self) -> tuple[RatedLine, ...]:
        """The arithmetic, built when asked for: posting a call does not need it."""
        return tuple(_explain(self))


def rate_usage(deck: RateDeck, unit: Unit, direction: Direction, e164: str, quantity: int) -> Rated:
    """Price one call or message before any grant is burned.

    Args:
        e164: The called number, in both directions.
        quantity: Seconds from answer to hang-up, or messages. 0 = unanswered, which is free.

    Raises:
        InvalidUsageError: The quantity is negative.
        DestinationNotRatedError: The deck has no price for the number.
    """
    rate = deck.find(unit, direction, e164)
    billed = billed_quantity(rate, unit, quantity)
    cost_micros = _cost_micros(rate, unit, billed, 0, deck.rounding, deck.decimals)
    return Rated(
        unit=unit,
        rate=rate,
        deck_id=deck.deck_id,
        deck_version=deck.version,
        rounding=deck.rounding,
        decimals=deck.decimals,
        billed_quantity=billed,
        granted_quantity=0,
        cost_micros=cost_micros,
        wallet_micros=cost_micros,
    )


def rate_remaining(rated: Rated, granted_quantity: int) -> Rated:
    """Split the bill: grants pay for some billed seconds, the wallet for the rest and the fee.

    Grants hold seconds, so they pay for billed seconds (after increments) and never for the
    connect fee. The wallet's part is computed from the exact price and rounded once, like a whole
    call; it is never more than the whole call's price, and falls as grants pay for more.

    Args:
        granted_quantity: Billed seconds, or messages, that all grants together paid for.

    Raises:
        InvalidUsageError: Grants paid for more than was billed.

    Source:
        docs/rating.md, "Grants first, wallet after".
    """
    if not 0 <= granted_quantity <= rated.billed_quantity:
        raise InvalidUsageError(
            f"granted_quantity={granted_quantity}, billed_quantity={rated.billed_quantity}"
        )
    wallet_micros = _cost_micros(
        rated.rate,
        rated.unit,
        rated.billed_quantity,
        granted_quantity,
        rated.rounding,
        rated.decimals,
    )
    return replace(rated, granted_quantity=granted_quantity, wallet_micros=wallet_micros)


def price_quantity(rate: Rate, unit: Unit, quantity: int, rounding: Rounding, decimals: int) -> int:
    """The price in micros of a quantity at one rate, before any grant is burned.

    Raises:
        InvalidUsageError: The quantity is negative.
    """
    return _cost_micros(rate, unit, billed_quantity(rate, unit, quantity), 0, rounding, decimals)


def billed_quantity(rate: Rate, unit: Unit, quantity: int) -> int:
    """Seconds after increments, or messages as they are. Grants burn this quantity.

    An answered call is billed its whole first increment at once; the time after that is rounded up
    to whole next increments. An unanswered call is billed nothing.

    Raises:
        InvalidUsageError: The quantity is negative.

    Source:
        docs/rating.md, "Increments".
    """
    if quantity < 0:
        raise InvalidUsageError(f"quantity={quantity} {unit.value}")
    if quantity == 0 or unit is Unit.MESSAGES:
        return quantity
    first, step = rate.first_increment_seconds, rate.next_increment_seconds
    return first + step * ceil_div(max(0, quantity - first), step)


class HasEffectiveAt(Protocol):
    @property
    def version(self) -> int: ...

    @property
    def effective_at(self) -> datetime: ...


Version = TypeVar("Version", bound=HasEffectiveAt)


def choose_deck(versions: Iterable[Version], answered_at: datetime) -> Version:
    """The version in force when a call was answered: the latest, and of equals the newest.

    Raises:
        NoRateDeckError: Every version takes effect later, or there is none.
    """
    in_force = [version for version in versions if version.effective_at <= answered_at]
    if not in_force:
        raise NoRateDeckError(f"no rate deck was in force at {answered_at.isoformat()}")
    return max(in_force, key=lambda version: (version.effective_at, version.version))


def _cost_micros(
    rate: Rate, unit: Unit, billed: int, granted: int, rounding: Rounding, decimals: int
) -> int:
    """The wallet's price, and the only rounding it goes through."""
    if billed == 0:
        return 0
    exact = 60 * rate.connect_fee_micros + _sixtieths(rate, unit, billed - granted)
    step = int(10 ** (MICRO_DECIMALS - decimals))
    return step * _divide(exact, 60 * step, rounding)


def _sixtieths(rate: Rate, unit: Unit, quantity: int) -> int:
    """The exact price in sixtieths of a micro: a price per minute times seconds is an integer."""
    return rate.rate_micros * quantity * (1 if unit is Unit.VOICE_SECONDS else 60)


def _divide(numerator: int, divisor: int, rounding: Rounding) -> int:
    match rounding:
        case Rounding.UP:
            return ceil_div(numerator, divisor)
        case Rounding.MIDDLE:
            return (2 * numerator + divisor) // (2 * divisor)
        case Rounding.DOWN:
            return numerator // divisor


def _explain(rated: Rated) -> Iterator[RatedLine]:
    exact = shown = 0  # Sixtieths and hundredths of a micro, summed over the lines so far.
    for kind, label, quantity, sixtieths in _exact_lines(rated):
        exact += sixtieths
        # A third of a micro has no decimal form. Cutting the running sum, not each line, keeps the
        # column exact whenever the whole is.
        running = exact * 5 // 3
        yield RatedLine(kind, label, quantity, _decimal(running - shown))
        shown = running
    if rounding := rated.wallet_micros * 100 - shown:
        label = f"Rounded {rated.rounding.value} to {rated.decimals} decimals"
        yield RatedLine(LineKind.ROUNDING, label, 0, _decimal(rounding))


def _exact_lines(rated: Rated) -> Iterator[tuple[LineKind, str, int, int]]:
    rate, unit, billed = rated.rate, rated.unit, rated.billed_quantity
    if billed == 0:
        return
    if rate.connect_fee_micros:
        yield LineKind.CONNECT_FEE, "Connect fee", 1, 60 * rate.connect_fee_micros
    if unit is Unit.MESSAGES:
        yield LineKind.MESSAGES, "Messages", billed, _sixtieths(rate, unit, billed)
    else:
        first, step = rate.first_increment_seconds, rate.next_increment_seconds
        label = f"First increment of {first} s"
        yield LineKind.FIRST_INCREMENT, label, first, _sixtieths(rate, unit, first)
        if further := billed - first:
            label = f"Further increments of {step} s: {further // step}"
            yield LineKind.NEXT_INCREMENTS, label, further, _sixtieths(rate, unit, further)
    if granted := rated.granted_quantity:
        yield LineKind.GRANTED, "Paid by grants", -granted, _sixtieths(rate, unit, -granted)


def _decimal(hundredths: int) -> str:
    whole, fraction = divmod(abs(hundredths), 10**8)
    text = f"{whole}.{fraction:08d}".rstrip("0").rstrip(".")
    return f"-{text}" if hundredths < 0 else text
