"""Say what a call or message would cost, and charge nothing."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain.errors import NotFoundError
from billing.domain.rating import Rated, choose_deck, rate_usage
from billing.domain.units import Direction, Unit
from billing.ports import Clock, Decks


@dataclass(frozen=True, slots=True)
class UsageQuote:
    """What something would cost, answered at an instant, before any grant."""

    rated: Rated
    currency: str
    answered_at: datetime


class QuoteUsage:
    """Rates as posting does, from the same version of the same deck."""

    def __init__(self, decks: Decks, clock: Clock) -> None:
        self._decks = decks
        self._clock = clock

    def quote(
        self,
        deck_id: str,
        *,
        unit: Unit,
        direction: Direction,
        e164: str,
        quantity: int,
        answered_at: datetime | None,
    ) -> UsageQuote:
        """Price it.

        Args:
            answered_at: Aware UTC; None: now.

        Raises:
            NotFoundError: No such deck.
            NoRateDeckError: No version was in force then.
            DestinationNotRatedError: The deck has no price for the number.
            DestinationBlockedError: The deck blocks the number and gives no price.
        """
        versions = self._decks.versions(deck_id)
        if not versions:
            raise NotFoundError(f"there is no rate deck {deck_id!r}")
        answered_at = answered_at or self._clock.now()
        deck = self._decks.load(choose_deck(versions, answered_at))
        rated = rate_usage(deck, unit, direction, e164, quantity, answered_at)
        return UsageQuote(rated, deck.currency, answered_at)
