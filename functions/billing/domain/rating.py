"""Price one call or message against a rate deck: exact, rounded once, and explained."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from billing.domain.errors import (
    DestinationBlockedError,
    DestinationNotRatedError,
    InvalidInputError,
    InvalidUsageError,
    NoRateDeckError,
)
from billing.domain.money import MICRO_DECIMALS
from billing.domain.pricing import Rounding, billed_quantity, price_quantity, wallet_micros
from billing.domain.rated import LineKind, Rated, RatedLine
from billing.domain.rates import (
    DirectionOrAny,
    Prices,
    Rate,
    RateTable,
    Terms,
    Tier,
    Treatment,
)
from billing.domain.units import Direction, Unit

__all__ = [
    "DirectionOrAny",
    "LineKind",
    "Prices",
    "Rate",
    "RateDeck",
    "RateTable",
    "Rated",
    "RatedLine",
    "Rounding",
    "Terms",
    "Tier",
    "Treatment",
    "billed_quantity",
    "choose_deck",
    "price_quantity",
    "rate_remaining",
    "rate_usage",
]


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

    def find(
        self, unit: Unit, direction: Direction, e164: str, answered_at: datetime | None = None
    ) -> Rate:
        """The rate of the longest prefix of the called number, blocked or not.

        Inbound usage is looked up by the called number too: it is the tenant's own number that
        decides what receiving a call costs.

        Args:
            answered_at: Aware; decides between the windows of a rate that has some.

        Raises:
            InvalidUsageError: The rate has windows, and no time is given.
            DestinationNotRatedError: No prefix matches, and the deck has no price for everything.
        """
        rate = self.rates.find(unit, direction, e164, answered_at)
        if rate is None:
            raise DestinationNotRatedError(
                f"rate deck {self.deck_id} version {self.version} has no {direction.value}"
                f" price in {unit.value} for the called number"
            )
        return rate


def rate_usage(
    deck: RateDeck,
    unit: Unit,
    direction: Direction,
    e164: str,
    quantity: int,
    answered_at: datetime | None = None,
) -> Rated:
    """Price one call or message before any grant is burned.

    A blocked destination is not to be called, but a call that happened is charged like any other.

    Args:
        e164: The called number, in both directions.
        quantity: Seconds from answer to hang-up, or messages. 0 = unanswered, which is free.
        answered_at: Aware. The whole call has the price of the window it was answered in.

    Raises:
        InvalidUsageError: The quantity is negative, or the price needs the time of answer.
        DestinationNotRatedError: The deck has no price for the number.
        DestinationBlockedError: The deck blocks the number and names no price for it.
    """
    rate = deck.find(unit, direction, e164, answered_at)
    billed = billed_quantity(rate, unit, quantity)
    if billed and rate.treatment is Treatment.UNPRICED:
        raise DestinationBlockedError(
            f"rate deck {deck.deck_id} version {deck.version} blocks the called number"
            " and has no price for it"
        )
    cost_micros = wallet_micros(rate, unit, billed, 0, deck.rounding, deck.decimals)
    return Rated(
        unit=unit,
        rate=rate,
        deck_id=deck.deck_id,
        deck_version=deck.version,
        rounding=deck.rounding,
        decimals=deck.decimals,
        quantity=quantity,
        billed_quantity=billed,
        granted_quantity=0,
        cost_micros=cost_micros,
        wallet_micros=cost_micros,
        time_zone=deck.rates.time_zone,
    )


def rate_remaining(rated: Rated, granted_quantity: int) -> Rated:
    """Split the bill: grants pay for the first billed seconds, the wallet for the rest and the fee.

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
    paid = wallet_micros(
        rated.rate,
        rated.unit,
        rated.billed_quantity,
        granted_quantity,
        rated.rounding,
        rated.decimals,
    )
    return replace(rated, granted_quantity=granted_quantity, wallet_micros=paid)


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
