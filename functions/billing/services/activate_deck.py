"""Let a draft of a rate deck take effect."""

from collections.abc import Sequence
from datetime import datetime

from billing.domain.errors import ConflictError, NotFoundError
from billing.ports import Clock, Decks, DeckVersion
from billing.services.upload_deck import DECK_LEAD, check_next


class ActivateDeck:
    """Activates a draft once; doing it again with the same date changes nothing."""

    def __init__(self, decks: Decks, clock: Clock) -> None:
        self._decks = decks
        self._clock = clock

    def activate(self, deck_id: str, number: int, effective_at: datetime | None) -> DeckVersion:
        """Let the draft price calls answered from a date on.

        Args:
            effective_at: Aware UTC; None: as soon as it can be.

        Raises:
            NotFoundError: No such version.
            ConflictError: It takes effect at another date already.
            InvalidInputError: Names the field: another currency than before, too early a date.
        """
        uploaded = self._decks.uploaded(deck_id)
        version = version_numbered(uploaded, number)
        if not version.is_draft:
            if effective_at not in (None, version.effective_at):
                raise ConflictError(
                    f"version {number} takes effect at {version.effective_at.isoformat()};"
                    " upload the deck again for another date"
                )
            return version
        now = self._clock.now()
        effective_at = effective_at or now + DECK_LEAD
        active = [found for found in uploaded if not found.is_draft]
        check_next(active, version.currency, effective_at, now)
        return self._decks.activate(version, effective_at)


def version_numbered(versions: Sequence[DeckVersion], number: int) -> DeckVersion:
    """
    Raises:
        NotFoundError: None of them is.
    """
    for version in versions:
        if version.version == number:
            return version
    raise NotFoundError(f"there is no version {number}")
