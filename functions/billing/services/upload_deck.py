"""Take over an uploaded rate deck as the next version of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.domain.account import require_id
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.errors import InvalidInputError
from billing.domain.money import MICRO_DECIMALS, Money
from billing.domain.rating import Rounding
from billing.ports import DECK_VERSIONS_KEPT, Clock, Decks, DeckVersion

DECK_LEAD = 2 * DECK_VERSIONS_KEPT
"""How far ahead a version activates: by then every worker has read of it, so none disagree."""


@dataclass(frozen=True, slots=True)
class NewDeck:
    """An upload.

    Args:
        effective_at: Aware UTC; None: as soon as it can be.
        is_draft: It waits to be activated, and has no date before.
    """

    deck_id: str
    content: bytes
    currency: str
    effective_at: datetime | None
    rounding: Rounding
    decimals: int
    is_draft: bool = False


class UploadDeck:
    """Numbers versions from 1. The same prices from the same date are the same version."""

    def __init__(self, decks: Decks, clock: Clock) -> None:
        self._decks = decks
        self._clock = clock

    def upload(self, wanted: NewDeck) -> tuple[DeckVersion, bool]:
        """Store the next version.

        Returns:
            The version, and whether it is new.

        Raises:
            DeckError: The file cannot be used; names lines and columns.
            InvalidInputError: Names the field: another currency than before, too early a date.
            ConflictError: Somebody else uploaded one at the same moment; nothing was taken over.
        """
        require_id(wanted.deck_id, "deck")
        Money(0, wanted.currency)
        if not 0 <= wanted.decimals <= MICRO_DECIMALS:
            raise InvalidInputError(f"decimals is 0 to {MICRO_DECIMALS}", field="decimals")
        if wanted.is_draft and wanted.effective_at is not None:
            raise InvalidInputError(
                "a draft takes effect from when it is activated for", field="effective_at"
            )
        table = parse_deck(wanted.content)
        body = serialise_deck(table)
        now = self._clock.now()
        uploaded = self._decks.uploaded(wanted.deck_id)
        alike = [found for found in uploaded if found.is_draft == wanted.is_draft]
        soonest = now if wanted.is_draft else now + DECK_LEAD
        version = DeckVersion(
            deck_id=wanted.deck_id,
            version=len(uploaded) + 1,
            currency=wanted.currency,
            effective_at=wanted.effective_at or soonest,
            rounding=wanted.rounding.value,
            decimals=wanted.decimals,
            digest=deck_digest(body),
            rates=len(table),
            uploaded_at=now,
            is_draft=wanted.is_draft,
        )
        same = _same_as(alike, version, is_dated=wanted.effective_at is not None)
        if same is not None:
            return same, False
        if not version.is_draft:
            check_next(alike, version.currency, version.effective_at, now)
        self._decks.store(version, body)
        return version, True


def _same_as(
    versions: Sequence[DeckVersion], wanted: DeckVersion, *, is_dated: bool
) -> DeckVersion | None:
    """The newest version that already says the same; an undated upload only repeats the last."""
    for version in reversed(versions):
        says_the_same = (
            version.digest == wanted.digest
            and version.currency == wanted.currency
            and version.rounding == wanted.rounding
            and version.decimals == wanted.decimals
        )
        if says_the_same and (version.effective_at == wanted.effective_at or not is_dated):
            return version
        if not is_dated:
            return None
    return None


def check_next(
    active: Sequence[DeckVersion], currency: str, effective_at: datetime, now: datetime
) -> None:
    """Whether a version may follow those that are or will be in force.

    Raises:
        InvalidInputError: Names the field: another currency than before, too early a date.
    """
    if not active:
        return
    if active[-1].currency != currency:
        raise InvalidInputError(
            f"the deck is in {active[-1].currency}; a deck keeps its currency", field="currency"
        )
    if effective_at < now + DECK_LEAD:
        raise InvalidInputError(
            f"a further version takes effect {DECK_LEAD.seconds} seconds from now or later",
            field="effective_at",
        )
